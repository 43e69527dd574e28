//! What a plugin says of itself: the JSON that `plugin.describe` returns.
//!
//! Its schema is `wit/manifest.schema.json`. Nothing in it is trusted: [`Manifest::parse`] refuses
//! unknown keys and wrong shapes, [`Manifest::check`] what a manifest may not claim. JSON Schemas and
//! hook names inside are kept as they are here and checked by whoever enforces them.

use luckystack_topology::{Method, RouteKind, validate_leaf_name, validate_service_name};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A manifest that parsed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Manifest {
    /// Name of the plugin, unique within its service.
    pub name: String,
    /// Its version, for people.
    pub version: String,
    /// One line about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The service that it belongs to.
    pub service: String,
    /// Handlers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<RouteManifest>,
    /// Hook subscriptions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hooks: Vec<HookManifest>,
    /// Functions for other plugins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub functions: Vec<FunctionManifest>,
    /// Whether the plugin rewrites the errors of every route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_formatter: Option<GlobalFormatter>,
    /// Whether the plugin keeps the accounts of the project.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub user_store: bool,
}

/// The only value of a manifest's `errorFormatter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GlobalFormatter {
    /// All routes of the host.
    Global,
}

/// One handler.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RouteManifest {
    /// api, or one half of a sync route.
    pub kind: RouteKind,
    /// Leaf name.
    pub name: String,
    /// Full page path of a nested page; the service when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// 1 for `v1`.
    pub version: u32,
    /// For listings and documentation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// HTTP method, inferred from the name when absent (wire protocol §1.4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<Method>,
    /// Auth rule as JSON (wire protocol §1.5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Value>,
    /// Calls per window, or `false`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimit>,
    /// Whether the input is checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<Validation>,
    /// Whether the plugin rewrites this route's errors.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub error_formatter: bool,
    /// Schema of the input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// Schema of the result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    /// Schema of the chunks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<Value>,
}

/// A route's own rate limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RateLimit {
    /// Calls per window and caller.
    Calls(u32),
    /// `false`: none. (`true` is refused by [`Manifest::check`].)
    Switch(bool),
}

/// A route's validation mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Validation {
    /// `"strict"` or `"relaxed"`.
    Mode(ValidationMode),
    /// `{"input": "strict" | "skip"}`.
    Input {
        /// Whether the input is checked.
        input: InputValidation,
    },
}

/// `"strict"` or `"relaxed"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ValidationMode {
    /// Check.
    Strict,
    /// Do not.
    Relaxed,
}

/// `"strict"` or `"skip"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InputValidation {
    /// Check.
    Strict,
    /// Do not.
    Skip,
}

/// One hook subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HookManifest {
    /// The hook's name (wire protocol §11).
    pub hook: String,
    /// Lower runs first.
    #[serde(default)]
    pub order: i32,
    /// The payload fields wanted; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Vec<String>>,
    /// Full names, or prefixes ending in `/`; all routes when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routes: Option<Vec<String>>,
}

/// One function offered to other plugins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FunctionManifest {
    /// `group/name`.
    pub name: String,
    /// For listings and documentation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Schema of the arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// Schema of the result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
}

/// A manifest may be this large: a thousand routes with generous schemas.
pub const MAX_MANIFEST_BYTES: usize = 4 << 20;

/// What is wrong with a manifest, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestError {
    /// Names the route and the rule.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

impl ManifestError {
    /// An error with its remedy.
    pub fn new(message: impl Into<String>, remedy: impl Into<String>) -> Self {
        ManifestError { message: message.into(), remedy: remedy.into() }
    }
}

/// Interfaces that a component exports, as far as a manifest can promise them.
#[derive(Clone, Copy, Debug, Default)]
#[expect(missing_docs, reason = "one flag per interface, named like it")]
pub struct Exported {
    pub api: bool,
    pub sync_server: bool,
    pub sync_client: bool,
    pub hooks: bool,
    pub functions: bool,
    pub error_formatter: bool,
    pub user_store: bool,
}

