//! Plugins in C, built with the machine's real toolchain.

mod json;

use std::fs;

use luckystack_devkit::{BuildError, BuildRequest, Freshness, Language, Staleness, Toolchain, freshness};
use tokio::sync::OnceCell;
use wit_component::DecodedWasm;

use crate::support::{Kept, Sources, project, target_dir};

const MANIFEST: &str =
    r#"{ "version": "1.0.0", "routes": [{ "kind": "api", "name": "double", "version": 1 }] }"#;
const DOUBLE: &str = "#include <luckystack.h>\n#include \"factor.h\"\n\nLS_API(double, 1)\n{\n    \
    ls_put_number(ls_out(call), NULL, FACTOR * ls_number(input, \"value\", 0));\n    return LS_OK;\n}\n";

async fn toolchain() -> &'static Toolchain {
    static TOOLCHAIN: OnceCell<Toolchain> = OnceCell::const_new();
    TOOLCHAIN
        .get_or_init(|| async {
            let found = Toolchain::find_or_install(Language::C, &Kept::default()).await;
            found.unwrap_or_else(|error| panic!("{error}"))
        })
        .await
}

fn plugin() -> Sources {
    Sources::new()
        .file("units/plugin.json", MANIFEST)
        .file("units/double.c", DOUBLE)
        .file("units/factor.h", "#define FACTOR 2\n")
}

fn request(sources: &Sources) -> BuildRequest {
    BuildRequest {
        language: Language::C,
        service: "units".into(),
        name: "units".into(),
        ..sources.request("units")
    }
}

async fn build(sources: &Sources) -> Result<Vec<u8>, BuildError> {
    let built = toolchain().await.build(&request(sources), &Kept::default()).await?;
    Ok(fs::read(built.component).unwrap())
}

