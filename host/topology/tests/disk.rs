//! Loading and discovery on a real disk.
#![allow(clippy::unwrap_used, reason = "helpers outside of #[test] functions are tests too")]

use std::fs;
use std::path::Path;

use luckystack_topology::{
    DiskService, FUNCTIONS, Finding, Language, Overrides, SYSTEM, Severity, Topology, discover,
    discover_functions, load, validate,
};
use tempfile::TempDir;

/// A project with these files; a path that ends with `/` is an empty folder.
fn project(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = dir.path().join(path);
        if path.to_string_lossy().ends_with('/') {
            fs::create_dir_all(path).unwrap();
        } else {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }
    dir
}

fn topology(dir: &TempDir) -> Topology {
    let loaded = load(&dir.path().join("presets"), &Overrides::default());
    assert!(!loaded.has_errors(), "{:?}", loaded.findings);
    loaded.topology.unwrap()
}

/// Code and path below the project of each finding.
fn shown(dir: &TempDir, findings: &[Finding]) -> Vec<(&'static str, String)> {
    findings
        .iter()
        .map(|f| (f.code, f.file.strip_prefix(dir.path()).unwrap_or(&f.file).display().to_string()))
        .collect()
}

const PRESET: (&str, &str) = ("presets/main.toml", "services = [\"system\"]");
const PACKAGE: &str = "[package]\nname = \"p\"\n";

#[test]
fn a_directory_is_loaded() {
    let dir = project(&[
        PRESET,
        ("presets/finance.toml", "services = [\"billing\"]"),
        ("presets/project.toml", "name = \"app\""),
        ("presets/deploy.toml", "[custom_routes]\n\"/auth\" = \"system\""),
        ("presets/.draft.toml", "not toml"),
        ("presets/notes.md", "not toml"),
        ("presets/locales/en.json", "{}"),
    ]);
    let loaded = load(&dir.path().join("presets"), &Overrides::default());
    assert_eq!(loaded.findings, []);
    let topology = loaded.topology.unwrap();
    assert_eq!(Vec::from_iter(topology.presets.keys()), ["finance", "main"]);
    assert_eq!(topology.project.name, "app");
    assert_eq!(topology.root, dir.path());
    assert_eq!(topology.project.paths.plugins, dir.path().join("plugins"));
    assert_eq!(topology.deploy.unwrap().custom_routes.len(), 1);
}

#[test]
fn a_directory_that_cannot_be_loaded_says_why() {
    let dir = project(&[("presets", "a file")]);
    let missing = load(&dir.path().join("nowhere"), &Overrides::default());
    assert!(missing.topology.is_none() && missing.has_errors());
    assert_eq!(shown(&dir, &missing.findings), [("config-dir-missing", "nowhere".to_owned())]);
    assert!(missing.findings[0].remedy.contains("--config"));
    let file = load(&dir.path().join("presets"), &Overrides::default());
    assert!(file.topology.is_none());
    assert_eq!(shown(&dir, &file.findings), [("unreadable-directory", "presets".to_owned())]);
}

#[test]
fn a_file_that_cannot_be_read_is_a_finding_and_the_rest_is_loaded() {
    let dir = project(&[PRESET, ("presets/odd.toml/", "")]);
    let loaded = load(&dir.path().join("presets"), &Overrides::default());
    assert_eq!(shown(&dir, &loaded.findings), [("unreadable-file", "presets/odd.toml".to_owned())]);
    assert!(loaded.topology.unwrap().presets.contains_key("main"));

    let dir = project(&[("presets/odd.toml/", "")]);
    let loaded = load(&dir.path().join("presets"), &Overrides::default());
    assert_eq!(shown(&dir, &loaded.findings), [("unreadable-file", "presets/odd.toml".to_owned())]);

    let dir = project(&[PRESET, ("presets/big.toml", &"#".repeat((1 << 20) + 1))]);
    let loaded = load(&dir.path().join("presets"), &Overrides::default());
    assert_eq!(shown(&dir, &loaded.findings), [("file-too-large", "presets/big.toml".to_owned())]);
}

