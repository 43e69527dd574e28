//! Against people who try tokens: how many different unknown tokens an address presented within a minute.
//!
//! Guessing 256 random bits is hopeless; tokens of other origin may have fewer, and every guess costs a
//! read of the store. The rules kept here:
//!
//! - Tokens are counted once each. A page that keeps asking with one old cookie is no guesser.
//! - Sessions that are cached pass without being looked at here. So an office behind one address is not
//!   locked out with a guesser in it, except for those who have just come.
//! - Tokens are counted when the store has said that it does not know them. So those who ask at the same
//!   time may get a few more answers than the limit; counting before the answer would refuse everybody
//!   behind one address who comes back at once after a restart.
//! - The table never grows past its cap, and nobody's count is forgotten for free. A full shard first
//!   drops windows that have ended; if all are live, the eighth of them with the fewest tokens (the oldest
//!   among equals). A flood of addresses evicts itself: to push out a guesser who spent `n` tokens, it
//!   must spend `n` on each of its own addresses.
//!
//! Time is an argument.

#[cfg(test)]
mod tests;

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use hashbrown::HashTable;
use parking_lot::{Mutex, MutexGuard};
use tokio::time::Instant;

/// What `max_unknown_tokens` is counted over.
pub(crate) const WINDOW: Duration = Duration::from_secs(60);

/// A power of two; see the cache.
const SHARDS: usize = 64;
/// Addresses per shard: 16 384 in all, at about 50 bytes and their tokens.
const ADDRESSES: usize = 256;
/// Tokens remembered per shard, at 8 bytes: 8 MiB in all. Beyond it an address's tokens are counted
/// without being remembered, so that one presented again counts again.
const TOKENS: usize = 16_384;

/// Counts unknown tokens per address.
pub(crate) struct Guard {
    hasher: RandomState,
    shards: Box<[Mutex<Shard>]>,
}

struct Shard {
    table: HashTable<Address>,
    /// Tokens remembered by all of them.
    tokens: usize,
}

/// An address is known by its hash under a secret key; two with the same hash, which nobody can look for,
/// would share a count.
struct Address {
    hash: u64,
    began: Instant,
    count: u32,
    /// Hashes of the tokens, sorted.
    seen: Vec<u64>,
}

// --- Guard ---

impl Guard {
    pub(crate) fn new() -> Self {
        let shard = || Mutex::new(Shard { table: HashTable::new(), tokens: 0 });
        Guard { hasher: RandomState::new(), shards: (0..SHARDS).map(|_| shard()).collect() }
    }

    /// Whether the store may be asked about `token` for a client at `ip`; if not, in how many whole
    /// seconds, at least 1.
    pub(crate) fn admit(&self, ip: &str, token: &str, limit: u32, now: Instant) -> Result<(), u64> {
        let hash = self.hasher.hash_one(ip);
        let shard = self.shard(hash);
        let Some(address) = shard.table.find(hash, |address| address.hash == hash) else { return Ok(()) };
        let age = now.saturating_duration_since(address.began);
        if age >= WINDOW || address.count < limit {
            return Ok(());
        }
        // Still within the limit: it is not another one.
        if address.count == limit && address.has_seen(self.hasher.hash_one(token)) {
            return Ok(());
        }
        let left = WINDOW - age;
        Err(left.as_secs() + u64::from(left.subsec_nanos() > 0))
    }

    /// The store does not know `token`, which a client at `ip` presented.
    pub(crate) fn count(&self, ip: &str, token: &str, now: Instant) {
        let (hash, token) = (self.hasher.hash_one(ip), self.hasher.hash_one(token));
        let mut guard = self.shard(hash);
        let shard = &mut *guard;
        if shard.table.find(hash, |address| address.hash == hash).is_none() {
            if shard.table.len() >= ADDRESSES {
                shard.make_room(now);
            }
            let address = Address { hash, began: now, count: 0, seen: Vec::new() };
            shard.table.insert_unique(hash, address, |address| address.hash);
        }
        let Some(address) = shard.table.find_mut(hash, |address| address.hash == hash) else { return };
        if !address.is_live(now) {
            shard.tokens -= address.seen.len();
            *address = Address { hash, began: now, count: 0, seen: Vec::new() };
        }
        if let Err(place) = address.seen.binary_search(&token) {
            address.count = address.count.saturating_add(1);
            if shard.tokens < TOKENS {
                address.seen.insert(place, token);
                shard.tokens += 1;
            }
        }
    }

    /// Forgets everybody.
    pub(crate) fn clear(&self) {
        for shard in &self.shards {
            let mut shard = shard.lock();
            shard.table.clear();
            shard.tokens = 0;
        }
    }

    fn shard(&self, hash: u64) -> MutexGuard<'_, Shard> {
        self.shards[(hash >> 40) as usize & (SHARDS - 1)].lock()
    }
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Guard")
    }
}

// --- Shard ---

impl Shard {
    fn make_room(&mut self, now: Instant) {
        let before = self.table.len();
        self.table.retain(|address| address.is_live(now));
        let goal = before - (before / 8).max(1);
        let excess = self.table.len().saturating_sub(goal);
        if excess > 0 {
            let mut ranks: Vec<(u32, Instant)> = self.table.iter().map(Address::rank).collect();
            let (_, &mut last, _) = ranks.select_nth_unstable(excess - 1);
            // Several may share the last rank: no more than the excess goes.
            let mut left = excess;
            for evict_equal in [false, true] {
                self.table.retain(|address| {
                    let rank = address.rank();
                    let evict = left > 0 && if evict_equal { rank == last } else { rank < last };
                    left -= usize::from(evict);
                    !evict
                });
            }
        }
        self.tokens = self.table.iter().map(|address| address.seen.len()).sum();
    }
}

// --- Address ---

impl Address {
    fn is_live(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.began) < WINDOW
    }

    fn has_seen(&self, token: u64) -> bool {
        self.seen.binary_search(&token).is_ok()
    }

    fn rank(&self) -> (u32, Instant) {
        (self.count, self.began)
    }
}
