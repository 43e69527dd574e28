//! A plugin of every kind of handler, called the way the host calls one.

use luckystack::prelude::*;
use luckystack::testing::{self, HookResult};

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Move {
    card_id: String,
    #[serde(default)]
    to: Option<u32>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Moved {
    id: String,
}

#[derive(Serialize, JsonSchema)]
struct Progress {
    percent: u32,
}

/// Moves a card.
///
/// And says so.
#[api(
    version = 2,
    page = "board/cards",
    method = "PUT",
    additional = [{ key = "admin", value = true }, { key = "email", type = "string", nullish = false }],
    rate_limit = 60,
    validation = "skip",
    error_formatter,
    stream = Progress
)]
fn move_card(ctx: &Ctx, input: Move) -> Result<Moved, HandlerError> {
    match input.to {
        Some(0) => Err(error!("cards.notFound", id = input.card_id, place = 0, strict = true).status(404)),
        Some(percent) => {
            ctx.stream(&Progress { percent });
            Ok(Moved { id: input.card_id })
        }
        None => {
            let _: u32 = "no number".parse()?;
            Ok(Moved { id: input.card_id })
        }
    }
}

#[api(login = true, rate_limit = false)]
fn with_extras() -> Result<Response<u32>, HandlerError> {
    Ok(Response::new(7).status(201).with("warning", "low")?)
}

#[api(version = 0)]
fn flat(input: Value) -> Result<Flat<Value>, HandlerError> {
    Ok(Flat(input))
}

#[sync_server(name = "move", login = true)]
fn move_server(ctx: &Ctx, input: Move) -> Result<Moved, HandlerError> {
    ctx.broadcast(&json!({ "room": ctx.room() }));
    ctx.stream_to(&["t1".to_owned()], &json!({ "only": "t1" }));
    match input.to {
        Some(1) => Err(std::fmt::Error.into()),
        _ => Ok(Moved { id: input.card_id }),
    }
}

#[sync_client(name = "move")]
fn move_client(to: &Recipient, input: &Move, server: &Moved) -> Result<String, HandlerError> {
    match to.token() {
        Some("rejected") => Err(error!("sync.ignore")),
        token => Ok(format!("{} {} {} {:?} {}", input.card_id, server.id, to.language(), token, to.room())),
    }
}

#[sync_client]
fn seen(to: &Recipient) -> Result<bool, HandlerError> {
    let whole: Value = to.server_output()?;
    to.stream(&json!({ "heard_by": to.token() }));
    Ok(whole["anything"] == 1)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    route_name: String,
}

#[hook("preApiExecute", order = -5, payload = ["routeName"], routes = ["api/board/", "api/x/y/v1"])]
fn guard(event: Event) -> Result<Outcome, HandlerError> {
    match event.route_name.as_str() {
        "stop" => Err(error!("guard.closed").status(423)),
        "outcome" => Ok(Outcome::stop("guard.outcome")),
        "fault" => Err(std::fmt::Error.into()),
        "replace" => Ok(Outcome::replace(&json!({ "status": "success" }))?),
        "override" => Ok(Outcome::override_output("guard.other", &json!({ "hidden": true }))?),
        _ => Ok(Outcome::proceed()),
    }
}

#[hook("preServerStop")]
fn stopping() {}

#[derive(Deserialize, JsonSchema)]
struct Square {
    of: i64,
}

/// A number times itself.
#[function("math/square")]
fn square(args: Square) -> Result<i64, HandlerError> {
    args.of.checked_mul(args.of).ok_or_else(|| error!("math.overflow"))
}

#[error_formatter(global)]
fn shorten(event: ErrorEvent) -> Option<Value> {
    match event.route.as_str() {
        "api/plain/x/v1" => None,
        "api/wrong/x/v1" => Some(json!("text")),
        _ => Some(json!({ "code": event.envelope["errorCode"], "user": event.user_id })),
    }
}

mod nested {
    use luckystack::prelude::*;

    // Private, in a private module: it can be listed all the same.
    #[api]
    fn r#type() -> Result<Option<()>, HandlerError> {
        Ok(None)
    }
}

luckystack::plugin! {
    service = "board",
    name = "board-everything",
    version = "3.1.4",
    description = "Every \"kind\"",
    handlers = [
        move_card, with_extras, flat, nested::r#type, move_server, move_client, seen, guard, stopping, square, shorten,
    ],
}

