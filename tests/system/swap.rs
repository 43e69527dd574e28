//! Promise: what is dropped into a plugin folder is live without a restart; a swap is whole, drops
//! nothing, and what cannot take over changes nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use luckystack_tests::guests::Guest;
use luckystack_tests::{Act, Call, Forge, Host, Project};
use serde_json::{Value, json};

use crate::{arena, project};

/// `open` of `wasi:keyvalue/store`, which nobody granted.
const OPEN: &str = "(param i32 i32 i32)";

const ROUTE: &str = "/api/versions/get/v1";

/// A component whose answer is its version.
fn version(number: u64) -> Forge {
    Forge::new("versions", "versions").api("get", Act::success(json!(number)))
}

fn versions() -> Project {
    project().forged("versions", "versions.wasm", &version(0)).settings(
        "[rate_limiting]\nenabled = false\n\n[http]\nmax_requests_per_second_per_connection = false\n",
    )
}

fn file(host: &Host, service: &str, name: &str) -> PathBuf {
    host.dir().join("plugins").join(service).join(name)
}

/// Puts a component in its place as builders do: beside it first, then renamed.
fn put(path: &Path, bytes: &[u8]) {
    let beside = path.with_extension("tmp");
    fs::write(&beside, bytes).unwrap();
    fs::rename(beside, path).unwrap();
}

async fn state(host: &Host) -> Value {
    host.get("/_host").await.json()
}

/// What `/_host` says of a file.
async fn plugin(host: &Host, name: &str) -> Value {
    let state = state(host).await;
    let plugins = state["live"]["plugins"].as_array().unwrap();
    let found = plugins.iter().find(|plugin| plugin["file"].as_str().unwrap().ends_with(name));
    found.unwrap_or_else(|| panic!("{name} is not in {state}")).clone()
}

#[tokio::test]
async fn two_hundred_swaps_under_full_load_fail_no_request_and_never_go_back() {
    const SWAPS: u64 = 200;
    let host = versions().alone().start_with(&["--dev"]).await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut clients = Vec::new();
    for _ in 0..4 {
        let mut connection = host.connect().await;
        let stop = Arc::clone(&stop);
        clients.push(tokio::spawn(async move {
            let (mut requests, mut seen) = (0_u64, vec![0]);
            while !stop.load(Ordering::Relaxed) {
                let answer = connection.send(Call::get(ROUTE)).await;
                assert_eq!(answer.status, 200, "after {requests} requests: {}", answer.text());
                let version = answer.result().as_u64().unwrap();
                let last = *seen.last().unwrap();
                assert!(version >= last, "version {version} after {last}");
                if version > last {
                    seen.push(version);
                }
                requests += 1;
            }
            (requests, seen.len() as u64)
        }));
    }
    let path = file(&host, "versions", "versions.wasm");
    let mut probe = host.connect().await;
    for number in 1..=SWAPS {
        put(&path, &version(number).build());
        while probe.send(Call::get(ROUTE)).await.result() != json!(number) {
            tokio::task::yield_now().await;
        }
    }
    stop.store(true, Ordering::Relaxed);
    let mut requests = 0;
    for client in clients {
        let (answered, seen) = client.await.unwrap();
        requests += answered;
        assert!(seen > SWAPS / 2, "a client at full speed saw {seen} versions only");
    }
    assert!(requests > SWAPS * 10, "{requests} requests are no load");
    let live = plugin(&host, "versions.wasm").await;
    assert_eq!(live["problem"], Value::Null);
}

#[tokio::test]
async fn a_new_component_appears_and_a_removed_one_is_withdrawn() {
    let host = versions().start_with(&["--dev"]).await;
    let other = Forge::new("versions", "other").api("getOther", Act::success(json!("here")));
    let path = file(&host, "versions", "other.wasm");
    put(&path, &other.build());
    host.wait_for_log("added     versions: other").await;
    assert_eq!(host.get("/api/versions/getOther/v1").await.result(), "here");

    fs::remove_file(&path).unwrap();
    host.wait_for_log("withdrawn versions: other").await;
    host.get("/api/versions/getOther/v1").await.assert_error(404, "api.notFound");
    assert_eq!(host.get(ROUTE).await.result(), 0, "its neighbour never noticed");
}

