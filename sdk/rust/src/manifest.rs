//! The manifest that the plugin gives of itself; its schema is `wit/manifest.schema.json`.
//!
//! Built when the host asks, which it does once per distinct component. The macros have rendered what
//! can be known while compiling; here the schemas of the types join it.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde_json::Value;

use crate::descriptor::{Plugin, Route};
use crate::reply::{Output, Reply};

/// The schema of what a handler reads.
pub fn input_schema<T: JsonSchema>() -> Option<Schema> {
    Some(root(settings().for_deserialize(), &NamedSchema::of::<T>()))
}

/// The schema of what a handler writes.
pub fn output_schema<T: JsonSchema>() -> Option<Schema> {
    Some(schema_of_output::<T>())
}

/// The schema of a handler's `result`, from its return type.
pub fn reply_schema<R: Reply<Success: Output>>() -> Option<Schema> {
    R::Success::schema()
}

pub(crate) fn schema_of_output<T: JsonSchema + ?Sized>() -> Schema {
    root(settings().for_serialize(), &NamedSchema::of::<T>())
}

fn settings() -> SchemaSettings {
    // Every schema of a manifest is 2020-12: saying so in each would only lengthen it.
    SchemaSettings::draft2020_12().with(|settings| settings.meta_schema = None)
}

/// A type's schema as a value, so that what is done with it is compiled once and not for every type.
struct NamedSchema {
    /// None for types that have no name of their own, such as lists.
    name: Option<fn() -> Cow<'static, str>>,
    schema: fn(&mut SchemaGenerator) -> Schema,
}

impl NamedSchema {
    fn of<T: JsonSchema + ?Sized>() -> Self {
        Self { name: (!T::inline_schema()).then_some(T::schema_name), schema: T::json_schema }
    }
}

/// The schema with everything that it refers to in its `$defs`.
#[cold]
#[inline(never)]
fn root(settings: SchemaSettings, named: &NamedSchema) -> Schema {
    let mut generator = settings.into_generator();
    let mut schema = (named.schema)(&mut generator);
    if let Some(name) = named.name
        && schema.get("title").is_none()
    {
        schema.insert("title".to_owned(), Value::String(name().into_owned()));
    }
    let definitions = generator.take_definitions(true);
    if !definitions.is_empty() {
        schema.insert("$defs".to_owned(), Value::Object(definitions));
    }
    schema
}

/// The manifest as JSON text.
pub fn describe(plugin: &Plugin) -> String {
    let mut out = String::from("{");
    member(&mut out, "name", plugin.name);
    member(&mut out, "version", plugin.version);
    if !plugin.description.is_empty() {
        member(&mut out, "description", plugin.description);
    }
    member(&mut out, "service", plugin.service);

    let mut routes = Objects::open(&mut out, "routes");
    for (kind, handlers) in [("api", plugin.apis), ("sync-server", plugin.sync_servers)] {
        for handler in handlers {
            routes.object(|out| {
                route(out, kind, &handler.route);
                schema(out, "input", (handler.input)());
                schema(out, "output", (handler.output)());
                schema(out, "stream", (handler.stream)());
            });
        }
    }
    for handler in plugin.sync_clients {
        routes.object(|out| {
            route(out, "sync-client", &handler.route);
            schema(out, "output", (handler.output)());
        });
    }
    routes.close();

    let mut hooks = Objects::open(&mut out, "hooks");
    for hook in plugin.hooks {
        hooks.object(|out| {
            member(out, "hook", hook.hook);
            out.push_str(hook.members);
        });
    }
    hooks.close();

    let mut functions = Objects::open(&mut out, "functions");
    for function in plugin.functions {
        functions.object(|out| {
            member(out, "name", function.name);
            out.push_str(function.members);
            schema(out, "input", (function.input)());
            schema(out, "output", (function.output)());
        });
    }
    functions.close();

    if plugin.error_formatter.as_ref().is_some_and(|formatter| formatter.global) {
        member(&mut out, "errorFormatter", "global");
    }
    if plugin.user_store {
        member(&mut out, "userStore", &true);
    }
    out.push('}');
    out
}

fn route(out: &mut String, kind: &str, route: &Route) {
    member(out, "kind", kind);
    member(out, "name", route.name);
    member(out, "version", &route.version);
    if let Some(page) = route.page {
        member(out, "page", page);
    }
    out.push_str(route.members);
}

fn schema(out: &mut String, key: &str, schema: Option<Schema>) {
    if let Some(schema) = schema {
        member(out, key, &schema);
    }
}

/// Appends `"key":value`, after a comma unless it is the first member.
fn member<T: Serialize + ?Sized>(out: &mut String, key: &str, value: &T) {
    // Strings, numbers and schemas always have a JSON form.
    let Ok(value) = serde_json::to_string(value) else { return };
    if !out.ends_with(['{', '[']) {
        out.push(',');
    }
    out.push('"');
    out.push_str(key);
    out.push_str("\":");
    out.push_str(&value);
}

/// A list of objects, written only when it has one.
struct Objects<'a> {
    out: &'a mut String,
    key: &'static str,
    any: bool,
}

impl<'a> Objects<'a> {
    fn open(out: &'a mut String, key: &'static str) -> Self {
        Self { out, key, any: false }
    }

    fn object(&mut self, write: impl FnOnce(&mut String)) {
        if self.any {
            self.out.push_str(",{");
        } else {
            self.out.push_str(",\"");
            self.out.push_str(self.key);
            self.out.push_str("\":[{");
            self.any = true;
        }
        write(self.out);
        self.out.push('}');
    }

    fn close(self) {
        if self.any {
            self.out.push(']');
        }
    }
}
