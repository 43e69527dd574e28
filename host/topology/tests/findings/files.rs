//! What a single file can have wrong.

use luckystack_topology::{Overrides, SourceFile, parse};

use crate::{ALL, DEPLOY, MAIN, PROJECT, case, check};

#[test]
fn files_that_are_no_configuration_say_so() {
    check(&[
        case(
            "syntax-error",
            "presets/main.toml:2:8",
            "mend the syntax",
            &[(MAIN, "services = []\nx = [1, \n")],
        ),
        case("syntax-error", "presets/project.toml:1:6", "mend the syntax", &[(PROJECT, "name 1")]),
        case("syntax-error", "presets/deploy.toml:2:1", "mend", &[(DEPLOY, "routing = {}\nrouting = {}\n")]),
        case("no-presets", "presets", "presets/main.toml", &[("presets/readme.md", "")]),
        case(
            "invalid-preset-name",
            "presets/my fleet.toml",
            "rename the file",
            &[("presets/my fleet.toml", ALL)],
        ),
    ]);
    let bytes = |bytes: &[u8]| {
        let sources = [SourceFile::new(MAIN, bytes)];
        parse("presets".as_ref(), &sources, &Overrides::default()).findings
    };
    let latin1 = bytes(b"# ok\n# \xc3\xa9 gr\xf6n\nservices = []");
    assert_eq!((latin1[0].code, latin1[0].line, latin1[0].column), ("invalid-utf8", Some(2), Some(7)));
    assert_eq!(latin1.len(), 1);
    assert_eq!(bytes(&vec![b'#'; (1 << 20) + 1])[0].code, "file-too-large");
}

