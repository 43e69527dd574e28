//! Messages between hosts, many and small: two connections of their own, so that neither waits for
//! commands.
//!
//! Who publishes does not wait. Messages stand in a queue of bounded size and go out in their order, as
//! many at once as there are. While the server is away they are dropped at once: nothing that was said to
//! nobody is said later. What was subscribed to is subscribed to again on every new connection.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt as _};
use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{Client, PushInfo, PushKind, RedisResult, Value};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::error;
use super::link::{Link, Outage, PATIENCE, Role};
use crate::BackplaneError;

/// Bytes that may wait to be published, their channels included: some seconds of a fast network.
const QUEUE_BYTES: usize = 64 << 20;
/// Bytes that may wait for one slow subscriber before what comes is lost to it.
const BACKLOG_BYTES: usize = 64 << 20;
/// What a message costs beside its bytes.
const MESSAGE_BYTES: usize = 128;
/// Bytes that go out at once, or one message that is larger: the server's answer to them is waited for.
const BATCH_BYTES: usize = 1 << 20;

/// Messages between hosts over a Redis server; from [`Redis::bus`](crate::Redis::bus).
pub struct RedisBus {
    publishing: Arc<Link>,
    listening: (Link, Arc<Listening>),
    queue: mpsc::UnboundedSender<Message>,
    queued: Arc<AtomicUsize>,
    /// Whether messages are being lost because the queue is full: said once.
    is_full: AtomicBool,
    task: AbortHandle,
}

struct Message {
    channel: String,
    body: Bytes,
}

/// Publishing and asking.
struct Publishing;

/// Subscriptions.
#[derive(Default)]
struct Listening {
    subscriptions: Mutex<Vec<Subscription>>,
    /// Held while the server is asked to begin or end something, so that the two do not cross.
    asking: tokio::sync::Mutex<()>,
}

struct Subscription {
    channels: Vec<String>,
    /// As the server reads them: only `*` stands for something else.
    patterns: Vec<String>,
    sender: mpsc::UnboundedSender<(String, Bytes)>,
    backlog: Arc<AtomicUsize>,
    /// Lost since the last one that was not.
    lost: u64,
}

/// What the server is asked for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wanted {
    channels: Vec<String>,
    patterns: Vec<String>,
}

// --- RedisBus ---

impl RedisBus {
    pub(super) async fn open(client: Client, outage: &Arc<Outage>) -> RedisResult<RedisBus> {
        let publishing = Arc::new(Link::open(client.clone(), Arc::new(Publishing), PATIENCE, outage).await?);
        let listening = Arc::new(Listening::default());
        let listening = (Link::open(client, listening.clone(), PATIENCE, outage).await?, listening);
        let (queue, messages) = mpsc::unbounded_channel();
        let queued = Arc::new(AtomicUsize::new(0));
        let task = tokio::spawn(publish(publishing.clone(), messages, queued.clone())).abort_handle();
        Ok(RedisBus { publishing, listening, queue, queued, is_full: AtomicBool::new(false), task })
    }

    /// Sends a message to everybody who subscribed to `channel`, after those sent before. Does not wait;
    /// false when the server is away or too much waits for it already, and the message lost.
    pub fn publish(&self, channel: &str, message: Bytes) -> bool {
        if !self.publishing.is_up() {
            return false;
        }
        let message = Message { channel: channel.to_owned(), body: message };
        let cost = message.cost();
        if self.queued.fetch_add(cost, Ordering::AcqRel) >= QUEUE_BYTES {
            self.queued.fetch_sub(cost, Ordering::AcqRel);
            if !self.is_full.swap(true, Ordering::AcqRel) {
                let bytes = QUEUE_BYTES;
                tracing::warn!(bytes, "Redis takes messages too slowly: what is meant for others is lost");
            }
            return false;
        }
        if self.is_full.load(Ordering::Acquire) && self.is_full.swap(false, Ordering::AcqRel) {
            tracing::info!("Redis takes messages again");
        }
        self.queue.send(message).is_ok()
    }

