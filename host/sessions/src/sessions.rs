//! The store of sessions: what the rest of the host sees of it.

use std::sync::Arc;

use arc_swap::ArcSwap;
use luckystack_backplane::{BackplaneError, Keys, SharedBackplane};
use luckystack_plugins::call::Session;
use luckystack_topology::SessionConfig;
use serde_json::{Map, Value};
use tokio::sync::broadcast;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::cache::Cache;
use crate::complaint::Complaint;
use crate::events::{Notice, SessionEvent};
use crate::follow;
use crate::guard::Guard;
use crate::hooks::{Hooks, Stop};
use crate::outcome::{CreateError, EndReason, Read, SessionError};
use crate::record;
use crate::turns::Turns;

/// Events that wait for one slow receiver: some seconds of a busy host, at about 1 KB each.
pub const BACKLOG: usize = 4096;

/// What a hook that stops without a code of its own means, as in the original.
const NO_CODE: &str = "api.internalServerError";

/// All sessions of a project. Cheap to clone.
///
/// # Sliding expiry
/// A read makes a session's life longer when a hundredth of it has passed since the last time, at most a
/// minute (a quarter for lives below four seconds); the original does it at every read. A subscriber of
/// `preSessionRefresh` who said no is asked again after the same time.
///
/// # When the store does not answer
/// Nothing is served from memory while nobody would tell of a session's end: [`Sessions::cached`] finds
/// nothing and [`Sessions::read`] fails, from the moment the connection is known to be lost until the
/// store has proved that it tells of changes again. A short outage refuses everybody rather than let
/// somebody in whose session was ended meanwhile.
///
/// # Cancelling
/// [`Sessions::create`], [`Sessions::end`] and the writing half of [`Sessions::update`] go on to their end
/// when the future is dropped, so that no half of them is missing.
#[derive(Clone)]
pub struct Sessions {
    shared: Arc<Shared>,
    _tasks: Arc<Tasks>,
}

/// What all parts of this crate work on.
pub(crate) struct Shared {
    pub(crate) keys: Keys,
    /// A random name of this host among the others.
    pub(crate) host: String,
    /// Channel of events.
    pub(crate) channel: String,
    pub(crate) config: ArcSwap<SessionConfig>,
    pub(crate) backplane: SharedBackplane,
    pub(crate) hooks: Arc<dyn Hooks>,
    pub(crate) cache: Cache,
    pub(crate) guard: Guard,
    /// Changes of a session, by token.
    pub(crate) changes: Turns,
    /// Logins, by user.
    pub(crate) logins: Turns,
    pub(crate) events: broadcast::Sender<SessionEvent>,
    /// That sessions cannot be read.
    complaint: Complaint,
}

/// Background work, which ends with the last clone.
struct Tasks(Vec<JoinHandle<()>>);

// --- Sessions ---

impl Sessions {
    /// Opens the store; follows changes by others from now on.
    ///
    /// # Errors
    /// A shared store that cannot be followed.
    pub async fn open(
        project: &str,
        config: &SessionConfig,
        backplane: SharedBackplane,
        hooks: Arc<dyn Hooks>,
    ) -> Result<Self, BackplaneError> {
        let keys = Keys::new(project);
        let is_shared = backplane.is_shared();
        let shared = Arc::new(Shared {
            host: record::mint_token()?,
            channel: keys.key(":session-events", ""),
            config: ArcSwap::from_pointee(config.clone()),
            cache: Cache::new(config.cache_entries, !is_shared, Instant::now()),
            guard: Guard::new(),
            changes: Turns::new(),
            logins: Turns::new(),
            events: broadcast::Sender::new(BACKLOG),
            complaint: Complaint::default(),
            keys,
            backplane,
            hooks,
        });
        let mut tasks = Tasks(Vec::new());
        if is_shared {
            let changes = shared.backplane.watch(&shared.watched()).await?;
            let messages = shared.backplane.subscribe(&shared.channel).await?;
            // What the stream does not tell of from here on, it says that it does not.
            shared.cache.trust(true);
            tasks.0.push(tokio::spawn(follow::changes(shared.clone(), changes)));
            tasks.0.push(tokio::spawn(follow::messages(shared.clone(), messages)));
        }
        Ok(Sessions { shared, _tasks: Arc::new(tasks) })
    }

