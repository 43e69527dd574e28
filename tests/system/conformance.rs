//! One suite of handlers, in every language, driven by the same tests. `tests/conformance/` holds the
//! handlers; the table of results is in `sdk/README.md`.

use luckystack_devkit::Language;
use luckystack_tests::guests::Guest;
use luckystack_tests::languages::conformance;
use luckystack_tests::{Answer, Call, Host};
use serde_json::{Value, json};

use crate::project;

mod sync;

use sync::{sync_cancel, sync_halves, sync_wrong_input};

/// A promise of the suite, and a check of it.
type Case = (&'static str, for<'a> fn(&'a Host) -> std::pin::Pin<Box<dyn Future<Output = ()> + 'a>>);

macro_rules! cases {
    ($($name:ident),* $(,)?) => { [$((stringify!($name), |host| Box::pin($name(host)))),*] };
}

const SUITE: [Case; 21] = cases![
    echo,
    typed_input,
    wrong_input_is_refused,
    error_with_params,
    streaming,
    session_read,
    session_by_token,
    session_update,
    session_field_refused,
    session_end,
    account,
    upload,
    function_call,
    function_provided,
    hook,
    log,
    sync_halves,
    sync_wrong_input,
    sync_cancel,
    trap,
    slow_call,
];

async fn call(host: &Host, name: &str, input: Value) -> Answer {
    host.post(&format!("/api/conformance/{name}/v1"), &input).await
}

async fn echo(host: &Host) {
    for value in [
        json!(null),
        json!(true),
        json!(-1.5),
        json!("ä € 😀 \" \\ \n \u{1}"),
        json!([1, [2, {}]]),
        json!({"a": {"b": [null]}, "": 0}),
        json!("x".repeat(100_000)),
        json!(9_007_199_254_740_991_i64),
    ] {
        assert_eq!(call(host, "echo", json!({ "value": value })).await.result(), value);
    }
}

async fn typed_input(host: &Host) {
    let answer =
        call(host, "typed", json!({"name": "Ada", "count": 3, "tags": ["x", "y"], "mode": "fast"})).await;
    assert_eq!(answer.result(), json!({"text": "Ada x3 fast", "tags": 2}));
    let answer = call(host, "typed", json!({"name": "Bo", "count": 0, "mode": "slow"})).await;
    assert_eq!(answer.result(), json!({"text": "Bo x0 slow", "tags": 0}));
}

async fn wrong_input_is_refused(host: &Host) {
    let good = json!({"name": "Ada", "count": 3, "tags": ["x"], "mode": "fast"});
    for (key, value) in [
        ("name", json!(1)),
        ("name", json!(null)),
        ("count", json!("3")),
        ("count", json!(null)),
        ("tags", json!("x")),
        ("tags", json!([1])),
        ("tags", json!(null)),
        ("mode", json!("medium")),
        ("extra", json!(1)),
        ("__proto__", json!({})),
    ] {
        let mut input = good.clone();
        input[key] = value;
        call(host, "typed", input).await.assert_error(400, "api.invalidInputType");
    }
    for key in ["name", "count", "mode"] {
        let mut input = good.clone();
        input.as_object_mut().unwrap().remove(key);
        call(host, "typed", input).await.assert_error(400, "api.invalidInputType");
    }
}

async fn error_with_params(host: &Host) {
    let answer = call(host, "fail", json!({"id": "v\"1"})).await;
    answer.assert_error(404, "conformance.notFound");
    assert_eq!(answer.param("id"), "v\"1");
}

async fn streaming(host: &Host) {
    let request = Call::post("/api/conformance/count/v1").json(&json!({"to": 5}));
    let mut events = host.connect().await.stream(request).await.rest().await;
    let last = events.pop().unwrap();
    assert_eq!((&*last.name, &last.data["result"]), ("final", &json!({"sent": 5})), "{}", last.data);
    let steps: Vec<_> = events.iter().map(|event| event.data["step"].as_f64().unwrap()).collect();
    assert_eq!(steps, [1.0, 2.0, 3.0, 4.0, 5.0]);
}

async fn session_read(host: &Host) {
    let call = Call::get("/api/conformance/whoami/v1").header("accept-language", "nl-BE");
    assert_eq!(host.send(call).await.result(), json!({"userId": null, "language": "nl"}));
}

/// A user who has just registered, and is signed in.
struct User {
    id: Value,
    token: String,
}

impl User {
    async fn register(host: &Host, name: &str) -> User {
        let request =
            Call::post("/auth/api/credentials").header("x-session-based-token", "true").json(&json!({
                "email": format!("{name}@people.example"),
                "password": PASSWORD,
                "confirmPassword": PASSWORD,
                "name": name,
            }));
        let answer = host.send(request).await;
        let body = answer.json();
        assert_eq!((&body["status"], &body["authenticated"]), (&json!(true), &json!(true)), "{body}");
        let token = answer.headers.get("x-session-token").expect("the answer brings no token");
        User { id: body["session"]["id"].clone(), token: token.to_str().unwrap().to_owned() }
    }

    async fn call(&self, host: &Host, name: &str, input: Value) -> Answer {
        let call = Call::post(&format!("/api/conformance/{name}/v1"));
        host.send(call.header("authorization", &format!("Bearer {}", self.token)).json(&input)).await
    }

    /// What a handler sees of the session behind a token, and of the caller's.
    async fn read(&self, host: &Host, token: &str) -> Value {
        self.call(host, "readSession", json!({ "token": token })).await.result()
    }
}

const PASSWORD: &str = "correct horse battery";
const NOTHING: Value = Value::Null;

async fn session_by_token(host: &Host) {
    let ada = User::register(host, "ada").await;
    let bea = User::register(host, "bea").await;
    assert!(ada.id.is_string() && ada.id != bea.id, "{} and {}", ada.id, bea.id);
    for (user, token, id) in [
        (&ada, &*ada.token, &ada.id),
        (&bea, &*bea.token, &bea.id),
        (&ada, &*bea.token, &NOTHING),
        (&ada, "no such token", &NOTHING),
        (&ada, "", &NOTHING),
    ] {
        assert_eq!(user.read(host, token).await["userId"], *id);
    }
    let answer = call(host, "readSession", json!({ "token": ada.token })).await;
    assert_eq!(answer.result()["userId"], NOTHING, "a stranger reads Ada's session");
}

async fn session_update(host: &Host) {
    let user = User::register(host, "cleo").await;
    for theme in [json!("dark"), json!({"accent": ["ä", 1.5, null]}), NOTHING] {
        let input = json!({"key": "theme", "value": theme});
        assert_eq!(user.call(host, "setSession", input).await.result()["theme"], theme);
        let seen = user.read(host, &user.token).await;
        assert_eq!(seen, json!({"userId": user.id, "theme": theme, "own": theme}), "in the next call");
    }
}

async fn session_field_refused(host: &Host) {
    let user = User::register(host, "dora").await;
    user.call(host, "setSession", json!({"key": "theme", "value": "dark"})).await.result();
    for key in ["admin", "id", "csrfToken", "roomCodes"] {
        let answer = user.call(host, "setSession", json!({"key": key, "value": "mine"})).await;
        assert_eq!(answer.code(), "session.fieldNotAllowed", "{key}: {}", answer.text());
    }
    let seen = user.read(host, &user.token).await;
    assert_eq!(seen, json!({"userId": user.id, "theme": "dark", "own": "dark"}));
}

async fn session_end(host: &Host) {
    let user = User::register(host, "elsa").await;
    let answer = user.call(host, "endSession", json!({})).await;
    assert_eq!(answer.result(), json!({"ended": true, "again": false}));
    let seen = user.read(host, &user.token).await;
    assert_eq!(seen, json!({"userId": null, "theme": null, "own": null}));
    user.call(host, "endSession", json!({})).await.assert_error(401, "auth.required");
}

async fn account(host: &Host) {
    let user = User::register(host, "fay").await;
    let input =
        |password: &str| json!({"password": password, "newPassword": "staple in a stack", "name": "Fay F."});
    let answer = user.call(host, "account", input("a guess")).await;
    assert_eq!(answer.code(), "login.wrongPassword", "{}", answer.text());
    let answer = user.call(host, "account", input(PASSWORD)).await;
    assert_eq!(answer.result(), json!({"updated": "Fay F.", "name": "Fay F.", "nobody": null}));
    // The session went on, and the old password is gone.
    let answer = user.call(host, "account", input(PASSWORD)).await;
    assert_eq!(answer.code(), "login.wrongPassword", "{}", answer.text());
}

async fn upload(host: &Host) {
    let user = User::register(host, "gus").await;
    let text = "no picture, but \u{0} bytes \u{ff}";
    let answer = user.call(host, "upload", json!({"name": "../gus.webp", "text": text})).await;
    assert_eq!(answer.code(), "uploads.invalidName", "{}", answer.text());
    let file = json!({"name": "gus.webp", "text": text});
    user.call(host, "upload", file).await.result();
    let served = host.get("/uploads/gus.webp").await;
    assert_eq!((served.status, &*served.body), (200, text.as_bytes()));
    let answer = user.call(host, "removeUpload", json!({"name": "gus.webp"})).await;
    assert_eq!(answer.result(), json!({"removed": true, "again": false}));
    assert_eq!(host.get("/uploads/gus.webp").await.status, 404);
}

async fn function_call(host: &Host) {
    let input = json!({"from": [52.0, 4.0], "to": [52.0, 4.0]});
    assert_eq!(call(host, "distance", input).await.result()["km"].as_f64(), Some(0.0));
    let input = json!({"from": [52.0, 4.0], "to": [53.0, 4.0]});
    let km = call(host, "distance", input).await.result()["km"].as_f64().unwrap();
    assert!((110.0..113.0).contains(&km), "{km} km are no degree");
}

async fn function_provided(host: &Host) {
    let input = json!({"name": "conformance/double", "args": {"n": 21}});
    let answer = host.post("/api/relay/call/v1", &input).await;
    assert_eq!(answer.result()["n"].as_f64(), Some(42.0), "{}", answer.text());
}

async fn hook(host: &Host) {
    call(host, "echo", json!({"value": 1})).await;
    let line = host.wait_for_log("echo was called").await;
    assert!(line.contains("conformance"), "{line}");
}

async fn log(host: &Host) {
    call(host, "log", json!({"text": "a line of the log"})).await;
    let line = host.wait_for_log("a line of the log").await;
    assert!(line.contains("INFO") && line.contains("conformance"), "{line}");
}

async fn trap(host: &Host) {
    let answer = call(host, "crash", json!({})).await;
    assert_eq!(answer.status, 500, "{}", answer.text());
    assert_eq!(
        call(host, "echo", json!({"value": 2})).await.result(),
        2,
        "the next call gets a clean instance"
    );
}

async fn slow_call(host: &Host) {
    let answer = call(host, "spin", json!({})).await;
    answer.assert_error(504, "api.timeout");
    assert_eq!(call(host, "echo", json!({"value": 3})).await.result(), 3);
}

async fn conforms(language: Language) {
    let component = conformance(language);
    let host = project()
        .guest(Guest::Functions)
        .guest(Guest::Relay)
        .file("conformance", "conformance.wasm", &std::fs::read(component).unwrap())
        .service(
            "conformance",
            "deadline = \"3s\"\nmax_output = \"1MiB\"\nsession_fields = [\"theme\"]\n\
             grants.accounts = true\ngrants.uploads = true",
        )
        .settings("[rate_limiting]\nenabled = false\n\n[session]\nbased_token = true\n")
        .write("presets/locales/nl.json", "{}")
        .write("presets/locales/en.json", "{}")
        .start()
        .await;
    let mut failed = Vec::new();
    for (name, case) in SUITE {
        let outcome = futures::FutureExt::catch_unwind(std::panic::AssertUnwindSafe(case(&host))).await;
        if outcome.is_err() {
            failed.push(name);
        }
    }
    assert!(failed.is_empty(), "{language}: {failed:?}\n--- log\n{}", host.log());
}

#[tokio::test]
async fn rust_conforms() {
    conforms(Language::Rust).await;
}

#[tokio::test]
async fn typescript_conforms() {
    conforms(Language::TypeScript).await;
}

#[tokio::test]
async fn python_conforms() {
    conforms(Language::Python).await;
}

#[tokio::test]
async fn c_conforms() {
    conforms(Language::C).await;
}
