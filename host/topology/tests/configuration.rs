//! What the configuration means: defaults, values, overrides, selection, settings of services.
#![allow(clippy::unwrap_used, reason = "helpers outside of #[test] functions are tests too")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use luckystack_topology::{
    HealthHashMode, HostPattern, HttpScheme, InstancePolicy, Loaded, Overrides, ResourceKind, RuntimeMode,
    ServiceSettings, SourceFile, Topology, parse,
};

fn load(files: &[(&str, &str)], overrides: &Overrides) -> Loaded {
    let files: Vec<_> = files.iter().map(|(path, text)| SourceFile::new(*path, *text)).collect();
    parse("presets".as_ref(), &files, overrides)
}

fn topology(files: &[(&str, &str)]) -> Topology {
    let loaded = load(files, &Overrides::default());
    assert_eq!(loaded.findings, [], "{files:?}");
    loaded.topology.unwrap()
}

const MAIN: (&str, &str) = ("presets/main.toml", "services = [\"system\"]");

fn flags(flags: &[&str]) -> Overrides {
    Overrides { env: Vec::new(), flags: flags.iter().map(|flag| (*flag).to_owned()).collect() }
}

fn env(variables: &[(&str, &str)]) -> Overrides {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Overrides { env: variables.iter().map(own).collect(), flags: Vec::new() }
}

#[test]
fn defaults_are_those_of_the_protocol() {
    let p = topology(&[MAIN]).project;
    assert_eq!((p.name.as_str(), p.default_language.as_str()), ("luckystack", "en"));
    assert_eq!((p.listen.host.as_str(), p.listen.port), ("127.0.0.1", 4100));
    assert_eq!(p.tls, None);
    assert_eq!(p.http.request_body_max_bytes, 1_048_576);
    assert_eq!(
        [&p.http.health_endpoint, &p.http.live_endpoint, &p.http.ready_endpoint],
        ["/_health", "/livez", "/readyz"]
    );
    assert_eq!((p.http.trust_proxy, p.http.trusted_proxy_hop_count), (false, 1));
    assert_eq!(p.http.cors.allowed_methods.join(", "), "GET, POST, PUT, DELETE, OPTIONS");
    assert_eq!(
        p.http.cors.allowed_headers.join(", "),
        "Content-Type, Authorization, X-Session-Based-Token, X-CSRF-Token, X-Request-Id"
    );
    assert_eq!(p.http.cors.exposed_headers.join(", "), "X-Session-Token, X-Request-Id");
    assert!(
        p.http.cors.credentials && !p.http.cors.allow_localhost && p.http.cors.allowed_origins.is_empty()
    );
    let security = &p.http.security_headers;
    assert_eq!(
        [
            &security.frame_options,
            &security.referrer_policy,
            &security.xss_protection,
            &security.content_type_options
        ],
        ["SAMEORIGIN", "no-referrer", "0", "nosniff"]
    );
    let stream = &p.http.stream;
    assert_eq!(
        [&stream.query_param, &stream.enabled_value, &stream.connected_comment],
        ["stream", "true", ": connected"]
    );
    assert_eq!(
        (p.http.health_hash.mode, p.http.health_hash.salt.as_str()),
        (HealthHashMode::Hmac, "@bootUuid")
    );
    let limits = &p.rate_limiting;
    assert_eq!(
        (limits.enabled, limits.default_api_limit, limits.default_ip_limit),
        (true, Some(60), Some(100))
    );
    assert_eq!((limits.window, limits.max_keys), (Duration::from_secs(60), 50_000));
    assert!(!limits.skip_loopback_in_dev);
    assert_eq!(p.api.request_timeout, None);
    assert_eq!(p.validation.runtime_mode, RuntimeMode::Enforce);
    assert_eq!(
        (p.engine.max_instances, p.engine.max_memory, p.engine.wasm_stack),
        (512, 256 << 20, 512 << 10)
    );
    assert_eq!(p.engine.epoch_tick, Duration::from_millis(2));
    assert_eq!(p.paths.plugins, Path::new("plugins"));
    assert_eq!(p.paths.functions, Path::new("plugins/functions"));
    assert_eq!(p.paths.locales, Path::new("presets/locales"));
    assert_eq!((p.paths.public, p.paths.cache), (None, None));
}

