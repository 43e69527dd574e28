//! Accounts in PostgreSQL.

use crate::UserError;

/// The store of a database that may be a Node server's too.
#[derive(Debug)]
pub struct Postgres {}

impl Postgres {
    /// Connects, creating and migrating the table `users`.
    pub async fn open(url: &str) -> Result<Self, UserError> {
        let _ = url;
        unimplemented!()
    }
}
