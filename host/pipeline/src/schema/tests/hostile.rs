//! Schemas and documents that mean harm: both come from strangers.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{compiled, refused};
use crate::schema::Validator;

#[test]
fn nested_unions_end_in_a_violation_instead_of_never() {
    let branch = |tag: &str| json!({"type": "object", "required": ["tag"], "properties": {"left": {"$ref": "#"}, "tag": {"const": tag}}});
    let validator = compiled(&json!({"anyOf": [branch("a"), branch("b")]}));
    let nested = |levels: usize, last: &str| {
        r#"{"left":"#.repeat(levels) + &format!(r#"{{"tag":"{last}"}}"#) + &r#","tag":"b"}"#.repeat(levels)
    };
    assert_eq!(validator.check(nested(8, "a").as_bytes()), Ok(()));
    let violation = validator.check(nested(60, "c").as_bytes()).unwrap_err();
    assert!(violation.message.contains("too many ways"), "{violation}");
}

#[test]
fn a_wide_tagged_union_with_its_tag_last_is_affordable() {
    let variants: Vec<Value> = (0..50)
        .map(|index| {
            json!({"type": "object", "required": ["text", "tag"],
                "properties": {"text": {"type": "string"}, "tag": {"const": format!("v{index}")}}})
        })
        .collect();
    let validator = compiled(&json!({"type": "array", "items": {"oneOf": variants}}));
    let items: Vec<Value> = (0..2_000).map(|_| json!({"text": "x".repeat(50), "tag": "v49"})).collect();
    // `serde_json` may sort keys, so the text is written by hand.
    let items: Vec<String> =
        items.iter().map(|item| format!(r#"{{"text":{},"tag":{}}}"#, item["text"], item["tag"])).collect();
    assert_eq!(validator.check(format!("[{}]", items.join(",")).as_bytes()), Ok(()));
}

#[test]
fn multiplying_schemas_are_refused() {
    // Each definition is twice the next: 2^30 objects if followed.
    let mut defs = serde_json::Map::new();
    for index in 0..30 {
        let next = json!({"$ref": format!("#/$defs/D{}", index + 1)});
        defs.insert(format!("D{index}"), json!({"allOf": [next, next]}));
    }
    defs.insert("D30".into(), json!({"type": "object"}));
    let schema = json!({"$ref": "#/$defs/D0", "$defs": defs});
    assert_eq!(refused(schema).keyword, "$ref");

    let union = json!({"oneOf": (0..40).map(|index| json!({"properties": {format!("p{index}"): true}})).collect::<Vec<_>>()});
    assert_eq!(refused(json!({"allOf": [union, union]})).keyword, "allOf");
}

#[test]
fn long_chains_and_deep_schemas_are_refused_without_overflowing() {
    let mut defs = serde_json::Map::new();
    for index in 0..20_000 {
        defs.insert(format!("D{index}"), json!({"$ref": format!("#/$defs/D{}", index + 1)}));
    }
    defs.insert("D20000".into(), json!({"type": "null"}));
    assert_eq!(refused(json!({"$ref": "#/$defs/D0", "$defs": defs})).keyword, "$ref");

    let mut deep = json!({"type": "string"});
    for _ in 0..200 {
        deep = json!({"type": "array", "items": deep});
    }
    assert!(Validator::compile(&deep).is_err());
}

/// JSON made of the words of schemas.
fn near_schema() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec![
        "type",
        "object",
        "string",
        "integer",
        "null",
        "array",
        "properties",
        "required",
        "additionalProperties",
        "anyOf",
        "oneOf",
        "allOf",
        "$ref",
        "#",
        "#/$defs/a",
        "$defs",
        "a",
        "enum",
        "const",
        "pattern",
        "^a$",
        "(",
        "items",
        "minItems",
        "uniqueItems",
        "minLength",
        "format",
        "uint8",
        "date-time",
        "propertyNames",
        "patternProperties",
        "multipleOf",
        "minimum",
        "unevaluatedProperties",
        "minProperties",
        "title",
    ]);
    let leaf = prop_oneof![
        word.clone().prop_map(Value::from),
        (-3i64..300).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
    ];
    leaf.prop_recursive(4, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((word.clone(), inner), 0..5).prop_map(|members| {
                Value::Object(members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
            }),
        ]
    })
}

proptest! {
    #[test]
    fn compiling_never_panics(schema in near_schema(), document in prop::collection::vec(any::<u8>(), 0..24)) {
        if let Ok(validator) = Validator::compile(&schema) {
            let _ = validator.check(&document);
            let _ = validator.check(schema.to_string().as_bytes());
        }
    }

    #[test]
    fn checking_damaged_documents_never_panics(
        value in crate::json::tests::any_json(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let validator = compiled(&json!({"anyOf": [
            {"type": "object", "additionalProperties": {"$ref": "#"}, "minProperties": 1},
            {"type": "array", "items": {"$ref": "#"}, "uniqueItems": true},
            {"type": ["string", "null"], "pattern": "^.*$", "format": "date-time"},
            {"type": ["number", "boolean"], "multipleOf": 0.5},
        ]}));
        let mut bytes = value.to_string().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = validator.check(&bytes);
    }
}