#[test]
fn every_key_of_the_project_is_read() {
    let text = r#"
        name = "fleet-app"
        default_language = "de"
        [paths]
        plugins = "example-plugins"
        locales = "texts"
        public = "/srv/public"
        cache = ".cache"
        [listen]
        host = "::"
        port = 0
        [tls]
        cert = "tls/cert.pem"
        key = "tls/key.pem"
        [http]
        request_body_max_bytes = "2MiB"
        health_endpoint = "/h"
        live_endpoint = "/l"
        ready_endpoint = "/r"
        trust_proxy = true
        trusted_proxy_hop_count = 2
        max_header_bytes = 32768
        header_read_timeout = "1s"
        body_read_timeout = "2s"
        write_timeout = "3s"
        keep_alive_timeout = "4s"
        max_requests_per_second_per_connection = false
        max_connections = 10
        drain_timeout = "0s"
        [http.cors]
        allowed_methods = ["GET"]
        allowed_headers = ["X-A"]
        exposed_headers = []
        credentials = false
        allowed_origins = ["HTTPS://App.Example.com:443/", "http://b.example:8080", "capacitor://localhost"]
        allow_localhost = true
        [http.security_headers]
        frame_options = "DENY"
        referrer_policy = "origin"
        xss_protection = "1"
        content_type_options = "x"
        [http.stream]
        query_param = "s"
        enabled_value = "1"
        connected_comment = ": hi"
        [http.health_hash]
        mode = "plain"
        salt = "s"
        [rate_limiting]
        enabled = false
        default_api_limit = false
        default_ip_limit = 5
        window = "1m"
        skip_loopback_in_dev = true
        max_keys = 10
        [api]
        request_timeout = "30s"
        [validation]
        runtime_mode = "off"
        [engine]
        max_instances = 16
        max_memory = "64MiB"
        wasm_stack = "1MiB"
        epoch_tick = "5ms"
    "#;
    let p = topology(&[("presets/project.toml", text), MAIN]).project;
    assert_eq!((p.name.as_str(), p.default_language.as_str()), ("fleet-app", "de"));
    assert_eq!(p.paths.plugins, Path::new("example-plugins"));
    assert_eq!(p.paths.functions, Path::new("example-plugins/functions"));
    assert_eq!(p.paths.locales, Path::new("texts"));
    assert_eq!(p.paths.public.as_deref(), Some(Path::new("/srv/public")));
    assert_eq!(p.paths.cache.as_deref(), Some(Path::new(".cache")));
    assert_eq!((p.listen.host.as_str(), p.listen.port), ("::", 0));
    assert_eq!(p.tls.unwrap().cert, Path::new("tls/cert.pem"));
    let http = &p.http;
    assert_eq!(http.request_body_max_bytes, 2 << 20);
    assert_eq!([&http.health_endpoint, &http.live_endpoint, &http.ready_endpoint], ["/h", "/l", "/r"]);
    assert_eq!((http.trust_proxy, http.trusted_proxy_hop_count, http.max_header_bytes), (true, 2, 32768));
    assert_eq!(
        [http.header_read_timeout, http.body_read_timeout, http.write_timeout, http.keep_alive_timeout],
        [1, 2, 3, 4].map(Duration::from_secs)
    );
    assert_eq!((http.max_requests_per_second_per_connection, http.max_connections), (None, 10));
    assert_eq!(http.drain_timeout, Duration::ZERO);
    assert_eq!(
        (&http.cors.allowed_methods[..], &http.cors.allowed_headers[..]),
        (&["GET".to_owned()][..], &["X-A".to_owned()][..])
    );
    assert!(http.cors.exposed_headers.is_empty() && !http.cors.credentials && http.cors.allow_localhost);
    assert_eq!(
        http.cors.allowed_origins,
        ["https://app.example.com", "http://b.example:8080", "capacitor://localhost"]
    );
    assert_eq!(http.security_headers.frame_options, "DENY");
    assert_eq!(http.security_headers.referrer_policy, "origin");
    assert_eq!(http.security_headers.xss_protection, "1");
    assert_eq!(http.security_headers.content_type_options, "x");
    assert_eq!(
        [&http.stream.query_param, &http.stream.enabled_value, &http.stream.connected_comment],
        ["s", "1", ": hi"]
    );
    assert_eq!((http.health_hash.mode, http.health_hash.salt.as_str()), (HealthHashMode::Plain, "s"));
    let limits = &p.rate_limiting;
    assert_eq!((limits.enabled, limits.default_api_limit, limits.default_ip_limit), (false, None, Some(5)));
    assert_eq!(
        (limits.window, limits.skip_loopback_in_dev, limits.max_keys),
        (Duration::from_secs(60), true, 10)
    );
    assert_eq!(p.api.request_timeout, Some(Duration::from_secs(30)));
    assert_eq!(p.validation.runtime_mode, RuntimeMode::Off);
    assert_eq!((p.engine.max_instances, p.engine.max_memory, p.engine.wasm_stack), (16, 64 << 20, 1 << 20));
    assert_eq!(p.engine.epoch_tick, Duration::from_millis(5));
}

