//! The zod schemas, run in node against samples, with both versions of zod.

use serde_json::{Value, json};

use crate::support::{Workspace, Zod, examples, fleet, generated, text};

const RUN: &str = "
import { readFileSync } from 'node:fs';
import { apiInputSchemas, getApiInputSchema } from './out/apiInputSchemas.generated.js';
const wrong = [];
for (const [page, name, version, input, accepted] of JSON.parse(readFileSync('samples.json', 'utf8'))) {
  const schema = getApiInputSchema(page, name, version);
  if (!schema) throw new Error(`no schema of ${page}/${name}/${version}`);
  if (schema.safeParse(input).success !== accepted) wrong.push({ page, name, version, input, accepted });
}
if (getApiInputSchema('constructor', 'name', 'v1') !== undefined) wrong.push('constructor');
if (Object.keys(apiInputSchemas).length !== 5) wrong.push(Object.keys(apiInputSchemas));
console.log(JSON.stringify(wrong, null, 1));
";

/// Route, input, and whether it passes: what the host does with it too.
fn samples() -> Value {
    let mut all = Vec::new();
    let mut add = |page: &str, name: &str, version: &str, accepted: bool, inputs: Value| {
        for input in inputs.as_array().unwrap() {
            all.push(json!([page, name, version, input, accepted]));
        }
    };
    add("vehicles", "getAll", "v1", true, json!([{}]));
    add("vehicles", "getAll", "v1", false, json!([{ "a": 1 }, null, [], "x"]));
    add("vehicles", "getById", "v1", true, json!([{ "id": "v07" }]));
    add("vehicles", "getById", "v1", false, json!([{}, { "id": null }, { "id": 7 }, { "id": "a", "b": 1 }]));
    add("vehicles", "track", "v1", true, json!([{ "id": "a", "steps": 1 }, { "id": "a", "steps": 1000 }]));
    add(
        "vehicles",
        "track",
        "v1",
        false,
        json!([{ "id": "a", "steps": 0 }, { "id": "a", "steps": 1.5 }, { "id": "a", "steps": "1" }]),
    );
    add("billing", "listInvoices", "v1", true, json!([{}, { "customer": null }, { "customer": "Ada" }]));
    let line = json!({ "text": "a", "quantity": 1, "unitPrice": 5 });
    let invoice = |lines: Value| json!({ "customer": { "name": "Ada" }, "lines": lines, "currency": "EUR", "dueDays": null });
    add("billing", "createInvoice", "v1", true, json!([invoice(json!([line]))]));
    add("billing", "createInvoice", "v1", false, json!([invoice(json!([])), invoice(json!([1]))]));
    // Characters, not UTF-16 units.
    add(
        "fleet",
        "getVehicle",
        "v10",
        true,
        json!([{ "id": "abc" }, { "id": "😀😀😀" }, { "id": "a", "since": null, "depth": 0 }]),
    );
    add(
        "fleet",
        "getVehicle",
        "v10",
        false,
        json!([{ "id": "" }, { "id": "abcd" }, { "id": "😀😀😀😀" }, { "id": "a", "depth": -1 }]),
    );
    let since = |text: &str| json!({ "id": "a", "since": text });
    let times = [
        "2024-02-29T12:00:00Z",
        "2024",
        "2024-05",
        "2024-05-01 10:00",
        "2024-05-01t24:00:00.0+01:00",
        "+012024-01-01",
    ];
    add("fleet", "getVehicle", "v10", true, times.map(since).as_slice().into());
    let none = [
        "",
        "x",
        "2023-02-29",
        "2024-13-01",
        "2024-05 10:00",
        "2024-05-01T24:00:01",
        "2024-05-01T10:60",
        "-000000-01-01",
    ];
    add("fleet", "getVehicle", "v10", false, none.map(since).as_slice().into());
    add("fleet", "ping", "v1", true, json!([{}, { "a": 1 }]));
    add("fleet", "ping", "v1", false, json!([null, [], 1]));
    add("fleet", "getNear", "v1", true, json!([{ "radius": 0.1 }]));
    add("fleet", "getNear", "v1", false, json!([{ "radius": 0 }]));
    let tree = |root: Value| json!({ "root": root });
    add(
        "fleet",
        "updateTree",
        "v1",
        true,
        json!([tree(json!({ "label": "a", "children": [{ "label": "b", "children": [] }] }))]),
    );
    add(
        "fleet",
        "updateTree",
        "v1",
        false,
        json!([
            tree(json!({ "label": "A" })),
            tree(json!({ "label": "a", "children": [{ "label": "b", "x": 1 }] })),
            tree(json!({ "label": "a", "children": [{ "label": "b" }, { "label": "b" }, { "label": "b" }] })),
        ]),
    );
    let lab = |key: &str, value: Value| json!({ "any": null, key: value });
    let accepted = [
        ("any", json!([1, { "a": [] }])),
        ("size", json!("m")),
        ("mixed", json!(null)),
        ("mixed", json!(1)),
        ("port", json!(65535)),
        ("big", json!(9_007_199_254_740_991_u64)),
        ("price", json!(0.07)),
        ("tags", json!(["a", "b"])),
        ("point", json!([1, 2])),
        ("labels", json!({ "a": "b" })),
        ("byNumber", json!({ "12": true })),
        ("open", json!({ "a": 1, "b": [] })),
        ("rest", json!({ "a": 1, "b": "c" })),
        ("shape", json!({ "kind": "circle", "radius": 1 })),
        ("both", json!(1.5)),
        ("both", json!(11)),
        ("merged", json!({ "a": "", "b": "" })),
        ("tagged", json!({ "at": 1, "why": "" })),
        ("tagged", json!({ "at": 1, "on": true })),
        ("uuid", json!("123e4567-E89b-12d3-a456-426614174000")),
        ("email", json!("a.b+c@example.org")),
        ("date", json!("2024-02-29")),
        ("ip", json!("127.0.0.1")),
        ("ip", json!("::ffff:1.2.3.4")),
        ("ip", json!("1:2:3:4:5:6:7:8")),
        ("keys", json!({ "ab": null })),
        ("new-name", json!("a")),
    ];
    let refused = [
        ("other", json!(1)),
        ("size", json!("xl")),
        ("size", json!(null)),
        ("mixed", json!(2)),
        ("mixed", json!(false)),
        ("port", json!(0)),
        ("port", json!(65536)),
        ("big", json!(-1)),
        ("price", json!(0.001)),
        ("tags", json!([])),
        ("tags", json!(["a", "a"])),
        ("point", json!([1, 2, 3])),
        ("labels", json!({ "a": 1 })),
        ("labels", json!({ "a": "", "b": "", "c": "" })),
        ("byNumber", json!({ "a": true })),
        ("byNumber", json!({ "1": 1 })),
        ("open", json!({ "a": "1" })),
        ("rest", json!({ "b": 1 })),
        ("shape", json!({ "kind": "circle", "side": 1 })),
        // Both an integer and at most 10.
        ("both", json!(7)),
        // Neither.
        ("both", json!(10.5)),
        ("merged", json!({ "b": "" })),
        ("merged", json!({ "a": "", "c": "" })),
        ("tagged", json!({ "at": 1 })),
        ("uuid", json!("123e4567e89b12d3a456426614174000")),
        ("email", json!("a@-b")),
        ("date", json!("2023-02-29")),
        ("ip", json!("1.2.3")),
        ("ip", json!("01.2.3.4")),
        ("ip", json!("1::2::3")),
        ("ip", json!("1:2:3:4:5:6:7:8:9")),
        ("keys", json!({ "abc": null })),
    ];
    add(
        "fleet/lab",
        "everything",
        "v1",
        true,
        accepted.map(|(key, value)| lab(key, value)).as_slice().into(),
    );
    add(
        "fleet/lab",
        "everything",
        "v1",
        false,
        refused.map(|(key, value)| lab(key, value)).as_slice().into(),
    );
    add("fleet/lab", "everything", "v1", false, json!([{}]));
    all.into()
}

fn accepts_and_refuses(zod: Zod, test: &str) {
    let mut manifests = examples();
    manifests.push(fleet());
    let files = generated(&manifests);
    let workspace = Workspace::new(test, zod);
    workspace.write("apiInputSchemas.generated.ts", text(&files, "apiInputSchemas.generated.ts"));
    workspace.write("samples.json", &samples().to_string());
    workspace.type_check().unwrap();
    workspace.write("run.mjs", RUN);
    assert_eq!(workspace.node("run.mjs").unwrap(), "[]\n");
}

#[test]
fn schemas_accept_and_refuse_what_the_host_does_with_zod_3() {
    accepts_and_refuses(Zod::Three, "samples");
}

#[test]
fn schemas_accept_and_refuse_what_the_host_does_with_zod_4() {
    accepts_and_refuses(Zod::Four, "samples");
}
