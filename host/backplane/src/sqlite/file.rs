//! The file: whose it is, how it is laid out, and what is said when it is not fit for use.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};

use crate::BackplaneError;

/// How long an operation waits for its turn.
const TURN: Duration = Duration::from_secs(5);
/// Reads that run beside each other and beside a write.
const READERS: u32 = 4;

/// Steps from one layout to the next; `user_version` says how many were taken.
const LAYOUTS: &[&str] = &["
    -- One row per key. `expires` is in milliseconds since 1970; null lives for ever.
    CREATE TABLE entries (
        key     TEXT PRIMARY KEY NOT NULL,
        kind    INTEGER NOT NULL,  -- 0: a value or, in decimal writing, a counter; 1: a set
        value   BLOB,
        expires INTEGER
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX entries_expires ON entries (expires) WHERE expires IS NOT NULL;
    -- Members of sets; `position` grows with every one.
    CREATE TABLE members (
        position INTEGER PRIMARY KEY,
        key      TEXT NOT NULL REFERENCES entries (key) ON DELETE CASCADE,
        member   TEXT NOT NULL,
        UNIQUE (key, member)
    ) STRICT;
"];

/// SQLite's codes of a file that is not in order.
const CORRUPT: u32 = 11;
const NOT_A_DATABASE: u32 = 26;
/// And of a disk without room.
const FULL: u32 = 13;

/// The file, open, and nobody else's.
pub(super) struct Database {
    /// One connection: writes come one after the other.
    pub(super) writer: SqlitePool,
    pub(super) readers: SqlitePool,
    /// Held for as long as the file is.
    pub(super) lock: File,
}

impl Database {
    pub(super) async fn open(file: &Path) -> Result<Database, BackplaneError> {
        let lock = claim(file)?;
        let options = SqliteConnectOptions::new()
            .filename(file)
            .journal_mode(SqliteJournalMode::Wal)
            // A crash of the machine may cost the last moments, never the file.
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(TURN)
            .foreign_keys(true)
            .disable_statement_logging();
        prepare(file, &options).await?;
        let pool = |most, options| {
            SqlitePoolOptions::new()
                .max_connections(most)
                .acquire_timeout(TURN)
                .max_lifetime(None)
                .idle_timeout(None)
                .test_before_acquire(false)
                .connect_lazy_with(options)
        };
        let readers = pool(READERS, options.clone().pragma("query_only", "ON"));
        Ok(Database { writer: pool(1, options), readers, lock })
    }
}

/// Checks the file and brings its layout up to date.
async fn prepare(file: &Path, options: &SqliteConnectOptions) -> Result<(), BackplaneError> {
    let fail = |error: sqlx::Error| failed(file, &error);
    let mut connection = SqliteConnection::connect_with(options).await.map_err(fail)?;
    let verdict: String =
        sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&mut connection).await.map_err(fail)?;
    if verdict != "ok" {
        return Err(damaged(file, &verdict));
    }
    let version: i64 =
        sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut connection).await.map_err(fail)?;
    let taken = usize::try_from(version).unwrap_or(usize::MAX);
    if taken > LAYOUTS.len() {
        let reason = format!(
            "it was written by a newer version (layout {version}; this one knows {}): use that version, or \
             another data folder",
            LAYOUTS.len()
        );
        return Err(BackplaneError::Refused { store: name(file), reason });
    }
    for (taken, layout) in LAYOUTS.iter().enumerate().skip(taken) {
        let mut step = connection.begin_with("BEGIN IMMEDIATE").await.map_err(fail)?;
        sqlx::raw_sql(*layout).execute(&mut *step).await.map_err(fail)?;
        let version = sqlx::AssertSqlSafe(format!("PRAGMA user_version = {}", taken + 1));
        sqlx::raw_sql(version).execute(&mut *step).await.map_err(fail)?;
        step.commit().await.map_err(fail)?;
    }
    connection.close().await.map_err(fail)
}

/// Makes the file and its folder if they are missing, for this user's eyes only, and locks them against
/// other hosts.
fn claim(file: &Path) -> Result<File, BackplaneError> {
    let fail = |doing: &str, error: io::Error| BackplaneError::Unavailable {
        store: name(file),
        reason: format!("{doing}: {error}; let this user write there, or choose another data folder"),
    };
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists()) {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|error| fail("its folder cannot be made", error))?;
    }
    let private = |path: &Path| {
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
    };
    let lock = private(&lock_of(file)).map_err(|error| fail("its lock cannot be opened", error))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let reason = "another host uses this file: stop it, give this one another data folder, or let \
                          both share a Redis server (`store = \"redis\"` in [backplane])";
            return Err(BackplaneError::Refused { store: name(file), reason: reason.into() });
        }
        Err(TryLockError::Error(error)) => return Err(fail("it cannot be locked", error)),
    }
    // SQLite gives the files that it puts beside it the same mode.
    private(file).map_err(|error| fail("it cannot be opened", error))?;
    Ok(lock)
}

fn lock_of(file: &Path) -> PathBuf {
    let mut lock = file.as_os_str().to_owned();
    lock.push(".lock");
    lock.into()
}

/// How messages call the file.
pub(super) fn name(file: &Path) -> String {
    fs::canonicalize(file).unwrap_or_else(|_| file.to_owned()).display().to_string()
}

fn damaged(file: &Path, verdict: &str) -> BackplaneError {
    BackplaneError::Unavailable {
        store: name(file),
        reason: format!(
            "the file is damaged ({verdict}): put a copy from a backup in its place, or move it away to begin \
             with an empty one, which logs everybody out; it was left as it is"
        ),
    }
}

/// What SQLite says, in this crate's terms.
pub(super) fn failed(file: &Path, error: &sqlx::Error) -> BackplaneError {
    let reason = match error {
        sqlx::Error::Database(error) => {
            let code = error.code().and_then(|code| code.parse::<u32>().ok()).unwrap_or(0);
            // The lowest byte; the others go into detail.
            match code & 0xff {
                CORRUPT | NOT_A_DATABASE => return damaged(file, error.message()),
                FULL => format!("{}: make room on the disk", error.message()),
                _ => error.message().to_owned(),
            }
        }
        sqlx::Error::PoolClosed => "it was closed".into(),
        sqlx::Error::PoolTimedOut => format!("no turn within {} s", TURN.as_secs()),
        error => error.to_string(),
    };
    BackplaneError::Unavailable { store: name(file), reason }
}
