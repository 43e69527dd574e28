//! Plugins built from source with the machine's real toolchain.

use std::fs;
use std::io::Read;
use std::os::unix::net::UnixListener;

use crate::support::{Kept, Sources, manifest, project, toolchain};
use luckystack_devkit::{BuildError, BuildRequest, Quiet};
use wit_component::DecodedWasm;

/// Names of what a component imports and exports.
fn interfaces(bytes: &[u8]) -> (Vec<String>, Vec<String>) {
    let DecodedWasm::Component(resolve, world) = wit_component::decode(bytes).unwrap() else {
        panic!("this is a WIT package, not a component");
    };
    let world = &resolve.worlds[world];
    let names = |items: Vec<_>| items.into_iter().map(|key| resolve.name_world_key(key)).collect();
    (names(world.imports.keys().collect()), names(world.exports.keys().collect()))
}

fn guest() -> Sources {
    // A profile that would make a large and slow component: the host's settings win over it.
    let more = "[dependencies]\n\
        serde = { version = \"1\", features = [\"derive\"] }\n\
        serde_json = \"1\"\n\
        wit-bindgen = { version = \"0.61\", default-features = false, features = [\"macros\", \"realloc\"] }\n\
        [profile.release]\nopt-level = 0\ndebug = true\ncodegen-units = 256\nlto = false\n";
    let wit = project().join("wit");
    let sources = Sources::new()
        .file("Cargo.toml", &manifest("small-guest", more))
        .file("src/lib.rs", &include_str!("guest.rs.txt").replace("WIT", wit.to_str().unwrap()));
    // The versions that the project itself uses, so that nothing else has to be fetched.
    fs::copy(project().join("Cargo.lock"), sources.path("Cargo.lock")).unwrap();
    sources
}

#[tokio::test]
async fn a_guest_of_the_wit_contract_becomes_a_component_that_exports_and_imports_just_what_it_uses() {
    let guest = guest();
    let kept = Kept::default();
    let built = toolchain().await.build(&guest.request(""), &kept).await.unwrap();
    assert_eq!(built.component, guest.path("out/small-guest.wasm"));
    assert!(built.changed);
    assert_eq!(
        *kept.events.lock().unwrap(),
        ["compiling small-guest", "encoding small-guest", "built small-guest"]
    );

    let bytes = fs::read(&built.component).unwrap();
    assert_eq!(bytes.len() as u64, built.bytes);
    let (imports, exports) = interfaces(&bytes);
    assert_eq!(imports, ["luckystack:plugin/types@0.1.0", "luckystack:plugin/stream@0.1.0"]);
    assert_eq!(exports, ["luckystack:plugin/plugin@0.1.0", "luckystack:plugin/api@0.1.0"]);

    // The promise for a small handler is 300 KB, whatever its own profile says.
    assert!(bytes.len() < 300_000, "{} bytes", bytes.len());
    // Functions keep their names for the backtrace of a trap.
    let name = b"small_guest";
    assert!(bytes.windows(name.len()).any(|window| window == name));
    // No half-written file remains beside it.
    assert_eq!(fs::read_dir(guest.path("out")).unwrap().count(), 1);
}

#[tokio::test]
async fn a_syntax_error_is_shown_as_rustc_says_it_and_the_old_component_stays() {
    let guest =
        Sources::package("broken", "#[unsafe(no_mangle)]\npub extern \"C\" fn answer() -> u32 { 42 }\n");
    let built = guest.build().await.unwrap();
    let before = fs::read(&built.component).unwrap();

    guest.save("src/lib.rs", "pub fn fine() {}\npub fn answer() -> u32 {\n    let x = ;\n}\n");
    let error = guest.build().await.unwrap_err().to_string();
    assert!(
        error.starts_with("broken: compiling failed (exit status: 101)\nerror: expected expression"),
        "{error}"
    );
    assert!(error.contains("--> src/lib.rs:3:13"), "{error}");
    assert!(error.contains("    let x = ;"), "{error}");
    assert_eq!(fs::read(&built.component).unwrap(), before);

    let colours = Kept { colour: true, ..Kept::default() };
    let error = toolchain().await.build(&guest.request(""), &colours).await.unwrap_err().to_string();
    assert!(error.contains("\u{1b}["), "{error}");
}

