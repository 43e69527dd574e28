//! Functions: `group/name`, found when they are called.
//!
//! A project function (from the `functions` folder) shadows one that a service contributes, which
//! shadows one of the host's own. Callers name a function, never its provider, so an override takes
//! effect at the next call without rebuilding anybody.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use bytes::Bytes;
use luckystack_plugins::{CallContext, CallError, FunctionResolver, HandlerError, Plugin};
use luckystack_topology::FUNCTIONS;

use crate::json::scan;
use crate::table::Table;

/// Who provides a function.
#[derive(Clone, Debug)]
pub enum Provider {
    /// A component in the `functions` folder.
    Project(Arc<Plugin>),
    /// A plugin of a service.
    Service(Arc<Plugin>),
    /// The host itself.
    Host(HostFunction),
}

/// The host's own functions; the group `host` is reserved for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostFunction {
    /// `host/info`: `{name, version, contract}`.
    Info,
    /// `host/routes`: full names of the loaded API routes.
    Routes,
    /// `host/functions`: names of the functions that can be called.
    Functions,
}

impl HostFunction {
    const ALL: [HostFunction; 3] = [HostFunction::Info, HostFunction::Routes, HostFunction::Functions];

    /// Its full name.
    pub fn name(self) -> &'static str {
        match self {
            HostFunction::Info => "host/info",
            HostFunction::Routes => "host/routes",
            HostFunction::Functions => "host/functions",
        }
    }

    fn call(self, table: &Table) -> Bytes {
        let value = match self {
            HostFunction::Info => serde_json::json!({
                "name": "luckystack-host",
                "version": env!("CARGO_PKG_VERSION"),
                "contract": luckystack_plugins::load::CONTRACT_VERSION,
            }),
            HostFunction::Routes => table.routes().map(|route| route.full.to_string()).collect(),
            HostFunction::Functions => table.functions().names().map(str::to_owned).collect(),
        };
        value.to_string().into()
    }
}

impl Provider {
    /// Precedence, the strongest first.
    fn rank(&self) -> u8 {
        match self {
            Provider::Project(_) => 0,
            Provider::Service(_) => 1,
            Provider::Host(_) => 2,
        }
    }

    /// For listings: `project (functions.wasm)`.
    pub fn describe(&self) -> String {
        let file = |plugin: &Plugin| {
            plugin.file().file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
        };
        match self {
            Provider::Project(plugin) => format!("project ({})", file(plugin)),
            Provider::Service(plugin) => format!("service {} ({})", plugin.service().name(), file(plugin)),
            Provider::Host(_) => "host".to_owned(),
        }
    }
}

/// Who provides what.
#[derive(Debug, Default)]
pub struct FunctionTable(BTreeMap<String, Vec<Provider>>);

impl FunctionTable {
    /// Collects the functions of `plugins` and the host's own. Two services may provide the same name:
    /// the first by service and plugin name is called.
    pub fn new(plugins: &[Arc<Plugin>]) -> Self {
        let mut table: BTreeMap<String, Vec<Provider>> = BTreeMap::new();
        for function in HostFunction::ALL {
            table.entry(function.name().to_owned()).or_default().push(Provider::Host(function));
        }
        for plugin in plugins {
            for function in &plugin.manifest().functions {
                let provider = match &**plugin.service().name() == FUNCTIONS {
                    true => Provider::Project(Arc::clone(plugin)),
                    false => Provider::Service(Arc::clone(plugin)),
                };
                table.entry(function.name.clone()).or_default().push(provider);
            }
        }
        for providers in table.values_mut() {
            providers.sort_by_cached_key(|provider| (provider.rank(), provider.describe()));
        }
        FunctionTable(table)
    }

    /// The provider that a call of `name` reaches.
    pub fn find(&self, name: &str) -> Option<&Provider> {
        self.0.get(name).and_then(|providers| providers.first())
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Every function with its providers, the one that is called first; the others are shadowed.
    pub fn listing(&self) -> impl Iterator<Item = (&str, &[Provider])> {
        self.0.iter().map(|(name, providers)| (name.as_str(), providers.as_slice()))
    }
}

/// Finds functions in whatever table is live at the moment of the call.
pub(crate) struct LiveFunctions(pub(crate) Arc<ArcSwap<Table>>);

impl FunctionResolver for LiveFunctions {
    fn call(
        &self,
        parent: Arc<CallContext>,
        name: String,
        args: Bytes,
    ) -> Pin<Box<dyn Future<Output = Result<Bytes, HandlerError>> + Send + '_>> {
        Box::pin(async move {
            let table = self.0.load_full();
            let plugin = match table.functions().find(&name) {
                Some(Provider::Host(function)) => return Ok(function.call(&table)),
                Some(Provider::Project(plugin) | Provider::Service(plugin)) => plugin,
                None => {
                    let mut error = HandlerError::new("functions.notFound", 404);
                    let mut value = Vec::new();
                    crate::json::write_str(&mut value, &name);
                    error
                        .error_params
                        .push(luckystack_plugins::call::ErrorParam { key: "name".into(), value });
                    return Err(error);
                }
            };
            let name: Arc<str> = name.into();
            let deadline = Instant::now() + plugin.service().settings().deadline;
            let context = Arc::new(parent.nested(Arc::clone(&name), deadline));
            match plugin.call_function(context, Arc::clone(&name), args).await {
                Ok(Ok(output)) => match scan(&output) {
                    Ok(_) => Ok(output.into()),
                    Err(error) => {
                        tracing::error!(function = %name, plugin = %plugin.manifest().name, %error, "a function did not return JSON");
                        Err(HandlerError::new("functions.invalidResult", 500))
                    }
                },
                Ok(Err(error)) => Err(error),
                Err(CallError::Timeout(_)) => Err(HandlerError::new("functions.timeout", 504)),
                Err(CallError::Saturated { .. }) => Err(HandlerError::new("functions.serviceBusy", 503)),
                Err(CallError::Trap(_) | CallError::OutputTooLarge { .. } | CallError::NotExported(_)) => {
                    Err(HandlerError::new("functions.failed", 500))
                }
            }
        })
    }
}