    /// Messages of `channels`, and of those that fit `patterns` (in which `*` stands for anything), with
    /// their channel; from when this is ready, to the end of the bus. After a lost connection it goes on
    /// by itself; what was sent meanwhile is lost.
    ///
    /// # Errors
    /// The server is away, or refuses.
    pub async fn subscribe(
        &self,
        channels: Vec<String>,
        patterns: Vec<String>,
    ) -> Result<BoxStream<'static, (String, Bytes)>, BackplaneError> {
        let (link, listening) = &self.listening;
        let patterns: Vec<String> = patterns.iter().map(|pattern| escaped(pattern)).collect();
        let wanted = Wanted { channels: channels.clone(), patterns: patterns.clone() };
        let (sender, receiver) = mpsc::unbounded_channel();
        let backlog = Arc::new(AtomicUsize::new(0));
        let subscription = Subscription { channels, patterns, sender, backlog: backlog.clone(), lost: 0 };
        // Written down first: a connection that is made in between asks for it, too.
        listening.subscriptions.lock().push(subscription);
        let _asking = listening.asking.lock().await;
        let answer = wanted.ask(&mut link.connection()?).await;
        answer.map_err(|error| {
            // Nobody knows what the server has understood: a new connection asks for everything.
            link.renew();
            error::of_command(&error)
        })?;
        Ok(messages(receiver, backlog))
    }

    /// How many connections have subscribed to `channel` by its name.
    ///
    /// # Errors
    /// The server is away, or refuses.
    pub async fn subscribers(&self, channel: &str) -> Result<u64, BackplaneError> {
        let mut connection = self.publishing.connection()?;
        let mut command = redis::cmd("PUBSUB");
        command.arg("NUMSUB").arg(channel);
        let answer: RedisResult<Vec<(Bytes, u64)>> = command.query_async(&mut connection).await;
        let counts = answer.map_err(|error| error::of_command(&error))?;
        Ok(counts.first().map_or(0, |(_, count)| *count))
    }

    /// Whether both connections work.
    pub fn is_up(&self) -> bool {
        self.publishing.is_up() && self.listening.0.is_up()
    }

    /// Ends it, and all streams.
    pub fn close(&self) {
        self.task.abort();
        self.publishing.close();
        self.listening.0.close();
        self.listening.1.subscriptions.lock().clear();
    }
}

impl Drop for RedisBus {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for RedisBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisBus").field("is_up", &self.is_up()).finish_non_exhaustive()
    }
}

impl Message {
    fn cost(&self) -> usize {
        self.channel.len() + self.body.len() + MESSAGE_BYTES
    }
}

/// Publishes what stands in the queue.
async fn publish(link: Arc<Link>, mut messages: mpsc::UnboundedReceiver<Message>, queued: Arc<AtomicUsize>) {
    let mut is_refused = false;
    while let Some(first) = messages.recv().await {
        let mut cost = 0;
        let mut pipeline = redis::Pipeline::new();
        let mut next = Some(first);
        while let Some(message) = next {
            cost += message.cost();
            pipeline.cmd("PUBLISH").arg(&message.channel).arg(&message.body[..]).ignore();
            next = if cost < BATCH_BYTES { messages.try_recv().ok() } else { None };
        }
        // Without a connection it is dropped; the link has said that it is lost.
        if let Ok(mut connection) = link.connection() {
            match pipeline.exec_async(&mut connection).await {
                Ok(()) => is_refused = false,
                Err(error) => {
                    if error::is_demoted(&error) {
                        link.renew();
                    }
                    let reason = error::reason(&error);
                    if matches!(error::of_command(&error), BackplaneError::Refused { .. }) && !is_refused {
                        is_refused = true;
                        tracing::warn!(reason, "Redis refuses messages to other hosts: they are lost");
                    } else {
                        tracing::debug!(reason, "messages to other hosts may be lost");
                    }
                }
            }
        }
        queued.fetch_sub(cost, Ordering::AcqRel);
    }
}

/// What a receiver gets, as a stream.
fn messages(
    receiver: mpsc::UnboundedReceiver<(String, Bytes)>,
    backlog: Arc<AtomicUsize>,
) -> BoxStream<'static, (String, Bytes)> {
    stream::unfold((receiver, backlog), |(mut receiver, backlog)| async move {
        let (channel, message) = receiver.recv().await?;
        backlog.fetch_sub(channel.len() + message.len() + MESSAGE_BYTES, Ordering::AcqRel);
        Some(((channel, message), (receiver, backlog)))
    })
    .boxed()
}

