//! Descriptors: what the macros know of a handler, as constants.
//!
//! The attribute macros make one descriptor per function and `plugin!` gathers them in a [`Plugin`]. The
//! rule: everything about a route that can be known while compiling is text already (`members`), and what
//! can be wrong between handlers is found by [`Plugin::check`] while the plugin compiles.

use serde_json::Value;

use crate::handler::ErrorEvent;
use crate::sync::SyncClient;
use crate::{Ctx, HandlerError, Outcome};

type SchemaFn = fn() -> Option<schemars::Schema>;

/// A whole plugin: what `plugin!` was told, and its handlers. For tests: see [`crate::testing`].
#[derive(Debug)]
pub struct Plugin {
    /// Its name, unique within the service.
    pub name: &'static str,
    /// Its version, shown and never compared.
    pub version: &'static str,
    /// One line; may be empty.
    pub description: &'static str,
    /// The service that it belongs to.
    pub service: &'static str,
    /// API handlers.
    pub apis: &'static [Api],
    /// Server halves of sync handlers.
    pub sync_servers: &'static [Api],
    /// Client halves of sync handlers.
    pub sync_clients: &'static [SyncClient],
    /// Subscriptions, one a hook.
    pub hooks: &'static [Hook],
    /// Functions for other plugins.
    pub functions: &'static [Function],
    /// The rewriter of error answers.
    pub error_formatter: Option<ErrorFormatter>,
    /// Whether it keeps the accounts of the project.
    pub user_store: bool,
}

/// Where a route stands: page (the service when none), leaf name, version.
#[derive(Debug)]
pub struct Route {
    /// Page, when it is not the service.
    pub page: Option<&'static str>,
    /// Leaf name.
    pub name: &'static str,
    /// 1 for `v1`.
    pub version: u32,
    /// The members of the manifest's route object that are known while compiling.
    pub members: &'static str,
    /// Whether the plugin's error formatter rewrites its errors.
    pub error_formatter: bool,
}

/// An API handler, or the server half of a sync handler.
#[derive(Debug)]
pub struct Api {
    /// Where it stands.
    pub route: Route,
    /// Answers a call: input in, success object out.
    pub call: fn(&Ctx, &[u8]) -> Result<Vec<u8>, HandlerError>,
    /// Schema of what it reads.
    pub input: SchemaFn,
    /// Schema of its result.
    pub output: SchemaFn,
    /// Schema of its chunks.
    pub stream: SchemaFn,
}

/// A subscription.
#[derive(Debug)]
pub struct Hook {
    /// The hook's name.
    pub hook: &'static str,
    /// The members of the manifest's object besides the name.
    pub members: &'static str,
    /// Runs it on a payload.
    pub handle: fn(&[u8]) -> Outcome,
}

/// A function for other plugins.
#[derive(Debug)]
pub struct Function {
    /// Full name: `group/name`.
    pub name: &'static str,
    /// The members of the manifest's object that are known while compiling.
    pub members: &'static str,
    /// Runs it: arguments in, result out.
    pub call: fn(&[u8]) -> Result<Vec<u8>, HandlerError>,
    /// Schema of what it reads.
    pub input: SchemaFn,
    /// Schema of its result.
    pub output: SchemaFn,
}

/// The rewriter of error answers.
#[derive(Debug)]
pub struct ErrorFormatter {
    /// Whether it serves every route of the host.
    pub global: bool,
    /// Rewrites an error, or leaves it.
    pub format: fn(ErrorEvent) -> Option<Value>,
}

impl Plugin {
    /// Checked while the plugin compiles.
    pub const fn check(&self) {
        let mut i = 0;
        while i < self.apis.len() {
            self.check_route(&self.apis[i].route, self.apis, i + 1);
            i += 1;
        }
        i = 0;
        while i < self.sync_servers.len() {
            self.check_route(&self.sync_servers[i].route, self.sync_servers, i + 1);
            i += 1;
        }
        i = 0;
        while i < self.sync_clients.len() {
            self.check_route(&self.sync_clients[i].route, &[], 0);
            let mut other = i + 1;
            while other < self.sync_clients.len() {
                assert!(
                    !self.sync_clients[i].route.same(&self.sync_clients[other].route),
                    "two #[sync_client] handlers have the same page, name and version; change one with `name` or `version`"
                );
                other += 1;
            }
            i += 1;
        }
        i = 0;
        while i < self.hooks.len() {
            let mut other = i + 1;
            while other < self.hooks.len() {
                assert!(
                    !same(self.hooks[i].hook, self.hooks[other].hook),
                    "two #[hook] handlers of one plugin subscribe to the same hook; merge them into one function"
                );
                other += 1;
            }
            i += 1;
        }
        i = 0;
        while i < self.functions.len() {
            let mut other = i + 1;
            while other < self.functions.len() {
                assert!(
                    !same(self.functions[i].name, self.functions[other].name),
                    "two #[function] handlers have the same name; rename one"
                );
                other += 1;
            }
            i += 1;
        }
    }

