//! One process: nothing outlives it.
//!
//! What has expired is never seen, and it does not stay: a shard drops its dead entries when it has
//! doubled since it last did, and at least every [`SWEEP_EVERY`] while something is written to it. So
//! it never holds more than twice what lived at once, and a write costs a constant on average.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Place;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::{self, BoxFuture};
use futures::stream::{self, BoxStream, StreamExt as _};
use parking_lot::{Mutex, MutexGuard};
// The clock that tests can hold.
use tokio::time::Instant;

use crate::channels::Channels;
use crate::{Answer, Backplane, BackplaneError, Changed, Count, Living, integer, life};

/// More than any machine here has cores, so that two operations seldom meet at one lock.
const SHARDS: usize = 64;
/// A shard this small is not worth sweeping for its size.
const SMALL: usize = 64;
/// How long the dead may lie in a shard that is written to.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// State in the memory of this process.
pub struct Memory {
    hasher: RandomState,
    shards: Box<[Mutex<Shard>]>,
    channels: Channels,
}

struct Shard {
    entries: HashMap<Box<str>, Entry>,
    /// Length at which the next sweep is due.
    sweep_at: usize,
    swept: Instant,
}

struct Entry {
    kind: Kind,
    /// None lives for ever.
    until: Option<Instant>,
}

enum Kind {
    /// Of counters too: they are integers in writing, as in Redis.
    Value(Bytes),
    /// In the order of joining.
    Set(Vec<Box<str>>),
}

// --- Memory ---

impl Memory {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        let now = Instant::now();
        Self {
            hasher: RandomState::new(),
            shards: (0..SHARDS)
                .map(|_| Mutex::new(Shard { entries: HashMap::new(), sweep_at: SMALL, swept: now }))
                .collect(),
            channels: Channels::default(),
        }
    }

    fn shard(&self, key: &str) -> MutexGuard<'_, Shard> {
        let hash = self.hasher.hash_one(key);
        self.shards[(hash % SHARDS as u64) as usize].lock()
    }

    /// Keys held, the dead that nobody has swept included.
    fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().entries.len()).sum()
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("keys", &self.len()).finish_non_exhaustive()
    }
}

// --- Shard ---

impl Shard {
    /// The entry at `key`, if it lives.
    fn live(&mut self, key: &str, now: Instant) -> Option<&mut Entry> {
        // Two look-ups where something is dead, one and a half elsewhere: the borrow checker does not
        // let a live one out of the branch that removes a dead one.
        if self.entries.get(key).is_some_and(|entry| !entry.lives(now)) {
            self.entries.remove(key);
        }
        self.entries.get_mut(key)
    }

    fn put(&mut self, key: &str, entry: Entry, now: Instant) {
        match self.entries.entry(key.into()) {
            Place::Occupied(mut place) => {
                place.insert(entry);
            }
            Place::Vacant(place) => {
                place.insert(entry);
            }
        }
        self.sweep(now);
    }

    fn sweep(&mut self, now: Instant) {
        let is_due = now.saturating_duration_since(self.swept) >= SWEEP_EVERY;
        if self.entries.len() < self.sweep_at && !is_due {
            return;
        }
        self.entries.retain(|_, entry| entry.lives(now));
        self.sweep_at = (self.entries.len() * 2).max(SMALL);
        if self.entries.capacity() > self.sweep_at * 4 {
            self.entries.shrink_to(self.sweep_at);
        }
        self.swept = now;
    }
}

// --- Entry ---

impl Entry {
    fn value(value: Bytes, life: Option<Duration>, now: Instant) -> Entry {
        Entry { kind: Kind::Value(value), until: until(life, now) }
    }

