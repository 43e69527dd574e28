//! Fixed-window rate limits (wire protocol §3.3), counted in memory or, for all hosts together, in the
//! backplane.
//!
//! The rule kept here, for memory: the table never grows past its cap, and nobody's counter is forgotten for
//! free. A full shard first drops windows that have ended; if all are live, it drops the eighth of
//! them with the fewest hits (the oldest among equals). So a flood of new keys, each seen once,
//! evicts the flood itself; to push out a caller who has spent `n` hits, a flood must spend `n` hits
//! on each of its own keys first, and what a caller gains by being evicted is no more than those `n`.
//! Refusing new keys instead would let the same flood lock out everybody not seen yet.
//!
//! A hot path: a check of a known key is one hash, one uncontended lock and no allocation, well below
//! 150 ns. Time is an argument.

mod shared;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, Instant};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use parking_lot::Mutex;

pub(crate) use self::shared::{Limits, SharedLimiter};
use crate::envelope::Surface;

/// Keys that the memory store holds unless configured otherwise.
pub const DEFAULT_MAX_KEYS: usize = 50_000;

/// Fewest keys worth a shard of their own: below it, fewer shards keep the cap's meaning.
const KEYS_PER_SHARD: usize = 256;
/// More shards than any machine here has cores, so that two calls seldom meet at one lock.
const MAX_SHARDS: usize = 64;

/// What a check says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Within the limit; counted.
    Allowed,
    /// Over the limit; counted all the same, as the shared store does.
    Exceeded {
        /// Whole seconds until the window ends, at least 1: the `seconds` parameter.
        seconds: u64,
        /// Hits in this window, this one included.
        count: u32,
    },
}

/// Whose bucket a call's route limit is.
#[derive(Clone, Copy, Debug)]
pub enum Identity<'a> {
    /// A logged-in user's id.
    User(&'a str),
    /// An anonymous caller's address.
    Ip(&'a str),
    /// What an application's own resolver said.
    Custom {
        /// Its scope, standing where `user` or `ip` would.
        scope: &'a str,
        /// Its id within that scope.
        id: &'a str,
    },
}

/// Counts hits per key in fixed windows.
pub struct RateLimiter {
    window: Duration,
    per_shard: usize,
    hasher: RandomState,
    shards: Box<[Mutex<HashTable<Window>>]>,
}

struct Window {
    key: Box<str>,
    hash: u64,
    started: Instant,
    count: u32,
}

/// The key of a route's bucket, `user:<id>:api:<full name>` and its like, written into `buffer`.
pub fn route_key<'b>(
    buffer: &'b mut String,
    identity: Identity<'_>,
    surface: Surface,
    full_name: &str,
) -> &'b str {
    let (scope, id) = match identity {
        Identity::User(id) => ("user", id),
        Identity::Ip(ip) => ("ip", ip),
        Identity::Custom { scope, id } => (scope, id),
    };
    write_key(buffer, scope, id, surface, full_name)
}

/// The key of an address's bucket over all routes, `ip:<ip>:api:all`, written into `buffer`.
pub fn address_key<'b>(buffer: &'b mut String, ip: &str, surface: Surface) -> &'b str {
    write_key(buffer, "ip", ip, surface, "all")
}

fn write_key<'b>(buffer: &'b mut String, scope: &str, id: &str, surface: Surface, last: &str) -> &'b str {
    buffer.clear();
    // Writing to a string cannot fail.
    let _ = write!(buffer, "{scope}:{id}:{}:{last}", surface.as_str());
    buffer
}

/// What is left, rounded up, and never nothing.
fn whole_seconds(left: Duration) -> u64 {
    (left.as_secs() + u64::from(left.subsec_nanos() > 0)).max(1)
}

// --- RateLimiter ---

