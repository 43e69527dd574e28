//! One identity with everything around it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use luckystack_backplane::{Backplane, Keys, Memory, SharedBackplane};
use luckystack_identity::{AuthReply, AuthRequest, Identity, Mailer, Message, Parts};
use luckystack_oauth::{OAuth, ProviderSetup};
use luckystack_sessions::{Hooks, Sessions, Stop};
use luckystack_topology::ProjectConfig;
use luckystack_users::{SharedUsers, Sqlite, User};
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

pub const IP: &str = "203.0.113.7";
pub const ANN: &str = "ann@example.com";
pub const PASSWORD: &str = "correct horse 1";

/// What a test changes.
pub struct Plan {
    pub project: ProjectConfig,
    pub backplane: SharedBackplane,
    pub providers: Vec<ProviderSetup>,
    pub production: bool,
    pub totp_key: Option<String>,
    pub totp_legacy_keys: Vec<String>,
    pub dir: TempDir,
}

pub struct House {
    pub identity: Identity,
    pub hooks: Arc<Recorder>,
    pub outbox: UnboundedReceiver<Message>,
    pub project: ProjectConfig,
    pub backplane: SharedBackplane,
    pub keys: Keys,
    pub users: SharedUsers,
    pub dir: TempDir,
}

/// Remembers what hooks were told, and says no where it was asked to.
#[derive(Default)]
pub struct Recorder {
    seen: Mutex<Vec<(String, Value)>>,
    stops: Mutex<HashMap<String, String>>,
}

impl Plan {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut project = ProjectConfig::defaults(dir.path(), dir.path());
        project.name = "fleet".to_owned();
        project.app.public_url = Some("https://app.example.com".to_owned());
        project.app.login_redirect_url = "/home".to_owned();
        Self {
            project,
            backplane: Arc::new(Memory::new()),
            providers: Vec::new(),
            production: false,
            totp_key: Some("a key for tests".to_owned()),
            totp_legacy_keys: Vec::new(),
            dir,
        }
    }

    pub fn with(mut self, configure: impl FnOnce(&mut ProjectConfig)) -> Self {
        configure(&mut self.project);
        self
    }

    pub async fn open(self) -> House {
        let users: SharedUsers = Arc::new(Sqlite::open(&users_file(self.dir.path())).await.unwrap());
        self.open_with(users).await
    }

    pub async fn open_with(self, users: SharedUsers) -> House {
        let hooks = Arc::new(Recorder::default());
        let keys = Keys::new(&self.project.name);
        let sessions = Sessions::open(
            &self.project.name,
            &self.project.session,
            self.backplane.clone(),
            hooks.clone() as Arc<dyn Hooks>,
        )
        .await
        .unwrap();
        let oauth = OAuth::new(
            self.providers,
            "https://app.example.com",
            Duration::from_secs(600),
            self.backplane.clone(),
            keys.clone(),
        )
        .unwrap();
        let (sender, outbox) = unbounded_channel();
        let show = Arc::new(move |message: &Message| {
            let _ = sender.send(message.clone());
        });
        let mailer = Mailer::new(&self.project.email, self.production, show).unwrap();
        let parts = Parts {
            sessions,
            users: users.clone(),
            oauth,
            mailer,
            backplane: self.backplane.clone(),
            keys: keys.clone(),
            hooks: hooks.clone(),
            may_return_to: Arc::new(|origin| origin == "https://shop.example.com"),
            totp_key: self.totp_key,
            totp_legacy_keys: self.totp_legacy_keys,
        };
        let identity = Identity::new(&self.project, parts);
        House {
            identity,
            hooks,
            outbox,
            project: self.project,
            backplane: self.backplane,
            keys,
            users,
            dir: self.dir,
        }
    }
}

pub fn users_file(dir: &Path) -> std::path::PathBuf {
    dir.join("users.db")
}

pub fn request<'a>(input: &'a Map<String, Value>, token: Option<&'a str>) -> AuthRequest<'a> {
    AuthRequest { ip: IP, language: "nl", token, input }
}

pub fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// `reason` of an answer.
pub fn reason(reply: &AuthReply) -> &str {
    reply.body["reason"].as_str().unwrap_or_default()
}

impl House {
    pub async fn credentials(&self, input: Value) -> AuthReply {
        self.credentials_as(input, None, IP).await
    }

    pub async fn credentials_as(&self, input: Value, token: Option<&str>, ip: &str) -> AuthReply {
        let input = object(input);
        self.identity.credentials(AuthRequest { ip, ..request(&input, token) }).await
    }

    pub async fn log_in(&self, email: &str, password: &str) -> AuthReply {
        self.credentials(json!({ "email": email, "password": password })).await
    }

