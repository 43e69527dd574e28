//! Events that clients of this host are to acknowledge to another one.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Nobody waits longer for what clients say.
const LONGEST: Duration = Duration::from_secs(600);

/// By the numbers that the clients were given.
#[derive(Debug, Default)]
pub(super) struct Acks(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last: u64,
    expected: HashMap<u64, Expected>,
}

#[derive(Debug)]
struct Expected {
    /// The other host's request.
    request: String,
    until: Instant,
    /// Those that have not said anything yet.
    sockets: HashSet<Arc<str>>,
}

impl Acks {
    /// A number for an event that `sockets` are to acknowledge.
    pub(super) fn expect(
        &self,
        request: &str,
        patience: Duration,
        sockets: impl Iterator<Item = Arc<str>>,
    ) -> u64 {
        let now = Instant::now();
        let mut state = self.0.lock();
        state.expected.retain(|_, expected| expected.until > now);
        state.last += 1;
        let (ack, sockets) = (state.last, sockets.collect::<HashSet<_>>());
        if !sockets.is_empty() {
            let until = now + patience.min(LONGEST);
            state.expected.insert(ack, Expected { request: request.to_owned(), until, sockets });
        }
        ack
    }

    /// The request that a socket acknowledges, unless nobody asked it or it has done so before.
    pub(super) fn take(&self, ack: u64, socket: &str) -> Option<String> {
        let mut state = self.0.lock();
        let expected = state.expected.get_mut(&ack)?;
        if !expected.sockets.remove(socket) || expected.until <= Instant::now() {
            return None;
        }
        match expected.sockets.is_empty() {
            true => state.expected.remove(&ack).map(|expected| expected.request),
            false => Some(expected.request.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_who_was_asked_acknowledges_once_and_in_time() {
        let acks = Acks::default();
        let sockets = || ["a", "b"].into_iter().map(Arc::from);
        let ack = acks.expect("request", Duration::from_secs(60), sockets());
        assert_eq!(acks.take(ack, "a").as_deref(), Some("request"));
        assert_eq!(acks.take(ack, "a"), None);
        assert_eq!(acks.take(ack, "c"), None);
        assert_eq!(acks.take(ack + 1, "b"), None);
        assert_eq!(acks.take(ack, "b").as_deref(), Some("request"));
        assert!(acks.0.lock().expected.is_empty());
        let late = acks.expect("request", Duration::ZERO, sockets());
        assert_ne!(late, ack);
        assert_eq!(acks.take(late, "a"), None);
        acks.expect("request", Duration::from_secs(60), std::iter::empty());
        assert!(acks.0.lock().expected.is_empty());
    }
}