#[test]
fn every_setting_of_a_service_is_read() {
    let text = r#"
        description = "Vehicles and what they need"
        services = ["system", "vehicles", "audit"]
        [service.vehicles]
        instances = "reused"
        max_calls_per_instance = 1
        max_idle = "2s"
        memory = "32MiB"
        deadline = "3s"
        hook_deadline = "4ms"
        concurrency = 5
        queue = 0
        max_output = "7KiB"
        max_stream_chunk = "8KB"
        max_stream = 9
        max_log_lines = 10
        degraded_after = 11
        [service.vehicles.grants]
        http = ["api.example.com", "*.example.org:8443", "http://127.0.0.1:9000", "*"]
        keyvalue = true
        [service.vehicles.config]
        tariff = "gold"
        [service.vehicles.pin]
        "vehicles.wasm" = "ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef0123456789"
        [service.audit]
        instances = "per-call"
        grants.keyvalue = { max_value = "1KiB" }
    "#;
    let t = topology(&[("presets/fleet.toml", text)]);
    assert_eq!(t.presets["fleet"].description.as_deref(), Some("Vehicles and what they need"));
    assert_eq!(t.presets["fleet"].services, ["system", "vehicles", "audit"]);
    let s = t.service_settings("vehicles/nested");
    assert_eq!((s.instances, s.max_calls_per_instance), (InstancePolicy::Reused, 1));
    assert_eq!((s.max_idle, s.memory), (Duration::from_secs(2), 32 << 20));
    assert_eq!((s.deadline, s.hook_deadline), (Duration::from_secs(3), Duration::from_millis(4)));
    assert_eq!((s.concurrency, s.queue), (5, 0));
    assert_eq!((s.max_output, s.max_stream_chunk, s.max_stream), (7 << 10, 8000, 9));
    assert_eq!((s.max_log_lines, s.degraded_after), (10, 11));
    let hosts: Vec<_> = s.grants.http.iter().map(ToString::to_string).collect();
    assert_eq!(hosts, ["api.example.com", "*.example.org:8443", "http://127.0.0.1:9000", "*"]);
    assert_eq!(s.grants.http[2].scheme, Some(HttpScheme::Http));
    assert_eq!(s.grants.http[3].host, HostPattern::AnyPublic);
    let keyvalue = s.grants.keyvalue.unwrap();
    assert_eq!((keyvalue.max_value, keyvalue.max_total), (1 << 20, 64 << 20));
    assert_eq!(s.config["tariff"], "gold");
    assert!(s.pin["vehicles.wasm"].starts_with("abcdef0123"));

    let audit = t.service_settings("audit");
    assert_eq!(audit.instances, InstancePolicy::PerCall);
    assert_eq!(audit.grants.keyvalue.unwrap().max_value, 1 << 10);
    assert_eq!(**t.service_settings("system"), ServiceSettings::default());
    assert_eq!(**t.service_settings("unheard-of"), ServiceSettings::default());
}

#[test]
fn defaults_of_services_stay_within_a_small_engine() {
    let project = ("presets/project.toml", "[engine]\nmax_memory = \"16MiB\"\nmax_instances = 4");
    let t =
        topology(&[project, ("presets/main.toml", "services = [\"system\", \"a\"]\n[service.a]\nqueue = 1")]);
    for service in ["system", "a"] {
        let settings = t.service_settings(service);
        assert_eq!((settings.memory, settings.concurrency), (16 << 20, 4), "{service}");
    }
}

