//! What only the files together can have wrong (wire protocol §7.5).

use luckystack_topology::{Overrides, Severity};

use crate::{ALL, DEPLOY, MAIN, REDIS, case, check, findings_of};

#[test]
fn presets_and_disk_are_checked_against_each_other() {
    check(&[
        case(
            "service-in-multiple-presets",
            "presets/main.toml:1:23",
            "presets/a.toml:1:13",
            &[("presets/a.toml", "services = [\"vehicles\"]"), (MAIN, ALL)],
        ),
        case(
            "preset-references-unknown-service",
            "presets/a.toml:2:3",
            "did you mean `vehicles`?",
            &[("presets/a.toml", "services = [\n  \"vehicels\"]"), (MAIN, ALL)],
        ),
        case(
            "service-in-no-preset",
            "plugins/billing",
            "add \"billing\" to the services of a preset (`main`)",
            &[(MAIN, "services = [\"system\", \"vehicles\"]")],
        ),
    ]);
}

#[test]
fn deployments_are_checked_against_presets_and_disk() {
    // One environment that binds everything, so that only the case's own mistake is seen.
    macro_rules! bound {
        ($extra:literal) => {
            concat!(
                "resources.r = { type = \"redis\", url_env_key = \"SET\" }\n",
                "environments.p.redis = \"r\"\n",
                "environments.p.bindings = { system = \"http://h:1\", vehicles = \"http://h:1\", billing = \"http://h:1\" }\n",
                $extra
            )
        };
    }
    check(&[
        case(
            "service-unassigned",
            "presets/deploy.toml:4:15",
            "add \"billing\" to the services",
            &[
                (MAIN, "services = [\"system\", \"vehicles\"]"),
                (
                    DEPLOY,
                    "resources.r = { type = \"redis\", url_env_key = \"SET\" }\nenvironments.p.redis = \"r\"\nenvironments.p.bindings = { system = \"http://h:1\", vehicles = \"http://h:1\" }\ncustom_routes.\"/pay\" = \"billing\"",
                ),
            ],
        ),
        case(
            "missing-resource-env-var",
            "presets/deploy.toml:4:45",
            "set UNSET",
            &[(DEPLOY, bound!("resources.q = { type=\"redis\", url_env_key = \"UNSET\" }"))],
        ),
        case(
            "missing-synchronized-env-var",
            "presets/deploy.toml:4:75",
            "same value",
            &[(
                DEPLOY,
                bound!(
                    "resources.q = { type=\"redis\", url_env_key=\"SET\", synchronized_env_keys = [\"UNSET\"] }"
                ),
            )],
        ),
        case(
            "no-resources",
            "presets/deploy.toml:1:14",
            "[resources.main]",
            &[(
                DEPLOY,
                "environments.p.bindings = { system = \"http://h:1\", vehicles = \"http://h:1\", billing = \"http://h:1\" }",
            )],
        ),
        case(
            "invalid-environment-name",
            "presets/deploy.toml:4:14",
            "A-Z",
            &[(DEPLOY, bound!("environments.\"a b\".redis = \"r\""))],
        ),
        case(
            "unknown-redis-resource",
            "presets/deploy.toml:4:24",
            "valid redis resources: `r`",
            &[(DEPLOY, bound!("environments.q.redis = \"cache\""))],
        ),
        case(
            "unknown-mongo-resource",
            "presets/deploy.toml:4:24",
            "there are no mongo resources",
            &[(DEPLOY, bound!("environments.q.mongo = \"r2\""))],
        ),
        case(
            "resource-type-mismatch",
            "presets/deploy.toml:4:24",
            "no mongo resources",
            &[(DEPLOY, bound!("environments.q.mongo = \"r\""))],
        ),
        case(
            "unknown-fallback-env",
            "presets/deploy.toml:4:27",
            "valid environments: `p`",
            &[(DEPLOY, bound!("environments.q.fallback = \"production\""))],
        ),
        case(
            "fallback-redis-mismatch",
            "presets/deploy.toml:4:27",
            "the same redis resource",
            &[(DEPLOY, bound!("environments.q.fallback = \"p\""))],
        ),
        case(
            "fallback-mongo-mismatch",
            "presets/deploy.toml:5:57",
            "the same mongo resource",
            &[(
                DEPLOY,
                bound!(
                    "resources.m = { type = \"mongo\", url_env_key = \"SET\" }\nenvironments.q = { redis = \"r\", fallback = \"p\", mongo = \"m\" }"
                ),
            )],
        ),
        case(
            "binding-references-unknown-service",
            "presets/deploy.toml:4:38",
            "did you mean `billing`?",
            &[(DEPLOY, bound!("environments.q.bindings = { biling = \"http://h:1\" }"))],
        ),
        case(
            "binding-invalid-url",
            "presets/deploy.toml:4:38",
            "http://10.0.0.5:4100",
            &[(DEPLOY, bound!("environments.q.bindings = { system = \"h:4100\" }"))],
        ),
        case(
            "binding-missing-port",
            "presets/deploy.toml:4:38",
            "http://10.0.0.5:4100",
            &[(DEPLOY, bound!("environments.q.bindings = { system = \"http://h\" }"))],
        ),
        case(
            "binding-path-ignored",
            "presets/deploy.toml:4:38",
            "http://10.0.0.5:4100",
            &[(DEPLOY, bound!("environments.q.bindings = { system = \"http://h:1/app\" }"))],
        ),
        case(
            "custom-route-invalid-prefix",
            "presets/deploy.toml:4:15",
            "such as \"/auth\"",
            &[(DEPLOY, bound!("custom_routes.auth = \"system\""))],
        ),
        case(
            "custom-route-overlaps-typed-transport",
            "presets/deploy.toml:4:15",
            "choose another prefix",
            &[(DEPLOY, bound!("custom_routes.\"/api/old\" = \"system\""))],
        ),
        case(
            "custom-route-duplicate-prefix",
            "presets/deploy.toml:5:15",
            "remove one",
            &[(
                DEPLOY,
                bound!("custom_routes.\"/auth\" = \"system\"\ncustom_routes.\"/auth/\" = \"billing\""),
            )],
        ),
        case(
            "custom-route-unknown-service",
            "presets/deploy.toml:4:15",
            "did you mean `system`?",
            &[(DEPLOY, bound!("custom_routes.\"/auth\" = \"sytem\""))],
        ),
        case(
            "websocket-service-unknown",
            "presets/deploy.toml:4:29",
            "valid services",
            &[(DEPLOY, bound!("routing.websocket_service = \"chat\""))],
        ),
    ]);
}

