//! Manifests that try to break out of the generated code, or to make it grow without end.

use luckystack_plugins::Manifest;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{Workspace, Zod, generated, manifest, text};

/// A manifest with this text wherever a manifest may have any.
fn saying(text: &str) -> Manifest {
    // Identifiers are written without quotes, which is a difference that is none.
    let name = format!("-{text}");
    let schema = json!({
        "type": "object",
        "title": text,
        "description": text,
        "properties": {
            name.clone(): { "type": "string", "description": text, "deprecated": true },
            "value": { "enum": [text, 1] },
            "constant": { "const": { name.clone(): [text] } },
            "pattern": { "type": "string", "pattern": text, "format": text },
            "keys": { "type": "object", "patternProperties": { text: { "type": "string" } } },
            "ref": { "$ref": "#/$defs/a" },
        },
        "required": [name.clone()],
        "$defs": { "a": { "description": text, "type": "object", "properties": { name.clone(): { "$ref": "#/$defs/a" } } } },
    });
    let manifest = json!({
        "name": "evil", "version": text, "description": text, "service": "evil",
        "routes": [
            { "kind": "api", "name": "a", "version": 1, "description": text, "input": schema, "output": schema,
              "stream": schema, "auth": { "login": true, "additional": [{ "key": name, "value": { name.clone(): text } }] } },
            { "kind": "sync-server", "name": "b", "version": 1, "description": text, "input": schema, "output": schema },
        ],
        "functions": [{ "name": "evil/c", "description": text, "input": schema, "output": schema }],
    });
    serde_json::from_value(manifest).unwrap()
}

/// The text without its comments and blanks, and with every string as `''`.
///
/// Panics where a string or comment does not end, or a bracket has no partner.
fn skeleton(text: &str) -> String {
    let mut out = String::new();
    let mut open = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\'' => {
                loop {
                    match chars.next().expect("a string ends") {
                        '\\' => assert!(chars.next().is_some_and(|char| char.is_ascii_graphic())),
                        '\'' => break,
                        '\n' | '\r' | '\u{2028}' | '\u{2029}' => panic!("a string goes over a line"),
                        _ => {}
                    }
                }
                out.push_str("''");
            }
            '/' if chars.peek() == Some(&'*') => {
                let mut before = ' ';
                chars.next();
                while let Some(char) = chars.next() {
                    if before == '*' && char == '/' {
                        break;
                    }
                    before = char;
                    assert!(chars.peek().is_some(), "a comment ends");
                }
            }
            '/' if chars.peek() == Some(&'/') => while chars.next_if(|char| *char != '\n').is_some() {},
            '(' | '[' | '{' => {
                open.push(char);
                out.push(char);
            }
            ')' | ']' | '}' => {
                let opened = open.pop().expect("a bracket was opened");
                assert!(matches!((opened, char), ('(', ')') | ('[', ']') | ('{', '}')));
                out.push(char);
            }
            char if char.is_whitespace() => {}
            other => {
                assert!(other.is_ascii(), "{other:?} stands in the code");
                out.push(other);
            }
        }
    }
    assert!(open.is_empty(), "a bracket is left open");
    out
}

fn skeletons(manifest: Manifest) -> [String; 2] {
    let files = generated(&[manifest]);
    let schemas = text(&files, "apiInputSchemas.generated.ts");
    // What is before does not depend on manifests, but for the helpers that are used; and it has
    // regular expressions, which this scanner does not know.
    let schemas = &schemas[schemas.find("const EvilAV1Input").unwrap()..];
    [skeleton(text(&files, "apiTypes.generated.ts")), skeleton(schemas)]
}

/// Texts that have ended strings, comments and templates somewhere.
const TEXTS: [&str; 26] = [
    "*/ globalThis.pwned = 1; /*",
    "' + (globalThis.pwned = 1) + '",
    "\\' + (globalThis.pwned = 1) + \\'",
    "`${globalThis.pwned = 1}`",
    "\" + (globalThis.pwned = 1) + \"",
    "\n globalThis.pwned = 1;\n",
    "\r globalThis.pwned = 1;\r",
    "\u{2028} globalThis.pwned = 1;\u{2029}",
    "// globalThis.pwned",
    "/**/",
    "/",
    "*",
    "\\",
    "\\\\'",
    "@ts-expect-error",
    "@ts-ignore\n@ts-nocheck",
    "@internal",
    "</script><script>globalThis.pwned = 1</script>",
    "<!-- globalThis.pwned = 1 -->",
    "# sourceMappingURL=data:application/json,{}",
    "__proto__",
    "constructor",
    "[(globalThis.pwned = 1)]: string",
    "\u{202e}}\u{2066}\u{0}\u{7f}\u{feff}\u{200b}\u{e0041}",
    "é 漢字 😀 \u{fffd}",
    "%s $& $1 {{x}}",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_text_leaves_its_string_or_comment(text in prop_oneof![
        any::<String>(),
        "[*/'\"`\\\\@${}\\n\\r\\[\\]()<>#: a-z\u{2028}]{0,24}",
    ]) {
        prop_assert_eq!(skeletons(saying(&text)), skeletons(saying("plain text")));
    }
}

