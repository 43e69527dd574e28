//! One case for every finding code that configuration can cause: the place it points to, a part of
//! its remedy, and that nothing else is reported along with it.

mod files;
mod rules;

use luckystack_topology::{DiskService, Finding, Overrides, SourceFile, parse, validate};

struct Case {
    code: &'static str,
    /// `file:line:column`, or the file alone.
    place: &'static str,
    remedy: &'static str,
    files: &'static [(&'static str, &'static str)],
}

const fn case(
    code: &'static str,
    place: &'static str,
    remedy: &'static str,
    files: &'static [(&'static str, &'static str)],
) -> Case {
    Case { code, place, remedy, files }
}

const PROJECT: &str = "presets/project.toml";
const DEPLOY: &str = "presets/deploy.toml";
const MAIN: &str = "presets/main.toml";
/// A preset of all the services on disk.
const ALL: &str = "services = [\"system\", \"vehicles\", \"billing\"]\n";
const REDIS: &str = "resources.r = { type = \"redis\", url_env_key = \"SET\" }\n";

/// What stands on disk and in the environment in every case.
fn findings_of(files: &[(&str, &str)], overrides: &Overrides) -> Vec<Finding> {
    let mut sources: Vec<SourceFile> =
        files.iter().map(|(path, text)| SourceFile::new(*path, *text)).collect();
    let preset = |path: &str| ![PROJECT, DEPLOY].contains(&path);
    if !files.iter().any(|(path, _)| preset(path)) {
        sources.push(SourceFile::new(MAIN, ALL));
    }
    let loaded = parse("presets".as_ref(), &sources, overrides);
    let topology = loaded.topology.expect("parse always gives a topology");
    let disk = ["vehicles", "billing"]
        .map(|name| DiskService { name: name.into(), dir: format!("plugins/{name}").into() });
    let mut findings = loaded.findings;
    findings.extend(validate(&topology, &disk, &|name| (name == "SET").then(|| "value".to_owned())));
    findings
}

fn place_of(finding: &Finding) -> String {
    let file = finding.file.display();
    match (finding.line, finding.column) {
        (Some(line), Some(column)) => format!("{file}:{line}:{column}"),
        _ => file.to_string(),
    }
}

fn check(cases: &[Case]) {
    for case in cases {
        let findings = findings_of(case.files, &Overrides::default());
        let shown = findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        let seen: Vec<_> = findings.iter().map(|f| (f.code, place_of(f))).collect();
        assert_eq!(seen, [(case.code, case.place.to_owned())], "{}:\n{shown}", case.code);
        assert!(findings[0].remedy.contains(case.remedy), "{}: {shown}", case.code);
    }
}

#[test]
fn a_right_configuration_has_no_findings() {
    let deploy = "
        [resources.main]
        type = \"redis\"
        url_env_key = \"SET\"
        synchronized_env_keys = [\"SET\"]
        [environments.production]
        redis = \"main\"
        [environments.production.bindings]
        system = \"http://10.0.0.1:80\"
        vehicles = \"https://[::1]:443\"
        billing = \"http://billing.internal:4100/\"
        [environments.development]
        redis = \"main\"
        fallback = \"production\"
        [routing]
        websocket_service = \"system\"
        trusted_proxy_cidrs = [\"10.0.0.0/8\"]
        [development]
        enable_fallback_routing = true
        health_poll = \"2s\"
        [custom_routes]
        \"/auth\" = \"system\"
        \"/\" = \"vehicles\"
    ";
    assert_eq!(findings_of(&[(DEPLOY, deploy)], &Overrides::default()), []);
}

#[test]
fn all_findings_come_at_once_and_in_reading_order() {
    let findings = findings_of(
        &[
            (
                PROJECT,
                "nam = \"x\"\n[http.cors]\nallowed_methods = [\"GET\", 1, \"P Q\"]\ncredentials = \"yes\"\n",
            ),
            (MAIN, "services = [\"system\", \"vehicles\", 5, \"billing\"]\n[service.vehicles]\nqueue = -1\n"),
        ],
        &Overrides::default(),
    );
    let seen: Vec<_> = findings.iter().map(|f| (f.code, place_of(f))).collect();
    let expected = [
        ("wrong-type", "presets/main.toml:1:35"),
        ("invalid-value", "presets/main.toml:3:9"),
        ("unknown-key", "presets/project.toml:1:1"),
        ("wrong-type", "presets/project.toml:3:27"),
        ("invalid-value", "presets/project.toml:3:30"),
        ("wrong-type", "presets/project.toml:4:15"),
    ];
    let expected = expected.map(|(code, place)| (code, place.to_owned()));
    assert_eq!(seen[..expected.len()], expected, "{seen:?}");
}

#[test]
fn findings_are_shown_and_serialised_as_documented() {
    let findings = findings_of(&[(PROJECT, "[http.cors]\nallow_locahost = true")], &Overrides::default());
    let shown = findings[0].to_string();
    assert!(
        shown.starts_with(
            "error[unknown-key] presets/project.toml:2:1: `allow_locahost` is not a setting in `[http.cors]`\n  help: did you mean"
        ),
        "{shown}"
    );
    let json = serde_json::to_value(&findings[0]).unwrap();
    assert_eq!(json["severity"], "error");
    assert_eq!(json["code"], "unknown-key");
    assert_eq!(json["line"], 2);
    assert_eq!(json["column"], 1);
    assert_eq!(json["key"], "http.cors.allow_locahost");
}

#[test]
fn control_characters_of_a_file_do_not_reach_the_terminal() {
    let findings = findings_of(
        &[(MAIN, "services = [\"system\", \"vehicles\", \"billing\", \"x\\nerror[y]\\u001b[2J\"]")],
        &Overrides::default(),
    );
    assert_eq!(findings.len(), 1);
    assert!(findings[0].message.starts_with(r"`x\nerror[y]\u{1b}[2J` cannot be"), "{}", findings[0].message);
}