fn call(route: &str, input: &Value) -> Result<Value, HandlerError> {
    testing::call_route(&PLUGIN, testing::call().route(route).room("r1").build(), input)
}

#[test]
fn the_manifest_says_what_the_attributes_say() {
    let manifest = testing::manifest(&PLUGIN);
    assert_eq!(manifest["name"], "board-everything");
    assert_eq!(manifest["version"], "3.1.4");
    assert_eq!(manifest["description"], "Every \"kind\"");
    assert_eq!(manifest["service"], "board");
    assert_eq!(manifest["errorFormatter"], "global");

    let mut route = manifest["routes"][0].clone();
    let members = route.as_object_mut().unwrap();
    let (input, output, stream) =
        (members.remove("input"), members.remove("output"), members.remove("stream"));
    assert_eq!(
        route,
        json!({
            "kind": "api", "name": "moveCard", "version": 2, "page": "board/cards", "method": "PUT",
            "description": "Moves a card.\n\nAnd says so.",
            "auth": { "login": true, "additional": [
                { "key": "admin", "value": true },
                { "key": "email", "type": "string", "nullish": false },
            ] },
            "rateLimit": 60, "validation": { "input": "skip" }, "errorFormatter": true,
        })
    );
    assert_eq!(input.unwrap()["required"], json!(["cardId"]));
    assert_eq!(output.unwrap()["properties"]["id"]["type"], "string");
    assert_eq!(stream.unwrap()["properties"]["percent"]["minimum"], 0);

    let kinds: Vec<(&str, &str)> = manifest["routes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|route| (route["kind"].as_str().unwrap(), route["name"].as_str().unwrap()))
        .collect();
    assert_eq!(
        kinds,
        [
            ("api", "moveCard"),
            ("api", "withExtras"),
            ("api", "flat"),
            ("api", "type"),
            ("sync-server", "move"),
            ("sync-client", "move"),
            ("sync-client", "seen"),
        ]
    );
    assert_eq!(manifest["routes"][1]["auth"], json!({ "login": true }));
    assert_eq!(manifest["routes"][1]["rateLimit"], false);
    assert_eq!(manifest["routes"][3]["input"], json!({ "type": "object" }));
    assert_eq!(
        manifest["hooks"],
        json!([
            { "hook": "preApiExecute", "order": -5, "payload": ["routeName"], "routes": ["api/board/", "api/x/y/v1"] },
            { "hook": "preServerStop" },
        ])
    );
    let function = &manifest["functions"][0];
    assert_eq!(
        (&function["name"], &function["description"]),
        (&json!("math/square"), &json!("A number times itself."))
    );
    assert_eq!(function["output"]["type"], "integer");
}

#[test]
fn the_manifest_fits_its_schema() {
    // The keys and required members of `wit/manifest.schema.json`, without a validator.
    let schema: Value =
        luckystack::serde_json::from_str(include_str!("../../../wit/manifest.schema.json")).unwrap();
    let check = |object: &Value, schema: &Value| {
        let object = object.as_object().unwrap();
        for key in object.keys() {
            assert!(schema["properties"].get(key).is_some(), "unknown key {key}");
        }
        for key in schema["required"].as_array().unwrap() {
            assert!(object.contains_key(key.as_str().unwrap()), "missing {key}");
        }
    };
    let manifest = testing::manifest(&PLUGIN);
    check(&manifest, &schema);
    for (list, def) in [("routes", "route"), ("hooks", "hook"), ("functions", "function")] {
        for object in manifest[list].as_array().unwrap() {
            check(object, &schema["$defs"][def]);
        }
    }
}

#[test]
fn a_type_that_holds_itself_refers_to_its_definition() {
    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Folder {
        name: String,
        inside: Vec<Folder>,
    }
    #[api]
    fn tree(_input: Folder) -> Result<Empty, HandlerError> {
        Ok(Empty {})
    }
    let schema = (__luckystack_handler_tree.input)().unwrap().to_value();
    assert_eq!(schema["title"], "Folder");
    assert_eq!(schema["properties"]["inside"]["items"]["$ref"], "#/$defs/Folder");
    assert_eq!(schema["$defs"]["Folder"]["required"], json!(["name", "inside"]));
}

#[test]
fn a_success_has_its_status_first_and_its_result_in_result() {
    let answer = call("api/board/cards/moveCard/v2", &json!({ "cardId": "c1", "to": 3 })).unwrap();
    assert_eq!(answer, json!({ "status": "success", "result": { "id": "c1" } }));
    assert_eq!(testing::streamed::<Value>(), [json!({ "percent": 3 })]);
    let bytes = (PLUGIN.apis[3].call)(&testing::call().build(), b"{}").unwrap();
    assert_eq!(bytes, br#"{"status":"success","result":null}"#);
}

#[test]
fn a_response_carries_its_status_and_further_keys() {
    let bytes = (PLUGIN.apis[1].call)(&testing::call().build(), b"{}").unwrap();
    assert_eq!(bytes, br#"{"status":"success","httpStatus":201,"result":7,"warning":"low"}"#);
    for key in ["status", "httpStatus", "result"] {
        assert!(Response::new(1).with(key, 1).is_err(), "{key}");
    }
    assert!(Response::new(1).with("a", 1).unwrap().with("a", 2).is_err());
}

#[test]
fn a_flat_answer_puts_its_keys_beside_the_status() {
    let flat = |input: Value| call("api/board/flat/v0", &input);
    assert_eq!(flat(json!({ "a": 1 })).unwrap(), json!({ "status": "success", "a": 1 }));
    assert_eq!(flat(json!({})).unwrap(), json!({ "status": "success" }));
    for wrong in [json!([1]), json!({ "status": "error" }), json!({ "httpStatus": 200 })] {
        assert_eq!(flat(wrong.clone()).unwrap_err().code(), "api.internalServerError", "{wrong}");
    }
}

#[test]
fn an_error_keeps_its_code_params_and_status() {
    let error = call("api/board/cards/moveCard/v2", &json!({ "cardId": "c1", "to": 0 })).unwrap_err();
    assert_eq!((error.code(), error.http_status()), ("cards.notFound", Some(404)));
    let params: Vec<_> = error.params().collect();
    assert_eq!(params, [("id", json!("c1")), ("place", json!(0)), ("strict", json!(true))]);
}

#[test]
fn another_error_is_logged_and_sent_as_internal() {
    let error = call("api/board/cards/moveCard/v2", &json!({ "cardId": "c1" })).unwrap_err();
    assert_eq!((error.code(), error.http_status()), ("api.internalServerError", Some(500)));
    assert!(testing::logs()[0].1.contains("invalid digit"));
}

#[test]
fn an_input_that_does_not_fit_is_refused_and_the_reason_logged() {
    let error = call("api/board/cards/moveCard/v2", &json!({ "cardId": 5 })).unwrap_err();
    assert_eq!((error.code(), error.http_status()), ("api.invalidInputType", Some(400)));
    assert!(testing::logs()[0].1.contains("expected a string"));
    let error = call("sync/board/move/v1", &json!({})).unwrap_err();
    assert_eq!((error.code(), error.http_status()), ("sync.invalidInputType", Some(400)));
}

#[test]
fn a_route_that_is_not_the_plugins_is_not_found() {
    for route in [
        "api/board/moveCard/v2",
        "api/board/cards/moveCard/v1",
        "api/board/cards/moveCard/v2/",
        "api/board/cards/moveCards/v2",
        "board/cards/moveCard/v2",
        "",
    ] {
        assert_eq!(call(route, &json!({ "cardId": "c1" })).unwrap_err().code(), "api.notFound", "{route}");
    }
    assert_eq!(
        call("sync/board/seen/v1", &json!({})).unwrap_err().code(),
        "sync.notFound",
        "has no server half"
    );
}

#[test]
fn a_sync_server_reaches_the_room_and_fails_with_sync_codes() {
    let answer = call("sync/board/move/v1", &json!({ "cardId": "c1" })).unwrap();
    assert_eq!(answer["result"]["id"], "c1");
    assert_eq!(testing::broadcasts::<Value>(), [json!({ "room": "r1" })]);
    assert_eq!(testing::streamed_to::<Value>("t1"), [json!({ "only": "t1" })]);
    let error = call("sync/board/move/v1", &json!({ "cardId": "c1", "to": 1 })).unwrap_err();
    assert_eq!((error.code(), error.http_status()), ("sync.serverExecutionFailed", Some(400)));
}

#[test]
fn a_sync_client_answers_each_recipient_in_order() {
    let recipients = || {
        vec![
            testing::recipient(Some("t1"), "nl", "r1"),
            testing::recipient(Some("rejected"), "en", "r1"),
            testing::recipient(None, "en", "r1"),
        ]
    };
    let run = |server: Value| {
        testing::call_sync_client(
            &PLUGIN,
            "sync/board/move/v1",
            &json!({ "cardId": "c1" }),
            &server,
            recipients(),
        )
    };
    let results = run(json!({ "status": "success", "result": { "id": "s1" } }));
    assert_eq!(results[0].as_ref().unwrap()["result"], "c1 s1 nl Some(\"t1\") r1");
    assert_eq!(results[1].as_ref().unwrap_err().code(), "sync.ignore");
    assert_eq!(results[2].as_ref().unwrap()["result"], "c1 s1 en None r1");

    let results = run(json!({ "status": "success" }));
    assert!(results.iter().all(|result| result.as_ref().unwrap_err().code() == "sync.clientExecutionFailed"));
    assert_eq!((results.len(), testing::logs().len()), (3, 1), "logged once");

    let server = json!({ "status": "success", "anything": 1 });
    let results = testing::call_sync_client(&PLUGIN, "sync/board/seen/v1", &json!({}), &server, recipients());
    assert!(results.iter().all(|result| result.as_ref().unwrap()["result"] == true));
    assert_eq!(testing::streamed_to_recipient::<Value>(0), [json!({ "heard_by": "t1" })]);
    assert_eq!(testing::streamed_to_recipient::<Value>(2), [json!({ "heard_by": null })]);
    let results = testing::call_sync_client(&PLUGIN, "sync/board/no/v1", &json!({}), &server, recipients());
    assert_eq!(results[2].as_ref().unwrap_err().code(), "sync.notFound");
}

#[test]
fn a_hook_goes_on_stops_replaces_or_overrides() {
    let run = |name: &str| testing::call_hook(&PLUGIN, "preApiExecute", &json!({ "routeName": name }));
    let stop =
        |code: &str, status, output| HookResult::Stop { code: code.into(), status, override_output: output };
    assert_eq!(run("go"), HookResult::Proceed);
    assert_eq!(run("stop"), stop("guard.closed", Some(423), None));
    assert_eq!(run("outcome"), stop("guard.outcome", None, None));
    assert_eq!(run("replace"), HookResult::Replace(json!({ "status": "success" })));
    assert_eq!(run("override"), stop("guard.other", None, Some(json!({ "hidden": true }))));
    assert!(testing::logs().is_empty());
    assert_eq!(run("fault"), HookResult::Proceed, "a fault of the hook is not the call's");
    assert_eq!(testing::logs().len(), 1);
    assert_eq!(
        testing::call_hook(&PLUGIN, "preServerStop", &json!({ "reason": "SIGTERM" })),
        HookResult::Proceed
    );
    assert_eq!(testing::call_hook(&PLUGIN, "postLogin", &json!({})), HookResult::Proceed);
}

#[test]
fn a_function_returns_its_bare_result() {
    let run = |args: Value| testing::call_function(&PLUGIN, "math/square", &args);
    assert_eq!(run(json!({ "of": -4 })).unwrap(), 16);
    assert_eq!(run(json!({ "of": i64::MAX })).unwrap_err().code(), "math.overflow");
    assert_eq!(run(json!({})).unwrap_err().code(), "api.invalidInputType");
    let error = testing::call_function(&PLUGIN, "math/cube", &json!({})).unwrap_err();
    assert_eq!(error.code(), "functions.notFound");
}

#[test]
fn an_error_formatter_replaces_an_object_or_leaves_the_error() {
    let event = |route: &str| ErrorEvent {
        route: route.into(),
        transport: luckystack::Transport::Http,
        user_id: Some("u1".into()),
        envelope: json!({ "status": "error", "errorCode": "x.y" }),
    };
    assert_eq!(testing::format(&PLUGIN, event("api/a/b/v1")), Some(json!({ "code": "x.y", "user": "u1" })));
    assert_eq!(testing::format(&PLUGIN, event("api/plain/x/v1")), None);
    assert_eq!(testing::format(&PLUGIN, event("api/wrong/x/v1")), None);
    assert_eq!(testing::logs().len(), 1);
}
