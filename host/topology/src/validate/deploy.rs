//! The rules of `deploy.toml`: resources, environments, bindings, fallbacks, custom routes.

use std::collections::{BTreeMap, BTreeSet};

use super::Services;
use crate::deploy::{Deploy, Environment, ResourceKind};
use crate::finding::Finding;
use crate::suggest;
use crate::topology::Topology;

/// Everything that the checks of one deployment look at.
struct Check<'c> {
    topology: &'c Topology,
    deploy: &'c Deploy,
    services: &'c Services<'c>,
    findings: &'c mut Vec<Finding>,
    /// Services that the deployment wants and no preset has: reported here, and not again.
    unassigned: BTreeSet<String>,
}

/// Returns the services reported as unassigned.
pub(super) fn check(
    topology: &Topology,
    deploy: &Deploy,
    services: &Services<'_>,
    env: &dyn Fn(&str) -> Option<String>,
    findings: &mut Vec<Finding>,
) -> BTreeSet<String> {
    let mut check = Check { topology, deploy, services, findings, unassigned: BTreeSet::new() };
    check.resources(env);
    for (key, environment) in &deploy.environments {
        check.environment(key, environment);
    }
    check.fallback_cycles();
    check.bound_somewhere();
    check.custom_routes();
    check.websocket_service();
    check.unassigned
}

