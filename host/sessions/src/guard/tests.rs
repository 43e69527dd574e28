use std::time::Duration;

use proptest::prelude::*;
use tokio::time::Instant;

use super::{ADDRESSES, Guard, SHARDS, TOKENS, WINDOW};

const LIMIT: u32 = 5;

/// Presents a token as `read` does; whether the store was asked.
fn present(guard: &Guard, ip: &str, token: &str, now: Instant) -> bool {
    let admitted = guard.admit(ip, token, LIMIT, now).is_ok();
    if admitted {
        guard.count(ip, token, now);
    }
    admitted
}

#[test]
fn an_address_may_present_so_many_unknown_tokens_and_no_more() {
    let guard = Guard::new();
    let now = Instant::now();
    for n in 0..LIMIT {
        assert!(present(&guard, "a", &n.to_string(), now));
    }
    assert_eq!(guard.admit("a", "one more", LIMIT, now), Err(60));
    assert_eq!(guard.admit("a", "one more", LIMIT, now + Duration::from_millis(500)), Err(60));
    assert_eq!(guard.admit("a", "one more", LIMIT, now + WINDOW - Duration::from_millis(1)), Err(1));
    assert!(guard.admit("b", "one more", LIMIT, now).is_ok());
    assert!(guard.admit("a", "one more", LIMIT, now + WINDOW).is_ok());
}

#[test]
fn the_same_token_counts_once() {
    let guard = Guard::new();
    let now = Instant::now();
    for _ in 0..100 {
        for n in 0..LIMIT {
            assert!(present(&guard, "a", &n.to_string(), now));
        }
    }
    assert!(!present(&guard, "a", "another", now));
    assert!(present(&guard, "a", "0", now));
}

#[test]
fn a_new_window_begins_from_nothing() {
    let guard = Guard::new();
    let now = Instant::now();
    for n in 0..LIMIT {
        present(&guard, "a", &n.to_string(), now);
    }
    let later = now + WINDOW;
    for n in 0..LIMIT {
        assert!(present(&guard, "a", &format!("new {n}"), later));
    }
    assert!(!present(&guard, "a", "0", later));
    guard.clear();
    assert!(present(&guard, "a", "0", later));
}

#[test]
fn a_flood_of_addresses_does_not_push_out_a_guesser() {
    let guard = Guard::new();
    let now = Instant::now();
    for n in 0..LIMIT {
        present(&guard, "guesser", &n.to_string(), now);
    }
    for n in 0..SHARDS * ADDRESSES * 4 {
        present(&guard, &format!("flood {n}"), "x", now);
    }
    assert!(!present(&guard, "guesser", "another", now));
    let held: usize = guard.shards.iter().map(|shard| shard.lock().table.len()).sum();
    assert!(held <= SHARDS * ADDRESSES);
}

#[test]
fn what_is_remembered_of_one_address_is_bounded_and_counts_all_the_same() {
    let guard = Guard::new();
    let now = Instant::now();
    let many = u32::try_from(TOKENS + 100).unwrap();
    for n in 0..many {
        guard.count("a", &n.to_string(), now);
    }
    let held: usize = guard.shards.iter().map(|shard| shard.lock().tokens).sum();
    assert_eq!(held, TOKENS);
    assert!(guard.admit("a", "another", many + 1, now).is_ok());
    assert!(guard.admit("a", "another", many, now).is_err());
}

proptest! {
    /// Against a model that remembers everything.
    #[test]
    fn counts_are_those_of_the_model(
        presented in proptest::collection::vec((0..3_u8, 0..12_u8, 0..30_u64), 0..200)
    ) {
        let guard = Guard::new();
        let mut now = Instant::now();
        let mut model: std::collections::HashMap<u8, (Instant, std::collections::HashSet<u8>)> = Default::default();
        for (ip, token, pause) in presented {
            now += Duration::from_secs(pause) / 4;
            let (began, seen) = model.entry(ip).or_insert_with(|| (now, Default::default()));
            if now - *began >= WINDOW {
                *began = now;
                seen.clear();
            }
            let expected = seen.len() < LIMIT as usize || seen.contains(&token);
            if expected {
                seen.insert(token);
            }
            prop_assert_eq!(present(&guard, &ip.to_string(), &token.to_string(), now), expected);
        }
    }
}
