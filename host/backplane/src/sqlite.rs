//! One file, one host: what is in it outlives restarts.
//!
//! Writes have one connection, so they come one after the other; an operation of several statements is
//! a transaction on it. Reads have connections of their own and see what was written before they began.
//! What has expired is never seen; it is removed every [`PURGE_EVERY`].

mod file;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::{self, BoxFuture};
use futures::stream::{self, BoxStream, StreamExt as _};
use parking_lot::Mutex;
use sqlx::sqlite::SqlitePool;
use sqlx::{Sqlite as Db, Transaction};
use tokio::task::AbortHandle;

use self::file::Database;
use crate::channels::Channels;
use crate::{Answer, Backplane, BackplaneError, Changed, Count, Living, integer, life};

/// How long the dead stay in the file.
const PURGE_EVERY: Duration = Duration::from_secs(60);
/// Rows that go at once, so that nobody waits long for a purge.
const PURGE_STEP: i64 = 1000;

/// Kinds, as the file has them.
const VALUE: i64 = 0;
const SET: i64 = 1;

/// State in a file.
pub struct Sqlite {
    file: PathBuf,
    writer: SqlitePool,
    readers: SqlitePool,
    lock: Mutex<Option<std::fs::File>>,
    /// Whether the last operation found the file in order.
    is_well: Arc<AtomicBool>,
    channels: Channels,
    purge: AbortHandle,
}

/// A live row.
struct Row {
    value: Bytes,
    expires: Option<i64>,
}

// --- Sqlite ---

impl Sqlite {
    /// Opens the file, or makes it. It belongs to this host until it is closed.
    ///
    /// # Errors
    /// Another host has the file; the file is damaged, or newer than this program; a folder that cannot
    /// be written to. They name the file and the remedy, and the file stays as it is.
    pub async fn open(file: &Path) -> Result<Sqlite, BackplaneError> {
        let Database { writer, readers, lock } = Database::open(file).await?;
        let is_well = Arc::new(AtomicBool::new(true));
        purge(&writer, now()).await.map_err(|error| file::failed(file, &error))?;
        let purge = tokio::spawn(keep_purging(writer.clone(), file.to_owned(), is_well.clone()));
        Ok(Sqlite {
            file: file.to_owned(),
            writer,
            readers,
            lock: Mutex::new(Some(lock)),
            is_well,
            channels: Channels::default(),
            purge: purge.abort_handle(),
        })
    }

    /// An operation's answer.
    fn answer<'a, T: Send + 'a>(
        &'a self,
        operation: impl Future<Output = Result<T, Failure>> + Send + 'a,
    ) -> Answer<'a, T> {
        async move {
            let answer = operation.await;
            let is_well = !matches!(answer, Err(Failure::Sqlite(_)));
            self.is_well.store(is_well, Ordering::Relaxed);
            answer.map_err(|failure| match failure {
                Failure::Sqlite(error) => file::failed(&self.file, &error),
                Failure::Refused(reason) => {
                    BackplaneError::Refused { store: file::name(&self.file), reason: reason.into() }
                }
            })
        }
        .boxed()
    }

    async fn read(&self, key: &str, now: i64) -> Result<Option<Row>, Failure> {
        let row = sqlx::query_as(FIND).bind(key).bind(now).fetch_optional(&self.readers).await?;
        row.map(Row::of_value).transpose()
    }

    /// A transaction that writes to `key`, of which nothing dead is left.
    async fn begin(&self, key: &str, now: i64) -> Result<Transaction<'static, Db>, Failure> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("DELETE FROM entries WHERE key = ?1 AND expires <= ?2")
            .bind(key)
            .bind(now)
            .execute(&mut *transaction)
            .await?;
        Ok(transaction)
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        self.purge.abort();
    }
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqlite").field("file", &self.file).finish_non_exhaustive()
    }
}

/// Why an operation failed.
enum Failure {
    Sqlite(sqlx::Error),
    Refused(&'static str),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Sqlite(error)
    }
}

