//! One connection to the server that comes back by itself.
//!
//! The rule kept here: what is known of the connection is acted on at once. A link that is down answers
//! with an error instead of waiting for the server, and a loss is told to its [`Role`] before anything
//! else happens. A loss is noticed by the connection's end, or, when the other side vanished without a
//! word, by a ping that is not answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{self, BoxFuture};
use parking_lot::RwLock;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, PushInfo, PushKind, RedisError, RedisResult};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time;

use crate::BackplaneError;

/// How long a command waits for its reply. A server in good health answers in a fraction of a
/// millisecond; a caller who waits longer than this has been failed already.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// How long a connection may take to come about.
const CONNECTING: Duration = Duration::from_secs(2);
/// How often a quiet connection is tried.
const PING_EVERY: Duration = Duration::from_secs(1);
/// The pause after the first failed attempt to come back; every next one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(25);
/// The longest pause: nobody waits longer for a server that is back.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What a connection is for. One for commands alone has nothing to do but to have a name.
pub(super) trait Role: Send + Sync + 'static {
    /// For the log.
    fn name(&self) -> &'static str;
    /// A message that nobody asked for. Called from where replies are read: must not block.
    fn receive(&self, _push: PushInfo) {}
    /// The connection is lost, or an attempt to get it back has failed.
    fn lost(&self) {}
    /// Prepares a new connection, before anybody else uses it.
    fn restore(&self, _connection: MultiplexedConnection) -> BoxFuture<'_, RedisResult<()>> {
        future::ready(Ok(())).boxed()
    }
    /// The connection is back and prepared.
    fn back(&self) {}
    /// Called every now and then on a connection in good health.
    fn tidy(&self, _connection: MultiplexedConnection) -> BoxFuture<'_, RedisResult<()>> {
        future::ready(Ok(())).boxed()
    }
}

/// How many of the connections to one server are down: the log tells of its loss once, not for each.
#[derive(Debug, Default)]
pub(super) struct Outage(AtomicUsize);

impl Outage {
    /// One more is lost; whether it is the first.
    fn begins(&self) -> bool {
        self.0.fetch_add(1, Ordering::AcqRel) == 0
    }

    /// One is back; whether it is the last.
    fn ends(&self) -> bool {
        self.0.fetch_sub(1, Ordering::AcqRel) == 1
    }
}

/// The connection. Dropping it ends it.
pub(super) struct Link {
    shared: Arc<Shared>,
    task: AbortHandle,
}

struct Shared {
    client: Client,
    address: String,
    role: Arc<dyn Role>,
    outage: Arc<Outage>,
    state: RwLock<State>,
    /// The longest wait for a ping's answer.
    patience: Duration,
}

enum State {
    Up(Wire),
    /// Why.
    Down(String),
    Closed,
}

/// One connection from its beginning to its end.
#[derive(Clone)]
struct Wire {
    connection: MultiplexedConnection,
    /// Told when the connection has ended, or should.
    end: Arc<Notify>,
    /// Whether what it says still counts: not once it was given up.
    counts: Arc<AtomicBool>,
}

// --- Link ---

impl Link {
    /// Connects; an error if that does not succeed at once.
    pub(super) async fn open(
        client: Client,
        role: Arc<dyn Role>,
        patience: Duration,
        outage: &Arc<Outage>,
    ) -> Result<Link, RedisError> {
        let address = client.get_connection_info().addr().to_string();
        let state = RwLock::new(State::Down("not connected yet".into()));
        let shared = Arc::new(Shared { client, address, role, outage: Arc::clone(outage), state, patience });
        let wire = shared.dial().await?;
        let task = tokio::spawn(supervise(shared.clone(), wire)).abort_handle();
        Ok(Link { shared, task })
    }

    /// The connection, or why there is none.
    pub(super) fn connection(&self) -> Result<MultiplexedConnection, BackplaneError> {
        let reason = match &*self.shared.state.read() {
            State::Up(wire) => return Ok(wire.connection.clone()),
            State::Down(reason) => reason.clone(),
            State::Closed => "it was closed".into(),
        };
        Err(BackplaneError::Unavailable { store: "redis".into(), reason })
    }

