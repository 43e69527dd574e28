//! How lifetimes are understood everywhere: whole milliseconds, at least one.

use std::time::Duration;

/// Longer lives are cut to it, so that no store overflows: a thousand years.
const LONGEST: Duration = Duration::from_secs(1000 * 366 * 24 * 3600);

/// A life in milliseconds, rounded up, so that nothing dies early and nothing lives for ever by rounding
/// to zero.
pub(crate) fn millis(life: Duration) -> i64 {
    let life = life.clamp(Duration::from_millis(1), LONGEST);
    let up = u128::from(!life.subsec_nanos().is_multiple_of(1_000_000));
    i64::try_from(life.as_millis() + up).unwrap_or(i64::MAX)
}

/// The same as a duration.
pub(crate) fn whole(life: Duration) -> Duration {
    Duration::from_millis(millis(life).unsigned_abs())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::millis;

    #[test]
    fn lives_are_whole_milliseconds_and_never_none() {
        assert_eq!(millis(Duration::ZERO), 1);
        assert_eq!(millis(Duration::from_nanos(1)), 1);
        assert_eq!(millis(Duration::from_micros(1001)), 2);
        assert_eq!(millis(Duration::from_secs(7)), 7000);
        assert!(millis(Duration::MAX) < i64::MAX / 2);
    }
}