#[test]
fn the_deployment_is_read() {
    let text = r#"
        [resources.main]
        type = "redis"
        url_env_key = "REDIS_URL"
        synchronized_env_keys = ["TOTP_KEY"]
        [environments.production]
        redis = "main"
        [environments.production.bindings]
        system = "http://10.0.0.1:4100"
        [environments.development]
        redis = "main"
        fallback = "production"
        [routing]
        default_health_poll = "7s"
        trusted_proxy_cidrs = ["10.0.0.0/8", "::1"]
        ws_max_head_bytes = "128KiB"
        [development]
        enable_fallback_routing = true
        [custom_routes]
        "/auth" = "system"
    "#;
    let d = topology(&[("presets/deploy.toml", text), MAIN]).deploy.unwrap();
    assert_eq!(d.resources["main"].kind, ResourceKind::Redis);
    assert_eq!(d.resources["main"].synchronized_env_keys, ["TOTP_KEY"]);
    assert_eq!(d.environments["production"].bindings["system"], "http://10.0.0.1:4100");
    assert_eq!(d.environments["development"].fallback.as_deref(), Some("production"));
    assert_eq!((d.routing.default_router_port, d.routing.websocket_service.as_str()), (4000, "system"));
    assert_eq!(d.routing.missing_service_error_code, "serviceNotAssigned");
    assert_eq!((d.routing.ws_max_head_bytes, d.routing.max_request_body_bytes), (128 << 10, 100 << 20));
    assert!(d.routing.trusted_proxy_cidrs[0].contains("10.1.2.3".parse().unwrap()));
    assert!(d.development.enable_fallback_routing);
    assert_eq!(
        d.development.health_poll,
        Duration::from_secs(7),
        "taken from routing when it has none of its own"
    );
    assert_eq!(
        (d.custom_routes[0].prefix.as_str(), d.custom_routes[0].service.as_str()),
        ("/auth", "system")
    );
    assert!(topology(&[MAIN]).deploy.is_none());
}

#[test]
fn overrides_win_over_the_file_and_flags_over_variables() {
    let project = ("presets/project.toml", "name = \"file\"\n[listen]\nport = 1\nhost = \"0.0.0.0\"");
    let mut both = env(&[
        ("LUCKYSTACK_SET_LISTEN__PORT", "2"),
        ("LUCKYSTACK_SET_NAME", "123"),
        ("LUCKYSTACK_SET_HTTP__CORS__ALLOWED_ORIGINS", "[\"https://a.example\"]"),
        ("LUCKYSTACK_SET_RATE_LIMITING__DEFAULT_API_LIMIT", "false"),
        ("HOME", "/nowhere"),
    ]);
    both.flags = flags(&[
        "listen.port=3",
        "http.cors.allow_localhost = true",
        "rate_limiting.window=5s",
        "http.stream={query_param=\"q\"}",
    ])
    .flags;
    let loaded = load(&[project, MAIN], &both);
    assert_eq!(loaded.findings, []);
    let p = loaded.topology.unwrap().project;
    assert_eq!((p.listen.port, p.listen.host.as_str()), (3, "0.0.0.0"));
    assert_eq!(p.name, "123", "a string needs no quotes outside of a file");
    assert_eq!(p.http.cors.allowed_origins, ["https://a.example"]);
    assert!(p.http.cors.allow_localhost);
    assert_eq!(p.rate_limiting.window, Duration::from_secs(5));
    assert_eq!(p.rate_limiting.default_api_limit, None);
    assert_eq!((p.http.stream.query_param.as_str(), p.http.stream.enabled_value.as_str()), ("q", "true"));
}

