//! C.

use std::path::PathBuf;

use crate::error::{BuildError, MissingToolchain};
use crate::language::{BuildRequest, Built};
use crate::progress::Progress;

/// What it takes to build C plugins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CToolchain {}

impl CToolchain {
    /// Looks for a toolchain without changing anything.
    ///
    /// # Errors
    /// When there is none; the error says what was looked at and which commands install one.
    pub async fn find() -> Result<Self, MissingToolchain> {
        todo!()
    }

    /// Looks for a toolchain and installs what is missing.
    ///
    /// # Errors
    /// When there is none afterwards; the error holds everything that was tried.
    pub async fn find_or_install(_progress: &dyn Progress) -> Result<Self, MissingToolchain> {
        todo!()
    }
}

/// The settings of every build, for the comparison with those of an earlier one.
pub(crate) fn settings() -> String {
    todo!()
}

/// Files that count as soon as they appear.
pub(crate) fn own_files(_request: &BuildRequest) -> Vec<PathBuf> {
    todo!()
}

/// Builds one plugin.
pub(crate) async fn build(
    _request: &BuildRequest,
    _toolchain: &CToolchain,
    _progress: &dyn Progress,
) -> Result<Built, BuildError> {
    todo!()
}
