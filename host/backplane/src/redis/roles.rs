//! What the connections are for: commands, messages, changes.
//!
//! What a subscriber wants is written down before the server is asked for it. So a connection that is
//! made in between asks for it too, and nobody who was told that he is subscribed is forgotten.

use std::collections::HashMap;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{PushInfo, PushKind, RedisError, RedisResult, Value};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use super::error;
use super::link::{Link, Role};
use crate::channels::Channels;
use crate::{BackplaneError, Changed};

/// Changes that wait for one slow watcher, before he is told that everything may have changed.
const BACKLOG: usize = 4096;

/// Commands and their replies.
pub(super) struct Commands;

/// Messages of subscribed channels.
#[derive(Default)]
pub(super) struct Messages {
    channels: Channels,
    /// Held while the server is asked to begin or end something, so that the two do not cross.
    asking: tokio::sync::Mutex<()>,
}

/// Changes of keys, as the server tells them to clients that keep copies.
#[derive(Default)]
pub(super) struct Changes {
    /// By prefix.
    watchers: Mutex<HashMap<String, broadcast::Sender<Changed>>>,
    /// The prefixes that the server was asked for; held while it is asked.
    asked: tokio::sync::Mutex<Vec<String>>,
}

// --- Commands ---

impl Role for Commands {
    fn name(&self) -> &'static str {
        "commands"
    }
}

// --- Messages ---

impl Messages {
    /// Notes a subscriber.
    pub(super) fn note(&self, channel: &str) -> BoxStream<'static, Bytes> {
        self.channels.subscribe(channel)
    }

    /// Asks the server for a channel that is noted.
    pub(super) async fn ask(&self, channel: &str, link: &Link) -> Result<(), BackplaneError> {
        let _asking = self.asking.lock().await;
        let answer = link.connection()?.subscribe(channel).await;
        answer.map_err(|error| unanswered(link, &error))
    }

    pub(super) fn close(&self) {
        self.channels.close();
    }
}

impl Role for Messages {
    fn name(&self) -> &'static str {
        "messages"
    }

    fn receive(&self, push: PushInfo) {
        if push.kind != PushKind::Message {
            return;
        }
        let mut words = push.data.into_iter();
        if let (Some(Value::BulkString(channel)), Some(Value::BulkString(message))) =
            (words.next(), words.next())
            && let Ok(channel) = str::from_utf8(&channel)
        {
            self.channels.publish(channel, message.into());
        }
    }

    fn lost(&self) {}

    fn restore(&self, mut connection: MultiplexedConnection) -> BoxFuture<'_, RedisResult<()>> {
        async move {
            let _asking = self.asking.lock().await;
            let channels = self.channels.names();
            match channels.is_empty() {
                true => Ok(()),
                false => connection.subscribe(channels).await,
            }
        }
        .boxed()
    }

    fn back(&self) {}

    fn tidy(&self, mut connection: MultiplexedConnection) -> BoxFuture<'_, RedisResult<()>> {
        async move {
            let _asking = self.asking.lock().await;
            let left = self.channels.prune();
            match left.is_empty() {
                true => Ok(()),
                false => connection.unsubscribe(left).await,
            }
        }
        .boxed()
    }
}

// --- Changes ---

impl Changes {
    /// Notes a watcher.
    pub(super) fn note(&self, prefix: &str) -> BoxStream<'static, Changed> {
        let mut watchers = self.watchers.lock();
        let sender = watchers.entry(prefix.to_owned()).or_insert_with(|| broadcast::Sender::new(BACKLOG));
        changes(sender.subscribe())
    }

    /// Asks the server for what is noted and not asked for yet.
    pub(super) async fn ask(&self, link: &Link) -> Result<(), BackplaneError> {
        let mut asked = self.asked.lock().await;
        // Not before the lock is held: of a connection that was given up since, nothing must be noted.
        let mut connection = link.connection()?;
        let answer = self.ask_for_all(&mut asked, &mut connection).await;
        answer.map_err(|error| unanswered(link, &error))
    }

    pub(super) fn close(&self) {
        self.watchers.lock().clear();
    }

    /// The server refuses prefixes of which one begins with the other. So it is asked for the shortest
    /// only, and has to forget what it was asked for when a shorter one comes.
    async fn ask_for_all(
        &self,
        asked: &mut Vec<String>,
        connection: &mut MultiplexedConnection,
    ) -> RedisResult<()> {
        let wanted = shortest(self.watchers.lock().keys());
        let new: Vec<&String> = wanted.iter().filter(|prefix| !covers(asked, prefix)).collect();
        if new.is_empty() {
            return Ok(());
        }
        let is_clash = new.iter().any(|new| asked.iter().any(|old| old.starts_with(new.as_str())));
        if !is_clash {
            track(connection, &new).await?;
            asked.extend(new.into_iter().cloned());
            return Ok(());
        }
        untrack(connection).await?;
        asked.clear();
        let answer = track(connection, &wanted.iter().collect::<Vec<_>>()).await;
        // What changed in between was told to nobody.
        self.tell_all();
        answer?;
        *asked = wanted;
        Ok(())
    }

    fn tell(&self, key: &str) {
        for (prefix, watcher) in &*self.watchers.lock() {
            if key.starts_with(prefix) {
                // An error says that nobody listens any more.
                let _ = watcher.send(Changed::Key(key.to_owned()));
            }
        }
    }

    fn tell_all(&self) {
        for watcher in self.watchers.lock().values() {
            let _ = watcher.send(Changed::Everything);
        }
    }
}

