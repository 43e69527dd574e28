//! No file and no override makes this crate panic, and every finding is complete.

use luckystack_topology::{DiskService, Finding, Overrides, SourceFile, parse, validate};
use proptest::prelude::*;

const FILES: [&str; 4] =
    ["presets/project.toml", "presets/deploy.toml", "presets/main.toml", "presets/odd name.toml"];

fn check_all(files: &[SourceFile], overrides: &Overrides) -> Result<(), TestCaseError> {
    let loaded = parse("presets".as_ref(), files, overrides);
    let topology = loaded.topology.expect("parse always gives a topology");
    let disk = [DiskService { name: "vehicles".into(), dir: "plugins/vehicles".into() }];
    let rules = validate(&topology, &disk, &|name| (name == "SET").then(|| "x".into()));
    for finding in loaded.findings.iter().chain(&rules) {
        complete(finding)?;
    }
    let _ = topology.selection(&["main".to_owned()]);
    let _ = topology.service_settings("vehicles");
    Ok(())
}

fn complete(finding: &Finding) -> Result<(), TestCaseError> {
    prop_assert!(!finding.code.is_empty() && !finding.message.is_empty() && !finding.remedy.is_empty());
    let text = format!("{}{}", finding.message, finding.remedy);
    prop_assert!(!text.contains(char::is_control), "{finding}");
    prop_assert!(finding.file.as_os_str() != "", "{finding}");
    Ok(())
}

/// Text that is mostly TOML with the keys of the real files, so that readers are reached.
fn plausible() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec![
        "services",
        "service",
        "vehicles",
        "http",
        "cors",
        "listen",
        "port",
        "memory",
        "grants",
        "keyvalue",
        "pin",
        "config",
        "resources",
        "environments",
        "bindings",
        "fallback",
        "routing",
        "custom_routes",
        "redis",
        "\"/a\"",
        "\"\"",
        "tls",
        "cert",
        "paths",
        "functions",
        "engine",
        "max_memory",
        "window",
        "rate_limiting",
        "instances",
        "allowed_origins",
        "type",
        "url_env_key",
        "synchronized_env_keys",
    ]);
    let value = prop::sample::select(vec![
        "1",
        "-1",
        "true",
        "false",
        "\"\"",
        "\"a\"",
        "\"5s\"",
        "\"1MiB\"",
        "[]",
        "{}",
        "[\"system\", 1]",
        "[\"http://[::1]:1\", \"*\"]",
        "\"http://h:1\"",
        "1.5",
        "1979-05-27",
        "{ a = { b = 1 } }",
        "\"per-call\"",
        "99999999999999999999",
        "0xffffffffffffffffffffffffffffffffffffffff",
        "nan",
        "\"redis\"",
        "[[[]]]",
        "\"99999999999h\"",
        "\"18446744073709551615GiB\"",
        "\"\\u0000\"",
    ]);
    let path = prop::collection::vec(key, 1..4).prop_map(|keys| keys.join("."));
    let line = (path.clone(), value).prop_map(|(path, value)| format!("{path} = {value}\n"));
    let header = path.prop_map(|path| format!("[{path}]\n"));
    prop::collection::vec(prop_oneof![3 => line, 1 => header], 0..12).prop_map(|lines| lines.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), file in 0..4usize) {
        check_all(&[SourceFile::new(FILES[file], bytes)], &Overrides::default())?;
    }

    #[test]
    fn arbitrary_text_never_panics(text in r#"[\[\]{}="'\\\na-c0-9.#, \PC]{0,80}"#, file in 0..4usize) {
        check_all(&[SourceFile::new(FILES[file], text)], &Overrides::default())?;
    }

    #[test]
    fn plausible_files_never_panic(
        project in plausible(), deploy in plausible(), main in plausible(), other in plausible()
    ) {
        let texts = [project, deploy, main, other];
        let files: Vec<_> = FILES.iter().zip(texts).map(|(path, text)| SourceFile::new(*path, text)).collect();
        check_all(&files, &Overrides::default())?;
    }

    #[test]
    fn single_plausible_lines_reach_every_reader(text in plausible(), file in 0..4usize) {
        for line in text.lines() {
            check_all(&[SourceFile::new(FILES[file], line)], &Overrides::default())?;
        }
    }

    #[test]
    fn arbitrary_overrides_never_panic(
        project in plausible(), name in r"[A-Z_]{0,20}|\PC{0,20}", value in r"\PC{0,20}", flag in r"[a-z.]{0,20}=?\PC{0,20}"
    ) {
        let overrides = Overrides { env: vec![(format!("LUCKYSTACK_SET_{name}"), value)], flags: vec![flag] };
        check_all(&[SourceFile::new(FILES[0], project)], &overrides)?;
    }
}

#[test]
fn deep_nesting_is_refused_and_not_followed() {
    let deep = 300_000;
    for text in [
        format!("a = {}{}", "[".repeat(deep), "]".repeat(deep)),
        format!("a = {}", "{ a = ".repeat(deep / 2)),
        format!("{}a = 1", "a.".repeat(deep)),
        format!("[{}a]", "a.".repeat(deep)),
    ] {
        for file in FILES {
            let loaded =
                parse("presets".as_ref(), &[SourceFile::new(file, text.as_str())], &Overrides::default());
            assert!(loaded.findings.iter().any(|f| f.code == "syntax-error"), "{:?}", loaded.findings);
        }
    }
    let overrides = Overrides { env: Vec::new(), flags: vec![format!("{}a=1", "a.".repeat(deep))] };
    let loaded = parse("presets".as_ref(), &[], &overrides);
    assert!(loaded.findings.iter().any(|f| f.code == "invalid-override"));
    let overrides = Overrides { env: Vec::new(), flags: vec![format!("name={}", "[".repeat(deep))] };
    let _ = parse("presets".as_ref(), &[], &overrides);
}