#[tokio::test]
async fn what_cannot_take_over_leaves_the_old_version_serving_and_says_file_stage_and_remedy() {
    let host = versions().start_with(&["--dev"]).await;
    let path = file(&host, "versions", "versions.wasm");
    let good = version(1).build();
    let cut = &good[..good.len() / 2];
    let cases: [(&str, Vec<u8>); 7] = [
        ("recognise", b"not a component".to_vec()),
        ("compile", cut.to_vec()),
        ("link", version(1).import("wasi:keyvalue/store@0.2.0-draft", "open", OPEN).build()),
        ("describe", version(1).describe(Act::Trap).build()),
        ("describe", version(1).start(Act::Trap).build()),
        ("manifest", Forge::new("others", "versions").api("get", Act::success(json!(1))).build()),
        ("manifest", version(1).route(json!({"kind": "api", "name": "get", "version": 1})).build()),
    ];
    for (number, (stage, bytes)) in cases.iter().enumerate() {
        put(&path, bytes);
        let line = host.wait_for_log_line("refused   ", number + 1).await;
        assert!(line.contains("versions.wasm") && line.contains(&format!("(stage: {stage})")), "{line}");
        assert_eq!(host.get(ROUTE).await.result(), 0, "{stage}");
        let live = plugin(&host, "versions.wasm").await;
        assert_eq!(live["problem"]["stage"], *stage, "{live}");
        assert!(!live["problem"]["remedy"].as_str().unwrap().is_empty(), "{live}");
        assert!(live["serving"]["version"]["sha256"].is_string(), "{live}");
    }
    put(&path, &good);
    host.wait_for_log("swapped   versions").await;
    assert_eq!(host.get(ROUTE).await.result(), 1);
    assert_eq!(plugin(&host, "versions.wasm").await["problem"], Value::Null);
    let health = host.get("/_health").await.json();
    assert!(
        !health.to_string().contains("degraded\":[\"versions"),
        "failed loads are no failed calls: {health}"
    );
}

#[tokio::test]
async fn a_component_whose_initialiser_traps_only_when_it_is_made_again_is_refused_at_instantiate() {
    // Its manifest is known from before, so `describe` is not called; the instance is made all the same.
    let bad = version(7).start(Act::Trap).build();
    let host = versions().start_with(&["--dev"]).await;
    let sha = {
        use sha2::{Digest, Sha256};
        Sha256::digest(&bad).iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let cache = luckystack_tests::project::shared_cache().join("luckystack-host");
    let key = fs::read_dir(&cache)
        .unwrap()
        .find_map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let (_, rest) = name.strip_suffix(".manifest.json")?.split_once('-')?;
            Some(rest.to_owned())
        })
        .unwrap();
    let manifest = json!({
        "name": "versions", "version": "1.0.0", "service": "versions",
        "routes": [{ "kind": "api", "name": "get", "version": 1 }],
    });
    fs::write(cache.join(format!("{}-{key}.manifest.json", &sha[..32])), manifest.to_string()).unwrap();
    put(&file(&host, "versions", "versions.wasm"), &bad);
    let line = host.wait_for_log("refused   ").await;
    assert!(line.contains("(stage: instantiate)"), "{line}");
    assert_eq!(host.get(ROUTE).await.result(), 0);
}

