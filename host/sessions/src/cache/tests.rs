use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use luckystack_plugins::call::Session;
use proptest::prelude::*;
use tokio::time::Instant;

use super::{Cache, FEWEST_UNKNOWN, Known, SHARDS, Terms, Ticket, UNKNOWN_LIFE};

const SECOND: Duration = Duration::from_secs(1);

fn session(token: &str) -> Arc<Session> {
    Arc::new(Session::read(token, Bytes::from_static(br#"{"id":"u"}"#)).unwrap())
}

fn cache(now: Instant) -> Cache {
    Cache::new(100_000, true, now)
}

/// Ends in 100 seconds, due in 10.
fn terms(now: Instant) -> Terms {
    Terms { ends: now + 100 * SECOND, due: now + 10 * SECOND }
}

fn ticket(cache: &Cache, token: &str, now: Instant) -> Ticket {
    match cache.look(token, now, now) {
        Known::Nothing(ticket) => ticket,
        other => panic!("{other:?}"),
    }
}

fn keep(cache: &Cache, token: &str, now: Instant) {
    cache.keep(ticket(cache, token, now), &session(token), terms(now), now, now);
}

#[test]
fn a_kept_session_is_found_until_its_life_is_due() {
    let now = Instant::now();
    let cache = cache(now);
    keep(&cache, "t", now);
    assert_eq!(cache.get("t", now).unwrap().token, "t");
    assert!(cache.get("t", now + 9 * SECOND).is_some());
    assert!(cache.get("t", now + 10 * SECOND).is_none());
    assert!(cache.get("other", now).is_none());
}

#[test]
fn one_reader_makes_a_due_life_longer_and_the_others_go_on_meanwhile() {
    let now = Instant::now();
    let cache = cache(now);
    keep(&cache, "t", now);
    let late = now + 10 * SECOND;
    let again = late + 10 * SECOND;
    assert!(matches!(cache.look("t", late, again), Known::Due(..)));
    assert!(matches!(cache.look("t", late, again), Known::Live(_)));
    assert!(cache.get("t", late).is_some());
    assert!(matches!(cache.look("t", again, again + SECOND), Known::Due(..)));
}

#[test]
fn of_those_who_read_a_due_session_at_once_one_makes_its_life_longer() {
    let now = Instant::now();
    let cache = cache(now);
    let (one, two) = (ticket(&cache, "t", now), ticket(&cache, "t", now));
    let due = Terms { ends: now + 5 * SECOND, due: now };
    assert!(cache.keep(one, &session("t"), due, now, now + SECOND));
    assert!(!cache.keep(two, &session("t"), due, now, now + SECOND));
}

#[test]
fn a_session_is_not_found_after_its_end() {
    let now = Instant::now();
    let cache = cache(now);
    cache.keep(
        ticket(&cache, "t", now),
        &session("t"),
        Terms { ends: now + SECOND, due: now + 10 * SECOND },
        now,
        now,
    );
    assert!(cache.get("t", now).is_some());
    assert!(cache.get("t", now + SECOND).is_none());
    assert!(matches!(cache.look("t", now + SECOND, now), Known::Nothing(_)));
    assert!(matches!(cache.peek("t", now + SECOND), Known::Nothing(_)));
}

#[test]
fn an_answer_from_before_a_change_is_not_kept() {
    let now = Instant::now();
    let cache = cache(now);
    let before = ticket(&cache, "t", now);
    cache.forget("t");
    cache.keep(before, &session("t"), terms(now), now, now);
    assert!(cache.get("t", now).is_none());
    cache.keep_unknown(before, "t", now);
    assert!(matches!(cache.look("t", now, now), Known::Nothing(_)));
    cache.put(before, &session("t"), terms(now), now);
    assert!(cache.get("t", now).is_none());
}

#[test]
fn an_answer_from_before_an_own_write_is_not_kept() {
    let now = Instant::now();
    let cache = cache(now);
    let (reader, writer) = (ticket(&cache, "t", now), ticket(&cache, "t", now));
    let new = session("t");
    cache.put(writer, &new, terms(now), now);
    cache.keep(reader, &session("t"), terms(now), now, now);
    assert!(Arc::ptr_eq(&cache.get("t", now).unwrap(), &new));
    // Nor when what was written is not remembered any more.
    let (reader, writer) = (cache.ticket("t"), cache.ticket("t"));
    cache.put(writer, &new, Terms { ends: now, due: now }, now);
    cache.keep(reader, &session("t"), terms(now), now, now);
    assert!(cache.get("t", now).is_none());
}

#[test]
fn an_answer_from_before_everything_changed_is_not_kept() {
    let now = Instant::now();
    let cache = cache(now);
    keep(&cache, "old", now);
    let before = ticket(&cache, "t", now);
    cache.forget_all();
    cache.keep(before, &session("t"), terms(now), now, now);
    assert!(cache.get("t", now).is_none());
    assert!(cache.get("old", now).is_none());
}

#[test]
fn nothing_is_kept_while_the_cache_is_not_trusted() {
    let now = Instant::now();
    let cache = cache(now);
    let before = ticket(&cache, "t", now);
    keep(&cache, "old", now);
    cache.trust(false);
    assert!(cache.get("old", now).is_none());
    keep(&cache, "t", now);
    cache.keep(before, &session("t"), terms(now), now, now);
    assert!(cache.get("t", now).is_none());
    let untrusted = ticket(&cache, "t", now);
    cache.trust(true);
    cache.keep(untrusted, &session("t"), terms(now), now, now);
    assert!(cache.get("t", now).is_none());
    keep(&cache, "t", now);
    assert!(cache.get("t", now).is_some());
}

#[test]
fn an_ending_session_is_refused_and_not_kept() {
    let now = Instant::now();
    let cache = cache(now);
    keep(&cache, "t", now);
    cache.mark("t");
    cache.mark("t");
    assert!(cache.get("t", now).is_none());
    cache.unmark("t");
    assert!(matches!(cache.look("t", now, now), Known::Ending));
    assert!(matches!(cache.peek("t", now), Known::Ending));
    // With a ticket of now: only the mark keeps it out.
    cache.keep(cache.ticket("t"), &session("t"), terms(now), now, now);
    cache.put(cache.ticket("t"), &session("t"), terms(now), now);
    assert!(cache.get("t", now).is_none());
    let during = cache.ticket("t");
    cache.unmark("t");
    cache.keep(during, &session("t"), terms(now), now, now);
    assert!(cache.get("t", now).is_none());
    keep(&cache, "t", now);
    assert!(cache.get("t", now).is_some());
}

#[test]
fn unknown_tokens_are_remembered_for_a_while_and_until_they_are_written() {
    let now = Instant::now();
    let cache = cache(now);
    cache.keep_unknown(ticket(&cache, "t", now), "t", now);
    assert!(matches!(cache.look("t", now, now), Known::Unknown));
    assert!(matches!(cache.peek("t", now), Known::Unknown));
    assert!(matches!(cache.look("t", now + UNKNOWN_LIFE, now), Known::Nothing(_)));
    cache.put(cache.ticket("t"), &session("t"), terms(now), now);
    assert!(matches!(cache.look("t", now, now), Known::Live(_)));
    cache.forget("t");
    cache.keep_unknown(ticket(&cache, "t", now), "t", now);
    cache.forget("t");
    assert!(matches!(cache.look("t", now, now), Known::Nothing(_)));
}

#[test]
fn a_longer_life_counts_unless_somebody_changed_the_session() {
    let now = Instant::now();
    let cache = cache(now);
    keep(&cache, "t", now);
    let longer = Terms { ends: now + 200 * SECOND, due: now + 150 * SECOND };
    let old = cache.ticket("t");
    cache.prolong(old, "t", longer);
    assert!(cache.get("t", now + 149 * SECOND).is_some());
    cache.forget("t");
    keep(&cache, "t", now);
    cache.prolong(old, "t", longer);
    assert!(cache.get("t", now + 149 * SECOND).is_none());
}

#[test]
fn the_cache_stays_within_its_bound_and_keeps_what_is_used() {
    let start = Instant::now();
    let cache = Cache::new(6400, true, start);
    keep(&cache, "used", start);
    for n in 0..50_000_u32 {
        let now = start + Duration::from_millis(n.into());
        keep(&cache, &n.to_string(), now);
        if n % 10 == 0 {
            // Looked at so often that its life is never over.
            cache.prolong(cache.ticket("used"), "used", terms(now));
            assert!(cache.get("used", now).is_some(), "pushed out after {n}");
        }
    }
    let (live, _) = cache.len();
    assert!((3200..=6400).contains(&live), "{live} are held");
    cache.resize(640);
    assert!(cache.len().0 <= 640);
}

#[test]
fn a_flood_of_unknown_tokens_stays_within_its_bound_and_pushes_no_session_out() {
    let now = Instant::now();
    let cache = Cache::new(640, true, now);
    keep(&cache, "t", now);
    for n in 0..50_000 {
        let token = n.to_string();
        cache.keep_unknown(cache.ticket(&token), &token, now);
    }
    assert!(cache.len().1 <= SHARDS * FEWEST_UNKNOWN);
    assert!(cache.get("t", now).is_some());
}

/// What happens to one session, its readers being several.
#[derive(Clone, Debug)]
enum Step {
    /// A reader begins: takes a ticket and sees the store's present version.
    Ask(usize),
    /// Its answer arrives.
    Answer(usize),
    /// Somebody else writes; the notice is under way.
    Write,
    /// The notice arrives.
    Notice,
    /// This host writes.
    Put,
    Distrust,
    Trust,
}

proptest! {
    /// Once all notices have arrived, what is cached is what is stored.
    #[test]
    fn a_cached_session_is_never_older_than_the_last_notice(
        steps in proptest::collection::vec(prop_oneof![
            (0..3_usize).prop_map(Step::Ask),
            (0..3_usize).prop_map(Step::Answer),
            Just(Step::Write),
            Just(Step::Notice),
            Just(Step::Put),
            Just(Step::Distrust),
            Just(Step::Trust),
        ], 0..60)
    ) {
        let now = Instant::now();
        let cache = cache(now);
        // The store's versions are the number of the write; a session shows its version as its name.
        let version = |n: usize| {
            Arc::new(Session::read("t", Bytes::from(format!(r#"{{"id":"{}"}}"#, n + 1))).unwrap())
        };
        let (mut stored, mut told) = (0, 0);
        let mut readers: [Option<(Ticket, usize)>; 3] = [None; 3];
        for step in steps {
            match step {
                Step::Ask(n) => readers[n] = Some((cache.ticket("t"), stored)),
                Step::Answer(n) => if let Some((ticket, seen)) = readers[n].take() {
                    cache.keep(ticket, &version(seen), terms(now), now, now);
                },
                Step::Write => stored += 1,
                Step::Notice => {
                    told = stored;
                    cache.forget("t");
                }
                Step::Put => {
                    let ticket = cache.ticket("t");
                    stored += 1;
                    cache.put(ticket, &version(stored), terms(now), now);
                }
                // While nobody tells of changes, notices are lost.
                Step::Distrust => cache.trust(false),
                Step::Trust => {
                    cache.trust(false);
                    told = stored;
                    cache.trust(true);
                }
            }
            if let Some(session) = cache.get("t", now) {
                let seen: usize = session.user_id.parse().unwrap();
                prop_assert!(seen > told, "version {seen} is cached, {told} was told of");
            }
        }
    }
}