#[tokio::test]
async fn a_failure_before_the_compiler_starts_is_shown_as_cargo_says_it() {
    let guest = Sources::new()
        .file("Cargo.toml", &manifest("lost", "[dependencies]\nnowhere = { path = \"nowhere\" }\n"))
        .file("src/lib.rs", "");
    let error = guest.build().await.unwrap_err().to_string();
    assert!(error.contains("lost") && error.contains("nowhere/Cargo.toml"), "{error}");
}

#[tokio::test]
async fn dropping_the_build_ends_cargo_and_its_children() {
    let guest = Sources::package("endless", "");
    let socket = guest.path("socket");
    let listener = UnixListener::bind(&socket).unwrap();
    // A build script that says who started it and then never ends.
    let script = format!(
        "use std::io::{{Read, Write}};\n\
         fn main() {{\n\
             let mut stream = std::os::unix::net::UnixStream::connect({socket:?}).unwrap();\n\
             let _ = stream.write_all(&[1]);\n\
             let _ = stream.read(&mut [0]);\n\
         }}\n"
    );
    guest.save("build.rs", &script);
    let request = guest.request("");
    let toolchain = toolchain().await;
    let building = tokio::spawn(async move { toolchain.build(&request, &Quiet).await });

    let mut stream = tokio::task::spawn_blocking(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0]).unwrap();
        stream
    })
    .await
    .unwrap();
    building.abort();
    assert!(building.await.unwrap_err().is_cancelled());

    // The script holds the other end; it closes when, and only when, the script is gone.
    let end = tokio::task::spawn_blocking(move || stream.read(&mut [0])).await.unwrap();
    assert_eq!(end.unwrap(), 0);
    // Cargo, which waits for the script, is gone too: its lock on the target folder is free.
    guest.save("build.rs", "fn main() {}");
    guest.build().await.unwrap();
}

#[tokio::test]
async fn plugins_of_one_workspace_are_compiled_by_one_run_of_cargo_and_one_failure_spares_the_others() {
    let answer = "#[unsafe(no_mangle)]\npub extern \"C\" fn answer() -> u32 { 42 }\n";
    let sources = Sources::new()
        .file("Cargo.toml", "[workspace]\nmembers = [\"a\", \"b\", \"c\"]\nresolver = \"3\"\n")
        .file("a/Cargo.toml", &manifest("plugin-a", ""))
        .file("a/src/lib.rs", answer)
        .file("b/Cargo.toml", &manifest("plugin-b", ""))
        .file("b/src/lib.rs", "pub fn wrong() -> u32 { \"text\" }\n")
        .file("c/Cargo.toml", &manifest("plugin-c", ""))
        .file("c/src/lib.rs", answer);
    let requests = ["a", "b", "c", "nothing"].map(|dir| sources.request(dir));
    let kept = Kept::default();
    let results = toolchain().await.build_all(&requests, 2, &kept).await;
    assert_eq!(kept.events.lock().unwrap()[0], "compiling plugin-a plugin-b plugin-c");
    assert_eq!(kept.events.lock().unwrap().iter().filter(|event| event.starts_with("compiling")).count(), 1);

    assert_eq!(results[0].as_ref().unwrap().component, sources.path("out/plugin-a.wasm"));
    assert_eq!(results[2].as_ref().unwrap().component, sources.path("out/plugin-c.wasm"));
    let error = results[1].as_ref().unwrap_err().to_string();
    assert!(error.starts_with("plugin-b: ") && error.contains("b/src/lib.rs:1:"), "{error}");
    assert!(matches!(&results[3], Err(BuildError::NoSources { dir }) if *dir == sources.path("nothing")));
}

#[tokio::test]
async fn a_plugin_that_is_also_a_rust_library_is_optimised_like_one_that_is_not() {
    let library = "#[unsafe(no_mangle)]\npub extern \"C\" fn answer(n: u32) -> usize {\n\
                   let text: Vec<String> = (0..n).map(|n| format!(\"{n:?} {:.2}\", f64::from(n))).collect();\n\
                   text.join(\",\").len()\n}\n";
    let both = manifest("both-kinds", "").replace("[\"cdylib\"]", "[\"cdylib\", \"rlib\"]");
    let sources = Sources::new()
        .file("Cargo.toml", "[workspace]\nmembers = [\"one\", \"both\"]\nresolver = \"3\"\n")
        .file("one/Cargo.toml", &manifest("one-kind", ""))
        .file("one/src/lib.rs", library)
        .file("both/Cargo.toml", &both)
        .file("both/src/lib.rs", library);
    let requests = ["one", "both"].map(|dir| sources.request(dir));
    let results = toolchain().await.build_all(&requests, 2, &Quiet).await;
    let sizes: Vec<u64> = results.into_iter().map(|result| result.unwrap().bytes).collect();
    // Only the name differs. Without link-time optimisation it would be many kilobytes.
    assert!(sizes[0].abs_diff(sizes[1]) < 100, "{sizes:?}");
}

