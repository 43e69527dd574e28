//! One list of promises for all three.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::join_all;
use luckystack_backplane::BackplaneError;

use crate::{LONG, Stand, bytes, eventually, next};

/// Callers at once.
const CROWD: usize = 100;
/// A life that ends within a test.
const SHORT: Duration = Duration::from_millis(150);
/// A clock in whole milliseconds may end a life this much early.
const TICK: Duration = Duration::from_millis(2);

macro_rules! promises {
    ($($name:ident)*) => {$(
        mod $name {
            use crate::Stand;

            #[tokio::test(flavor = "multi_thread")]
            async fn memory() {
                super::check::$name(Stand::memory().await).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn sqlite() {
                super::check::$name(Stand::sqlite().await).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn redis() {
                super::check::$name(Stand::redis().await).await;
            }
        }
    )*};
}

promises! {
    a_value_is_what_was_set
    a_value_expires
    a_life_shows_what_remains_of_it
    another_life_replaces_the_first
    a_key_is_given_to_the_first_only
    of_many_who_take_one_gets
    of_many_who_swap_none_is_lost
    a_swap_of_a_key_that_has_gone_does_not_bring_it_back
    many_who_count_are_all_counted
    a_window_begins_with_its_first_and_ends
    an_expired_key_is_new
    a_set_has_its_members
    a_set_expires_as_a_whole
    a_set_that_is_overwritten_leaves_no_members
    a_prefix_is_cleared_to_the_letter
    kinds_are_not_mixed_up
    a_message_reaches_every_subscriber_of_its_channel
    the_end_of_a_backplane_ends_its_subscriptions
}

fn is_refused<T: std::fmt::Debug>(answer: Result<T, BackplaneError>) -> bool {
    matches!(answer, Err(BackplaneError::Refused { .. }))
}

mod check {
    use super::*;

    pub(super) async fn a_value_is_what_was_set(stand: Stand) {
        let backplane = &stand.backplane;
        assert_eq!(backplane.get("key").await.unwrap(), None);
        let odd = Bytes::from_static(b"\0\xff\r\n");
        for value in [bytes("one"), bytes(""), odd] {
            backplane.set("key", value.clone(), None).await.unwrap();
            assert_eq!(backplane.get("key").await.unwrap(), Some(value));
        }
        assert_eq!(backplane.get_living("key").await.unwrap().unwrap().remaining, None);
        assert!(backplane.delete("key").await.unwrap());
        assert!(!backplane.delete("key").await.unwrap());
        assert_eq!(backplane.get("key").await.unwrap(), None);
        assert!(backplane.is_up());
    }

    pub(super) async fn a_value_expires(stand: Stand) {
        let backplane = &stand.backplane;
        let begun = Instant::now();
        backplane.set("key", bytes("x"), Some(SHORT)).await.unwrap();
        backplane.set("stays", bytes("x"), None).await.unwrap();
        eventually("it expires", || async { backplane.get("key").await.unwrap().is_none() }).await;
        assert!(begun.elapsed() + TICK >= SHORT, "it expired early");
        assert!(!backplane.delete("key").await.unwrap());
        assert!(!backplane.expire("key", LONG).await.unwrap());
        assert!(backplane.get("stays").await.unwrap().is_some());
    }

    pub(super) async fn a_life_shows_what_remains_of_it(stand: Stand) {
        let backplane = &stand.backplane;
        backplane.set("key", bytes("x"), Some(LONG)).await.unwrap();
        let living = backplane.get_living("key").await.unwrap().unwrap();
        let remaining = living.remaining.unwrap();
        assert_eq!(living.value, "x");
        assert!(remaining <= LONG && remaining > LONG / 2, "{remaining:?}");
        assert_eq!(backplane.get_living("other").await.unwrap(), None);
    }

    pub(super) async fn another_life_replaces_the_first(stand: Stand) {
        let backplane = &stand.backplane;
        backplane.set("key", bytes("x"), Some(SHORT)).await.unwrap();
        backplane.set("forever", bytes("x"), Some(SHORT)).await.unwrap();
        assert!(backplane.expire("key", LONG).await.unwrap());
        backplane.set("forever", bytes("y"), None).await.unwrap();
        backplane.set("witness", bytes("x"), Some(SHORT)).await.unwrap();
        eventually("the witness expires", || async { backplane.get("witness").await.unwrap().is_none() })
            .await;
        assert!(backplane.get("key").await.unwrap().is_some());
        assert_eq!(backplane.get_living("forever").await.unwrap().unwrap().remaining, None);
        // A life of nothing ends at once, whatever the store thinks of it.
        assert!(backplane.expire("key", Duration::ZERO).await.unwrap());
        eventually("it is gone", || async { backplane.get("key").await.unwrap().is_none() }).await;
    }

    pub(super) async fn a_key_is_given_to_the_first_only(stand: Stand) {
        let backplane = &stand.backplane;
        let all = (0..CROWD).map(|n| async move {
            backplane.set_new("key", n.to_string().into(), Some(LONG)).await.unwrap()
        });
        let won: Vec<bool> = join_all(all).await;
        assert_eq!(won.iter().filter(|won| **won).count(), 1);
        let winner = won.iter().position(|won| *won).unwrap().to_string();
        assert_eq!(backplane.get("key").await.unwrap().unwrap(), winner);
    }

    pub(super) async fn of_many_who_take_one_gets(stand: Stand) {
        for round in 0..5 {
            let key = format!("key{round}");
            stand.backplane.set(&key, bytes("prize"), Some(LONG)).await.unwrap();
            let tasks = (0..CROWD).map(|_| {
                let (backplane, key) = (stand.backplane.clone(), key.clone());
                tokio::spawn(async move { backplane.take(&key).await.unwrap() })
            });
            let taken: Vec<Bytes> = join_all(tasks).await.into_iter().filter_map(Result::unwrap).collect();
            assert_eq!(taken, ["prize"]);
        }
    }

    pub(super) async fn of_many_who_swap_none_is_lost(stand: Stand) {
        stand.backplane.set("key", bytes("0"), Some(LONG)).await.unwrap();
        let tasks = (0..20).map(|_| {
            let backplane = stand.backplane.clone();
            tokio::spawn(async move {
                loop {
                    let value = backplane.get("key").await.unwrap().unwrap();
                    let number: u64 = std::str::from_utf8(&value).unwrap().parse().unwrap();
                    let next = (number + 1).to_string().into();
                    if backplane.swap("key", value, next, Some(LONG)).await.unwrap() {
                        return;
                    }
                }
            })
        });
        join_all(tasks).await.into_iter().for_each(Result::unwrap);
        assert_eq!(stand.backplane.get("key").await.unwrap().unwrap(), "20");
        assert!(stand.backplane.get_living("key").await.unwrap().unwrap().remaining.is_some());
    }

    pub(super) async fn a_swap_of_a_key_that_has_gone_does_not_bring_it_back(stand: Stand) {
        let backplane = &stand.backplane;
        assert!(!backplane.swap("key", bytes(""), bytes("x"), None).await.unwrap());
        assert_eq!(backplane.get("key").await.unwrap(), None);
        backplane.set("key", bytes("a"), Some(LONG)).await.unwrap();
        assert!(!backplane.swap("key", bytes("b"), bytes("x"), None).await.unwrap());
        assert!(backplane.swap("key", bytes("a"), bytes("b"), None).await.unwrap());
        assert_eq!(backplane.get_living("key").await.unwrap().unwrap().remaining, None);
    }

    pub(super) async fn many_who_count_are_all_counted(stand: Stand) {
        let tasks = (0..CROWD).map(|_| {
            let backplane = stand.backplane.clone();
            tokio::spawn(async move { backplane.count("key", LONG).await.unwrap().count })
        });
        let counts: HashSet<u64> = join_all(tasks).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(counts, (1..=CROWD as u64).collect());
        assert_eq!(stand.backplane.counted("key").await.unwrap().unwrap().count, CROWD as u64);
    }

    pub(super) async fn a_window_begins_with_its_first_and_ends(stand: Stand) {
        let backplane = &stand.backplane;
        assert_eq!(backplane.counted("key").await.unwrap(), None);
        let window = Duration::from_millis(700);
        let first = backplane.count("key", window).await.unwrap();
        assert_eq!(first.count, 1);
        assert!(first.remaining <= window && first.remaining > Duration::ZERO);
        // A longer window later does not prolong the one that has begun.
        let second = backplane.count("key", LONG).await.unwrap();
        assert!(second.count == 1 || second.remaining <= first.remaining);
        eventually("a new window", || async { backplane.counted("key").await.unwrap().is_none() }).await;
        assert_eq!(backplane.count("key", window).await.unwrap().count, 1);
        assert!(backplane.delete("key").await.unwrap());
        assert_eq!(backplane.counted("key").await.unwrap(), None);
    }

    pub(super) async fn an_expired_key_is_new(stand: Stand) {
        let backplane = &stand.backplane;
        for key in ["value", "counter", "set", "taken", "swapped"] {
            backplane.set(key, bytes("5"), Some(SHORT)).await.unwrap();
        }
        eventually("all expire", || async { backplane.get("swapped").await.unwrap().is_none() }).await;
        assert!(backplane.set_new("value", bytes("new"), None).await.unwrap());
        assert_eq!(backplane.count("counter", LONG).await.unwrap().count, 1);
        backplane.add("set", "member", LONG).await.unwrap();
        assert_eq!(backplane.members("set").await.unwrap(), ["member"]);
        assert_eq!(backplane.take("taken").await.unwrap(), None);
        assert!(!backplane.swap("swapped", bytes("5"), bytes("x"), None).await.unwrap());
        assert_eq!(backplane.clear("s").await.unwrap(), 1);
    }

    pub(super) async fn a_set_has_its_members(stand: Stand) {
        let backplane = &stand.backplane;
        let of = async || {
            let mut members = backplane.members("set").await.unwrap();
            // Redis knows no order.
            if stand.redis.is_some() {
                members.sort_by_key(|member| ["c", "a", "b"].iter().position(|known| known == member));
            }
            members
        };
        assert!(of().await.is_empty());
        for member in ["c", "a", "b", "a", "c"] {
            backplane.add("set", member, LONG).await.unwrap();
        }
        assert_eq!(of().await, ["c", "a", "b"]);
        backplane.remove("set", "a").await.unwrap();
        backplane.remove("set", "unknown").await.unwrap();
        assert_eq!(of().await, ["c", "b"]);
        backplane.remove("set", "c").await.unwrap();
        backplane.remove("set", "b").await.unwrap();
        assert!(of().await.is_empty());
        assert!(!backplane.delete("set").await.unwrap(), "an empty set is not there");
        backplane.remove("set", "b").await.unwrap();
    }

    pub(super) async fn a_set_expires_as_a_whole(stand: Stand) {
        let backplane = &stand.backplane;
        backplane.add("set", "a", SHORT).await.unwrap();
        backplane.add("lives", "a", SHORT).await.unwrap();
        backplane.add("lives", "a", LONG).await.unwrap();
        eventually("it expires", || async { backplane.members("set").await.unwrap().is_empty() }).await;
        assert_eq!(backplane.members("lives").await.unwrap(), ["a"]);
        backplane.add("set", "b", LONG).await.unwrap();
        assert_eq!(backplane.members("set").await.unwrap(), ["b"]);
    }

    pub(super) async fn a_set_that_is_overwritten_leaves_no_members(stand: Stand) {
        let backplane = &stand.backplane;
        backplane.add("key", "a", LONG).await.unwrap();
        backplane.set("key", bytes("x"), None).await.unwrap();
        assert_eq!(backplane.get("key").await.unwrap().unwrap(), "x");
        assert!(backplane.delete("key").await.unwrap());
        backplane.add("key", "b", LONG).await.unwrap();
        assert_eq!(backplane.members("key").await.unwrap(), ["b"]);
        assert!(backplane.delete("key").await.unwrap());
        backplane.add("key", "c", LONG).await.unwrap();
        assert_eq!(backplane.members("key").await.unwrap(), ["c"]);
    }

    pub(super) async fn a_prefix_is_cleared_to_the_letter(stand: Stand) {
        let backplane = &stand.backplane;
        let keys = ["app-s:1", "app-s:2", "app-S:1", "app*s:1", "app[s]:1", "app?", "other", "ü:1", r"app\*"];
        for key in keys {
            backplane.set(key, bytes("x"), Some(LONG)).await.unwrap();
        }
        backplane.add("app-s:set", "m", LONG).await.unwrap();
        backplane.count("app-s:counter", LONG).await.unwrap();
        for (prefix, many) in [("app*", 1), ("app[s", 1), ("app?", 1), (r"app\*", 1), ("app-s:", 4), ("ü", 1)]
        {
            assert_eq!(backplane.clear(prefix).await.unwrap(), many, "{prefix}");
            assert_eq!(backplane.clear(prefix).await.unwrap(), 0, "{prefix}");
        }
        assert!(backplane.members("app-s:set").await.unwrap().is_empty());
        assert_eq!(backplane.clear("").await.unwrap(), 2);
    }

    pub(super) async fn kinds_are_not_mixed_up(stand: Stand) {
        let backplane = &stand.backplane;
        backplane.set("value", bytes("x"), None).await.unwrap();
        backplane.add("set", "m", LONG).await.unwrap();
        assert!(is_refused(backplane.get("set").await));
        assert!(is_refused(backplane.get_living("set").await));
        assert!(is_refused(backplane.take("set").await));
        assert!(is_refused(backplane.swap("set", bytes("m"), bytes("x"), None).await));
        assert!(is_refused(backplane.count("set", LONG).await));
        assert!(is_refused(backplane.counted("set").await));
        assert!(is_refused(backplane.count("value", LONG).await));
        assert!(is_refused(backplane.counted("value").await));
        assert!(is_refused(backplane.add("value", "m", LONG).await));
        assert!(is_refused(backplane.remove("value", "m").await));
        assert!(is_refused(backplane.members("value").await));
        // None of it has changed anything.
        assert_eq!(backplane.get_living("value").await.unwrap().unwrap().remaining, None);
        assert_eq!(backplane.members("set").await.unwrap(), ["m"]);
        assert!(!backplane.set_new("set", bytes("x"), None).await.unwrap());
        assert!(backplane.is_up(), "a wrong question is not a failure of the store");
    }

    pub(super) async fn a_message_reaches_every_subscriber_of_its_channel(stand: Stand) {
        let backplane = &stand.backplane;
        backplane.publish("channel", bytes("nobody hears")).await.unwrap();
        let mut first = backplane.subscribe("channel").await.unwrap();
        let mut second = backplane.subscribe("channel").await.unwrap();
        let mut other = backplane.subscribe("another").await.unwrap();
        backplane.publish("channel", bytes("one")).await.unwrap();
        backplane.publish("another", Bytes::from_static(b"\0\xff")).await.unwrap();
        backplane.publish("channel", bytes("two")).await.unwrap();
        for stream in [&mut first, &mut second] {
            assert_eq!(next(stream).await, "one");
            assert_eq!(next(stream).await, "two");
        }
        assert_eq!(next(&mut other).await, &b"\0\xff"[..]);
        drop(second);
        backplane.publish("channel", bytes("three")).await.unwrap();
        assert_eq!(next(&mut first).await, "three");
    }

    pub(super) async fn the_end_of_a_backplane_ends_its_subscriptions(stand: Stand) {
        let mut messages = stand.backplane.subscribe("channel").await.unwrap();
        stand.backplane.close().await;
        let end = tokio::time::timeout(crate::PATIENCE, futures::StreamExt::next(&mut messages)).await;
        assert_eq!(end.unwrap(), None);
        // Twice is no harm.
        stand.backplane.close().await;
    }
}
