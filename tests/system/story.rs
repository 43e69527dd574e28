//! A stranger's first hour, as the README tells it: start the fleet with `--dev`, add a handler in another
//! language, edit one in Rust, break it, mend it, drop a component in, take it away.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use luckystack_tests::guests::repository;
use luckystack_tests::{Act, Forge, Project};
use serde_json::json;
use tokio::process::Command;

/// A copy of what a fresh clone has for the preset `fleet`.
fn clone_of_the_fleet() -> Project {
    let project = Project::bare(crate::PROGRAM, "example-plugins").builds();
    let copy = [
        "wit",
        "sdk/rust",
        "presets",
        "example-plugins/vehicles",
        "example-plugins/audit",
        "example-plugins/functions",
        "example-plugins/_session",
    ];
    for folder in copy {
        copy_sources(&repository().join(folder), &project.dir().join(folder));
    }
    for preset in ["board.toml", "finance.toml", "languages.toml", "deploy.toml"] {
        let _ = fs::remove_file(project.dir().join("presets").join(preset));
    }
    fs::copy(repository().join("Cargo.lock"), project.dir().join("Cargo.lock")).unwrap();
    // Members that were not copied would be missed.
    let manifest = fs::read_to_string(repository().join("Cargo.toml")).unwrap();
    let is_there = |line: &&str| {
        let member = line.trim().strip_prefix('"').and_then(|line| line.strip_suffix("\","));
        member.is_none_or(|member| project.dir().join(member).join("Cargo.toml").exists())
    };
    let manifest = manifest.lines().filter(is_there).filter(|line| !line.starts_with("default-members"));
    let manifest: Vec<&str> = manifest.filter(|line| !line.contains("path = \"host")).collect();
    let manifest = manifest.join("\n");
    let (before, profiles) = manifest.split_once("\n[profile.release]").unwrap();
    assert!(!profiles.is_empty());
    fs::write(project.dir().join("Cargo.toml"), before).unwrap();
    project
}

fn copy_sources(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (path, name) = (entry.path(), entry.file_name());
        if path.is_dir() {
            copy_sources(&path, &to.join(name));
        } else if path.extension().is_none_or(|extension| extension != "wasm") {
            fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

#[tokio::test]
async fn a_strangers_first_hour() {
    let host = clone_of_the_fleet().start_with(&["--preset", "fleet", "--dev", "--port", "0"]).await;

    // 1. The fleet is built while the host is already there.
    host.wait_for_log("added     vehicles").await;
    assert_eq!(host.get(crate::ORDINARY).await.result().as_array().unwrap().len(), 20);

    // 2. A handler in Python, beside the Rust of the same service.
    let new = Command::new(crate::PROGRAM)
        .current_dir(host.dir())
        .args(["new", "api", "vehicles/greet", "--lang", "py"])
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    assert!(new.status.success(), "{}", String::from_utf8_lossy(&new.stderr));
    let told = String::from_utf8_lossy(&new.stdout).into_owned();
    assert!(told.contains("/api/vehicles/greet/v1"), "it says how to call it: {told}");
    host.wait_for_log("added     vehicles: vehicles-py").await;
    let answer = host.post("/api/vehicles/greet/v1", &json!({ "name": "Ada" })).await;
    assert_eq!(answer.status, 200, "{}", answer.text());

    // 3. An edit that breaks a Rust handler: the error is readable, the old one answers.
    let source = host.dir().join("example-plugins/vehicles/src/fleet.rs");
    let good = fs::read_to_string(&source).unwrap();
    fs::write(&source, good.replace("pub struct Vehicle {", "pub struct Vehicle { broken here")).unwrap();
    host.wait_for_log("failed    example-plugins/vehicles").await;
    let log = host.log();
    assert!(log.contains("error") && log.contains("src/fleet.rs:"), "file and line: {log}");
    assert_eq!(host.get(crate::ORDINARY).await.result()[0]["name"], "Otter");
    let state = host.get("/_host").await.json();
    assert!(state["builds"]["failed"][0]["message"].as_str().unwrap().contains("src/fleet.rs"), "{state}");

    // 4. Mended, with another answer.
    fs::write(&source, good.replace("\"Otter\"", "\"Badger\"")).unwrap();
    host.wait_for_log("swapped   vehicles: vehicles ").await;
    assert_eq!(host.get(crate::ORDINARY).await.result()[0]["name"], "Badger");
    assert_eq!(host.get("/_host").await.json()["builds"]["failed"], json!([]));

    // 5. A finished component, dropped in and taken away.
    let dropped = host.dir().join("example-plugins/vehicles/extra.wasm");
    let extra = Forge::new("vehicles", "extra").api("getExtra", Act::success(json!("dropped in")));
    fs::write(&dropped, extra.build()).unwrap();
    host.wait_for_log("added     vehicles: extra").await;
    assert_eq!(host.get("/api/vehicles/getExtra/v1").await.result(), "dropped in");
    fs::remove_file(&dropped).unwrap();
    host.wait_for_log("withdrawn vehicles: extra").await;
    host.get("/api/vehicles/getExtra/v1").await.assert_error(404, "api.notFound");
}