    /// Applies a changed configuration from now on. Lives that are running are brought to a changed
    /// `expiry` when they are next made longer.
    pub fn reconfigure(&self, config: &SessionConfig) {
        self.shared.config.store(Arc::new(config.clone()));
        self.shared.cache.resize(config.cache_entries);
    }

    /// The session behind `token` if it is cached and needs no extension: the way of nearly every call,
    /// without an allocation or a lock that is held across threads for long.
    pub fn cached(&self, token: &str) -> Option<Arc<Session>> {
        self.shared.cache.get(token, Instant::now())
    }

    /// Reads the session behind `token` (§5.2 "Read"), for a client at address `ip`.
    ///
    /// # Errors
    /// The store does not answer, and the session is not one that may be served without it.
    pub async fn read(&self, token: &str, ip: &str) -> Result<Read, BackplaneError> {
        let read = self.shared.read(token, ip).await;
        if let Err(error) = &read
            && self.shared.complaint.is_due()
        {
            tracing::error!(%error, "sessions cannot be read; who presents a token is refused");
        }
        read
    }

    /// Reads without extending life, throttling or hooks: for services that look at a session.
    ///
    /// # Errors
    /// As [`Sessions::read`].
    pub async fn peek(&self, token: &str) -> Result<Option<Arc<Session>>, BackplaneError> {
        self.shared.peek(token).await
    }

    /// Creates the session of a login (§5.2 "Write"): mints token and CSRF token, enforces the multi-login
    /// policy (§5.3), and ends `superseded`, the token that the same browser presented, silently.
    ///
    /// The token is always a new one, whatever was presented. Logins of one user come one after the other,
    /// on all hosts of a shared store, so that two at once neither exceed a limit nor end each other.
    /// A session whose end a hook forbids (`preSessionDelete`) stays, over the limit.
    ///
    /// # Errors
    /// Refused by a hook or the policy, or without an `id` in `user` (`api.internalServerError`). When the
    /// store fails in the middle, the new session does not stay.
    pub async fn create(
        &self,
        user: Map<String, Value>,
        superseded: Option<&str>,
    ) -> Result<Arc<Session>, CreateError> {
        let superseded = superseded.map(str::to_owned);
        detached(self.shared.clone().create(user, superseded)).await?
    }

    /// Changes the session behind `token`: `change` gets the object (without the token) and is called
    /// again when somebody else was faster. None when there is no such session; it is not brought back.
    ///
    /// Its life begins anew, as the original's does. On every host its sockets are told.
    ///
    /// # Errors
    /// [`SessionError::OtherUser`] when `change` touched the `id`; nothing is changed then.
    pub async fn update(
        &self,
        token: &str,
        change: &mut (dyn FnMut(&mut Map<String, Value>) + Send),
    ) -> Result<Option<Arc<Session>>, SessionError> {
        self.shared.update(token, None, change).await
    }

    /// Changes every session of a user; how many there are.
    ///
    /// # Errors
    /// As [`Sessions::update`]; those before the one that failed are changed.
    pub async fn update_user(
        &self,
        user_id: &str,
        change: &mut (dyn FnMut(&mut Map<String, Value>) + Send),
    ) -> Result<usize, SessionError> {
        let mut changed = 0;
        for token in self.shared.backplane.members(&self.shared.user_key(user_id)).await? {
            changed += usize::from(self.shared.update(&token, Some(user_id), change).await?.is_some());
        }
        Ok(changed)
    }

    /// Ends a session (§5.2 "Delete"); whether there was one.
    ///
    /// This host refuses it from before the store is asked. Of several who end it at once, one is told yes
    /// and tells the sockets.
    ///
    /// # Errors
    /// Forbidden by a hook; or the store failed: then the session may live on, and the next reads ask the
    /// store about it.
    pub async fn end(&self, token: &str, reason: EndReason) -> Result<bool, SessionError> {
        let token = token.to_owned();
        detached(self.shared.clone().end(token, reason)).await?
    }

