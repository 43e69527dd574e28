//! Single settings from the environment and from flags, laid over `project.toml`.
//!
//! The rule: file, then environment, then flags; the last one wins, tables merge, arrays are
//! replaced (wire protocol §12.1). An override goes through the same reader as the file, so a
//! misspelt path is an unknown key and a wrong value says where it came from.

use std::path::Path;

use crate::document::{Entry, Node, Table, Value, parse_loose};
use crate::finding::{Finding, Place};
use crate::preset::is_key;

/// Variables that begin like this set one key each: `LUCKYSTACK_SET_HTTP__CORS__CREDENTIALS`.
pub const SET_ENV_PREFIX: &str = "LUCKYSTACK_SET_";

/// Settings from outside of the files; they apply to `project.toml` only.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// The environment, or any part of it. `LUCKYSTACK_SET_<PATH>` sets a key (`__` stands for the
    /// dot, case does not matter); `PROJECT_NAME` names a project that does not name itself.
    pub env: Vec<(String, String)>,
    /// Flags as given to `--set`: `http.cors.allow_localhost=true`.
    pub flags: Vec<String>,
}

impl Overrides {
    /// Name from `PROJECT_NAME`, if that says anything (§12.2).
    pub(crate) fn project_name(&self) -> Option<&str> {
        self.env
            .iter()
            .find(|(name, _)| name == "PROJECT_NAME")
            .map(|(_, value)| value.trim())
            .filter(|value| !value.is_empty())
    }

    pub(crate) fn apply(&self, project: &mut Table, findings: &mut Vec<Finding>) {
        let mut variables: Vec<_> = self
            .env
            .iter()
            .filter_map(|(name, value)| Some((name, name.strip_prefix(SET_ENV_PREFIX)?, value)))
            .collect();
        // The order of an environment means nothing; a fixed one makes runs repeatable.
        variables.sort();
        for (name, path, value) in variables {
            let path = path.to_lowercase().replace("__", ".");
            lay(project, Path::new(name), &path, value, findings);
        }
        for flag in &self.flags {
            match flag.split_once('=') {
                Some((path, value)) => {
                    let source = format!("--set {}", path.trim());
                    lay(project, Path::new(&source), path.trim(), value, findings);
                }
                None => findings.push(invalid(Path::new("--set"), flag, "there is no `=` in it")),
            }
        }
    }
}

fn lay(project: &mut Table, source: &Path, path: &str, value: &str, findings: &mut Vec<Finding>) {
    // Deeper than any key; a bound, so that a long path of dots is no long chain of tables.
    const DEEPEST: usize = 8;
    let keys: Vec<&str> = path.split('.').collect();
    if !keys.iter().all(|key| is_key(key)) {
        findings.push(invalid(source, path, "that is no path of keys"));
        return;
    }
    if keys.len() > DEEPEST {
        findings.push(invalid(source, path, "no key lies that deep"));
        return;
    }
    // A path that leads through a value of the file would replace that value by a table.
    let mut table = &*project;
    for (n, key) in keys[..keys.len() - 1].iter().enumerate() {
        match table.entries.get(*key).map(|entry| &entry.node.value) {
            Some(Value::Table(inner)) => table = inner,
            Some(other) => {
                let reason = format!("`{}` is {}, not a table", keys[..=n].join("."), other.kind());
                findings.push(invalid(source, path, &reason));
                return;
            }
            None => break,
        }
    }
    let at = Place::whole(source);
    let mut node = parse_loose(source, value);
    for key in keys.iter().rev() {
        let mut over = Table::empty(source);
        over.entries.insert((*key).to_owned(), Entry { at: at.clone(), node });
        node = Node { at: at.clone(), value: Value::Table(over), raw: None };
    }
    if let Value::Table(over) = node.value {
        project.merge(over);
    }
}

fn invalid(source: &Path, text: &str, reason: &str) -> Finding {
    Place::whole(source).error(
        "invalid-override",
        format!("`{text}` sets nothing: {reason}"),
        "write the path of a key of project.toml and its value: --set http.cors.allow_localhost=true, \
         or LUCKYSTACK_SET_HTTP__CORS__ALLOW_LOCALHOST=true",
    )
}
