//! Sessions, accounts and uploads, asked for by real components.

#![allow(clippy::unwrap_used, reason = "a failed test is a panic")]

mod support;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use luckystack_capabilities::accounts::AccountAccess;
use luckystack_capabilities::session::SessionAccess;
use luckystack_capabilities::uploads::FileUploads;
use luckystack_capabilities::{Answer, Options};
use luckystack_plugins::error::Stage;
use luckystack_plugins::{CallContext, CallError, HandlerError, Session};
use luckystack_topology::ServiceSettings;
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use tokio::sync::Notify;

use support::{Host, call, run};

/// Sessions in memory.
#[derive(Default)]
struct Sessions {
    live: Mutex<HashMap<String, Arc<Session>>>,
    /// A hook that refuses every end.
    vetoes: bool,
}

fn session(token: &str, user: &Value) -> Arc<Session> {
    Arc::new(Session::read(token, Bytes::from(user.to_string())).unwrap())
}

impl Sessions {
    fn of(sessions: &[(&str, &str)]) -> Self {
        let live =
            sessions.iter().map(|(token, id)| ((*token).to_owned(), session(token, &json!({ "id": id }))));
        Sessions { live: Mutex::new(live.collect()), ..Sessions::default() }
    }

    fn user(&self, token: &str) -> Value {
        Value::Object(self.live.lock()[token].fields().clone())
    }
}

impl SessionAccess for Sessions {
    fn get<'a>(&'a self, token: &'a str) -> Answer<'a, Option<Arc<Session>>> {
        Box::pin(async { Ok(self.live.lock().get(token).cloned()) })
    }

    fn update<'a>(
        &'a self,
        token: &'a str,
        change: &'a mut (dyn FnMut(&mut Map<String, Value>) + Send),
    ) -> Answer<'a, Option<Arc<Session>>> {
        Box::pin(async move {
            let mut live = self.live.lock();
            let Some(before) = live.get(token) else { return Ok(None) };
            let mut fields = before.fields().clone();
            change(&mut fields);
            // As when somebody else was faster: it is asked again.
            fields.clone_from(before.fields());
            change(&mut fields);
            let after = session(token, &Value::Object(fields));
            live.insert(token.to_owned(), Arc::clone(&after));
            Ok(Some(after))
        })
    }

    fn end<'a>(&'a self, token: &'a str) -> Answer<'a, bool> {
        Box::pin(async move {
            if self.vetoes {
                return Err(HandlerError::new("billing.unpaid", 403));
            }
            Ok(self.live.lock().remove(token).is_some())
        })
    }
}

/// `g…`: gets a session. `e…`: ends one. `u…|{…}`: updates one. Errors are its own.
const SESSIONS: &str = r#"
    (import "luckystack:plugin/session-api@0.1.0" "get" (func $get (param i32 i32 i32)))
    (import "luckystack:plugin/session-api@0.1.0" "update" (func $update (param i32 i32 i32 i32 i32)))
    (import "luckystack:plugin/session-api@0.1.0" "end" (func $end (param i32 i32) (result i32)))
    ;; end of imports
    (func $run (param $args i32) (param $len i32) (result i32)
        (local $kind i32) (local $at i32)
        (local.set $kind (i32.load8_u (local.get $args)))
        (local.set $args (i32.add (local.get $args) (i32.const 1)))
        (local.set $len (i32.sub (local.get $len) (i32.const 1)))
        (if (i32.eq (local.get $kind) (i32.const 103))
            (then
                (call $get (local.get $args) (local.get $len) (i32.const 32))
                (return (if (result i32) (i32.load8_u (i32.const 32))
                    (then (call $ok (i32.load (i32.const 44)) (i32.load (i32.const 48))))
                    (else (call $none))))))
        (if (i32.eq (local.get $kind) (i32.const 101))
            (then (return (call $bool (call $end (local.get $args) (local.get $len))))))
        (loop $search
            (if (i32.ne (i32.load8_u (i32.add (local.get $args) (local.get $at))) (i32.const 124))
                (then (local.set $at (i32.add (local.get $at) (i32.const 1))) (br $search))))
        (call $update
            (local.get $args) (local.get $at)
            (i32.add (i32.add (local.get $args) (local.get $at)) (i32.const 1))
            (i32.sub (i32.sub (local.get $len) (local.get $at)) (i32.const 1))
            (i32.const 32))
        (if (i32.load8_u (i32.const 32)) (then (return (i32.const 32))))
        (call $ok (i32.load (i32.const 44)) (i32.load (i32.const 48))))
