//! Accounts in one SQLite file.
//!
//! The rule kept here: **what was answered is on the disk, and what was not has not happened.** Every
//! change is one transaction that holds the file's only write lock from its first statement, so that it
//! sees what it is about to change; a change that fails or whose caller goes away leaves no trace.

mod migrations;
mod rows;

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use serde_json::{Map, Value};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Sqlite as Db, Transaction};

use crate::table::{Cell, Table};
use crate::{Answer, NewUser, User, UserError, UserStore, id};

/// Connections to the file: one writes at a time, the others read.
const CONNECTIONS: u32 = 4;
/// How long to wait for a connection, or for another process that writes.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long an answer to "is it up" may take.
const PULSE: Duration = Duration::from_secs(2);

/// The embedded store: one file, written by one host (others may read and write it, one at a time).
///
/// Its table `users` has the columns of the framework's schema. A field without a column is kept in the
/// JSON column `extra` and shown as if it had one, so that an application needs no migration for a new
/// field of its profiles; a column that it adds all the same (`ALTER TABLE`) comes to be used at once, and
/// values written before are still shown until the column has one of its own.
pub struct Sqlite {
    file: Arc<Path>,
    pool: SqlitePool,
    /// One writer of this process at a time waits here, in order, instead of at the file, in none.
    writing: tokio::sync::Mutex<()>,
    /// The table, and the version of the file's schema that it was read from.
    known: Mutex<Option<(i64, Arc<Table>)>>,
}

/// A transaction that holds both locks of writers: this process's and the file's.
struct Change<'s> {
    // Before the lock, so that it has ended when the next writer begins.
    transaction: Transaction<'static, Db>,
    file: &'s Path,
    _alone: tokio::sync::MutexGuard<'s, ()>,
}

impl Sqlite {
    /// Opens the file, creating it (readable by its owner only, as is the folder if it has to be made) and
    /// migrating it. Fails when the file is not this host's to use: of a newer version, of another kind.
    pub async fn open(file: &Path) -> Result<Self, UserError> {
        let path = file.to_owned();
        tokio::task::spawn_blocking(move || create(&path))
            .await
            .map_err(|error| UserError::Store(error.to_string()))??;
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(false)
            .journal_mode(SqliteJournalMode::Wal)
            // An account that was created is still there after a power cut.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(PATIENCE)
            .disable_statement_logging();
        let pool = SqlitePoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(PATIENCE)
            .connect_with(options)
            .await
            .map_err(|error| failed(file, &error))?;
        let store =
            Self { file: file.into(), pool, writing: tokio::sync::Mutex::new(()), known: Mutex::new(None) };
        let migrated = store.migrate().await;
        if migrated.is_err() {
            store.pool.close().await;
        }
        migrated.map(|()| store)
    }

    async fn migrate(&self) -> Result<(), UserError> {
        let mut change = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(|e| self.failed(&e))?;
        migrations::run(&mut change, &self.file).await?;
        change.commit().await.map_err(|error| self.failed(&error))
    }

    /// The table as it is now: applications add columns while the host runs.
    async fn table(&self, connection: &mut SqliteConnection) -> Result<Arc<Table>, UserError> {
        let version: i64 = sqlx::query_scalar("SELECT schema_version FROM pragma_schema_version")
            .fetch_one(&mut *connection)
            .await
            .map_err(|error| self.failed(&error))?;
        if let Some((known, table)) = &*self.known.lock()
            && *known == version
        {
            return Ok(table.clone());
        }
        let table = Arc::new(rows::introspect(connection).await.map_err(|error| self.failed(&error))?);
        *self.known.lock() = Some((version, table.clone()));
        Ok(table)
    }

    /// The first user for whom a condition holds.
    async fn find(
        &self,
        connection: &mut SqliteConnection,
        condition: &str,
        values: &[&str],
    ) -> Result<Option<User>, UserError> {
        let table = self.table(connection).await?;
        let statement = rows::select(&table, condition);
        let mut query = sqlx::query(AssertSqlSafe(statement));
        for value in values {
            query = query.bind(*value);
        }
        let row = query.fetch_optional(connection).await.map_err(|error| self.failed(&error))?;
        row.map(|row| rows::read(&row, &table).map_err(|error| self.failed(&error)))
            .transpose()
            .map(Option::flatten)
    }

