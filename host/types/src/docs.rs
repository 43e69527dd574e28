//! `apiDocs.generated.json`, routes with their types as text, and `apiTypeDiagnostics.generated.json`,
//! what the types do not say (wire protocol §9.5).

use std::time::SystemTime;

use luckystack_plugins::manifest::{RateLimit, RouteManifest};
use serde_json::Value;

use crate::catalog::{Api, Catalog, Place, Sync, Typed, grouped};
use crate::json::{Node, Object};
use crate::type_map::{additional, api_success, client_output, login, method, stream, sync_success};
use crate::zod::Unchecked;

pub(crate) fn docs(catalog: &Catalog<'_>) -> String {
    let mut apis = Object::new();
    for page in grouped(&catalog.apis, |api| api.place.page) {
        apis = apis.with(page[0].place.page, page.iter().map(api_entry).collect::<Vec<Node>>());
    }
    let mut syncs = Object::new();
    for page in grouped(&catalog.syncs, |sync| sync.place.page) {
        syncs = syncs.with(page[0].place.page, page.iter().map(sync_entry).collect::<Vec<Node>>());
    }
    Object::new().with("apis", apis).with("syncs", syncs).text()
}

fn api_entry(api: &Api<'_>) -> Node {
    let route = api.route;
    place(api.place)
        .with("method", method(route.http_method()))
        .with("input", api.input.text(None))
        .with("output", api_success(api.output.as_ref(), None))
        .with("stream", stream(api.stream.as_ref(), None))
        .with_some("rateLimit", rate_limit(route))
        .with("auth", auth(route))
        .with("path", format!("api/{}", api.place.path()))
        .with_some("description", route.description.as_deref())
        .into()
}

fn sync_entry(sync: &Sync<'_>) -> Node {
    let description = sync.server.or(sync.client).and_then(|route| route.description.as_deref());
    place(sync.place)
        .with("clientInput", sync.input.text(None))
        .with("serverOutput", sync_success(sync.server_output.as_ref(), None))
        .with("clientOutput", client_output(sync, None))
        .with("serverStream", stream(sync.server_stream.as_ref(), None))
        .with("clientStream", stream(sync.client_stream.as_ref(), None))
        .with("path", format!("sync/{}", sync.place.path()))
        .with_some("description", description)
        .into()
}

fn place(place: Place<'_>) -> Object {
    Object::new().with("page", place.page).with("name", place.name).with("version", place.version())
}

pub(crate) fn rate_limit(route: &RouteManifest) -> Option<Node> {
    route.rate_limit.map(|limit| match limit {
        RateLimit::Calls(calls) => calls.into(),
        RateLimit::Switch(_) => false.into(),
    })
}

fn auth(route: &RouteManifest) -> Object {
    let auth = Object::new().with("login", login(route));
    match additional(route) {
        [] => auth,
        list => auth.with("additional", Value::from(list)).with("hasAdditional", true),
    }
}

/// Every part of a schema that became something wider. `unchecked` is what zod does not check, by the
/// position of the API route.
pub(crate) fn diagnostics(catalog: &Catalog<'_>, unchecked: &[Vec<Unchecked>], at: SystemTime) -> String {
    let mut fallbacks: Vec<Node> = Vec::new();
    let mut add = |route: &str, kind: &str, field: &str, typed: Option<&Typed>| {
        for problem in typed.iter().flat_map(|typed| &typed.schema.problems) {
            let detail = format!("#{}: {}", problem.pointer, problem.message);
            fallbacks.push(fallback(route, kind, field, "unknown", "untranslated-schema", detail));
        }
    };
    for api in &catalog.apis {
        let route = name(api.place);
        add(&route, "api", "input", Some(&api.input));
        add(&route, "api", "output", api.output.as_ref());
        add(&route, "api", "stream", api.stream.as_ref());
    }
    for sync in &catalog.syncs {
        let route = name(sync.place);
        add(&route, "sync", "clientInput", Some(&sync.input));
        add(&route, "sync", "serverOutput", sync.server_output.as_ref());
        add(&route, "sync", "clientOutput", sync.client_output.as_ref());
        add(&route, "sync", "serverStream", sync.server_stream.as_ref());
        add(&route, "sync", "clientStream", sync.client_stream.as_ref());
    }
    for function in &catalog.functions {
        add(&function.function.name, "function", "args", function.input.as_ref());
        add(&function.function.name, "function", "result", function.output.as_ref());
    }
    for (api, problems) in catalog.apis.iter().zip(unchecked) {
        for problem in problems {
            let detail = problem.message.clone();
            fallbacks.push(fallback(
                &name(api.place),
                "api",
                "input",
                problem.fallback,
                "zod-unchecked",
                detail,
            ));
        }
    }
    Object::new()
        .with("generatedAt", humantime::format_rfc3339_millis(at).to_string())
        .with("totalRoutes", catalog.apis.len() + catalog.syncs.len())
        .with("fallbackCount", fallbacks.len())
        .with("fallbacks", fallbacks)
        .text()
}

fn name(place: Place<'_>) -> String {
    format!("{}/{}@{}", place.page, place.name, place.version())
}

fn fallback(route: &str, kind: &str, field: &str, fallback: &str, reason: &str, detail: String) -> Node {
    Object::new()
        .with("route", route)
        .with("kind", kind)
        .with("field", field)
        .with("fallback", fallback)
        .with("reason", reason)
        .with("detail", detail)
        .into()
}