"#;

fn by(session: Option<&Arc<Session>>) -> Arc<CallContext> {
    let mut call = call();
    call.caller.session = session.cloned();
    Arc::new(call)
}

fn host(sessions: &Arc<Sessions>) -> Host {
    Host::with(Options { sessions: Some(Arc::clone(sessions) as _), ..Options::default() })
}

fn declaring(fields: &[&str]) -> ServiceSettings {
    let session_fields = fields.iter().map(|field| (*field).to_owned()).collect();
    ServiceSettings { session_fields, ..ServiceSettings::default() }
}

type Plugin = Arc<luckystack_plugins::Plugin>;

async fn says(plugin: &Plugin, call: &Arc<CallContext>, args: &str) -> String {
    match run(plugin, call, args).await.unwrap() {
        Ok(answer) => String::from_utf8(answer).unwrap(),
        Err(error) => format!("{} {}", error.error_code, error.http_status.unwrap_or_default()),
    }
}

#[tokio::test]
async fn a_guest_reads_the_sessions_of_its_callers_user_and_no_others() {
    let sessions = Arc::new(Sessions::of(&[("mine", "u1"), ("my-phone", "u1"), ("theirs", "u2")]));
    let own = Arc::clone(&sessions.live.lock()["mine"]);
    let host = host(&sessions);
    let plugin = host.plugin("reads", ServiceSettings::default(), SESSIONS).await;
    let caller = by(Some(&own));
    assert_eq!(says(&plugin, &caller, "gmine").await, "{\"id\":\"u1\"}");
    assert_eq!(says(&plugin, &caller, "gmy-phone").await, "{\"id\":\"u1\"}");
    assert_eq!(says(&plugin, &caller, "gtheirs").await, "none");
    assert_eq!(says(&plugin, &caller, "gnobodys").await, "none");
    assert_eq!(says(&plugin, &by(None), "gmine").await, "none", "an anonymous caller has none");
    sessions.live.lock().remove("mine");
    assert_eq!(says(&plugin, &caller, "gmine").await, "none", "it has ended since the call began");

    let mut granted = ServiceSettings::default();
    granted.grants.sessions = true;
    let admin = host.plugin("admin", granted, SESSIONS).await;
    assert_eq!(says(&admin, &caller, "gtheirs").await, "{\"id\":\"u2\"}");
    assert_eq!(says(&admin, &by(None), "gtheirs").await, "{\"id\":\"u2\"}");
}

#[tokio::test]
async fn a_guest_sets_the_declared_fields_of_its_callers_session() {
    let sessions = Arc::new(Sessions::of(&[("mine", "u1"), ("theirs", "u2")]));
    let own = Arc::clone(&sessions.live.lock()["mine"]);
    let host = host(&sessions);
    let plugin = host.plugin("sets", declaring(&["cart", "step"]), SESSIONS).await;
    let caller = by(Some(&own));
    let set = says(&plugin, &caller, "umine|{\"cart\": [\"wheel\"], \"step\": 2}").await;
    let expected = json!({ "id": "u1", "cart": ["wheel"], "step": 2 });
    assert_eq!(serde_json::from_str::<Value>(&set).unwrap(), expected);
    assert_eq!(sessions.user("mine"), expected);
    says(&plugin, &caller, "umine|{\"cart\": null}").await;
    assert_eq!(sessions.user("mine"), json!({ "id": "u1", "step": 2 }));

    let large = format!("umine|{{\"cart\":\"{}\"}}", "x".repeat(64 << 10));
    let nearly = format!("umine|{{\"cart\":\"{}\"}}", "x".repeat(40 << 10));
    for (args, answer) in [
        ("umine|{\"admin\": true}", "session.fieldNotAllowed 403"),
        ("umine|{\"id\": \"u2\"}", "session.fieldNotAllowed 403"),
        ("umine|[1]", "session.invalidFields 400"),
        ("umine|{", "session.invalidFields 400"),
        ("utheirs|{\"step\": 3}", "session.notFound 404"),
        ("unobodys|{\"step\": 3}", "session.notFound 404"),
        (&large, "session.tooLarge 413"),
    ] {
        assert_eq!(says(&plugin, &caller, args).await, answer, "{args:.40}");
    }
    assert_eq!(says(&plugin, &by(None), "umine|{\"step\": 3}").await, "session.notFound 404");
    assert_eq!(sessions.user("mine"), json!({ "id": "u1", "step": 2 }), "nothing of it happened");
    assert_eq!(sessions.user("theirs"), json!({ "id": "u2" }));

    says(&plugin, &caller, &nearly).await;
    let more = nearly.replace("cart", "step");
    assert_eq!(
        says(&plugin, &caller, &more).await,
        "session.tooLarge 413",
        "the fields are bounded together"
    );
    assert_eq!(sessions.user("mine")["step"], 2);

    let mut granted = declaring(&["step"]);
    granted.grants.sessions = true;
    let admin = host.plugin("admin-sets", granted, SESSIONS).await;
    says(&admin, &by(None), "utheirs|{\"step\": 3}").await;
    assert_eq!(sessions.user("theirs"), json!({ "id": "u2", "step": 3 }));
    assert_eq!(says(&admin, &by(None), "utheirs|{\"cart\": 1}").await, "session.fieldNotAllowed 403");
}

