//! A pipeline with puppets in it, and an audience that writes down what it is told.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use luckystack_pipeline::locale::Locales;
use luckystack_pipeline::sync::{Audience, Recipient, SyncCall};
use luckystack_pipeline::{Pipeline, Prepared, Reply, Table};
use luckystack_plugins::call::SinkFuture;
use luckystack_plugins::engine::EngineSettings;
use luckystack_plugins::{Caller, Runtime, Session, StreamSink, Transport};
use luckystack_topology::{ProjectConfig, ServiceSettings};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::puppet::{Act, Scene, Script, Strings, component, nothing};

/// The route that tests call.
pub const NAME: &str = "sync/board/move/v1";

/// What an audience was told, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// How many there are; whether the number had to be right.
    Count(bool),
    /// Who they are.
    Recipients,
    /// A frame for a room but for a token.
    Room(String, Option<String>, Value),
    /// A frame for a socket.
    To(String, Value),
    /// A frame for tokens.
    Tokens(Vec<String>, Value),
    /// The acknowledgement.
    Acknowledged(Value),
    /// A chunk for the caller.
    Emitted(Value),
}

/// Rooms, and what was sent there. The call's sink too: so the order of both is kept.
#[derive(Default)]
pub struct Rooms {
    pub rooms: Mutex<HashMap<String, Vec<Recipient>>>,
    pub member_of: Mutex<Vec<String>>,
    pub told: Mutex<Vec<Told>>,
    pub drained: Mutex<Vec<String>>,
    pub gone: AtomicBool,
    pub panics: AtomicBool,
    /// Without a permit here nobody is told who the recipients are.
    pub gate: Mutex<Option<Arc<Semaphore>>>,
}

fn read(frame: &[u8]) -> Value {
    serde_json::from_slice(frame)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(frame)))
}

impl Rooms {
    pub fn take(&self) -> Vec<Told> {
        std::mem::take(&mut self.told.lock())
    }

    /// Frames to single sockets so far, by socket, taken.
    pub fn frames(&self) -> Vec<(String, Value)> {
        let frame = |told| match told {
            Told::To(socket, frame) => Some((socket, frame)),
            _ => None,
        };
        self.take().into_iter().filter_map(frame).collect()
    }

    fn note(&self, told: Told) {
        assert!(!self.panics.load(Ordering::Relaxed), "the audience panics");
        self.told.lock().push(told);
    }
}

impl Audience for Rooms {
    fn is_member(&self, receiver: &str) -> bool {
        self.member_of.lock().iter().any(|room| room == receiver)
    }

    fn count<'a>(&'a self, receiver: &'a str, exact: bool) -> BoxFuture<'a, usize> {
        self.note(Told::Count(exact));
        let count = self.rooms.lock().get(receiver).map_or(0, Vec::len);
        Box::pin(std::future::ready(if exact { count } else { count.min(1) }))
    }

    fn recipients<'a>(&'a self, receiver: &'a str) -> BoxFuture<'a, Vec<Recipient>> {
        self.note(Told::Recipients);
        let recipients = self.rooms.lock().get(receiver).cloned().unwrap_or_default();
        let gate = self.gate.lock().clone();
        Box::pin(async move {
            if let Some(gate) = gate {
                gate.acquire().await.unwrap().forget();
            }
            recipients
        })
    }

    fn send_to_room(&self, receiver: &str, except: Option<&str>, frame: &[u8]) {
        self.note(Told::Room(receiver.to_owned(), except.map(str::to_owned), read(frame)));
    }

    fn send_to(&self, recipient: &Recipient, frame: &[u8]) {
        self.note(Told::To(recipient.socket_id.to_string(), read(frame)));
    }

    fn send_to_tokens(&self, tokens: &[&str], frame: &[u8]) {
        self.note(Told::Tokens(tokens.iter().map(|token| (*token).to_owned()).collect(), read(frame)));
    }

    fn drained<'a>(&'a self, receiver: &'a str) -> BoxFuture<'a, ()> {
        self.drained.lock().push(receiver.to_owned());
        Box::pin(std::future::ready(()))
    }