impl RouteManifest {
    /// Full name such as `api/vehicles/getAll/v1`; both halves of a sync route share theirs.
    pub fn full_name(&self, service: &str) -> String {
        let prefix = match self.kind {
            RouteKind::Api => "api",
            RouteKind::SyncServer | RouteKind::SyncClient => "sync",
        };
        let page = self.page.as_deref().unwrap_or(service);
        format!("{prefix}/{page}/{}/v{}", self.name, self.version)
    }

    /// The HTTP method: explicit, or inferred from the leaf name (wire protocol §1.4).
    pub fn http_method(&self) -> Method {
        self.method.unwrap_or_else(|| Method::infer(&self.name))
    }

    /// Whether the input is checked (wire protocol §1.5).
    pub fn checks_input(&self) -> bool {
        !matches!(
            self.validation,
            Some(
                Validation::Mode(ValidationMode::Relaxed)
                    | Validation::Input { input: InputValidation::Skip }
            )
        )
    }
}

impl Manifest {
    /// Parses what `describe` returned.
    pub fn parse(text: &str) -> Result<Manifest, ManifestError> {
        if text.len() > MAX_MANIFEST_BYTES {
            return Err(ManifestError::new(
                format!("the manifest has {} bytes, at most {MAX_MANIFEST_BYTES} are read", text.len()),
                "split the plugin into several components of the same service",
            ));
        }
        serde_json::from_str(text).map_err(|error| {
            ManifestError::new(
                format!("`describe` did not return a manifest: {error}"),
                "compare it with wit/manifest.schema.json, or build the plugin with an SDK of this version",
            )
        })
    }

    /// Checks what the manifest claims against the folder it was loaded from (`service`) and the
    /// interfaces its component exports. All problems, not the first.
    pub fn check(&self, service: &str, exported: Exported) -> Vec<ManifestError> {
        let mut errors = Vec::new();
        if let Err(rule) = validate_leaf_name(&self.name) {
            errors.push(ManifestError::new(
                format!("the plugin's name {:?} is not allowed: {rule}", self.name),
                "rename the plugin",
            ));
        }
        if self.service != service {
            errors.push(ManifestError::new(
                format!(
                    "the plugin says it belongs to service {:?}, but it lies in the folder of {service:?}",
                    self.service
                ),
                format!(
                    "move it to the folder of {:?}, or build it with service = {service:?}",
                    self.service
                ),
            ));
        }
        let mut seen = std::collections::HashSet::new();
        for route in &self.routes {
            let full = route.full_name(&self.service);
            self.check_route(route, &full, exported, &mut errors);
            if !seen.insert((full.clone(), route.kind)) {
                errors.push(ManifestError::new(
                    format!("{full}: the route is listed twice"),
                    "give one of them another name or version",
                ));
            }
        }
        let mut promise = |promised: bool, kept: bool, what: &str, interface: &str| {
            if promised && !kept {
                errors.push(ManifestError::new(
                    format!("the manifest lists {what}, but the component does not export luckystack:plugin/{interface}"),
                    format!("export the interface {interface}, or take {what} out of the manifest"),
                ));
            }
        };
        promise(!self.hooks.is_empty(), exported.hooks, "hooks", "hooks");
        promise(!self.functions.is_empty(), exported.functions, "functions", "functions");
        let formats = self.error_formatter.is_some() || self.routes.iter().any(|route| route.error_formatter);
        promise(formats, exported.error_formatter, "an error formatter", "error-formatter");
        promise(self.user_store, exported.user_store, "a user store", "user-store");
        self.check_functions(&mut errors);
        errors
    }