    fn lives(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    fn remaining(&self, now: Instant) -> Option<Duration> {
        self.until.map(|until| until.saturating_duration_since(now))
    }

    fn as_value(&self) -> Result<&Bytes, BackplaneError> {
        match &self.kind {
            Kind::Value(value) => Ok(value),
            Kind::Set(_) => Err(refused("there is a set at this key, not a value")),
        }
    }

    fn as_set(&mut self) -> Result<&mut Vec<Box<str>>, BackplaneError> {
        match &mut self.kind {
            Kind::Set(members) => Ok(members),
            Kind::Value(_) => Err(refused("there is a value at this key, not a set")),
        }
    }

    fn as_number(&self) -> Result<i64, BackplaneError> {
        integer::parse(self.as_value()?).ok_or_else(|| refused(integer::NOT_A_COUNTER))
    }
}

fn until(life: Option<Duration>, now: Instant) -> Option<Instant> {
    now.checked_add(life::whole(life?))
}

fn refused(reason: &str) -> BackplaneError {
    BackplaneError::Refused { store: "memory".into(), reason: reason.into() }
}

/// An operation in memory is over when it is asked for.
fn ready<'a, T: Send + 'a>(answer: Result<T, BackplaneError>) -> Answer<'a, T> {
    future::ready(answer).boxed()
}

// --- Backplane ---

impl Backplane for Memory {
    fn get<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Bytes>> {
        let mut shard = self.shard(key);
        let found = shard.live(key, Instant::now());
        ready(found.map(|entry| entry.as_value().cloned()).transpose())
    }

    fn get_living<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Living>> {
        let now = Instant::now();
        let mut shard = self.shard(key);
        let living = shard
            .live(key, now)
            .map(|entry| Ok(Living { value: entry.as_value()?.clone(), remaining: entry.remaining(now) }));
        ready(living.transpose())
    }

    fn set<'a>(&'a self, key: &'a str, value: Bytes, life: Option<Duration>) -> Answer<'a, ()> {
        let now = Instant::now();
        self.shard(key).put(key, Entry::value(value, life, now), now);
        ready(Ok(()))
    }

    fn set_new<'a>(&'a self, key: &'a str, value: Bytes, life: Option<Duration>) -> Answer<'a, bool> {
        let now = Instant::now();
        let mut shard = self.shard(key);
        let is_new = shard.live(key, now).is_none();
        if is_new {
            shard.put(key, Entry::value(value, life, now), now);
        }
        ready(Ok(is_new))
    }

