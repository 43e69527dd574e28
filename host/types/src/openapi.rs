//! `openapi.generated.json`: the API routes as an OpenAPI 3.1 document.
//!
//! 3.1 speaks JSON Schema 2020-12, so the manifests' schemas stand in it as they are, each a component
//! of its own whose references are rewritten to where it stands now.

mod responses;

use luckystack_topology::Method;
use serde_json::{Map, Value};

use self::responses::{components, responses};
use crate::Options;
use crate::catalog::{Api, Catalog};
use crate::docs::rate_limit;
use crate::json::{Node, Object};
use crate::schema::{Format, Schema, Text, Type};
use crate::type_map::{login, method};

const DESCRIPTION: &str = "Objects in inputs are closed: a key that a schema does not name is refused, unless the \
schema has `additionalProperties`. Nothing is coerced.";

pub(crate) fn document(catalog: &Catalog<'_>, options: &Options) -> String {
    let tags: Vec<Node> = catalog
        .services
        .iter()
        .map(|(service, about)| {
            let about = (!about.is_empty()).then(|| about.join("\n\n"));
            Object::new().with("name", *service).with_some("description", about).into()
        })
        .collect();
    // Every version of a route is a path of its own, so a path has one method.
    let paths: Object =
        catalog.apis.iter().map(|api| (format!("/api/{}", api.place.path()), path(api).into())).collect();
    Object::new()
        .with("openapi", "3.1.0")
        .with(
            "info",
            Object::new()
                .with("title", options.title.as_str())
                .with("version", options.version.as_str())
                .with("description", DESCRIPTION),
        )
        .with("tags", tags)
        .with("paths", paths)
        .with("components", components(schemas(catalog)))
        .text()
}

fn path(api: &Api<'_>) -> Object {
    let route = api.route;
    let verb = route.http_method();
    let security: Vec<Node> = if login(route) {
        ["cookie", "bearer"].map(|scheme| Object::new().with(scheme, Vec::new()).into()).into()
    } else {
        Vec::new()
    };
    let mut parameters = if verb == Method::Get { query(api) } else { Vec::new() };
    if api.stream.is_some() {
        parameters.push(stream_parameter());
    }
    let body = (verb != Method::Get).then(|| {
        Object::new()
            .with("required", true)
            .with("content", Object::new().with("application/json", media(input(api))))
    });
    let operation = Object::new()
        .with("operationId", component(api, None))
        .with("tags", vec![api.service.into()])
        .with_some("description", route.description.as_deref())
        .with_some("parameters", (!parameters.is_empty()).then_some(parameters))
        .with_some("requestBody", body)
        .with("responses", responses(api))
        .with("security", security)
        .with_some("x-rate-limit", rate_limit(route))
        .with_some("x-input-checked", (!route.checks_input()).then_some(false));
    Object::new().with(method(verb).to_ascii_lowercase(), operation)
}

fn media(schema: impl Into<Node>) -> Object {
    Object::new().with("schema", schema)
}

fn reference(component: &str) -> Object {
    Object::new().with("$ref", format!("#/components/schemas/{component}"))
}

/// The schema of a route's input, which is an object even without one.
fn input(api: &Api<'_>) -> Object {
    match &api.route.input {
        Some(_) => reference(&component(api, Some("input"))),
        None => Object::new().with("type", "object"),
    }
}

/// `vehicles.getAll.v1.input`: dots are in no name, so no two are the same.
fn component(api: &Api<'_>, part: Option<&str>) -> String {
    let route = api.place.path().replace('/', ".");
    part.map_or(route.clone(), |part| format!("{route}.{part}"))
}

// --- GET ---

/// What a query can say: values are strings there, and stay strings. Whatever needs another type is
/// passed as JSON in one parameter (wire protocol §1.6).
fn query(api: &Api<'_>) -> Vec<Node> {
    let fields = match &api.input.schema.root {
        Type::Object(object) if object.is_empty() => return Vec::new(),
        Type::Object(object) => object.fields.as_slice(),
        _ => &[],
    };
    let texts: Vec<Option<Value>> =
        fields.iter().map(|field| string_schema(&field.ty, &api.input.schema)).collect();
    let plain = fields.iter().zip(&texts).all(|(field, text)| !field.required || text.is_some());
    let plain = plain && (!fields.is_empty() || matches!(api.input.schema.root, Type::Object(_)));
    let mut parameters = Vec::new();
    if plain {
        for (field, text) in fields.iter().zip(texts) {
            let Some(schema) = text else { continue };
            // The host takes these two for itself, so they are in no input.
            if field.name == "stream" || field.name == "__luckystack_data" {
                continue;
            }
            parameters.push(
                Object::new()
                    .with("name", field.name.as_str())
                    .with("in", "query")
                    .with("required", field.required)
                    .with_some("description", field.docs.text.as_deref())
                    .with_some("deprecated", field.docs.deprecated.then_some(true))
                    .with("schema", schema)
                    .into(),
            );
        }
    }
    let about = if plain {
        "The whole input as JSON, instead of all other parameters: for values that are not strings."
    } else {
        "The whole input as JSON."
    };
    parameters.push(
        Object::new()
            .with("name", "__luckystack_data")
            .with("in", "query")
            .with("required", !plain)
            .with("description", about)
            .with("content", Object::new().with("application/json", media(input(api))))
            .into(),
    );
    parameters
}

