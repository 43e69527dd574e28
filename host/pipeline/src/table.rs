//! The table of what is served: routes, hooks, functions, as one immutable value.
//!
//! A swap replaces the whole table behind one atomic pointer ([`Pipeline::swap`]); a call takes the
//! pointer once and keeps that table to its end. So there is no moment with half a swap, and no lock
//! on the path of a call.
//!
//! [`Pipeline::swap`]: crate::Pipeline::swap

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use luckystack_plugins::manifest::{ManifestError, RateLimit, RouteManifest};
use luckystack_plugins::{LoadError, Plugin, ServiceRuntime, Stage};
use luckystack_topology::{Method, RouteKind};

use crate::auth::AuthRule;
use crate::functions::FunctionTable;
use crate::hooks::{Hook, HookTable, Known, Subscription};
use crate::schema::Validator;

/// One route, ready to be called.
#[derive(Debug)]
pub struct Route {
    /// Full name.
    pub full: Arc<str>,
    /// api, or one half of a sync route.
    pub kind: RouteKind,
    /// HTTP method.
    pub method: Method,
    /// Who may call.
    pub auth: AuthRule,
    /// Its own limit: calls per window, 0 for none; the project's default when there is none here.
    pub rate_limit: Option<u32>,
    /// Whether its manifest speaks of a stream.
    pub streams: bool,
    /// One line about it.
    pub description: Option<String>,
    pub(crate) validator: Option<Validator>,
    pub(crate) formats_errors: bool,
    pub(crate) plugin: Arc<Plugin>,
}

impl Route {
    /// The plugin that answers.
    pub fn plugin(&self) -> &Arc<Plugin> {
        &self.plugin
    }
}

/// A sync route: its server half, and its client half if it has one.
#[derive(Debug)]
pub struct SyncRoute {
    /// Says who may call, what is valid, and answers once.
    pub server: Arc<Route>,
    /// Says what each recipient sees; possibly in another plugin of the service.
    pub client: Option<Arc<Route>>,
}

/// A plugin whose manifest was checked to the last schema: ready to go into a table.
#[derive(Clone, Debug)]
pub struct Prepared {
    plugin: Arc<Plugin>,
    routes: Vec<Arc<Route>>,
    subscriptions: Vec<Subscription>,
    /// What works but will disappoint, one sentence each.
    pub warnings: Vec<String>,
}

impl Prepared {
    /// Compiles a plugin's schemas and auth rules and looks its hooks up.
    pub fn new(plugin: Arc<Plugin>) -> Result<Prepared, LoadError> {
        let mut problems = Vec::new();
        let mut warnings = Vec::new();
        let manifest = Arc::clone(plugin.manifest());
        let mut routes = Vec::with_capacity(manifest.routes.len());
        for route in &manifest.routes {
            match prepare_route(&plugin, route) {
                Ok(route) => routes.push(Arc::new(route)),
                Err(problem) => problems.push(problem),
            }
        }
        let mut subscriptions = Vec::new();
        for hook in &manifest.hooks {
            match Hook::find(&hook.hook) {
                Known::Dispatched(id) => subscriptions.push(Subscription {
                    hook: id,
                    order: hook.order,
                    plugin: Arc::clone(&plugin),
                    fields: hook.payload.clone().map(Vec::into_boxed_slice),
                    routes: hook.routes.clone().map(Vec::into_boxed_slice),
                }),
                Known::NotDispatched => warnings
                    .push(format!("the hook {} is never dispatched by this version of the host", hook.hook)),
                Known::Unknown => problems.push(ManifestError::new(
                    format!("there is no hook called {:?}", hook.hook),
                    "see the table of hooks in wit/README.md",
                )),
            }
        }
        if !problems.is_empty() {
            let join =
                |pick: fn(&ManifestError) -> &str| problems.iter().map(pick).collect::<Vec<_>>().join("; ");
            return Err(LoadError {
                file: plugin.file().to_owned(),
                stage: Stage::Manifest,
                message: join(|problem| &problem.message),
                remedy: join(|problem| &problem.remedy),
            });
        }
        Ok(Prepared { plugin, routes, subscriptions, warnings })
    }

    /// The plugin.
    pub fn plugin(&self) -> &Arc<Plugin> {
        &self.plugin
    }

    /// Its routes, both halves of sync routes among them.
    pub fn routes(&self) -> &[Arc<Route>] {
        &self.routes
    }
}

fn prepare_route(plugin: &Arc<Plugin>, route: &RouteManifest) -> Result<Route, ManifestError> {
    let full = route.full_name(&plugin.manifest().service);
    let auth = match &route.auth {
        None => AuthRule::default(),
        Some(rule) => serde_json::from_value(rule.clone()).map_err(|error| {
            ManifestError::new(format!("{full}: auth: {error}"), "see `auth` in wit/manifest.schema.json")
        })?,
    };
    // Compiled even when validation is off: a schema that cannot be enforced is refused either way, so
    // that turning validation on later cannot break a plugin.
    let schema = |kind: &str, schema: &serde_json::Value| {
        Validator::compile(schema).map_err(|error| {
            ManifestError::new(
                format!("{full}: the {kind} schema cannot be enforced: {error}"),
                "use the subset of JSON Schema that wit/README.md lists",
            )
        })
    };
    let validator = route.input.as_ref().map(|input| schema("input", input)).transpose()?;
    Ok(Route {
        full: full.into(),
        kind: route.kind,
        method: route.http_method(),
        auth,
        rate_limit: route.rate_limit.map(|limit| match limit {
            RateLimit::Calls(calls) => calls,
            RateLimit::Switch(_) => 0,
        }),
        streams: route.stream.is_some(),
        description: route.description.clone(),
        validator: validator.filter(|_| route.checks_input()),
        formats_errors: route.error_formatter,
        plugin: Arc::clone(plugin),
    })
}

