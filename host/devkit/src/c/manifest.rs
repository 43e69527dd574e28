//! `plugin.json`, and what C is made of it: the manifest as text, the table of handlers, and a declaration
//! for each.
//!
//! Only what the build needs is read here. Everything else in a manifest is for the host to judge when it
//! loads the component, with one set of messages for all languages.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use serde_json::{Map, Value};

use crate::error::BuildError;
use crate::language::BuildRequest;

/// The manifest of a C plugin.
pub(crate) const FILE: &str = "plugin.json";

/// What a handler is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Api,
    SyncServer,
    SyncClient,
    Hook,
    Function,
    ErrorFormatter,
}

/// One handler that `plugin.json` speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Handler {
    kind: Kind,
    /// What the host calls it.
    name: String,
    /// Its function in C, without the prefix `ls_`.
    symbol: String,
    /// How the author defines it.
    definition: String,
}

/// A plugin, as its `plugin.json` says.
#[derive(Debug)]
pub(crate) struct Plugin {
    name: String,
    manifest: String,
    handlers: Vec<Handler>,
}

impl Kind {
    const ALL: [Self; 6] =
        [Self::Api, Self::SyncServer, Self::SyncClient, Self::Hook, Self::Function, Self::ErrorFormatter];

    /// The table that the SDK looks for, where there is one.
    fn table(self) -> Option<&'static str> {
        match self {
            Self::Api => Some("ls_apis"),
            Self::SyncServer => Some("ls_sync_servers"),
            Self::SyncClient => Some("ls_sync_clients"),
            Self::Hook => Some("ls_hooks"),
            Self::Function => Some("ls_functions"),
            Self::ErrorFormatter => None,
        }
    }

    /// Files of the SDK that export its interface.
    fn files(self) -> [&'static str; 2] {
        match self {
            Self::Api => ["src/export_api.c", "generated/api_handlers_component_type.c"],
            Self::SyncServer => {
                ["src/export_sync_server.c", "generated/sync_server_handlers_component_type.c"]
            }
            Self::SyncClient => {
                ["src/export_sync_client.c", "generated/sync_client_handlers_component_type.c"]
            }
            Self::Hook => ["src/export_hooks.c", "generated/hook_handlers_component_type.c"],
            Self::Function => ["src/export_functions.c", "generated/function_provider_component_type.c"],
            Self::ErrorFormatter => {
                ["src/export_error_formatter.c", "generated/error_formatting_component_type.c"]
            }
        }
    }
}

impl Plugin {
    /// Reads the `plugin.json` of a folder.
    pub(crate) fn read(request: &BuildRequest, dir: &Path) -> Result<Self, BuildError> {
        let path = dir.join(FILE);
        let text = std::fs::read(&path).map_err(BuildError::io(&request.name, "read", &path))?;
        Self::parse(&text, &request.service, &request.name)
            .map_err(|problem| BuildError::Manifest { manifest: path, problem })
    }

    fn parse(text: &[u8], service: &str, name: &str) -> Result<Self, String> {
        let mut manifest: Map<String, Value> =
            serde_json::from_slice(text).map_err(|error| format!("it is no JSON object: {error}"))?;
        // For editors only.
        manifest.remove("$schema");
        for (key, value, whose) in
            [("service", service, "its folder belongs to"), ("name", name, "its folder is called")]
        {
            let said = manifest.entry(key).or_insert_with(|| Value::from(value));
            if said != value {
                return Err(format!(
                    "`{key}` is {said}, but {whose} {value}; leave it out, the build fills it in"
                ));
            }
        }
        if !manifest.contains_key("version") {
            return Err("`version` is missing; add `\"version\": \"1.0.0\"`".to_owned());
        }
        let handlers = handlers(&manifest, service)?;
        let text = Value::Object(manifest).to_string();
        Ok(Self { name: name.to_owned(), manifest: text, handlers })
    }

    fn of(&self, kind: Kind) -> impl Iterator<Item = &Handler> {
        self.handlers.iter().filter(move |handler| handler.kind == kind)
    }

    /// Files of the SDK that export what the manifest speaks of.
    pub(crate) fn exports(&self) -> Vec<&'static str> {
        Kind::ALL.into_iter().filter(|kind| self.of(*kind).next().is_some()).flat_map(Kind::files).collect()
    }

    /// The C file with the manifest and the tables of handlers.
    pub(crate) fn table(&self) -> String {
        let mut out = String::from("/* Made from plugin.json by the build. */\n#include \"internal.h\"\n\n");
        let _ = write!(
            out,
            "const char ls_plugin_name[] = {};\n\nstatic const char manifest[] =",
            literal(&self.name)
        );
        // Long lines are hard to look at when something goes wrong.
        let bytes = self.manifest.as_bytes();
        for piece in bytes.chunks(90) {
            let _ = write!(out, "\n    {}", literal_bytes(piece));
        }
        out.push_str(";\nconst ls_text ls_manifest = {.text = manifest, .length = sizeof manifest - 1};\n");
        for kind in Kind::ALL {
            let Some(table) = kind.table() else { continue };
            let handlers: Vec<_> = self.of(kind).collect();
            if handlers.is_empty() {
                continue;
            }
            out.push('\n');
            for handler in &handlers {
                let _ = writeln!(out, "ls_handler ls_{};", handler.symbol);
            }
            let _ = writeln!(out, "static const ls_entry {table}_entries[] = {{");
            for handler in &handlers {
                let _ = writeln!(out, "    {{{}, ls_{}}},", literal(&handler.name), handler.symbol);
            }
            let _ = writeln!(out, "}};\nconst ls_table {table} = {{{table}_entries, {}}};", handlers.len());
        }
        out
    }

    /// The header that every file of the plugin sees first: which handlers may be defined.
    pub(crate) fn declarations(&self) -> String {
        let mut out = String::from("/* Made from plugin.json by the build. */\n#define LS_PLUGIN_JSON 1\n");
        for handler in &self.handlers {
            let _ = writeln!(out, "typedef char plugin_json_lists_{};", handler.symbol);
        }
        out
    }

    /// How to define what a linker's message says is missing, one line for each.
    pub(crate) fn remedies(&self, message: &str) -> String {
        let words: BTreeSet<&str> = message.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
        let missing =
            self.handlers.iter().filter(|handler| words.contains(format!("ls_{}", handler.symbol).as_str()));
        missing.fold(String::new(), |mut out, handler| {
            let Handler { name, definition, .. } = handler;
            let _ =
                write!(out, "\n{FILE} lists {name}: define it with {definition} {{ ... }}, or take it out");
            out
        })
    }
}

