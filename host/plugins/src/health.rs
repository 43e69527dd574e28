//! Whether a service works, as a count of failures in a row.
//!
//! A service whose calls fail `degraded_after` times without a success between is *degraded*: health
//! says so, and the log says so once per [`LOG_INTERVAL`], not once per call. One success heals it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// A degraded service is logged at most this often.
pub const LOG_INTERVAL: Duration = Duration::from_secs(30);

/// Failure counters of one service.
#[derive(Debug, Default)]
pub struct Health {
    in_a_row: AtomicU64,
    failures: AtomicU64,
    last: Mutex<LastFailure>,
}

#[derive(Debug, Default)]
struct LastFailure {
    message: String,
    logged_at: Option<Instant>,
    unlogged: u64,
}

/// What the caller of [`Health::failed`] should write to the log.
#[derive(Debug, PartialEq, Eq)]
pub enum Report {
    /// Log this failure by itself.
    Single,
    /// Log that the service is degraded; `since_last` failures were not logged since the last time.
    Degraded {
        /// Failures in a row.
        in_a_row: u64,
        /// Failures since the log last spoke of the service.
        since_last: u64,
    },
    /// Say nothing: the log has said so recently.
    Quiet,
}

impl Health {
    /// Notes a success. Hot: one relaxed load while all is well.
    pub fn succeeded(&self) {
        if self.in_a_row.load(Ordering::Relaxed) != 0 {
            self.in_a_row.store(0, Ordering::Relaxed);
        }
    }

    /// Notes a failure at `now`; what to log about it.
    pub fn failed(&self, message: &str, degraded_after: u64, now: Instant) -> Report {
        self.failures.fetch_add(1, Ordering::Relaxed);
        let in_a_row = self.in_a_row.fetch_add(1, Ordering::Relaxed) + 1;
        let mut last = self.last.lock();
        message.clone_into(&mut last.message);
        if in_a_row < degraded_after {
            return Report::Single;
        }
        last.unlogged += 1;
        let due = last.logged_at.is_none_or(|at| now.saturating_duration_since(at) >= LOG_INTERVAL);
        if !due {
            return Report::Quiet;
        }
        last.logged_at = Some(now);
        Report::Degraded { in_a_row, since_last: std::mem::take(&mut last.unlogged) }
    }

    /// The last failure's message while the service is degraded.
    pub fn degraded(&self, degraded_after: u64) -> Option<String> {
        let in_a_row = self.in_a_row.load(Ordering::Relaxed);
        (in_a_row >= degraded_after)
            .then(|| format!("{in_a_row} failures in a row, the last: {}", self.last.lock().message))
    }

    /// All failures since start.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_degraded_service_is_logged_once_per_interval() {
        let health = Health::default();
        let start = Instant::now();
        assert_eq!(health.failed("a", 2, start), Report::Single);
        assert_eq!(health.failed("b", 2, start), Report::Degraded { in_a_row: 2, since_last: 1 });
        assert_eq!(health.failed("c", 2, start), Report::Quiet);
        let later = start + LOG_INTERVAL;
        assert_eq!(health.failed("d", 2, later), Report::Degraded { in_a_row: 4, since_last: 2 });
        assert!(health.degraded(2).is_some_and(|reason| reason.contains("the last: d")));
    }

    #[test]
    fn one_success_heals() {
        let health = Health::default();
        health.failed("a", 1, Instant::now());
        assert!(health.degraded(1).is_some());
        health.succeeded();
        assert!(health.degraded(1).is_none());
        assert_eq!(health.failures(), 1);
    }
}