/// What is served.
#[derive(Debug, Default)]
pub struct Table {
    routes: HashMap<Arc<str>, Arc<Route>>,
    syncs: HashMap<Arc<str>, Arc<SyncRoute>>,
    hooks: HookTable,
    functions: FunctionTable,
    formatter: Option<Arc<Plugin>>,
    plugins: Vec<Prepared>,
    services: Vec<Arc<ServiceRuntime>>,
    elsewhere: HashSet<String>,
}

impl Table {
    /// Composes a table. `services` are those loaded; `elsewhere` names services that some preset owns
    /// but this process does not load. A plugin that claims what an earlier one has is refused whole:
    /// the earlier keeps serving.
    pub fn new(
        plugins: Vec<Prepared>,
        services: Vec<Arc<ServiceRuntime>>,
        elsewhere: HashSet<String>,
    ) -> (Table, Vec<LoadError>) {
        let mut table = Table { services, elsewhere, ..Table::default() };
        let mut refused = Vec::new();
        let mut halves: BTreeMap<(Arc<str>, RouteKind), Arc<Route>> = BTreeMap::new();
        for plugin in plugins {
            let taken = plugin.routes.iter().find_map(|route| {
                halves.get(&(Arc::clone(&route.full), route.kind)).map(|owner| {
                    let file = owner.plugin.file().display();
                    (
                        format!("the route {} is already served by {file}", route.full),
                        "remove one of the two, or give the route another name or version",
                    )
                })
            });
            let twin = table.plugins.iter().find(|other| {
                other.plugin.service().name() == plugin.plugin.service().name()
                    && other.plugin.manifest().name == plugin.plugin.manifest().name
            });
            let named = twin.map(|other| {
                (
                    format!(
                        "a plugin called {} is already loaded from {}",
                        plugin.plugin.manifest().name,
                        other.plugin.file().display()
                    ),
                    "remove one of the two files, or rename the plugin",
                )
            });
            let formats = plugin.plugin.manifest().error_formatter.is_some();
            let formatter = table.formatter.as_ref().filter(|_| formats).map(|other| {
                (
                    format!("the global error formatter is already {}", other.file().display()),
                    "a host has at most one: take errorFormatter out of one of the two",
                )
            });
            if let Some((message, remedy)) = taken.or(named).or(formatter) {
                refused.push(LoadError {
                    file: plugin.plugin.file().to_owned(),
                    stage: Stage::Manifest,
                    message,
                    remedy: remedy.into(),
                });
                continue;
            }
            for route in &plugin.routes {
                halves.insert((Arc::clone(&route.full), route.kind), Arc::clone(route));
                if route.kind == RouteKind::Api {
                    table.routes.insert(Arc::clone(&route.full), Arc::clone(route));
                }
            }
            if formats {
                table.formatter = Some(Arc::clone(&plugin.plugin));
            }
            table.plugins.push(plugin);
        }
        for ((full, kind), server) in &halves {
            if *kind == RouteKind::SyncServer {
                let client = halves.get(&(Arc::clone(full), RouteKind::SyncClient)).map(Arc::clone);
                let route = SyncRoute { server: Arc::clone(server), client };
                table.syncs.insert(Arc::clone(full), Arc::new(route));
            }
        }
        table.hooks = HookTable::new(table.plugins.iter().flat_map(|plugin| plugin.subscriptions.clone()));
        let all: Vec<_> = table.plugins.iter().map(|plugin| Arc::clone(&plugin.plugin)).collect();
        table.functions = FunctionTable::new(&all);
        (table, refused)
    }

    /// The API route of that full name.
    pub fn route(&self, full: &str) -> Option<&Arc<Route>> {
        self.routes.get(full)
    }

    /// All API routes, in no order.
    pub fn routes(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.routes.values()
    }

    /// The sync route of that full name; none for a client half alone.
    pub fn sync_route(&self, full: &str) -> Option<&Arc<SyncRoute>> {
        self.syncs.get(full)
    }

    /// All sync routes, in no order.
    pub fn sync_routes(&self) -> impl Iterator<Item = &Arc<SyncRoute>> {
        self.syncs.values()
    }

    /// Hook subscriptions.
    pub fn hooks(&self) -> &HookTable {
        &self.hooks
    }

    /// Functions.
    pub fn functions(&self) -> &FunctionTable {
        &self.functions
    }

    /// The plugin that rewrites every error, if there is one.
    pub fn formatter(&self) -> Option<&Arc<Plugin>> {
        self.formatter.as_ref()
    }

    /// Loaded plugins.
    pub fn plugins(&self) -> &[Prepared] {
        &self.plugins
    }

    /// Loaded services.
    pub fn services(&self) -> &[Arc<ServiceRuntime>] {
        &self.services
    }

    /// Whether a preset that is not loaded here owns the service.
    pub fn is_elsewhere(&self, service: &str) -> bool {
        self.elsewhere.contains(service)
    }
}
