//! The Node server of the cluster, and the clients of all its servers (`tests/cluster/peer.mjs`).

use std::collections::HashMap;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use luckystack_tests::programs::{node_program, program};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::{mpsc, oneshot};

use crate::soon;

/// A running Node process. Dropping it kills it.
pub struct Node {
    pub port: u16,
    orders: tokio::sync::Mutex<ChildStdin>,
    last: AtomicU64,
    shared: Arc<Shared>,
    _child: Child,
}

#[derive(Default)]
struct Shared {
    answers: Mutex<HashMap<u64, oneshot::Sender<Result<Value, String>>>>,
    clients: Mutex<HashMap<String, mpsc::UnboundedSender<Heard>>>,
}

/// What a client heard: an event and its arguments.
pub type Heard = (String, Vec<Value>);

/// A stock client of some server.
pub struct Client {
    pub id: String,
    name: String,
    heard: mpsc::UnboundedReceiver<Heard>,
}

impl Node {
    /// Starts one on a Redis server, with the given client library for it.
    pub async fn start(redis: &str, library: &str) -> Node {
        let dir = tokio::task::spawn_blocking(|| node_program("cluster")).await.unwrap();
        let mut child = Command::new(program("node", &[], "nodejs"))
            .arg(dir.join("peer.mjs"))
            .args([redis, library])
            // It ends with its input, should this process not live to kill it.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = soon("Node starts", lines.next_line()).await.unwrap().unwrap();
        let said: Value = serde_json::from_str(&line).unwrap();
        let shared = Arc::new(Shared::default());
        let listener = shared.clone();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                listener.hear(serde_json::from_str(&line).unwrap());
            }
        });
        Node {
            port: said["port"].as_u64().unwrap().try_into().unwrap(),
            orders: child.stdin.take().unwrap().into(),
            last: AtomicU64::new(0),
            shared,
            _child: child,
        }
    }

    /// Has it do something; what comes of it.
    pub async fn order(&self, name: &str, mut order: Value) -> Result<Value, String> {
        let id = self.last.fetch_add(1, Ordering::Relaxed);
        order["id"] = id.into();
        order["do"] = name.into();
        let (sender, receiver) = oneshot::channel();
        self.shared.answers.lock().insert(id, sender);
        let line = format!("{order}\n");
        self.orders.lock().await.write_all(line.as_bytes()).await.unwrap();
        soon(name, receiver).await.unwrap()
    }

    /// As [`Node::order`], for what has to succeed.
    pub async fn run(&self, name: &str, order: Value) -> Value {
        self.order(name, order).await.unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// A client of the server at a port; with a cookie, languages and a token.
    pub async fn client(&self, name: &str, port: u16, transport: &str) -> Client {
        let (sender, heard) = mpsc::unbounded_channel();
        self.shared.clients.lock().insert(name.to_owned(), sender);
        let order = json!({
            "name": name,
            "url": format!("http://127.0.0.1:{port}"),
            "transport": transport,
            "headers": { "cookie": format!("name={name}"), "accept-language": "nl,en;q=0.5" },
            "auth": { "token": format!("token of {name}"), "nested": { "a": [1, null] } },
        });
        let id = self.run("connect", order).await.as_str().unwrap().to_owned();
        Client { id, name: name.to_owned(), heard }
    }

    /// Has a client ask its server for rooms.
    pub async fn join(&self, client: &Client, rooms: &[&str]) {
        self.run("join", json!({ "name": client.name, "rooms": rooms })).await;
    }
}

impl Shared {
    fn hear(&self, mut said: Value) {
        if let Some(id) = said["id"].as_u64() {
            let answer = match said["error"].as_str() {
                Some(error) => Err(error.to_owned()),
                None => Ok(said["ok"].take()),
            };
            let _ = self.answers.lock().remove(&id).unwrap().send(answer);
        } else {
            let Value::Array(args) = said["args"].take() else { panic!("{said}") };
            let event = said["event"].as_str().unwrap().to_owned();
            let _ = self.clients.lock()[said["client"].as_str().unwrap()].send((event, args));
        }
    }
}

impl Client {
    /// What it hears next.
    pub async fn hears(&mut self) -> Heard {
        let heard = soon(&format!("{} hears something", self.name), self.heard.recv()).await;
        heard.unwrap()
    }

    /// What it hears before `event`.
    pub async fn hears_until(&mut self, event: &str) -> Vec<Heard> {
        let mut before = Vec::new();
        loop {
            let heard = self.hears().await;
            if heard.0 == event {
                return before;
            }
            before.push(heard);
        }
    }
}
