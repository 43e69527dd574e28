//! The host's validator and the zod schemas, on random schemas and values: they must agree.

use luckystack_pipeline::schema::Validator;
use luckystack_plugins::Manifest;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::support::{Workspace, Zod, generated, text};

const SCHEMAS: usize = 250;
const VALUES: usize = 40;

const RUN: &str = "
import { readFileSync } from 'node:fs';
import { getApiInputSchema } from './out/apiInputSchemas.generated.js';
const wrong = [];
let accepted = 0;
let refused = 0;
for (const [name, input, valid] of JSON.parse(readFileSync('samples.json', 'utf8'))) {
  const found = getApiInputSchema('random', name, 'v1').safeParse(input).success;
  if (found) accepted += 1; else refused += 1;
  if (found !== valid) wrong.push({ name, input, host: valid });
}
console.log(JSON.stringify({ wrong: wrong.slice(0, 20), accepted, refused }));
";

fn scalars() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(true)),
        Just(json!({ "type": "null" })),
        Just(json!({ "type": "boolean" })),
        (0..3_u32, 2..4_u32)
            .prop_map(|(min, max)| json!({ "type": "string", "minLength": min, "maxLength": max })),
        (-1..2_i32, 1..3_i32)
            .prop_map(|(min, max)| json!({ "type": "integer", "minimum": min, "exclusiveMaximum": max })),
        Just(json!({ "type": "number", "multipleOf": 0.5 })),
        Just(json!({ "type": ["integer", "null"], "format": "uint8" })),
        Just(json!({ "type": ["string", "number"], "maximum": 1 })),
        Just(json!({ "pattern": "^a" })),
        prop::sample::select(vec!["date-time", "date", "uuid", "email", "ipv4", "ipv6"])
            .prop_map(|format| json!({ "type": "string", "format": format })),
        prop::sample::subsequence(
            vec![json!("a"), json!("b"), json!(1), json!(null), json!([1]), json!({ "a": 1 })],
            1..4
        )
        .prop_map(|values| json!({ "enum": values })),
        Just(json!({ "const": "a" })),
    ]
}

fn schemas() -> impl Strategy<Value = Value> {
    scalars().prop_recursive(3, 24, 4, |inner| {
        let objects = (
            prop::collection::btree_map("[abc]", inner.clone(), 0..3),
            prop::sample::subsequence(vec!["a", "b", "c"], 0..3),
            prop::option::of(prop_oneof![Just(json!(true)), Just(json!(false)), inner.clone()]),
            prop::option::weighted(0.2, inner.clone()),
            prop::option::weighted(0.2, 1..3_u32),
        )
            .prop_map(|(properties, required, additional, pattern, max)| {
                let mut schema = json!({ "type": "object", "properties": properties, "required": required });
                if let Some(additional) = additional {
                    schema["additionalProperties"] = additional;
                }
                if let Some(pattern) = pattern {
                    schema["patternProperties"] = json!({ "^[bd]$": pattern });
                }
                if let Some(max) = max {
                    schema["maxProperties"] = json!(max);
                }
                schema
            });
        let lists = prop::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            4 => objects.clone(),
            1 => (inner.clone(), any::<bool>(), 0..2_u32)
                .prop_map(|(items, unique, min)| json!({ "type": "array", "items": items, "uniqueItems": unique, "minItems": min })),
            1 => lists.clone().prop_map(|parts| json!({ "anyOf": parts })),
            1 => lists.prop_map(|parts| json!({ "oneOf": parts })),
            2 => prop::collection::vec(objects.clone(), 2..3).prop_map(|parts| json!({ "allOf": parts })),
            1 => (objects.clone(), prop::collection::vec(objects, 2..3)).prop_map(|(mut own, parts)| {
                own["anyOf"] = parts.into();
                own
            }),
        ]
    })
}

