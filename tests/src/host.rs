//! A started host: its address, its output, its end.

use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{OwnedSemaphorePermit, watch};

use crate::client::{Answer, Call, Connection};

/// How long a host may take for anything that a test waits for, compiling on a busy machine included.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// What is printed when everything is in place.
const READY: &str = "ready in ";

/// A running host. Dropping it kills it.
#[derive(Debug)]
pub struct Host {
    child: Child,
    pid: Pid,
    url: String,
    stdout: Lines,
    stderr: Lines,
    dir: Arc<TempDir>,
    place: Arc<OwnedSemaphorePermit>,
}

/// A stream of the host's output, read to its end in the background.
#[derive(Clone, Debug)]
struct Lines {
    lines: Arc<Mutex<Vec<String>>>,
    /// How many there are; closed at the end.
    count: watch::Receiver<usize>,
}

impl Lines {
    fn read(from: impl AsyncRead + Send + Unpin + 'static) -> Lines {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (sender, count) = watch::channel(0);
        let kept = Arc::clone(&lines);
        tokio::spawn(async move {
            let mut reader = BufReader::new(from).lines();
            while let Ok(Some(line)) = reader.next_line().await {
                kept.lock().unwrap().push(line);
                sender.send_modify(|count| *count += 1);
            }
        });
        Lines { lines, count }
    }

    fn text(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }

    fn matching(&self, text: &str) -> Vec<String> {
        self.lines.lock().unwrap().iter().filter(|line| line.contains(text)).cloned().collect()
    }

    /// The `number`th line with `text` in it, from 1; none when the output ends without.
    async fn wait_for(&self, text: &str, number: usize) -> Option<String> {
        let mut count = self.count.clone();
        loop {
            count.mark_unchanged();
            if let Some(line) = self.matching(text).into_iter().nth(number - 1) {
                return Some(line);
            }
            if count.changed().await.is_err() {
                return self.matching(text).into_iter().nth(number - 1);
            }
        }
    }
}

impl Host {
    pub(crate) async fn start(
        mut command: Command,
        dir: Arc<TempDir>,
        place: Arc<OwnedSemaphorePermit>,
    ) -> Host {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = Lines::read(child.stdout.take().unwrap());
        let stderr = Lines::read(child.stderr.take().unwrap());
        let ready = tokio::time::timeout(PATIENCE, stdout.wait_for(READY, 1)).await;
        let printed = || format!("--- stdout\n{}\n--- stderr\n{}", stdout.text(), stderr.text());
        match ready {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the host ended before it was ready\n{}", printed()),
            Err(_) => panic!("the host was not ready in time\n{}", printed()),
        }
        let listening = stdout.matching("listening on ");
        let url = listening[0].split_whitespace().last().unwrap().to_owned();
        let pid = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)).unwrap();
        Host { child, pid, url, stdout, stderr, dir, place }
    }

    /// Where it listens, such as `http://localhost:41234`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.url.rsplit(':').next().unwrap().parse().unwrap()
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port()))
    }

    /// The project's folder.
    pub fn dir(&self) -> &std::path::Path {
        self.dir.path()
    }

    pub(crate) fn place(&self) -> Arc<OwnedSemaphorePermit> {
        Arc::clone(&self.place)
    }

    /// What it printed on standard output so far.
    pub fn banner(&self) -> String {
        self.stdout.text()
    }

    /// What it wrote to its log (standard error) so far.
    pub fn log(&self) -> String {
        self.stderr.text()
    }

    /// Lines of the log so far with `text` in them.
    pub fn log_lines(&self, text: &str) -> Vec<String> {
        self.stderr.matching(text)
    }

    /// Waits for a line of the log with `text` in it.
    pub async fn wait_for_log(&self, text: &str) -> String {
        self.wait_for_log_line(text, 1).await
    }

    /// Waits for the `number`th line of the log with `text` in it, from 1.
    pub async fn wait_for_log_line(&self, text: &str, number: usize) -> String {
        match tokio::time::timeout(PATIENCE, self.stderr.wait_for(text, number)).await {
            Ok(Some(line)) => line,
            Ok(None) => panic!("the log ended without {number} times {text:?}\n{}", self.log()),
            Err(_) => panic!("not {number} times {text:?} in the log\n{}", self.log()),
        }
    }

    /// A new connection to it.
    pub async fn connect(&self) -> Connection {
        Connection::open(self.address()).await
    }

    /// Sends a request over a connection of its own.
    pub async fn send(&self, call: Call) -> Answer {
        self.connect().await.send(call).await
    }

    /// Sends a GET over a connection of its own.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Call::get(path)).await
    }

    /// Calls a route with a JSON body over a connection of its own.
    pub async fn post(&self, path: &str, body: &serde_json::Value) -> Answer {
        self.send(Call::post(path).json(body)).await
    }

    /// Asks it to stop, as a supervisor does.
    pub fn terminate(&self) {
        rustix::process::kill_process(self.pid, Signal::TERM).unwrap();
    }

    /// Asks it to look at the disk again.
    pub fn hang_up(&self) {
        rustix::process::kill_process(self.pid, Signal::HUP).unwrap();
    }

    /// Kills it, as a crash would, and waits until it is gone.
    pub async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// Waits for its end.
    pub async fn exit(&mut self) -> ExitStatus {
        match tokio::time::timeout(PATIENCE, self.child.wait()).await {
            Ok(status) => status.unwrap(),
            Err(_) => panic!("the host did not end\n{}", self.log()),
        }
    }
}
