//! Reads `project.toml` into [`ProjectConfig`], section by section.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{
    ApiConfig, BackplaneConfig, CorsConfig, EmailConfig, EngineConfig, HealthHashConfig, HealthHashMode,
    HttpConfig, ListenConfig, OnStoreError, PathsConfig, ProjectConfig, RateLimitConfig, RateLimitStore,
    RuntimeMode, SecurityHeaders, StreamConfig, TlsConfig, UsersConfig, ValidationConfig, identity, resolve,
};
use crate::document::{Node, Table};
use crate::finding::{Finding, Place};
use crate::names::FUNCTIONS;
use crate::reader::{
    Reader, Wrong, bind_host, boolean, choice, duration, header_value, integer, limit, list, size, text,
    timeout, token, word,
};

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

impl ProjectConfig {
    /// `fallback_name` is the name of a project whose file names none (`PROJECT_NAME`).
    pub(crate) fn read(
        table: &Table,
        config_dir: &Path,
        root: &Path,
        fallback_name: Option<&str>,
        findings: &mut Vec<Finding>,
    ) -> Self {
        Reader::document(table, findings, |r| {
            let mut c = Self::defaults(config_dir, root);
            if let Some(name) = fallback_name {
                c.name = name.to_owned();
            }
            r.set("name", &mut c.name, word);
            r.set("default_language", &mut c.default_language, language);
            r.section("paths", |r| c.paths.read(r, root));
            r.section("listen", |r| c.listen.read(r));
            c.tls = r.section_if_present("tls", |r| read_tls(r, root)).flatten();
            r.section("http", |r| c.http.read(r));
            r.section("rate_limiting", |r| c.rate_limiting.read(r));
            r.section("api", |r| c.api.read(r));
            r.section("validation", |r| c.validation.read(r));
            r.section("engine", |r| c.engine.read(r));
            r.section("app", |r| c.app.read(r));
            c.backplane = r.section("backplane", BackplaneConfig::read);
            r.section("session", |r| c.session.read(r));
            r.section("auth", |r| c.auth.read(r));
            c.users = r.section("users", UsersConfig::read);
            c.oauth = identity::read_oauth(r);
            c.email = r.section("email", EmailConfig::read);
            r.section("uploads", |r| c.uploads.read(r));
            r.section("socket", |r| c.socket.read(r));
            r.section("sync", |r| c.sync.read(r));
            r.section("presence", |r| c.presence.read(r));
            c
        })
    }
}

impl PathsConfig {
    fn read(&mut self, r: &mut Reader<'_, '_>, root: &Path) {
        if let Some(plugins) = r.get("plugins", path(root)) {
            self.functions = plugins.join(FUNCTIONS);
            self.plugins = plugins;
        }
        r.set("functions", &mut self.functions, path(root));
        r.set("locales", &mut self.locales, path(root));
        self.public = r.get("public", path(root));
        self.cache = r.get("cache", path(root));
        self.types = r.get("types", path(root));
        if let Some(data) = r.get("data", path(root)) {
            self.uploads = data.join("uploads");
            self.data = data;
        }
        r.set("uploads", &mut self.uploads, path(root));
        if self.functions == self.plugins
            && let Some(at) = r.place("functions").cloned()
        {
            let key = r.path_of("functions");
            r.findings.push(
                at.error(
                    "invalid-value",
                    format!("`{key}` is the plugins folder itself"),
                    "give the functions a folder of their own, such as \"plugins/functions\"",
                )
                .key(key),
            );
        }
    }
}

impl ListenConfig {
    fn read(&mut self, r: &mut Reader<'_, '_>) {
        r.set("host", &mut self.host, bind_host);
        r.set("port", &mut self.port, integer(0..=u16::MAX));
    }
}

fn read_tls(r: &mut Reader<'_, '_>, root: &Path) -> Option<TlsConfig> {
    let (cert, key) = (r.get("cert", path(root)), r.get("key", path(root)));
    let (cert_at, key_at) = (r.place("cert").cloned(), r.place("key").cloned());
    for (present, missing) in [(&cert_at, "key"), (&key_at, "cert")] {
        let is_missing = if missing == "key" { key_at.is_none() } else { cert_at.is_none() };
        if let (Some(at), true) = (present, is_missing) {
            r.findings.push(missing_key(at, "tls", missing));
        }
    }
    if cert_at.is_none() && key_at.is_none() {
        let at = r.table_place();
        r.findings.push(missing_key(&at, "tls", "cert"));
    }
    Some(TlsConfig { cert: cert?, key: key? })
}

fn missing_key(at: &Place, section: &str, key: &str) -> Finding {
    at.error(
        "missing-key",
        format!("`[{section}]` needs `{key}`"),
        "give both cert and key, as paths of PEM files, or remove the section",
    )
    .key(format!("{section}.{key}"))
}

