//! Promise: a plugin that claims what it may not is refused at load, with a message that names file,
//! route and rule; what ran before keeps serving.

use luckystack_tests::{Act, Forge, Host};
use serde_json::{Value, json};

use crate::arena;

/// The banner's lines about a skipped file.
fn skipped(host: &Host, file: &str) -> String {
    let banner = host.banner();
    let start =
        banner.find(&format!("/{file}")).unwrap_or_else(|| panic!("{file} was not skipped\n{banner}"));
    let line_start = banner[..start].rfind('\n').map_or(0, |at| at + 1);
    let end = banner[start..].find("\n\n").map_or(banner.len(), |at| start + at);
    let message = banner[line_start..end].to_owned();
    assert!(message.starts_with("skipped") && message.contains("\n  help: "), "{message}");
    message
}

fn route(extra: Value) -> Value {
    let mut route = json!({ "kind": "api", "name": "getThing", "version": 1 });
    for (key, value) in extra.as_object().cloned().unwrap_or_default() {
        route[key] = value;
    }
    route
}

fn rogue() -> Forge {
    Forge::new("rogue", "rogue")
}

#[tokio::test]
async fn a_manifest_that_claims_too_much_is_refused_with_file_route_and_rule() {
    let ok = || Act::success(json!(1));
    let with = |extra: Value| rogue().api("getOther", ok()).route(route(extra));
    let cases: Vec<(&str, Forge, &str)> = vec![
        (
            "service",
            Forge::new("vehicles", "thief").api("getAll", ok()),
            "it lies in the folder of \"rogue\"",
        ),
        ("system", Forge::new("system", "thief").api("session", ok()), "it lies in the folder of \"rogue\""),
        ("page", with(json!({ "page": "vehicles/sub" })), "not below the plugin's service"),
        ("name", with(json!({ "name": "9lives" })), "name"),
        ("slash", with(json!({ "name": "a/b" })), "name"),
        ("kind", with(json!({ "kind": "socket" })), "kind"),
        ("version", with(json!({ "version": -1 })), "-1"),
        ("method", with(json!({ "method": "PATCH" })), "PATCH"),
        ("rate", with(json!({ "rateLimit": true })), "rateLimit"),
        ("zero", with(json!({ "rateLimit": 0 })), "rateLimit"),
        ("key", with(json!({ "color": "red" })), "color"),
        ("auth", with(json!({ "auth": { "login": "yes" } })), "auth"),
        ("schema", with(json!({ "input": { "type": "vehicle" } })), "the input schema cannot be enforced"),
        ("twice", with(json!({ "name": "getOther" })), "listed twice"),
        ("sync", with(json!({ "kind": "sync-server" })), "does not export luckystack:plugin/sync-server"),
        ("noApi", rogue().route(route(json!({}))), "does not export luckystack:plugin/api"),
        (
            "noHooks",
            rogue().manifest("hooks", json!([{ "hook": "preApiExecute" }])),
            "luckystack:plugin/hooks",
        ),
        (
            "noFunctions",
            rogue().manifest("functions", json!([{ "name": "a/b" }])),
            "luckystack:plugin/functions",
        ),
        (
            "noFormatter",
            rogue().manifest("errorFormatter", json!("global")),
            "luckystack:plugin/error-formatter",
        ),
        ("hook", rogue().hook(json!({ "hook": "preApiExecut" }), Act::Nothing), "preApiExecut"),
        ("function", rogue().function("lonely", Act::Give(b"1".to_vec())), "lonely"),
        ("hostFunction", rogue().function("host/info", Act::Give(b"1".to_vec())), "host"),
        ("pluginName", Forge::new("rogue", "no spaces").api("getOther", ok()), "no spaces"),
        ("top", rogue().manifest("privileges", json!("all")), "privileges"),
        ("notJson", rogue().describe(Act::Give(b"I am a plugin".to_vec())), "did not return a manifest"),
        ("nothing", rogue().describe(Act::Give(Vec::new())), "did not return a manifest"),
        ("large", rogue().describe(Act::Give(vec![b' '; 5 << 20])), "bytes"),
    ];
    let mut project = arena("");
    for (file, forge, _) in &cases {
        project = project.forged("rogue", &format!("{file}-.wasm"), forge);
    }
    let host = project.start().await;
    for (file, _, rule) in &cases {
        let message = skipped(&host, &format!("{file}-.wasm"));
        assert!(message.contains(rule), "{rule:?} is missing in {message}");
    }
    host.get("/api/rogue/getOther/v1").await.assert_error(404, "api.notFound");
    let vehicles = host.get(crate::ORDINARY).await.result();
    assert_eq!(vehicles.as_array().map(Vec::len), Some(20), "the real service serves");
}

#[tokio::test]
async fn a_second_plugin_with_the_same_route_name_or_formatter_is_refused_and_the_first_serves() {
    let ok = || Act::success(json!("thief"));
    let host = arena("")
        .forged("vehicles", "zz-route.wasm", &Forge::new("vehicles", "other").api("getAll", ok()))
        .forged("vehicles", "zz-twin.wasm", &Forge::new("vehicles", "vehicles").api("getMore", ok()))
        .forged(
            "vehicles",
            "formatter-1.wasm",
            &Forge::new("vehicles", "one").error_formatter(true, Act::Nothing),
        )
        .forged(
            "vehicles",
            "formatter-2.wasm",
            &Forge::new("vehicles", "two").error_formatter(true, Act::Nothing),
        )
        .start()
        .await;
    for (file, rule) in [
        ("zz-route.wasm", "the route api/vehicles/getAll/v1 is already served by"),
        ("zz-twin.wasm", "a plugin called vehicles is already loaded from"),
        ("formatter-2.wasm", "the global error formatter is already"),
    ] {
        let message = skipped(&host, file);
        assert!(message.contains(rule), "{rule:?} is missing in {message}");
    }
    assert_eq!(host.get(crate::ORDINARY).await.result().as_array().map(Vec::len), Some(20));
    host.get("/api/vehicles/getMore/v1").await.assert_error(404, "api.notFound");
}

#[tokio::test]
async fn a_hook_that_this_host_never_dispatches_is_allowed_and_warned_about() {
    let forge = rogue().hook(json!({ "hook": "preCronRun" }), Act::Nothing);
    let host = arena("").forged("rogue", "rogue.wasm", &forge).start().await;
    assert!(host.banner().contains("warning: the hook preCronRun is never dispatched"), "{}", host.banner());
}

#[tokio::test]
async fn a_component_that_is_not_the_pinned_one_is_refused() {
    let pin = format!("pin = {{ \"hostile.wasm\" = \"{}\" }}", "0".repeat(64));
    let host = arena(&pin).start().await;
    let message = skipped(&host, "hostile.wasm");
    assert!(message.contains("stage: pin") && message.contains("but its content has"), "{message}");
    host.get("/api/hostile/healthy/v1").await.assert_error(404, "api.notFound");
}