#[test]
fn fallbacks_that_cannot_work_are_found() {
    let deploy = |text: &str| {
        let text = format!("{REDIS}{text}");
        findings_of(&[(DEPLOY, &text)], &Overrides::default())
            .into_iter()
            .filter(|finding| finding.is_error())
            .map(|finding| (finding.code, finding.line, finding.message))
            .collect::<Vec<_>>()
    };
    let circle = deploy(
        "environments.a = { redis = \"r\", fallback = \"b\" }\n\
         environments.b = { redis = \"r\", fallback = \"c\" }\n\
         environments.c = { redis = \"r\", fallback = \"b\" }\n\
         environments.d = { redis = \"r\", fallback = \"d\" }\n\
         environments.e = { redis = \"r\", fallback = \"a\" }\n",
    );
    let lines: Vec<_> = circle.iter().map(|(code, line, _)| (*code, *line)).collect();
    assert_eq!(lines, [("fallback-cycle", Some(3)), ("fallback-cycle", Some(5))], "{circle:?}");
    assert!(circle[0].2.contains("b → c → b"), "{circle:?}");
    assert!(circle[1].2.contains("d → d"), "{circle:?}");

    let bare = deploy("environments.a.fallback = \"b\"\nenvironments.b = {}\n");
    assert_eq!((bare.len(), bare[0].0, bare[0].1), (1, "fallback-without-redis", Some(2)));
}

#[test]
fn services_that_no_environment_binds_are_warned_of() {
    let text =
        format!("{REDIS}environments.p = {{ redis = \"r\", bindings = {{ system = \"http://h:1\" }} }}");
    let findings = findings_of(&[(DEPLOY, &text)], &Overrides::default());
    let seen: Vec<_> = findings.iter().map(|f| (f.code, f.severity, f.line)).collect();
    assert_eq!(seen, [("service-bound-in-no-environment", Severity::Warning, Some(2)); 2]);
    assert!(findings[0].message.contains("`billing`") && findings[1].message.contains("`vehicles`"));
}

#[test]
fn a_binding_may_name_the_default_port_of_its_scheme() {
    for (url, code) in [
        ("http://h:80", None),
        ("https://h:443", None),
        ("https://h:443/", None),
        ("http://[::1]:80", None),
        ("http://[::1]", Some("binding-missing-port")),
        ("http://h:", Some("binding-missing-port")),
        ("http://h/a:80", Some("binding-missing-port")),
        ("http://h:99999", Some("binding-invalid-url")),
        ("http:/h:80", Some("binding-invalid-url")),
        ("http://u:p@h:80", Some("binding-invalid-url")),
        ("http://h :80", Some("binding-invalid-url")),
        ("ftp://h:21", Some("binding-invalid-url")),
        ("", Some("binding-invalid-url")),
    ] {
        let text =
            format!("{REDIS}environments.p = {{ redis = \"r\", bindings = {{ system = \"{url}\" }} }}");
        let findings = findings_of(&[(DEPLOY, &text)], &Overrides::default());
        let seen: Vec<_> = findings.iter().filter(|f| f.is_error()).map(|f| f.code).collect();
        assert_eq!(seen, Vec::from_iter(code), "{url}");
    }
}

#[test]
fn a_preset_that_cannot_be_parsed_does_not_blame_its_services() {
    let findings = findings_of(
        &[
            ("presets/broken.toml", "services = [\"billing\""),
            (MAIN, "services = [\"system\", \"vehicles\"]"),
        ],
        &Overrides::default(),
    );
    assert_eq!(findings.iter().map(|f| f.code).collect::<Vec<_>>(), ["syntax-error"], "{findings:?}");
}