#[test]
fn overrides_that_set_nothing_are_found() {
    let project = ("presets/project.toml", "name = \"x\"");
    for (overrides, code, file, text) in [
        (
            flags(&["http.cors.allow_locahost=true"]),
            "unknown-key",
            "--set http.cors.allow_locahost",
            "`allow_localhost`?",
        ),
        (
            env(&[("LUCKYSTACK_SET_HTP__TRUST_PROXY", "1")]),
            "unknown-key",
            "LUCKYSTACK_SET_HTP__TRUST_PROXY",
            "`http`?",
        ),
        (
            env(&[("LUCKYSTACK_SET_LISTEN__PORT", "many")]),
            "wrong-type",
            "LUCKYSTACK_SET_LISTEN__PORT",
            "0 to 65535",
        ),
        (flags(&["listen.port=65536"]), "invalid-value", "--set listen.port", "0 to 65535"),
        (flags(&["name.first=x"]), "invalid-override", "--set name.first", "--set http.cors"),
        (flags(&["port"]), "invalid-override", "--set", "--set http.cors"),
        (flags(&["=x"]), "invalid-override", "--set ", "--set http.cors"),
        (flags(&["a..b=x"]), "invalid-override", "--set a..b", "--set http.cors"),
        (flags(&["a.a.a.a.a.a.a.a.a=x"]), "invalid-override", "--set a.a.a.a.a.a.a.a.a", "--set http.cors"),
        (env(&[("LUCKYSTACK_SET_", "x")]), "invalid-override", "LUCKYSTACK_SET_", "--set http.cors"),
        (flags(&["http=5"]), "wrong-type", "--set http", "[http]"),
    ] {
        let loaded = load(&[project, MAIN], &overrides);
        assert_eq!(loaded.findings.len(), 1, "{:?}", loaded.findings);
        let finding = &loaded.findings[0];
        assert_eq!((finding.code, &finding.file), (code, &PathBuf::from(file)), "{finding}");
        assert!(finding.remedy.contains(text), "{finding}");
        assert!(loaded.has_errors());
    }
}

#[test]
fn a_project_without_a_name_is_called_by_the_environment() {
    let name = |files: &[(&str, &str)], value: &str| {
        load(files, &env(&[("PROJECT_NAME", value)])).topology.unwrap().project.name
    };
    assert_eq!(name(&[MAIN], "env"), "env");
    assert_eq!(name(&[MAIN], " "), "luckystack");
    assert_eq!(name(&[MAIN, ("presets/project.toml", "name = \"file\"")], "env"), "file");
}

#[test]
fn selections_name_presets_and_gather_their_services() {
    let t = topology(&[
        ("presets/fleet.toml", "services = [\"system\", \"vehicles\"]"),
        ("presets/finance.toml", "services = [\"billing\"]"),
    ]);
    let select = |names: &[&str]| t.selection(&names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>());
    let all = select(&[]).unwrap();
    assert_eq!(all.presets, ["finance", "fleet"]);
    assert_eq!(Vec::from_iter(&all.services), ["billing", "system", "vehicles"]);
    let one = select(&["fleet", "fleet"]).unwrap();
    assert_eq!(one.presets, ["fleet"]);
    assert_eq!(Vec::from_iter(&one.services), ["system", "vehicles"]);
    let wrong = select(&["fleat", "finance", "ops"]).unwrap_err();
    assert_eq!(wrong.names, ["fleat", "ops"]);
    assert_eq!(
        wrong.to_string(),
        "there is no preset `fleat`, `ops`; did you mean `fleet`? valid presets: `finance`, `fleet`"
    );

    assert_eq!(t.preset_of("billing"), Some("finance"));
    assert_eq!(t.preset_of("billing/invoices"), Some("finance"));
    assert_eq!(t.preset_of("audit"), None);
    assert_eq!(t.preset_of(""), None);
}

#[test]
fn relative_paths_start_at_the_parent_of_the_configuration() {
    for (config_dir, root, plugins) in [
        ("presets", ".", "plugins"),
        ("./presets", ".", "plugins"),
        ("app/presets", "app", "app/plugins"),
        ("/srv/app/presets/", "/srv/app", "/srv/app/plugins"),
        (".", "./..", "./../plugins"),
    ] {
        let loaded = parse(config_dir.as_ref(), &[], &Overrides::default());
        let t = loaded.topology.unwrap();
        assert_eq!(
            (t.root.as_path(), t.project.paths.plugins.as_path()),
            (Path::new(root), Path::new(plugins))
        );
        assert_eq!(t.config_dir, Path::new(config_dir));
    }
}