    pub(super) fn is_up(&self) -> bool {
        matches!(&*self.shared.state.read(), State::Up(_))
    }

    /// Gives the connection up, as one that reaches the wrong server: it comes back as after any loss.
    pub(super) fn renew(&self) {
        if let State::Up(wire) = &*self.shared.state.read() {
            wire.end.notify_one();
        }
    }

    /// Ends it. Commands under way get their replies.
    pub(super) fn close(&self) {
        self.task.abort();
        *self.shared.state.write() = State::Closed;
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

// --- Shared ---

impl Shared {
    /// A new connection, prepared, and from now on the one in use.
    async fn dial(&self) -> RedisResult<Wire> {
        let end = Arc::new(Notify::new());
        let counts = Arc::new(AtomicBool::new(true));
        let receive = {
            let (role, end, counts) = (self.role.clone(), end.clone(), counts.clone());
            move |push: PushInfo| {
                if counts.load(Ordering::Acquire) {
                    if push.kind == PushKind::Disconnection {
                        role.lost();
                        end.notify_one();
                    } else {
                        role.receive(push);
                    }
                }
                Ok::<(), ()>(())
            }
        };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECTING))
            .set_response_timeout(Some(PATIENCE))
            .set_push_sender(receive);
        let connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        let wire = Wire { connection, end, counts };
        // A server that is loading its data accepts connections already.
        ping(&wire, PATIENCE).await?;
        self.role.restore(wire.connection.clone()).await?;
        let mut state = self.state.write();
        if !matches!(*state, State::Closed) {
            *state = State::Up(wire.clone());
        }
        Ok(wire)
    }

    /// Whether the link is still wanted.
    fn put_down(&self, reason: String) -> bool {
        let mut state = self.state.write();
        if matches!(*state, State::Closed) {
            return false;
        }
        *state = State::Down(reason);
        true
    }
}

async fn ping(wire: &Wire, patience: Duration) -> RedisResult<()> {
    let mut connection = wire.connection.clone();
    let ping = async { redis::cmd("PING").exec_async(&mut connection).await };
    match time::timeout(patience, ping).await {
        Ok(answer) => answer,
        Err(_) => Err(std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer to a ping").into()),
    }
}

/// Looks after a link until it is closed.
async fn supervise(shared: Arc<Shared>, mut wire: Wire) {
    loop {
        let reason = until_lost(&shared, &wire).await;
        if !shared.put_down(reason.clone()) {
            return;
        }
        // In this order: nobody gets the old connection any more when its loss is told.
        wire.counts.store(false, Ordering::Release);
        shared.role.lost();
        let (address, role) = (&shared.address, shared.role.name());
        match shared.outage.begins() {
            true => tracing::warn!(address, role, reason, "Redis is lost; trying to get it back"),
            false => tracing::debug!(address, role, reason, "a connection to Redis is lost, too"),
        }
        wire = return_of(&shared).await;
        shared.role.back();
        match shared.outage.ends() {
            true => tracing::info!(address, "Redis is back"),
            false => tracing::debug!(address, role, "a connection to Redis is back; others are not yet"),
        }
    }
}

/// Waits for the end of a connection; why it is the end.
async fn until_lost(shared: &Shared, wire: &Wire) -> String {
    loop {
        let next = time::timeout(PING_EVERY, wire.end.notified()).await;
        if next.is_ok() {
            return "it ended".into();
        }
        let healthy = async {
            ping(wire, shared.patience).await?;
            shared.role.tidy(wire.connection.clone()).await
        };
        if let Err(error) = healthy.await {
            return super::error::reason(&error);
        }
    }
}

/// The connection, when it is back at last.
async fn return_of(shared: &Shared) -> Wire {
    let mut pause = FIRST_PAUSE;
    loop {
        match shared.dial().await {
            Ok(wire) => return wire,
            Err(error) => {
                shared.put_down(super::error::reason(&error));
                shared.role.lost();
            }
        }
        time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
