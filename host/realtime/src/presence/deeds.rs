//! What is said of a session, to peers and plugins, and how one ends that nobody came back to.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use luckystack_plugins::call::Session;
use luckystack_sessions::{EndReason, Hooks, Sessions};
use luckystack_socketio::{Io, Reason, Target};
use serde_json::{Value, json};

use super::machine::Action;
use super::{Decided, Shared};

/// What it is done with.
pub(super) struct Deeds {
    pub(super) io: Io,
    pub(super) sessions: Sessions,
    pub(super) hooks: Arc<dyn Hooks>,
    pub(super) shared: Arc<Shared>,
}

/// Whom something is said of.
struct Subject {
    session: Arc<Session>,
    /// Never with an empty name.
    rooms: Vec<String>,
}

/// What is said.
enum News {
    Afk { end_time: u64 },
    Back,
    Left,
}

impl Deeds {
    pub(super) async fn perform(&self, decided: Decided) {
        let Decided { action, at } = decided;
        match action {
            Action::Hidden { token, grace } => self.afk(&token, at + grace).await,
            Action::Idle { token, timeout } => {
                if !self.is_active_elsewhere(&token, timeout).await {
                    self.afk(&token, at).await;
                }
            }
            Action::Back { token } => self.back(&token).await,
            Action::Left { token, reason, tab_switch } => self.left(&token, reason, tab_switch).await,
        }
    }

    async fn afk(&self, token: &str, end: SystemTime) {
        if let Some(subject) = self.subject(token).await {
            self.tell(&subject, &News::Afk { end_time: epoch(end) }).await;
        }
    }

    async fn back(&self, token: &str) {
        let Some(subject) = self.subject(token).await else { return };
        self.hooks.tell_with("postSocketReconnect", || subject.about());
        self.tell(&subject, &News::Back).await;
    }

    async fn left(&self, token: &str, reason: Reason, tab_switch: bool) {
        if self.is_here(token) {
            // It came back between the end of its grace and now.
            return self.back(token).await;
        }
        if self.is_elsewhere(token).await {
            // There, nobody knows that peers were told of a tab switch.
            if tab_switch && let Some(subject) = self.subject(token).await {
                self.tell(&subject, &News::Back).await;
            }
            return;
        }
        let Some(subject) = self.subject(token).await else { return };
        self.tell(&subject, &News::Left).await;
        // Plugins and other hosts took their time.
        let is_over = !tab_switch && !self.is_here(token);
        let deleted = is_over && self.end(token).await;
        self.hooks.tell_with("postDisconnectGraceExpired", || {
            let mut payload = subject.about();
            payload["reason"] = reason.as_str().into();
            payload["sessionDeleted"] = deleted.into();
            payload
        });
    }

