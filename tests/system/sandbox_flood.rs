//! Promise: when clients flood a service, only its own queue fills; others keep their latency, and what
//! is too much is refused with a hint when to try again.

use std::time::Duration;

use luckystack_tests::Call;

use crate::{arena, calls_seen, under_load, volley};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_full_queue_cannot_take_is_refused_at_once_with_a_retry_hint() {
    let host = arena("concurrency = 2\nqueue = 4\ndeadline = \"2s\"").start().await;
    let answers = under_load(&host, volley(&host, Call::get("/api/hostile/spin/v1"), 40)).await;
    let mut at_once = 0;
    for (answer, took) in &answers {
        if answer.status == 504 {
            answer.assert_error(504, "api.timeout");
            continue;
        }
        answer.assert_error(503, "api.serviceBusy");
        let seconds = answer.param("seconds").as_u64().expect("a number of seconds");
        assert!(seconds >= 1, "{seconds}");
        assert_eq!(answer.header("retry-after"), Some(&*seconds.to_string()));
        at_once += usize::from(*took < Duration::from_millis(1500));
    }
    let timeouts = answers.iter().filter(|(answer, _)| answer.status == 504).count();
    assert!((2..=6).contains(&timeouts), "{timeouts} of 2 places and 4 in the queue timed out");
    assert!(at_once >= 40 - 2 - 4, "{at_once} were refused at once");
    assert_eq!(calls_seen(&host).await, 1, "the service serves again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_short_calls_is_queued_and_answered() {
    let host = arena("concurrency = 2\nqueue = 100").start().await;
    let answers = under_load(&host, volley(&host, Call::get("/api/hostile/healthy/v1"), 60)).await;
    assert!(answers.iter().all(|(answer, _)| answer.status == 200));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn being_refused_does_not_make_a_service_degraded() {
    let host = arena("concurrency = 1\nqueue = 0\ndeadline = \"1s\"\ndegraded_after = 2").start().await;
    volley(&host, Call::get("/api/hostile/spin/v1"), 20).await;
    let checks = host.get("/readyz").await.json()["checks"]["plugins"].clone();
    assert_eq!(checks["ok"], true, "{checks}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_takes_every_common_instance_leaves_each_other_service_its_own() {
    let host = arena("concurrency = 6\nqueue = 100\ndeadline = \"2s\"")
        .settings(
            "[rate_limiting]\nenabled = false\n\n[http]\nmax_requests_per_second_per_connection = false\n\n\
             [engine]\nmax_instances = 6\n",
        )
        .start()
        .await;
    let answers = under_load(&host, volley(&host, Call::get("/api/hostile/spin/v1"), 12)).await;
    let timeouts = answers.iter().filter(|(answer, _)| answer.status == 504).count();
    assert!(timeouts >= 5, "the attack took the budget: {timeouts} calls spun to their deadline");
    assert_eq!(calls_seen(&host).await, 1, "the service serves again");
}
