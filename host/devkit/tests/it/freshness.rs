//! When a component still stands for its sources.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use crate::support::{Sources, manifest};
use luckystack_devkit::{BuildRequest, Freshness, Staleness, freshness};

/// A plugin with a path dependency, a module, and an included file.
fn plugin() -> (Sources, BuildRequest) {
    let sources = Sources::new()
        .file(
            "plugin/Cargo.toml",
            &manifest("fresh-plugin", "[dependencies]\nhelper = { path = \"../helper\" }\n"),
        )
        .file(
            "plugin/src/lib.rs",
            "mod data;\n#[unsafe(no_mangle)]\n\
             pub extern \"C\" fn answer() -> usize { helper::answer() + data::TEXT.len() }\n",
        )
        .file("plugin/src/data.rs", "pub static TEXT: &str = include_str!(\"../some data.txt\");\n")
        .file("plugin/some data.txt", "text")
        .file("helper/Cargo.toml", "[package]\nname = \"helper\"\nversion = \"0.1.0\"\nedition = \"2024\"\n")
        .file("helper/src/lib.rs", "pub fn answer() -> usize { 42 }\n");
    let request = sources.request("plugin");
    (sources, request)
}

/// Saves the file again, as an editor does, within the same tick or later.
fn touch(sources: &Sources, path: &str) {
    let path = sources.path(path);
    let text = fs::read(&path).unwrap();
    fs::write(&path, text).unwrap();
}

#[tokio::test]
async fn a_component_is_fresh_until_one_of_its_inputs_changes() {
    let (sources, request) = plugin();
    let component = request.component().unwrap();
    assert_eq!(component, sources.path("out/fresh-plugin.wasm"));
    assert_eq!(freshness(&request, &component).unwrap(), Freshness::Missing);

    let toolchain = crate::support::toolchain().await;
    let progress = crate::support::Kept::default();
    assert!(toolchain.build(&request, &progress).await.unwrap().changed);
    assert_eq!(freshness(&request, &component).unwrap(), Freshness::Fresh);

    let inputs = [
        "plugin/src/lib.rs",
        "plugin/src/data.rs",
        "plugin/some data.txt",
        "plugin/Cargo.toml",
        "helper/src/lib.rs",
        "helper/Cargo.toml",
    ];
    let an_hour_ago = SystemTime::now() - Duration::from_secs(3600);
    for input in inputs {
        touch(&sources, input);
        let path = fs::canonicalize(sources.path(input)).unwrap();
        let expected = Freshness::Stale(Staleness::Changed(path.clone()));
        assert_eq!(freshness(&request, &component).unwrap(), expected, "{input}");
        File::options().write(true).open(path).unwrap().set_modified(an_hour_ago).unwrap();
        assert_eq!(freshness(&request, &component).unwrap(), Freshness::Fresh, "{input}");
    }

    // A build that changes nothing leaves the bytes alone and makes the component fresh again.
    touch(&sources, "helper/src/lib.rs");
    let _settled = wait_for_a_later_tick(&sources);
    assert!(!toolchain.build(&request, &progress).await.unwrap().changed);
    assert_eq!(freshness(&request, &component).unwrap(), Freshness::Fresh);
}

/// Returns once the clock that stamps files has moved past the newest source.
fn wait_for_a_later_tick(sources: &Sources) -> SystemTime {
    let newest = fs::metadata(sources.path("helper/src/lib.rs")).unwrap().modified().unwrap();
    loop {
        sources.save("tick", "");
        let now = fs::metadata(sources.path("tick")).unwrap().modified().unwrap();
        if now > newest {
            return now;
        }
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn a_file_that_cargo_heeds_counts_when_it_appears_and_when_it_goes() {
    let (sources, request) = plugin();
    let component = request.component().unwrap();
    crate::support::toolchain().await.build(&request, &crate::support::Kept::default()).await.unwrap();

    sources.save("plugin/build.rs", "fn main() {}");
    let appeared = fs::canonicalize(sources.path("plugin/build.rs")).unwrap();
    let expected = Freshness::Stale(Staleness::Changed(appeared));
    assert_eq!(freshness(&request, &component).unwrap(), expected);
    fs::remove_file(sources.path("plugin/build.rs")).unwrap();
    assert_eq!(freshness(&request, &component).unwrap(), Freshness::Fresh);

    let data = fs::canonicalize(sources.path("plugin/some data.txt")).unwrap();
    fs::remove_file(&data).unwrap();
    assert_eq!(freshness(&request, &component).unwrap(), Freshness::Stale(Staleness::Gone(data)));
}

#[tokio::test]
async fn other_versions_in_the_lock_file_make_a_component_stale_and_its_time_does_not() {
    let (sources, request) = plugin();
    let component = request.component().unwrap();
    crate::support::toolchain().await.build(&request, &crate::support::Kept::default()).await.unwrap();
    touch(&sources, "plugin/Cargo.lock");
    assert_eq!(freshness(&request, &component).unwrap(), Freshness::Fresh);

    let lock = fs::canonicalize(sources.path("plugin/Cargo.lock")).unwrap();
    let text = fs::read_to_string(&lock).unwrap();
    fs::write(&lock, text.replace("0.1.0", "0.1.1")).unwrap();
    assert_eq!(freshness(&request, &component).unwrap(), Freshness::Stale(Staleness::Changed(lock)));
}

#[test]
fn a_component_that_was_not_built_here_is_stale() {
    let sources = Sources::package("dropped-in", "").file("out/dropped-in.wasm", "\0asm");
    let request = sources.request("");
    let component = request.component().unwrap();
    assert_eq!(freshness(&request, &component).unwrap(), Freshness::Stale(Staleness::Unknown));
}

#[test]
fn a_source_folder_that_does_not_exist_is_an_error() {
    let dir = std::path::PathBuf::from("/no/such/folder");
    let request =
        BuildRequest { dir: dir.clone(), output_dir: dir, ..Sources::package("none", "").request("") };
    let error = freshness(&request, "/no/such/folder/x.wasm".as_ref()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
}