    fn check_route(
        &self,
        route: &RouteManifest,
        full: &str,
        exported: Exported,
        errors: &mut Vec<ManifestError>,
    ) {
        if let Err(rule) = validate_leaf_name(&route.name) {
            errors.push(ManifestError::new(
                format!("{full}: the route's name is not allowed: {rule}"),
                "rename the handler",
            ));
        }
        if let Some(page) = &route.page {
            if let Err(rule) = validate_service_name(page) {
                errors.push(ManifestError::new(
                    format!("{full}: the page {page:?} is not allowed: {rule}"),
                    "rename the page",
                ));
            }
            let below = page
                .strip_prefix(self.service.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
            if !below {
                errors.push(ManifestError::new(
                    format!("{full}: the page {page:?} is not below the plugin's service {:?}", self.service),
                    "a plugin serves its own service only: move the route to a plugin of that service",
                ));
            }
        }
        let (interface, kept) = match route.kind {
            RouteKind::Api => ("api", exported.api),
            RouteKind::SyncServer => ("sync-server", exported.sync_server),
            RouteKind::SyncClient => ("sync-client", exported.sync_client),
        };
        if !kept {
            errors.push(ManifestError::new(
                format!("{full}: the component does not export luckystack:plugin/{interface}"),
                format!("export the interface {interface}, or take the route out of the manifest"),
            ));
        }
        if route.rate_limit == Some(RateLimit::Switch(true)) || route.rate_limit == Some(RateLimit::Calls(0))
        {
            errors.push(ManifestError::new(
                format!("{full}: rateLimit must be a number of calls from 1, or false for no limit"),
                "give a number, false, or leave it out for the project's default",
            ));
        }
        if route.kind != RouteKind::Api && route.method.is_some() {
            errors.push(ManifestError::new(
                format!("{full}: sync routes are always POST"),
                "take `method` out of the route",
            ));
        }
        let misplaced = [
            ("auth", route.auth.is_some()),
            ("rateLimit", route.rate_limit.is_some()),
            ("validation", route.validation.is_some()),
            ("input", route.input.is_some()),
        ];
        if route.kind == RouteKind::SyncClient {
            for (key, _) in misplaced.into_iter().filter(|(_, present)| *present) {
                errors.push(ManifestError::new(
                    format!("{full}: `{key}` belongs to the server half of a sync route"),
                    format!("move `{key}` to the sync-server entry"),
                ));
            }
        }
    }

    fn check_functions(&self, errors: &mut Vec<ManifestError>) {
        let mut seen = std::collections::HashSet::new();
        for function in &self.functions {
            let segments = function.name.split('/').count();
            let valid =
                segments >= 2 && function.name.split('/').all(|part| validate_leaf_name(part).is_ok());
            if !valid {
                errors.push(ManifestError::new(
                    format!("function {:?}: a function is called group/name, each a letter followed by letters, digits, `_` or `-`", function.name),
                    "rename the function",
                ));
            }
            if function.name.starts_with("host/") {
                errors.push(ManifestError::new(
                    format!("function {:?}: the group `host` is the host's own", function.name),
                    "use another group",
                ));
            }
            if !seen.insert(&function.name) {
                errors.push(ManifestError::new(
                    format!("function {:?} is listed twice", function.name),
                    "rename one of them",
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_that_says_it_keeps_the_accounts_exports_a_store() {
        let text = r#"{"name":"p","version":"1","service":"people","userStore":true}"#;
        let manifest = Manifest::parse(text).unwrap();
        let [problem] = &manifest.check("people", Exported::default())[..] else {
            panic!("one thing is wrong")
        };
        assert_eq!(
            problem.message,
            "the manifest lists a user store, but the component does not export luckystack:plugin/user-store"
        );
        let exported = Exported { user_store: true, ..Exported::default() };
        assert_eq!(manifest.check("people", exported), []);
        assert_eq!(serde_json::to_string(&manifest).unwrap(), text);

        let silent = Manifest::parse(r#"{"name":"p","version":"1","service":"people"}"#).unwrap();
        assert!(!silent.user_store);
        assert_eq!(silent.check("people", exported), [], "an export alone promises nothing");
        let wrong = r#"{"name":"p","version":"1","service":"people","userStore":"yes"}"#;
        assert!(Manifest::parse(wrong).unwrap_err().message.contains("invalid type"));
    }
}