    fn acknowledge(&self, envelope: &[u8]) {
        self.note(Told::Acknowledged(read(envelope)));
    }
}

/// The call's own sink, told to the same list.
struct Sink(Arc<Rooms>);

impl StreamSink for Sink {
    fn emit(&self, chunk: Bytes) -> SinkFuture<'_> {
        self.0.note(Told::Emitted(read(&chunk)));
        Box::pin(std::future::ready(true))
    }

    fn aborted(&self) -> bool {
        self.0.gone.load(Ordering::Relaxed)
    }
}

/// A pipeline, its puppets and its audience.
pub struct Stage {
    pub pipeline: Pipeline,
    pub project: ProjectConfig,
    pub rooms: Arc<Rooms>,
    runtime: Arc<Runtime>,
    script: Arc<Mutex<Script>>,
    dir: tempfile::TempDir,
}

impl Stage {
    /// One plugin with this route entry beside `kind`, `name` and `version`; others are [`Stage::play`]ed.
    pub async fn new(server: Value) -> Stage {
        Stage::with(&[("board", plugin("board", &[entry("sync-server", server)], &[]))], |_| {}).await
    }

    /// The same with a client half.
    pub async fn with_client(hooks: &[&str]) -> Stage {
        let halves = [entry("sync-server", json!({})), entry("sync-client", json!({}))];
        Stage::with(&[("board", plugin("board", &halves, hooks))], |_| {}).await
    }

    /// The same without a client half, with hooks.
    pub async fn with_hooks(hooks: &[&str]) -> Stage {
        let halves = [entry("sync-server", json!({}))];
        Stage::with(&[("board", plugin("board", &halves, hooks))], |_| {}).await
    }

    /// Plugins (service and manifest) in a project that `configure` changed.
    pub async fn with(plugins: &[(&str, Value)], configure: impl Fn(&mut ProjectConfig)) -> Stage {
        let settings = ServiceSettings { deadline: Duration::from_secs(2), ..ServiceSettings::default() };
        Stage::with_settings(plugins, configure, settings).await
    }

