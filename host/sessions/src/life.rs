//! How long sessions live and when a read makes their life longer.
//!
//! **A deliberate difference.** The original writes to Redis at every read of a session (wire protocol
//! §5.2), that is twice per message of every socket. Here a session's life is made longer again only when
//! a hundredth of it has passed since the last time. So a session that nobody uses any more may end up to
//! that much earlier than it would there: one percent of its life, and never more than a minute.

use std::time::Duration;

/// Part of a life that passes before it is made longer again.
const PARTS: u32 = 100;
/// Not more often than this: a life of some seconds is a test's, and there the writes cost nothing worth
/// saving.
const OFTEN: Duration = Duration::from_secs(1);
/// Not less often than this: a minute is what people take "a week from now" to mean exactly enough, and
/// one write a minute and session is nothing to any store.
const SELDOM: Duration = Duration::from_secs(60);
/// For lives of less than four seconds [`OFTEN`] would be most of it: they are made longer at quarters.
const FEWEST_PARTS: u32 = 4;

/// How much of a life of that length passes before it is made longer again.
pub(crate) fn interval(expiry: Duration) -> Duration {
    (expiry / PARTS).clamp(OFTEN, SELDOM).min(expiry / FEWEST_PARTS)
}

/// In how long a life of which that much remains should be made longer; zero: now. None remaining: it has
/// no end, which only somebody else can have written.
pub(crate) fn due_in(remaining: Option<Duration>, expiry: Duration) -> Duration {
    let Some(remaining) = remaining else { return Duration::ZERO };
    // Either way: a life longer than configured was given before the configuration changed, or by
    // somebody else, and is brought back to it, as the original does.
    interval(expiry).saturating_sub(expiry.abs_diff(remaining))
}

/// A remaining life as Redis's `TTL` would say it: whole seconds, rounded; -1 without an end.
pub(crate) fn ttl(remaining: Option<Duration>) -> i64 {
    remaining.map_or(-1, |remaining| i64::try_from((remaining.as_millis() + 500) / 1000).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{due_in, interval, ttl};

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn lives_are_made_longer_at_a_hundredth_of_them_within_bounds() {
        for (expiry, expected) in [
            (SECOND, SECOND / 4),
            (2 * SECOND, SECOND / 2),
            (10 * SECOND, SECOND),
            (100 * SECOND, SECOND),
            (600 * SECOND, 6 * SECOND),
            (6000 * SECOND, 60 * SECOND),
            (7 * 86_400 * SECOND, 60 * SECOND),
        ] {
            assert_eq!(interval(expiry), expected, "{expiry:?}");
        }
    }

    #[test]
    fn a_life_is_due_when_the_interval_has_passed_or_it_is_of_another_length() {
        let expiry = 1000 * SECOND;
        assert_eq!(due_in(Some(expiry), expiry), 10 * SECOND);
        assert_eq!(due_in(Some(996 * SECOND), expiry), 6 * SECOND);
        assert_eq!(due_in(Some(990 * SECOND), expiry), Duration::ZERO);
        assert_eq!(due_in(Some(SECOND), expiry), Duration::ZERO);
        assert_eq!(due_in(Some(5000 * SECOND), expiry), Duration::ZERO);
        assert_eq!(due_in(None, expiry), Duration::ZERO);
    }

    #[test]
    fn a_remaining_life_is_said_as_redis_says_it() {
        assert_eq!(ttl(None), -1);
        assert_eq!(ttl(Some(Duration::from_millis(1499))), 1);
        assert_eq!(ttl(Some(Duration::from_millis(1500))), 2);
    }
}
