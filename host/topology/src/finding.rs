//! Findings: everything that a person wrote wrongly, with place and remedy.
//!
//! The rule: a finding names the thing, says where it stands and what to do about it; its code is
//! stable, because CI scripts match on it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

/// How bad a finding is. Errors keep a host from starting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Must be mended before anything starts.
    Error,
    /// Worth a look; the host starts.
    Warning,
}

/// One thing that is wrong.
///
/// Displayed as `error[code] presets/fleet.toml:7:3: message` and a `help:` line below.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Stable name of the rule; those of wire protocol §7.5 are spelled as there.
    pub code: &'static str,
    /// The file, or what stands in for one: `--set http.cors.credentials`, `LUCKYSTACK_SET_NAME`.
    pub file: PathBuf,
    /// Line, from 1.
    pub line: Option<usize>,
    /// Column in characters, from 1.
    pub column: Option<usize>,
    /// The dotted key, where there is one.
    pub key: Option<String>,
    /// What is wrong, as a sentence that names the thing.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

/// Where something was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    file: Arc<Path>,
    /// Line and column, from 1.
    position: Option<(usize, usize)>,
}

// ---------------------------------------------------------------------------------------------
// Severity

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

// ---------------------------------------------------------------------------------------------
// Place

impl Place {
    pub(crate) fn whole(file: &Path) -> Self {
        Self { file: file.into(), position: None }
    }

    pub(crate) fn at(file: &Arc<Path>, line: usize, column: usize) -> Self {
        Self { file: Arc::clone(file), position: Some((line, column)) }
    }

    pub(crate) fn finding(
        &self,
        severity: Severity,
        code: &'static str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Finding {
        Finding {
            severity,
            code,
            file: self.file.to_path_buf(),
            line: self.position.map(|p| p.0),
            column: self.position.map(|p| p.1),
            key: None,
            message: one_line(message.into()),
            remedy: one_line(remedy.into()),
        }
    }

    pub(crate) fn error(
        &self,
        code: &'static str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Finding {
        self.finding(Severity::Error, code, message, remedy)
    }

    pub(crate) fn warning(
        &self,
        code: &'static str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Finding {
        self.finding(Severity::Warning, code, message, remedy)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        match self.position {
            Some((line, column)) => write!(f, ":{line}:{column}"),
            None => Ok(()),
        }
    }
}

// ---------------------------------------------------------------------------------------------
// Finding

impl Finding {
    pub(crate) fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Whether this keeps a host from starting.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}] {}", self.severity, self.code, self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
            if let Some(column) = self.column {
                write!(f, ":{column}")?;
            }
        }
        write!(f, ": {}\n  help: {}", self.message, self.remedy)
    }
}

/// Names and values of a file appear in messages; a line break or an escape sequence in one of them
/// must not look like a line of ours.
fn one_line(text: String) -> String {
    if !text.contains(char::is_control) {
        return text;
    }
    text.chars()
        .map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() })
        .collect()
}

/// Reading order: by file, then from top to bottom, errors before warnings at one place.
pub(crate) fn sort(findings: &mut [Finding]) {
    findings.sort_by(|a, b| {
        (&a.file, a.line, a.column, a.severity, a.code, &a.message)
            .cmp(&(&b.file, b.line, b.column, b.severity, b.code, &b.message))
    });
}
