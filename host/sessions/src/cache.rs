//! What this host remembers of sessions, so that a call seldom asks the store.
//!
//! The rule kept here: **nothing is remembered that was read before somebody changed it.** Who asks the
//! store takes a [`Ticket`] first; every change of a session, by this host or told by the store, makes the
//! tickets of its shard worthless, and an answer that comes with a worthless ticket is not kept. A shard
//! that is not trusted, because nobody would tell of changes, gives out no tickets at all.
//!
//! Also kept here: which sessions are ending. They are refused from the moment somebody decided on their
//! end, while the store is still being told.
//!
//! A hot path: finding a session is one hash, one lock that is hardly ever contended, and one count up in
//! an `Arc`; no allocation. Time is an argument.

#[cfg(test)]
mod tests;

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hashbrown::HashTable;
use luckystack_plugins::call::Session;
use parking_lot::{Mutex, MutexGuard};
use tokio::time::Instant;

use crate::life;

/// More shards than any machine here has cores, so that two calls seldom meet at one lock. A power of
/// two. Each keeps at least one session, whatever the configuration says.
const SHARDS: usize = 64;
/// How long a token is remembered as unknown: long enough for a page that asks with an old cookie, and
/// the longest that a token which somebody writes by hand could be refused if no notice of it came.
const UNKNOWN_LIFE: Duration = Duration::from_secs(60);
/// Unknown tokens kept beside four sessions: they only save reads of the store.
const SESSIONS_PER_UNKNOWN: usize = 4;
/// Fewest unknown tokens that a shard keeps.
const FEWEST_UNKNOWN: usize = 16;

/// Nothing is remembered for longer: no clock reaches the ends that others may have written.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// Sessions by token.
pub(crate) struct Cache {
    hasher: RandomState,
    per_shard: AtomicUsize,
    /// When it was made: uses are counted in milliseconds from here.
    made: Instant,
    shards: Box<[Mutex<Shard>]>,
}

struct Shard {
    live: HashTable<Live>,
    unknown: HashTable<Unknown>,
    /// Tokens of sessions that are ending, with how many are about it. Seldom more than one.
    ending: Vec<(Box<str>, u32)>,
    /// Goes up with every change of any session of this shard.
    generation: u64,
    is_trusted: bool,
}

struct Live {
    hash: u64,
    session: Arc<Session>,
    terms: Terms,
    used: u64,
}

struct Unknown {
    hash: u64,
    token: Box<str>,
    until: Instant,
}

/// How long a remembered session is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    /// When it ends unless its life is made longer.
    pub(crate) ends: Instant,
    /// From when on a read should make it longer.
    pub(crate) due: Instant,
}

/// Says when somebody began to ask the store; none when the answer must not be kept.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ticket(Option<u64>);

/// What is known of a token.
#[derive(Debug)]
pub(crate) enum Known {
    /// A live session.
    Live(Arc<Session>),
    /// A live session whose life should be made longer, by the one who gets this answer: others get
    /// [`Known::Live`] from now until `again`.
    Due(Arc<Session>, Terms),
    /// The store said a moment ago that there is none.
    Unknown,
    /// It is ending.
    Ending,
    /// Nothing: ask the store.
    Nothing(Ticket),
}

// --- Terms ---

impl Terms {
    /// Of a session that was asked for at `at` and had that much of its life left; none without an end.
    pub(crate) fn of(at: Instant, remaining: Option<Duration>, expiry: Duration) -> Terms {
        let left = remaining.map_or(LONGEST, |remaining| remaining.min(LONGEST));
        Terms { ends: at + left, due: at + life::due_in(remaining, expiry) }
    }
}

// --- Cache ---

impl Cache {
    /// An empty one for that many sessions.
    pub(crate) fn new(entries: u32, is_trusted: bool, now: Instant) -> Self {
        let shard = || {
            Mutex::new(Shard {
                live: HashTable::new(),
                unknown: HashTable::new(),
                ending: Vec::new(),
                generation: 0,
                is_trusted,
            })
        };
        Cache {
            hasher: RandomState::new(),
            per_shard: AtomicUsize::new(per_shard(entries)),
            made: now,
            shards: (0..SHARDS).map(|_| shard()).collect(),
        }
    }

    /// Holds that many from now on.
    pub(crate) fn resize(&self, entries: u32) {
        let limit = per_shard(entries);
        self.per_shard.store(limit, Ordering::Relaxed);
        for shard in &self.shards {
            let mut shard = shard.lock();
            if shard.live.len() > limit {
                shard.evict(limit);
                shard.live.shrink_to_fit(|live| live.hash);
            }
        }
    }

    /// The session behind `token`, if it is remembered and its life need not be made longer.
    pub(crate) fn get(&self, token: &str, now: Instant) -> Option<Arc<Session>> {
        let hash = self.hasher.hash_one(token);
        let used = self.used(now);
        let mut shard = self.shard(hash);
        let live = shard.live.find_mut(hash, |live| live.session.token == token)?;
        // A life is due before it ends, unless it was to be made longer and the store did not do it.
        if now >= live.terms.due || now >= live.terms.ends {
            return None;
        }
        live.used = used;
        Some(live.session.clone())
    }

