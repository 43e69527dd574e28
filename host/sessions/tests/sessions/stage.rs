//! A backplane whose operations a test can hold, break, count and tell others of; and hooks that note
//! what they are asked.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt as _, StreamExt as _};
use luckystack_backplane::{Answer, Backplane, BackplaneError, Changed, Count, Living, Memory};
use luckystack_sessions::{Hooks, Stop};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::{Notify, broadcast};

/// State in memory; shared by all who hold it.
pub struct Stage {
    memory: Memory,
    is_shared: bool,
    changed: broadcast::Sender<Changed>,
    /// Whether changes are told of.
    tells: AtomicBool,
    broken: Mutex<HashSet<&'static str>>,
    held: Mutex<HashMap<&'static str, Arc<Hold>>>,
    calls: Mutex<HashMap<&'static str, usize>>,
}

/// An operation that waits.
#[derive(Default)]
pub struct Hold {
    arrived: Notify,
    go: Notify,
}

impl Hold {
    pub async fn arrived(&self) {
        tokio::time::timeout(crate::PATIENCE, self.arrived.notified()).await.expect("nobody came");
    }

    pub fn go(&self) {
        self.go.notify_one();
    }
}

impl Stage {
    /// One that other processes are said to see too, and whose changes are told of.
    pub fn shared() -> Arc<Stage> {
        Arc::new(Stage::new(true))
    }

    /// One of this process's own.
    pub fn own() -> Arc<Stage> {
        Arc::new(Stage::new(false))
    }

    fn new(is_shared: bool) -> Stage {
        Stage {
            memory: Memory::new(),
            is_shared,
            changed: broadcast::Sender::new(10_000),
            tells: AtomicBool::new(true),
            broken: Mutex::default(),
            held: Mutex::default(),
            calls: Mutex::default(),
        }
    }

    /// The next operation of that name waits: a read with its answer, a write before it is done.
    pub fn hold(&self, operation: &'static str) -> Arc<Hold> {
        let hold = Arc::new(Hold::default());
        self.held.lock().insert(operation, hold.clone());
        hold
    }

    /// Operations of that name fail from now on, without an effect.
    pub fn breaks(&self, operation: &'static str) {
        self.broken.lock().insert(operation);
    }

    pub fn mends(&self) {
        self.broken.lock().clear();
    }

    /// Whether watchers are told of changes.
    pub fn tells(&self, tells: bool) {
        self.tells.store(tells, Ordering::SeqCst);
    }

    pub fn say(&self, changed: Changed) {
        let _ = self.changed.send(changed);
    }

    /// How often operations of that name were asked for.
    pub fn calls(&self, operation: &str) -> usize {
        self.calls.lock().get(operation).copied().unwrap_or_default()
    }

    pub fn all_calls(&self) -> usize {
        self.calls.lock().values().sum()
    }

    async fn enter(&self, operation: &'static str) -> Result<(), BackplaneError> {
        *self.calls.lock().entry(operation).or_default() += 1;
        if self.broken.lock().contains(operation) || self.broken.lock().contains("all") {
            return Err(BackplaneError::Unavailable { store: "stage".into(), reason: "broken".into() });
        }
        Ok(())
    }

    async fn wait(&self, operation: &'static str) {
        let hold = self.held.lock().remove(operation);
        if let Some(hold) = hold {
            hold.arrived.notify_one();
            hold.go.notified().await;
        }
    }

    fn told(&self, key: &str) {
        if self.tells.load(Ordering::SeqCst) {
            self.say(Changed::Key(key.to_owned()));
        }
    }

    fn reads<'a, T: Send + 'a>(&'a self, name: &'static str, read: Answer<'a, T>) -> Answer<'a, T> {
        async move {
            self.enter(name).await?;
            let answer = read.await;
            self.wait(name).await;
            answer
        }
        .boxed()
    }

    fn writes<'a, T: Send + 'a>(
        &'a self,
        name: &'static str,
        key: &'a str,
        write: impl FnOnce() -> Answer<'a, T> + Send + 'a,
    ) -> Answer<'a, T> {
        async move {
            self.enter(name).await?;
            self.wait(name).await;
            let answer = write().await;
            self.told(key);
            answer
        }
        .boxed()
    }
}

