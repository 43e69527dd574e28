//! Tables of schema, documents that fit and documents that do not; the comparison with a naive
//! validator is in [`reference`].

mod combined;
mod hostile;
mod reference;

use serde_json::{Value, json};

use super::{SchemaError, Validator};

fn compiled(schema: &Value) -> Validator {
    Validator::compile(schema).unwrap_or_else(|error| panic!("{error} in {schema}"))
}

fn refused(schema: Value) -> SchemaError {
    Validator::compile(&schema).expect_err("the schema must be refused")
}

/// Every document of the first list fits, none of the second does.
fn table(schema: Value, fit: &[&str], unfit: &[&str]) {
    let validator = compiled(&schema);
    for text in fit {
        if let Err(violation) = validator.check(text.as_bytes()) {
            panic!("{text} must fit {schema}: {violation}");
        }
    }
    for text in unfit {
        assert!(validator.check(text.as_bytes()).is_err(), "{text} must not fit {schema}");
    }
}

#[test]
fn no_schema_accepts_anything_that_is_json() {
    for schema in [json!({}), json!(true), json!({"title": "anything", "x-own": 1})] {
        table(
            schema.clone(),
            &["null", "1e999", "[{\"__proto__\":1}]", " \"\\ud800\" "],
            &["", "{", "[1,]", "1 1"],
        );
        assert!(compiled(&schema).accepts_anything());
    }
    table(json!(false), &[], &["null", "{}"]);
    assert!(!compiled(&json!({"type": "string"})).accepts_anything());
}

#[test]
fn types_are_exact_and_nothing_is_coerced() {
    table(json!({"type": "string"}), &["\"\"", "\"1\"", "\"\\ud800\""], &["1", "null", "true", "[]", "{}"]);
    table(json!({"type": "boolean"}), &["true", "false"], &["\"true\"", "1", "null"]);
    table(json!({"type": "null"}), &["null"], &["false", "\"\"", "0"]);
    table(json!({"type": "number"}), &["1", "-1.5e3", "1e308"], &["1e309", "-1e999", "\"1\""]);
    table(
        json!({"type": "integer"}),
        &["1", "1.0", "2e2", "-0", "123456789012345678901234567890"],
        &["1.5", "1e-1", "\"1\"", "1e400"],
    );
    table(json!({"type": ["string", "null"]}), &["null", "\"a\""], &["1"]);
    table(json!({"type": ["integer", "number"]}), &["1.5"], &["null"]);
}