    /// What is known of `token`. Where its life is due, that is noted as not due until `again`.
    pub(crate) fn look(&self, token: &str, now: Instant, again: Instant) -> Known {
        let hash = self.hasher.hash_one(token);
        let used = self.used(now);
        let mut shard = self.shard(hash);
        if shard.is_ending(token) {
            return Known::Ending;
        }
        if let Some(live) = shard.live.find_mut(hash, |live| live.session.token == token)
            && now < live.terms.ends
        {
            live.used = used;
            let session = live.session.clone();
            if now < live.terms.due {
                return Known::Live(session);
            }
            let terms = live.terms;
            live.terms.due = again;
            return Known::Due(session, terms);
        }
        let unknown = shard.unknown.find(hash, |unknown| *unknown.token == *token);
        if unknown.is_some_and(|unknown| now < unknown.until) {
            return Known::Unknown;
        }
        Known::Nothing(shard.ticket())
    }

    /// What is known of `token` for somebody who does not make lives longer.
    pub(crate) fn peek(&self, token: &str, now: Instant) -> Known {
        let hash = self.hasher.hash_one(token);
        let shard = self.shard(hash);
        if shard.is_ending(token) {
            return Known::Ending;
        }
        let live = shard.live.find(hash, |live| live.session.token == token);
        if let Some(live) = live.filter(|live| now < live.terms.ends) {
            return Known::Live(live.session.clone());
        }
        let unknown = shard.unknown.find(hash, |unknown| *unknown.token == *token);
        if unknown.is_some_and(|unknown| now < unknown.until) {
            return Known::Unknown;
        }
        Known::Nothing(shard.ticket())
    }

    /// A ticket for somebody who is about to ask or tell the store about `token`.
    pub(crate) fn ticket(&self, token: &str) -> Ticket {
        self.shard(self.hasher.hash_one(token)).ticket()
    }

    /// Whether the session is ending.
    pub(crate) fn is_ending(&self, token: &str) -> bool {
        self.shard(self.hasher.hash_one(token)).is_ending(token)
    }

    /// Remembers what the store said. Whether the caller is the one to make its life longer, if it is due
    /// at `now`: others who read the same at the same time are told no.
    pub(crate) fn keep(
        &self,
        ticket: Ticket,
        session: &Arc<Session>,
        terms: Terms,
        now: Instant,
        again: Instant,
    ) -> bool {
        let is_due = now >= terms.due;
        let hash = self.hasher.hash_one(session.token.as_str());
        let used = self.used(now);
        let mut shard = self.shard(hash);
        if !shard.honours(ticket) || shard.is_ending(&session.token) {
            return is_due;
        }
        if let Some(live) = shard.live.find_mut(hash, |live| live.session.token == session.token)
            && now < live.terms.ends
        {
            // Nobody changed it since: it is the same session, and the one who was first makes its life
            // longer.
            let is_mine = is_due && now >= live.terms.due;
            if is_mine {
                live.terms = Terms { ends: terms.ends, due: again };
            }
            return is_mine;
        }
        let terms = if is_due { Terms { ends: terms.ends, due: again } } else { terms };
        let limit = self.per_shard.load(Ordering::Relaxed);
        shard.insert(Live { hash, session: session.clone(), terms, used }, limit, now);
        is_due
    }

    /// Remembers what this host wrote itself; what was read before that is not kept any more. With a
    /// ticket from before the write: if somebody else wrote too, nobody knows here who was last.
    pub(crate) fn put(&self, ticket: Ticket, session: &Arc<Session>, terms: Terms, now: Instant) {
        let hash = self.hasher.hash_one(session.token.as_str());
        let used = self.used(now);
        let mut shard = self.shard(hash);
        let is_last = shard.honours(ticket) && !shard.is_ending(&session.token);
        shard.forget(hash, &session.token);
        if is_last {
            let limit = self.per_shard.load(Ordering::Relaxed);
            shard.insert(Live { hash, session: session.clone(), terms, used }, limit, now);
        }
    }

    /// The life of a remembered session is another now.
    pub(crate) fn prolong(&self, ticket: Ticket, token: &str, terms: Terms) {
        let hash = self.hasher.hash_one(token);
        let mut shard = self.shard(hash);
        if shard.honours(ticket)
            && let Some(live) = shard.live.find_mut(hash, |live| live.session.token == token)
        {
            live.terms = terms;
        }
    }

    /// Remembers that the store knows no such token.
    pub(crate) fn keep_unknown(&self, ticket: Ticket, token: &str, now: Instant) {
        let hash = self.hasher.hash_one(token);
        let limit = (self.per_shard.load(Ordering::Relaxed) / SESSIONS_PER_UNKNOWN).max(FEWEST_UNKNOWN);
        let mut shard = self.shard(hash);
        if !shard.honours(ticket) {
            return;
        }
        shard.remove(hash, token);
        if shard.unknown.len() >= limit {
            shard.unknown.retain(|unknown| now < unknown.until);
        }
        if shard.unknown.len() >= limit {
            // A flood of them: remembering the flood is worth nothing.
            shard.unknown.clear();
        }
        let unknown = Unknown { hash, token: token.into(), until: now + UNKNOWN_LIFE };
        shard.unknown.insert_unique(hash, unknown, |unknown| unknown.hash);
    }

