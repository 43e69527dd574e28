//! Presence (wire protocol §8): tells the others in a session's rooms that its user went idle, came back or
//! left.
//!
//! What is said when is decided by a [`Machine`], which knows nothing of sockets and stores; what it decides
//! is done by one background task. What concerns one session is done in order, sessions beside each other.
//!
//! Where this host does more than the original: a session that has a socket on *another* host is not ended
//! when its last socket here is gone for good, and peers who were told of a tab switch are told that its
//! user is back. A route's own rooms (`socketLeaveRoom` before `updateLocation`) have no part here: the
//! original only looks the session up there.

mod deeds;
mod machine;
mod queue;
mod stamps;

use std::sync::{Arc, OnceLock};
use std::time::{Instant, SystemTime};

use luckystack_backplane::{Keys, SharedBackplane};
use luckystack_sessions::{Hooks, Sessions};
use luckystack_socketio::{Io, Reason, Socket, Target};
use luckystack_topology::PresenceConfig;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use deeds::Deeds;
use machine::{Action, Machine};
use queue::Queue;
use stamps::Stamps;

/// Presence of the sessions that have sockets here. Inert unless `[presence]` is enabled.
pub(crate) struct Presence {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    state: Mutex<State>,
    /// Something was decided, or is to be decided earlier than the task thinks.
    changed: Notify,
    io: Io,
    token_of: TokenOf,
    /// When each socket was last active, for all hosts.
    stamps: OnceLock<Stamps>,
}

struct State {
    machine: Machine,
    /// What was decided and not yet begun.
    queue: Queue<Decided>,
}

/// What was decided, and when.
struct Decided {
    action: Action,
    at: SystemTime,
}

/// The session token of a socket, if it has one.
pub(crate) type TokenOf = fn(&Socket) -> Option<Arc<str>>;

impl Presence {
    /// Starts it; needs a running tokio runtime.
    pub(crate) fn start(
        config: &PresenceConfig,
        io: Io,
        sessions: Sessions,
        hooks: Arc<dyn Hooks>,
        token_of: TokenOf,
    ) -> Presence {
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                machine: Machine::new(config, Instant::now()),
                queue: Queue::default(),
            }),
            changed: Notify::new(),
            io: io.clone(),
            token_of,
            stamps: OnceLock::new(),
        });
        let deeds = Arc::new(Deeds { io, sessions, hooks, shared: shared.clone() });
        let task = tokio::spawn(queue::run(deeds));
        Presence { shared, task }
    }

    /// Shares with the other hosts when each socket was last active, so that somebody who is idle in a tab
    /// here and busy in one elsewhere does not count as idle. To be called once, before the first client.
    pub(crate) fn share_activity(&self, backplane: SharedBackplane, keys: &Keys) {
        let _ = self.shared.stamps.set(Stamps::keep(backplane, keys));
    }

    /// Applies a changed configuration from now on. What was promised before it (the end of a grace) stays,
    /// unless presence was turned off: then all of it is dropped.
    pub(crate) fn reconfigure(&self, config: &PresenceConfig) {
        let mut begins = false;
        self.shared.decide(|machine, now| {
            let was_enabled = machine.is_enabled();
            machine.reconfigure(config, now);
            begins = machine.is_enabled() && !was_enabled;
        });
        if !begins {
            return;
        }
        // Those who connected while it did not matter.
        for socket in self.shared.io.sockets_here(Target::ALL) {
            if let Some(token) = (self.shared.token_of)(&socket) {
                self.shared.decide(|machine, now| {
                    // Who has gone meanwhile is not told of again.
                    if socket.is_connected() {
                        machine.connected(&token, socket.id(), now);
                    }
                });
                self.shared.stamp(&socket);
            }
        }
    }

    /// A socket with a token has connected. Call it before anything else can be said over the socket.
    pub(crate) fn connected(&self, socket: &Arc<Socket>, token: &Arc<str>) {
        self.shared.decide(|machine, now| machine.connected(token, socket.id(), now));
        self.shared.stamp(socket);
    }

    /// A socket with a token is gone.
    pub(crate) fn disconnected(&self, socket: &Arc<Socket>, token: &Arc<str>, reason: Reason) {
        self.shared.decide(|machine, now| machine.disconnected(token, socket.id(), reason, now));
        if let Some(stamps) = self.shared.stamps.get() {
            stamps.forget(socket.id());
        }
    }

    /// The events `activity` and `intentionalReconnect`: somebody is there.
    pub(crate) fn activity(&self, socket: &Arc<Socket>, token: &Arc<str>) {
        self.shared.decide(|machine, now| machine.activity(token, socket.id(), now));
        self.shared.stamp(socket);
    }

    /// The event `intentionalDisconnect`: the tab is hidden. Disconnects the socket, also one without a
    /// session.
    pub(crate) fn intentional_disconnect(&self, socket: &Arc<Socket>, token: Option<&Arc<str>>) {
        let mut enabled = false;
        self.shared.decide(|machine, _| {
            enabled = machine.is_enabled();
            if let Some(token) = token {
                machine.intentional_disconnect(token, socket.id());
            }
        });
        if enabled {
            socket.disconnect(false);
        }
    }

    /// A session has ended: nothing more is said of it.
    pub(crate) fn logged_out(&self, token: &Arc<str>) {
        self.shared.decide(|machine, _| machine.logged_out(token));
    }

    /// Ends it: no grace expires any more. To be called before the sockets are disconnected because the host
    /// stops, or those who do not come back within seconds would be logged out.
    pub(crate) fn close(&self) {
        self.shared.decide(|machine, _| machine.close());
        self.task.abort();
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    /// Tells the other hosts that something was done at a socket.
    fn stamp(&self, socket: &Socket) {
        let Some(stamps) = self.stamps.get() else { return };
        let timeout = self.state.lock().machine.idle_after();
        if let Some(timeout) = timeout {
            stamps.set(socket.id(), timeout);
        }
    }

    /// Lets the machine decide, and hands on what it did.
    fn decide(&self, input: impl FnOnce(&mut Machine, Instant)) {
        let mut state = self.state.lock();
        let state = &mut *state;
        let due = state.machine.next();
        input(&mut state.machine, Instant::now());
        let mut wake = state.machine.next().is_some_and(|next| due.is_none_or(|due| next < due));
        let at = SystemTime::now();
        for action in state.machine.actions() {
            wake = true;
            state.queue.push(action.token().clone(), Decided { action, at });
        }
        if wake {
            self.changed.notify_one();
        }
    }
}
