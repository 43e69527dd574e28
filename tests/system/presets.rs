//! Which services a host loads, and what it says of them when it starts.

use serde_json::json;

use crate::{ORDINARY, example};

#[tokio::test]
async fn the_banner_tells_presets_services_plugins_routes_and_address() {
    let host = example().start_with(&["--port", "0", "--preset", "fleet"]).await;
    let banner = host.banner();
    for part in [
        "preset    fleet: Vehicles and what they need",
        "services  audit, system, vehicles",
        "vehicles  vehicles 1.0.0 (example-plugins/vehicles/vehicles.wasm)",
        "GET    /api/vehicles/getAll/v1",
        "POST   /api/vehicles/track/v1",
        "stream",
        "public",
        "All vehicles of the fleet.",
        "hook      postApiExecute",
        "function  geo/distance",
        "listening on http://localhost:",
        "ready in ",
        "(5 plugins, ",
    ] {
        // Five plugins: three services, of which the session is one's, and the project functions.
        let part = if part == "(5 plugins, " { "(5 plugins, " } else { part };
        assert!(banner.contains(part), "{part:?} is missing in\n{banner}");
    }
    assert!(!banner.contains("billing"), "{banner}");
}

#[tokio::test]
async fn several_presets_are_loaded_together_and_all_without_a_choice() {
    for args in [
        &["--port", "0", "--preset", "fleet,finance"][..],
        &["--port", "0", "--preset", "fleet", "--preset", "finance"],
        &["--port", "0"],
    ] {
        let host = example().start_with(args).await;
        assert_eq!(host.get(ORDINARY).await.status, 200);
        assert_eq!(host.get("/api/billing/listInvoices/v1").await.result(), json!([]));
    }
}

#[tokio::test]
async fn the_other_preset_serves_the_other_services() {
    let host = example().start_with(&["--port", "0", "-p", "finance"]).await;
    assert_eq!(host.get("/api/billing/listInvoices/v1").await.status, 200);
    let vehicles = host.get(ORDINARY).await;
    vehicles.assert_error(502, "serviceNotAssigned");
    assert_eq!(vehicles.param("service"), "vehicles");
}

#[tokio::test]
async fn a_wrong_preset_lists_the_right_ones() {
    let output = example().run(&["--preset", "fleeet"]).await;
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    for part in ["fleeet", "fleet", "finance"] {
        assert!(error.contains(part), "{error}");
    }
}
