//! How many requests a second one connection may send.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// How much of its allowance a connection may use at once.
const BURST: Duration = Duration::from_secs(1);

/// A token bucket in one number: the time at which it would be full again.
#[derive(Debug)]
pub(crate) struct RequestRate {
    started: Instant,
    /// Nanoseconds that one request costs.
    cost: u64,
    full_at: AtomicU64,
}

impl RequestRate {
    pub(crate) fn new(per_second: u32) -> Self {
        let cost = 1_000_000_000 / u64::from(per_second.max(1));
        Self { started: Instant::now(), cost, full_at: AtomicU64::new(0) }
    }

    /// Takes a token, if there is one.
    pub(crate) fn allow(&self) -> bool {
        self.allow_at(u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    fn allow_at(&self, now: u64) -> bool {
        let burst = BURST.as_nanos() as u64;
        self.full_at
            .fetch_update(Relaxed, Relaxed, |full_at| {
                let next = full_at.max(now).saturating_add(self.cost);
                (next - now <= burst).then_some(next)
            })
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_allows_its_number_and_no_more() {
        let rate = RequestRate::new(10);
        assert_eq!((0..20).filter(|_| rate.allow_at(0)).count(), 10);
        assert_eq!((0..20).filter(|_| rate.allow_at(500_000_000)).count(), 5);
        assert_eq!((0..20).filter(|_| rate.allow_at(60_000_000_000)).count(), 10);
    }

    #[test]
    fn a_steady_client_within_its_rate_is_never_refused() {
        let rate = RequestRate::new(1000);
        assert!((0..10_000u64).all(|request| rate.allow_at(request * 1_000_000)));
    }
}