#[test]
fn services_and_their_plugins_are_found() {
    let dir = project(&[
        PRESET,
        ("plugins/Cargo.toml", "[workspace]\nmembers = []"),
        ("plugins/session.wasm", ""),
        ("plugins/README.md", ""),
        ("plugins/.hidden/Cargo.toml", PACKAGE),
        ("plugins/target/x.wasm", ""),
        ("plugins/node_modules/x.wasm", ""),
        ("plugins/_health/Cargo.toml", PACKAGE),
        ("plugins/vehicles/Cargo.toml", PACKAGE),
        ("plugins/vehicles/src/lib.rs", ""),
        ("plugins/vehicles/macros/Cargo.toml", PACKAGE),
        ("plugins/vehicles/b.wasm", ""),
        ("plugins/vehicles/a.wasm", ""),
        ("plugins/vehicles/.a.wasm.tmp.wasm", ""),
        ("plugins/vehicles/_reports/Cargo.toml", PACKAGE),
        ("plugins/vehicles/_reports/target/x.wasm", ""),
        ("plugins/vehicles/_tools/tool.wasm", ""),
        ("plugins/functions/Cargo.toml", PACKAGE),
        ("plugins/billing/billing.wasm", ""),
    ]);
    let topology = topology(&dir);
    let (services, findings) = discover(&topology);
    assert_eq!(findings, []);
    let below = |path: &Path| path.strip_prefix(dir.path()).unwrap().display().to_string();
    let seen: Vec<_> = services
        .iter()
        .map(|s| {
            let sources: Vec<_> = s.sources.iter().map(|p| (p.name.as_str(), below(&p.dir))).collect();
            let components: Vec<_> = s.components.iter().map(|p| below(p)).collect();
            (s.service.as_str(), below(&s.dir), sources, components)
        })
        .collect();
    let own = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        seen,
        [
            ("billing", "plugins/billing".to_owned(), vec![], own(&["plugins/billing/billing.wasm"])),
            (
                SYSTEM,
                "plugins".to_owned(),
                vec![("health", "plugins/_health".to_owned())],
                own(&["plugins/session.wasm"])
            ),
            (
                "vehicles",
                "plugins/vehicles".to_owned(),
                vec![
                    ("vehicles", "plugins/vehicles".to_owned()),
                    ("reports", "plugins/vehicles/_reports".to_owned())
                ],
                own(&[
                    "plugins/vehicles/a.wasm",
                    "plugins/vehicles/b.wasm",
                    "plugins/vehicles/_tools/tool.wasm"
                ])
            ),
        ]
    );
    assert_eq!(services[1].sources[0].language, Language::Rust);

    let (functions, findings) = discover_functions(&topology);
    assert_eq!(findings, []);
    let functions = functions.unwrap();
    assert_eq!((functions.service.as_str(), functions.sources.len()), (FUNCTIONS, 1));

    let on_disk: Vec<DiskService> = services.iter().chain([&functions]).map(DiskService::from).collect();
    let findings = validate(&topology, &on_disk, &|_| None);
    assert_eq!(
        shown(&dir, &findings),
        [
            ("service-in-no-preset", "plugins/billing".to_owned()),
            ("service-in-no-preset", "plugins/vehicles".to_owned())
        ]
    );
}

