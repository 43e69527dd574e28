//! Generated files on disk: written only where they differ, and compared for `--check`.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// A generated file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Name within the output folder.
    pub name: &'static str,
    /// The whole text.
    pub content: String,
}

/// A file that is not what would be generated now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stale {
    /// The file.
    pub path: PathBuf,
    /// In what way.
    pub why: Why,
}

/// In what way a file is stale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// There is none.
    Missing,
    /// It cannot be read.
    Unreadable(String),
    /// Its content is another one, first at this line, counted from 1.
    Differs {
        /// The first line that differs.
        line: usize,
        /// What stands there; none past the end.
        found: Option<String>,
        /// What should; none where the file should end.
        expected: Option<String>,
    },
}

impl std::fmt::Display for Stale {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = self.path.display();
        let show = |line: &Option<String>| {
            line.as_ref().map_or("the end".to_owned(), |line| format!("`{}`", cut(line)))
        };
        match &self.why {
            Why::Missing => write!(out, "{path} is missing"),
            Why::Unreadable(error) => write!(out, "{path} cannot be read: {error}"),
            Why::Differs { line, found, expected } => {
                write!(out, "{path}:{line}: found {}, expected {}", show(found), show(expected))
            }
        }
    }
}

/// Writes what differs into a folder, which is created if need be, and returns what changed.
///
/// A reader sees an old file or a new one and nothing between. The time of generation alone is no
/// difference.
pub fn write(dir: &Path, files: &[File]) -> io::Result<Vec<PathBuf>> {
    fs::create_dir_all(dir)?;
    let mut changed = Vec::new();
    for stale in stale(dir, files) {
        let Some(file) = files.iter().find(|file| stale.path == dir.join(file.name)) else { continue };
        let mut new = tempfile::Builder::new();
        new.prefix(".generating-").suffix(".tmp");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            // As the umask says, like any other source file.
            new.permissions(fs::Permissions::from_mode(0o666));
        }
        let mut new = new.tempfile_in(dir)?;
        new.write_all(file.content.as_bytes())?;
        new.persist(&stale.path).map_err(|error| error.error)?;
        changed.push(stale.path);
    }
    Ok(changed)
}

/// The files of a folder that are missing or differ from what would be generated. The time of
/// generation alone is no difference.
pub fn stale(dir: &Path, files: &[File]) -> Vec<Stale> {
    let mut stale = Vec::new();
    for file in files {
        let path = dir.join(file.name);
        let why = match fs::read(&path) {
            Ok(found) => differs(&String::from_utf8_lossy(&found), &file.content),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Some(Why::Missing),
            Err(error) => Some(Why::Unreadable(error.to_string())),
        };
        stale.extend(why.map(|why| Stale { path, why }));
    }
    stale
}

fn differs(found: &str, expected: &str) -> Option<Why> {
    // With their ends: a checkout that changes line ends changes the file.
    let mut left = found.split_inclusive('\n');
    let mut right = expected.split_inclusive('\n');
    let mut line = 0;
    loop {
        line += 1;
        let (found, expected) = (left.next(), right.next());
        match (found, expected) {
            (None, None) => return None,
            (Some(found), Some(expected)) if found == expected => {}
            (Some(found), Some(expected)) if is_time(found) && is_time(expected) => {}
            _ => {
                let owned = |line: Option<&str>| line.map(|line| line.trim_end_matches('\n').to_owned());
                return Some(Why::Differs { line, found: owned(found), expected: owned(expected) });
            }
        }
    }
}

/// The line of a diagnostics file that says when it was generated.
fn is_time(line: &str) -> bool {
    line.starts_with("  \"generatedAt\": \"")
}

fn cut(line: &str) -> String {
    const SHOWN: usize = 80;
    let line = line.trim().escape_debug().to_string();
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
