//! Reads `deploy.toml` into [`Deploy`].

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::{Cidr, CustomRoute, Deploy, Development, Environment, Resource, ResourceKind, Routing};
use crate::document::{Entry, Node, Table};
use crate::finding::{Finding, Place};
use crate::preset::is_key;
use crate::reader::{Reader, Wrong, boolean, choice, duration, integer, list, size, text, word};

const MILLISECOND: Duration = Duration::from_millis(1);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// More than any request or connection carries; keeps sums of limits from overflowing.
const LARGEST: u64 = 1 << 40;

type Places = BTreeMap<String, Place>;

impl Deploy {
    pub(crate) fn read(file: &Path, table: &Table, findings: &mut Vec<Finding>) -> Self {
        let mut places = Places::new();
        Reader::document(table, findings, |r| {
            let resources = read_resources(r, &mut places);
            let environments = read_environments(r, &mut places);
            let mut routing = Routing::default();
            r.section("routing", |r| routing.read(r, &mut places));
            let development = r.section("development", |r| Development::read(r, &routing));
            let custom_routes = read_custom_routes(r, &mut places);
            Self {
                file: file.to_owned(),
                resources,
                environments,
                routing,
                development,
                custom_routes,
                places: std::mem::take(&mut places),
            }
        })
    }
}

fn read_resources(r: &mut Reader<'_, '_>, places: &mut Places) -> BTreeMap<String, Resource> {
    let mut resources = BTreeMap::new();
    for (key, entry) in r.open("resources") {
        let path = format!("resources.{key}");
        places.insert(path.clone(), entry.at.clone());
        let resource = r.inside("resources", key, entry, |r| {
            let kind = required(r, entry, "type", |node| {
                choice(&[("redis", ResourceKind::Redis), ("mongo", ResourceKind::Mongo)])(node)
            });
            let url_env_key = required(r, entry, "url_env_key", variable);
            remember(r, "url_env_key", places);
            let keys = r.get("synchronized_env_keys", list(|node| Ok((variable(node)?, node.at.clone()))));
            let mut names = Vec::new();
            for (name, at) in keys.unwrap_or_default() {
                places.insert(format!("{path}.synchronized_env_keys.{name}"), at);
                names.push(name);
            }
            Some(Resource { kind: kind?, url_env_key: url_env_key?, synchronized_env_keys: names })
        });
        if let Some(resource) = resource {
            resources.insert(key.to_owned(), resource);
        }
    }
    resources
}

fn read_environments(r: &mut Reader<'_, '_>, places: &mut Places) -> BTreeMap<String, Environment> {
    let mut environments = BTreeMap::new();
    for (key, entry) in r.open("environments") {
        let path = format!("environments.{key}");
        places.insert(path.clone(), entry.at.clone());
        if !is_key(key) {
            r.findings.push(
                entry
                    .at
                    .error(
                        "invalid-environment-name",
                        format!("`{key}` cannot be the name of an environment"),
                        "use A-Z a-z 0-9 `_` `-` only",
                    )
                    .key(path.clone()),
            );
        }
        let environment = r.inside("environments", key, entry, |r| {
            for key in ["redis", "mongo", "fallback"] {
                remember(r, key, places);
            }
            let mut bindings = BTreeMap::new();
            let (redis, mongo, fallback) =
                (r.get("redis", word), r.get("mongo", word), r.get("fallback", word));
            for (service, entry) in r.open("bindings") {
                let path = r.path_of(&format!("bindings.{service}"));
                places.insert(path.clone(), entry.node.at.clone());
                match text(&entry.node) {
                    Ok(url) => {
                        bindings.insert(service.to_owned(), url);
                    }
                    Err(wrong) => wrong.report(&entry.node.at, &path, r.findings),
                }
            }
            Environment { redis, mongo, fallback, bindings }
        });
        environments.insert(key.to_owned(), environment);
    }
    environments
}

