//! The time of day.

use std::time::Duration;

/// Time since 1970-01-01T00:00:00Z. (`std::time` does not work inside the sandbox.)
#[must_use]
pub fn now() -> Duration {
    crate::host::now()
}

/// Milliseconds since 1970-01-01T00:00:00Z, as JavaScript's `Date.now()`.
#[must_use]
pub fn now_ms() -> u64 {
    // Fits for the next 584 million years.
    now().as_millis() as u64
}