#[test]
fn keys_and_values_are_checked_in_every_file() {
    check(&[
        case(
            "unknown-key",
            "presets/project.toml:2:1",
            "did you mean `allow_localhost`?",
            &[(PROJECT, "[http.cors]\nallow_locahost = true")],
        ),
        case(
            "unknown-key",
            "presets/project.toml:1:2",
            "did you mean `rate_limiting`?",
            &[(PROJECT, "[rateLimiting]\nenabled = true")],
        ),
        case(
            "unknown-key",
            "presets/project.toml:1:1",
            "valid keys: `name`, `default_language`",
            &[(PROJECT, "router = 1")],
        ),
        case(
            "wrong-type",
            "presets/project.toml:1:11",
            "write a section `[session]`",
            &[(PROJECT, "session = 1")],
        ),
        case(
            "invalid-value",
            "presets/project.toml:2:13",
            "`argon2id`, `bcrypt`",
            &[(PROJECT, "[auth]\npasswords = \"md5\"")],
        ),
        case(
            "invalid-value",
            "presets/project.toml:3:1",
            "remove one of the two",
            &[(PROJECT, "[backplane]\nstore = \"sqlite\"\nurl = \"redis://localhost\"")],
        ),
        case(
            "invalid-value",
            "presets/project.toml:3:1",
            "remove one of the two",
            &[(PROJECT, "[users]\nurl = \"postgres://localhost/app\"\ncomponent = \"accounts\"")],
        ),
        case(
            "invalid-value",
            "presets/project.toml:2:7",
            "write postgres:// or postgresql://HOST",
            &[(PROJECT, "[users]\nurl = \"mysql://localhost/app\"")],
        ),
        case(
            "missing-key",
            "presets/project.toml:2:1",
            "write from = ",
            &[(PROJECT, "[email]\nsmtp_url = \"smtps://mail.example.com\"")],
        ),
        case(
            "invalid-value",
            "presets/project.toml:2:1",
            "lower min_length or raise max_length",
            &[(PROJECT, "[auth.password_policy]\nmin_length = 60\nmax_length = 50")],
        ),
        case(
            "invalid-value",
            "presets/project.toml:1:8",
            "lower-case letters, digits and dashes",
            &[(PROJECT, "[oauth.credentials]\nissuer = \"https://id.example.com\"")],
        ),
        case(
            "invalid-value",
            "presets/project.toml:2:22",
            "write a path such as",
            &[(PROJECT, "[app]\nlogin_redirect_url = \"//evil.example\"")],
        ),
        case(
            "unknown-key",
            "presets/main.toml:2:1",
            "did you mean `description`?",
            &[(MAIN, "services = [\"system\", \"vehicles\", \"billing\"]\ndescripton = \"\"")],
        ),
        case(
            "unknown-key",
            "presets/main.toml:3:1",
            "did you mean `concurrency`?",
            &[(
                MAIN,
                "services = [\"system\", \"vehicles\", \"billing\"]\n[service.vehicles]\nconcurency = 1",
            )],
        ),
        case(
            "unknown-key",
            "presets/deploy.toml:2:1",
            "did you mean `upstream_timeout`?",
            &[(DEPLOY, "[routing]\nupstream_timeout_ms = \"1s\"")],
        ),
        case(
            "wrong-type",
            "presets/project.toml:2:8",
            "0 to 65535",
            &[(PROJECT, "[listen]\nport = \"4100\"")],
        ),
        case("wrong-type", "presets/project.toml:1:8", "[http]", &[(PROJECT, "http = 5")]),
        case("wrong-type", "presets/project.toml:1:8", "quotes", &[(PROJECT, "name = 5")]),
        case(
            "wrong-type",
            "presets/project.toml:2:10",
            "\"5s\"",
            &[(PROJECT, "[rate_limiting]\nwindow = 60")],
        ),
        case(
            "wrong-type",
            "presets/main.toml:3:10",
            "quote it",
            &[(
                MAIN,
                "services = [\"system\", \"vehicles\", \"billing\"]\n[service.vehicles.config]\ntariff = 3",
            )],
        ),
        case(
            "wrong-type",
            "presets/main.toml:3:12",
            "keyvalue = true",
            &[(
                MAIN,
                "services = [\"system\", \"vehicles\", \"billing\"]\n[service.vehicles.grants]\nkeyvalue = \"yes\"",
            )],
        ),
        case(
            "invalid-value",
            "presets/project.toml:2:8",
            "0 to 65535",
            &[(PROJECT, "[listen]\nport = 70000")],
        ),
        case(
            "invalid-value",
            "presets/project.toml:2:8",
            "port is a key of its own",
            &[(PROJECT, "[listen]\nhost = \"0.0.0.0:80\"")],
        ),
        case(
            "invalid-value",
            "presets/project.toml:2:10",
            "\"5s\"",
            &[(PROJECT, "[rate_limiting]\nwindow = \"soon\"")],
        ),
        case(
            "invalid-value",
            "presets/project.toml:2:21",
            "false for no limit",
            &[(PROJECT, "[rate_limiting]\ndefault_api_limit = 0")],
        ),
        case(
            "invalid-value",
            "presets/project.toml:2:8",
            "did you mean `hmac`?",
            &[(PROJECT, "[http.health_hash]\nmode = \"hmca\"")],
        ),
        case(
            "invalid-value",
            "presets/project.toml:3:3",
            "without a path",
            &[(
                PROJECT,
                "[http.cors]\nallowed_origins = [\"https://a.example\",\n  \"https://b.example/app\"]",
            )],
        ),
        case(
            "invalid-value",
            "presets/project.toml:2:17",
            "one slash",
            &[(PROJECT, "[http]\nlive_endpoint = \"/api/live\"")],
        ),
        case(
            "invalid-value",
            "presets/project.toml:2:17",
            "ASCII",
            &[(PROJECT, "[http.security_headers]\nframe_options = \"DENY\\r\\nX: y\"")],
        ),
        case(
            "invalid-value",
            "presets/project.toml:1:20",
            "locales/<tag>.json",
            &[(PROJECT, "default_language = \"../en\"")],
        ),
        case(
            "invalid-value",
            "presets/project.toml:2:1",
            "plugins/functions",
            &[(PROJECT, "[paths]\nfunctions = \"plugins\"")],
        ),
        case(
            "invalid-value",
            "presets/main.toml:3:10",
            "64KiB to 4GiB",
            &[(
                MAIN,
                "services = [\"system\", \"vehicles\", \"billing\"]\n[service.vehicles]\nmemory = \"1KiB\"",
            )],
        ),
        case(
            "invalid-value",
            "presets/main.toml:3:10",
            "raise engine.max_memory",
            &[(
                MAIN,
                "services = [\"system\", \"vehicles\", \"billing\"]\n[service.vehicles]\nmemory = \"1GiB\"",
            )],
        ),
        case(
            "invalid-value",
            "presets/main.toml:3:15",
            "raise engine.max_instances",
            &[(
                MAIN,
                "services = [\"system\", \"vehicles\", \"billing\"]\n[service.vehicles]\nconcurrency = 513",
            )],
        ),
        case(
            "invalid-value",
            "presets/main.toml:3:22",
            "api.example.com",
            &[(
                MAIN,
                "services = [\"system\", \"vehicles\", \"billing\"]\n[service.vehicles.grants]\nhttp = [\"a.example\", \"ftp://b\"]",
            )],
        ),
        case(
            "invalid-value",
            "presets/main.toml:3:14",
            "raise max_total",
            &[(
                MAIN,
                "services = [\"system\", \"vehicles\", \"billing\"]\n[service.vehicles.grants]\nkeyvalue = { max_value = \"2MiB\", max_total = \"1MiB\" }",
            )],
        ),
        case(
            "invalid-value",
            "presets/main.toml:3:19",
            "sha256sum vehicles.wasm",
            &[(
                MAIN,
                "services = [\"system\", \"vehicles\", \"billing\"]\n[service.vehicles.pin]\n\"vehicles.wasm\" = \"abc\"",
            )],
        ),
        case(
            "invalid-value",
            "presets/main.toml:3:1",
            "bare file name",
            &[(
                MAIN,
                "services = [\"system\", \"vehicles\", \"billing\"]\n[service.vehicles.pin]\nvehicles.wasm = \"abc\"",
            )],
        ),
        case(
            "invalid-value",
            "presets/deploy.toml:2:24",
            "10.0.0.0/8",
            &[(DEPLOY, "[routing]\ntrusted_proxy_cidrs = [\"10.0.0.0/99\"]")],
        ),
        case(
            "duplicate-endpoint",
            "presets/project.toml:2:1",
            "path of its own",
            &[(PROJECT, "[http]\nready_endpoint = \"/livez\"")],
        ),
        case(
            "missing-key",
            "presets/project.toml:2:1",
            "both cert and key",
            &[(PROJECT, "[tls]\ncert = \"cert.pem\"")],
        ),
        case("missing-key", "presets/project.toml:1:1", "both cert and key", &[(PROJECT, "[tls]\n")]),
        case(
            "missing-key",
            "presets/deploy.toml:1:12",
            "REDIS_URL",
            &[(DEPLOY, "[resources.main]\ntype = \"redis\"")],
        ),
    ]);
}

