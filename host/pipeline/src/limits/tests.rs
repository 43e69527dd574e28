use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

const WINDOW: Duration = Duration::from_secs(60);

#[test]
fn the_request_after_the_limit_fails() {
    let limiter = RateLimiter::new(WINDOW, 100);
    let now = Instant::now();
    for _ in 0..3 {
        assert_eq!(limiter.check("a", 3, now), Decision::Allowed);
    }
    assert_eq!(limiter.check("a", 3, now), Decision::Exceeded { seconds: 60, count: 4 });
    assert_eq!(limiter.check("b", 3, now), Decision::Allowed);
}

#[test]
fn seconds_are_what_is_left_rounded_up() {
    let limiter = RateLimiter::new(WINDOW, 100);
    let start = Instant::now();
    limiter.check("a", 1, start);
    for (millis, expected) in [(1, 60), (500, 60), (1_000, 59), (59_000, 1), (59_999, 1)] {
        match limiter.check("a", 1, start + Duration::from_millis(millis)) {
            Decision::Exceeded { seconds, .. } => assert_eq!(seconds, expected, "after {millis} ms"),
            Decision::Allowed => panic!("after {millis} ms"),
        }
    }
    assert_eq!(limiter.check("a", 1, start + WINDOW), Decision::Allowed);
}

#[test]
fn a_window_is_fixed_and_time_that_stands_still_or_goes_back_is_no_new_one() {
    let limiter = RateLimiter::new(WINDOW, 100);
    let start = Instant::now() + WINDOW;
    limiter.check("a", 1, start);
    assert!(matches!(limiter.check("a", 1, start - WINDOW), Decision::Exceeded { seconds: 60, .. }));
    assert!(matches!(limiter.check("a", 1, start + WINDOW / 2), Decision::Exceeded { seconds: 30, .. }));
}

#[test]
fn a_limit_of_zero_is_none() {
    let limiter = RateLimiter::new(WINDOW, 100);
    assert_eq!(limiter.check("a", 0, Instant::now()), Decision::Allowed);
    assert!(limiter.is_empty());
}

#[test]
fn a_full_table_drops_what_has_ended_first() {
    let limiter = RateLimiter::new(WINDOW, 8);
    let start = Instant::now();
    for index in 0..4 {
        limiter.check(&format!("old{index}"), 1, start);
    }
    let later = start + WINDOW;
    for index in 0..8 {
        limiter.check(&format!("new{index}"), 1, later);
    }
    assert_eq!(limiter.len(), 8);
    for index in 0..8 {
        assert!(
            matches!(limiter.check(&format!("new{index}"), 1, later), Decision::Exceeded { .. }),
            "{index}"
        );
    }
}

#[test]
fn a_flood_of_new_keys_neither_grows_the_table_nor_resets_anyone() {
    let limiter = RateLimiter::new(WINDOW, 1_000);
    let now = Instant::now();
    for user in 0..50 {
        for _ in 0..5 {
            limiter.check(&format!("user:{user}"), 4, now);
        }
    }
    for index in 0..100_000 {
        limiter.check(&format!("ip:{index}"), 4, now + Duration::from_millis(index / 100));
        assert!(index % 1_000 != 0 || limiter.len() <= 1_000);
    }
    let end = now + Duration::from_secs(2);
    for user in 0..50 {
        assert!(matches!(
            limiter.check(&format!("user:{user}"), 4, end),
            Decision::Exceeded { count: 6, .. }
        ));
    }
    // The flood's last keys are still counted: the oldest of the equals went first.
    assert_eq!(limiter.check("ip:99999", 1, end), Decision::Exceeded { seconds: 59, count: 2 });
}

#[test]
fn keys_can_be_swept_forgotten_and_cleared() {
    let limiter = RateLimiter::new(WINDOW, 1_000);
    let now = Instant::now();
    limiter.check("a", 1, now);
    limiter.check("b", 1, now + WINDOW / 2);
    limiter.sweep(now + WINDOW);
    assert_eq!(limiter.len(), 1);
    limiter.forget("b");
    limiter.forget("b");
    assert!(limiter.is_empty());
    limiter.check("c", 1, now);
    limiter.clear();
    assert_eq!(limiter.check("c", 1, now), Decision::Allowed);
    assert_eq!(limiter.window(), WINDOW);
}

#[test]
fn concurrent_hits_are_all_counted() {
    let limiter = RateLimiter::new(WINDOW, DEFAULT_MAX_KEYS);
    let now = Instant::now();
    let allowed: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    (0..1_000).filter(|_| limiter.check("shared", 1_500, now) == Decision::Allowed).count()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(allowed, 1_500);
}

#[test]
fn bucket_keys_are_those_of_the_protocol() {
    let mut buffer = String::from("reused");
    let name = "api/settings/updateUser/v1";
    for (identity, expected) in [
        (Identity::User("u1"), "user:u1:api:api/settings/updateUser/v1"),
        (Identity::Ip("::1"), "ip:::1:api:api/settings/updateUser/v1"),
        (Identity::Custom { scope: "tenant", id: "t" }, "tenant:t:api:api/settings/updateUser/v1"),
    ] {
        assert_eq!(route_key(&mut buffer, identity, Surface::Api, name), expected);
    }
    assert_eq!(address_key(&mut buffer, "1.2.3.4", Surface::Api), "ip:1.2.3.4:api:all");
    assert_eq!(address_key(&mut buffer, "1.2.3.4", Surface::Sync), "ip:1.2.3.4:sync:all");
    assert_eq!(
        route_key(&mut buffer, Identity::User("u"), Surface::Sync, "sync/board/moveCard/v2"),
        "user:u:sync:sync/board/moveCard/v2"
    );
}

proptest! {
    /// With room for all keys the limiter is a map of fixed windows; without, it never holds more
    /// than its cap.
    #[test]
    fn counts_like_a_map_of_windows(
        hits in prop::collection::vec((0u8..12, 0u64..30_000, 1u32..4), 0..200),
        cap in 1usize..16,
    ) {
        let roomy = RateLimiter::new(WINDOW, 1_000);
        let tight = RateLimiter::new(WINDOW, cap);
        let mut model: HashMap<u8, (Instant, u32)> = HashMap::new();
        let mut now = Instant::now();
        for (key, millis, limit) in hits {
            now += Duration::from_millis(millis);
            let entry = model.entry(key).or_insert((now, 0));
            if now.duration_since(entry.0) >= WINDOW {
                *entry = (now, 0);
            }
            entry.1 += 1;
            let name = format!("k{key}");
            let expected = if entry.1 <= limit {
                Decision::Allowed
            } else {
                let left = (WINDOW - now.duration_since(entry.0)).as_millis() as u64;
                Decision::Exceeded { seconds: left.div_ceil(1_000), count: entry.1 }
            };
            prop_assert_eq!(roomy.check(&name, limit, now), expected);
            if let Decision::Exceeded { seconds, count } = tight.check(&name, limit, now) {
                prop_assert!(count > limit && (1..=60).contains(&seconds));
            }
            prop_assert!(tight.len() <= cap);
        }
    }
}