fn read_custom_routes(r: &mut Reader<'_, '_>, places: &mut Places) -> Vec<CustomRoute> {
    let mut routes = Vec::new();
    for (prefix, entry) in r.open("custom_routes") {
        let path = format!("custom_routes.{prefix}");
        places.insert(path.clone(), entry.at.clone());
        match text(&entry.node) {
            Ok(service) => routes.push(CustomRoute { prefix: prefix.to_owned(), service }),
            Err(wrong) => wrong.report(&entry.node.at, &path, r.findings),
        }
    }
    routes
}

impl Routing {
    fn read(&mut self, r: &mut Reader<'_, '_>, places: &mut Places) {
        r.set("missing_service_error_code", &mut self.missing_service_error_code, word);
        r.set("enable_unhealthy_fallback", &mut self.enable_unhealthy_fallback, boolean);
        r.set("strict_boot_handshake", &mut self.strict_boot_handshake, boolean);
        r.set("verify_synchronized_env", &mut self.verify_synchronized_env, boolean);
        r.set("default_router_port", &mut self.default_router_port, integer(0..=u16::MAX));
        r.set("default_health_poll", &mut self.default_health_poll, duration(MILLISECOND..=DAY));
        r.set("health_probe_timeout", &mut self.health_probe_timeout, duration(MILLISECOND..=DAY));
        r.set("boot_key_ttl", &mut self.boot_key_ttl, duration(MILLISECOND..=DAY));
        r.set("upstream_timeout", &mut self.upstream_timeout, duration(MILLISECOND..=DAY));
        r.set("websocket_service", &mut self.websocket_service, word);
        remember(r, "websocket_service", places);
        r.set("trusted_proxy_cidrs", &mut self.trusted_proxy_cidrs, list(cidr));
        r.set("max_request_body_bytes", &mut self.max_request_body_bytes, size(1..=LARGEST));
        r.set("ws_max_head_bytes", &mut self.ws_max_head_bytes, size(1..=LARGEST));
        r.set("ws_idle_timeout", &mut self.ws_idle_timeout, duration(MILLISECOND..=DAY));
        r.set("ws_max_bytes_per_connection", &mut self.ws_max_bytes_per_connection, size(1..=LARGEST));
        r.set("health_store_ttl", &mut self.health_store_ttl, duration(MILLISECOND..=DAY));
    }
}

impl Development {
    fn read(r: &mut Reader<'_, '_>, routing: &Routing) -> Self {
        let mut development =
            Self { enable_fallback_routing: false, health_poll: routing.default_health_poll };
        r.set("enable_fallback_routing", &mut development.enable_fallback_routing, boolean);
        r.set("health_poll", &mut development.health_poll, duration(MILLISECOND..=DAY));
        development
    }
}

// ---------------------------------------------------------------------------------------------

fn remember(r: &mut Reader<'_, '_>, key: &'static str, places: &mut Places) {
    if let Some(entry) = r.entry(key) {
        let at = entry.node.at.clone();
        places.insert(r.path_of(key), at);
    }
}

fn required<T>(
    r: &mut Reader<'_, '_>,
    section: &Entry,
    key: &'static str,
    parse: impl FnOnce(&Node) -> Result<T, Wrong>,
) -> Option<T> {
    if r.entry(key).is_none() {
        let path = r.path_of(key);
        r.findings.push(
            section
                .at
                .error(
                    "missing-key",
                    format!("a resource needs `{key}`"),
                    "write, for example, type = \"redis\" and url_env_key = \"REDIS_URL\"",
                )
                .key(path),
        );
    }
    r.get(key, parse)
}

/// The name of an environment variable.
fn variable(node: &Node) -> Result<String, Wrong> {
    let name = word(node)?;
    if name.contains(['=', '\0']) || name.contains(char::is_whitespace) {
        return Err(Wrong::value(
            format!("cannot be `{name}`"),
            "write the name of an environment variable, such as \"REDIS_URL\", not its value",
        ));
    }
    Ok(name)
}

fn cidr(node: &Node) -> Result<Cidr, Wrong> {
    let text = word(node)?;
    Cidr::parse(&text).ok_or_else(|| {
        Wrong::value(format!("entry `{text}` is no block of addresses"), "write, for example, \"10.0.0.0/8\"")
    })
}
