//! The file's versions. A version that was released is never changed again: what is new is a new one.

use std::path::Path;

use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Executor as _};

use super::failed;
use crate::UserError;

/// Each brings a file from the version that is its place here to the next.
const MIGRATIONS: [&str; 2] = [
    // The framework's schema.
    "CREATE TABLE users (
        id TEXT NOT NULL PRIMARY KEY,
        email TEXT NOT NULL,
        name TEXT NOT NULL,
        password TEXT,
        admin BOOLEAN NOT NULL DEFAULT FALSE,
        avatar TEXT NOT NULL DEFAULT '',
        avatarFallback TEXT NOT NULL DEFAULT '',
        language TEXT NOT NULL DEFAULT 'en',
        theme TEXT NOT NULL DEFAULT 'dark',
        provider TEXT NOT NULL,
        createdAt DATETIME NOT NULL,
        updatedAt DATETIME NOT NULL
    );
    CREATE UNIQUE INDEX users_email_provider_key ON users (email, provider);",
    // Second factors, and fields without a column.
    "ALTER TABLE users ADD COLUMN lastLogin DATETIME;
    ALTER TABLE users ADD COLUMN totpSecret TEXT;
    ALTER TABLE users ADD COLUMN twoFactorEnabled BOOLEAN DEFAULT FALSE;
    ALTER TABLE users ADD COLUMN recoveryCodes TEXT;
    ALTER TABLE users ADD COLUMN extra JSON;",
];

/// Brings the file to the newest version, within the caller's transaction: all of it or nothing.
pub(super) async fn run(connection: &mut SqliteConnection, file: &Path) -> Result<(), UserError> {
    let version: i64 = sqlx::query_scalar("SELECT user_version FROM pragma_user_version")
        .fetch_one(&mut *connection)
        .await
        .map_err(|error| failed(file, &error))?;
    let known = usize::try_from(version).ok().filter(|version| *version <= MIGRATIONS.len());
    let Some(known) = known else {
        return Err(UserError::Store(format!(
            "{} has version {version} and this host knows versions up to {}; run a newer host, or restore \
             the file from before the update",
            file.display(),
            MIGRATIONS.len()
        )));
    };
    for migration in &MIGRATIONS[known..] {
        connection.execute(sqlx::raw_sql(*migration)).await.map_err(|error| failed(file, &error))?;
    }
    if known < MIGRATIONS.len() {
        let set = format!("PRAGMA user_version = {}", MIGRATIONS.len());
        connection.execute(AssertSqlSafe(set)).await.map_err(|error| failed(file, &error))?;
    }
    Ok(())
}