impl HttpConfig {
    fn read(&mut self, r: &mut Reader<'_, '_>) {
        r.set("request_body_max_bytes", &mut self.request_body_max_bytes, size(1..=1 << 30));
        r.set("health_endpoint", &mut self.health_endpoint, endpoint);
        r.set("test_reset_endpoint", &mut self.test_reset_endpoint, endpoint);
        self.cookie.read(r);
        r.set("live_endpoint", &mut self.live_endpoint, endpoint);
        r.set("ready_endpoint", &mut self.ready_endpoint, endpoint);
        self.check_endpoints(r);
        r.set("trust_proxy", &mut self.trust_proxy, boolean);
        r.set("trusted_proxy_hop_count", &mut self.trusted_proxy_hop_count, integer(1..=100));
        r.set("max_header_bytes", &mut self.max_header_bytes, size(8 << 10..=1 << 20));
        r.set("header_read_timeout", &mut self.header_read_timeout, duration(MILLISECOND..=HOUR));
        r.set("body_read_timeout", &mut self.body_read_timeout, duration(MILLISECOND..=HOUR));
        r.set("write_timeout", &mut self.write_timeout, duration(MILLISECOND..=HOUR));
        r.set("keep_alive_timeout", &mut self.keep_alive_timeout, duration(MILLISECOND..=HOUR));
        r.set(
            "max_requests_per_second_per_connection",
            &mut self.max_requests_per_second_per_connection,
            limit(1..=u32::MAX),
        );
        r.set("max_connections", &mut self.max_connections, integer(1..=1_000_000));
        r.set("drain_timeout", &mut self.drain_timeout, duration(Duration::ZERO..=HOUR));
        self.host_state = r.get("host_state", boolean);
        r.section("cors", |r| self.cors.read(r));
        r.section("security_headers", |r| self.security_headers.read(r));
        r.section("stream", |r| self.stream.read(r));
        r.section("health_hash", |r| self.health_hash.read(r));
    }

    /// Two probes at one path would answer as whichever comes first.
    fn check_endpoints(&self, r: &mut Reader<'_, '_>) {
        let endpoints = [
            ("live_endpoint", &self.live_endpoint),
            ("ready_endpoint", &self.ready_endpoint),
            ("health_endpoint", &self.health_endpoint),
            ("test_reset_endpoint", &self.test_reset_endpoint),
        ];
        for (n, (key, endpoint)) in endpoints.iter().enumerate() {
            for (other_key, other) in &endpoints[..n] {
                if endpoint != other {
                    continue;
                }
                let Some(at) = r.place(key).or_else(|| r.place(other_key)).cloned() else { continue };
                let path = r.path_of(key);
                r.findings.push(
                    at.error(
                        "duplicate-endpoint",
                        format!("`{path}` and `{}` are both `{endpoint}`", r.path_of(other_key)),
                        "give each probe a path of its own",
                    )
                    .key(path),
                );
            }
        }
    }
}

impl CorsConfig {
    fn read(&mut self, r: &mut Reader<'_, '_>) {
        r.set("allowed_methods", &mut self.allowed_methods, list(token));
        r.set("allowed_headers", &mut self.allowed_headers, list(token));
        r.set("exposed_headers", &mut self.exposed_headers, list(token));
        r.set("credentials", &mut self.credentials, boolean);
        r.set("allowed_origins", &mut self.allowed_origins, list(origin));
        r.set("allow_localhost", &mut self.allow_localhost, boolean);
    }
}

impl SecurityHeaders {
    fn read(&mut self, r: &mut Reader<'_, '_>) {
        r.set("frame_options", &mut self.frame_options, header_value);
        r.set("referrer_policy", &mut self.referrer_policy, header_value);
        r.set("xss_protection", &mut self.xss_protection, header_value);
        r.set("content_type_options", &mut self.content_type_options, header_value);
    }
}

impl StreamConfig {
    fn read(&mut self, r: &mut Reader<'_, '_>) {
        r.set("query_param", &mut self.query_param, word);
        r.set("enabled_value", &mut self.enabled_value, word);
        r.set("connected_comment", &mut self.connected_comment, |node| {
            let comment = text(node)?;
            if comment.starts_with(':') && !comment.contains(['\r', '\n']) {
                return Ok(comment);
            }
            Err(Wrong::value(
                "is no comment of an event stream",
                "write one line that begins with a colon, such as \": connected\"",
            ))
        });
    }
}

impl HealthHashConfig {
    fn read(&mut self, r: &mut Reader<'_, '_>) {
        let modes = &[("hmac", HealthHashMode::Hmac), ("plain", HealthHashMode::Plain)];
        r.set("mode", &mut self.mode, choice(modes));
        r.set("salt", &mut self.salt, word);
    }
}

