//! How many sessions a user may have (wire protocol §5.3), as a table.

use luckystack_topology::{OnConflict, SessionConfig, SessionsPerUser};

/// What a login does about the user's other sessions, those that the same browser replaces not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is refused.
    Refuse,
    /// So many of them end, oldest first.
    Revoke(usize),
}

/// Whether the number of sessions matters at all: if not, nobody needs to count them.
pub(crate) fn is_limited(config: &SessionConfig) -> bool {
    matches!(config.per_user, SessionsPerUser::Single) || config.max_concurrent_per_user.is_some()
}

/// Judges a login of a user who has that many other sessions.
pub(crate) fn judge(config: &SessionConfig, others: usize) -> Verdict {
    let max = match (config.per_user, config.max_concurrent_per_user) {
        (SessionsPerUser::Single, _) => return Verdict::Revoke(others),
        (SessionsPerUser::Multiple, None) => return Verdict::Revoke(0),
        (SessionsPerUser::Multiple, Some(max)) => usize::try_from(max).unwrap_or(usize::MAX),
    };
    let excess = others.saturating_add(1).saturating_sub(max);
    match config.on_conflict {
        OnConflict::RejectNew if excess > 0 => Verdict::Refuse,
        OnConflict::RejectNew => Verdict::Revoke(0),
        OnConflict::RevokeOld => Verdict::Revoke(excess.min(others)),
    }
}

#[cfg(test)]
mod tests {
    use luckystack_topology::OnConflict::{RejectNew, RevokeOld};
    use luckystack_topology::SessionConfig;
    use luckystack_topology::SessionsPerUser::{Multiple, Single};

    use super::Verdict::{Refuse, Revoke};
    use super::{is_limited, judge};

    #[test]
    fn a_login_is_judged_by_the_table() {
        for (per_user, max, on_conflict, others, verdict) in [
            (Single, None, RevokeOld, 0, Revoke(0)),
            (Single, None, RevokeOld, 1, Revoke(1)),
            (Single, None, RejectNew, 3, Revoke(3)),
            (Single, Some(5), RevokeOld, 3, Revoke(3)),
            (Multiple, None, RevokeOld, 100, Revoke(0)),
            (Multiple, None, RejectNew, 100, Revoke(0)),
            (Multiple, Some(3), RevokeOld, 2, Revoke(0)),
            (Multiple, Some(3), RevokeOld, 3, Revoke(1)),
            (Multiple, Some(3), RevokeOld, 5, Revoke(3)),
            (Multiple, Some(1), RevokeOld, 1, Revoke(1)),
            (Multiple, Some(3), RejectNew, 2, Revoke(0)),
            (Multiple, Some(3), RejectNew, 3, Refuse),
            (Multiple, Some(3), RejectNew, 9, Refuse),
        ] {
            let config = SessionConfig {
                per_user,
                max_concurrent_per_user: max,
                on_conflict,
                ..SessionConfig::default()
            };
            assert_eq!(judge(&config, others), verdict, "{per_user:?} {max:?} {on_conflict:?} {others}");
            assert_eq!(is_limited(&config), per_user == Single || max.is_some());
        }
    }
}