/// The strings that a type accepts, as a schema; nothing when it accepts none.
fn string_schema(ty: &Type, schema: &Schema) -> Option<Value> {
    match ty {
        Type::Any => Some(serde_json::json!({ "type": "string" })),
        Type::Text(text) => Some(text_schema(text)),
        Type::Value(Value::String(text)) => Some(serde_json::json!({ "type": "string", "const": text })),
        Type::Union(parts) => {
            let values: Vec<&Value> = parts
                .iter()
                .filter_map(|part| match part {
                    Type::Value(value @ Value::String(_)) => Some(value),
                    _ => None,
                })
                .collect();
            let others = parts.iter().filter(|part| !matches!(part, Type::Value(_)));
            let mut any: Vec<Value> = others.filter_map(|part| string_schema(part, schema)).collect();
            if !values.is_empty() {
                any.push(serde_json::json!({ "type": "string", "enum": values }));
            }
            match any.len() {
                0 | 1 => any.pop(),
                _ => Some(serde_json::json!({ "anyOf": any })),
            }
        }
        // One step: what is behind more names is rare, and JSON always works.
        Type::Named(index) => match &schema.named[*index].ty {
            Type::Named(_) | Type::Union(_) => None,
            ty => string_schema(ty, schema),
        },
        _ => None,
    }
}

fn text_schema(text: &Text) -> Value {
    let mut schema = Map::new();
    schema.insert("type".to_owned(), "string".into());
    let format = text.format.map(|format| match format {
        Format::DateTime => "date-time",
        Format::Date => "date",
        Format::Uuid => "uuid",
        Format::Email => "email",
        Format::Ipv4 => "ipv4",
        Format::Ipv6 => "ipv6",
    });
    let rules: [(&str, Option<Value>); 4] = [
        ("minLength", text.min.map(Value::from)),
        ("maxLength", text.max.map(Value::from)),
        ("pattern", text.pattern.clone().map(Value::from)),
        ("format", format.map(Value::from)),
    ];
    schema.extend(rules.into_iter().filter_map(|(keyword, rule)| Some((keyword.to_owned(), rule?))));
    Value::Object(schema)
}

fn stream_parameter() -> Node {
    Object::new()
        .with("name", "stream")
        .with("in", "query")
        .with("description", "Asks for a stream of events, as the header `Accept: text/event-stream` does.")
        .with("schema", serde_json::json!({ "type": "string", "enum": ["true", "1"] }))
        .into()
}

// --- schemas ---

/// Every schema of a route, under its component's name.
fn schemas(catalog: &Catalog<'_>) -> Object {
    let mut all = Vec::new();
    for api in &catalog.apis {
        let route = api.route;
        for (part, schema) in [("input", &route.input), ("output", &route.output), ("stream", &route.stream)]
        {
            if let Some(schema) = schema {
                let name = component(api, Some(part));
                let moved = moved(schema, schema, &format!("#/components/schemas/{name}"));
                all.push((name, moved.into()));
            }
        }
    }
    all.into_iter().collect()
}

/// A schema whose references begin at `base`. What would give it another identity, and references that
/// lead nowhere (or out of it), are left out.
fn moved(schema: &Value, root: &Value, base: &str) -> Value {
    const IDENTITY: [&str; 7] =
        ["$id", "$schema", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$vocabulary"];
    const MAPS: [&str; 5] = ["properties", "patternProperties", "dependentSchemas", "$defs", "definitions"];
    const SCHEMAS: [&str; 16] = [
        "items",
        "additionalItems",
        "unevaluatedItems",
        "contains",
        "additionalProperties",
        "unevaluatedProperties",
        "propertyNames",
        "not",
        "if",
        "then",
        "else",
        "contentSchema",
        "prefixItems",
        "anyOf",
        "oneOf",
        "allOf",
    ];
    let map = match schema {
        Value::Object(map) => map,
        Value::Array(list) => return list.iter().map(|part| moved(part, root, base)).collect(),
        other => return other.clone(),
    };
    let mut out = Map::new();
    for (keyword, value) in map {
        let value = match (keyword.as_str(), value) {
            (keyword, _) if IDENTITY.contains(&keyword) => continue,
            ("$ref", Value::String(reference)) => {
                let Some(fragment) = reference.strip_prefix('#') else { continue };
                let pointer = crate::schema::percent_decoded(fragment);
                if root.pointer(&pointer).is_none() {
                    continue;
                }
                Value::String(format!("{base}{fragment}"))
            }
            (keyword, Value::Object(members)) if MAPS.contains(&keyword) => {
                members.iter().map(|(name, part)| (name.clone(), moved(part, root, base))).collect()
            }
            (keyword, part) if SCHEMAS.contains(&keyword) => moved(part, root, base),
            (_, other) => other.clone(),
        };
        out.insert(keyword.clone(), value);
    }
    Value::Object(out)
}
