//! When each socket was last active, where all hosts see it: `<project>-presence-activity:<socket id>`, in
//! milliseconds since 1970 (wire protocol §5.1). Node servers of the same app read and write the same.
//!
//! What is not written yet when the next stamp of a socket comes is not written at all. A store that does not
//! answer costs other hosts their knowledge, and nobody here anything.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::{StreamExt as _, stream};
use luckystack_backplane::{BackplaneError, Keys, SharedBackplane};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::deeds::epoch;

/// Stamps that are written at the same time.
const AT_ONCE: usize = 32;
/// A stamp lives for so many times as long as it takes to be idle, so that one that is old can be told from
/// one that was never there.
const LIVES: u32 = 2;
/// Shorter times to be idle count as this one.
const SHORTEST: Duration = Duration::from_secs(60);

/// The stamps of all hosts.
pub(super) struct Stamps {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    backplane: SharedBackplane,
    /// A socket's id makes it a key.
    prefix: String,
    /// What is to be written, by socket; none is to be removed.
    waiting: Mutex<HashMap<Arc<str>, Option<Stamp>>>,
    changed: Notify,
}

struct Stamp {
    at: u64,
    life: Duration,
}

impl Stamps {
    /// Keeps them there; needs a running tokio runtime.
    pub(super) fn keep(backplane: SharedBackplane, keys: &Keys) -> Stamps {
        let mut prefix = keys.own("presence-activity", "");
        prefix.push(':');
        let shared = Arc::new(Shared {
            backplane,
            prefix,
            waiting: Mutex::new(HashMap::new()),
            changed: Notify::new(),
        });
        let task = tokio::spawn(write(shared.clone()));
        Stamps { shared, task }
    }

    /// A socket is active now, and idle after so long.
    pub(super) fn set(&self, socket: &Arc<str>, timeout: Duration) {
        let stamp = Stamp { at: epoch(SystemTime::now()), life: timeout.max(SHORTEST) * LIVES };
        self.shared.put(socket, Some(stamp));
    }

    /// A socket is gone.
    pub(super) fn forget(&self, socket: &Arc<str>) {
        self.shared.put(socket, None);
    }

    /// Whether any of these sockets was active in that time; yes when the store does not say.
    pub(super) async fn any_within(&self, time: Duration, sockets: impl Iterator<Item = &str>) -> bool {
        let latest = epoch(SystemTime::now() - time);
        for socket in sockets {
            match self.shared.backplane.get(&self.shared.key(socket)).await {
                Ok(stamp) => {
                    let at: Option<u64> = stamp.and_then(|at| std::str::from_utf8(&at).ok()?.parse().ok());
                    if at.is_some_and(|at| at >= latest) {
                        return true;
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "it is not known whether a socket of another host is active");
                    return true;
                }
            }
        }
        false
    }
}

impl Drop for Stamps {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn key(&self, socket: &str) -> String {
        format!("{}{socket}", self.prefix)
    }

    fn put(&self, socket: &Arc<str>, stamp: Option<Stamp>) {
        self.waiting.lock().insert(socket.clone(), stamp);
        self.changed.notify_one();
    }

    async fn write(&self, socket: &str, stamp: Option<Stamp>) -> Result<(), BackplaneError> {
        let key = self.key(socket);
        match stamp {
            Some(Stamp { at, life }) => {
                self.backplane.set(&key, at.to_string().into(), Some(life)).await?;
            }
            None => {
                self.backplane.delete(&key).await?;
            }
        }
        Ok(())
    }
}

/// Writes what waits, for as long as it is polled.
async fn write(shared: Arc<Shared>) {
    loop {
        shared.changed.notified().await;
        let waiting = mem::take(&mut *shared.waiting.lock());
        let writing = stream::iter(waiting).for_each_concurrent(AT_ONCE, |(socket, stamp)| {
            let shared = &shared;
            async move {
                if let Err(error) = shared.write(&socket, stamp).await {
                    tracing::debug!(%error, "other hosts do not see when a socket was last active");
                }
            }
        });
        writing.await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use luckystack_backplane::{Keys, Memory, SharedBackplane};

    use super::Stamps;

    const LONG: Duration = Duration::from_secs(600);

    async fn until<F: Future<Output = bool>>(mut holds: impl FnMut() -> F) {
        let wait = async {
            while !holds().await {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), wait).await.expect("it never came true");
    }

    #[tokio::test]
    async fn a_stamp_is_where_other_hosts_look_for_it_and_goes_with_the_socket() {
        let backplane: SharedBackplane = Arc::new(Memory::new());
        let stamps = Stamps::keep(backplane.clone(), &Keys::new("app"));
        let socket: Arc<str> = "s1".into();
        stamps.set(&socket, LONG);
        until(|| async { stamps.any_within(LONG, ["other", "s1"].into_iter()).await }).await;
        let living = backplane.get_living("app-presence-activity:s1").await.unwrap().unwrap();
        let at = String::from_utf8(living.value.to_vec()).unwrap();
        assert!(at.len() == 13 && at.bytes().all(|byte| byte.is_ascii_digit()), "milliseconds: {at}");
        assert!(living.remaining.is_some_and(|life| life > LONG && life <= 2 * LONG));

        stamps.set(&socket, LONG);
        stamps.forget(&socket);
        until(|| async { !stamps.any_within(LONG, ["s1"].into_iter()).await }).await;
    }

    #[tokio::test]
    async fn who_has_not_been_active_for_long_is_not_active() {
        let backplane: SharedBackplane = Arc::new(Memory::new());
        let stamps = Stamps::keep(backplane.clone(), &Keys::new("app"));
        let key = "app-presence-activity:s1";
        backplane.set(key, "1700000000000".into(), None).await.unwrap();
        assert!(!stamps.any_within(LONG, ["s1"].into_iter()).await);
        backplane.set(key, "99999999999999".into(), None).await.unwrap();
        assert!(stamps.any_within(LONG, ["s1"].into_iter()).await, "another host's clock is ahead");
        backplane.set(key, "never".into(), None).await.unwrap();
        assert!(!stamps.any_within(LONG, ["s1"].into_iter()).await);
    }
}