impl Backplane for Stage {
    fn get<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Bytes>> {
        self.reads("get", async move { self.memory.get(key).await }.boxed())
    }
    fn get_living<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Living>> {
        self.reads("get_living", async move { self.memory.get_living(key).await }.boxed())
    }
    fn set<'a>(&'a self, key: &'a str, value: Bytes, life: Option<Duration>) -> Answer<'a, ()> {
        self.writes("set", key, move || self.memory.set(key, value, life))
    }
    fn set_new<'a>(&'a self, key: &'a str, value: Bytes, life: Option<Duration>) -> Answer<'a, bool> {
        self.writes("set_new", key, move || self.memory.set_new(key, value, life))
    }
    fn swap<'a>(
        &'a self,
        key: &'a str,
        expected: Bytes,
        value: Bytes,
        life: Option<Duration>,
    ) -> Answer<'a, bool> {
        self.writes("swap", key, move || self.memory.swap(key, expected, value, life))
    }
    fn take<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Bytes>> {
        self.writes("take", key, move || self.memory.take(key))
    }
    fn delete<'a>(&'a self, key: &'a str) -> Answer<'a, bool> {
        self.writes("delete", key, move || self.memory.delete(key))
    }
    fn expire<'a>(&'a self, key: &'a str, life: Duration) -> Answer<'a, bool> {
        self.writes("expire", key, move || self.memory.expire(key, life))
    }
    fn clear<'a>(&'a self, prefix: &'a str) -> Answer<'a, u64> {
        async move {
            let cleared = self.memory.clear(prefix).await;
            self.say(Changed::Everything);
            cleared
        }
        .boxed()
    }
    fn count<'a>(&'a self, key: &'a str, window: Duration) -> Answer<'a, Count> {
        self.writes("count", key, move || self.memory.count(key, window))
    }
    fn counted<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Count>> {
        self.reads("counted", async move { self.memory.counted(key).await }.boxed())
    }
    fn add<'a>(&'a self, key: &'a str, member: &'a str, life: Duration) -> Answer<'a, ()> {
        self.writes("add", key, move || self.memory.add(key, member, life))
    }
    fn remove<'a>(&'a self, key: &'a str, member: &'a str) -> Answer<'a, ()> {
        self.writes("remove", key, move || self.memory.remove(key, member))
    }
    fn members<'a>(&'a self, key: &'a str) -> Answer<'a, Vec<String>> {
        self.reads("members", async move { self.memory.members(key).await }.boxed())
    }
    fn publish<'a>(&'a self, channel: &'a str, message: Bytes) -> Answer<'a, ()> {
        self.writes("publish", "", move || self.memory.publish(channel, message))
    }
    fn subscribe<'a>(&'a self, channel: &'a str) -> Answer<'a, BoxStream<'static, Bytes>> {
        self.memory.subscribe(channel)
    }
    fn watch<'a>(&'a self, prefix: &'a str) -> Answer<'a, BoxStream<'static, Changed>> {
        let (prefix, changes) = (prefix.to_owned(), self.changed.subscribe());
        let changes = stream::unfold((prefix, changes), |(prefix, mut changes)| async move {
            loop {
                let change = changes.recv().await.ok()?;
                if matches!(&change, Changed::Key(key) if !key.starts_with(&prefix)) {
                    continue;
                }
                return Some((change, (prefix, changes)));
            }
        });
        async move { Ok(changes.boxed()) }.boxed()
    }
    fn is_shared(&self) -> bool {
        self.is_shared
    }
    fn is_up(&self) -> bool {
        true
    }
    fn close(&self) -> BoxFuture<'_, ()> {
        self.memory.close()
    }
}

/// Hooks that everybody subscribed to.
#[derive(Default)]
pub struct Noting {
    notes: Mutex<Vec<(String, Value)>>,
    stops: Mutex<HashMap<&'static str, &'static str>>,
}

impl Noting {
    /// The hook says no from now on, with this code.
    pub fn stops(&self, hook: &'static str, code: &'static str) {
        self.stops.lock().insert(hook, code);
    }

    pub fn lets(&self, hook: &'static str) {
        self.stops.lock().remove(hook);
    }

    /// What was asked and told since the last time.
    pub fn taken(&self) -> Vec<(String, Value)> {
        std::mem::take(&mut *self.notes.lock())
    }

    pub fn names(&self) -> Vec<String> {
        self.taken().into_iter().map(|(name, _)| name).collect()
    }
}

impl Hooks for Noting {
    fn wanted(&self, _hook: &str) -> bool {
        true
    }

    fn ask<'a>(&'a self, hook: &'a str, payload: Value) -> BoxFuture<'a, Option<Stop>> {
        self.notes.lock().push((hook.to_owned(), payload));
        let code = self.stops.lock().get(hook).copied();
        let stop = code.map(|code| Stop { error_code: code.into(), http_status: None });
        futures::future::ready(stop).boxed()
    }

    fn tell(&self, hook: &'static str, payload: Value) {
        self.notes.lock().push((hook.to_owned(), payload));
    }
}
