//! What a handler can reach, and what keeps it honest.

use std::time::Duration;

use luckystack::prelude::*;
use luckystack::testing;

#[derive(Debug, PartialEq, Deserialize)]
struct User {
    id: String,
}

#[test]
fn a_session_is_typed_or_required() {
    let ctx = testing::call().user(&json!({ "id": "u1" })).build();
    assert_eq!(ctx.session::<User>().unwrap(), User { id: "u1".into() });
    assert_eq!(ctx.user(), Some(json!({ "id": "u1" })));

    let error = testing::call().build().session::<User>().unwrap_err();
    assert_eq!((error.code(), error.http_status()), ("auth.required", Some(401)));
    let error = testing::call().user(&json!({ "id": 5 })).build().session::<User>().unwrap_err();
    assert_eq!(error.code(), "api.internalServerError");
}

#[test]
fn secrets_do_not_show_in_debug_output() {
    testing::session("secret-token", &json!({ "id": "u2" }));
    let other = luckystack::session::get("secret-token").unwrap();
    assert_eq!(other.user_as::<User>().unwrap().id, "u2");
    assert!(luckystack::session::get("unknown").is_none());
    let ctx = testing::call().user(&json!({ "id": "u1" })).build();
    let text = format!("{ctx:?} {other:?} {:?}", testing::recipient(Some("secret-token"), "en", "r"));
    assert!(!text.contains("secret-token") && !text.contains("test-token"), "{text}");
}

#[test]
fn nobody_listens_after_an_abort() {
    let ctx = testing::call().build();
    assert!(ctx.stream(&json!({ "n": 1 })));
    testing::abort();
    assert!(ctx.aborted() && !ctx.stream(&json!({ "n": 2 })));
    assert_eq!(testing::streamed::<Value>().len(), 1);
}

#[test]
fn a_chunk_without_a_json_form_is_logged_and_not_sent() {
    let by_point = std::collections::BTreeMap::from([((1, 2), 3)]);
    assert!(!testing::call().build().stream(&by_point));
    assert_eq!(testing::logs().len(), 1);
    assert!(testing::streamed::<Value>().is_empty());
}

#[test]
fn a_function_is_called_with_types_and_its_error_passes_on() {
    let ctx = testing::call().build();
    testing::function(
        "math/half",
        |n: f64| if n < 0.0 { Err(error!("math.negative", n = n)) } else { Ok(n / 2.0) },
    );
    assert_eq!(ctx.call_function::<_, f64>("math/half", &3).unwrap(), 1.5);
    let error = ctx.call_function::<_, f64>("math/half", &-3).unwrap_err();
    assert_eq!((error.code(), error.params().next()), ("math.negative", Some(("n", json!(-3.0)))));
    let error = functions::call::<_, String>("math/half", &3).unwrap_err();
    assert!(error.to_string().contains("`math/half`"), "{error}");
    assert_eq!(functions::call::<_, f64>("math/none", &3).unwrap_err().code(), "functions.notFound");
}

#[test]
fn configuration_is_read_required_and_parsed() {
    testing::config("limit", "20");
    testing::config("colour", "red");
    assert_eq!(config::get("limit").unwrap().as_deref(), Some("20"));
    assert_eq!(config::get("none").unwrap(), None);
    assert_eq!(config::require::<u32>("limit"), Ok(20));
    assert!(config::require::<u32>("colour").unwrap_err().to_string().contains("`colour`"));
    assert!(config::require::<u32>("none").unwrap_err().to_string().contains("[service.NAME.config]"));
    assert_eq!(config::all().unwrap().len(), 2);
}

