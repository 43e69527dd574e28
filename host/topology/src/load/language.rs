//! Which languages the sources in a folder are written in.
//!
//! ```text
//! vehicles/
//!   Cargo.toml                 Rust: a cargo package
//!   plugin.json, geo.c         C: a manifest and C files
//!   pyproject.toml | *.py      Python: decorated functions
//!   package.json | *.ts        TypeScript or JavaScript
//!   _api/getAll_v1.ts          handler files, in TypeScript, JavaScript or Python
//!   _sync/move_server_v1.ts
//!   reports/_api/list_v1.ts    handler files of the nested page `vehicles/reports`
//! ```
//!
//! A folder may hold several languages; each is a plugin of its own. What makes a folder *also* one of
//! TypeScript or Python are handler files: a `package.json` or a script beside a `Cargo.toml` may be
//! there for any reason.

use std::fmt;
use std::path::{Path, PathBuf};

use super::list;

/// A language that plugins can be built from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Language {
    /// A cargo package with a `cdylib` library.
    Rust,
    /// TypeScript or JavaScript handler files.
    TypeScript,
    /// Python modules with decorated functions.
    Python,
    /// C files and a `plugin.json`.
    C,
}

/// Folders of handler files; they belong to the plugin of the folder above and are none themselves.
pub const MARKERS: [&str; 4] = ["_api", "_sync", "_hooks", "_functions"];

/// Folders that tools leave behind; never looked into.
pub const IGNORED: [&str; 5] = ["target", "node_modules", "__pycache__", "dist", "build"];

/// How deep nested pages may lie below their service.
const MAX_DEPTH: usize = 8;

impl Language {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Rust, Self::TypeScript, Self::Python, Self::C];

    /// For people: `TypeScript`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rust => "Rust",
            Self::TypeScript => "TypeScript",
            Self::Python => "Python",
            Self::C => "C",
        }
    }

    /// For file names and the command line: `ts`.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::TypeScript => "ts",
            Self::Python => "py",
            Self::C => "c",
        }
    }

    /// Whether a file is a source of this language, by its name.
    #[must_use]
    pub fn owns(self, file: &Path) -> bool {
        let name = file.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        let ends = |suffixes: &[&str]| suffixes.iter().any(|suffix| name.ends_with(suffix));
        match self {
            Self::Rust => ends(&[".rs"]),
            Self::TypeScript => {
                ends(&[".ts", ".mts", ".tsx", ".js", ".mjs"])
                    && !ends(&[".d.ts", ".d.mts"])
                    && !is_test(&name)
            }
            Self::Python => {
                ends(&[".py"]) && !name.starts_with("test_") && !ends(&["_test.py"]) && name != "conftest.py"
            }
            Self::C => ends(&[".c"]),
        }
    }
}

/// `x.test.ts`, `x.tests.ts`, `x.spec.ts` (wire protocol §1.1): never a handler.
fn is_test(name: &str) -> bool {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    [".test", ".tests", ".spec"].iter().any(|suffix| stem.ends_with(suffix))
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The languages of the sources in `dir`; `entries` is its content. With `nested`, sub-folders are
/// nested pages; without, they are other services and are not looked into.
///
/// `Cargo.toml` is not looked at here: whether it holds a package takes reading it.
pub(super) fn others_than_rust(
    dir: &Path,
    entries: &[PathBuf],
    is_rust: bool,
    nested: bool,
) -> Vec<Language> {
    let has =
        |name: &str| entries.iter().any(|path| path.is_file() && path.file_name().is_some_and(|n| n == name));
    let owns = |language: Language| entries.iter().any(|path| path.is_file() && language.owns(path));
    let is_c = has("plugin.json") && owns(Language::C);
    let mut found = Vec::new();
    for (language, marker) in [(Language::TypeScript, "package.json"), (Language::Python, "pyproject.toml")] {
        let depth = if nested { MAX_DEPTH } else { 0 };
        let plain = nested && !is_rust && !is_c && (has(marker) || owns(language));
        if plain || has_handlers(dir, language, depth) {
            found.push(language);
        }
    }
    if is_c {
        found.push(Language::C);
    }
    found
}

/// Whether there is a handler file in a marker folder of `dir`, or of a page below it.
fn has_handlers(dir: &Path, language: Language, depth: usize) -> bool {
    let Ok(entries) = list(dir) else { return false };
    entries.iter().filter(|path| path.is_dir()).any(|sub| {
        let name = sub.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        if MARKERS.contains(&name.as_ref()) {
            return list(sub)
                .is_ok_and(|files| files.iter().any(|file| file.is_file() && language.owns(file)));
        }
        let is_page = !name.starts_with(['_', '.']) && !IGNORED.contains(&name.as_ref());
        depth > 0 && is_page && has_handlers(sub, language, depth - 1)
    })
}
