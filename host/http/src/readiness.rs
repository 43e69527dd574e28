//! Whether the host may be sent work: one flag, set by the binary and by the drain.

use std::sync::atomic::{AtomicU8, Ordering};

/// Where the host is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// Components are being loaded.
    Loading = 0,
    /// Everything answers.
    Ready = 1,
    /// The host finishes what it has and takes no more.
    Draining = 2,
}

/// The phase, shared between the binary and the endpoint `/readyz` (wire protocol §6.2). A host that
/// drains never becomes ready again.
#[derive(Debug, Default)]
pub struct Readiness(AtomicU8);

impl Readiness {
    /// A host that is loading.
    #[must_use]
    pub fn new() -> Self {
        Self(AtomicU8::new(Phase::Loading as u8))
    }

    /// Everything is loaded; without effect once the host drains.
    pub fn set_ready(&self) {
        let _ = self.0.compare_exchange(
            Phase::Loading as u8,
            Phase::Ready as u8,
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
    }

    /// The host stops taking work.
    pub fn set_draining(&self) {
        self.0.store(Phase::Draining as u8, Ordering::Relaxed);
    }

    /// The phase now.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match self.0.load(Ordering::Relaxed) {
            0 => Phase::Loading,
            1 => Phase::Ready,
            _ => Phase::Draining,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draining_host_stays_so() {
        let readiness = Readiness::new();
        assert_eq!(readiness.phase(), Phase::Loading);
        readiness.set_ready();
        assert_eq!(readiness.phase(), Phase::Ready);
        readiness.set_draining();
        readiness.set_ready();
        assert_eq!(readiness.phase(), Phase::Draining);
    }
}