/// Names of what a component imports and exports.
fn interfaces(bytes: &[u8]) -> (Vec<String>, Vec<String>) {
    let DecodedWasm::Component(resolve, world) = wit_component::decode(bytes).unwrap() else {
        panic!("this is a WIT package, not a component");
    };
    let world = &resolve.worlds[world];
    let names = |items: Vec<_>| items.into_iter().map(|key| resolve.name_world_key(key)).collect();
    (names(world.imports.keys().collect()), names(world.exports.keys().collect()))
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test]
async fn a_c_plugin_becomes_a_component_that_exports_what_plugin_json_says_and_imports_what_it_uses() {
    let sources = plugin();
    let kept = Kept::default();
    let built = toolchain().await.build(&request(&sources), &kept).await.unwrap();
    assert_eq!(built.component, sources.path("out/units.wasm"));
    assert_eq!(*kept.events.lock().unwrap(), ["compiling units", "encoding units", "built units"]);

    let bytes = fs::read(&built.component).unwrap();
    let (imports, exports) = interfaces(&bytes);
    // The SDK logs what goes wrong. No WASI beside that, although the C library is linked.
    assert_eq!(imports, ["luckystack:plugin/types@0.1.0", "wasi:logging/logging@0.1.0-draft"]);
    assert_eq!(exports, ["luckystack:plugin/plugin@0.1.0", "luckystack:plugin/api@0.1.0"]);
    assert!(bytes.len() < 100_000, "{} bytes", bytes.len());
    assert!(contains(&bytes, "ls_api_double_v1"), "functions keep their names for the backtrace of a trap");
    assert!(!contains(&bytes, ".debug_info"));
    assert!(contains(&bytes, r#"{"name":"units","routes":[{"kind":"api""#));
}

#[tokio::test]
async fn what_the_c_library_asks_an_operating_system_for_becomes_imports_of_the_contract() {
    let sources = plugin();
    let printing = DOUBLE.replace(
        "    return LS_OK;",
        "    srand((unsigned)time(NULL));\n    printf(\"%f %d\\n\", ls_number(input, \"value\", 0), rand());\n    return LS_OK;",
    );
    let printing = format!("#include <stdio.h>\n#include <stdlib.h>\n#include <time.h>\n{printing}");
    sources.save("units/double.c", &printing);
    let (imports, _) = interfaces(&build(&sources).await.unwrap());
    assert!(imports.iter().any(|name| name == "wasi:clocks/wall-clock@0.2.12"), "{imports:?}");

    // There are no files: that is said when the component is made, with the import's name.
    let opening = printing.replace("    srand", "    if (fopen(\"x\", \"r\")) return LS_FAILED;\n    srand");
    sources.save("units/double.c", &opening);
    let error = build(&sources).await.unwrap_err();
    assert!(matches!(&error, BuildError::Encode { .. }), "{error}");
    assert!(error.to_string().contains("wasi_snapshot_preview1"), "{error}");
}

#[tokio::test]
async fn a_mistake_in_c_is_shown_as_the_compiler_says_it_and_the_old_component_stays() {
    let sources = plugin();
    let before = build(&sources).await.unwrap();
    sources.save("units/double.c", &DOUBLE.replace("NULL, FACTOR", "NUL, FACTOR"));
    let error = build(&sources).await.unwrap_err().to_string();
    assert!(error.starts_with("units: compiling failed (exit status: 1)\ndouble.c:6:"), "{error}");
    assert!(error.contains("error: use of undeclared identifier 'NUL'"), "{error}");
    assert_eq!(fs::read(sources.path("out/units.wasm")).unwrap(), before);

    let colours = Kept { colour: true, ..Kept::default() };
    let error = toolchain().await.build(&request(&sources), &colours).await.unwrap_err().to_string();
    assert!(error.contains("\u{1b}["), "{error}");
}

#[tokio::test]
async fn plugin_json_and_the_handlers_must_agree() {
    let sources = plugin();
    sources.save("units/double.c", &DOUBLE.replace("LS_API(double, 1)", "LS_API(treble, 1)"));
    let error = build(&sources).await.unwrap_err().to_string();
    assert!(error.contains("unknown type name 'plugin_json_lists_api_treble_v1'"), "{error}");

    sources.save("units/double.c", "#include <luckystack.h>\n");
    let error = build(&sources).await.unwrap_err().to_string();
    assert!(error.contains("undefined symbol: ls_api_double_v1"), "{error}");
    let remedy =
        "plugin.json lists api/units/double/v1: define it with LS_API(double, 1) { ... }, or take it out";
    assert!(error.ends_with(remedy), "{error}");

    sources.save("units/plugin.json", "{ \"version\": \"1.0.0\", }");
    let error = build(&sources).await.unwrap_err().to_string();
    assert!(error.contains("plugin.json: it is no JSON object: trailing comma at line 1"), "{error}");
}

#[tokio::test]
async fn sources_headers_and_the_manifest_of_a_c_plugin_make_its_component_stale() {
    let sources = plugin();
    let request = request(&sources);
    let component = request.component().unwrap();
    assert_eq!(freshness(&request, &component).unwrap(), Freshness::Missing);
    let first = build(&sources).await.unwrap();
    assert_eq!(freshness(&request, &component).unwrap(), Freshness::Fresh);
    for (file, text) in [
        ("units/factor.h", "#define FACTOR 3\n"),
        ("units/plugin.json", MANIFEST),
        ("units/double.c", DOUBLE),
        ("units/src/more.c", "int more;\n"),
    ] {
        sources.save(file, text);
        let changed = fs::canonicalize(sources.path(file)).unwrap();
        let found = freshness(&request, &component).unwrap();
        let Freshness::Stale(Staleness::Changed(path)) = found else { panic!("{file}: {found:?}") };
        assert_eq!(fs::canonicalize(path).unwrap(), changed);
        // Dated back, as `file` does, so that the next build is newer.
        let an_hour_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
        fs::File::options().write(true).open(changed).unwrap().set_modified(an_hour_ago).unwrap();
        let bytes = build(&sources).await.unwrap();
        assert_eq!(freshness(&request, &component).unwrap(), Freshness::Fresh, "{file}");
        assert!(file != "units/factor.h" || bytes != first);
    }
}

#[tokio::test]
async fn the_example_and_the_conformance_suite_in_c_build() {
    for (dir, service, handlers) in
        [("example-plugins/units", "units", 3), ("tests/conformance/c", "conformance", 6)]
    {
        let request = BuildRequest {
            language: Language::C,
            service: service.into(),
            name: service.into(),
            nested: true,
            dir: project().join(dir),
            output_dir: target_dir().join("c").join(service),
            target_dir: target_dir(),
        };
        let built = toolchain().await.build(&request, &Kept::default()).await.unwrap();
        let (imports, exports) = interfaces(&fs::read(built.component).unwrap());
        assert_eq!(exports.len(), handlers, "{exports:?}");
        for name in ["accounts", "uploads"] {
            let is_imported = imports.contains(&format!("luckystack:plugin/{name}@0.1.0"));
            assert_eq!(is_imported, service == "conformance", "{imports:?}");
        }
    }
}

#[tokio::test]
async fn every_kind_of_handler_exports_its_interface_and_every_helper_links() {
    let manifest = r#"{ "version": "1.0.0", "errorFormatter": "global",
        "routes": [
            { "kind": "api", "name": "everything", "version": 1 },
            { "kind": "api", "name": "getRare", "page": "everything/rare", "version": 1, "errorFormatter": true },
            { "kind": "sync-server", "name": "move", "version": 1 },
            { "kind": "sync-client", "name": "move", "version": 1 }],
        "hooks": [{ "hook": "preApiExecute", "payload": ["routeName"] }],
        "functions": [{ "name": "everything/double" }, { "name": "everything/identity" }] }"#;
    let sources = Sources::new()
        .file("everything/plugin.json", manifest)
        .file("everything/src/everything.c", include_str!("c/everything.c"));
    let request = BuildRequest {
        language: Language::C,
        service: "everything".into(),
        name: "everything".into(),
        output_dir: target_dir().join("c/everything"),
        ..sources.request("everything")
    };
    let built = toolchain().await.build(&request, &Kept::default()).await.unwrap();
    let (imports, exports) = interfaces(&fs::read(built.component).unwrap());
    let named = |names: &[&str]| {
        names.iter().map(|name| format!("luckystack:plugin/{name}@0.1.0")).collect::<Vec<_>>()
    };
    let interfaces = ["plugin", "api", "sync-server", "sync-client", "hooks", "functions", "error-formatter"];
    let (mut found, mut expected) = (exports, named(&interfaces));
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    let mut expected = named(&["types", "stream", "function-call", "session-api", "accounts", "uploads"]);
    expected.extend(
        [
            "wasi:logging/logging@0.1.0-draft",
            "wasi:clocks/wall-clock@0.2.12",
            "wasi:random/random@0.2.12",
            "wasi:config/store@0.2.0-rc.1",
            "wasi:keyvalue/store@0.2.0-draft",
            "wasi:keyvalue/atomics@0.2.0-draft",
        ]
        .map(str::to_owned),
    );
    assert_eq!(imports, expected);
}
