//! Accounts in one SQLite file.

use std::path::Path;

use crate::UserError;

/// The embedded store.
#[derive(Debug)]
pub struct Sqlite {}

impl Sqlite {
    /// Opens the file, creating and migrating it.
    pub async fn open(file: &Path) -> Result<Self, UserError> {
        let _ = file;
        unimplemented!()
    }
}