impl RateLimitConfig {
    fn read(&mut self, r: &mut Reader<'_, '_>) {
        r.set("enabled", &mut self.enabled, boolean);
        r.set("default_api_limit", &mut self.default_api_limit, limit(1..=u32::MAX));
        r.set("default_ip_limit", &mut self.default_ip_limit, limit(1..=u32::MAX));
        r.set("window", &mut self.window, duration(MILLISECOND..=DAY));
        r.set("skip_loopback_in_dev", &mut self.skip_loopback_in_dev, boolean);
        r.set("max_keys", &mut self.max_keys, integer(1..=100_000_000));
        let stores = &[("memory", RateLimitStore::Memory), ("redis", RateLimitStore::Redis)];
        r.set("store", &mut self.store, choice(stores));
        r.set("redis_key_prefix", &mut self.redis_key_prefix, word);
        let ways = &[("memory", OnStoreError::Memory), ("deny", OnStoreError::Deny)];
        r.set("on_store_error", &mut self.on_store_error, choice(ways));
        r.section("auth", |r| self.auth.read(r));
    }
}

impl ApiConfig {
    fn read(&mut self, r: &mut Reader<'_, '_>) {
        r.set("request_timeout", &mut self.request_timeout, timeout(MILLISECOND..=HOUR));
    }
}

impl ValidationConfig {
    fn read(&mut self, r: &mut Reader<'_, '_>) {
        let modes = &[("enforce", RuntimeMode::Enforce), ("off", RuntimeMode::Off)];
        r.set("runtime_mode", &mut self.runtime_mode, choice(modes));
    }
}

impl EngineConfig {
    fn read(&mut self, r: &mut Reader<'_, '_>) {
        r.set("max_instances", &mut self.max_instances, integer(1..=Self::MOST_INSTANCES));
        r.set("max_memory", &mut self.max_memory, size(64 << 10..=4 << 30));
        r.set("wasm_stack", &mut self.wasm_stack, size(64 << 10..=16 << 20));
        r.set("epoch_tick", &mut self.epoch_tick, duration(MILLISECOND..=SECOND));
    }
}

// ---------------------------------------------------------------------------------------------
// Values of this file alone

fn path(root: &Path) -> impl Fn(&Node) -> Result<PathBuf, Wrong> {
    move |node| {
        let path = word(node)?;
        if path.contains('\0') {
            return Err(Wrong::value("is no path", "remove the NUL character"));
        }
        Ok(resolve(root, Path::new(&path)))
    }
}

/// A language is the stem of a file in the locales folder, so it must not lead out of it.
fn language(node: &Node) -> Result<String, Wrong> {
    let language = word(node)?;
    if language.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
        return Ok(language);
    }
    Err(Wrong::value(
        format!("cannot be `{language}`"),
        "write a language tag such as \"en\" or \"pt-BR\"; its texts are in locales/<tag>.json",
    ))
}

/// The exact path of a probe.
fn endpoint(node: &Node) -> Result<String, Wrong> {
    let path = word(node)?;
    let segment = path.split('/').nth(1).unwrap_or("");
    let problem = if !path.starts_with('/') || path.starts_with("//") || path == "/" {
        "must be a path such as \"/livez\""
    } else if !path.bytes().all(|b| b.is_ascii_graphic()) || path.contains(['?', '#', '%', '\\']) {
        "must be a plain path, without query, escapes or spaces"
    } else if ["api", "sync", "auth", "uploads", "socket.io"].contains(&segment) {
        "would hide routes of the framework"
    } else {
        return Ok(path);
    };
    Err(Wrong::value(problem, "write one slash and a name, such as \"/livez\""))
}

/// Reduces an origin to the form in which origins are compared (§5.8).
fn origin(node: &Node) -> Result<String, Wrong> {
    let text = word(node)?;
    let wrong = || {
        Wrong::value(
            format!("entry `{text}` is no origin"),
            "write scheme and host, such as \"https://app.example.com\", without a path; `*` is not possible \
             because answers carry credentials",
        )
    };
    let url = url::Url::parse(&text).map_err(|_| wrong())?;
    let bare = matches!(url.path(), "" | "/")
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    let origin = url.origin();
    if !bare || !origin.is_tuple() || text.contains('*') {
        // Schemes that the URL standard does not know (app://, capacitor://) have no origin there,
        // but the apps that use them send one.
        return app_origin(&url, bare).filter(|_| !text.contains('*')).ok_or_else(wrong);
    }
    Ok(origin.ascii_serialization())
}

fn app_origin(url: &url::Url, bare: bool) -> Option<String> {
    let host = url.host_str().filter(|host| !host.is_empty() && bare && !url.origin().is_tuple())?;
    let port = url.port().map_or(String::new(), |port| format!(":{port}"));
    Some(format!("{}://{}{port}", url.scheme(), host.to_lowercase()))
}