impl RateLimiter {
    /// A limiter with windows of that length and at most that many keys (at least one).
    pub fn new(window: Duration, max_keys: usize) -> Self {
        let max_keys = max_keys.max(1);
        // A power of two, so that the high bits of a hash choose one.
        let shards = (max_keys / KEYS_PER_SHARD).clamp(1, MAX_SHARDS);
        let shards = if shards.is_power_of_two() { shards } else { shards.next_power_of_two() / 2 };
        RateLimiter {
            window,
            per_shard: max_keys / shards,
            hasher: RandomState::new(),
            shards: (0..shards).map(|_| Mutex::new(HashTable::new())).collect(),
        }
    }

    /// Counts one hit on that key and says whether it is within the limit: request `n` of a window is
    /// allowed while `n <= limit`. A limit of 0 means none (wire protocol §3.3) and counts nothing.
    pub fn check(&self, key: &str, limit: u32, now: Instant) -> Decision {
        if limit == 0 {
            return Decision::Allowed;
        }
        let hash = self.hasher.hash_one(key);
        let mut table = self.shard(hash).lock();
        if let Some(window) = table.find_mut(hash, |window| *window.key == *key) {
            let age = now.saturating_duration_since(window.started);
            if age < self.window {
                window.count = window.count.saturating_add(1);
                if window.count <= limit {
                    return Decision::Allowed;
                }
                let seconds = whole_seconds(self.window - age);
                return Decision::Exceeded { seconds, count: window.count };
            }
            window.started = now;
            window.count = 1;
            return Decision::Allowed;
        }
        if table.len() >= self.per_shard {
            make_room(&mut table, self.window, now);
        }
        table.insert_unique(hash, Window { key: key.into(), hash, started: now, count: 1 }, |window| {
            window.hash
        });
        Decision::Allowed
    }

    /// Drops windows that have ended, so that an idle host gives the memory back.
    pub fn sweep(&self, now: Instant) {
        for shard in &self.shards {
            let mut table = shard.lock();
            table.retain(|window| is_live(window, self.window, now));
            table.shrink_to_fit(|window| window.hash);
        }
    }

    /// Forgets everything, as the test reset does.
    pub fn clear(&self) {
        for shard in &self.shards {
            shard.lock().clear();
        }
    }

    /// Forgets one key, as a successful login does with its failures.
    pub fn forget(&self, key: &str) {
        let hash = self.hasher.hash_one(key);
        let mut table = self.shard(hash).lock();
        if let Entry::Occupied(entry) = table.entry(hash, |window| *window.key == *key, |window| window.hash)
        {
            entry.remove();
        }
    }

    /// Keys held now, ended windows that nobody has swept included.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    /// Whether no key is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The windows' length.
    pub fn window(&self) -> Duration {
        self.window
    }

    /// The table uses a hash's low bits for places and its top seven for tags, so bits between choose
    /// the shard.
    fn shard(&self, hash: u64) -> &Mutex<HashTable<Window>> {
        &self.shards[(hash >> 40) as usize & (self.shards.len() - 1)]
    }
}

impl std::fmt::Debug for RateLimiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RateLimiter")
            .field("window", &self.window)
            .field("max_keys", &(self.per_shard * self.shards.len()))
            .field("keys", &self.len())
            .finish()
    }
}

fn is_live(window: &Window, length: Duration, now: Instant) -> bool {
    now.saturating_duration_since(window.started) < length
}

/// Makes room in a full table; see the module's rule. Going over all of it costs little per key
/// because an eighth is freed at once.
fn make_room(table: &mut HashTable<Window>, length: Duration, now: Instant) {
    let before = table.len();
    table.retain(|window| is_live(window, length, now));
    let goal = before - (before / 8).max(1);
    if table.len() <= goal {
        return;
    }
    let excess = table.len() - goal;
    let mut ranks: Vec<(u32, Instant)> = table.iter().map(|window| (window.count, window.started)).collect();
    let (_, &mut last, _) = ranks.select_nth_unstable(excess - 1);
    // Several may share the last rank: no more than the excess goes.
    let mut left = excess;
    for evict_equal in [false, true] {
        table.retain(|window| {
            let rank = (window.count, window.started);
            let evict = left > 0 && if evict_equal { rank == last } else { rank < last };
            left -= usize::from(evict);
            !evict
        });
    }
}
