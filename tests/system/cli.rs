//! The command line.

use serde_json::Value;

use crate::{ORDINARY, example, project};

use luckystack_tests::guests::Guest;

#[tokio::test]
async fn help_explains_every_option_and_command() {
    let output = project().run(&["--help"]).await;
    let help = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success());
    for part in [
        "--preset",
        "--port",
        "--host",
        "--config",
        "--set",
        "--no-build",
        "--json-logs",
        "--verbose",
        "check",
        "functions",
        "build",
    ] {
        assert!(help.contains(part), "{part} is missing in\n{help}");
    }
    let output = project().run(&["--version"]).await;
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("luckystack-host "));
}

#[tokio::test]
async fn a_wrong_option_is_a_usage_error() {
    for args in [&["--prot", "1"][..], &["--port", "ninety"], &["--port", "70000"], &["serve"]] {
        let output = project().run(args).await;
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(args[0]), "{args:?}");
    }
}

#[tokio::test]
async fn a_taken_port_is_said_and_the_next_free_one_is_used() {
    let first = example().start_with(&["--port", "0", "--preset", "fleet"]).await;
    let port = first.port().to_string();
    let second = example().beside(&first).start_with(&["--port", &port, "--preset", "fleet"]).await;
    assert!(
        second.banner().contains(&format!("port {port} is taken; using the next free one")),
        "{}",
        second.banner()
    );
    assert!(second.port() > first.port());
    assert_eq!(second.get(ORDINARY).await.status, 200);
    assert_eq!(first.get(ORDINARY).await.status, 200);
}

#[tokio::test]
async fn the_address_is_chosen_and_a_wrong_one_is_named() {
    let host = example().start_with(&["--port", "0", "--host", "0.0.0.0", "--preset", "fleet"]).await;
    assert_eq!(host.get(ORDINARY).await.status, 200);
    let output =
        example().run(&["--port", "0", "--host", "192.0.2.1", "--preset", "fleet", "--no-build"]).await;
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && error.contains("192.0.2.1"), "{error}");
}

#[tokio::test]
async fn configuration_comes_from_the_folder_that_is_named() {
    let project =
        project().guest(Guest::Vehicles).write("elsewhere/conf/fleet.toml", "services = [\"vehicles\"]\n");
    let text = "[paths]\nplugins = \"../plugins\"\n[listen]\nport = 0\n";
    let project = project.write("elsewhere/conf/project.toml", text);
    let host = project.start_with(&["--config", "elsewhere/conf"]).await;
    assert_eq!(host.get(ORDINARY).await.status, 200);

    let output = crate::project().run(&["--config", "nowhere"]).await;
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && error.contains("nowhere"), "{error}");
}

#[tokio::test]
async fn with_json_logs_every_line_is_json() {
    let mut host = example().start_with(&["--port", "0", "--preset", "fleet", "--json-logs", "-v"]).await;
    host.get("/api/vehicles/getById/v1").await.assert_error(400, "api.invalidInputType");
    host.wait_for_log("invalid input").await;
    host.terminate();
    assert!(host.exit().await.success());
    let log = host.log();
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
        .collect();
    let entry = lines.iter().find(|line| line["message"] == "invalid input").unwrap();
    assert_eq!((&entry["level"], &entry["route"]), (&"INFO".into(), &"api/vehicles/getById/v1".into()));
    assert!(entry["request_id"].is_string() && entry["timestamp"].is_string(), "{entry}");
}

#[tokio::test]
async fn verbosity_adds_a_line_for_each_call() {
    let quiet = example().start_with(&["--port", "0", "--preset", "fleet"]).await;
    quiet.get(ORDINARY).await.result();
    let verbose = example().beside(&quiet).start_with(&["--port", "0", "--preset", "fleet", "-v"]).await;
    verbose.get(ORDINARY).await.result();
    verbose.wait_for_log("answered").await;
    assert_eq!(quiet.log_lines("answered").len(), 0, "{}", quiet.log());
}

#[tokio::test]
async fn without_building_a_service_with_sources_only_is_skipped() {
    let manifest = "[package]\nname = \"fresh\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[lib]\ncrate-type = [\"cdylib\"]\n";
    let host = project()
        .guest(Guest::Vehicles)
        .service("fresh", "")
        .write("plugins/fresh/Cargo.toml", manifest)
        .write("plugins/fresh/src/lib.rs", "compile_error!(\"never compiled\");")
        .start_with(&["--no-build"])
        .await;
    assert!(host.banner().contains("skipped   fresh: "), "{}", host.banner());
    assert!(!host.log().contains("building"), "{}", host.log());
    assert_eq!(host.get(ORDINARY).await.status, 200);
}

#[tokio::test]
async fn sources_that_do_not_compile_are_told_and_the_rest_serves() {
    let manifest = "[package]\nname = \"fresh\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[lib]\ncrate-type = [\"cdylib\"]\n\n[workspace]\n";
    let host = project()
        .guest(Guest::Vehicles)
        .service("fresh", "")
        .write("plugins/fresh/Cargo.toml", manifest)
        .write("plugins/fresh/src/lib.rs", "compile_error!(\"not finished yet\");")
        .builds()
        .start()
        .await;
    let log = host.log();
    assert!(log.contains("not finished yet") && log.contains("fresh"), "{log}");
    assert_eq!(host.get(ORDINARY).await.status, 200);
}