#[tokio::test]
async fn a_guest_ends_the_sessions_of_its_callers_user_and_no_others() {
    let sessions = Arc::new(Sessions::of(&[("mine", "u1"), ("my-phone", "u1"), ("theirs", "u2")]));
    let own = Arc::clone(&sessions.live.lock()["mine"]);
    let host = host(&sessions);
    let plugin = host.plugin("ends", ServiceSettings::default(), SESSIONS).await;
    let caller = by(Some(&own));
    for (token, answer) in [
        ("etheirs", "false"),
        ("enobodys", "false"),
        ("emy-phone", "true"),
        ("emine", "true"),
        ("emine", "false"),
    ] {
        assert_eq!(says(&plugin, &caller, token).await, answer, "{token}");
    }
    assert_eq!(sessions.live.lock().keys().collect::<Vec<_>>(), ["theirs"]);
    let mut granted = ServiceSettings::default();
    granted.grants.sessions = true;
    let admin = host.plugin("admin-ends", granted, SESSIONS).await;
    assert_eq!(says(&admin, &by(None), "etheirs").await, "true");
}

#[tokio::test]
async fn a_session_whose_end_a_hook_refuses_goes_on() {
    let sessions = Arc::new(Sessions { vetoes: true, ..Sessions::of(&[("mine", "u1")]) });
    let own = Arc::clone(&sessions.live.lock()["mine"]);
    let plugin = host(&sessions).plugin("vetoed", ServiceSettings::default(), SESSIONS).await;
    assert_eq!(says(&plugin, &by(Some(&own)), "emine").await, "false");
    assert_eq!(sessions.user("mine"), json!({ "id": "u1" }));
}

#[tokio::test]
async fn without_login_a_guest_reads_what_came_with_the_call_and_changes_nothing() {
    let host = Host::start();
    let plugin = host.plugin("no-login", declaring(&["step"]), SESSIONS).await;
    let caller = by(Some(&session("mine", &json!({ "id": "u1" }))));
    assert_eq!(says(&plugin, &caller, "gmine").await, "{\"id\":\"u1\"}");
    assert_eq!(says(&plugin, &caller, "gother").await, "none");
    assert_eq!(says(&plugin, &caller, "umine|{\"step\": 1}").await, "auth.disabled 404");
    assert_eq!(says(&plugin, &caller, "emine").await, "false");
}

#[tokio::test]
async fn a_service_that_declares_a_field_of_the_framework_does_not_start() {
    let sessions = Arc::new(Sessions::default());
    let message = host(&sessions).try_service("greedy", declaring(&["cart", "csrfToken"])).unwrap_err();
    assert!(
        message.contains("greedy") && message.contains("`csrfToken` belongs to the framework"),
        "{message}"
    );
}

// ---------------------------------------------------------------------------------------------

/// Remembers what it is asked; knows the user `u1`.
#[derive(Default)]
struct Accounts {
    asked: Mutex<Vec<String>>,
    /// When set, deleting begins, waits for the second, and tells the third.
    slow: Option<(Notify, Notify, Notify)>,
}

