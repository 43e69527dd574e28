//! A Node server of the same cluster, and its client (`tests/cluster/peer.mjs`).

use std::collections::VecDeque;
use std::process::Stdio;

use luckystack_tests::host::PATIENCE;
use luckystack_tests::programs::{node_program, program};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// A running server, with one client of its own. Dropping it ends it.
pub(crate) struct Node {
    port: u64,
    orders: ChildStdin,
    said: Lines<BufReader<ChildStdout>>,
    /// What the client heard while something else was waited for.
    heard: VecDeque<(String, Value)>,
    _child: Child,
}

impl Node {
    /// Starts one on a Redis server.
    pub(crate) async fn start(redis: &str) -> Node {
        let dir = tokio::task::spawn_blocking(|| node_program("cluster")).await.unwrap();
        let mut child = Command::new(program("node", &[], "nodejs"))
            .arg(dir.join("peer.mjs"))
            .args([redis, "redis"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let orders = child.stdin.take().unwrap();
        let said = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut node = Node { port: 0, orders, said, heard: VecDeque::new(), _child: child };
        node.port = node.line().await["port"].as_u64().unwrap();
        node
    }

    /// Connects the client with this cookie and puts it into these rooms; its id.
    pub(crate) async fn connect(&mut self, cookie: &str, rooms: &[&str]) -> String {
        let order = json!({
            "name": "page",
            "url": format!("http://127.0.0.1:{}", self.port),
            "transport": "websocket",
            "headers": { "cookie": cookie, "accept-language": "nl,en;q=0.5" },
            "auth": {},
        });
        let id = self.run("connect", order).await.as_str().unwrap().to_owned();
        self.run("join", json!({ "name": "page", "rooms": rooms })).await;
        id
    }

    /// Has the server do something; what comes of it.
    pub(crate) async fn run(&mut self, name: &str, mut order: Value) -> Value {
        order["id"] = 1.into();
        order["do"] = name.into();
        self.orders.write_all(format!("{order}\n").as_bytes()).await.unwrap();
        loop {
            let mut said = self.line().await;
            if said["id"].is_null() {
                self.keep(said);
                continue;
            }
            assert_eq!(said["error"], Value::Null, "{name}");
            return said["ok"].take();
        }
    }

    /// Sends an event to a room of all servers.
    pub(crate) async fn emit(&mut self, room: &str, event: &str, argument: &Value) {
        self.run("emit", json!({ "rooms": [room], "event": event, "args": [argument] })).await;
    }

    /// The argument of the client's next event of that name; others before it are dropped.
    pub(crate) async fn next(&mut self, name: &str) -> Value {
        loop {
            while let Some((event, argument)) = self.heard.pop_front() {
                if event == name {
                    return argument;
                }
            }
            let said = self.line().await;
            self.keep(said);
        }
    }

    fn keep(&mut self, mut said: Value) {
        let event = said["event"].as_str().unwrap().to_owned();
        self.heard.push_back((event, said["args"][0].take()));
    }

    async fn line(&mut self) -> Value {
        let line = tokio::time::timeout(PATIENCE, self.said.next_line()).await;
        let line = line.expect("Node says nothing").unwrap().expect("Node has ended");
        serde_json::from_str(&line).unwrap()
    }
}