    /// Somebody changed the session: whatever is known of it is not true any more.
    pub(crate) fn forget(&self, token: &str) {
        let hash = self.hasher.hash_one(token);
        self.shard(hash).forget(hash, token);
    }

    /// Anything may have changed.
    pub(crate) fn forget_all(&self) {
        for shard in &self.shards {
            shard.lock().forget_all();
        }
    }

    /// Whether changes are being told from now on; if not, nothing is remembered and all is forgotten.
    pub(crate) fn trust(&self, is_trusted: bool) {
        for shard in &self.shards {
            let mut shard = shard.lock();
            shard.is_trusted = is_trusted;
            if !is_trusted {
                shard.forget_all();
            }
        }
    }

    /// From now on the session is refused, until [`Cache::unmark`].
    pub(crate) fn mark(&self, token: &str) {
        let hash = self.hasher.hash_one(token);
        let mut shard = self.shard(hash);
        shard.forget(hash, token);
        match shard.ending.iter_mut().find(|(ending, _)| **ending == *token) {
            Some((_, count)) => *count += 1,
            None => shard.ending.push((token.into(), 1)),
        }
    }

    /// Takes one [`Cache::mark`] back.
    pub(crate) fn unmark(&self, token: &str) {
        let hash = self.hasher.hash_one(token);
        let mut shard = self.shard(hash);
        // Nothing that was read in between is kept.
        shard.forget(hash, token);
        let Some(index) = shard.ending.iter().position(|(ending, _)| **ending == *token) else { return };
        shard.ending[index].1 -= 1;
        if shard.ending[index].1 == 0 {
            shard.ending.swap_remove(index);
        }
    }

    #[cfg(test)]
    fn len(&self) -> (usize, usize) {
        let lens = self.shards.iter().map(|shard| {
            let shard = shard.lock();
            (shard.live.len(), shard.unknown.len())
        });
        lens.fold((0, 0), |sum, len| (sum.0 + len.0, sum.1 + len.1))
    }

    fn used(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.made).as_millis()).unwrap_or(u64::MAX)
    }

    /// A table uses a hash's low bits for places and its top seven for tags, so bits between choose the
    /// shard.
    fn shard(&self, hash: u64) -> MutexGuard<'_, Shard> {
        self.shards[(hash >> 40) as usize & (SHARDS - 1)].lock()
    }
}

fn per_shard(entries: u32) -> usize {
    (usize::try_from(entries).unwrap_or(usize::MAX) / SHARDS).max(1)
}

// --- Shard ---

impl Shard {
    fn ticket(&self) -> Ticket {
        Ticket(self.is_trusted.then_some(self.generation))
    }

    fn honours(&self, ticket: Ticket) -> bool {
        self.is_trusted && ticket.0 == Some(self.generation)
    }

    fn is_ending(&self, token: &str) -> bool {
        self.ending.iter().any(|(ending, _)| **ending == *token)
    }

    fn forget(&mut self, hash: u64, token: &str) {
        self.generation += 1;
        self.remove(hash, token);
    }

    fn forget_all(&mut self) {
        self.generation += 1;
        self.live.clear();
        self.unknown.clear();
    }

    fn remove(&mut self, hash: u64, token: &str) {
        if let Ok(found) = self.live.find_entry(hash, |live| live.session.token == token) {
            found.remove();
        }
        if let Ok(found) = self.unknown.find_entry(hash, |unknown| *unknown.token == *token) {
            found.remove();
        }
    }

    fn insert(&mut self, live: Live, limit: usize, now: Instant) {
        // One that has ended may still be there, or be known as unknown.
        self.remove(live.hash, &live.session.token);
        if self.live.len() >= limit {
            self.live.retain(|live| now < live.terms.ends);
            if self.live.len() >= limit {
                // An eighth at once, so that going over all of them costs little for each.
                self.evict(limit - (limit / 8).max(1));
            }
        }
        self.live.insert_unique(live.hash, live, |live| live.hash);
    }

    /// Leaves that many: those that were used last.
    fn evict(&mut self, goal: usize) {
        let excess = self.live.len().saturating_sub(goal);
        if excess == 0 {
            return;
        }
        let mut uses: Vec<u64> = self.live.iter().map(|live| live.used).collect();
        let (_, &mut last, _) = uses.select_nth_unstable(excess - 1);
        // Several may have been used at the same time: no more than the excess goes.
        let mut left = excess;
        for evict_equal in [false, true] {
            self.live.retain(|live| {
                let is_old = if evict_equal { live.used == last } else { live.used < last };
                let evict = left > 0 && is_old;
                left -= usize::from(evict);
                !evict
            });
        }
    }
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache").field("per_shard", &self.per_shard).finish_non_exhaustive()
    }
}