    const fn check_route(&self, route: &Route, others: &[Api], from: usize) {
        assert!(
            !route.error_formatter || self.error_formatter.is_some(),
            "a handler says `error_formatter`, but no #[error_formatter] function is listed in `handlers`"
        );
        if let Some(page) = route.page {
            assert!(
                begins_with_page(page, self.service),
                "`page` of a handler must be the plugin's service or begin with it and a slash"
            );
        }
        let mut other = from;
        while other < others.len() {
            assert!(
                !route.same(&others[other].route),
                "two handlers of one kind have the same page, name and version; change one with `name` or `version`"
            );
            other += 1;
        }
    }
}

impl Route {
    /// Whether `full` (`PREFIX/PAGE/NAME/vN`) names this route.
    pub(crate) fn is(&self, prefix: &str, service: &str, full: &str) -> bool {
        let page = self.page.unwrap_or(service);
        let version = full
            .strip_prefix(prefix)
            .and_then(|rest| rest.strip_prefix(page))
            .and_then(|rest| rest.strip_prefix('/'))
            .and_then(|rest| rest.strip_prefix(self.name))
            .and_then(|rest| rest.strip_prefix("/v"));
        version.is_some_and(|version| version.parse() == Ok(self.version))
    }

    const fn same(&self, other: &Self) -> bool {
        let pages = match (self.page, other.page) {
            (Some(a), Some(b)) => same(a, b),
            (None, None) => true,
            _ => false,
        };
        pages && self.version == other.version && same(self.name, other.name)
    }
}

const fn same(a: &str, b: &str) -> bool {
    a.len() == b.len() && begins_with(a, b)
}

const fn begins_with_page(page: &str, service: &str) -> bool {
    begins_with(page, service) && (page.len() == service.len() || page.as_bytes()[service.len()] == b'/')
}

const fn begins_with(text: &str, start: &str) -> bool {
    let (text, start) = (text.as_bytes(), start.as_bytes());
    if text.len() < start.len() {
        return false;
    }
    let mut i = 0;
    while i < start.len() {
        if text[i] != start[i] {
            return false;
        }
        i += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::{Api, Hook, Plugin, Route};
    use crate::Outcome;

    const fn api(name: &'static str, version: u32, page: Option<&'static str>, error_formatter: bool) -> Api {
        Api {
            route: Route { page, name, version, members: "", error_formatter },
            call: |_, _| Ok(Vec::new()),
            input: || None,
            output: || None,
            stream: || None,
        }
    }

    fn plugin(apis: &'static [Api], hooks: &'static [Hook]) -> Plugin {
        Plugin {
            name: "p",
            version: "1",
            description: "",
            service: "fleet",
            apis,
            sync_servers: &[],
            sync_clients: &[],
            hooks,
            functions: &[],
            error_formatter: None,
            user_store: false,
        }
    }

    #[test]
    fn handlers_that_differ_are_accepted() {
        const APIS: &[Api] =
            &[api("a", 1, None, false), api("a", 2, None, false), api("a", 1, Some("fleet/old"), false)];
        plugin(APIS, &[]).check();
    }

    #[test]
    #[should_panic(expected = "same page, name and version")]
    fn two_handlers_of_one_route_do_not_compile() {
        const APIS: &[Api] = &[api("a", 1, None, false), api("b", 1, None, false), api("a", 1, None, false)];
        plugin(APIS, &[]).check();
    }

    #[test]
    #[should_panic(expected = "`page` of a handler must be the plugin's service")]
    fn a_page_of_another_service_does_not_compile() {
        const APIS: &[Api] = &[api("a", 1, Some("fleets/old"), false)];
        plugin(APIS, &[]).check();
    }

    #[test]
    #[should_panic(expected = "no #[error_formatter] function is listed")]
    fn an_error_formatter_that_is_not_there_does_not_compile() {
        const APIS: &[Api] = &[api("a", 1, None, true)];
        plugin(APIS, &[]).check();
    }

    #[test]
    #[should_panic(expected = "subscribe to the same hook")]
    fn two_handlers_of_one_hook_do_not_compile() {
        const HOOK: Hook = Hook { hook: "postLogin", members: "", handle: |_| Outcome::proceed() };
        plugin(&[], &[HOOK, HOOK]).check();
    }
}