    async fn read(&self, condition: &str, values: &[&str]) -> Result<Option<User>, UserError> {
        let mut connection = self.pool.acquire().await.map_err(|error| self.failed(&error))?;
        self.find(&mut connection, condition, values).await
    }

    /// Begins a change, alone. What is dropped without [`Change::commit`] has not happened.
    async fn begin(&self) -> Result<Change<'_>, UserError> {
        let alone = self.writing.lock().await;
        let begun = self.pool.begin_with("BEGIN IMMEDIATE").await;
        Ok(Change {
            transaction: begun.map_err(|error| self.failed(&error))?,
            file: &self.file,
            _alone: alone,
        })
    }

    async fn insert(&self, user: NewUser, unique_email: bool) -> Result<User, UserError> {
        let mut change = self.begin().await?;
        let table = self.table(&mut change.transaction).await?;
        let (email, provider) = (user.email.clone(), user.provider.clone());
        let taken = match unique_email {
            true => self.find(&mut change.transaction, "email = ? LIMIT 1", &[&email]).await?,
            false => {
                let condition = "email = ? AND provider = ? LIMIT 1";
                self.find(&mut change.transaction, condition, &[&email, &provider]).await?
            }
        };
        if taken.is_some() {
            return Err(UserError::EmailTaken);
        }
        let id = id::new()?;
        let plan = table.insertion(user, id.clone())?;
        let (statement, cells) = rows::insert(&table, plan);
        self.run(&mut change, statement, cells).await?;
        let user = self.find(&mut change.transaction, "id = ?", &[&id]).await?;
        change.commit().await?;
        user.ok_or_else(|| UserError::Store(format!("{}: a new user is not there", self.file.display())))
    }

    async fn change(&self, id: &str, changes: Map<String, Value>) -> Result<Option<User>, UserError> {
        let mut change = self.begin().await?;
        if self.find(&mut change.transaction, "id = ?", &[id]).await?.is_none() {
            return Ok(None);
        }
        self.apply(&mut change, id, &changes).await?;
        let user = self.find(&mut change.transaction, "id = ?", &[id]).await?;
        change.commit().await?;
        Ok(user)
    }

    async fn spend(&self, id: &str, code_hash: &str) -> Result<bool, UserError> {
        let mut change = self.begin().await?;
        let user = self.find(&mut change.transaction, "id = ?", &[id]).await?;
        let Some(left) = user.and_then(|user| user.codes_without(code_hash)) else { return Ok(false) };
        let changes = Map::from_iter([("recoveryCodes".to_owned(), Value::from(left))]);
        self.apply(&mut change, id, &changes).await?;
        change.commit().await?;
        Ok(true)
    }

    async fn remove(&self, id: &str) -> Result<bool, UserError> {
        let mut change = self.begin().await?;
        let statement = "DELETE FROM users WHERE id = ?".to_owned();
        let removed = self.run(&mut change, statement, vec![Cell::Text(id.to_owned())]).await?;
        change.commit().await?;
        Ok(removed > 0)
    }

    /// Writes changes to the row with that id.
    async fn apply(
        &self,
        change: &mut Change<'_>,
        id: &str,
        changes: &Map<String, Value>,
    ) -> Result<(), UserError> {
        let table = self.table(&mut change.transaction).await?;
        let plan = table.change(changes)?;
        let extra = match &table.extra {
            Some(_) => {
                let stored: Option<String> = sqlx::query_scalar("SELECT extra FROM users WHERE id = ?")
                    .bind(id)
                    .fetch_one(&mut *change.transaction)
                    .await
                    .map_err(|error| self.failed(&error))?;
                table.extra_after(stored.as_deref(), &plan)?
            }
            None => None,
        };
        if let Some((statement, cells)) = rows::update(&table, plan, extra, id) {
            self.run(change, statement, cells).await?;
        }
        Ok(())
    }

    async fn run(
        &self,
        change: &mut Change<'_>,
        statement: String,
        cells: Vec<Cell>,
    ) -> Result<u64, UserError> {
        let query = cells.into_iter().fold(sqlx::query(AssertSqlSafe(statement)), rows::bind);
        let done = query.execute(&mut *change.transaction).await;
        done.map(|done| done.rows_affected())
            .map_err(|error| rows::refusal(&error).unwrap_or_else(|| self.failed(&error)))
    }

    fn failed(&self, error: &sqlx::Error) -> UserError {
        failed(&self.file, error)
    }
}

