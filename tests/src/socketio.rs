//! Pages of an app: the stock client of socket.io on Node, playing a scenario of `tests/socketio`.
//!
//! What a page must see is written there, in the language of pages; what must happen to the host meanwhile
//! is asked for and done here.

use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::host::PATIENCE;
use crate::programs::{node_program, program};

/// A scenario that is being played. Dropping it ends it.
#[derive(Debug)]
pub struct Scenario {
    name: String,
    _child: Child,
    orders: ChildStdin,
    said: Lines<BufReader<ChildStdout>>,
}

impl Scenario {
    /// Begins one at the hosts with these addresses: one, or two of the same app. Installs the client first
    /// if it is missing.
    pub async fn start(name: &str, urls: &[&str]) -> Scenario {
        let dir = tokio::task::spawn_blocking(|| node_program("socketio")).await.unwrap();
        let mut child = Command::new(program("node", &[], "nodejs"))
            .arg(dir.join("run.mjs"))
            .arg(name)
            .args(urls)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let orders = child.stdin.take().unwrap();
        let said = BufReader::new(child.stdout.take().unwrap()).lines();
        Scenario { name: name.to_owned(), _child: child, orders, said }
    }

    /// Waits until it wants something done; none at its end. What fails in it fails here.
    pub async fn wants(&mut self) -> Option<String> {
        let line = tokio::time::timeout(PATIENCE, self.said.next_line()).await;
        let line = line.unwrap_or_else(|_| panic!("{}: nothing happens", self.name)).unwrap();
        let line = line.unwrap_or_else(|| panic!("{}: it ended in the middle", self.name));
        let said: Value = serde_json::from_str(&line).unwrap();
        if let Some(failed) = said["failed"].as_str() {
            panic!("{}: {failed}", self.name);
        }
        said["wants"].as_str().map(str::to_owned)
    }

    /// Says that what it wanted is done.
    pub async fn go_on(&mut self) {
        self.orders.write_all(b"\n").await.unwrap();
    }

    /// Plays one that wants nothing, to its end.
    pub async fn play(name: &str, urls: &[&str]) {
        let wanted = Scenario::start(name, urls).await.wants().await;
        assert_eq!(wanted, None, "{name}");
    }
}
