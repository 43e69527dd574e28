//! What the plugins of one service share: its settings, its places and its queue, its health.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use luckystack_topology::ServiceSettings;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::CallError;
use crate::health::{Health, Report};
use crate::runtime::Reserve;
use crate::type_map::TypeMap;

/// One service at run time. Shared by its plugins, and by their successors after a swap.
#[derive(Debug)]
pub struct ServiceRuntime {
    id: u32,
    name: Arc<str>,
    settings: Arc<ServiceSettings>,
    data: TypeMap,
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
    health: Health,
    reserve: Reserve,
}

/// A place among the service's concurrent calls, given back when dropped.
#[derive(Debug)]
pub struct Place(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

impl ServiceRuntime {
    pub(crate) fn new(
        id: u32,
        name: &str,
        settings: Arc<ServiceSettings>,
        data: TypeMap,
        reserve: Reserve,
    ) -> Self {
        ServiceRuntime {
            id,
            name: name.into(),
            places: Arc::new(Semaphore::new(settings.concurrency as usize)),
            settings,
            data,
            waiting: AtomicUsize::new(0),
            health: Health::default(),
            reserve,
        }
    }

    /// The instance of the host's budget that is this service's alone.
    pub(crate) fn reserve(&self) -> &Arc<Semaphore> {
        &self.reserve.own
    }

    /// Small number that identifies the service in this process.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The service's name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Limits and grants from its preset.
    pub fn settings(&self) -> &Arc<ServiceSettings> {
        &self.settings
    }

    /// What capabilities prepared for it.
    pub fn data(&self) -> &TypeMap {
        &self.data
    }

    /// Failure counters.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// Why the service is degraded, if it is.
    pub fn degraded(&self) -> Option<String> {
        self.health.degraded(u64::from(self.settings.degraded_after))
    }

    /// Waits for a place until `deadline`, in order of arrival, behind at most `queue` others.
    pub(crate) async fn place(&self, deadline: Instant) -> Result<Place, CallError> {
        if let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(Place(permit));
        }
        let waiting = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _leave = Leave(&self.waiting);
        if waiting >= self.settings.queue as usize {
            return Err(self.saturated(waiting));
        }
        match tokio::time::timeout_at(deadline.into(), Arc::clone(&self.places).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Place(permit)),
            Ok(Err(_)) | Err(_) => Err(self.saturated(waiting)),
        }
    }

    pub(crate) fn saturated(&self, waiting: usize) -> CallError {
        // Nobody knows how long the calls in front take; their deadline is the bound that is known.
        let rounds = 1 + waiting as u32 / self.settings.concurrency.max(1);
        let retry_after = self.settings.deadline.min(Duration::from_secs(1)) * rounds;
        CallError::Saturated { service: self.name.to_string(), waiting, retry_after }
    }

    /// Counts and logs the end of a call.
    pub(crate) fn record(&self, route: &str, plugin: &str, error: Option<&CallError>) {
        let Some(error) = error else { return self.health.succeeded() };
        let message = format!("{plugin}: {route}: {error}");
        match self.health.failed(&message, u64::from(self.settings.degraded_after), Instant::now()) {
            Report::Single => {
                tracing::error!(service = %self.name, plugin, route, %error, "call failed");
            }
            Report::Degraded { in_a_row, since_last } => {
                tracing::error!(
                    service = %self.name, plugin, route, %error, in_a_row, since_last,
                    "service degraded: its calls keep failing"
                );
            }
            Report::Quiet => {}
        }
    }
}

/// Counts down when a wait is over, however it ended.
pub(crate) struct Leave<'a>(pub(crate) &'a AtomicUsize);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
