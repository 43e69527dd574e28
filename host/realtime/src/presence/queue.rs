//! Does what was decided: what concerns one session in order, sessions beside each other.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;

use super::Deeds;

/// Sessions that are seen to at the same time: each may wait for the store, plugins and other hosts.
const AT_ONCE: usize = 64;

/// What waits, by session.
#[derive(Debug)]
pub(super) struct Queue<T> {
    /// Never empty for a session.
    waiting: HashMap<Arc<str>, VecDeque<T>>,
    /// Sessions with something waiting and nothing begun.
    ready: VecDeque<Arc<str>>,
    /// Sessions with something begun.
    begun: HashSet<Arc<str>>,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Queue { waiting: HashMap::new(), ready: VecDeque::new(), begun: HashSet::new() }
    }
}

impl<T> Queue<T> {
    pub(super) fn push(&mut self, session: Arc<str>, item: T) {
        let waiting = self.waiting.entry(session.clone()).or_default();
        waiting.push_back(item);
        if waiting.len() == 1 && !self.begun.contains(&session) {
            self.ready.push_back(session);
        }
    }

    /// The next to begin; its session has nothing else begun until it is [`done`](Queue::done).
    pub(super) fn begin(&mut self) -> Option<(Arc<str>, T)> {
        let session = self.ready.pop_front()?;
        let waiting = self.waiting.get_mut(&session)?;
        let item = waiting.pop_front()?;
        if waiting.is_empty() {
            self.waiting.remove(&session);
        }
        self.begun.insert(session.clone());
        Some((session, item))
    }

    pub(super) fn done(&mut self, session: Arc<str>) {
        self.begun.remove(&session);
        if self.waiting.contains_key(&session) {
            self.ready.push_back(session);
        }
    }
}

/// Does everything, for as long as it is polled.
pub(super) async fn run(deeds: Arc<Deeds>) {
    let shared = &deeds.shared;
    let mut begun = FuturesUnordered::new();
    loop {
        let due = {
            let mut state = shared.state.lock();
            while begun.len() < AT_ONCE
                && let Some((session, decided)) = state.queue.begin()
            {
                let deeds = deeds.clone();
                begun.push(async move {
                    deeds.perform(decided).await;
                    session
                });
            }
            state.machine.next()
        };
        tokio::select! {
            Some(session) = begun.next(), if !begun.is_empty() => shared.state.lock().queue.done(session),
            () = shared.changed.notified() => {}
            () = until(due) => shared.decide(|machine, now| machine.tick(now)),
        }
    }
}

/// Waits for that time; for ever without one.
async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::Queue;

    proptest! {
        #[test]
        fn all_is_begun_once_in_order_and_one_at_a_time_for_a_session(
            steps in prop::collection::vec((0..3_u8, 0..3_usize), 0..200),
        ) {
            let sessions: [Arc<str>; 3] = ["a".into(), "b".into(), "c".into()];
            let mut queue = Queue::default();
            let (mut given, mut taken) = ([0; 3], [0; 3]);
            let mut begun = HashMap::new();
            let rest = std::iter::repeat_n([(1, 0), (2, 0), (2, 1), (2, 2)], 200).flatten();
            for (step, which) in steps.into_iter().chain(rest) {
                let session = &sessions[which];
                match step {
                    0 => {
                        queue.push(session.clone(), given[which]);
                        given[which] += 1;
                    }
                    1 => {
                        let Some((session, item)) = queue.begin() else { continue };
                        let which = sessions.iter().position(|it| *it == session).unwrap();
                        prop_assert_eq!(item, taken[which]);
                        taken[which] += 1;
                        prop_assert!(begun.insert(session, ()).is_none());
                    }
                    _ => {
                        if begun.remove(session).is_some() {
                            queue.done(session.clone());
                        }
                    }
                }
            }
            prop_assert_eq!(given, taken);
            prop_assert!(queue.waiting.is_empty() && queue.ready.is_empty() && queue.begun.is_empty());
        }
    }
}
