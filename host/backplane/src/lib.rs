//! What hosts share and what survives them: keyed state with expiry, counters, sets, messages.
//!
//! One small set of operations with three implementations, chosen by configuration and never asked for
//! by name again: [`Memory`] (one process), [`Sqlite`] (one file, one host, survives restarts) and
//! [`Redis`] (many hosts, Node servers of the same app among them: keys and values are those of wire
//! protocol §5.1, plain strings, sets and integers).
//!
//! The rule of this crate: **every operation is atomic in every implementation.** What must not be
//! interleaved (take, count, compare and swap) is one operation here, so that nobody builds it out of two.
#![warn(missing_docs)]

mod channels;
mod integer;
mod keys;
mod life;
mod memory;
mod redis;
mod sqlite;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;

pub use keys::Keys;
pub use memory::Memory;
pub use redis::{Redis, RedisBus};
pub use sqlite::Sqlite;

/// Future of an operation's answer.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, BackplaneError>>;

/// Why an operation failed. Nothing is known of whether it took effect.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BackplaneError {
    /// The store does not answer, or is not there.
    #[error("{store} is not available: {reason}")]
    Unavailable {
        /// `redis`, or the file's name.
        store: String,
        /// What it or the system said.
        reason: String,
    },
    /// The store answered something that was not asked for, such as another type of value at a key.
    #[error("{store} refused: {reason}")]
    Refused {
        /// `redis`, or the file's name.
        store: String,
        /// What it said.
        reason: String,
    },
}

/// How often something happened in a window that began with its first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// How often, this time included.
    pub count: u64,
    /// Until the window ends.
    pub remaining: Duration,
}

/// A value and how long it lives on; none for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Living {
    /// The value.
    pub value: Bytes,
    /// Until it expires.
    pub remaining: Option<Duration>,
}

/// What somebody, this host included, may have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// This key: set, deleted, expired, or given another life.
    Key(String),
    /// Anything: messages were lost, or everything was cleared.
    Everything,
}

/// The operations.
///
/// Lives are counted in whole milliseconds, rounded up; the shortest is one. A counter is a value: its
/// integer in decimal writing, as [`Backplane::get`] shows it. What is asked of the wrong kind of key is
/// [refused](BackplaneError::Refused) and changes nothing; only [`Backplane::set`] writes over any kind.
pub trait Backplane: Send + Sync + 'static {
    /// The value of `key`.
    fn get<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Bytes>>;
    /// The value of `key` and how long it lives on.
    fn get_living<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Living>>;
    /// Gives `key` a value; without `life` it lives for ever.
    fn set<'a>(&'a self, key: &'a str, value: Bytes, life: Option<Duration>) -> Answer<'a, ()>;
    /// Gives `key` a value unless it has one; whether it was given.
    fn set_new<'a>(&'a self, key: &'a str, value: Bytes, life: Option<Duration>) -> Answer<'a, bool>;
    /// Replaces the value of `key` if it is still `expected`; whether it was. A key that has gone stays
    /// away. The life is as in [`Backplane::set`]: the old one is not kept.
    fn swap<'a>(
        &'a self,
        key: &'a str,
        expected: Bytes,
        value: Bytes,
        life: Option<Duration>,
    ) -> Answer<'a, bool>;
    /// Removes `key` and returns its value: of several who take at once, one gets it.
    fn take<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Bytes>>;
    /// Removes `key` (a value, a counter or a set); whether it was there.
    fn delete<'a>(&'a self, key: &'a str) -> Answer<'a, bool>;
    /// Gives `key` (a value or a set) another life; whether it was there.
    fn expire<'a>(&'a self, key: &'a str, life: Duration) -> Answer<'a, bool>;
    /// Removes every key that begins with `prefix`; how many there were. For tests and clearing up: it
    /// looks at all keys.
    fn clear<'a>(&'a self, prefix: &'a str) -> Answer<'a, u64>;

    /// Counts one more under `key` in a window of that length, which begins with the first.
    fn count<'a>(&'a self, key: &'a str, window: Duration) -> Answer<'a, Count>;
    /// The count under `key`, without counting. Of one that another program left without an end nothing
    /// remains; the next count gives it a window.
    fn counted<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Count>>;

    /// Adds a member to the set `key`, if it is not in it, and gives the set this life.
    fn add<'a>(&'a self, key: &'a str, member: &'a str, life: Duration) -> Answer<'a, ()>;
    /// Removes a member from the set `key`; with the last one the set goes.
    fn remove<'a>(&'a self, key: &'a str, member: &'a str) -> Answer<'a, ()>;
    /// The members of the set `key`; in the order they were added where the store knows it.
    fn members<'a>(&'a self, key: &'a str) -> Answer<'a, Vec<String>>;

    /// Sends `message` to everybody who subscribed to `channel` on any host, this one included.
    fn publish<'a>(&'a self, channel: &'a str, message: Bytes) -> Answer<'a, ()>;
    /// Messages of `channel` from now on (from when the future is ready), to the end of the backplane.
    /// After a lost connection it goes on by itself; what was sent meanwhile is lost.
    fn subscribe<'a>(&'a self, channel: &'a str) -> Answer<'a, BoxStream<'static, Bytes>>;
    /// Changes by anybody to keys that begin with `prefix`, from when the future is ready. A stream that
    /// may have missed some says [`Changed::Everything`], both when the connection is lost and when it
    /// is back, and now and then in between. A store that nobody else writes to never says anything.
    fn watch<'a>(&'a self, prefix: &'a str) -> Answer<'a, BoxStream<'static, Changed>>;

    /// Whether other processes see the same state.
    fn is_shared(&self) -> bool;
    /// Whether the store answers; for readiness. Never waits for long.
    fn is_up(&self) -> bool;
    /// Finishes what is under way and lets go of files and connections.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// Any backplane.
pub type SharedBackplane = Arc<dyn Backplane>;
