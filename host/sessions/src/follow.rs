//! What other hosts do: changes of the store, and messages.
//!
//! The rule kept here: **the cache is trusted only while this host has seen for itself that it is told of
//! changes.** When the store says that some may have been missed, everything is forgotten and nothing is
//! kept. Then this host writes a key of its own, `<project>-session-watch:<host>-<n>`, and waits to be told
//! of it: from there on the cache is trusted again. The key lives ten seconds.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::future::{self, BoxFuture, FutureExt as _};
use futures::stream::BoxStream;
use luckystack_backplane::Changed;
use tokio::time;

use crate::events::Notice;
use crate::sessions::Shared;

/// How long the key lives that is only written to be told of.
const MARK_LIFE: Duration = Duration::from_secs(10);
/// When it is written again if nobody told of it: the store is down, or what watches it is.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Follows changes of the store until they end.
pub(crate) async fn changes(shared: Arc<Shared>, mut changes: BoxStream<'static, Changed>) {
    let sessions = shared.session_key("");
    // Counts the times something may have been missed, so that an old mark proves nothing.
    let mut missed = 0_u64;
    let mut marking: BoxFuture<'static, ()> = future::pending().boxed();
    loop {
        let change = tokio::select! {
            biased;
            change = changes.next() => change,
            () = &mut marking => continue,
        };
        match change {
            Some(Changed::Key(key)) => {
                if let Some(token) = key.strip_prefix(&sessions) {
                    shared.cache.forget(token);
                } else if missed > 0 && key == mark(&shared, missed) {
                    marking = future::pending().boxed();
                    shared.cache.trust(true);
                }
            }
            Some(Changed::Everything) => {
                shared.cache.trust(false);
                missed += 1;
                marking = write_marks(shared.clone(), mark(&shared, missed)).boxed();
            }
            // The backplane was closed.
            None => return shared.cache.trust(false),
        }
    }
}

/// Follows messages of other hosts until they end.
pub(crate) async fn messages(shared: Arc<Shared>, mut messages: BoxStream<'static, Bytes>) {
    while let Some(message) = messages.next().await {
        if let Some(notice) = Notice::read(&message, &shared.host) {
            // In case the message is faster than the store's own notice.
            shared.cache.forget(notice.token());
            shared.announce_here(notice, false);
        }
    }
}

fn mark(shared: &Shared, missed: u64) -> String {
    shared.keys.own("session-watch", &format!("{}-{missed}", shared.host))
}

/// Writes the mark again and again, until dropped.
async fn write_marks(shared: Arc<Shared>, mark: String) {
    loop {
        if let Err(error) = shared.backplane.set(&mark, Bytes::from_static(b"1"), Some(MARK_LIFE)).await {
            tracing::debug!(%error, "sessions are not cached until the store answers");
        }
        time::sleep(ASK_AGAIN).await;
    }
}