impl Check<'_> {
    fn error(&mut self, code: &'static str, key: &str, message: String, remedy: String) {
        self.findings.push(self.deploy.place(key).error(code, message, remedy).key(key));
    }

    fn warning(&mut self, code: &'static str, key: &str, message: String, remedy: String) {
        self.findings.push(self.deploy.place(key).warning(code, message, remedy).key(key));
    }

    // -- resources

    fn resources(&mut self, env: &dyn Fn(&str) -> Option<String>) {
        let deploy = self.deploy;
        let is_set = |name: &str| env(name).is_some_and(|value| !value.is_empty());
        for (key, resource) in &deploy.resources {
            let name = &resource.url_env_key;
            if !is_set(name) {
                self.warning(
                    "missing-resource-env-var",
                    &format!("resources.{key}.url_env_key"),
                    format!(
                        "`{name}`, which holds the URL of the {} `{key}`, is not set",
                        resource.kind.as_str()
                    ),
                    format!("set {name} where hosts of this deployment run"),
                );
            }
            for name in &resource.synchronized_env_keys {
                if !is_set(name) {
                    self.warning(
                        "missing-synchronized-env-var",
                        &format!("resources.{key}.synchronized_env_keys.{name}"),
                        format!("`{name}`, which must be equal on all hosts that share `{key}`, is not set"),
                        format!("set {name} to the same value on all of them, or take it off the list"),
                    );
                }
            }
        }
        if deploy.resources.is_empty()
            && let Some(first) = deploy.environments.keys().next()
        {
            self.warning(
                "no-resources",
                &format!("environments.{first}"),
                "there are environments but no resources, so their hosts share nothing".to_owned(),
                "add a section such as [resources.main] with type = \"redis\" and url_env_key = \"REDIS_URL\", \
                 unless every environment is one host"
                    .to_owned(),
            );
        }
    }

    fn resource(&mut self, environment: &str, kind: ResourceKind, key: Option<&String>) {
        let Some(key) = key else { return };
        let deploy = self.deploy;
        let path = format!("environments.{environment}.{}", kind.as_str());
        let of_kind = deploy.resources.iter().filter(|(_, r)| r.kind == kind).map(|(key, _)| key.as_str());
        match deploy.resources.get(key) {
            Some(resource) if resource.kind == kind => {}
            Some(resource) => self.error(
                "resource-type-mismatch",
                &path,
                format!("`{key}` is a {} resource, not {}", resource.kind.as_str(), kind.as_str()),
                suggest::remedy("", &format!("{} resources", kind.as_str()), of_kind),
            ),
            None => {
                let code = match kind {
                    ResourceKind::Redis => "unknown-redis-resource",
                    ResourceKind::Mongo => "unknown-mongo-resource",
                };
                self.error(
                    code,
                    &path,
                    format!("environment `{environment}` uses the resource `{key}`, which does not exist"),
                    format!(
                        "add [resources.{key}], or correct the name: {}",
                        suggest::remedy(key, &format!("{} resources", kind.as_str()), of_kind)
                    ),
                );
            }
        }
    }

    // -- environments

    fn environment(&mut self, key: &str, environment: &Environment) {
        self.resource(key, ResourceKind::Redis, environment.redis.as_ref());
        self.resource(key, ResourceKind::Mongo, environment.mongo.as_ref());
        for (service, url) in &environment.bindings {
            self.binding(key, service, url);
        }
        if let Some(fallback) = &environment.fallback {
            self.fallback(key, environment, fallback);
        }
    }

    fn fallback(&mut self, key: &str, environment: &Environment, fallback: &str) {
        let deploy = self.deploy;
        let path = format!("environments.{key}.fallback");
        let Some(other) = deploy.environments.get(fallback) else {
            let others = deploy.environments.keys().map(String::as_str).filter(|other| *other != key);
            let remedy = suggest::remedy(fallback, "environments", others);
            let message = format!("`{key}` falls back to `{fallback}`, which does not exist");
            return self.error("unknown-fallback-env", &path, message, remedy);
        };
        let shared = [
            ("fallback-redis-mismatch", "redis", &environment.redis, &other.redis),
            ("fallback-mongo-mismatch", "mongo", &environment.mongo, &other.mongo),
        ];
        for (code, kind, mine, theirs) in shared {
            if mine != theirs {
                let show = |key: &Option<String>| {
                    key.as_ref().map_or_else(|| "none".to_owned(), |key| format!("`{key}`"))
                };
                let at = if mine.is_some() { format!("environments.{key}.{kind}") } else { path.clone() };
                self.error(
                    code,
                    &at,
                    format!(
                        "`{key}` falls back to `{fallback}` but uses another {kind}: {} and {}",
                        show(mine),
                        show(theirs)
                    ),
                    format!("name the same {kind} resource in both: they serve the same users"),
                );
            }
        }
        if environment.redis.is_none() && other.redis.is_none() {
            self.error(
                "fallback-without-redis",
                &path,
                format!("`{key}` falls back to `{fallback}`, but neither names a redis resource"),
                "name one redis resource in both; sessions and boot keys live there".to_owned(),
            );
        }
    }

    /// Each environment has at most one fallback, so a walk of as many steps as there are
    /// environments either ends or goes round; every cycle is reported once.
    fn fallback_cycles(&mut self) {
        let next: BTreeMap<&str, &str> = self
            .deploy
            .environments
            .iter()
            .filter_map(|(key, environment)| Some((key.as_str(), environment.fallback.as_deref()?)))
            .collect();
        let mut done: BTreeSet<&str> = BTreeSet::new();
        for start in next.keys() {
            let mut path = vec![*start];
            while let Some(following) = next.get(path[path.len() - 1]) {
                if done.contains(following) {
                    break;
                }
                if let Some(at) = path.iter().position(|seen| seen == following) {
                    let cycle = &path[at..];
                    let shown = cycle.iter().chain([following]).copied().collect::<Vec<_>>().join(" → ");
                    self.error(
                        "fallback-cycle",
                        &format!("environments.{}.fallback", cycle[0]),
                        format!("fallbacks go round in a circle: {shown}"),
                        "remove one of these fallbacks".to_owned(),
                    );
                    break;
                }
                path.push(following);
            }
            done.extend(path);
        }
    }

    // -- services

    /// A service that the deployment names must exist, and some preset must load it.
    fn service(&mut self, unknown: &'static str, path: &str, what: &str, service: &str) {
        let services = self.services;
        if services.assigned.contains(service) {
            return;
        }
        if !services.on_disk.contains(service) {
            let known = services.on_disk.union(&services.assigned).copied();
            let remedy = suggest::remedy(service, "services", known);
            self.error(unknown, path, format!("{what} `{service}`, which does not exist"), remedy);
        } else if !self.topology.incomplete {
            let presets = suggest::quoted(self.topology.presets.keys().map(String::as_str));
            self.error(
                "service-unassigned",
                path,
                format!("{what} `{service}`, which is in no preset, so no host can answer"),
                format!("add \"{service}\" to the services of a preset ({presets})"),
            );
            self.unassigned.insert(service.to_owned());
        }
    }

    fn binding(&mut self, environment: &str, service: &str, url: &str) {
        let path = format!("environments.{environment}.bindings.{service}");
        let what = format!("environment `{environment}` binds the service");
        self.service("binding-references-unknown-service", &path, &what, service);

        let example = || "write scheme, host and port, such as \"http://10.0.0.5:4100\"".to_owned();
        let parsed = url::Url::parse(url).ok().filter(|parsed| {
            matches!(parsed.scheme(), "http" | "https")
                && parsed.host_str().is_some_and(|host| !host.is_empty())
                && parsed.username().is_empty()
                && parsed.password().is_none()
                // The URL standard forgives what nobody means: missing slashes, spaces, backslashes.
                && url[parsed.scheme().len()..].starts_with("://")
                && !url.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\')
        });
        let Some(parsed) = parsed else {
            let message = format!("`{url}` is no http or https URL of a host");
            return self.error("binding-invalid-url", &path, message, example());
        };
        if !has_explicit_port(url) {
            let message = format!("`{url}` has no port");
            return self.error("binding-missing-port", &path, message, example());
        }
        if parsed.path() != "/" || parsed.query().is_some() || parsed.fragment().is_some() {
            let message = format!("`{url}` has a path, but only scheme, host and port of a binding are used");
            self.warning("binding-path-ignored", &path, message, example());
        }
    }

    /// Services that some preset loads but the router cannot reach.
    fn bound_somewhere(&mut self) {
        let deploy = self.deploy;
        let Some(first) = deploy.environments.keys().next() else { return };
        let bound: BTreeSet<&str> = deploy
            .environments
            .values()
            .flat_map(|environment| environment.bindings.keys().map(String::as_str))
            .collect();
        let services = self.services;
        for service in services.assigned.difference(&bound) {
            self.warning(
                "service-bound-in-no-environment",
                &format!("environments.{first}"),
                format!("no environment binds the service `{service}`, so the router cannot reach it"),
                format!("add {service} = \"http://host:port\" to the bindings of an environment"),
            );
        }
    }

    fn websocket_service(&mut self) {
        let key = "routing.websocket_service";
        if !self.deploy.places.contains_key(key) {
            return;
        }
        let service = self.deploy.routing.websocket_service.clone();
        self.service("websocket-service-unknown", key, "sockets go to the service", &service);
    }

    // -- custom routes

    fn custom_routes(&mut self) {
        let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
        let deploy = self.deploy;
        for route in &deploy.custom_routes {
            let prefix = route.prefix.as_str();
            let path = format!("custom_routes.{prefix}");
            self.service(
                "custom-route-unknown-service",
                &path,
                &format!("`{prefix}` goes to"),
                &route.service,
            );

            if let Some(problem) = prefix_problem(prefix) {
                self.error(
                    "custom-route-invalid-prefix",
                    &path,
                    format!("`{prefix}` is no path prefix: {problem}"),
                    "write a path such as \"/auth\"".to_owned(),
                );
                continue;
            }
            let first = prefix.split('/').nth(1).unwrap_or("");
            if ["api", "sync", "socket.io"].contains(&first) {
                self.error(
                    "custom-route-overlaps-typed-transport",
                    &path,
                    format!("`{prefix}` lies under `/{first}`, which is routed by service already"),
                    "choose another prefix; /api and /sync go by their second segment, /socket.io to \
                     routing.websocket_service"
                        .to_owned(),
                );
            }
            let normal = if prefix == "/" { prefix } else { prefix.trim_end_matches('/') };
            if let Some(other) = seen.insert(normal, prefix) {
                self.error(
                    "custom-route-duplicate-prefix",
                    &path,
                    format!("`{prefix}` and `{other}` are the same prefix"),
                    "remove one of them".to_owned(),
                );
            }
        }
    }
}

fn prefix_problem(prefix: &str) -> Option<&'static str> {
    if !prefix.starts_with('/') {
        Some("it must begin with a slash")
    } else if prefix.contains("//") {
        Some("it has an empty segment")
    } else if prefix.split('/').any(|segment| segment == "." || segment == "..") {
        Some("it has a `.` or `..` segment, which no request path keeps")
    } else if prefix.contains(['?', '#', '*', '\\']) {
        Some("it is matched as plain text, without query, pattern or backslash")
    } else if prefix.contains(|c: char| c.is_whitespace() || c.is_control()) {
        Some("it has a space or a control character")
    } else {
        None
    }
}

/// Whether a URL's text has a port, the default port of its scheme included (which parsing drops).
fn has_explicit_port(url: &str) -> bool {
    let authority = url.split_once("://").map_or("", |(_, rest)| rest);
    let authority = authority.split(['/', '?', '#']).next().unwrap_or("");
    let after_name = match authority.rfind(']') {
        Some(end) => &authority[end + 1..],
        None => authority,
    };
    after_name
        .rsplit_once(':')
        .is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()))
}