    pub async fn log_in_from(&self, ip: &str, email: &str, password: &str) -> AuthReply {
        self.credentials_as(json!({ "email": email, "password": password }), None, ip).await
    }

    pub async fn second_factor(&self, action: &str, input: Value, token: Option<&str>) -> AuthReply {
        self.second_factor_from(IP, action, input, token).await
    }

    pub async fn second_factor_from(
        &self,
        ip: &str,
        action: &str,
        input: Value,
        token: Option<&str>,
    ) -> AuthReply {
        let input = object(input);
        self.identity.second_factor(action, AuthRequest { ip, ..request(&input, token) }).await
    }

    /// Registers somebody; the answer.
    pub async fn register(&self, email: &str) -> AuthReply {
        let reply = self
            .credentials(json!({
                "email": email, "password": PASSWORD, "name": "Ann", "confirmPassword": PASSWORD,
            }))
            .await;
        assert_eq!(reason(&reply), "login.userCreated", "{:?}", reply.body);
        reply
    }

    /// Registers [`ANN`]; her id and token.
    pub async fn ann(&self) -> (String, String) {
        let session = self.register(ANN).await.session.unwrap();
        (session.user_id.clone(), session.token.clone())
    }

    pub async fn user(&self, id: &str) -> User {
        self.users.by_id(id).await.unwrap().unwrap()
    }

    pub async fn is_live(&self, token: &str) -> bool {
        self.identity.sessions().peek(token).await.unwrap().is_some()
    }

    /// Sets fields of a user's record.
    pub async fn set(&self, id: &str, fields: Value) {
        self.users.update(id, object(fields)).await.unwrap().unwrap();
    }

    pub async fn letter(&mut self) -> Message {
        tokio::time::timeout(Duration::from_secs(20), self.outbox.recv()).await.unwrap().unwrap()
    }

    /// Whether no message waits. Those that are sent behind an answer's back are not seen.
    pub fn outbox_is_empty(&mut self) -> bool {
        self.outbox.try_recv().is_err()
    }

    /// The indented line of the next message: its code or link.
    pub async fn code(&mut self) -> String {
        let letter = self.letter().await;
        letter.text.lines().find_map(|line| line.strip_prefix("    ")).unwrap().to_owned()
    }

    /// The token of the link in the next message.
    pub async fn link_token(&mut self, page: &str) -> String {
        let link = self.code().await;
        let prefix = format!("https://app.example.com{page}?token=");
        link.strip_prefix(&prefix).unwrap_or_else(|| panic!("{link} begins with {prefix}")).to_owned()
    }

    pub async fn counted(&self, bucket: &str) -> u64 {
        let key = self.keys.key("rate-limit", bucket);
        self.backplane.counted(&key).await.unwrap().map_or(0, |count| count.count)
    }
}

impl Recorder {
    pub fn stop(&self, hook: &str, code: &str) {
        self.stops.lock().insert(hook.to_owned(), code.to_owned());
    }

    /// Payloads that a hook got so far.
    pub fn of(&self, hook: &str) -> Vec<Value> {
        let seen = self.seen.lock();
        seen.iter().filter(|(name, _)| name == hook).map(|(_, payload)| payload.clone()).collect()
    }

    /// The last payload of a hook.
    pub fn last(&self, hook: &str) -> Value {
        self.of(hook).pop().unwrap_or_else(|| panic!("{hook} was run"))
    }

    /// Names of these hooks in the order in which they were run.
    pub fn order(&self, hooks: &[&str]) -> Vec<String> {
        let seen = self.seen.lock();
        seen.iter().map(|(name, _)| name.clone()).filter(|name| hooks.contains(&name.as_str())).collect()
    }

    pub async fn wait_for(&self, hook: &str) -> Value {
        let waiting = async {
            loop {
                if let Some(payload) = self.of(hook).pop() {
                    return payload;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), waiting).await.unwrap()
    }
}

impl Hooks for Recorder {
    fn wanted(&self, _hook: &str) -> bool {
        true
    }

    fn ask<'a>(&'a self, hook: &'a str, payload: Value) -> BoxFuture<'a, Option<Stop>> {
        self.seen.lock().push((hook.to_owned(), payload));
        let stop =
            self.stops.lock().get(hook).map(|code| Stop { error_code: code.clone(), http_status: None });
        Box::pin(std::future::ready(stop))
    }

    fn tell(&self, hook: &'static str, payload: Value) {
        self.seen.lock().push((hook.to_owned(), payload));
    }
}

/// The key's value, as text.
pub async fn stored(backplane: &dyn Backplane, key: &str) -> Option<String> {
    let value = backplane.get(key).await.unwrap()?;
    Some(String::from_utf8(value.to_vec()).unwrap())
}
