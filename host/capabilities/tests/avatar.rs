//! The example plugin `_account` under the limits that the example preset gives it.

#![allow(clippy::unwrap_used, reason = "a failed test is a panic")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use luckystack_capabilities::accounts::AccountAccess;
use luckystack_capabilities::uploads::FileUploads;
use luckystack_capabilities::{Answer, Options, all};
use luckystack_plugins::engine::EngineSettings;
use luckystack_plugins::{CallContext, Caller, HandlerError, Plugin, Runtime, Session, Transport};
use luckystack_tests::guests::{Guest, repository};
use luckystack_topology::{Overrides, ServiceSettings};
use parking_lot::Mutex;
use serde_json::{Map, Value, json};

/// 4096 by 3072 pixels of 16 bits: the largest picture that is taken, 96 MiB when it is decoded.
const LARGEST: &[u8] = include_bytes!("fixtures/largest-picture.png");

/// Remembers what is set; nothing else is asked of it here.
#[derive(Default)]
struct Accounts(Mutex<Map<String, Value>>);

fn unasked<T: Send + 'static>() -> Answer<'static, T> {
    Box::pin(std::future::ready(Err(HandlerError::new("test.unasked", 500))))
}

impl AccountAccess for Accounts {
    fn get<'a>(&'a self, _user_id: &'a str) -> Answer<'a, Option<Map<String, Value>>> {
        unasked()
    }
    fn update<'a>(&'a self, user_id: &'a str, changes: Map<String, Value>) -> Answer<'a, Map<String, Value>> {
        assert_eq!(user_id, "u1");
        self.0.lock().extend(changes);
        Box::pin(async { Ok(self.0.lock().clone()) })
    }
    fn check_password<'a>(&'a self, _user_id: &'a str, _password: &'a str) -> Answer<'a, ()> {
        unasked()
    }
    fn change_password<'a>(
        &'a self,
        _user_id: &'a str,
        _current: Option<&'a str>,
        _new: &'a str,
        _keep: Option<&'a str>,
    ) -> Answer<'a, ()> {
        unasked()
    }
    fn request_password_reset<'a>(&'a self, _email: &'a str, _ip: &'a str) -> Answer<'a, ()> {
        unasked()
    }
    fn complete_password_reset<'a>(&'a self, _token: &'a str, _new: &'a str) -> Answer<'a, ()> {
        unasked()
    }
    fn request_email_change<'a>(&'a self, _user_id: &'a str, _email: &'a str) -> Answer<'a, ()> {
        unasked()
    }
    fn confirm_email_change<'a>(&'a self, _token: &'a str) -> Answer<'a, ()> {
        unasked()
    }
    fn delete<'a>(&'a self, _user_id: &'a str) -> Answer<'a, ()> {
        unasked()
    }
}

/// What `presets/fleet.toml` says of the service `system`, with all the time that a busy machine needs.
fn settings() -> ServiceSettings {
    let loaded = luckystack_topology::load(&repository().join("presets"), &Overrides::default());
    let settings = loaded.topology.unwrap().service_settings("system").as_ref().clone();
    ServiceSettings { deadline: Duration::from_secs(120), ..settings }
}

async fn call(plugin: &Arc<Plugin>, image: &str) -> Result<Value, HandlerError> {
    let user = Session::read("token", Bytes::from_static(b"{\"id\":\"u1\"}")).unwrap();
    let caller = Caller {
        session: Some(Arc::new(user)),
        ip: "unknown".into(),
        language: "en".into(),
        request_id: "test".into(),
        traceparent: None,
        transport: Transport::Http,
    };
    let deadline = Instant::now() + Duration::from_secs(120);
    let call = CallContext::new("api/system/uploadAvatar/v1".into(), caller, deadline);
    let input = json!({ "image": image }).to_string();
    let answer =
        plugin.call_api(Arc::new(call), input.into()).await.unwrap_or_else(|error| panic!("{error}"));
    answer.map(|answer| serde_json::from_slice(&answer).unwrap())
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits =
            three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for at in 0..=three.len() {
            text.push(char::from(LETTERS[(bits >> (18 - 6 * at)) as usize & 63]));
        }
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_picture_becomes_an_avatar_within_the_limits_of_the_preset() {
    let dir = tempfile::tempdir().unwrap();
    let accounts = Arc::new(Accounts::default());
    let options = Options {
        accounts: Some(Arc::clone(&accounts) as _),
        uploads: Some(Arc::new(FileUploads::new(dir.path(), 512 << 10, ["webp".to_owned()]))),
        ..Options::default()
    };
    let engine = EngineSettings { max_instances: 4, ..EngineSettings::default() };
    let runtime = Arc::new(Runtime::start(&engine, all(options), None).unwrap());
    let service = runtime.service("system", Arc::new(settings())).unwrap();
    let component = Guest::Account.component();
    let (plugin, _) = runtime.load(&component, &service).await.unwrap_or_else(|error| panic!("{error}"));

    let image = format!("data:image/png;base64,{}", base64(LARGEST));
    for _ in 0..2 {
        let answer = call(&plugin, &image).await.unwrap_or_else(|error| panic!("{}", error.error_code));
        assert_eq!(answer, json!({ "status": "success", "result": { "avatar": "u1.webp" } }));
    }
    assert_eq!(*accounts.0.lock(), *json!({ "avatar": "u1.webp" }).as_object().unwrap());
    let webp = std::fs::read(dir.path().join("u1.webp")).unwrap();
    assert!(webp.starts_with(b"RIFF") && webp[8..].starts_with(b"WEBPVP8L"));

    let error = call(&plugin, "data:image/svg+xml;base64,PHN2Zy8+").await.unwrap_err();
    assert_eq!(error.error_code, "avatar.invalidFormat");
    assert_eq!(plugin.idle_instances(), 1, "a refused picture costs no instance");
}
