//! Promise: a service whose every call traps is reported as degraded in health, and the log says so once
//! per interval, not per call.

use luckystack_tests::{Act, Call, Forge};
use serde_json::json;

use crate::{arena, calls_seen, under_load, volley};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_always_traps_is_degraded_and_logged_once() {
    let trap = Forge::new("rogue", "rogue").api("trap", Act::Trap);
    let host =
        arena("").forged("rogue", "rogue.wasm", &trap).service("rogue", "degraded_after = 3").start().await;
    let checks = async || host.get("/readyz").await.json()["checks"]["plugins"].clone();
    assert_eq!(checks().await, json!({ "ok": true, "degraded": [] }));
    under_load(&host, async {
        for _ in 0..5 {
            for (answer, _) in volley(&host, Call::get("/api/rogue/trap/v1"), 10).await {
                answer.assert_error(500, "api.internalServerError");
            }
        }
    })
    .await;
    assert_eq!(checks().await, json!({ "ok": false, "degraded": ["rogue"] }));
    let ready = host.get("/readyz").await;
    assert_eq!((ready.status, &ready.json()["status"]), (200, &json!("ready")), "others are served as ever");
    host.wait_for_log("service degraded").await;
    assert_eq!(host.log_lines("service degraded").len(), 1, "{}", host.log());
    assert_eq!(host.log_lines("call failed").len(), 2, "those before the threshold: {}", host.log());
}

#[tokio::test]
async fn one_success_heals_a_degraded_service() {
    let host = arena("degraded_after = 2").start().await;
    for _ in 0..4 {
        host.get("/api/hostile/abort/v1").await.assert_error(500, "api.internalServerError");
    }
    let ok = async || host.get("/readyz").await.json()["checks"]["plugins"]["ok"].clone();
    assert_eq!(ok().await, false);
    assert_eq!(calls_seen(&host).await, 1);
    assert_eq!(ok().await, true);
}