impl Change<'_> {
    async fn commit(self) -> Result<(), UserError> {
        self.transaction.commit().await.map_err(|error| failed(self.file, &error))
    }
}

impl UserStore for Sqlite {
    fn by_id<'a>(&'a self, id: &'a str) -> Answer<'a, Option<User>> {
        async move { self.read("id = ?", &[id]).await }.boxed()
    }

    fn by_email<'a>(&'a self, email: &'a str, provider: Option<&'a str>) -> Answer<'a, Option<User>> {
        async move {
            match provider {
                Some(provider) => self.read("email = ? AND provider = ?", &[email, provider]).await,
                // Rows made in the same millisecond are in the order of their making.
                None => self.read("email = ? ORDER BY createdAt, rowid LIMIT 1", &[email]).await,
            }
        }
        .boxed()
    }

    fn create<'a>(&'a self, user: NewUser, unique_email: bool) -> Answer<'a, User> {
        self.insert(user, unique_email).boxed()
    }

    fn update<'a>(&'a self, id: &'a str, changes: Map<String, Value>) -> Answer<'a, Option<User>> {
        self.change(id, changes).boxed()
    }

    fn spend_recovery_code<'a>(&'a self, id: &'a str, code_hash: &'a str) -> Answer<'a, bool> {
        self.spend(id, code_hash).boxed()
    }

    fn delete<'a>(&'a self, id: &'a str) -> Answer<'a, bool> {
        self.remove(id).boxed()
    }

    fn is_up(&self) -> BoxFuture<'_, bool> {
        let asked = sqlx::query("SELECT 1 FROM users LIMIT 1").fetch_optional(&self.pool);
        async move { matches!(tokio::time::timeout(PULSE, asked).await, Ok(Ok(_))) }.boxed()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.pool.close().boxed()
    }
}

impl std::fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sqlite").field("file", &self.file).finish_non_exhaustive()
    }
}

/// Makes folder and file, for the owner's eyes only, before SQLite would make the file for everybody's. Its
/// companions (`-wal`, `-shm`) take the permissions of the file.
fn create(file: &Path) -> Result<(), UserError> {
    let cannot = |what: &Path, error: io::Error| {
        UserError::Store(format!(
            "cannot create {}: {error}; give the host a folder it may write to",
            what.display()
        ))
    };
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|error| cannot(folder, error))?;
    }
    let opened = fs::OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(file);
    let opened = opened.map_err(|error| cannot(file, error))?;
    let mode = opened.metadata().map_err(|error| cannot(file, error))?.permissions().mode();
    if mode & 0o077 != 0 {
        tracing::warn!(
            "{} holds password hashes and can be read by others than its owner; run: chmod 600 {0}",
            file.display()
        );
    }
    Ok(())
}

/// SQLite's messages name columns and constraints, never values.
fn failed(file: &Path, error: &sqlx::Error) -> UserError {
    let reason = match error {
        // SQLITE_CORRUPT and SQLITE_NOTADB, which extended codes may refine.
        sqlx::Error::Database(error)
            if error
                .code()
                .and_then(|code| code.parse::<u32>().ok())
                .is_some_and(|code| matches!(code & 0xff, 11 | 26)) =>
        {
            format!(
                "the file is damaged ({}): put a copy from a backup in its place, or move it away to begin without \
                 accounts",
                error.message()
            )
        }
        sqlx::Error::Database(error) => error.message().to_owned(),
        sqlx::Error::PoolTimedOut => {
            format!("no connection was free within {} s", PATIENCE.as_secs())
        }
        sqlx::Error::PoolClosed => "it was closed".to_owned(),
        other => other.to_string(),
    };
    UserError::Store(format!("{}: {reason}", file.display()))
}