    fn swap<'a>(
        &'a self,
        key: &'a str,
        expected: Bytes,
        value: Bytes,
        life: Option<Duration>,
    ) -> Answer<'a, bool> {
        let now = Instant::now();
        let mut shard = self.shard(key);
        let Some(entry) = shard.live(key, now) else { return ready(Ok(false)) };
        ready(entry.as_value().map(|present| *present == expected).inspect(|is_expected| {
            if *is_expected {
                *entry = Entry::value(value, life, now);
            }
        }))
    }

    fn take<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Bytes>> {
        let mut shard = self.shard(key);
        let taken = shard.live(key, Instant::now()).map(|entry| entry.as_value().cloned()).transpose();
        if let Ok(Some(_)) = taken {
            shard.entries.remove(key);
        }
        ready(taken)
    }

    fn delete<'a>(&'a self, key: &'a str) -> Answer<'a, bool> {
        let removed = self.shard(key).entries.remove(key);
        ready(Ok(removed.is_some_and(|entry| entry.lives(Instant::now()))))
    }

    fn expire<'a>(&'a self, key: &'a str, life: Duration) -> Answer<'a, bool> {
        let now = Instant::now();
        let mut shard = self.shard(key);
        let entry = shard.live(key, now);
        ready(Ok(entry.map(|entry| entry.until = until(Some(life), now)).is_some()))
    }

    fn clear<'a>(&'a self, prefix: &'a str) -> Answer<'a, u64> {
        let now = Instant::now();
        let mut cleared = 0;
        for shard in &self.shards {
            shard.lock().entries.retain(|key, entry| {
                let goes = key.starts_with(prefix);
                cleared += u64::from(goes && entry.lives(now));
                !goes
            });
        }
        ready(Ok(cleared))
    }

    fn count<'a>(&'a self, key: &'a str, window: Duration) -> Answer<'a, Count> {
        let now = Instant::now();
        let mut shard = self.shard(key);
        let Some(entry) = shard.live(key, now) else {
            shard.put(key, Entry::value(integer::write(1), Some(window), now), now);
            return ready(Ok(Count { count: 1, remaining: life::whole(window) }));
        };
        let counted = entry
            .as_number()
            .and_then(|number| number.checked_add(1).ok_or_else(|| refused(integer::NOT_A_COUNTER)));
        ready(counted.map(|number| {
            entry.kind = Kind::Value(integer::write(number));
            entry.until = entry.until.or_else(|| until(Some(window), now));
            Count { count: integer::count(number), remaining: entry.remaining(now).unwrap_or(window) }
        }))
    }

    fn counted<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Count>> {
        let now = Instant::now();
        let mut shard = self.shard(key);
        let counted = shard.live(key, now).map(|entry| {
            let remaining = entry.remaining(now).unwrap_or_default();
            Ok(Count { count: integer::count(entry.as_number()?), remaining })
        });
        ready(counted.transpose())
    }

    fn add<'a>(&'a self, key: &'a str, member: &'a str, life: Duration) -> Answer<'a, ()> {
        let now = Instant::now();
        let mut shard = self.shard(key);
        let Some(entry) = shard.live(key, now) else {
            let entry = Entry { kind: Kind::Set(vec![member.into()]), until: until(Some(life), now) };
            shard.put(key, entry, now);
            return ready(Ok(()));
        };
        let added = entry.as_set().map(|members| {
            if !members.iter().any(|present| **present == *member) {
                members.push(member.into());
            }
        });
        ready(added.inspect(|()| entry.until = until(Some(life), now)))
    }

    fn remove<'a>(&'a self, key: &'a str, member: &'a str) -> Answer<'a, ()> {
        let mut shard = self.shard(key);
        let Some(entry) = shard.live(key, Instant::now()) else { return ready(Ok(())) };
        let left = entry.as_set().map(|members| {
            members.retain(|present| **present != *member);
            members.len()
        });
        // A set without members is not there.
        if let Ok(0) = left {
            shard.entries.remove(key);
        }
        ready(left.map(|_| ()))
    }

    fn members<'a>(&'a self, key: &'a str) -> Answer<'a, Vec<String>> {
        let mut shard = self.shard(key);
        let Some(entry) = shard.live(key, Instant::now()) else { return ready(Ok(Vec::new())) };
        ready(entry.as_set().map(|members| members.iter().map(|member| String::from(&**member)).collect()))
    }

    fn publish<'a>(&'a self, channel: &'a str, message: Bytes) -> Answer<'a, ()> {
        self.channels.publish(channel, message);
        ready(Ok(()))
    }

    fn subscribe<'a>(&'a self, channel: &'a str) -> Answer<'a, BoxStream<'static, Bytes>> {
        // Channels that everybody left would stay for ever otherwise.
        self.channels.prune();
        ready(Ok(self.channels.subscribe(channel)))
    }

    fn watch<'a>(&'a self, _prefix: &'a str) -> Answer<'a, BoxStream<'static, Changed>> {
        ready(Ok(stream::pending().boxed()))
    }

    fn is_shared(&self) -> bool {
        false
    }

    fn is_up(&self) -> bool {
        true
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.channels.close();
        future::ready(()).boxed()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::{Memory, SHARDS, SMALL};
    use crate::Backplane as _;

    #[tokio::test]
    async fn a_flood_of_short_lives_does_not_stay() {
        let memory = Memory::new();
        for n in 0..200_000 {
            memory.set(&n.to_string(), Bytes::new(), Some(Duration::from_millis(1))).await.unwrap();
        }
        // All but the last moments' are dead; a moment of this machine may hold some thousands.
        assert!(memory.len() < SHARDS * SMALL + 100_000, "{} are held", memory.len());
    }

    #[tokio::test]
    async fn what_lives_is_not_swept() {
        let memory = Memory::new();
        for n in 0..20_000 {
            memory.set(&n.to_string(), Bytes::new(), Some(Duration::from_secs(60))).await.unwrap();
        }
        for n in 0..20_000 {
            assert!(memory.get(&n.to_string()).await.unwrap().is_some());
        }
    }
}