impl Accounts {
    fn note<T: Send + 'static>(&self, what: String, answer: Result<T, HandlerError>) -> Answer<'_, T> {
        self.asked.lock().push(what);
        Box::pin(std::future::ready(answer))
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock())
    }
}

impl AccountAccess for Accounts {
    fn get<'a>(&'a self, user_id: &'a str) -> Answer<'a, Option<Map<String, Value>>> {
        let record = json!({ "id": "u1" }).as_object().cloned();
        self.note(format!("get {user_id}"), Ok(record.filter(|_| user_id == "u1")))
    }
    fn update<'a>(&'a self, user_id: &'a str, changes: Map<String, Value>) -> Answer<'a, Map<String, Value>> {
        let what = format!("update {user_id} {}", Value::Object(changes.clone()));
        self.note(what, Ok(changes))
    }
    fn check_password<'a>(&'a self, user_id: &'a str, password: &'a str) -> Answer<'a, ()> {
        let wrong = Err(HandlerError::new("login.wrongPassword", 400));
        self.note(format!("check {user_id} {password}"), if password == "right" { Ok(()) } else { wrong })
    }
    fn change_password<'a>(
        &'a self,
        user_id: &'a str,
        current: Option<&'a str>,
        new: &'a str,
        keep: Option<&'a str>,
    ) -> Answer<'a, ()> {
        self.note(format!("change {user_id} {current:?} {new} {keep:?}"), Ok(()))
    }
    fn request_password_reset<'a>(&'a self, email: &'a str, ip: &'a str) -> Answer<'a, ()> {
        self.note(format!("reset? {email} {ip}"), Ok(()))
    }
    fn complete_password_reset<'a>(&'a self, token: &'a str, new: &'a str) -> Answer<'a, ()> {
        self.note(format!("reset! {token} {new}"), Ok(()))
    }
    fn request_email_change<'a>(&'a self, user_id: &'a str, email: &'a str) -> Answer<'a, ()> {
        self.note(format!("email? {user_id} {email}"), Ok(()))
    }
    fn confirm_email_change<'a>(&'a self, token: &'a str) -> Answer<'a, ()> {
        self.note(format!("email! {token}"), Ok(()))
    }
    fn delete<'a>(&'a self, user_id: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            if let Some((begun, go_on, done)) = &self.slow {
                begun.notify_one();
                go_on.notified().await;
                self.asked.lock().push(format!("delete {user_id}"));
                done.notify_one();
            } else {
                self.asked.lock().push(format!("delete {user_id}"));
            }
            Ok(())
        })
    }
}

