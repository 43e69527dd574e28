//! What the host prints when it has started.

use std::fmt::Write;

use luckystack_pipeline::{Prepared, Route};
use luckystack_topology::{FUNCTIONS, RouteKind};

use crate::boot::Loaded;
use crate::project::Project;
use crate::terminal::count;

/// The presets, their services, each plugin with its routes, and what was skipped and why.
pub(crate) fn listing(project: &Project, loaded: &Loaded) -> String {
    let mut out = format!("luckystack-host {}\n\n", env!("CARGO_PKG_VERSION"));
    for name in &project.selection.presets {
        let description = project
            .topology
            .presets
            .get(name)
            .and_then(|preset| preset.description.as_deref())
            .map(|text| format!(": {text}"))
            .unwrap_or_default();
        line(&mut out, &format!("preset    {name}{description}"));
    }
    let services: Vec<_> = project.selection.services.iter().map(String::as_str).collect();
    line(&mut out, &format!("services  {}", services.join(", ")));
    out.push('\n');
    for plugin in loaded.table.plugins() {
        plugin_listing(&mut out, plugin);
    }
    for error in &loaded.skipped {
        let _ = writeln!(out, "skipped   {error}\n");
    }
    for service in loaded.empty.iter().filter(|service| *service != FUNCTIONS) {
        let has_sources =
            project.services.iter().any(|known| known.service == *service && !known.sources.is_empty());
        let why = match has_sources {
            true => "its sources have not been built yet",
            false => "its folder holds neither a component nor sources of one",
        };
        let _ = writeln!(out, "skipped   {service}: {why}\n");
    }
    out
}

fn line(out: &mut String, text: &str) {
    let _ = writeln!(out, "{text}");
}

fn plugin_listing(out: &mut String, prepared: &Prepared) {
    let plugin = prepared.plugin();
    let manifest = plugin.manifest();
    let _ = writeln!(
        out,
        "{:<9} {} {} ({})",
        plugin.service().name(),
        manifest.name,
        manifest.version,
        plugin.file().display()
    );
    let width = prepared.routes().iter().map(|route| route.full.len()).max().unwrap_or(0);
    for route in prepared.routes() {
        let _ = writeln!(out, "{}", route_line(route, width).trim_end());
    }
    for hook in &manifest.hooks {
        let _ = writeln!(out, "    hook      {}", hook.hook);
    }
    for function in &manifest.functions {
        let _ = writeln!(out, "    function  {}", function.name);
    }
    if manifest.error_formatter.is_some() {
        line(out, "    formats the errors of all routes");
    }
    for warning in &prepared.warnings {
        let _ = writeln!(out, "    warning: {warning}");
    }
    out.push('\n');
}

fn route_line(route: &Route, width: usize) -> String {
    let method = match route.kind {
        RouteKind::Api => route.method.as_str(),
        RouteKind::SyncServer => "sync",
        RouteKind::SyncClient => "client",
    };
    let auth = match (route.auth.login, route.auth.additional.len()) {
        (false, 0) => "public".to_owned(),
        (true, 0) => "login".to_owned(),
        (login, conditions) => {
            let login = if login { "login, " } else { "" };
            format!("{login}{}", count(conditions, "condition"))
        }
    };
    let stream = if route.streams { " stream" } else { "" };
    let description = route.description.as_deref().and_then(|text| text.lines().next()).unwrap_or_default();
    format!("    {method:<6} /{:<width$}  {auth}{stream}  {description}", route.full)
}
