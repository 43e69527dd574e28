use std::time::{Duration, Instant};

use futures::FutureExt as _;

use super::*;

const BCRYPT: Scheme = Scheme::Bcrypt { cost: 4 };

fn passwords(scheme: Scheme) -> Passwords {
    Passwords::limited(scheme, 2, 16)
}

fn right(verdict: &Verdict) -> Option<&str> {
    match verdict {
        Verdict::Right { rehash } => Some(rehash.as_deref().unwrap_or_default()),
        Verdict::Wrong | Verdict::Busy => None,
    }
}

/// Passwords with hashes that other programs made.
const VECTORS: [(&str, &str); 11] = [
    // bcryptjs 3, `hashSync`.
    ("correct horse battery staple", "$2b$04$SJPr6CL3ApUXUdMurUvHrePs5xeoAtDtg8AMZuuNvKAcUMbf2XUH2"),
    ("pässwörd-✓", "$2b$04$qmNX/3oEhE2OlqrYd6A6m.RgMrIBE73vh5TwRD/6L54iX1fxsDWh6"),
    ("Sommer2024!", "$2b$10$/vavyM8zHG2E9s54l1Md5u96tzDCoYzz.tTtfYfAA5ynzZFXZ2uyO"),
    (
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "$2b$04$RmHAYf/EwF3ZoDXSpIWmWOH2SyP5ehxoh8PbK20QGB1iSBn6kucyK",
    ),
    // The vectors that come with jBCrypt; `$2y$` is how PHP names the same.
    ("", "$2a$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s."),
    ("a", "$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe"),
    ("abc", "$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i"),
    ("abc", "$2y$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i"),
    ("abc", "$2b$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i"),
    // Argon2's reference implementation.
    ("password", "$argon2i$v=19$m=65536,t=2,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b+dWRWJTmaaJObG"),
    ("password", "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"),
];

#[tokio::test]
async fn hashes_of_other_programs_are_checked() {
    let passwords = passwords(Scheme::Argon2id);
    for (password, hash) in VECTORS {
        assert!(right(&passwords.check(password, Some(hash)).await).is_some(), "{hash}");
        let other = format!("{password}x");
        let expected = Verdict::Wrong;
        assert_eq!(passwords.check(&other, Some(hash)).await, expected, "{hash}");
    }
}