#[tokio::test]
async fn a_copy_in_many_steps_is_read_when_it_is_complete() {
    use std::io::Write;
    let host = versions().start_with(&["--dev"]).await;
    let bytes = version(1).build();
    let mut copy = fs::File::create(file(&host, "versions", "versions.wasm")).unwrap();
    for part in bytes.chunks(bytes.len() / 4 + 1) {
        copy.write_all(part).unwrap();
        copy.sync_all().unwrap();
        // The pauses of a slow copy are what this test is about.
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        assert_eq!(host.get(ROUTE).await.result(), 0);
    }
    drop(copy);
    host.wait_for_log("swapped   versions").await;
    assert_eq!(host.get(ROUTE).await.result(), 1);
    assert_eq!(host.log_lines("refused"), Vec::<String>::new());
}

#[tokio::test]
async fn a_call_in_flight_ends_on_the_version_it_began_on() {
    let host = arena("deadline = \"30s\"\nmax_stream = \"64MiB\"").start_with(&["--dev"]).await;
    let call = Call::post("/api/hostile/stream/v1")
        .json(&json!({ "chunks": 200, "bytes": 60_000, "stubborn": false }));
    let mut stream = host.connect().await.stream(call).await;
    assert_eq!(stream.next().await.unwrap().data["number"], 1);
    // 12 MB do not fit into the buffers between: the handler waits for this client in the middle.
    let path = file(&host, "hostile", "hostile.wasm");
    put(&path, &Forge::new("hostile", "hostile").api("getNew", Act::success(json!("new"))).build());
    host.wait_for_log("swapped   hostile").await;
    assert_eq!(host.get("/api/hostile/getNew/v1").await.result(), "new");
    host.get("/api/hostile/healthy/v1").await.assert_error(404, "api.notFound");
    let events = stream.rest().await;
    assert_eq!(events.last().unwrap().data["result"]["sent"], 200);
}

#[tokio::test]
async fn a_newcomer_that_claims_a_route_waits_until_its_owner_is_gone() {
    let host = versions().start_with(&["--dev"]).await;
    let thief = Forge::new("versions", "a-thief").api("get", Act::success(json!("stolen")));
    // Its name sorts first: order must not decide.
    put(&file(&host, "versions", "a-thief.wasm"), &thief.build());
    let line = host.wait_for_log("refused   ").await;
    assert!(line.contains("a-thief.wasm") && line.contains("already served by"), "{line}");
    assert_eq!(host.get(ROUTE).await.result(), 0);
    fs::remove_file(file(&host, "versions", "versions.wasm")).unwrap();
    host.wait_for_log("added     versions: a-thief").await;
    assert_eq!(host.get(ROUTE).await.result(), "stolen");
}

#[tokio::test]
async fn without_dev_nothing_is_watched_and_sighup_swaps() {
    let host = versions().start().await;
    let path = file(&host, "versions", "versions.wasm");
    put(&path, &version(1).build());
    assert_eq!(host.get("/_host").await.status, 404, "strangers are not told what is loaded");
    assert_eq!(host.get(ROUTE).await.result(), 0);
    host.hang_up();
    host.wait_for_log("reloaded").await;
    assert_eq!(host.get(ROUTE).await.result(), 1);
}