#[test]
fn folders_that_break_a_rule_are_found() {
    for (files, code, place, remedy) in [
        (&["plugins/system/Cargo.toml"][..], "system-folder-forbidden", "plugins/system", "begins with `_`"),
        (&["plugins/api/a.wasm"], "invalid-service-name", "plugins/api", "rename the folder"),
        (&["plugins/my service/a.wasm"], "invalid-service-name", "plugins/my service", "rename the folder"),
        (&["plugins/empty/"], "service-without-plugins", "plugins/empty", "put a plugin in it"),
        (&["plugins/_empty/"], "folder-without-plugins", "plugins/_empty", "put a plugin in it"),
        (
            &["plugins/a/a.wasm", "plugins/a/_b/"],
            "folder-without-plugins",
            "plugins/a/_b",
            "put a plugin in it",
        ),
        (
            &["plugins/a/a.wasm", "plugins/a/users/Cargo.toml"],
            "nested-plugin-ignored",
            "plugins/a/users",
            "rename it to `_users`",
        ),
        (
            &["plugins/a/Cargo.toml", "plugins/a/_a/Cargo.toml"],
            "duplicate-plugin-source",
            "plugins/a/_a",
            "rename this folder or",
        ),
    ] {
        let mut all = vec![PRESET, ("plugins/", "")];
        all.extend(files.iter().map(|path| (*path, PACKAGE)));
        let dir = project(&all);
        let (_, findings) = discover(&topology(&dir));
        assert_eq!(shown(&dir, &findings), [(code, place.to_owned())]);
        assert!(findings[0].remedy.contains(remedy), "{}", findings[0]);
    }
}

#[test]
fn a_broken_manifest_has_file_line_and_column() {
    let dir = project(&[PRESET, ("plugins/a/a.wasm", ""), ("plugins/a/Cargo.toml", "[package]\nname = \n")]);
    let (_, findings) = discover(&topology(&dir));
    assert_eq!(shown(&dir, &findings), [("syntax-error", "plugins/a/Cargo.toml".to_owned())]);
    assert_eq!(findings[0].line, Some(2));
}

#[test]
fn missing_folders_say_what_to_do() {
    let dir = project(&[PRESET]);
    let (services, findings) = discover(&topology(&dir));
    assert!(services.is_empty());
    assert_eq!(shown(&dir, &findings), [("plugins-dir-missing", "plugins".to_owned())]);
    assert!(findings[0].remedy.contains("paths.plugins"));
    assert_eq!(discover_functions(&topology(&dir)), (None, vec![]), "the default folder is optional");

    let dir =
        project(&[PRESET, ("presets/project.toml", "paths.functions = \"fns\""), ("plugins", "a file")]);
    let topology = topology(&dir);
    assert_eq!(shown(&dir, &discover(&topology).1), [("unreadable-directory", "plugins".to_owned())]);
    let (_, findings) = discover_functions(&topology);
    assert_eq!(shown(&dir, &findings), [("functions-dir-missing", "fns".to_owned())]);
}

#[test]
fn the_functions_folder_may_lie_elsewhere() {
    let dir = project(&[
        PRESET,
        ("presets/project.toml", "paths.functions = \"plugins/shared\""),
        ("plugins/shared/f.wasm", ""),
        ("plugins/functions/f.wasm", ""),
    ]);
    let topology = topology(&dir);
    let (services, findings) = discover(&topology);
    assert!(services.is_empty());
    assert_eq!(shown(&dir, &findings), [("invalid-service-name", "plugins/functions".to_owned())]);
    assert!(findings[0].remedy.contains("set paths.functions"), "{}", findings[0]);
    assert_eq!(discover_functions(&topology).0.unwrap().components.len(), 1);
}

#[test]
fn a_pin_needs_a_component() {
    let hash = "0".repeat(64);
    let preset = format!(
        "services = [\"a\", \"b\"]\n[service.a.pin]\n\"a.wasm\" = \"{hash}\"\n\"x.wasm\" = \"{hash}\"\n[service.b.pin]\n\"b.wasm\" = \"{hash}\"\n"
    );
    let dir = project(&[
        ("presets/main.toml", &preset),
        ("plugins/a/a.wasm", ""),
        ("plugins/b/Cargo.toml", PACKAGE),
    ]);
    let (_, findings) = discover(&topology(&dir));
    assert_eq!(shown(&dir, &findings), [("pin-for-unknown-component", "presets/main.toml".to_owned())]);
    assert_eq!((findings[0].line, findings[0].severity), (Some(4), Severity::Error));
    assert!(findings[0].remedy.contains("plugins/a"));
}