#[test]
fn identity_has_the_defaults_of_the_protocol_and_reads_every_section() {
    use luckystack_topology::{
        AccountStrategy, BackplaneStore, OnConflict, OnStoreError, PasswordHash, RateLimitStore, SameSite,
        SessionsPerUser,
    };

    let p = topology(&[MAIN]).project;
    assert_eq!((p.session.based_token, p.session.expiry), (false, Duration::from_secs(604_800)));
    assert_eq!((p.session.per_user, p.session.on_conflict), (SessionsPerUser::Single, OnConflict::RevokeOld));
    assert_eq!((p.backplane.store, p.backplane.url.as_deref()), (None, None));
    assert_eq!((p.http.cookie.name.as_str(), p.http.cookie.same_site), ("token", SameSite::Strict));
    assert_eq!(p.http.test_reset_endpoint, "/_test/reset");
    assert!(p.auth.enabled && p.auth.credentials && p.auth.allow_registration);
    assert!(!p.auth.two_factor && !p.auth.email_code_login && !p.auth.forgot_password);
    assert_eq!((p.auth.passwords, p.auth.bcrypt_rounds), (PasswordHash::Argon2id, 10));
    let policy = &p.auth.password_policy;
    assert_eq!((policy.min_length, policy.max_length, policy.forbid_common), (8, 191, true));
    let lockout = &p.rate_limiting.auth;
    assert_eq!((lockout.max_attempts, lockout.max_attempts_per_account), (5, 50));
    assert_eq!(lockout.window, Duration::from_secs(900));
    assert_eq!(p.rate_limiting.store, RateLimitStore::Memory);
    assert_eq!(p.paths.uploads, p.paths.data.join("uploads"));
    assert_eq!(p.uploads.formats, ["webp"]);
    assert!(p.oauth.is_empty());

    let text = r#"
        [app]
        public_url = "https://app.example.com/"
        login_redirect_url = "/home"
        [paths]
        data = "/var/lib/app"
        [backplane]
        url = "rediss://cache.example.com:6380"
        [session]
        based_token = true
        expiry = "1h"
        per_user = "multiple"
        max_concurrent_per_user = 3
        on_conflict = "reject-new"
        max_unknown_tokens = false
        [http]
        session_cookie_name = "sid"
        session_cookie_same_site = "Lax"
        session_cookie_secure = true
        accept_bearer_in_cookie_mode = true
        [auth]
        passwords = "bcrypt"
        provider_account_strategy = "unified"
        [auth.password_policy]
        min_length = 12
        [rate_limiting]
        store = "redis"
        on_store_error = "deny"
        [rate_limiting.auth]
        enabled = false
        [users]
        component = "accounts"
        [oauth.acme]
        issuer = "https://id.acme.example"
        client_id = "app"
        scopes = ["openid", "email"]
        [email]
        from = "App <app@example.com>"
        smtp_url = "smtps://user:secret@mail.example.com"
        [uploads]
        max_bytes = "1MiB"
        formats = ["webp", "png"]
    "#;
    let p = topology(&[MAIN, ("presets/project.toml", text)]).project;
    assert_eq!(p.app.public_url.as_deref(), Some("https://app.example.com"));
    assert_eq!(p.paths.uploads, PathBuf::from("/var/lib/app/uploads"));
    assert_eq!(p.backplane.url.as_deref(), Some("rediss://cache.example.com:6380"));
    assert_eq!((p.session.per_user, p.session.max_concurrent_per_user), (SessionsPerUser::Multiple, Some(3)));
    assert_eq!((p.session.on_conflict, p.session.max_unknown_tokens), (OnConflict::RejectNew, None));
    assert_eq!((p.http.cookie.name.as_str(), p.http.cookie.secure), ("sid", Some(true)));
    assert!(p.session.based_token && p.http.cookie.accept_bearer);
    assert_eq!(p.auth.account_strategy, AccountStrategy::Unified);
    assert_eq!((p.auth.passwords, p.auth.password_policy.min_length), (PasswordHash::Bcrypt, 12));
    assert_eq!(p.rate_limiting.on_store_error, OnStoreError::Deny);
    assert!(!p.rate_limiting.auth.enabled);
    assert_eq!(p.users.component.as_deref(), Some("accounts"));
    assert_eq!(p.oauth["acme"].issuer.as_deref(), Some("https://id.acme.example"));
    assert_eq!(p.oauth["acme"].scopes.as_deref(), Some(&["openid".to_owned(), "email".to_owned()][..]));
    assert_eq!((p.uploads.max_bytes, p.uploads.formats.len()), (1 << 20, 2));

    let loaded = load(&[MAIN], &flags(&["backplane.store=memory"]));
    assert_eq!(loaded.topology.unwrap().project.backplane.store, Some(BackplaneStore::Memory));
}