#[test]
fn objects_are_closed_unless_opened() {
    let closed =
        json!({"type": "object", "properties": {"a": {"type": "number"}, "b": true}, "required": ["a"]});
    table(
        closed,
        &[r#"{"a":1}"#, r#"{"b":null,"a":1}"#, r#"{"\u0061":1}"#],
        &["{}", r#"{"b":1}"#, r#"{"a":null}"#, r#"{"a":1,"c":1}"#, "[]", "null", r#"{"a":1,"a":"x"}"#],
    );
    table(json!({"type": "object"}), &["{}"], &[r#"{"a":1}"#]);
    table(json!({"type": "object", "additionalProperties": true}), &["{}", r#"{"a":[]}"#], &["[]"]);
    table(
        json!({"type": "object", "additionalProperties": {"type": "number"}}),
        &["{}", r#"{"a":1,"b":2}"#],
        &[r#"{"a":1,"b":"2"}"#],
    );
}

#[test]
fn a_missing_optional_passes_but_null_does_not_unless_typed() {
    let schema = json!({"type": "object", "properties":
        {"a": {"type": "string"}, "b": {"type": ["string", "null"]}}});
    table(schema, &["{}", r#"{"b":null}"#], &[r#"{"a":null}"#]);
}

#[test]
fn prototype_keys_are_refused_in_every_checked_object() {
    for key in ["__proto__", "constructor", "prototype", "\\u005f_proto__"] {
        let text = format!(r#"{{"{key}":1}}"#);
        let nested = format!(r#"{{"a":{text}}}"#);
        for schema in [
            json!({"type": "object"}),
            json!({"type": "object", "additionalProperties": true}),
            json!({"type": "object", "additionalProperties": {"type": "number"}}),
            json!({"type": "object", "patternProperties": {"": true}}),
        ] {
            table(schema.clone(), &[], &[&text]);
            table(json!({"type": "object", "properties": {"a": schema}}), &[], &[&nested]);
        }
        table(json!({"type": "object", "properties": {"a": true}}), &[&nested], &[]);
    }
    let error = refused(json!({"type": "object", "properties": {"constructor": true}}));
    assert_eq!(error.keyword, "properties");
}

#[test]
fn a_checked_value_is_at_most_64_levels_deep() {
    let tree = json!({"type": "array", "items": {"$ref": "#"}});
    let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    table(tree, &[&nested(64)], &[&nested(65)]);
    table(json!({"type": "array"}), &[&nested(128)], &[&nested(129)]);
}

#[test]
fn arrays_check_their_items_and_number() {
    table(
        json!({"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 2}),
        &["[1]", "[1,2]"],
        &["[]", "[1,2,3]", "[1,\"2\"]", "{}"],
    );
    table(json!({"type": "array", "items": false}), &["[]"], &["[1]"]);
    table(
        json!({"type": "array", "uniqueItems": true}),
        &["[]", "[1,\"1\",2]", r#"[{"a":1},{"a":2}]"#],
        &["[1,1.0]", r#"["a","\u0061"]"#, r#"[{"a":1,"b":2},{"b":2,"a":1}]"#],
    );
}

#[test]
fn numbers_keep_their_bounds_exactly() {
    table(
        json!({"type": "number", "minimum": 0, "exclusiveMaximum": 1.5}),
        &["0", "1.49", "-0"],
        &["1.5", "-1"],
    );
    table(
        json!({"type": "integer", "exclusiveMinimum": -1, "maximum": 9007199254740993i64}),
        &["0", "9007199254740993"],
        &["-1", "9007199254740994"],
    );
    for (format, fit, unfit) in [
        ("int8", vec!["-128", "127", "127.0"], vec!["-129", "128", "1.5"]),
        ("uint8", vec!["0", "255"], vec!["-1", "256"]),
        ("int32", vec!["-2147483648", "2147483647"], vec!["2147483648"]),
        ("uint64", vec!["18446744073709551615"], vec!["18446744073709551616", "-1"]),
        ("int64", vec!["-9223372036854775808"], vec!["-9223372036854775809", "9223372036854775808"]),
        ("uint128", vec!["0", "99999999999999999999999999999999999999"], vec!["-1"]),
        ("uint", vec!["0", "5000000000"], vec!["-1"]),
    ] {
        table(json!({"type": "integer", "format": format}), &fit, &unfit);
        table(json!({"type": ["integer", "null"], "format": format}), &["null"], &unfit);
    }
    table(json!({"type": "number", "format": "double"}), &["1.5"], &["\"\""]);
}

#[test]
fn multiples_are_decimal() {
    table(json!({"type": "number", "multipleOf": 0.01}), &["0.07", "0", "1e2", "-4.35"], &["0.075", "1e-3"]);
    table(json!({"type": "number", "multipleOf": 3}), &["9", "3e0", "3e300", "-6"], &["10", "1e300", "0.3"]);
    table(json!({"type": "number", "multipleOf": 1e-7}), &["3e-7", "1"], &["1e-8"]);
    table(json!({"type": "number", "multipleOf": 5}), &[], &[&format!("1.{}", "1".repeat(60))]);
    for step in [json!(0), json!(-1), json!("1")] {
        assert_eq!(refused(json!({"type": "number", "multipleOf": step})).keyword, "multipleOf");
    }
}

#[test]
fn strings_are_measured_in_characters() {
    table(
        json!({"type": "string", "minLength": 2, "maxLength": 3}),
        &["\"ab\"", "\"\u{e9}\u{e9}\u{e9}\"", "\"\\ud83d\\ude00a\"", "\"\\n\\n\""],
        &["\"a\"", "\"\u{1f600}\"", "\"abcd\""],
    );
}

#[test]
fn patterns_read_as_in_ecmascript() {
    let pattern = |pattern: &str, fit: &[&str], unfit: &[&str]| {
        table(json!({"type": "string", "pattern": pattern}), fit, unfit);
    };
    pattern(r"^\d+$", &["\"12\""], &["\"\u{663}\"", "\"1\\n\"", "\"\""]);
    pattern("b", &["\"abc\"", "\"\\u0062\""], &["\"ac\""]);
    pattern(r"^[\w.]+\/[\d\-x]$", &["\"a.b/-\""], &["\"a b/1\"", "\"\u{e9}/1\""]);
    pattern(r"^[[&~]{2}$", &["\"[&\"", "\"~~\""], &["\"a\""]);
    pattern(r"^[+--]$", &["\",\""], &["\".\""]);
    pattern(r"^a.b$", &["\"a b\""], &["\"a\\r\\u0062\"", "\"a\\nb\""]);
    pattern(r"^[^]$", &["\"\\n\""], &["\"\""]);
    pattern(r"a[]", &[], &["\"a\"", "\"a]\""]);
    pattern(r"\bword\b", &["\"a word.\""], &["\"sword\""]);
    pattern("^\\u00e9$", &["\"\u{e9}\""], &["\"e\""]);
    for broken in ["(?=a)", r"(a)\1", "(", "[a", "\\", "(((a{1,1000}){1,1000}){1,1000})"] {
        let error = refused(json!({"type": "string", "pattern": broken}));
        assert_eq!(error.keyword, "pattern", "{broken}");
    }
}

#[test]
fn dates_parse_as_in_javascript() {
    let quote = |texts: &[&str]| texts.iter().map(|text| format!("\"{text}\"")).collect::<Vec<_>>();
    let fit = quote(&[
        "2024",
        "2024-02",
        "2024-02-29",
        "2024-02-29T23:59Z",
        "2024-02-29T23:59:59",
        "2024-02-29T23:59:59.123456789+02:00",
        "2024-02-29 10:00:00z",
        "2024-01-01t24:00:00Z",
        "+012024-01-01T00:00:00-11:30",
        "-000001-01-01",
        "\\u0032024-01-01",
    ]);
    let unfit = quote(&[
        "",
        "x",
        "24-01-01",
        "2024-13-01",
        "2024-00-01",
        "2024-01-32",
        "2023-02-29",
        "2024-04-31",
        "2024-1-1",
        "2024-01-01T",
        "2024-01-01T10",
        "2024-01-01T25:00",
        "2024-01-01T24:00:01Z",
        "2024-01-01T10:60",
        "2024-01-01T10:00:60Z",
        "2024-01-01T10:00:00.Z",
        "2024-01-01T10:00:00+2",
        "2024-01-01T10:00:00+24:00",
        "2024-01-01T10:00:00Z ",
        " 2024-01-01",
        "-000000-01-01",
        "1700000000000",
        "2024-01 10:00",
    ]);
    let schema = json!({"type": "string", "format": "date-time"});
    for text in &fit {
        table(schema.clone(), &[text], &["1700000000000", "null"]);
    }
    for text in &unfit {
        table(schema.clone(), &[], &[text]);
    }
    table(
        json!({"type": "string", "format": "date"}),
        &["\"2024-02-29\""],
        &["\"2024\"", "\"2024-02-30\"", "\"2024-02-29T00:00Z\"", "\"+02024-1-1\""],
    );
}

#[test]
fn formats_are_enforced_or_known_to_be_annotations() {
    let format = |format: &str, fit: &[&str], unfit: &[&str]| {
        table(json!({"type": "string", "format": format}), fit, unfit);
    };
    format(
        "uuid",
        &["\"67e55044-10b1-426f-9247-bb680e5fe0c8\"", "\"67E55044-10B1-426F-9247-BB680E5FE0C8\""],
        &["\"67e5504410b1426f9247bb680e5fe0c8\"", "\"67e55044-10b1-426f-9247-bb680e5fe0cg\"", "\"\""],
    );
    format(
        "email",
        &["\"a@b\"", "\"first.last+tag@sub.example.com\""],
        &["\"a\"", "\"@b\"", "\"a@\"", "\"a@b@c\"", "\"a@-b.c\"", "\"a b@c.d\"", "\"a@b..c\""],
    );
    format("ipv4", &["\"127.0.0.1\""], &["\"127.0.0.256\"", "\"::1\""]);
    format("ipv6", &["\"::1\""], &["\"1.2.3.4\"", "\"fe80::1%eth0\""]);
    format("uri", &["\"anything\""], &["1"]);
}

#[test]
fn enums_and_constants_are_strictly_equal() {
    table(
        json!({"enum": ["a", 1, null, true, {"k": [1]}]}),
        &["\"a\"", "\"\\u0061\"", "1", "1.0", "null", "true", r#"{ "k" : [1.0] }"#],
        &["\"A\"", "\"1\"", "2", "false", r#"{"k":[2]}"#, r#"{"k":[1],"l":1}"#, "[]"],
    );
    table(json!({"type": "string", "const": "x"}), &["\"x\""], &["\"y\"", "null"]);
    table(json!({"type": "string", "enum": ["x", 1]}), &["\"x\""], &["1"]);
    table(json!({"enum": ["x", "y"], "const": "x"}), &["\"x\""], &["\"y\""]);
    table(json!({"enum": ["x", "long"], "maxLength": 2}), &["\"x\""], &["\"long\""]);
    let many: Vec<String> = (0..100).map(|index| format!("v{index}")).collect();
    table(json!({"enum": many}), &["\"v0\"", "\"v99\""], &["\"v100\"", "\"\\ud800\""]);
    assert_eq!(refused(json!({"enum": []})).keyword, "enum");
    assert_eq!(refused(json!({"type": "number", "const": "x"})).keyword, "const");
}

#[test]
fn unions_take_any_member() {
    table(
        json!({"anyOf": [{"type": "string"}, {"type": "number", "minimum": 3}]}),
        &["\"a\"", "3"],
        &["2", "null"],
    );
    table(
        json!({"oneOf": [{"type": "number", "minimum": 3}, {"type": "number", "maximum": 5}]}),
        &["2", "6"],
        &["4", "\"a\""],
    );
    table(
        json!({"type": "string", "anyOf": [{"minLength": 3}, {"pattern": "^x"}]}),
        &["\"abc\"", "\"x\""],
        &["\"a\"", "3"],
    );
    table(
        json!({"allOf": [{"type": "string", "minLength": 1}, {"maxLength": 2}]}),
        &["\"a\""],
        &["\"\"", "\"abc\""],
    );
}

#[test]
fn a_keyword_without_type_implies_it() {
    table(json!({"minLength": 1}), &["\"a\""], &["\"\"", "1", "null"]);
    table(json!({"properties": {"a": true}}), &["{}", r#"{"a":1}"#], &["1", r#"{"b":1}"#]);
    table(json!({"items": {"type": "string"}}), &["[\"a\"]"], &["[1]", "{}"]);
    table(json!({"minimum": 1}), &["1"], &["0", "\"1\""]);
}

#[test]
fn record_keys_are_checked() {
    table(
        json!({"type": "object", "additionalProperties": {"type": "number"}, "propertyNames": {"enum": ["a", "b"]}}),
        &["{}", r#"{"a":1}"#, r#"{"\u0062":1}"#],
        &[r#"{"c":1}"#, r#"{"a":"1"}"#],
    );
    table(
        json!({"type": "object", "additionalProperties": false, "patternProperties":
            {"^-?\\d+$": {"type": "string"}}}),
        &["{}", r#"{"-12":"x"}"#],
        &[r#"{"a":"x"}"#, r#"{"1":1}"#],
    );
    table(
        json!({"type": "object", "properties": {"ab": {"type": "number"}}, "patternProperties":
            {"^a": {"type": "integer"}, "b$": {"minimum": 3}}, "additionalProperties": {"type": "null"}}),
        &[r#"{"ab":4}"#, r#"{"a":1}"#, r#"{"b":3.5}"#, r#"{"x":null}"#],
        &[r#"{"ab":4.5}"#, r#"{"ab":2}"#, r#"{"a":null}"#, r#"{"x":1}"#],
    );
    table(
        json!({"type": "object", "additionalProperties": true, "minProperties": 2, "maxProperties": 3}),
        &[r#"{"a":1,"b":2}"#],
        &[r#"{"a":1}"#, r#"{"a":1,"\u0061":2}"#, r#"{"a":1,"b":1,"c":1,"d":1}"#],
    );
    table(
        json!({"type": "object", "additionalProperties": true, "required": ["a"]}),
        &[r#"{"a":1,"b":2}"#],
        &[r#"{"b":1}"#],
    );
}

#[test]
fn many_properties_are_all_found() {
    let names: Vec<String> = (0..300).map(|index| format!("p{index}")).collect();
    let properties: serde_json::Map<String, Value> =
        names.iter().map(|name| (name.clone(), json!({"const": name}))).collect();
    let schema = json!({"type": "object", "properties": properties, "required": names[..150]});
    let all = Value::Object(names.iter().map(|name| (name.clone(), json!(name))).collect());
    let validator = compiled(&schema);
    assert_eq!(validator.check(all.to_string().as_bytes()), Ok(()));
    for name in &names {
        let mut without = all.clone();
        without.as_object_mut().unwrap().remove(name);
        let required = names[..150].contains(name);
        assert_eq!(validator.check(without.to_string().as_bytes()).is_err(), required, "{name}");
    }
    assert!(validator.check(br#"{"p300":1}"#).is_err());
}

#[test]
fn what_is_not_enforced_is_refused() {
    for (schema, keyword, pointer) in [
        (json!({"not": {}}), "not", ""),
        (json!({"if": {}}), "if", ""),
        (json!({"properties": {"a/b": {"contains": {}}}}), "contains", "/properties/a~1b"),
        (json!({"type": "array", "prefixItems": [{}]}), "prefixItems", ""),
        (json!({"type": "array", "items": [{}]}), "items", ""),
        (json!({"nullable": true}), "nullable", ""),
        (json!({"$ref": "other.json"}), "$ref", ""),
        (json!({"$ref": "#/$defs/Nowhere"}), "$ref", ""),
        (json!({"properties": {"a": {"$id": "x"}}}), "$id", "/properties/a"),
        (json!({"type": "text"}), "type", ""),
        (json!({"type": []}), "type", ""),
        (json!({"type": "string", "minLength": -1}), "minLength", ""),
        (json!({"type": "object", "required": ["a"]}), "required", ""),
        (json!({"type": "object", "required": "a"}), "required", ""),
        (json!({"anyOf": []}), "anyOf", ""),
        (json!({"properties": []}), "properties", ""),
        (json!({"items": 7}), "type", "/items"),
        (json!(null), "type", ""),
    ] {
        let error = refused(schema);
        assert_eq!((error.keyword.as_str(), error.pointer.as_str()), (keyword, pointer), "{error}");
        assert!(!error.message.is_empty());
    }
}

#[test]
fn a_violation_names_the_place() {
    let schema = json!({"type": "object", "additionalProperties": false, "required": ["items"], "properties": {
        "items": {"type": "array", "items": {"type": "object", "required": ["id"], "properties": {
            "id": {"type": "integer"}, "odd key": {"type": ["string", "null"]}}}}}});
    let validator = compiled(&schema);
    for (text, message) in [
        ("[]", "$: expected an object, found an array"),
        ("{}", "$: the required key \"items\" is missing"),
        (r#"{"items": [{"id": 1}, {"id": 1.5}]}"#, "$.items[1].id: expected a whole number"),
        (r#"{"items": [{"id": 1}, {}]}"#, "$.items[1]: the required key \"id\" is missing"),
        (
            r#"{"items":[{"id":1,"odd key":7}]}"#,
            "$.items[0][\"odd key\"]: expected null or a string, found a number",
        ),
        (r#"{"items":[],"b\nc":1}"#, r#"$["b\nc"]: this key is not declared"#),
        (r#"{"items":[],"constructor":1}"#, "$.constructor: this key is never accepted"),
        (r#"{"items":[1"#, "$.items[0]: expected an object, found a number"),
        (r#"{"items":["#, "$.items[0]: invalid JSON at byte 10: expected a value"),
    ] {
        let violation = validator.check(text.as_bytes()).unwrap_err();
        assert_eq!(violation.to_string(), message, "{text}");
    }
    let long = format!(r#"{{"{}":1}}"#, "k".repeat(100_000));
    assert!(validator.check(long.as_bytes()).unwrap_err().path.len() < 100);
}