#[test]
fn presets_are_checked_on_their_own() {
    check(&[
        case("missing-key", "presets/b.toml", "services = [", &[(MAIN, ALL), ("presets/b.toml", "")]),
        case(
            "preset-without-services",
            "presets/b.toml:1:1",
            "name at least one",
            &[(MAIN, ALL), ("presets/b.toml", "services = []")],
        ),
        case(
            "invalid-service-name",
            "presets/b.toml:1:13",
            "rename the service",
            &[(MAIN, ALL), ("presets/b.toml", "services = [\"functions\"]")],
        ),
        case(
            "invalid-service-name",
            "presets/b.toml:1:13",
            "write \"admin\"",
            &[(MAIN, ALL), ("presets/b.toml", "services = [\"admin/users\"]")],
        ),
        case(
            "service-listed-twice",
            "presets/main.toml:1:46",
            "presets/main.toml:1:23",
            &[(MAIN, "services = [\"system\", \"vehicles\", \"billing\", \"vehicles\"]")],
        ),
        case(
            "settings-for-unlisted-service",
            "presets/main.toml:2:10",
            "did you mean `vehicles`?",
            &[(MAIN, "services = [\"system\", \"vehicles\", \"billing\"]\n[service.vehicle]\nqueue = 1")],
        ),
        case(
            "setting-without-effect",
            "presets/main.toml:4:1",
            "instances = \"reused\"",
            &[(
                MAIN,
                "services = [\"system\", \"vehicles\", \"billing\"]\n[service.vehicles]\ninstances = \"per-call\"\nmax_idle = \"1s\"",
            )],
        ),
    ]);
}
