//! The contract in `wit/`, with the version that a forged component claims.

use std::fs;
use std::path::{Path, PathBuf};

use wit_parser::{Resolve, WorldId};

use super::CONTRACT;

/// An interface that no host offers.
const UNKNOWN: &str = "package evil:corp@1.0.0;\ninterface backdoor { open: func(); }\n";

/// The contract's folder.
pub(super) fn dir() -> PathBuf {
    fs::canonicalize(concat!(env!("CARGO_MANIFEST_DIR"), "/../wit")).unwrap()
}

/// A world with these imports and exports, over the contract at `version`.
pub(super) fn world(version: &str, items: &str) -> (Resolve, WorldId) {
    let mut resolve = Resolve::default();
    if version == CONTRACT {
        resolve.push_dir(dir()).unwrap();
    } else {
        let copy = tempfile::tempdir().unwrap();
        copy_as(&dir(), copy.path(), version);
        resolve.push_dir(copy.path()).unwrap();
    }
    resolve.push_source("unknown.wit", UNKNOWN).unwrap();
    let text = format!("package forged:plugin;\nworld forged {{\n{items}}}\n");
    let package =
        resolve.push_source("forged.wit", &text).unwrap_or_else(|error| panic!("{error:#}\n{text}"));
    let world = resolve.select_world(&[package], Some("forged")).unwrap();
    (resolve, world)
}

/// Copies the contract's texts, its version replaced.
fn copy_as(from: &Path, to: &Path, version: &str) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let copy = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_as(&path, &copy, version);
        } else if path.extension().is_some_and(|extension| extension == "wit") {
            let text = fs::read_to_string(&path).unwrap();
            let text = text
                .replace(&format!("luckystack:plugin@{CONTRACT}"), &format!("luckystack:plugin@{version}"));
            fs::write(copy, text).unwrap();
        }
    }
}
