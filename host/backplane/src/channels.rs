//! Messages within one process.
//!
//! A subscriber that falls behind by more than [`BACKLOG`] messages loses the oldest, like one whose
//! connection to a server broke: nobody who publishes waits for it.

use std::collections::HashMap;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use parking_lot::Mutex;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// Messages that wait for one slow subscriber.
const BACKLOG: usize = 1024;

/// Channels by name.
#[derive(Debug, Default)]
pub(crate) struct Channels {
    senders: Mutex<HashMap<String, broadcast::Sender<Bytes>>>,
}

impl Channels {
    pub(crate) fn publish(&self, channel: &str, message: Bytes) {
        if let Some(sender) = self.senders.lock().get(channel) {
            // An error says that nobody listens any more.
            let _ = sender.send(message);
        }
    }

    /// Messages from now on; the stream ends with [`Channels::close`].
    pub(crate) fn subscribe(&self, channel: &str) -> BoxStream<'static, Bytes> {
        let mut senders = self.senders.lock();
        let sender = senders.entry(channel.to_owned()).or_insert_with(|| broadcast::Sender::new(BACKLOG));
        messages(channel.to_owned(), sender.subscribe())
    }

    /// The channels that somebody subscribed to.
    pub(crate) fn names(&self) -> Vec<String> {
        self.senders.lock().keys().cloned().collect()
    }

    /// Drops the channels that everybody left; which they were.
    pub(crate) fn prune(&self) -> Vec<String> {
        let mut senders = self.senders.lock();
        senders.extract_if(|_, sender| sender.receiver_count() == 0).map(|(channel, _)| channel).collect()
    }

    pub(crate) fn close(&self) {
        self.senders.lock().clear();
    }
}

/// What a receiver gets, as a stream.
fn messages(channel: String, receiver: broadcast::Receiver<Bytes>) -> BoxStream<'static, Bytes> {
    stream::unfold((channel, receiver), |(channel, mut receiver)| async move {
        loop {
            match receiver.recv().await {
                Ok(message) => return Some((message, (channel, receiver))),
                Err(RecvError::Lagged(lost)) => {
                    tracing::warn!(channel, lost, "a subscriber was too slow: messages are lost to it");
                }
                Err(RecvError::Closed) => return None,
            }
        }
    })
    .boxed()
}
