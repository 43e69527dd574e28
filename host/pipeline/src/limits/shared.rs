//! Rate limits counted for all hosts together, and what becomes of calls while that cannot be done.
//!
//! The rule kept here: a call is counted once, in one place. While the shared store answers, nothing is
//! counted in memory; so a fall-back begins with what this host itself has seen since the outage began.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use luckystack_backplane::{BackplaneError, Keys, SharedBackplane};
use luckystack_topology::{OnStoreError, ProjectConfig, RateLimitStore};
use parking_lot::Mutex;

use super::{Decision, RateLimiter, whole_seconds};

/// How long nothing may have failed before an outage counts as over: answers to calls that overlap come
/// in any order.
const QUIET: Duration = Duration::from_secs(1);

/// Where calls are counted.
pub(crate) enum Limits {
    /// In this process. A check is synchronous and allocates nothing.
    Memory(Arc<RateLimiter>),
    /// In the backplane.
    Shared(SharedLimiter),
}

/// Counts hits per key in fixed windows that all hosts share.
pub(crate) struct SharedLimiter {
    backplane: SharedBackplane,
    keys: Keys,
    /// What its keys begin with, behind the project's name.
    prefix: String,
    window: Duration,
    on_error: OnStoreError,
    /// Counts during an outage.
    memory: Arc<RateLimiter>,
    outage: Outage,
}

/// Whether the store fails, said once when it begins and once when it is over.
#[derive(Default)]
struct Outage {
    is_on: AtomicBool,
    last: Mutex<Option<Instant>>,
}

// --- Limits ---

impl Limits {
    /// What the configuration asks for. A shared count needs a backplane that is shared: with another one
    /// there is nobody to share with.
    pub(crate) fn new(
        project: &ProjectConfig,
        memory: Arc<RateLimiter>,
        backplane: Option<&SharedBackplane>,
    ) -> Limits {
        let limits = &project.rate_limiting;
        match backplane {
            Some(backplane) if limits.store == RateLimitStore::Redis && backplane.is_shared() => {
                Limits::Shared(SharedLimiter {
                    backplane: Arc::clone(backplane),
                    keys: Keys::new(&project.name),
                    prefix: limits.redis_key_prefix.clone(),
                    window: limits.window,
                    on_error: limits.on_store_error,
                    memory,
                    outage: Outage::default(),
                })
            }
            Some(_) if limits.store == RateLimitStore::Redis => {
                tracing::warn!(
                    "rate_limiting.store is \"redis\" and the backplane is no Redis server: this host counts for \
                     itself; set backplane.url and start it again"
                );
                Limits::Memory(memory)
            }
            _ => Limits::Memory(memory),
        }
    }

    /// The limiter in this process's memory.
    pub(crate) fn memory(&self) -> &Arc<RateLimiter> {
        match self {
            Limits::Memory(memory) => memory,
            Limits::Shared(shared) => &shared.memory,
        }
    }

    /// Forgets everything, as the test reset does.
    pub(crate) async fn clear(&self) -> Result<(), BackplaneError> {
        self.memory().clear();
        match self {
            Limits::Memory(_) => Ok(()),
            Limits::Shared(shared) => shared.backplane.clear(&shared.key("")).await.map(|_| ()),
        }
    }
}

// --- SharedLimiter ---

impl SharedLimiter {
    /// Counts one hit on that key and says whether it is within the limit; see [`RateLimiter::check`].
    pub(crate) async fn check(&self, key: &str, limit: u32) -> Decision {
        if limit == 0 {
            return Decision::Allowed;
        }
        match self.backplane.count(&self.key(key), self.window).await {
            Ok(hits) => {
                self.outage.is_over();
                if hits.count <= u64::from(limit) {
                    return Decision::Allowed;
                }
                let count = u32::try_from(hits.count).unwrap_or(u32::MAX);
                Decision::Exceeded { seconds: whole_seconds(hits.remaining), count }
            }
            Err(error) => {
                self.outage.has_begun(&error, self.on_error);
                match self.on_error {
                    OnStoreError::Memory => self.memory.check(key, limit, Instant::now()),
                    // Nobody knows how many there were, nor when the window ends: at the latest then.
                    OnStoreError::Deny => {
                        Decision::Exceeded { seconds: whole_seconds(self.window), count: 0 }
                    }
                }
            }
        }
    }

    /// `<project>:<prefix>:<bucket key>`; without a bucket what all of them begin with.
    fn key(&self, bucket: &str) -> String {
        let mut key = self.keys.key(&self.prefix, bucket);
        if bucket.is_empty() {
            key.push(':');
        }
        key
    }
}

// --- Outage ---

impl Outage {
    fn has_begun(&self, error: &BackplaneError, on_error: OnStoreError) {
        *self.last.lock() = Some(Instant::now());
        if self.is_on.swap(true, Ordering::Relaxed) {
            return;
        }
        match on_error {
            OnStoreError::Memory => {
                tracing::warn!(%error, "rate limits cannot be shared: this host counts for itself meanwhile");
            }
            OnStoreError::Deny => {
                tracing::error!(
                    %error,
                    "rate limits cannot be counted: limited calls are refused meanwhile \
                     (rate_limiting.on_store_error = \"deny\")"
                );
            }
        }
    }

    /// In good times this is one load.
    fn is_over(&self) {
        if !self.is_on.load(Ordering::Relaxed) {
            return;
        }
        let is_quiet = self.last.lock().is_none_or(|last| last.elapsed() >= QUIET);
        if is_quiet && self.is_on.swap(false, Ordering::Relaxed) {
            tracing::info!("rate limits are shared again");
        }
    }
}
