//! Bad input: a file that is no component of this contract is skipped with a message that names the
//! file, the stage, what it is and what to do; the host serves the rest.

use std::fs;

use luckystack_tests::forge::CONTRACT;
use luckystack_tests::guests::{Guest, repository};
use luckystack_tests::{Act, Forge, Host};
use serde_json::json;

use crate::{ORDINARY, project};

fn assert_skipped(host: &Host, file: &str, parts: &[&str]) {
    let banner = host.banner();
    let start =
        banner.find(&format!("/{file}")).unwrap_or_else(|| panic!("{file} was not skipped\n{banner}"));
    let line_start = banner[..start].rfind('\n').map_or(0, |at| at + 1);
    let end = banner[start..].find("\n\n").map_or(banner.len(), |at| start + at);
    let message = &banner[line_start..end];
    assert!(message.starts_with("skipped") && message.contains("\n  help: "), "{message}");
    for part in parts {
        assert!(message.contains(part), "{file}: {part:?} is missing in {message}");
    }
}

async fn assert_serves(host: &Host) {
    assert_eq!(host.get(ORDINARY).await.result().as_array().map(Vec::len), Some(20));
}

#[tokio::test]
async fn what_is_no_component_is_skipped_with_what_it_is() {
    let good = Forge::new("broken", "good").api("getIt", Act::success(json!(1)));
    let component = good.build();
    let patched = |at: usize, byte: u8| {
        let mut bytes = component.clone();
        bytes[at] = byte;
        bytes
    };
    // Starting a host makes native code, in a cache that it can be taken from.
    let cache = tempfile::tempdir().unwrap();
    let cached = project()
        .forged("broken", "good.wasm", &good)
        .env("XDG_CACHE_HOME", cache.path().to_string_lossy())
        .start()
        .await;
    drop(cached);
    let native = fs::read_dir(cache.path().join("luckystack-host")).unwrap();
    let native =
        native.map(|entry| entry.unwrap().path()).find(|path| path.extension().is_some_and(|e| e == "cwasm"));
    let native = fs::read(native.unwrap()).unwrap();

    let files: Vec<(&str, Vec<u8>, &str, &str)> = vec![
        ("empty", Vec::new(), "recognise", "the file is empty"),
        ("magic", component[..4].to_vec(), "recognise", "cut off within its first 8 bytes"),
        ("seven", component[..7].to_vec(), "recognise", "cut off within its first 8 bytes"),
        ("core", good.module(), "recognise", "it is a core WebAssembly module; a component was expected"),
        (
            "future",
            patched(4, 0x0e),
            "recognise",
            "component in binary version 0xe; version 0xd was expected",
        ),
        ("unknown", patched(6, 7), "recognise", "unknown version"),
        ("text", b"(component)".to_vec(), "recognise", "WebAssembly text"),
        ("moduleText", b"\n  (module)".to_vec(), "recognise", "WebAssembly text"),
        ("elf", fs::read(crate::PROGRAM).unwrap()[..4096].to_vec(), "recognise", "native ELF binary"),
        ("zip", b"PK\x03\x04rest".to_vec(), "recognise", "zip archive"),
        ("gzip", b"\x1f\x8b\x08rest".to_vec(), "recognise", "gzip"),
        ("lfs", b"version https://git-lfs.github.com/spec/v1\n".to_vec(), "recognise", "Git LFS pointer"),
        ("native", native, "recognise", "precompiled native code"),
        (
            "random",
            b"\x9f\x12random bytes".to_vec(),
            "recognise",
            "it is not WebAssembly: it begins with 9f 12",
        ),
        ("html", b"<!doctype html><title>404</title>".to_vec(), "recognise", "it is not WebAssembly"),
        (
            "bare",
            b"\0asm\x0d\0\x01\0".to_vec(),
            "link",
            "no plugin: it does not export luckystack:plugin/plugin@0.1.0",
        ),
        (
            "noPlugin",
            good.clone().without_plugin().build(),
            "link",
            "does not export luckystack:plugin/plugin@0.1.0",
        ),
        ("tail", [&component[..], b"tail"].concat(), "compile", "it is not a valid component"),
    ];
    let mut project = project().guest(Guest::Vehicles);
    for (name, bytes, _, _) in &files {
        project = project.file("broken", &format!("{name}-.wasm"), bytes);
    }
    let host = project.start().await;
    for (name, _, stage, what) in &files {
        assert_skipped(&host, &format!("{name}-.wasm"), &[&format!("stage: {stage}"), what]);
    }
    assert_serves(&host).await;
    host.get("/api/broken/getIt/v1").await.assert_error(404, "api.notFound");
}

#[tokio::test]
async fn a_component_that_is_cut_off_anywhere_is_skipped() {
    let whole = Guest::Vehicles.bytes();
    let mut project = project().guest(Guest::Vehicles);
    let mut cuts: Vec<usize> = (1..16).map(|part| whole.len() * part / 16).collect();
    cuts.extend([8, 9, 10, 16, 31, 100, whole.len() - 1]);
    for cut in &cuts {
        project = project.file("broken", &format!("cut-{cut}-.wasm"), &whole[..*cut]);
    }
    let host = project.start().await;
    for cut in cuts {
        // Eight bytes are a whole, empty component.
        let stage = if cut == 8 { "link" } else { "compile" };
        assert_skipped(&host, &format!("cut-{cut}-.wasm"), &[&format!("stage: {stage}")]);
    }
    assert_serves(&host).await;
}

#[tokio::test]
async fn a_component_of_another_contract_is_refused_with_both_versions() {
    let versions = ["0.1.1", "0.2.0", "1.0.0"];
    let mut project = project().guest(Guest::Vehicles);
    for version in versions {
        let forge = Forge::new("broken", "future").api("getIt", Act::success(json!(1))).contract(version);
        project = project.forged("broken", &format!("v{version}-.wasm"), &forge);
    }
    let host = project.start().await;
    for version in versions {
        let what = format!("it was built for luckystack:plugin {version}, this host speaks 0.1.0");
        assert_skipped(&host, &format!("v{version}-.wasm"), &["stage: link", &what]);
    }
    assert_serves(&host).await;
}

/// A component of each released version of the contract, kept as it was built then. With the variable
/// `UPDATE_FIXTURES` set, one that is missing for the present version is written.
#[tokio::test]
async fn components_of_released_contracts_keep_working() {
    let dir = repository().join("tests/fixtures");
    let newest = dir.join(format!("contract-{CONTRACT}.wasm"));
    if std::env::var_os("UPDATE_FIXTURES").is_some() && !newest.exists() {
        let forge = Forge::new("fixture", "fixture").api("getVersion", Act::success(json!(CONTRACT)));
        fs::write(&newest, forge.build()).unwrap();
    }
    assert!(newest.exists(), "run the tests once with UPDATE_FIXTURES=1 and keep {}", newest.display());
    for fixture in fs::read_dir(dir).unwrap() {
        let path = fixture.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let host = project().file("fixture", "fixture.wasm", &fs::read(&path).unwrap()).start().await;
        let version = host.get("/api/fixture/getVersion/v1").await.result();
        assert_eq!(name, format!("contract-{}", version.as_str().unwrap_or_default()));
    }
}

#[tokio::test]
async fn a_broken_file_beside_a_good_one_takes_nothing_from_it() {
    let host = project().guest(Guest::Vehicles).file("vehicles", "aa-broken.wasm", b"broken").start().await;
    assert_skipped(&host, "aa-broken.wasm", &["stage: recognise", "plugins/vehicles/"]);
    assert_serves(&host).await;
}
