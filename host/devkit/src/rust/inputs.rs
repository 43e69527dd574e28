//! Which files went into a build: cargo's dependency information and the manifests around it.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::package::Package;
use super::{LOCK_FILE, OWN_FILES};
use crate::freshness::Record;
use crate::language::Language;

/// The record of a build of `package` that wrote `module`.
pub(crate) fn record(package: &Package, module: &Path, target_dir: &Path) -> io::Result<Record> {
    let text = fs::read_to_string(module.with_extension("d"))?;
    let target_dir = fs::canonicalize(target_dir)?;
    let mut inputs = BTreeSet::new();
    for path in parse_dep_info(&text) {
        let path = fs::canonicalize(&path).unwrap_or(path);
        // What build scripts generate follows from their own inputs, and is always newer.
        if path.starts_with(&target_dir) {
            continue;
        }
        // A path dependency's manifest decides what is compiled, but the compiler never sees it.
        if let Some(manifest) = manifest_of(&path) {
            inputs.insert(manifest);
        }
        inputs.insert(path);
    }
    inputs.insert(package.workspace.join("Cargo.toml"));
    let own = package.manifest.parent().unwrap_or(Path::new("/"));
    inputs.extend(OWN_FILES.iter().map(|name| own.join(name)).filter(|path| path.exists()));
    let lock = package.workspace.join(LOCK_FILE);
    Ok(Record::new(Language::Rust, inputs.into_iter().collect(), lock.exists().then_some(lock)))
}

fn manifest_of(source: &Path) -> Option<PathBuf> {
    source.ancestors().skip(1).map(|dir| dir.join("Cargo.toml")).find(|manifest| manifest.is_file())
}

/// The dependencies in a line such as `target: first second\ with\ spaces`, the form cargo writes.
fn parse_dep_info(text: &str) -> Vec<PathBuf> {
    let Some((_, dependencies)) = text.lines().next().and_then(|line| line.split_once(": ")) else {
        return Vec::new();
    };
    let mut paths = Vec::new();
    let mut path = String::new();
    let mut chars = dependencies.chars().peekable();
    while let Some(next) = chars.next() {
        match next {
            '\\' if chars.peek() == Some(&' ') => path.extend(chars.next()),
            ' ' => paths.push(std::mem::take(&mut path)),
            other => path.push(other),
        }
    }
    paths.push(path);
    paths.into_iter().filter(|path| !path.is_empty()).map(PathBuf::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Cargo's own rendering: paths joined by spaces, spaces within them escaped.
    fn render(paths: &[String]) -> String {
        let escaped: Vec<String> = paths.iter().map(|path| path.replace(' ', "\\ ")).collect();
        format!("/t/release/x.wasm: {}\n", escaped.join(" "))
    }

    #[test]
    fn a_build_without_dependencies_has_none() {
        assert_eq!(parse_dep_info("/t/x.wasm:\n"), Vec::<PathBuf>::new());
        assert_eq!(parse_dep_info(""), Vec::<PathBuf>::new());
    }

    proptest! {
        #[test]
        fn every_path_that_cargo_writes_is_read_back(
            paths in prop::collection::vec("/[a-z:.]([a-z :./-]*[a-z:./-])?", 1..6)
        ) {
            let read = parse_dep_info(&render(&paths));
            prop_assert_eq!(read, paths.iter().map(PathBuf::from).collect::<Vec<_>>());
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in ".{0,200}") {
            parse_dep_info(&text);
        }
    }
}
