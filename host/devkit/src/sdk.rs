//! The SDKs and the contract, as files in the host's own binary: a host that was copied to a machine builds
//! plugins there without a checkout of this repository.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// A file: its path below the folder it is unpacked to, and its content.
pub(crate) type File = (&'static str, &'static str);

/// Files of `sdk/` or `wit/`, as [`File`]s.
macro_rules! embedded {
    ($root:literal: $($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../", $root, "/", $path)))),*]
    };
}
pub(crate) use embedded;

/// The contract: `wit/`.
pub(crate) const WIT: &[File] = embedded!("wit":
    "deps/clocks/clocks.wit",
    "deps/config/store.wit",
    "deps/config/world.wit",
    "deps/http/http.wit",
    "deps/io/io.wit",
    "deps/keyvalue/atomic.wit",
    "deps/keyvalue/batch.wit",
    "deps/keyvalue/store.wit",
    "deps/keyvalue/world.wit",
    "deps/logging/logging.wit",
    "deps/random/random.wit",
    "luckystack.wit",
);

/// A short name of the content of these files.
pub(crate) fn digest(files: &[&[File]]) -> String {
    let mut sha = Sha256::new();
    for (path, text) in files.iter().copied().flatten() {
        for part in [path, text] {
            sha.update((part.len() as u64).to_le_bytes());
            sha.update(part);
        }
    }
    sha.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Writes files to `<target_dir>/luckystack/<name>-<digest>/<subfolder>/…` and answers with that folder. What is
/// there already is what would be written.
///
/// `parts` are subfolders (an empty name for none) and their files.
pub(crate) fn unpack(target_dir: &Path, name: &str, parts: &[(&str, &[File])]) -> io::Result<PathBuf> {
    let files: Vec<&[File]> = parts.iter().map(|(_, files)| *files).collect();
    let root = std::path::absolute(target_dir)?.join("luckystack");
    let place = root.join(format!("{name}-{}", digest(&files)));
    if place.is_dir() {
        return Ok(place);
    }
    fs::create_dir_all(&root)?;
    let made = tempfile::Builder::new().prefix(".unpacking-").tempdir_in(&root)?;
    for (subfolder, files) in parts {
        for (path, text) in *files {
            let file = made.path().join(subfolder).join(path);
            fs::create_dir_all(file.parent().unwrap_or(made.path()))?;
            fs::write(file, text)?;
        }
    }
    crate::install::put_in_place(&made.keep(), &place)?;
    Ok(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_contract_is_embedded() {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit"));
        let mut open = vec![root.to_owned()];
        while let Some(dir) = open.pop() {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    open.push(path);
                } else if path.extension().is_some_and(|extension| extension == "wit") {
                    let below = path.strip_prefix(root).unwrap().to_str().unwrap();
                    assert!(WIT.iter().any(|(path, _)| *path == below), "{below} is not in WIT");
                }
            }
        }
    }

    #[test]
    fn unpacking_twice_yields_the_same_folder() {
        let dir = tempfile::tempdir().unwrap();
        let files: &[File] = &[("a/b.txt", "text")];
        let place = unpack(dir.path(), "x", &[("", files), ("sub", files)]).unwrap();
        assert_eq!(fs::read_to_string(place.join("sub/a/b.txt")).unwrap(), "text");
        assert_eq!(unpack(dir.path(), "x", &[("", files), ("sub", files)]).unwrap(), place);
    }
}
