//! What is said of sessions, and when: decides, and does nothing.
//!
//! Rules kept here:
//! - a session has at most one grace running, begun by the first socket that went; that others go meanwhile
//!   changes nothing, that one connects ends it;
//! - a grace that runs out while a socket of the session is connected means nothing;
//! - a ping that was not answered begins none: the client may not know that it is gone.

use std::collections::{BTreeSet, HashMap};
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use luckystack_socketio::Reason;
use luckystack_topology::PresenceConfig;

/// Decides. Knows nothing of anybody while it is not enabled.
#[derive(Debug)]
pub(super) struct Machine {
    config: PresenceConfig,
    sessions: HashMap<Arc<str>, Presence>,
    /// Ends of graces, earliest first.
    graces: BTreeSet<(Instant, Arc<str>)>,
    /// When idle sessions are looked for.
    sample: Instant,
    actions: Vec<Action>,
    closed: bool,
}

/// What must be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Tell the peers `userAfk`: a tab was hidden.
    Hidden {
        /// Whose.
        token: Arc<str>,
        /// How long the user has to come back.
        grace: Duration,
    },
    /// Tell the peers `userAfk`, unless the session has an active tab on another host.
    Idle {
        /// Whose.
        token: Arc<str>,
        /// How long nothing was done in any tab here.
        timeout: Duration,
    },
    /// Tell the peers `userBack`, and plugins that a socket is back.
    Back {
        /// Whose.
        token: Arc<str>,
    },
    /// Tell the peers `userLeft`, and end the session unless its tab is only hidden.
    Left {
        /// Whose.
        token: Arc<str>,
        /// Why the socket was disconnected.
        reason: Reason,
        /// Whether a tab was hidden.
        tab_switch: bool,
    },
}

/// One session.
#[derive(Debug, Default)]
struct Presence {
    seats: Vec<Seat>,
    grace: Option<Grace>,
    /// A tab was hidden since somebody was last known to be there.
    tab_switch: bool,
    /// When peers were last told that it is idle. A socket has one session for life, so that this is also
    /// how long they hear nothing of each socket.
    idle_told: Option<Instant>,
    /// Nothing more is said of it.
    ended: bool,
}

/// A connected socket.
#[derive(Debug)]
struct Seat {
    socket: Arc<str>,
    active: Instant,
    leaving: bool,
}

/// A session that may be over.
#[derive(Debug)]
struct Grace {
    ends: Instant,
    reason: Reason,
}

impl Action {
    /// Whom it is about.
    pub(super) fn token(&self) -> &Arc<str> {
        match self {
            Action::Hidden { token, .. }
            | Action::Idle { token, .. }
            | Action::Back { token }
            | Action::Left { token, .. } => token,
        }
    }
}

// --- Machine ---

impl Machine {
    pub(super) fn new(config: &PresenceConfig, now: Instant) -> Machine {
        Machine {
            config: config.clone(),
            sessions: HashMap::new(),
            graces: BTreeSet::new(),
            sample: now + config.afk_interval,
            actions: Vec::new(),
            closed: false,
        }
    }

    /// Whether it decides anything.
    pub(super) fn is_enabled(&self) -> bool {
        self.config.enabled && !self.closed
    }

    /// After how long without activity a session is idle; none while it is not enabled.
    pub(super) fn idle_after(&self) -> Option<Duration> {
        self.is_enabled().then_some(self.config.afk_timeout)
    }

    /// Applies a changed configuration. Graces that run keep their ends; turned off, all is forgotten.
    pub(super) fn reconfigure(&mut self, config: &PresenceConfig, now: Instant) {
        self.config = config.clone();
        self.sample = now + config.afk_interval;
        if !self.is_enabled() {
            self.sessions.clear();
            self.graces.clear();
        }
    }

    /// Decides nothing from now on.
    pub(super) fn close(&mut self) {
        self.closed = true;
        self.sessions.clear();
        self.graces.clear();
        self.actions.clear();
    }

    /// What was decided since this was last asked, in order.
    pub(super) fn actions(&mut self) -> Vec<Action> {
        mem::take(&mut self.actions)
    }

    /// When [`Machine::tick`] has something to do.
    pub(super) fn next(&self) -> Option<Instant> {
        let grace = self.graces.first().map(|(ends, _)| *ends);
        // Without sessions nobody is idle.
        let sample = (!self.sessions.is_empty()).then_some(self.sample);
        grace.into_iter().chain(sample).min()
    }

    /// Whether a socket of the session is connected.
    pub(super) fn is_live(&self, token: &str) -> bool {
        self.sessions.get(token).is_some_and(|session| !session.seats.is_empty())
    }

    pub(super) fn connected(&mut self, token: &Arc<str>, socket: &Arc<str>, now: Instant) {
        if !self.is_enabled() {
            return;
        }
        let session = self.sessions.entry(token.clone()).or_default();
        session.touch(socket, now);
        session.ended = false;
        session.tab_switch = false;
        if let Some(grace) = session.grace.take() {
            self.graces.remove(&(grace.ends, token.clone()));
            self.actions.push(Action::Back { token: token.clone() });
        }
    }