#[tokio::test]
async fn plugins_of_different_workspaces_that_share_names_do_not_mix() {
    // Cargo tells neither the two plugins apart nor the two packages `model` within them.
    let plugin = |name: &str| {
        let depends = "[dependencies]\nmodel = { path = \"model\" }\n";
        let model = "[package]\nname = \"model\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";
        let library = "#[unsafe(no_mangle)]\npub extern \"C\" fn cabi_NAME() -> u32 { model::NAME() }\n";
        Sources::new()
            .file("Cargo.toml", &manifest("same", depends))
            .file("src/lib.rs", &library.replace("NAME", name))
            .file("model/Cargo.toml", model)
            .file("model/src/lib.rs", &format!("pub fn {name}() -> u32 {{ 1 }}"))
    };
    let (first, second) = (plugin("first"), plugin("second"));
    let requests = [first.request(""), second.request(""), first.request("")];
    let results = toolchain().await.build_all(&requests, 2, &Quiet).await;
    for (result, changed) in results.into_iter().zip([true, true, false]) {
        assert_eq!(result.unwrap().changed, changed);
    }
    for (sources, own) in [(first, "cabi_first"), (second, "cabi_second")] {
        let bytes = fs::read(sources.path("out/same.wasm")).unwrap();
        assert!(bytes.windows(own.len()).any(|window| window == own.as_bytes()), "{own}");
    }
}

#[tokio::test]
async fn what_is_no_plugin_is_refused_with_the_reason() {
    let folder = |manifest: &str| Sources::new().file("Cargo.toml", manifest).file("src/lib.rs", "");
    let no_cdylib = "[package]\nname = \"plain\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";
    let cases = [
        (Sources::new(), "no sources to build"),
        (folder(no_cdylib), "crate-type = [\"cdylib\"]"),
        (folder("[workspace]\nmembers = []\n"), "a workspace without a package"),
        (folder("[package]\nname = \n"), "Cargo.toml:2:8"),
    ];
    for (sources, expected) in cases {
        let error = sources.build().await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn an_import_outside_the_contract_is_refused_by_name_and_the_old_component_stays() {
    let guest = Sources::package("greedy", "");
    let built = guest.build().await.unwrap();
    let before = fs::read(&built.component).unwrap();
    guest.save(
        "src/lib.rs",
        "#[link(wasm_import_module = \"env\")]\nunsafe extern \"C\" { fn open_file() -> u32; }\n\
         #[unsafe(no_mangle)]\npub extern \"C\" fn go() -> u32 { unsafe { open_file() } }\n",
    );
    let error = guest.build().await.unwrap_err().to_string();
    assert!(error.starts_with("greedy: compiled, but no component can be made of "), "{error}");
    assert!(error.contains("env") && error.contains("wit/luckystack.wit"), "{error}");
    assert_eq!(fs::read(&built.component).unwrap(), before);
}

#[tokio::test]
async fn the_authors_compiler_flags_are_kept_beside_the_hosts() {
    let guest = Sources::package(
        "flagged",
        "#![allow(unexpected_cfgs)]\n\
         #[cfg(not(mine))]\ncompile_error!(\"the author's flag is lost\");\n\
         #[cfg(not(getrandom_backend = \"custom\"))]\ncompile_error!(\"the host's flag is lost\");\n",
    )
    .file(".cargo/config.toml", "[target.wasm32-unknown-unknown]\nrustflags = [\"--cfg\", \"mine\"]\n");
    guest.build().await.unwrap();
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_named() {
    let guest = Sources::package("homeless", "").file("file", "");
    let request = BuildRequest { output_dir: guest.path("file/service"), ..guest.request("") };
    let error = toolchain().await.build(&request, &Quiet).await.unwrap_err().to_string();
    assert!(
        error.contains("homeless: cannot write") && error.contains("file/service/homeless.wasm"),
        "{error}"
    );
}
