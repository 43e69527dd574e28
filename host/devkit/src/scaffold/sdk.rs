//! Where the SDK lies that a test on the machine uses: the checkout's, or a copy in the project.
//!
//! The rule: a copy is the host's, as that of the Rust SDK is; it is replaced when it is not what this host
//! would write.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::error::ScaffoldError;
use crate::sdk::{File, digest};

/// An SDK whose tests run on the machine.
pub(super) struct Sdk {
    /// Its folder in `sdk/`.
    folder: &'static str,
    /// A file that it has.
    proof: &'static str,
    files: &'static [File],
}

pub(super) static PYTHON: Sdk =
    Sdk { folder: "python", proof: "luckystack/__init__.py", files: crate::python::SDK };
pub(super) static C: Sdk = Sdk { folder: "c", proof: "include/luckystack.h", files: crate::c::SDK };

impl Sdk {
    /// The folder of the SDK for the project at `root`, in which it is unpacked unless it lies in a checkout.
    pub(super) fn provide(&self, root: &Path) -> Result<PathBuf, ScaffoldError> {
        let place = self.place(root);
        if place.starts_with(root.join(super::rust_sdk::FOLDER)) {
            self.unpack(&place).map_err(ScaffoldError::io("unpack the SDK into", &place))?;
        }
        Ok(place)
    }

    /// Where it is, or is going to be.
    pub(super) fn place(&self, root: &Path) -> PathBuf {
        let checkouts = root.ancestors().map(|above| above.join("sdk").join(self.folder));
        let found = checkouts.into_iter().find(|dir| dir.join(self.proof).is_file());
        found.unwrap_or_else(|| root.join(super::rust_sdk::FOLDER).join("sdk").join(self.folder))
    }

    fn unpack(&self, place: &Path) -> io::Result<()> {
        const MARK: &str = ".digest";
        let digest = digest(&[self.files]);
        if fs::read_to_string(place.join(MARK)).is_ok_and(|known| known == digest) {
            return Ok(());
        }
        let parent = place.parent().unwrap_or(place);
        fs::create_dir_all(parent)?;
        let made = tempfile::Builder::new().prefix(".unpacking-").tempdir_in(parent)?;
        let new = made.path().join("new");
        for (path, text) in self.files {
            let file = new.join(path);
            fs::create_dir_all(file.parent().unwrap_or(&new))?;
            fs::write(file, text)?;
        }
        fs::write(new.join(MARK), &digest)?;
        if place.is_dir() {
            fs::rename(place, made.path().join("old"))?;
        }
        fs::rename(new, place)
    }
}