/// A pattern in which only `*` stands for something else, as the server has to read it.
fn escaped(pattern: &str) -> String {
    let mut escaped = String::with_capacity(pattern.len());
    for letter in pattern.chars() {
        if matches!(letter, '?' | '[' | ']' | '\\') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

// --- Publishing ---

impl Role for Publishing {
    fn name(&self) -> &'static str {
        "messages to other hosts"
    }
}

// --- Listening ---

impl Role for Listening {
    fn name(&self) -> &'static str {
        "messages of other hosts"
    }

    fn receive(&self, push: PushInfo) {
        let mut words = push.data.into_iter();
        let pattern = match push.kind {
            PushKind::Message => None,
            PushKind::PMessage => match words.next() {
                Some(Value::BulkString(pattern)) => Some(pattern),
                _ => return,
            },
            _ => return,
        };
        let (Some(Value::BulkString(channel)), Some(Value::BulkString(message))) =
            (words.next(), words.next())
        else {
            return;
        };
        // Nobody here asks for a channel that is no text; one that only fits a pattern may be none.
        let Ok(channel) = String::from_utf8(channel) else { return };
        let message = Bytes::from(message);
        for subscription in &mut *self.subscriptions.lock() {
            let is_for_it = match &pattern {
                Some(pattern) => subscription.patterns.iter().any(|wanted| wanted.as_bytes() == pattern),
                None => subscription.channels.contains(&channel),
            };
            if is_for_it {
                subscription.send(&channel, &message);
            }
        }
    }

    fn lost(&self) {}

    fn restore(&self, mut connection: MultiplexedConnection) -> BoxFuture<'_, RedisResult<()>> {
        async move {
            let _asking = self.asking.lock().await;
            let wanted = Wanted::of(&self.subscriptions.lock());
            wanted.ask(&mut connection).await
        }
        .boxed()
    }

    fn back(&self) {}

    fn tidy(&self, mut connection: MultiplexedConnection) -> BoxFuture<'_, RedisResult<()>> {
        async move {
            let _asking = self.asking.lock().await;
            let left = self.prune();
            if !left.channels.is_empty() {
                connection.unsubscribe(&left.channels).await?;
            }
            if !left.patterns.is_empty() {
                connection.punsubscribe(&left.patterns).await?;
            }
            Ok(())
        }
        .boxed()
    }
}

impl Listening {
    /// Drops the subscriptions that nobody reads any more; what is not wanted by anybody since.
    fn prune(&self) -> Wanted {
        let mut subscriptions = self.subscriptions.lock();
        if subscriptions.iter().all(|subscription| !subscription.sender.is_closed()) {
            return Wanted::default();
        }
        let mut left = Wanted::of(&subscriptions);
        subscriptions.retain(|subscription| !subscription.sender.is_closed());
        let kept = Wanted::of(&subscriptions);
        left.channels.retain(|channel| !kept.channels.contains(channel));
        left.patterns.retain(|pattern| !kept.patterns.contains(pattern));
        left
    }
}

impl Subscription {
    fn send(&mut self, channel: &str, message: &Bytes) {
        let cost = channel.len() + message.len() + MESSAGE_BYTES;
        if self.backlog.fetch_add(cost, Ordering::AcqRel) >= BACKLOG_BYTES {
            self.backlog.fetch_sub(cost, Ordering::AcqRel);
            if self.lost == 0 {
                tracing::warn!("messages of other hosts come faster than they are handled: they are lost");
            }
            self.lost += 1;
            return;
        }
        if self.lost > 0 {
            tracing::warn!(lost = self.lost, "messages of other hosts were lost; they are handled again");
            self.lost = 0;
        }
        // An error says that nobody reads any more.
        let _ = self.sender.send((channel.to_owned(), message.clone()));
    }
}

// --- Wanted ---

impl Wanted {
    fn of(subscriptions: &[Subscription]) -> Wanted {
        let mut wanted = Wanted::default();
        for subscription in subscriptions {
            wanted.channels.extend(subscription.channels.iter().cloned());
            wanted.patterns.extend(subscription.patterns.iter().cloned());
        }
        for names in [&mut wanted.channels, &mut wanted.patterns] {
            names.sort_unstable();
            names.dedup();
        }
        wanted
    }

    async fn ask(&self, connection: &mut MultiplexedConnection) -> RedisResult<()> {
        if !self.channels.is_empty() {
            connection.subscribe(&self.channels).await?;
        }
        if !self.patterns.is_empty() {
            connection.psubscribe(&self.patterns).await?;
        }
        Ok(())
    }
}