    /// Ends all sessions of a user but `keep`; how many. One that a hook forbids to end stays, and does
    /// not count.
    ///
    /// # Errors
    /// The store failed; the others have been tried all the same.
    pub async fn end_others(&self, user_id: &str, keep: Option<&str>) -> Result<usize, SessionError> {
        let (user_id, keep) = (user_id.to_owned(), keep.map(str::to_owned));
        detached(self.shared.clone().end_others(user_id, keep)).await?
    }

    /// Tokens of a user's live sessions, oldest first where the store knows it.
    ///
    /// # Errors
    /// The store failed.
    pub async fn of_user(&self, user_id: &str) -> Result<Vec<String>, BackplaneError> {
        let live = self.shared.live_of(user_id).await?;
        Ok(live.iter().map(|session| session.token.clone()).collect())
    }

    /// What the sockets of this host must be told, from now on.
    pub fn events(&self) -> broadcast::Receiver<SessionEvent> {
        self.shared.events.subscribe()
    }

    /// Ends everything without telling anybody, for `/_test/reset`; whether there were sessions, and sets
    /// of active users. Forgets who tried tokens, too.
    ///
    /// # Errors
    /// The store failed.
    pub async fn clear(&self) -> Result<(bool, bool), BackplaneError> {
        let shared = self.shared.clone();
        detached(async move {
            shared.guard.clear();
            shared.cache.forget_all();
            let sessions = shared.backplane.clear(&shared.session_key("")).await;
            let users = shared.backplane.clear(&shared.user_key("")).await;
            // What was read while the store was at it.
            shared.cache.forget_all();
            Ok((sessions? > 0, users? > 0))
        })
        .await?
    }
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sessions")
    }
}

// --- Shared ---

impl Shared {
    pub(crate) fn session_key(&self, token: &str) -> String {
        // Not by the builder: it leaves the colon out where nothing follows, and a prefix needs it.
        let mut key = self.keys.own("session", "");
        key.push(':');
        key.push_str(token);
        key
    }

    pub(crate) fn user_key(&self, user_id: &str) -> String {
        let mut key = self.keys.own("activeUsers", "");
        key.push(':');
        key.push_str(user_id);
        key
    }

    /// Beginning of the keys whose changes matter: those of sessions, and those by which this host sees
    /// that it is told of changes.
    pub(crate) fn watched(&self) -> String {
        self.keys.own("session", "")
    }

    /// Tells the sockets of this host, at once, and those of the others.
    pub(crate) async fn announce(&self, notice: Notice) {
        let message = self.backplane.is_shared().then(|| notice.write(&self.host));
        self.announce_here(notice, true);
        if let Some(message) = message
            && let Err(error) = self.backplane.publish(&self.channel, message).await
        {
            tracing::warn!(%error, "sockets on other hosts were not told that a session changed or ended");
        }
    }

    /// Tells the sockets of this host; `here` when this host is where it happened.
    pub(crate) fn announce_here(&self, notice: Notice, here: bool) {
        for event in notice.events(here) {
            // An error says that nobody listens.
            let _ = self.events.send(event);
        }
    }

    /// Asks a hook that may stop; the code for the client when it does.
    pub(crate) async fn stopped(&self, hook: &str, payload: impl FnOnce() -> Value) -> Option<String> {
        let Stop { error_code, .. } = self.hooks.ask_with(hook, payload).await?;
        Some(if error_code.is_empty() { NO_CODE.into() } else { error_code })
    }

    /// Tells the subscribers of a hook that only observes.
    pub(crate) fn tell(&self, hook: &'static str, payload: impl FnOnce() -> Value) {
        self.hooks.tell_with(hook, payload);
    }
}

// --- Tasks ---

impl Drop for Tasks {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

/// Runs to its end what must not be left half done, also when the caller is gone.
pub(crate) async fn detached<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, BackplaneError> {
    tokio::spawn(work).await.map_err(|_| BackplaneError::Unavailable {
        store: "this host".into(),
        reason: "it is stopping, or a change of a session failed in its middle".into(),
    })
}
