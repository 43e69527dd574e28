//! Who may go first: within this host, and among the hosts of a shared backplane.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use luckystack_backplane::{BackplaneError, SharedBackplane};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::{self, Instant};

/// Locks, whatever the number of things they guard. Two things that share one wait for each other
/// sometimes, for a millisecond.
const STRIPES: usize = 256;

/// How long a host may hold a lease: as long as counting and ending some sessions takes, hooks included.
/// A host that dies with one keeps the user out of further logins no longer than this.
const LEASE_LIFE: Duration = Duration::from_secs(5);
/// How often a taken lease is asked for again.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// Locks by name, within this host.
#[derive(Debug)]
pub struct Turns {
    hasher: RandomState,
    stripes: Box<[Arc<Mutex<()>>]>,
}

/// A turn; over when dropped.
pub type Turn = OwnedMutexGuard<()>;

/// A turn among all hosts. One that is dropped without [`Lease::release`] ends with its life.
pub(crate) struct Lease {
    backplane: SharedBackplane,
    key: String,
    holder: Bytes,
}

// --- Turns ---

impl Default for Turns {
    fn default() -> Self {
        Self::new()
    }
}

impl Turns {
    /// Nobody has a turn yet.
    pub fn new() -> Self {
        let stripes = (0..STRIPES).map(|_| Arc::default()).collect();
        Turns { hasher: RandomState::new(), stripes }
    }

    /// Waits for the turn of `name`.
    pub async fn of(&self, name: &str) -> Turn {
        let index = self.hasher.hash_one(name) as usize % STRIPES;
        self.stripes[index].clone().lock_owned().await
    }
}

// --- Lease ---

impl Lease {
    /// Waits for the lease `key`; none when it was not to be had for as long as anybody may hold it, which
    /// takes several who each hold it long.
    pub(crate) async fn take(
        backplane: &SharedBackplane,
        key: String,
        holder: Bytes,
    ) -> Result<Option<Lease>, BackplaneError> {
        let patience = Instant::now() + LEASE_LIFE;
        while !backplane.set_new(&key, holder.clone(), Some(LEASE_LIFE)).await? {
            if Instant::now() >= patience {
                return Ok(None);
            }
            time::sleep(ASK_AGAIN).await;
        }
        Ok(Some(Lease { backplane: backplane.clone(), key, holder }))
    }

    /// Gives it back, unless it has passed to somebody else meanwhile.
    pub(crate) async fn release(self) {
        let soon = Some(Duration::from_millis(1));
        let released = self.backplane.swap(&self.key, self.holder, Bytes::new(), soon).await;
        if let Err(error) = released {
            tracing::debug!(%error, "a lease was not given back; it ends by itself");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use luckystack_backplane::{Memory, SharedBackplane};
    use tokio::time::Instant;

    use super::{LEASE_LIFE, Lease, Turns};

    #[tokio::test]
    async fn a_turn_is_one_at_a_time() {
        let turns = Turns::new();
        let turn = turns.of("a").await;
        let mut next = Box::pin(turns.of("a"));
        assert!(futures::poll!(&mut next).is_pending());
        drop(turn);
        next.await;
    }

    #[tokio::test]
    async fn a_lease_is_one_holders_until_it_is_given_back() {
        let backplane: SharedBackplane = Arc::new(Memory::new());
        let take = |holder: &'static str| {
            let backplane = backplane.clone();
            async move { Lease::take(&backplane, "l".into(), Bytes::from(holder)).await.unwrap() }
        };
        let first = take("one").await.unwrap();
        let second = tokio::spawn(take("two"));
        assert_eq!(backplane.get("l").await.unwrap().unwrap(), "one");
        first.release().await;
        let second = second.await.unwrap().unwrap();
        assert_eq!(backplane.get("l").await.unwrap().unwrap(), "two");
        second.release().await;
    }

    #[tokio::test]
    async fn a_lost_lease_is_not_taken_from_its_next_holder() {
        let backplane: SharedBackplane = Arc::new(Memory::new());
        let lost = Lease::take(&backplane, "l".into(), Bytes::from("one")).await.unwrap().unwrap();
        backplane.set("l", Bytes::from("two"), Some(LEASE_LIFE)).await.unwrap();
        lost.release().await;
        assert_eq!(backplane.get("l").await.unwrap().unwrap(), "two");
    }

    #[tokio::test]
    async fn the_lease_of_a_dead_host_ends() {
        let backplane: SharedBackplane = Arc::new(Memory::new());
        let began = Instant::now();
        drop(Lease::take(&backplane, "l".into(), Bytes::from("dead")).await.unwrap());
        let next = Lease::take(&backplane, "l".into(), Bytes::from("next")).await.unwrap();
        assert!(next.is_some());
        assert!(began.elapsed() >= LEASE_LIFE / 2);
    }
}