fn values() -> impl Strategy<Value = Value> {
    let texts = [
        "",
        "a",
        "ab",
        "abc",
        "b",
        "😀",
        "😀😀",
        "2024-02-29",
        "2024-02-30",
        "2024-02-29T10:00:00Z",
        "10:00",
        "127.0.0.1",
        "256.0.0.1",
        "::1",
        "1::2:3.4.5.6",
        "a@b.c",
        "a@b_c",
        "123e4567-e89b-12d3-a456-426614174000",
    ];
    let leaf = prop_oneof![
        3 => prop::sample::select(texts.to_vec()).prop_map(|text| json!(text)),
        3 => prop::sample::select(vec![json!(0), json!(1), json!(2), json!(-1), json!(0.5), json!(0.3), json!(255), json!(256), json!(1.0)]),
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            4 => prop::collection::btree_map("[abcd]", inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

/// Values that are near to a schema: what it names, mostly.
fn near(schema: &Value, random: &mut impl FnMut(usize) -> usize, other: &mut impl FnMut() -> Value) -> Value {
    if random(8) == 0 {
        return other();
    }
    for keyword in ["anyOf", "oneOf"] {
        if let Some(parts) = schema.get(keyword).and_then(Value::as_array)
            && (schema.get("type").is_none() || random(2) == 0)
        {
            return near(&parts[random(parts.len())], random, other);
        }
    }
    if let Some(parts) = schema.get("allOf").and_then(Value::as_array) {
        let mut all = serde_json::Map::new();
        for part in parts {
            if let Value::Object(map) = near(part, random, other) {
                all.extend(map);
            }
        }
        return all.into();
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return values[random(values.len())].clone();
    }
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        let mut map = serde_json::Map::new();
        for (name, property) in properties {
            if random(4) > 0 {
                map.insert(name.clone(), near(property, random, other));
            }
        }
        if let Some(pattern) = schema.get("patternProperties").and_then(|patterns| patterns.get("^[bd]$"))
            && random(2) == 0
        {
            map.insert("d".to_owned(), near(pattern, random, other));
        }
        if random(4) == 0 {
            map.insert(["a", "b", "c", "e"][random(4)].to_owned(), other());
        }
        return map.into();
    }
    if let Some(items) = schema.get("items") {
        return (0..random(3)).map(|_| near(items, random, other)).collect();
    }
    other()
}

fn agree(zod: Zod) {
    let mut runner = TestRunner::deterministic();
    let mut routes = Vec::new();
    let mut validators = Vec::new();
    while routes.len() < SCHEMAS {
        let schema = schemas().new_tree(&mut runner).unwrap().current();
        let input = json!({ "type": "object", "properties": { "v": schema }, "required": ["v"] });
        // What the host refuses is never generated from.
        let Ok(validator) = Validator::compile(&input) else { continue };
        routes.push(
            json!({ "kind": "api", "name": format!("r{}", routes.len()), "version": 1, "input": input }),
        );
        validators.push((validator, schema));
    }
    let manifest = json!({ "name": "random", "version": "1", "service": "random", "routes": routes });
    let manifest: Manifest = serde_json::from_value(manifest).unwrap();
    let files = generated(&[manifest]);
    let diagnostics: Value = serde_json::from_str(text(&files, "apiTypeDiagnostics.generated.json")).unwrap();
    let told = diagnostics["fallbacks"].to_string();

    let mut samples = Vec::new();
    let mut skipped = 0;
    for (index, (validator, schema)) in validators.iter().enumerate() {
        if told.contains(&format!("\"random/r{index}@v1\"")) {
            skipped += 1;
            continue;
        }
        for _ in 0..VALUES {
            let mut numbers = TestRunner::new_with_rng(ProptestConfig::default(), runner.new_rng());
            let mut random = |below: usize| (0..below).new_tree(&mut runner).unwrap().current();
            let mut other = || values().new_tree(&mut numbers).unwrap().current();
            let input = json!({ "v": near(schema, &mut random, &mut other) });
            let valid = validator.check(input.to_string().as_bytes()).is_ok();
            samples.push(json!([format!("r{index}"), input, valid]));
        }
    }
    assert!(skipped < SCHEMAS / 10, "{skipped} schemas are not checked");
    let workspace = Workspace::new("agreement", zod);
    workspace.write("apiInputSchemas.generated.ts", text(&files, "apiInputSchemas.generated.ts"));
    workspace.write("samples.json", &Value::from(samples).to_string());
    workspace.type_check().unwrap();
    workspace.write("run.mjs", RUN);
    let report: Value = serde_json::from_str(&workspace.node("run.mjs").unwrap()).unwrap();
    for one in report["wrong"].as_array().unwrap() {
        let index: usize = one["name"].as_str().unwrap()[1..].parse().unwrap();
        eprintln!("{}\n  {}\n  host: {}", validators[index].1, one["input"], one["host"]);
    }
    assert_eq!(report["wrong"], json!([]));
    // Not for want of values that pass.
    assert!(report["accepted"].as_u64() > Some(1500) && report["refused"].as_u64() > Some(1500), "{report}");
}

#[test]
fn zod_3_agrees_with_the_host() {
    agree(Zod::Three);
}

#[test]
fn zod_4_agrees_with_the_host() {
    agree(Zod::Four);
}