/// The first character chooses the function, the rest is its user or token; `u` sets the rest for `u1`.
const ACCOUNTS: &str = r#"
    (import "luckystack:plugin/accounts@0.1.0" "get" (func $get (param i32 i32 i32)))
    (import "luckystack:plugin/accounts@0.1.0" "update" (func $update (param i32 i32 i32 i32 i32)))
    (import "luckystack:plugin/accounts@0.1.0" "check-password" (func $check (param i32 i32 i32 i32 i32)))
    (import "luckystack:plugin/accounts@0.1.0" "change-password"
        (func $change (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
    (import "luckystack:plugin/accounts@0.1.0" "request-password-reset" (func $ask-reset (param i32 i32 i32 i32 i32)))
    (import "luckystack:plugin/accounts@0.1.0" "complete-password-reset" (func $reset (param i32 i32 i32 i32 i32)))
    (import "luckystack:plugin/accounts@0.1.0" "request-email-change" (func $ask-email (param i32 i32 i32 i32 i32)))
    (import "luckystack:plugin/accounts@0.1.0" "confirm-email-change" (func $email (param i32 i32 i32)))
    (import "luckystack:plugin/accounts@0.1.0" "delete" (func $delete (param i32 i32 i32)))
    ;; end of imports
    (data (i32.const 4096) "u1rightnew")
    (func $outcome (result i32)
        (if (i32.load8_u (i32.const 32)) (then (return (i32.const 32))))
        (call $none))
    (func $run (param $args i32) (param $len i32) (result i32)
        (local $kind i32)
        (local.set $kind (i32.load8_u (local.get $args)))
        (local.set $args (i32.add (local.get $args) (i32.const 1)))
        (local.set $len (i32.sub (local.get $len) (i32.const 1)))
        (if (i32.eq (local.get $kind) (i32.const 103)) ;; g
            (then
                (call $get (local.get $args) (local.get $len) (i32.const 32))
                (if (i32.load8_u (i32.const 32)) (then (return (i32.const 32))))
                (return (if (result i32) (i32.load8_u (i32.const 36))
                    (then (call $ok (i32.load (i32.const 40)) (i32.load (i32.const 44))))
                    (else (call $none))))))
        (if (i32.eq (local.get $kind) (i32.const 117)) ;; u
            (then
                (call $update (i32.const 4096) (i32.const 2) (local.get $args) (local.get $len) (i32.const 32))
                (if (i32.load8_u (i32.const 32)) (then (return (i32.const 32))))
                (return (call $ok (i32.load (i32.const 36)) (i32.load (i32.const 40))))))
        (if (i32.eq (local.get $kind) (i32.const 112)) ;; p
            (then (call $check (i32.const 4096) (i32.const 2) (local.get $args) (local.get $len) (i32.const 32))))
        (if (i32.eq (local.get $kind) (i32.const 99)) ;; c
            (then (call $change (local.get $args) (local.get $len)
                (i32.const 1) (i32.const 4098) (i32.const 5) (i32.const 4103) (i32.const 3)
                (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 32))))
        (if (i32.eq (local.get $kind) (i32.const 114)) ;; r
            (then (call $ask-reset (local.get $args) (local.get $len) (i32.const 4096) (i32.const 2) (i32.const 32))))
        (if (i32.eq (local.get $kind) (i32.const 82)) ;; R
            (then (call $reset (local.get $args) (local.get $len) (i32.const 4103) (i32.const 3) (i32.const 32))))
        (if (i32.eq (local.get $kind) (i32.const 101)) ;; e
            (then (call $ask-email (i32.const 4096) (i32.const 2) (local.get $args) (local.get $len) (i32.const 32))))
        (if (i32.eq (local.get $kind) (i32.const 69)) ;; E
            (then (call $email (local.get $args) (local.get $len) (i32.const 32))))
        (if (i32.eq (local.get $kind) (i32.const 100)) ;; d
            (then (call $delete (local.get $args) (local.get $len) (i32.const 32))))
        (call $outcome))
"#;

fn trusted() -> ServiceSettings {
    let mut settings = ServiceSettings::default();
    settings.grants.accounts = true;
    settings
}

fn host_of(accounts: &Arc<Accounts>) -> Host {
    Host::with(Options { accounts: Some(Arc::clone(accounts) as _), ..Options::default() })
}

#[tokio::test]
async fn what_a_guest_asks_of_accounts_arrives_and_is_answered() {
    let accounts = Arc::new(Accounts::default());
    let plugin = host_of(&accounts).plugin("settings", trusted(), ACCOUNTS).await;
    for (args, asked, answer) in [
        ("gu1", "get u1", "{\"id\":\"u1\"}"),
        ("gu2", "get u2", "none"),
        ("u{\"name\": \"Ada\"}", "update u1 {\"name\":\"Ada\"}", "{\"name\":\"Ada\"}"),
        ("pright", "check u1 right", "none"),
        ("pwrong", "check u1 wrong", "login.wrongPassword 400"),
        ("cu1", "change u1 Some(\"right\") new None", "none"),
        ("ra@b.c", "reset? a@b.c u1", "none"),
        ("Rtoken", "reset! token new", "none"),
        ("ea@b.c", "email? u1 a@b.c", "none"),
        ("Etoken", "email! token", "none"),
        ("du1", "delete u1", "none"),
    ] {
        assert_eq!(says(&plugin, &by(None), args).await, answer, "{args}");
        assert_eq!(accounts.asked(), [asked], "{args}");
    }
    let large = format!("u{{\"name\":\"{}\"}}", "x".repeat(64 << 10));
    for (args, answer) in [
        ("u[1]", "account.invalidFields 400"),
        ("u{\"a\":", "account.invalidFields 400"),
        (&large, "account.tooLarge 413"),
    ] {
        assert_eq!(says(&plugin, &by(None), args).await, answer, "{args:.20}");
        assert_eq!(accounts.asked(), [""; 0], "{args:.20}");
    }
}

#[tokio::test]
async fn without_login_there_are_no_accounts() {
    let plugin = Host::start().plugin("no-accounts", trusted(), ACCOUNTS).await;
    for args in ["gu1", "u{}", "pright", "cu1", "ra@b.c", "Rtoken", "ea@b.c", "Etoken", "du1"] {
        assert_eq!(says(&plugin, &by(None), args).await, "auth.disabled 404", "{args}");
    }
}

#[tokio::test]
async fn a_change_of_an_account_outlives_the_deadline_of_its_call() {
    let accounts = Arc::new(Accounts { slow: Some(Default::default()), ..Accounts::default() });
    let plugin = host_of(&accounts).plugin("slow", trusted(), ACCOUNTS).await;
    let ended =
        CallContext::new("api/svc/run/v1".into(), call().caller, Instant::now() + Duration::from_millis(300));
    let (begun, go_on, done) = accounts.slow.as_ref().unwrap();
    match run(&plugin, &Arc::new(ended), "du1").await {
        Err(CallError::Timeout(_)) => {}
        other => panic!("{other:?}"),
    }
    begun.notified().await;
    assert_eq!(accounts.asked(), [""; 0]);
    go_on.notify_one();
    done.notified().await;
    assert_eq!(accounts.asked(), ["delete u1"]);
}

#[tokio::test]
async fn accounts_and_uploads_that_were_not_granted_are_refused_at_load() {
    let host = Host::start();
    for (service, guest, grant) in [("no-accounts", ACCOUNTS, "accounts"), ("no-uploads", UPLOADS, "uploads")]
    {
        let error = host.load(&host.service(service, ServiceSettings::default()), guest).await.unwrap_err();
        assert_eq!(error.stage, Stage::Link);
        assert!(error.message.contains(&format!("was not granted {grant}")), "{error}");
        let remedy = format!("add `{grant} = true` under [service.{service}.grants]");
        assert!(error.remedy.contains(&remedy), "{error}");
    }
}

// ---------------------------------------------------------------------------------------------

/// `r…`: takes a file down. Else: puts the file of that name up, and its name into it.
const UPLOADS: &str = r#"
    (import "luckystack:plugin/uploads@0.1.0" "put" (func $put (param i32 i32 i32 i32 i32)))
    (import "luckystack:plugin/uploads@0.1.0" "remove" (func $remove (param i32 i32 i32)))
    ;; end of imports
    (func $run (param $args i32) (param $len i32) (result i32)
        (if (i32.eq (i32.load8_u (local.get $args)) (i32.const 114))
            (then
                (call $remove (i32.add (local.get $args) (i32.const 1)) (i32.sub (local.get $len) (i32.const 1))
                    (i32.const 32))
                (if (i32.load8_u (i32.const 32)) (then (return (i32.const 32))))
                (return (call $bool (i32.load8_u (i32.const 36))))))
        (call $put (local.get $args) (local.get $len) (local.get $args) (local.get $len) (i32.const 32))
        (if (i32.load8_u (i32.const 32)) (then (return (i32.const 32))))
        (call $none))
"#;

#[tokio::test]
async fn a_guest_puts_files_up_and_takes_them_down() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(FileUploads::new(dir.path(), 10, ["webp".to_owned()]));
    let host = Host::with(Options { uploads: Some(store), ..Options::default() });
    let mut settings = ServiceSettings::default();
    settings.grants.uploads = true;
    let plugin = host.plugin("avatars", settings.clone(), UPLOADS).await;
    for (args, answer) in [
        ("u1.webp", "none"),
        ("u1.webp", "none"),
        ("u1.png", "uploads.invalidName 400"),
        ("../x.webp", "uploads.invalidName 400"),
        ("user12.webp", "uploads.tooLarge 413"),
        ("ru2.webp", "false"),
        ("r../u1.webp", "uploads.invalidName 400"),
    ] {
        assert_eq!(says(&plugin, &by(None), args).await, answer, "{args}");
    }
    assert_eq!(std::fs::read(dir.path().join("u1.webp")).unwrap(), b"u1.webp");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    assert_eq!(says(&plugin, &by(None), "ru1.webp").await, "true");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);

    let nowhere = Host::start().plugin("nowhere", settings, UPLOADS).await;
    assert_eq!(says(&nowhere, &by(None), "u1.webp").await, "uploads.unavailable 500");
}