#[tokio::test]
async fn a_new_hash_has_the_configured_kind_and_cost() {
    let argon2 = passwords(Scheme::Argon2id).hash("hunter42!").await.unwrap();
    assert!(argon2.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{argon2}");
    let bcrypt = passwords(Scheme::Bcrypt { cost: 5 }).hash("hunter42!").await.unwrap();
    assert!(bcrypt.starts_with("$2b$05$"), "{bcrypt}");

    let again = passwords(Scheme::Argon2id).hash("hunter42!").await.unwrap();
    assert_ne!(argon2, again, "two hashes of one password share a salt");
}

#[tokio::test]
async fn a_hash_as_configured_is_kept() {
    for scheme in [Scheme::Argon2id, BCRYPT] {
        let passwords = passwords(scheme);
        let hash = passwords.hash("hunter42!").await.unwrap();
        let verdict = passwords.check("hunter42!", Some(&hash)).await;
        assert_eq!(verdict, Verdict::Right { rehash: None });
        assert_eq!(passwords.check("hunter42?", Some(&hash)).await, Verdict::Wrong);
    }
}

#[tokio::test]
async fn a_hash_of_another_kind_or_cost_is_replaced() {
    let elsewhere = [
        passwords(Scheme::Bcrypt { cost: 5 }).hash("password").await.unwrap(),
        VECTORS[9].1.to_owned(),
        VECTORS[10].1.to_owned(),
    ];
    for scheme in [Scheme::Argon2id, BCRYPT] {
        let passwords = passwords(scheme);
        for old in &elsewhere {
            let verdict = passwords.check("password", Some(old)).await;
            let new = right(&verdict).unwrap_or_else(|| panic!("{old}"));
            assert!(
                new.starts_with(if matches!(scheme, Scheme::Bcrypt { .. }) {
                    "$2b$04$"
                } else {
                    "$argon2id$"
                }),
                "{new}"
            );
            assert_eq!(passwords.check("password", Some(new)).await, Verdict::Right { rehash: None });
        }
    }
    // The prefix is history: `$2a$` of the configured cost stays.
    let passwords = passwords(Scheme::Bcrypt { cost: 6 });
    assert_eq!(passwords.check("abc", Some(VECTORS[6].1)).await, Verdict::Right { rehash: None });
}

#[tokio::test]
async fn what_bcrypt_would_not_look_at_is_never_taken_as_right() {
    let bcrypt = passwords(BCRYPT);
    let longest = "x".repeat(72);
    let hash = bcrypt.hash(&longest).await.unwrap();
    assert_eq!(bcrypt.check(&longest, Some(&hash)).await, Verdict::Right { rehash: None });
    assert_eq!(bcrypt.check(&format!("{longest}y"), Some(&hash)).await, Verdict::Wrong);

    let refused = bcrypt.hash(&format!("{longest}y")).await.unwrap_err();
    assert!(refused.contains("72 bytes"), "{refused}");

    // argon2 looks at all of it; bcrypt cannot replace it, so it stays.
    let long = "z".repeat(100);
    let hash = passwords(Scheme::Argon2id).hash(&long).await.unwrap();
    assert_eq!(bcrypt.check(&long, Some(&hash)).await, Verdict::Right { rehash: None });
}

#[tokio::test]
async fn a_hash_that_cannot_be_read_is_wrong() {
    let hashes = [
        "",
        "password",
        "$1$salt$hash",
        "$2b$",
        "$2b$04$tooShort",
        "$2b$99$SJPr6CL3ApUXUdMurUvHrePs5xeoAtDtg8AMZuuNvKAcUMbf2XUH2",
        "$2b$31$SJPr6CL3ApUXUdMurUvHrePs5xeoAtDtg8AMZuuNvKAcUMbf2XUH2",
        "$2b$04$ÄJPr6CL3ApUXUdMurUvHrePs5xeoAtDtg8AMZuuNvKAcUMbf2XUH",
        "$argon2id$",
        "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ",
        "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$",
        "$argon2id$v=7$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$argon2id$v=19$m=4294967295,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$argon2id$v=19$m=65536,t=4294967295,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$argon2x$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
    ];
    let passwords = passwords(BCRYPT);
    for hash in hashes {
        for password in ["password", ""] {
            assert_eq!(passwords.check(password, Some(hash)).await, Verdict::Wrong, "{hash}");
        }
    }
}

#[tokio::test]
async fn beyond_the_queue_an_answer_is_busy_at_once() {
    let passwords = Passwords::limited(BCRYPT, 1, 1);
    let hash = passwords.hash("hunter42!").await.unwrap();
    let check = || passwords.check("hunter42!", Some(&hash));
    let held = passwords.work.clone().acquire_owned().await.unwrap();
    let (first, second, third, fourth, ()) =
        tokio::join!(check(), check(), check(), passwords.hash("hunter42!"), async { drop(held) });
    assert_eq!(first, Verdict::Right { rehash: None });
    assert_eq!(second, Verdict::Right { rehash: None });
    assert_eq!(third, Verdict::Busy);
    assert!(fourth.unwrap_err().contains("try again"));

    assert_eq!(check().await, Verdict::Right { rehash: None }, "the queue is free again");
}

#[tokio::test]
async fn a_caller_who_gives_up_makes_no_room_before_the_work_is_done() {
    let passwords = Passwords::limited(Scheme::Bcrypt { cost: 13 }, 1, 0);
    assert!(passwords.check("hunter42!", None).now_or_never().is_none());
    assert_eq!(passwords.check("hunter42!", None).await, Verdict::Busy);
    let _done = passwords.room.acquire().await.unwrap();
}

#[tokio::test]
async fn time_does_not_tell_who_is_registered() {
    for scheme in [Scheme::Argon2id, Scheme::Bcrypt { cost: 8 }] {
        let passwords = passwords(scheme);
        let hash = passwords.hash("hunter42!").await.unwrap();
        let mut times: [Vec<Duration>; 3] = Default::default();
        // In turns, so that a machine that gets busier slows all three.
        for _ in 0..15 {
            for (times, hash) in times.iter_mut().zip([Some(hash.as_str()), None, Some("unreadable")]) {
                let started = Instant::now();
                assert_eq!(passwords.check("wrong", hash).await, Verdict::Wrong);
                times.push(started.elapsed());
            }
        }
        let [registered, unknown, unreadable] = times.map(|mut times| {
            times.sort();
            times[times.len() / 2]
        });
        for other in [unknown, unreadable] {
            assert!(
                other < registered * 2 && registered < other * 2,
                "{scheme:?}: {registered:?} with a hash, {other:?} without"
            );
        }
    }
}

#[test]
fn argon2_has_the_parameters_that_the_constants_say() {
    let argon2 = argon2id();
    let params = argon2.params();
    assert_eq!((params.m_cost(), params.t_cost(), params.p_cost()), (19_456, 2, 1));
    assert_eq!(params.output_len(), Some(32));
}

#[test]
fn a_verdict_prints_no_hash() {
    let verdict = Verdict::Right { rehash: Some("$argon2id$secret".to_owned()) };
    assert!(!format!("{verdict:?}").contains("secret"));
}