#[test]
fn known_attacks_stay_text() {
    let plain = skeletons(saying("plain text"));
    for text in TEXTS {
        assert_eq!(skeletons(saying(text)), plain, "{text:?}");
    }
}

const RUN: &str = "
import { readFileSync } from 'node:fs';
import { getApiInputSchema } from './out/apiInputSchemas.generated.js';
import { apiMetaMap } from './out/apiTypes.generated.js';
const wrong = [];
for (const [name, text, input, additional] of JSON.parse(readFileSync('samples.json', 'utf8'))) {
  if (!getApiInputSchema('evil', name, 'v1').safeParse(input).success) wrong.push({ text, input });
  if (JSON.stringify(apiMetaMap.evil[name].v1.auth.additional) !== JSON.stringify(additional)) wrong.push({ text, additional });
}
if (globalThis.pwned !== undefined) wrong.push('pwned');
console.log(JSON.stringify(wrong, null, 1));
";

/// The compiler agrees, and what was written as text is that text when it is read.
#[test]
fn hostile_texts_compile_and_mean_themselves() {
    let mut routes = Vec::new();
    let mut functions = Vec::new();
    let mut samples = Vec::new();
    for (index, text) in TEXTS.iter().enumerate() {
        let mut evil = saying(text);
        let mut api = evil.routes.remove(0);
        api.name = format!("a{index}");
        let mut sync = evil.routes.remove(0);
        sync.name = format!("b{index}");
        let mut function = evil.functions.remove(0);
        function.name = format!("evil/c{index}");
        let name = format!("-{text}");
        let input = json!({ name.clone(): "x", "value": text, "constant": { name.clone(): [text] } });
        samples.push(json!([api.name, text, input, api.auth.as_ref().unwrap()["additional"]]));
        routes.extend([api, sync]);
        functions.push(function);
    }
    let mut all = saying("plain");
    all.routes = routes;
    all.functions = functions;
    let workspace = Workspace::new("hostile", Zod::Four);
    workspace.write_all(&generated(&[all]));
    workspace.write("samples.json", &Value::from(samples).to_string());
    workspace.type_check().unwrap();
    workspace.write("run.mjs", RUN);
    assert_eq!(workspace.node("run.mjs").unwrap(), "[]\n");
}

fn with_output(schema: &Value) -> Manifest {
    let route = json!({ "kind": "api", "name": "a", "version": 1, "output": schema, "input": schema });
    manifest(&json!({ "name": "n", "version": "1", "service": "evil", "routes": [route] }).to_string())
}