const NOT_A_VALUE: Failure = Failure::Refused("there is a set at this key, not a value");
const NOT_A_SET: Failure = Failure::Refused("there is a value at this key, not a set");

/// A live row as the file has it: kind, value, expiry.
type Columns = (i64, Option<Vec<u8>>, Option<i64>);

impl Row {
    fn of_value((kind, value, expires): Columns) -> Result<Row, Failure> {
        if kind != VALUE {
            return Err(NOT_A_VALUE);
        }
        Ok(Row { value: value.unwrap_or_default().into(), expires })
    }

    fn number(&self) -> Result<i64, Failure> {
        integer::parse(&self.value).ok_or(Failure::Refused(integer::NOT_A_COUNTER))
    }

    fn remaining(&self, now: i64) -> Option<Duration> {
        self.expires.map(|expires| Duration::from_millis(expires.saturating_sub(now).max(0).unsigned_abs()))
    }
}

const FIND: &str = "SELECT kind, value, expires FROM entries
    WHERE key = ?1 AND (expires IS NULL OR expires > ?2)";

/// The live value at a key within a transaction.
async fn find(transaction: &mut Transaction<'_, Db>, key: &str, now: i64) -> Result<Option<Row>, Failure> {
    let row = sqlx::query_as(FIND).bind(key).bind(now).fetch_optional(&mut **transaction).await?;
    row.map(Row::of_value).transpose()
}

/// The kind of the entry at a key of which nothing dead is left.
async fn kind(transaction: &mut Transaction<'_, Db>, key: &str) -> Result<Option<i64>, Failure> {
    let kind = sqlx::query_scalar("SELECT kind FROM entries WHERE key = ?1")
        .bind(key)
        .fetch_optional(&mut **transaction)
        .await?;
    Ok(kind)
}

/// Writes a value, whatever was there. A set's members go with it.
async fn put(
    executor: impl sqlx::SqliteExecutor<'_>,
    key: &str,
    value: &[u8],
    expires: Option<i64>,
) -> Result<(), Failure> {
    sqlx::query("INSERT OR REPLACE INTO entries (key, kind, value, expires) VALUES (?1, 0, ?2, ?3)")
        .bind(key)
        .bind(value.to_vec())
        .bind(expires)
        .execute(executor)
        .await?;
    Ok(())
}

/// Milliseconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn expiry(life: Option<Duration>, now: i64) -> Option<i64> {
    life.map(|life| now.saturating_add(life::millis(life)))
}

/// Removes what has expired.
async fn purge(writer: &SqlitePool, now: i64) -> Result<(), sqlx::Error> {
    loop {
        let purged = sqlx::query(
            "DELETE FROM entries WHERE key IN (SELECT key FROM entries WHERE expires <= ?1 LIMIT ?2)",
        )
        .bind(now)
        .bind(PURGE_STEP)
        .execute(writer)
        .await?;
        if purged.rows_affected() < PURGE_STEP.unsigned_abs() {
            return Ok(());
        }
    }
}

async fn keep_purging(writer: SqlitePool, file: PathBuf, is_well: Arc<AtomicBool>) {
    loop {
        tokio::time::sleep(PURGE_EVERY).await;
        let purged = purge(&writer, now()).await;
        is_well.store(purged.is_ok(), Ordering::Relaxed);
        if let Err(error) = purged {
            let error = file::failed(&file, &error);
            tracing::warn!(%error, "what has expired could not be removed");
        }
    }
}

// --- Backplane ---

impl Backplane for Sqlite {
    fn get<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Bytes>> {
        self.answer(async move { Ok(self.read(key, now()).await?.map(|row| row.value)) })
    }

    fn get_living<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Living>> {
        self.answer(async move {
            let now = now();
            let row = self.read(key, now).await?;
            Ok(row.map(|row| Living { remaining: row.remaining(now), value: row.value }))
        })
    }

    fn set<'a>(&'a self, key: &'a str, value: Bytes, life: Option<Duration>) -> Answer<'a, ()> {
        self.answer(async move { put(&self.writer, key, &value, expiry(life, now())).await })
    }