#[test]
fn a_store_holds_bytes_json_and_counters() {
    let store = kv::open().unwrap();
    store.set("a", b"1").unwrap();
    store.set_json("b", &json!({ "x": 1 })).unwrap();
    assert_eq!(store.get("a").unwrap().unwrap(), b"1");
    assert_eq!(store.get_json::<Value>("b").unwrap(), Some(json!({ "x": 1 })));
    assert!(store.get_json::<u32>("b").unwrap_err().to_string().contains("`b`"));
    assert_eq!((store.increment("n", 2).unwrap(), store.increment("n", 3).unwrap()), (2, 5));
    assert!(store.increment("b", 1).is_err());
    assert_eq!(store.keys().unwrap(), ["a", "b", "n"]);
    let found = store.get_many(&["a".into(), "zzz".into()]).unwrap();
    assert_eq!(found, [("a".to_owned(), b"1".to_vec())]);
    store.set_many(&[("c".into(), b"3".to_vec())]).unwrap();
    store.delete_many(&["a".into(), "b".into()]).unwrap();
    store.delete("n").unwrap();
    assert_eq!((store.keys().unwrap(), store.exists("c").unwrap()), (vec!["c".to_owned()], true));
}

#[test]
fn a_request_is_built_and_its_answer_read() {
    testing::http(|request| {
        assert_eq!((request.method(), request.url()), ("POST", "https://api.example.com/x"));
        assert_eq!(request.body_bytes(), br#"{"a":1}"#);
        Ok(http::Response::new(503, "later"))
    });
    let request = || http::Request::post("https://api.example.com/x").json(&json!({ "a": 1 }));
    let answer = request().timeout(Duration::from_secs(1)).send().unwrap();
    assert_eq!((answer.status(), answer.text().unwrap()), (503, "later"));
    assert_eq!(answer.clone().ok().unwrap_err(), http::Error::Status(503));
    assert!(matches!(answer.json::<Value>(), Err(http::Error::Body(_))));
    assert!(matches!(http::get("example.com"), Err(http::Error::Url(_))));
    let unsendable = std::collections::BTreeMap::from([((1, 2), 3)]);
    assert!(matches!(
        http::Request::post("https://a.example").json(&unsendable).send(),
        Err(http::Error::Body(_))
    ));
}

#[test]
fn a_throttle_sends_at_its_size_at_its_interval_and_at_its_end() {
    let ctx = testing::call().build();
    testing::set_now(Duration::from_secs(100));
    let mut throttle = StreamThrottle::new(&ctx, "text").flush_at_chars(5);
    throttle.push("ab");
    assert!(testing::streamed::<Value>().is_empty());
    throttle.push("cdé");
    assert_eq!(testing::streamed::<Value>(), [json!({ "text": "abcdé" })]);
    // The interval begins with what waits, not with what was sent before.
    testing::set_now(Duration::from_millis(100_040));
    throttle.push("f");
    testing::set_now(Duration::from_millis(100_080));
    throttle.push("g");
    assert!(testing::streamed::<Value>().is_empty());
    testing::set_now(Duration::from_millis(100_090));
    throttle.push("");
    assert_eq!(testing::streamed::<Value>(), [json!({ "text": "fg" })]);
    throttle.push("h");
    drop(throttle);
    assert_eq!(testing::streamed::<Value>(), [json!({ "text": "h" })]);
}

#[test]
fn a_throttle_sends_to_the_room_forgets_and_knows_no_time_when_told_so() {
    let ctx = testing::call().room("lobby").build();
    testing::set_now(Duration::from_secs(100));
    let mut throttle = StreamThrottle::to("chunk", |chunk| ctx.broadcast(chunk)).flush_every(None);
    throttle.push("forgotten");
    throttle.reset();
    throttle.push(&"x".repeat(31));
    testing::set_now(Duration::from_secs(200));
    throttle.push("");
    assert!(testing::broadcasts::<Value>().is_empty());
    throttle.push("y");
    assert_eq!(testing::broadcasts::<Value>(), [json!({ "chunk": "x".repeat(31) + "y" })]);
    assert!(throttle.flush() && testing::streamed::<Value>().is_empty());
}

#[test]
fn an_error_tells_its_whole_chain_to_the_log_only() {
    let inner = std::io::Error::other("disk is gone");
    let error: HandlerError = std::io::Error::other(inner).into();
    assert_eq!(error.code(), "api.internalServerError");
    assert!(error.to_string().contains("disk is gone"));
    assert_eq!(error.params().count(), 0);
}

#[test]
fn random_bytes_fill_what_is_asked_for() {
    let mut buffer = [0_u8; 33];
    random::fill(&mut buffer);
    assert!(buffer.iter().any(|&byte| byte != 0));
    assert_ne!(random::bytes(16), random::bytes(16));
    assert!(time::now_ms() > 1_700_000_000_000);
}

#[test]
fn the_callers_session_is_changed_and_ended() {
    let ctx = testing::call().user(&json!({ "id": "u1", "cart": [1] })).build();
    assert_eq!(ctx.update_session(&json!({})).unwrap_err().code(), "session.notFound", "it is not live");
    testing::live(&ctx);
    let error = ctx.update_session(&json!({ "step": 2 })).unwrap_err();
    assert_eq!((error.code(), error.http_status()), ("session.fieldNotAllowed", Some(403)));
    testing::session_fields(&["cart", "step"]);
    let session = ctx.update_session(&json!({ "step": 2, "cart": null })).unwrap();
    assert_eq!(session.user_as::<Value>().unwrap(), json!({ "id": "u1", "step": 2 }));
    let token = &ctx.caller().session.as_ref().unwrap().token;
    assert_eq!(luckystack::session::get(token).unwrap().user, session.user);
    assert!(ctx.end_session() && !ctx.end_session());
    assert!(luckystack::session::get(token).is_none());

    let anonymous = testing::call().build();
    assert_eq!(anonymous.update_session(&json!({})).unwrap_err().code(), "auth.required");
    assert!(!anonymous.end_session());
}

#[test]
fn accounts_are_known_changed_and_decided_about() {
    use luckystack::testing::AccountAct;
    assert_eq!(accounts::get("u1").unwrap(), None);
    assert_eq!(accounts::update("u1", &json!({ "name": "x" })).unwrap_err().code(), "account.notFound");
    testing::account(&json!({ "id": "u1", "name": "Ada", "theme": "dark" }));
    let _ = testing::account_acts();
    let record = accounts::update("u1", &json!({ "name": "Grace", "theme": null })).unwrap();
    assert_eq!(record, json!({ "id": "u1", "name": "Grace" }));
    assert_eq!(accounts::get("u1").unwrap(), Some(record));
    for field in ["id", "email", "provider", "password", "totpSecret", "recoveryCodes"] {
        let error = accounts::update("u1", &json!({ (field): "x" })).unwrap_err();
        assert_eq!(error.code(), "account.fieldNotAllowed", "{field}");
    }
    accounts::change_password("u1", None, "new", Some("t")).unwrap();
    let fields = json!({ "name": "Grace", "theme": null });
    let (id, new, keep) = ("u1".to_owned(), "new".to_owned(), Some("t".to_owned()));
    let expected = [
        AccountAct::Update { id: id.clone(), fields },
        AccountAct::ChangePassword { id, current: None, new, keep },
    ];
    assert_eq!(testing::account_acts(), expected);
    testing::accounts(|_| Err(error!("login.wrongPassword")));
    assert_eq!(accounts::check_password("u1", "x").unwrap_err().code(), "login.wrongPassword");
    assert_eq!(accounts::delete("u1").unwrap_err().code(), "login.wrongPassword");
    assert!(accounts::get("u1").unwrap().is_some(), "what was refused did not happen");
}

#[test]
fn uploads_have_the_hosts_names() {
    uploads::put("u1.webp", b"one").unwrap();
    uploads::put("u1.webp", b"two").unwrap();
    assert_eq!(testing::uploaded("u1.webp").unwrap(), b"two");
    for name in ["../u1.webp", "u1", "u1.exe", ".webp", "a b.png"] {
        assert_eq!(uploads::put(name, b"x").unwrap_err().code(), "uploads.invalidName", "{name}");
        assert_eq!(uploads::remove(name).unwrap_err().code(), "uploads.invalidName", "{name}");
    }
    assert!(uploads::remove("u1.webp").unwrap() && !uploads::remove("u1.webp").unwrap());
}