impl Role for Changes {
    fn name(&self) -> &'static str {
        "changes"
    }

    fn receive(&self, push: PushInfo) {
        if push.kind != PushKind::Invalidate {
            return;
        }
        for keys in push.data {
            let Value::Array(keys) = keys else {
                // Nothing instead of keys: all were removed.
                self.tell_all();
                continue;
            };
            for key in keys {
                // Nobody here asks for a key that is no text.
                if let Value::BulkString(key) = key
                    && let Ok(key) = str::from_utf8(&key)
                {
                    self.tell(key);
                }
            }
        }
    }

    /// Also with every failed attempt, so that what a watcher copied in between (the connection for
    /// commands may be in good health) is never older than a pause between two.
    fn lost(&self) {
        self.tell_all();
    }

    fn restore(&self, mut connection: MultiplexedConnection) -> BoxFuture<'_, RedisResult<()>> {
        async move {
            let mut asked = self.asked.lock().await;
            asked.clear();
            self.ask_for_all(&mut asked, &mut connection).await
        }
        .boxed()
    }

    fn back(&self) {
        self.tell_all();
    }

    fn tidy(&self, mut connection: MultiplexedConnection) -> BoxFuture<'_, RedisResult<()>> {
        async move {
            let mut asked = self.asked.lock().await;
            let is_over = {
                let mut watchers = self.watchers.lock();
                watchers.retain(|_, watcher| watcher.receiver_count() > 0);
                watchers.is_empty()
            };
            // While somebody watches, a prefix too many does less harm than asking anew.
            if is_over && !asked.is_empty() {
                untrack(&mut connection).await?;
                asked.clear();
            }
            Ok(())
        }
        .boxed()
    }
}

/// After an error nobody knows what the server has understood: a new connection asks for everything.
fn unanswered(link: &Link, error: &RedisError) -> BackplaneError {
    link.renew();
    error::of_command(error)
}

async fn track(connection: &mut MultiplexedConnection, prefixes: &[&String]) -> RedisResult<()> {
    let mut command = redis::cmd("CLIENT");
    command.arg("TRACKING").arg("ON").arg("BCAST");
    for prefix in prefixes {
        command.arg("PREFIX").arg(prefix.as_str());
    }
    command.exec_async(connection).await
}

async fn untrack(connection: &mut MultiplexedConnection) -> RedisResult<()> {
    redis::cmd("CLIENT").arg("TRACKING").arg("OFF").exec_async(connection).await
}

fn covers(asked: &[String], prefix: &str) -> bool {
    asked.iter().any(|asked| prefix.starts_with(asked.as_str()))
}

/// Those that begin with none of the others.
fn shortest<'a>(prefixes: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut all: Vec<&String> = prefixes.collect();
    // What a prefix begins with comes before it.
    all.sort_unstable();
    let mut kept: Vec<String> = Vec::new();
    for prefix in all {
        if !kept.last().is_some_and(|last| prefix.starts_with(last.as_str())) {
            kept.push(prefix.clone());
        }
    }
    kept
}

fn changes(receiver: broadcast::Receiver<Changed>) -> BoxStream<'static, Changed> {
    stream::unfold(receiver, |mut receiver| async move {
        match receiver.recv().await {
            Ok(change) => Some((change, receiver)),
            Err(RecvError::Lagged(_)) => Some((Changed::Everything, receiver)),
            Err(RecvError::Closed) => None,
        }
    })
    .boxed()
}

#[cfg(test)]
mod tests {
    use super::shortest;

    #[test]
    fn the_server_is_asked_for_the_shortest_prefixes_only() {
        let of = |prefixes: &[&str]| {
            let owned: Vec<String> = prefixes.iter().map(|&prefix| prefix.to_owned()).collect();
            shortest(owned.iter())
        };
        assert_eq!(of(&["app-session:", "app-activeUsers:"]), ["app-activeUsers:", "app-session:"]);
        assert_eq!(of(&["app-session:", "app-", "app-session:x", "b"]), ["app-", "b"]);
        assert_eq!(of(&["a", "ab", "b", ""]), [""]);
        assert!(of(&[]).is_empty());
    }
}
