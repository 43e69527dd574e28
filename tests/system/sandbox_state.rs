//! Promise: a plugin sees what it kept in globals only within its own service, and only where the
//! service's policy allows reuse.

use luckystack_tests::{Act, Forge};

use crate::{arena, calls_seen, project};

#[tokio::test]
async fn a_reused_instance_sees_its_own_earlier_calls() {
    let host = arena("").start().await;
    for expected in 1..=5 {
        assert_eq!(calls_seen(&host).await, expected);
    }
}

#[tokio::test]
async fn with_an_instance_per_call_nothing_survives() {
    let host = arena("instances = \"per-call\"").start().await;
    for _ in 0..5 {
        assert_eq!(calls_seen(&host).await, 1);
    }
}

#[tokio::test]
async fn an_instance_ends_after_the_calls_that_it_may_serve() {
    let host = arena("max_calls_per_instance = 3").start().await;
    for expected in [1, 2, 3, 1, 2, 3, 1] {
        assert_eq!(calls_seen(&host).await, expected);
    }
}

#[tokio::test]
async fn services_with_the_same_code_share_no_state() {
    let count = |service| Forge::new(service, "counter").api("count", Act::Count);
    let host = project()
        .forged("one", "one.wasm", &count("one"))
        .forged("two", "two.wasm", &count("two"))
        .start()
        .await;
    for expected in 1..=3 {
        assert_eq!(host.get("/api/one/count/v1").await.result(), expected);
    }
    assert_eq!(host.get("/api/two/count/v1").await.result(), 1);
    assert_eq!(host.get("/api/one/count/v1").await.result(), 4);
}
