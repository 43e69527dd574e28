//! Schemas made of several: references, and objects that are merged into closed ones. Many of these
//! are what Rust's `schemars` writes for ordinary types.

use serde_json::json;

use super::{compiled, refused, table};

#[test]
fn references_may_be_recursive() {
    let schema = json!({
        "$ref": "#/$defs/Tree",
        "$defs": {"Tree": {"type": "object", "required": ["value"], "properties": {
            "value": {"type": "integer"},
            "left": {"anyOf": [{"$ref": "#/$defs/Tree"}, {"type": "null"}]},
        }}},
    });
    table(
        schema,
        &[r#"{"value":1}"#, r#"{"value":1,"left":{"value":2,"left":null}}"#],
        &[r#"{"value":1,"left":{"value":"2"}}"#, r#"{"value":1,"left":{"value":2,"right":1}}"#],
    );
    table(
        json!({"type": "object", "properties": {"a~/b%": {"type": "string"}, "c": {"$ref": "#/properties/a~0~1b%25"}}}),
        &[r#"{"c":"x"}"#],
        &[r#"{"c":1}"#],
    );
    table(json!({"definitions": {"A": {"type": "null"}}, "$ref": "#/definitions/A"}), &["null"], &["1"]);
}

#[test]
fn a_schema_that_is_part_of_itself_is_refused() {
    for schema in [
        json!({"$ref": "#"}),
        json!({"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/B"}, "B": {"$ref": "#/$defs/A"}}}),
        json!({"anyOf": [{"type": "null"}, {"$ref": "#"}]}),
        json!({"type": "object", "properties": {"a": true}, "allOf": [{"$ref": "#"}]}),
    ] {
        assert_eq!(refused(schema).keyword, "$ref");
    }
}

#[test]
fn an_intersection_of_objects_is_one_closed_object() {
    let schema = json!({"allOf": [
        {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
        {"$ref": "#/$defs/B"},
        {"description": "says nothing"},
    ], "$defs": {"B": {"type": "object", "properties": {"b": {"type": "number"}, "a": {"minLength": 1}}}}});
    table(
        schema,
        &[r#"{"a":"x"}"#, r#"{"a":"x","b":1}"#],
        &["{}", r#"{"b":1}"#, r#"{"a":""}"#, r#"{"a":"x","c":1}"#, r#"{"a":"x","b":"1"}"#],
    );
    let open = json!({"allOf": [
        {"type": "object", "properties": {"a": true}},
        {"type": "object", "additionalProperties": {"type": "number"}},
    ]});
    table(open, &[r#"{"a":"x","b":1}"#], &[r#"{"b":"1"}"#]);
    let shut = json!({"allOf": [
        {"type": "object", "properties": {"a": true}, "additionalProperties": false},
        {"type": "object", "additionalProperties": true},
    ]});
    table(shut, &[r#"{"a":"x"}"#], &[r#"{"b":1}"#]);
}

#[test]
fn a_union_beside_common_properties_is_distributed() {
    // A struct with a flattened, internally tagged enum.
    let schema = json!({
        "type": "object",
        "properties": {"id": {"type": "integer"}},
        "required": ["id"],
        "oneOf": [
            {"type": "object", "properties": {"kind": {"type": "string", "const": "Car"}, "doors": {"type": "integer"}},
             "required": ["kind", "doors"]},
            {"type": "object", "properties": {"kind": {"type": "string", "const": "Bike"}}, "required": ["kind"],
             "$ref": "#/$defs/Bike"},
        ],
        "unevaluatedProperties": false,
        "$defs": {"Bike": {"type": "object", "properties": {"gears": {"type": "integer"}}}},
    });
    table(
        schema,
        &[
            r#"{"id":1,"kind":"Car","doors":4}"#,
            r#"{"kind":"Bike","gears":3,"id":1}"#,
            r#"{"kind":"Bike","id":1}"#,
        ],
        &[
            r#"{"id":1}"#,
            r#"{"kind":"Car","doors":4}"#,
            r#"{"id":1,"kind":"Bike","doors":4}"#,
            r#"{"id":1,"kind":"Car","doors":4,"x":1}"#,
        ],
    );
}

#[test]
fn an_optional_flattened_enum_and_a_flattened_map_merge() {
    let optional = json!({
        "type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"],
        "anyOf": [
            {"oneOf": [{"type": "object", "properties": {"A": {"type": "null"}}, "required": ["A"]}]},
            {},
        ],
    });
    table(optional, &[r#"{"id":1}"#, r#"{"id":1,"A":null}"#], &[r#"{"id":1,"B":null}"#, "{}"]);
    let map = json!({
        "type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"],
        "oneOf": [{"type": "object", "properties": {"t": {"const": 1}}, "required": ["t"]}],
        "unevaluatedProperties": {"type": "string"},
    });
    table(map, &[r#"{"id":1,"t":1,"x":"y"}"#], &[r#"{"id":1,"t":1,"x":2}"#]);
}

#[test]
fn one_of_several_keys_may_be_demanded() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "number"}},
        "anyOf": [{"required": ["a"]}, {"required": ["b"]}]});
    table(schema, &[r#"{"a":1}"#, r#"{"b":1}"#, r#"{"a":1,"b":2}"#], &["{}", r#"{"a":1,"c":1}"#]);
}

#[test]
fn schemars_enums_and_options_work() {
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Input",
        "type": "object",
        "properties": {
            "state": {"description": "the state", "$ref": "#/$defs/State"},
            "shape": {"$ref": "#/$defs/Shape"},
            "limit": {"type": ["integer", "null"], "format": "uint8", "minimum": 0, "maximum": 255, "default": null},
            "tags": {"type": "array", "items": {"type": "string"}, "uniqueItems": true},
            "by_id": {"type": "object", "additionalProperties": false, "patternProperties": {"^\\d+$": {"type": "string"}}},
            "letter": {"type": "string", "minLength": 1, "maxLength": 1},
        },
        "required": ["state"],
        "$defs": {
            "State": {"oneOf": [
                {"type": "string", "enum": ["on", "off"]},
                {"description": "rare", "type": "string", "const": "broken"},
            ]},
            "Shape": {"oneOf": [
                {"type": "string", "const": "Unit"},
                {"type": "object", "properties": {"Circle": {"type": "number", "format": "double"}},
                 "required": ["Circle"], "additionalProperties": false},
            ]},
        },
    });
    table(
        schema,
        &[
            r#"{"state":"on"}"#,
            r#"{"state":"broken","limit":null,"tags":["a","b"],"letter":"\u00e9"}"#,
            r#"{"state":"off","shape":"Unit","limit":255,"by_id":{"7":"x"}}"#,
            r#"{"state":"off","shape":{"Circle":1.5}}"#,
        ],
        &[
            "{}",
            r#"{"state":"unknown"}"#,
            r#"{"state":"on","limit":256}"#,
            r#"{"state":"on","tags":["a","a"]}"#,
            r#"{"state":"on","shape":{"Circle":1,"Square":2}}"#,
            r#"{"state":"on","by_id":{"x":"x"}}"#,
            r#"{"state":"on","letter":"ab"}"#,
        ],
    );
}

#[test]
fn a_nullable_object_in_an_intersection_is_checked_part_by_part() {
    let schema = json!({"allOf": [{"type": ["object", "null"], "properties": {"a": true}}, {"type": ["object", "null"],
        "properties": {"a": {"type": "number"}}}]});
    table(schema, &["null", r#"{"a":1}"#], &[r#"{"a":"1"}"#, "1"]);
    let error =
        refused(json!({"type": ["object", "null"], "unevaluatedProperties": true, "allOf": [{}, {}]}));
    assert_eq!(error.keyword, "unevaluatedProperties");
}

#[test]
fn a_nullable_reference_costs_one_branch() {
    let validator = compiled(&json!({"anyOf": [{"$ref": "#/$defs/A"}, {"type": "null"}],
        "$defs": {"A": {"type": "object", "properties": {"a": {"type": "number"}}}}}));
    let violation = validator.check(br#"{"a":"x"}"#).unwrap_err();
    assert_eq!(violation.to_string(), "$.a: expected a number, found a string");
}
