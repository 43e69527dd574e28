//! The validator against a naive one over trees, on generated schemas and documents.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::compiled;

/// The rules of the module over trees, written without regard for speed. Knows the keywords that
/// [`any_schema`] makes.
fn fits(schema: &Value, root: &Value, value: &Value) -> bool {
    let map = match schema {
        Value::Bool(accept) => return *accept,
        other => other.as_object().unwrap(),
    };
    if let Some(reference) = map.get("$ref") {
        let target = root.pointer(reference.as_str().unwrap().strip_prefix('#').unwrap()).unwrap();
        return fits(target, root, value);
    }
    if let Some(parts) = map.get("anyOf") {
        return parts.as_array().unwrap().iter().any(|part| fits(part, root, value));
    }
    if let Some(parts) = map.get("oneOf") {
        return parts.as_array().unwrap().iter().filter(|part| fits(part, root, value)).count() == 1;
    }
    if let Some(listed) = map.get("enum") {
        return listed.as_array().unwrap().iter().any(|one| match (one.as_f64(), value.as_f64()) {
            (Some(one), Some(value)) => one == value,
            _ => one == value,
        });
    }
    let types: Vec<&str> = match &map["type"] {
        Value::Array(types) => types.iter().map(|name| name.as_str().unwrap()).collect(),
        one => vec![one.as_str().unwrap()],
    };
    let size = |keyword: &str| map.get(keyword).and_then(Value::as_f64);
    let within = |size_now: f64, least: &str, most: &str| {
        size(least).is_none_or(|least| size_now >= least) && size(most).is_none_or(|most| size_now <= most)
    };
    match value {
        Value::Null => types.contains(&"null"),
        Value::Bool(_) => types.contains(&"boolean"),
        Value::Number(number) => {
            let number = number.as_f64().unwrap();
            (types.contains(&"number") || types.contains(&"integer") && number.fract() == 0.0)
                && within(number, "minimum", "maximum")
        }
        Value::String(text) => {
            types.contains(&"string") && within(text.chars().count() as f64, "minLength", "maxLength")
        }
        Value::Array(items) => {
            types.contains(&"array")
                && within(items.len() as f64, "minItems", "maxItems")
                && items.iter().all(|item| map.get("items").is_none_or(|schema| fits(schema, root, item)))
        }
        Value::Object(members) => {
            let none = Map::new();
            let props = map.get("properties").and_then(Value::as_object).unwrap_or(&none);
            let required = map.get("required").and_then(Value::as_array);
            types.contains(&"object")
                && required.into_iter().flatten().all(|name| members.contains_key(name.as_str().unwrap()))
                && members.iter().all(|(key, value)| {
                    match (props.get(key), map.get("additionalProperties")) {
                        _ if ["__proto__", "constructor", "prototype"].contains(&key.as_str()) => false,
                        (Some(schema), _) | (None, Some(schema)) => fits(schema, root, value),
                        (None, None) => false,
                    }
                })
        }
    }
}

fn key() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "\u{e9}", "k\"\n", "constructor"]).prop_map(str::to_owned)
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3i64..4).prop_map(Value::from),
        prop::sample::select(vec![0.5, 1.0, -2.0, 1e3]).prop_map(Value::from),
        prop::sample::select(vec!["", "a", "b", "\u{e9}\u{1f600}", "a\\\"\n"]).prop_map(Value::from),
    ]
}

fn any_value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key(), inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Sets each keyword that has a value.
fn with(keywords: impl IntoIterator<Item = (&'static str, Option<Value>)>) -> Value {
    Value::Object(
        keywords.into_iter().filter_map(|(keyword, value)| Some((keyword.to_owned(), value?))).collect(),
    )
}

fn any_schema() -> impl Strategy<Value = Value> {
    let small = || prop::option::of(0i64..3);
    let names = vec!["null", "boolean", "integer", "number", "string"];
    let leaf = prop_oneof![
        Just(json!(true)),
        Just(json!({"$ref": "#/$defs/shared"})),
        Just(json!({"$ref": "#/$defs/tree"})),
        prop::collection::vec(scalar(), 1..4).prop_map(|values| json!({"enum": values})),
        (prop::sample::subsequence(names, 1..4), small(), small(), small()).prop_map(
            |(types, least, most, length)| {
                with([
                    ("type", Some(json!(types))),
                    ("minimum", least.map(Value::from)),
                    ("maximum", most.map(Value::from)),
                    ("maxLength", length.map(Value::from)),
                ])
            }
        ),
    ];
    leaf.prop_recursive(3, 24, 4, move |inner| {
        let props = prop::collection::btree_map(prop::sample::select(vec!["a", "b", "\u{e9}", "k\"\n"]), inner.clone(), 0..4);
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| json!({"anyOf": parts})),
            prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| json!({"oneOf": parts})),
            (prop::option::of(inner.clone()), small(), small()).prop_map(|(items, least, most)| {
                with([
                    ("type", Some(json!("array"))),
                    ("items", items),
                    ("minItems", least.map(Value::from)),
                    ("maxItems", most.map(Value::from)),
                ])
            }),
            (props, any::<u8>(), prop::option::of(inner), any::<bool>()).prop_map(|(props, mask, additional, null)| {
                let required: Vec<&str> =
                    props.keys().enumerate().filter(|(at, _)| mask & 1 << at != 0).map(|(_, name)| *name).collect();
                with([
                    ("type", Some(if null { json!(["object", "null"]) } else { json!("object") })),
                    ("required", Some(json!(required))),
                    ("properties", Some(json!(props))),
                    ("additionalProperties", additional),
                ])
            }),
        ]
    })
    .prop_map(|root| {
        json!({"anyOf": [root], "$defs": {
            "shared": {"type": ["string", "integer"]},
            "tree": {"type": "object", "properties": {"a": {"anyOf": [{"$ref": "#/$defs/tree"}, {"type": "null"}]}},
                "additionalProperties": {"type": "array", "items": {"$ref": "#/$defs/tree"}}},
        }})
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn agrees_with_a_naive_validator(
        schema in any_schema(),
        values in prop::collection::vec(any_value(), 1..12),
        pretty in any::<bool>(),
    ) {
        let validator = compiled(&schema);
        for value in values {
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
            let checked = validator.check(text.unwrap().as_bytes());
            prop_assert_eq!(checked.is_ok(), fits(&schema, &schema, &value), "{} with {}: {:?}", schema, value, checked);
        }
    }
}