    pub(super) fn disconnected(&mut self, token: &Arc<str>, socket: &Arc<str>, reason: Reason, now: Instant) {
        if !self.is_enabled() {
            return;
        }
        let session = self.sessions.entry(token.clone()).or_default();
        session.seats.retain(|seat| seat.socket != *socket);
        if session.seats.is_empty() {
            session.idle_told = None;
        }
        let ignored = reason == Reason::PingTimeout || session.ended || session.grace.is_some();
        if !ignored {
            let ends = now + self.config.grace(session.tab_switch, reason);
            session.grace = Some(Grace { ends, reason });
            self.graces.insert((ends, token.clone()));
        }
        self.tidy(token);
    }

    pub(super) fn activity(&mut self, token: &Arc<str>, socket: &Arc<str>, now: Instant) {
        if !self.is_enabled() {
            return;
        }
        if let Some(session) = self.sessions.get_mut(token) {
            session.refresh(socket, now);
        }
    }

    pub(super) fn intentional_disconnect(&mut self, token: &Arc<str>, socket: &Arc<str>) {
        if !self.is_enabled() {
            return;
        }
        let Some(session) = self.sessions.get_mut(token) else { return };
        let Some(seat) = session.seats.iter_mut().find(|seat| seat.socket == *socket) else { return };
        if mem::replace(&mut seat.leaving, true) || session.ended {
            return;
        }
        session.tab_switch = true;
        self.actions.push(Action::Hidden { token: token.clone(), grace: self.config.grace_tab_switch });
    }

    pub(super) fn logged_out(&mut self, token: &Arc<str>) {
        let Some(session) = self.sessions.get_mut(token) else { return };
        session.ended = true;
        session.tab_switch = false;
        session.idle_told = None;
        if let Some(grace) = session.grace.take() {
            self.graces.remove(&(grace.ends, token.clone()));
        }
        self.tidy(token);
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, now: Instant) {
        while self.graces.first().is_some_and(|(ends, _)| *ends <= now) {
            let Some((_, token)) = self.graces.pop_first() else { break };
            self.expire(token);
        }
        if self.sample <= now {
            self.sample = now + self.config.afk_interval;
            self.look_for_idle(now);
        }
    }

    fn expire(&mut self, token: Arc<str>) {
        let Some(session) = self.sessions.get_mut(&token) else { return };
        let Some(grace) = session.grace.take() else { return };
        let tab_switch = mem::take(&mut session.tab_switch);
        if session.seats.is_empty() {
            self.sessions.remove(&token);
            self.actions.push(Action::Left { token, reason: grace.reason, tab_switch });
        }
    }

    fn look_for_idle(&mut self, now: Instant) {
        for (token, session) in &mut self.sessions {
            let told = session
                .idle_told
                .is_some_and(|told| now.saturating_duration_since(told) < self.config.afk_refractory);
            if !told && session.is_idle(self.config.afk_timeout, now) {
                session.idle_told = Some(now);
                self.actions.push(Action::Idle { token: token.clone(), timeout: self.config.afk_timeout });
            }
        }
    }

    /// Forgets a session of which there is nothing to know.
    fn tidy(&mut self, token: &Arc<str>) {
        if self.sessions.get(token).is_some_and(|it| it.seats.is_empty() && it.grace.is_none()) {
            self.sessions.remove(token);
        }
    }
}

// --- Presence ---

impl Presence {
    fn touch(&mut self, socket: &Arc<str>, now: Instant) {
        if !self.refresh(socket, now) {
            self.seats.push(Seat { socket: socket.clone(), active: now, leaving: false });
        }
    }

    /// Whether there is such a socket.
    fn refresh(&mut self, socket: &Arc<str>, now: Instant) -> bool {
        let seat = self.seats.iter_mut().find(|seat| seat.socket == *socket);
        seat.map(|seat| seat.active = now).is_some()
    }

    /// Whether it has tabs, and nothing was done in any of them for so long.
    fn is_idle(&self, timeout: Duration, now: Instant) -> bool {
        !self.ended
            && !self.seats.is_empty()
            && self.seats.iter().all(|seat| now.saturating_duration_since(seat.active) > timeout)
    }
}

/// How long a session has to come back.
trait Graces {
    fn grace(&self, tab_switch: bool, reason: Reason) -> Duration;
}

impl Graces for PresenceConfig {
    fn grace(&self, tab_switch: bool, reason: Reason) -> Duration {
        match reason {
            _ if tab_switch => self.grace_tab_switch,
            // What Node calls a transport error is one here.
            _ if reason.as_str() == "transport error" => self.grace_transport,
            Reason::TransportClose => self.grace_transport,
            _ => self.grace_other,
        }
    }
}

#[cfg(test)]
mod tests;
