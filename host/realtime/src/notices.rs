//! What happens to sessions, told to their sockets (wire protocol §2.6, §2.9, §5.2, §5.3).
//!
//! One task tells, in the order in which things happened. Whoever changed a session and replies afterwards
//! waits for it ([`Notices::told`]), so that clients hear of the change before the reply.
//!
//! Ends are told by every host to its own sockets. A change is told by the host where it happened, to the
//! sockets of all hosts, where hosts share their sockets; where they do not, by each to its own.

use std::sync::Arc;

use bytes::Bytes;
use luckystack_pipeline::json::write_str;
use luckystack_sessions::SessionEvent;
use luckystack_socketio::Target;
use serde_json::json;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::shared::Shared;

/// Those who wait for the task; more of them wait for each other.
const WAITING: usize = 1024;

/// The task that tells sockets. Ends when dropped.
pub(crate) struct Notices {
    waiting: mpsc::Sender<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Notices {
    /// Follows events; needs a running tokio runtime.
    pub(crate) fn follow(shared: Arc<Shared>, events: broadcast::Receiver<SessionEvent>) -> Notices {
        let (waiting, asked) = mpsc::channel(WAITING);
        Notices { waiting, task: tokio::spawn(follow(shared, events, asked)) }
    }

    /// Waits until sockets have been told of everything that has happened so far.
    pub(crate) async fn told(&self) {
        let (tell, told) = oneshot::channel();
        if self.waiting.send(tell).await.is_ok() {
            // An error says that the task has ended: nobody is told of anything any more.
            let _ = told.await;
        }
    }

    pub(crate) fn close(&self) {
        self.task.abort();
    }
}

impl Drop for Notices {
    fn drop(&mut self) {
        self.close();
    }
}

async fn follow(
    shared: Arc<Shared>,
    mut events: broadcast::Receiver<SessionEvent>,
    mut asked: mpsc::Receiver<oneshot::Sender<()>>,
) {
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Ok(event) => tell(&shared, event),
                Err(RecvError::Lagged(lost)) => warn_of(lost),
                Err(RecvError::Closed) => return,
            },
            Some(told) = asked.recv() => {
                loop {
                    match events.try_recv() {
                        Ok(event) => tell(&shared, event),
                        Err(TryRecvError::Lagged(lost)) => warn_of(lost),
                        Err(TryRecvError::Empty | TryRecvError::Closed) => break,
                    }
                }
                let _ = told.send(());
            }
        }
    }
}

fn warn_of(lost: u64) {
    tracing::warn!(lost, "sockets were not told of changes of sessions: too many at once");
}

fn tell(shared: &Shared, event: SessionEvent) {
    let io = shared.io();
    match event {
        SessionEvent::Updated { token, session, here } => {
            let room = [&*token];
            let target = Target::rooms(&room);
            match (shared.clustered, here) {
                (true, true) => io.emit(None, target, "updateSession", &quoted(&session)),
                // Who changed it has told the sockets of this host, too.
                (true, false) => 0,
                // Most sessions that change have no socket here.
                (false, _) if io.count_here(&token) == 0 => 0,
                (false, _) => io.emit_here(None, target, "updateSession", &quoted(&session)),
            };
        }
        SessionEvent::Replaced { token, user_id } => {
            let text = json!({ "reason": "session-replaced", "userId": &*user_id }).to_string();
            io.emit_here(None, Target::rooms(&[&*token]), "sessionReplaced", &quoted(text.as_bytes()));
        }
        SessionEvent::LoggedOut { token } => {
            for socket in io.sockets_here(Target::rooms(&[&*token])) {
                socket.emit("logout", LOGGED_OUT);
                socket.leave(&token);
            }
            if let Some(presence) = shared.presence() {
                presence.logged_out(&token);
            }
        }
    }
}

/// What a client is told whose session has ended.
pub(crate) const LOGGED_OUT: &[u8] = br#""success""#;

/// JSON text as a JSON string.
fn quoted(json: &[u8]) -> Bytes {
    let mut text = Vec::with_capacity(json.len() + json.len() / 4 + 2);
    write_str(&mut text, &String::from_utf8_lossy(json));
    text.into()
}