#[test]
fn definitions_that_contain_themselves_end() {
    let workspace = Workspace::new("circles", Zod::Four);
    let schemas = [
        json!({ "$ref": "#" }),
        json!({ "$ref": "#/$defs/a", "$defs": { "a": { "$ref": "#/$defs/b" }, "b": { "$ref": "#/$defs/a" } } }),
        json!({ "$ref": "#/$defs/a", "$defs": { "a": { "anyOf": [{ "type": "null" }, { "$ref": "#/$defs/a" }] } } }),
        json!({ "$ref": "#/$defs/a", "$defs": { "a": { "allOf": [{ "$ref": "#/$defs/a" }, { "properties": { "x": {} } }] } } }),
        json!({ "$ref": "#/$defs/a", "$defs": { "a": { "type": "array", "items": { "$ref": "#/$defs/a" } } } }),
        json!({ "$ref": "#/$defs/a", "$defs": { "a": { "additionalProperties": { "$ref": "#/$defs/a" } } } }),
        json!({ "$ref": "#/$defs/a", "$defs": { "a": { "items": [{ "$ref": "#/$defs/a" }] } } }),
        json!({ "$ref": "#/$defs/missing" }),
        json!({ "$ref": "http://example.org/schema" }),
        json!({ "$ref": 7 }),
        json!({ "type": "object", "properties": { "a": { "$ref": "#/properties/b" }, "b": { "$ref": "#" } } }),
        json!({ "type": ["object", 1, "nothing"], "properties": [], "required": 3, "enum": {}, "anyOf": {} }),
        json!({ "$ref": "#/$defs/a", "$defs": { "a": { "allOf": [
            { "properties": { "label": { "type": "string" } } },
            { "properties": { "children": { "items": { "$ref": "#/$defs/a" } } } } ] } } }),
        json!({ "properties": { "__proto__": { "type": "string" }, "constructor": { "type": "string" } } }),
    ];
    let mut all = with_output(&json!(true));
    for (index, schema) in schemas.iter().enumerate() {
        let mut route = with_output(schema).routes.remove(0);
        route.name = format!("r{index}");
        all.routes.push(route);
    }
    let files = generated(&[all]);
    workspace.write_all(&files);
    workspace.type_check().unwrap();
    // Whatever became wider is told.
    let diagnostics: Value = serde_json::from_str(text(&files, "apiTypeDiagnostics.generated.json")).unwrap();
    let told: Vec<&str> = diagnostics["fallbacks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["route"].as_str().unwrap())
        .collect();
    for route in [0, 1, 2, 7, 8, 9, 11, 13] {
        assert!(told.contains(&format!("evil/r{route}@v1").as_str()), "r{route} is not among {told:?}");
    }
    for route in [4, 5, 6, 10, 12] {
        assert!(!told.contains(&format!("evil/r{route}@v1").as_str()), "r{route} is among {told:?}");
    }
}

#[test]
fn definitions_that_multiply_are_written_once() {
    let mut definitions = serde_json::Map::new();
    for level in 0..40 {
        let next = json!({ "$ref": format!("#/$defs/d{}", level + 1) });
        definitions
            .insert(format!("d{level}"), json!({ "type": "object", "properties": { "a": next, "b": next } }));
    }
    definitions.insert("d40".to_owned(), json!({ "type": "string" }));
    let files = generated(&[with_output(&json!({ "$ref": "#/$defs/d0", "$defs": definitions }))]);
    assert!(
        files.iter().all(|file| file.content.len() < 500_000),
        "{:?}",
        files.iter().map(|f| f.content.len()).collect::<Vec<_>>()
    );
}

#[test]
fn long_chains_of_references_do_not_exhaust_the_stack() {
    let mut definitions = serde_json::Map::new();
    for level in 0..20_000 {
        definitions.insert(format!("d{level}"), json!({ "$ref": format!("#/$defs/d{}", level + 1) }));
    }
    definitions.insert("d20000".to_owned(), json!({ "type": "string" }));
    let chain = json!({ "$ref": "#/$defs/d0", "$defs": definitions });
    assert_eq!(generated(&[with_output(&chain)]).len(), 5);
}

/// A schema within a schema, this many times.
fn nested(levels: usize, around: impl Fn(Value) -> Value) -> Value {
    (0..levels).fold(json!({ "type": "string" }), |inner, _| around(inner))
}

#[test]
fn schemas_that_multiply_are_not_multiplied() {
    let union = |count: usize| -> Vec<Value> {
        (0..count).map(|index| json!({ "properties": { format!("p{index}"): {} } })).collect()
    };
    let schemas = [
        json!({ "allOf": vec![json!({ "anyOf": union(8) }); 12] }),
        nested(
            40,
            |inner| json!({ "properties": { "a": inner }, "anyOf": [{ "properties": { "b": {} } }, { "required": ["a"] }] }),
        ),
        nested(40, |inner| json!({ "properties": { "a": inner }, "anyOf": [{ "type": "string" }] })),
        nested(
            40,
            |inner| json!({ "properties": { "a": inner }, "additionalProperties": { "type": "integer" } }),
        ),
        nested(40, |inner| json!({ "patternProperties": { "a": inner, "b": { "type": "string" } } })),
        nested(40, |inner| json!({ "type": ["object", "object", "object"], "properties": { "a": inner } })),
        nested(40, |inner| json!({ "items": inner, "minItems": 8, "maxItems": 8 })),
        nested(
            30,
            |inner| json!({ "allOf": [{ "properties": { "a": inner } }, { "properties": { "b": {} } }] }),
        ),
        json!({ "anyOf": (0..30_000).map(|index| json!({ "type": "integer", "minimum": index })).collect::<Vec<_>>() }),
        json!({ "enum": (0..30_000).collect::<Vec<_>>() }),
        json!({ "type": "object", "required": (0..30_000).map(|index| index.to_string()).collect::<Vec<_>>() }),
    ];
    for schema in schemas {
        let began = std::time::Instant::now();
        let files = generated(&[with_output(&schema)]);
        let given = schema.to_string().len();
        for file in files {
            // Indentation and zod's words cost their part.
            let most = 500_000 + 40 * given;
            assert!(
                file.content.len() < most,
                "{} has {} bytes for {schema:.200}",
                file.name,
                file.content.len()
            );
        }
        assert!(began.elapsed().as_secs() < 5, "{:?} for {:.200}", began.elapsed(), schema.to_string());
    }
}

#[test]
fn an_object_merged_into_a_part_of_itself_gets_a_name() {
    let next =
        json!({ "allOf": [{ "$ref": "#/$defs/a" }, { "properties": { "extra": { "type": "string" } } }] });
    let schema = json!({ "$ref": "#/$defs/a", "$defs": { "a": {
        "type": "object", "properties": { "label": { "type": "string" }, "next": next }, "required": ["label"] } } });
    let workspace = Workspace::new("merged", Zod::Four);
    let files = generated(&[with_output(&schema)]);
    assert!(text(&files, "apiTypes.generated.ts").len() < 20_000);
    workspace.write_all(&files);
    workspace.write(
        "use.ts",
        "import type { ApiInput } from './apiTypes.generated';
        export const good: ApiInput<'evil', 'a'> = { label: 'a', next: { label: 'b', extra: 'c', next: { label: 'd' } } };
        // @ts-expect-error `extra` is not at the top
        export const bad: ApiInput<'evil', 'a'> = { label: 'a', extra: 'b' };\n",
    );
    workspace.type_check().unwrap();
}
