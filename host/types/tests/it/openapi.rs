//! The OpenAPI document.

use serde_json::{Value, json};

use crate::support::{Workspace, Zod, examples, fleet, generated, text};

const VALIDATE: &str = "
import { readFileSync } from 'node:fs';
import { Validator } from '@seriousme/openapi-schema-validator';
for (const file of ['examples', 'nothing']) {
  const document = JSON.parse(readFileSync(`${file}.json`, 'utf8'));
  const validator = new Validator();
  const result = await validator.validate(document);
  if (!result.valid) throw new Error(file + ': ' + JSON.stringify(result.errors, null, 2));
  // Fails where a reference leads nowhere.
  validator.resolveRefs();
  console.log(validator.version);
}
";

fn document() -> Value {
    let mut manifests = examples();
    manifests.push(fleet());
    serde_json::from_str(text(&generated(&manifests), "openapi.generated.json")).unwrap()
}

#[test]
fn the_document_is_valid_openapi_3_1_and_its_references_resolve() {
    let workspace = Workspace::new("openapi", Zod::Four);
    workspace.write("examples.json", &document().to_string());
    workspace.write("nothing.json", text(&generated(&[]), "openapi.generated.json"));
    workspace.write("validate.mjs", VALIDATE);
    assert_eq!(workspace.node("validate.mjs").unwrap(), "3.1\n3.1\n");
    let document = document();
    check_references(&document, &document);
}

/// Every reference is to something in the document.
fn check_references(part: &Value, root: &Value) {
    match part {
        Value::Object(map) => {
            if let Some(Value::String(reference)) = map.get("$ref") {
                let pointer = reference.strip_prefix('#').unwrap();
                assert!(root.pointer(pointer).is_some(), "{reference} leads nowhere");
            }
            map.values().for_each(|part| check_references(part, root));
        }
        Value::Array(list) => list.iter().for_each(|part| check_references(part, root)),
        _ => {}
    }
}

#[test]
fn every_route_is_there_with_its_method() {
    let document = document();
    let paths = document["paths"].as_object().unwrap();
    assert_eq!(paths.len(), 14);
    assert!(paths["/api/vehicles/getAll/v1"]["get"].is_object());
    assert!(paths["/api/billing/createInvoice/v1"]["post"].is_object());
    assert!(paths["/api/fleet/lab/everything/v1"]["post"].is_object());
    assert!(paths["/api/fleet/updateTree/v1"]["put"].is_object());
}

#[test]
fn a_query_has_what_a_string_can_say_and_json_for_the_rest() {
    let document = document();
    let parameters = |path: &str| document["paths"][path]["get"]["parameters"].clone();
    let short = |list: Value| -> Vec<(String, bool)> {
        let list = list.as_array().cloned().unwrap_or_default();
        list.iter().map(|one| (one["name"].as_str().unwrap().to_owned(), one["required"] == true)).collect()
    };
    // `depth` is a number, which no query can say, and `stream` is the host's.
    let found = short(parameters("/api/fleet/getVehicle/v10"));
    let expected = [("id", true), ("since", false), ("__luckystack_data", false)];
    assert_eq!(found, expected.map(|(name, required)| (name.to_owned(), required)));
    assert_eq!(
        parameters("/api/fleet/getVehicle/v10")[0]["schema"],
        json!({ "type": "string", "minLength": 1, "maxLength": 3 })
    );
    // A number is required.
    assert_eq!(
        short(parameters("/api/fleet/getNear/v1")),
        [("__luckystack_data".to_owned(), true), ("stream".to_owned(), false)]
    );
    // Without input there is nothing to say.
    assert_eq!(short(parameters("/api/vehicles/getAll/v1")), []);
}

#[test]
fn a_route_says_who_may_call_it_how_often_and_what_it_answers() {
    let document = document();
    let codes = |operation: &Value| -> Vec<String> {
        operation["responses"].as_object().unwrap().keys().cloned().collect()
    };
    let get = &document["paths"]["/api/fleet/getVehicle/v10"]["get"];
    assert_eq!(get["security"], json!([{ "cookie": [] }, { "bearer": [] }]));
    assert_eq!(get["x-rate-limit"], 20);
    assert_eq!(codes(get), ["200", "400", "401", "403", "405", "429", "default"]);
    let ping = &document["paths"]["/api/fleet/ping/v1"]["post"];
    assert_eq!(ping["security"], json!([]));
    assert_eq!(codes(ping), ["200", "400", "405", "413", "415", "default"]);
    let follow = &document["paths"]["/api/fleet/follow/v1"]["post"];
    let events = &follow["responses"]["200"]["content"]["text/event-stream"];
    assert_eq!(events["x-stream-chunk"]["$ref"], "#/components/schemas/fleet.follow.v1.stream");
    assert_eq!(
        document["components"]["schemas"]["fleet.updateTree.v1.input"]["$defs"]["Node"]["properties"]["children"]
            ["items"]["$ref"],
        "#/components/schemas/fleet.updateTree.v1.input/$defs/Node"
    );
}