#[tokio::test]
async fn a_pinned_file_is_swapped_for_the_pinned_content_only() {
    let pinned = version(1).build();
    let sha = {
        use sha2::{Digest, Sha256};
        Sha256::digest(&pinned).iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let host = versions().start_with(&["--dev"]).await;
    let preset = host.dir().join("presets/all.toml");
    let path = file(&host, "versions", "versions.wasm");
    put(&path, &version(2).build());
    host.wait_for_log_line("swapped   versions", 1).await;
    let text =
        format!("services = [\"versions\"]\n\n[service.versions.pin]\n\"versions.wasm\" = \"{sha}\"\n");
    put(&preset, text.as_bytes());
    let line = host.wait_for_log("refused   ").await;
    assert!(line.contains("(stage: pin)") && line.contains(&sha), "{line}");
    assert_eq!(host.get(ROUTE).await.result(), 2, "what served before the pin serves on");
    put(&path, &pinned);
    host.wait_for_log_line("swapped   versions", 2).await;
    assert_eq!(host.get(ROUTE).await.result(), 1);
}

#[tokio::test]
async fn presets_configuration_and_translations_are_live() {
    let billing = Forge::new("billing", "billing").api("fail", Act::Fail("billing.broke".into(), Some(402)));
    let host = versions()
        .forged("billing", "billing.wasm", &billing)
        .preset("all", "services = [\"versions\"]\n")
        .write("presets/locales/en.json", r#"{"billing": {"broke": "No money."}}"#)
        .start_with(&["--dev"])
        .await;
    host.get("/api/billing/fail/v1").await.assert_error(404, "api.notFound");

    put(&host.dir().join("presets/all.toml"), b"services = [\"versions\", \"billing\"]\n");
    host.wait_for_log("added     billing").await;
    let fail = async || host.get("/api/billing/fail/v1").await.json()["message"].clone();
    assert_eq!(fail().await, "No money.");

    put(&host.dir().join("presets/locales/en.json"), br#"{"billing": {"broke": "Broke."}}"#);
    host.wait_for_log("swapped   translations").await;
    assert_eq!(fail().await, "Broke.");

    // An error is told with its line and changes nothing.
    put(
        &host.dir().join("presets/all.toml"),
        b"services = [\"versions\", \"billing\"]\n\n[service.billing]\ndeadlin = 1\n",
    );
    host.wait_for_log("the configuration has errors; the one before it stays").await;
    assert!(host.log().contains("all.toml:4"), "{}", host.log());
    assert_eq!(fail().await, "Broke.");
    assert!(state(&host).await["findings"].to_string().contains("deadlin"));

    put(&host.dir().join("presets/all.toml"), b"services = [\"versions\"]\n");
    host.wait_for_log("withdrawn billing").await;
    host.get("/api/billing/fail/v1").await.assert_error(404, "api.notFound");

    // A limit is live at once; an address is not, and says so.
    let project = host.dir().join("presets/project.toml");
    let text = fs::read_to_string(&project).unwrap();
    put(
        &project,
        text.replace("enabled = false", "default_ip_limit = 1\nskip_loopback_in_dev = false").as_bytes(),
    );
    host.wait_for_log_line("swapped   configuration", 1).await;
    host.get(ROUTE).await;
    host.get(ROUTE).await.assert_error(429, "api.rateLimitExceeded");
    put(&project, text.replace("port = 0", "port = 4242").as_bytes());
    let line = host.wait_for_log("takes effect with the next start").await;
    assert!(line.contains("listen"), "{line}");
    assert_eq!(state(&host).await["needsRestart"], json!(["listen"]));
}

#[tokio::test]
async fn a_fresh_edit_is_served_as_a_draft_until_the_best_code_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let host = project()
        .guest(Guest::Vehicles)
        .settings("[rate_limiting]\nenabled = false\n")
        .env("XDG_CACHE_HOME", dir.path().to_str().unwrap())
        .start_with(&["--dev", "-v"])
        .await;
    host.wait_for_log("optimised code serves").await;
    let live = plugin(&host, "vehicles.wasm").await;
    assert_eq!(live["serving"]["code"], "optimised", "{live}");
    assert_eq!(host.get(crate::ORDINARY).await.status, 200);
}

#[tokio::test]
async fn many_files_at_once_are_one_swap() {
    let host = versions().start_with(&["--dev"]).await;
    for number in 0..20 {
        let forge = Forge::new("versions", &format!("many{number}"))
            .api(&format!("getMany{number}"), Act::success(json!(number)));
        put(&file(&host, "versions", &format!("many{number}.wasm")), &forge.build());
    }
    host.wait_for_log_line("added     versions: many", 20).await;
    for number in 0..20 {
        assert_eq!(host.get(&format!("/api/versions/getMany{number}/v1")).await.result(), number);
    }
    let generation = state(&host).await["live"]["generation"].as_u64().unwrap();
    assert!(generation < 12, "{generation} swaps for files that came at once");
}
