//! Sessions over real stores, and over one that can be held, broken and listened to.

#![expect(clippy::unwrap_used, reason = "tests: what fails here fails the test, with its line")]

mod changing;
mod creating;
mod ending;
mod hosts;
mod model;
mod reading;
mod stage;
mod surviving;

use std::sync::Arc;
use std::time::Duration;

use luckystack_backplane::SharedBackplane;
use luckystack_sessions::{Hooks, NoHooks, Read, Session, SessionEvent, Sessions};
use luckystack_topology::SessionConfig;
use serde_json::{Map, Value, json};
use tokio::sync::broadcast::Receiver;
use tokio::time::Instant;

pub const PROJECT: &str = "app";
pub const IP: &str = "203.0.113.7";
/// How long a failure may take to show.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub async fn open(backplane: &SharedBackplane, config: &SessionConfig) -> Sessions {
    open_with(backplane, config, Arc::new(NoHooks)).await
}

pub async fn open_with(
    backplane: &SharedBackplane,
    config: &SessionConfig,
    hooks: Arc<dyn Hooks>,
) -> Sessions {
    Sessions::open(PROJECT, config, backplane.clone(), hooks).await.unwrap()
}

/// Any number of sessions a user.
pub fn unlimited() -> SessionConfig {
    SessionConfig { per_user: luckystack_topology::SessionsPerUser::Multiple, ..SessionConfig::default() }
}

pub fn user(id: &str) -> Map<String, Value> {
    object(json!({ "id": id, "email": format!("{id}@example.com"), "name": id, "provider": "credentials" }))
}

pub fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

pub fn session_key(token: &str) -> String {
    format!("{PROJECT}-session:{token}")
}

pub fn user_key(id: &str) -> String {
    format!("{PROJECT}-activeUsers:{id}")
}

/// The session that a read finds.
pub async fn live(sessions: &Sessions, token: &str) -> Option<Arc<Session>> {
    match sessions.read(token, IP).await.unwrap() {
        Read::Live(session) => Some(session),
        Read::Unknown => None,
        Read::Throttled { seconds } => panic!("throttled for {seconds} s"),
    }
}

pub fn name(session: &Session) -> &str {
    session.fields()["name"].as_str().unwrap()
}

/// Waits until something is so; how long it took.
pub async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < PATIENCE, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    began.elapsed()
}

pub async fn next(events: &mut Receiver<SessionEvent>) -> SessionEvent {
    tokio::time::timeout(PATIENCE, events.recv()).await.expect("no event").unwrap()
}

/// What has come by now.
pub fn waiting(events: &mut Receiver<SessionEvent>) -> Vec<SessionEvent> {
    std::iter::from_fn(|| events.try_recv().ok()).collect()
}

pub fn updated(token: &str, session: Value) -> impl Fn(&SessionEvent) -> bool {
    let token = token.to_owned();
    move |event| match event {
        SessionEvent::Updated { token: of, session: shown, .. } => {
            **of == *token && serde_json::from_slice::<Value>(shown).unwrap() == session
        }
        _ => false,
    }
}

pub fn replaced(token: &str, user_id: &str) -> SessionEvent {
    SessionEvent::Replaced { token: token.into(), user_id: user_id.into() }
}

pub fn logged_out(token: &str) -> SessionEvent {
    SessionEvent::LoggedOut { token: token.into() }
}