    async fn end(&self, token: &str) -> bool {
        self.sessions.end(token, EndReason::Logout).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "a session that nobody came back to stays");
            false
        })
    }

    /// The session as it is now, without making its life longer; none when it has ended.
    async fn subject(&self, token: &str) -> Option<Subject> {
        match self.sessions.peek(token).await {
            Ok(session) => session.map(Subject::new),
            Err(error) => {
                tracing::warn!(%error, "peers are not told of a session: it could not be looked up");
                None
            }
        }
    }

    fn is_here(&self, token: &str) -> bool {
        let is_live = self.shared.state.lock().machine.is_live(token);
        is_live || self.io.count_here(token) > 0
    }

    /// Whether another host has a socket of the session. Taken to be so when not all answer: to end the
    /// session of somebody who is there would be worse than one that lives on.
    async fn is_elsewhere(&self, token: &str) -> bool {
        match self.io.fetch_elsewhere(Target::rooms(&[token])).await {
            Ok(sockets) => !sockets.is_empty(),
            Err(error) => {
                tracing::warn!(%error, "a session that nobody came back to here stays: it may be in use elsewhere");
                true
            }
        }
    }

    /// Whether somebody does something in a tab of the session on another host. Taken to be so when that
    /// cannot be known: who is idle for longer is told of later.
    async fn is_active_elsewhere(&self, token: &str, timeout: Duration) -> bool {
        let Some(stamps) = self.shared.stamps.get() else { return false };
        match self.io.fetch_elsewhere(Target::rooms(&[token])).await {
            Ok(sockets) => stamps.any_within(timeout, sockets.iter().map(|socket| &*socket.id)).await,
            Err(error) => {
                tracing::debug!(%error, "a session may be in use elsewhere: peers are not told that it is idle");
                true
            }
        }
    }

    /// Tells everybody in the session's rooms, once, but for its own sockets; unless a plugin says no.
    async fn tell(&self, subject: &Subject, news: &News) {
        if subject.rooms.is_empty() {
            return;
        }
        let payload = || {
            let mut payload = subject.about();
            payload["kind"] = news.kind().into();
            payload
        };
        let stopped = self.hooks.ask_with("prePresenceUpdate", payload).await.is_some();
        let told = if stopped { 0 } else { self.emit(subject, news).await };
        self.hooks.tell_with("postPresenceUpdate", || {
            let mut payload = payload();
            payload["recipientCount"] = told.into();
            payload
        });
    }

    /// How many were told; of those on other hosts it is only known when somebody asks for it.
    async fn emit(&self, subject: &Subject, news: &News) -> usize {
        let rooms: Vec<&str> = subject.rooms.iter().map(String::as_str).collect();
        let own = [subject.session.token.as_str()];
        let peers = Target::rooms(&rooms).except(&own);
        let here = self.io.emit(None, peers, news.event(), &news.argument(&subject.session.user_id));
        if !self.hooks.wanted("postPresenceUpdate") {
            return here;
        }
        let elsewhere = self.io.fetch_elsewhere(peers).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "peers on other hosts are not counted");
            Vec::new()
        });
        here + elsewhere.len()
    }
}

// --- Subject ---

impl Subject {
    fn new(session: Arc<Session>) -> Subject {
        let codes = session.fields().get("roomCodes").and_then(Value::as_array);
        let rooms = codes.into_iter().flatten().filter_map(Value::as_str);
        let rooms = rooms.filter(|room| !room.is_empty()).map(str::to_owned).collect();
        Subject { session, rooms }
    }

    /// Its part of a hook's payload.
    fn about(&self) -> Value {
        json!({
            "token": self.session.token,
            "userId": self.session.user_id,
            "roomCodes": self.rooms,
        })
    }
}

// --- News ---

impl News {
    fn kind(&self) -> &'static str {
        match self {
            News::Afk { .. } => "afk",
            News::Back => "back",
            News::Left => "left",
        }
    }

    fn event(&self) -> &'static str {
        match self {
            News::Afk { .. } => "userAfk",
            News::Back => "userBack",
            News::Left => "userLeft",
        }
    }

    /// The event's argument, JSON text.
    fn argument(&self, user_id: &str) -> Vec<u8> {
        let mut argument = json!({ "userId": user_id });
        if let News::Afk { end_time } = self {
            argument["endTime"] = (*end_time).into();
        }
        argument.to_string().into_bytes()
    }
}

/// Milliseconds since 1970.
pub(super) fn epoch(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use luckystack_plugins::call::Session;
    use serde_json::json;

    use super::{News, Subject};

    #[test]
    fn what_is_said_has_the_documented_shape() {
        let text = |news: News| String::from_utf8(news.argument("u\"1")).unwrap();
        assert_eq!(
            text(News::Afk { end_time: 1_700_000_000_000 }),
            r#"{"endTime":1700000000000,"userId":"u\"1"}"#
        );
        assert_eq!(text(News::Back), r#"{"userId":"u\"1"}"#);
        assert_eq!(text(News::Left), r#"{"userId":"u\"1"}"#);
    }

    /// No rooms would mean everybody.
    #[test]
    fn only_names_of_rooms_count_as_rooms() {
        for (codes, rooms) in [
            (json!(["a", "", 7, null, "b"]), vec!["a", "b"]),
            (json!([""]), vec![]),
            (json!("a"), vec![]),
            (json!(null), vec![]),
        ] {
            let user = json!({ "id": "u", "roomCodes": codes }).to_string();
            let subject = Subject::new(Arc::new(Session::read("t", user).unwrap()));
            assert_eq!(subject.rooms, rooms);
            assert_eq!(subject.about(), json!({ "token": "t", "userId": "u", "roomCodes": rooms }));
        }
    }
}