    /// The same with these settings for all services.
    pub async fn with_settings(
        plugins: &[(&str, Value)],
        configure: impl Fn(&mut ProjectConfig),
        services: ServiceSettings,
    ) -> Stage {
        let script: Script = Arc::new(|_| Box::pin(async { nothing() }));
        let script = Arc::new(Mutex::new(script));
        let settings = EngineSettings { max_instances: 16, ..EngineSettings::default() };
        let strings = Strings { script: Arc::clone(&script) };
        let runtime = Arc::new(Runtime::start(&settings, vec![Box::new(strings)], None).unwrap());
        let mut project = ProjectConfig::defaults(Path::new("."), Path::new("."));
        configure(&mut project);
        let mut locales = Locales::default();
        locales.add("en", Path::new("en.json"), br#"{"board":{"full":"{{who}} is full"}}"#);
        locales.add(
            "nl",
            Path::new("nl.json"),
            br#"{"board":{"full":"{{who}} is vol"},"sync":{"clientExecutionFailed":"mislukt"}}"#,
        );
        let rooms = Arc::new(Rooms::default());
        rooms.member_of.lock().push("room".into());
        rooms
            .rooms
            .lock()
            .insert("room".into(), vec![recipient(1, Some("own")), recipient(2, Some("other"))]);
        let stage = Stage {
            pipeline: Pipeline::new(&project, locales, true),
            project,
            rooms,
            runtime,
            script,
            dir: tempfile::tempdir().unwrap(),
        };
        stage.load(plugins, services).await;
        stage
    }

    async fn load(&self, plugins: &[(&str, Value)], settings: ServiceSettings) {
        let settings = Arc::new(settings);
        let mut prepared = Vec::new();
        let mut services = HashMap::new();
        for (index, (service, manifest)) in plugins.iter().enumerate() {
            let service = services
                .entry((*service).to_owned())
                .or_insert_with(|| self.runtime.service(service, Arc::clone(&settings)).unwrap());
            let file = self.dir.path().join(format!("{index}.wasm"));
            std::fs::write(&file, component(manifest)).unwrap();
            let (plugin, _) =
                self.runtime.load(&file, service).await.unwrap_or_else(|error| panic!("{error}"));
            prepared.push(Prepared::new(plugin).unwrap_or_else(|error| panic!("{error}")));
        }
        let elsewhere = ["faraway".to_owned()].into_iter().collect();
        let (table, refused) = Table::new(prepared, services.into_values().collect(), elsewhere);
        assert!(refused.is_empty(), "{refused:?}");
        self.pipeline.swap(table);
    }

    /// What the puppets do from now on.
    pub fn play(&self, act: impl Fn(Scene) -> Act + Send + Sync + 'static) {
        *self.script.lock() = Arc::new(move |scene| {
            let act = act(scene);
            Box::pin(std::future::ready(act))
        });
    }

    /// The same for what takes its time.
    pub fn play_async(&self, act: impl Fn(Scene) -> BoxFuture<'static, Act> + Send + Sync + 'static) {
        *self.script.lock() = Arc::new(act);
    }

    /// Applies a changed configuration.
    pub fn reconfigure(&mut self, change: impl FnOnce(&mut ProjectConfig)) {
        let before = self.project.clone();
        change(&mut self.project);
        self.pipeline.reconfigure(&before, &self.project, true);
    }

    /// A call over a socket by the user whose token is `own`.
    pub fn call(&self) -> SyncCall {
        SyncCall {
            raw_name: NAME.into(),
            input: Bytes::from_static(br#"{"card":"c1"}"#),
            receiver: "room".into(),
            callback: Some("board/move/v1".into()),
            ignore_self: false,
            caller: caller(Some("own"), Transport::Socket),
            audience: Arc::clone(&self.rooms) as Arc<dyn Audience>,
            sink: Arc::new(Sink(Arc::clone(&self.rooms))),
        }
    }

    /// The same over HTTP, without a callback.
    pub fn http(&self) -> SyncCall {
        SyncCall { callback: None, caller: caller(Some("own"), Transport::Http), ..self.call() }
    }

    pub async fn sync(&self, call: SyncCall) -> Value {
        read(&self.reply(call).await.body)
    }

    pub async fn reply(&self, call: SyncCall) -> Reply {
        self.pipeline.sync(call).await
    }

    /// Code and status of a call's error, after which nobody was told anything.
    pub async fn refusal(&self, call: SyncCall) -> (String, u16) {
        let reply = self.reply(call).await;
        let body = read(&reply.body);
        assert!(reply.is_error, "{body}");
        assert_eq!(body["httpStatus"], reply.status);
        (body["errorCode"].as_str().unwrap().to_owned(), reply.status)
    }
}

pub fn caller(token: Option<&str>, transport: Transport) -> Caller {
    let session = token.map(|token| {
        let user = json!({ "id": format!("id-of-{token}"), "role": "editor" }).to_string();
        Arc::new(Session::read(token, user).unwrap())
    });
    Caller {
        session,
        ip: "192.0.2.7".into(),
        language: "en".into(),
        request_id: "request".into(),
        traceparent: None,
        transport,
    }
}

pub fn recipient(number: u32, token: Option<&str>) -> Recipient {
    let language = if number.is_multiple_of(2) { "nl" } else { "en" };
    Recipient {
        socket_id: format!("s{number}").into(),
        token: token.map(Into::into),
        language: language.into(),
    }
}

/// A manifest.
pub fn plugin(name: &str, routes: &[Value], hooks: &[&str]) -> Value {
    let hooks: Vec<_> = hooks.iter().map(|hook| json!({ "hook": hook })).collect();
    json!({ "name": name, "version": "1.0.0", "service": "board", "routes": routes, "hooks": hooks })
}

/// A manifest's entry for one half of `move`.
pub fn entry(kind: &str, more: Value) -> Value {
    let mut entry = json!({ "kind": kind, "name": "move", "version": 1 });
    let members = more.as_object().unwrap().clone();
    entry.as_object_mut().unwrap().extend(members);
    entry
}