fn handlers(manifest: &Map<String, Value>, service: &str) -> Result<Vec<Handler>, String> {
    let mut found: Vec<Handler> = Vec::new();
    let mut formats = manifest.get("errorFormatter").is_some();
    for (n, route) in list(manifest, "routes")?.iter().enumerate() {
        found.push(route_handler(route, service).map_err(|problem| format!("routes[{n}]: {problem}"))?);
        formats |= route.get("errorFormatter") == Some(&Value::Bool(true));
    }
    for (n, function) in list(manifest, "functions")?.iter().enumerate() {
        let name = text(function, "name").map_err(|problem| format!("functions[{n}]: {problem}"))?;
        let word = identifier(name).map_err(|problem| format!("functions[{n}]: {problem}"))?;
        let definition = format!("LS_FUNCTION({word})");
        found.push(Handler {
            kind: Kind::Function,
            name: name.to_owned(),
            symbol: format!("function_{word}"),
            definition,
        });
    }
    for (n, hook) in list(manifest, "hooks")?.iter().enumerate() {
        let name = text(hook, "hook").map_err(|problem| format!("hooks[{n}]: {problem}"))?;
        let word = identifier(name).map_err(|problem| format!("hooks[{n}]: {problem}"))?;
        let definition = format!("LS_HOOK({word})");
        let handler =
            Handler { kind: Kind::Hook, name: name.to_owned(), symbol: format!("hook_{word}"), definition };
        // One handler serves all subscriptions to a hook.
        if !found.contains(&handler) {
            found.push(handler);
        }
    }
    if formats {
        let definition = "LS_ERROR_FORMATTER".to_owned();
        let (name, symbol) = ("an error formatter".to_owned(), "error_formatter".to_owned());
        found.push(Handler { kind: Kind::ErrorFormatter, name, symbol, definition });
    }
    for (n, handler) in found.iter().enumerate() {
        if let Some(other) = found[..n].iter().find(|other| other.symbol == handler.symbol) {
            return Err(format!(
                "{} and {} would both be {}: rename one",
                other.name, handler.name, handler.definition
            ));
        }
    }
    Ok(found)
}

fn route_handler(route: &Value, service: &str) -> Result<Handler, String> {
    let (kind, prefix, symbol, definition) = match text(route, "kind")? {
        "api" => (Kind::Api, "api", "api", "LS_API"),
        "sync-server" => (Kind::SyncServer, "sync", "sync_server", "LS_SYNC_SERVER"),
        "sync-client" => (Kind::SyncClient, "sync", "sync_client", "LS_SYNC_CLIENT"),
        other => return Err(format!("`kind` is `{other}`; it is `api`, `sync-server` or `sync-client`")),
    };
    let name = text(route, "name")?;
    let version = route.get("version").and_then(Value::as_u64);
    let version = version.ok_or("`version` is missing or no whole number; add `\"version\": 1`")?;
    let page = if route.get("page").is_some() { text(route, "page")? } else { service };
    let below = page.strip_prefix(service).filter(|rest| rest.is_empty() || rest.starts_with('/'));
    let below =
        below.ok_or_else(|| format!("`page` is `{page}`; it begins with the service, `{service}/`"))?;
    let word = identifier(format!("{below}/{name}").trim_start_matches('/'))?;
    Ok(Handler {
        kind,
        name: format!("{prefix}/{page}/{name}/v{version}"),
        symbol: format!("{symbol}_{word}_v{version}"),
        definition: format!("{definition}({word}, {version})"),
    })
}

fn list<'a>(manifest: &'a Map<String, Value>, key: &str) -> Result<&'a [Value], String> {
    match manifest.get(key) {
        None => Ok(&[]),
        Some(Value::Array(items)) => Ok(items),
        Some(_) => Err(format!("`{key}` is no list")),
    }
}

fn text<'a>(entry: &'a Value, key: &str) -> Result<&'a str, String> {
    entry.get(key).and_then(Value::as_str).ok_or_else(|| format!("`{key}` is missing or no text"))
}

/// A name as a part of a C identifier.
fn identifier(name: &str) -> Result<String, String> {
    let fits = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/'));
    if !fits {
        return Err(format!("`{name}` is no name: it begins with a letter and holds A-Z a-z 0-9 _ -"));
    }
    Ok(name.replace(['-', '/'], "_"))
}

fn literal(text: &str) -> String {
    literal_bytes(text.as_bytes())
}

/// A C string literal. Octal escapes have a fixed length, so that what follows is never a part of them.
fn literal_bytes(bytes: &[u8]) -> String {
    let mut out = String::from("\"");
    for byte in bytes {
        match byte {
            b'"' | b'\\' => {
                out.push('\\');
                out.push(char::from(*byte));
            }
            b' '..=b'~' if *byte != b'?' => out.push(char::from(*byte)),
            _ => {
                let _ = write!(out, "\\{byte:03o}");
            }
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests;