    fn set_new<'a>(&'a self, key: &'a str, value: Bytes, life: Option<Duration>) -> Answer<'a, bool> {
        self.answer(async move {
            let now = now();
            let mut transaction = self.begin(key, now).await?;
            let is_new = kind(&mut transaction, key).await?.is_none();
            if is_new {
                put(&mut *transaction, key, &value, expiry(life, now)).await?;
            }
            transaction.commit().await?;
            Ok(is_new)
        })
    }

    fn swap<'a>(
        &'a self,
        key: &'a str,
        expected: Bytes,
        value: Bytes,
        life: Option<Duration>,
    ) -> Answer<'a, bool> {
        self.answer(async move {
            let now = now();
            let mut transaction = self.begin(key, now).await?;
            let is_expected =
                find(&mut transaction, key, now).await?.is_some_and(|present| present.value == expected);
            if is_expected {
                put(&mut *transaction, key, &value, expiry(life, now)).await?;
            }
            transaction.commit().await?;
            Ok(is_expected)
        })
    }

    fn take<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Bytes>> {
        self.answer(async move {
            let now = now();
            let mut transaction = self.begin(key, now).await?;
            let row = find(&mut transaction, key, now).await?;
            sqlx::query("DELETE FROM entries WHERE key = ?1").bind(key).execute(&mut *transaction).await?;
            transaction.commit().await?;
            Ok(row.map(|row| row.value))
        })
    }

    fn delete<'a>(&'a self, key: &'a str) -> Answer<'a, bool> {
        self.answer(async move {
            let lived: Option<bool> = sqlx::query_scalar(
                "DELETE FROM entries WHERE key = ?1 RETURNING expires IS NULL OR expires > ?2",
            )
            .bind(key)
            .bind(now())
            .fetch_optional(&self.writer)
            .await?;
            Ok(lived == Some(true))
        })
    }

    fn expire<'a>(&'a self, key: &'a str, life: Duration) -> Answer<'a, bool> {
        self.answer(async move {
            let now = now();
            let updated = sqlx::query(
                "UPDATE entries SET expires = ?3 WHERE key = ?1 AND (expires IS NULL OR expires > ?2)",
            )
            .bind(key)
            .bind(now)
            .bind(expiry(Some(life), now))
            .execute(&self.writer)
            .await?;
            Ok(updated.rows_affected() > 0)
        })
    }

    fn clear<'a>(&'a self, prefix: &'a str) -> Answer<'a, u64> {
        self.answer(async move {
            // Bytes: SQLite's functions of text stop at a zero. And those of bytes know no empty ones.
            let lived: Vec<bool> = sqlx::query_scalar(
                "DELETE FROM entries
                 WHERE ?1 = '' OR substr(CAST(key AS BLOB), 1, length(CAST(?1 AS BLOB))) = CAST(?1 AS BLOB)
                 RETURNING expires IS NULL OR expires > ?2",
            )
            .bind(prefix)
            .bind(now())
            .fetch_all(&self.writer)
            .await?;
            Ok(lived.into_iter().map(u64::from).sum())
        })
    }

    fn count<'a>(&'a self, key: &'a str, window: Duration) -> Answer<'a, Count> {
        self.answer(async move {
            let now = now();
            let mut transaction = self.begin(key, now).await?;
            let found = find(&mut transaction, key, now).await?;
            let number = found.as_ref().map_or(Ok(0), Row::number)?;
            let number = number.checked_add(1).ok_or(Failure::Refused(integer::NOT_A_COUNTER))?;
            let expires = found.and_then(|row| row.expires).or_else(|| expiry(Some(window), now));
            let row = Row { value: integer::write(number), expires };
            put(&mut *transaction, key, &row.value, row.expires).await?;
            transaction.commit().await?;
            Ok(Count { count: integer::count(number), remaining: row.remaining(now).unwrap_or_default() })
        })
    }

    fn counted<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Count>> {
        self.answer(async move {
            let now = now();
            let Some(row) = self.read(key, now).await? else { return Ok(None) };
            let remaining = row.remaining(now).unwrap_or_default();
            Ok(Some(Count { count: integer::count(row.number()?), remaining }))
        })
    }

    fn add<'a>(&'a self, key: &'a str, member: &'a str, life: Duration) -> Answer<'a, ()> {
        self.answer(async move {
            let now = now();
            let mut transaction = self.begin(key, now).await?;
            if kind(&mut transaction, key).await? == Some(VALUE) {
                return Err(NOT_A_SET);
            }
            sqlx::query(
                "INSERT INTO entries (key, kind, expires) VALUES (?1, 1, ?2)
                 ON CONFLICT (key) DO UPDATE SET expires = excluded.expires",
            )
            .bind(key)
            .bind(expiry(Some(life), now))
            .execute(&mut *transaction)
            .await?;
            sqlx::query("INSERT OR IGNORE INTO members (key, member) VALUES (?1, ?2)")
                .bind(key)
                .bind(member)
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await?;
            Ok(())
        })
    }

    fn remove<'a>(&'a self, key: &'a str, member: &'a str) -> Answer<'a, ()> {
        self.answer(async move {
            let mut transaction = self.begin(key, now()).await?;
            if kind(&mut transaction, key).await? == Some(VALUE) {
                return Err(NOT_A_SET);
            }
            sqlx::query("DELETE FROM members WHERE key = ?1 AND member = ?2")
                .bind(key)
                .bind(member)
                .execute(&mut *transaction)
                .await?;
            // A set without members is not there.
            sqlx::query(
                "DELETE FROM entries WHERE key = ?1 AND NOT EXISTS (SELECT 1 FROM members WHERE key = ?1)",
            )
            .bind(key)
            .execute(&mut *transaction)
            .await?;
            transaction.commit().await?;
            Ok(())
        })
    }

    fn members<'a>(&'a self, key: &'a str) -> Answer<'a, Vec<String>> {
        self.answer(async move {
            let rows: Vec<(i64, Option<String>)> = sqlx::query_as(
                "SELECT kind, member FROM entries LEFT JOIN members USING (key)
                 WHERE key = ?1 AND (expires IS NULL OR expires > ?2)
                 ORDER BY position",
            )
            .bind(key)
            .bind(now())
            .fetch_all(&self.readers)
            .await?;
            if rows.iter().any(|(kind, _)| *kind != SET) {
                return Err(NOT_A_SET);
            }
            Ok(rows.into_iter().filter_map(|(_, member)| member).collect())
        })
    }

    fn publish<'a>(&'a self, channel: &'a str, message: Bytes) -> Answer<'a, ()> {
        self.channels.publish(channel, message);
        future::ready(Ok(())).boxed()
    }

    fn subscribe<'a>(&'a self, channel: &'a str) -> Answer<'a, BoxStream<'static, Bytes>> {
        self.channels.prune();
        future::ready(Ok(self.channels.subscribe(channel))).boxed()
    }

    fn watch<'a>(&'a self, _prefix: &'a str) -> Answer<'a, BoxStream<'static, Changed>> {
        future::ready(Ok(stream::pending().boxed())).boxed()
    }

    fn is_shared(&self) -> bool {
        false
    }

    fn is_up(&self) -> bool {
        !self.writer.is_closed() && self.is_well.load(Ordering::Relaxed)
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        async move {
            self.purge.abort();
            self.channels.close();
            self.readers.close().await;
            // The last write is in the file itself then, and the file beside it can go.
            let checkpoint =
                sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&self.writer).await.map(|_| ());
            if let Err(error) = checkpoint
                && !self.writer.is_closed()
            {
                let error = file::failed(&self.file, &error);
                tracing::warn!(%error, "the log of changes could not be folded in; the next start does it");
            }
            self.writer.close().await;
            drop(self.lock.lock().take());
        }
        .boxed()
    }
}
