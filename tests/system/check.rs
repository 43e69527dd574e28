//! `luckystack-host check`: every finding at once, for people and for CI.

use luckystack_tests::guests::Guest;
use luckystack_tests::{Act, Forge, Project};
use serde_json::{Value, json};

use crate::{example, project};

async fn check(project: &Project, args: &[&str]) -> (Option<i32>, String, String) {
    let args = [&["check", "--no-build"], args].concat();
    let output = project.run(&args).await;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[tokio::test]
async fn a_sound_project_passes() {
    let project = example().env("REDIS_URL", "redis://localhost");
    let (code, out, err) = check(&project, &[]).await;
    assert_eq!((code, out.trim()), (Some(0), "0 errors, 0 warnings"), "{err}");
}

#[tokio::test]
async fn findings_of_configuration_and_components_come_together() {
    let thief = Forge::new("rogue", "thief")
        .api("getAll", Act::success(json!(1)))
        .route(json!({ "kind": "api", "name": "getAll", "version": 1 }));
    let project = project()
        .guest(Guest::Outbound)
        .forged("rogue", "thief.wasm", &thief)
        .file("rogue", "text.wasm", b"(component)")
        .preset("main", "services = [\"outbound\", \"rogue\"]\n\n[service.outbound]\nmemroy = \"1MiB\"\n");
    let (code, _, err) = check(&project, &[]).await;
    assert_eq!(code, Some(1), "{err}");
    for part in [
        "presets/main.toml:4",
        "memroy",
        "memory",
        "outbound.wasm",
        "was not granted",
        "thief.wasm",
        "listed twice",
        "text.wasm",
        "WebAssembly text",
    ] {
        assert!(err.contains(part), "{part:?} is missing in\n{err}");
    }
}

#[tokio::test]
async fn json_has_every_finding_with_its_place_and_remedy() {
    let project = project()
        .file("rogue", "text.wasm", b"(component)")
        .preset("main", "services = [\"rogue\"]\n[service.rogue]\ndeadlin = \"1s\"\n");
    let (code, out, _) = check(&project, &["--json"]).await;
    assert_eq!(code, Some(1));
    let report: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"));
    let findings = report["findings"].as_array().unwrap();
    for finding in findings {
        for key in ["severity", "code", "file", "message", "remedy"] {
            assert!(finding[key].is_string(), "{key}: {finding}");
        }
    }
    let of = |file: &str| findings.iter().find(|finding| finding["file"].as_str().unwrap().ends_with(file));
    let key = of("main.toml").unwrap_or_else(|| panic!("{out}"));
    assert_eq!((&key["line"], &key["severity"]), (&json!(3), &json!("error")));
    let component = of("text.wasm").unwrap_or_else(|| panic!("{out}"));
    assert_eq!(component["code"], "component-refused");
    let errors = findings.iter().filter(|finding| finding["severity"] == "error").count();
    assert_eq!(report["errors"], errors);
}

#[tokio::test]
async fn warnings_pass_unless_strict() {
    let hook = Forge::new("rogue", "rogue").hook(json!({ "hook": "preCronRun" }), Act::Nothing);
    let project = project().forged("rogue", "rogue.wasm", &hook);
    let (code, out, err) = check(&project, &[]).await;
    assert_eq!((code, out.trim()), (Some(0), "0 errors, 1 warning"), "{err}");
    assert_eq!(check(&project, &["--strict"]).await.0, Some(1));
}

#[tokio::test]
async fn a_host_with_wrong_configuration_does_not_start() {
    let project = project().guest(Guest::Vehicles).preset("main", "services = [\"vehicles\", \"ghost\"]\n");
    let output = project.run(&["--no-build"]).await;
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("ghost") && error.contains("presets/main.toml:1"), "{error}");
}
