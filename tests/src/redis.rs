//! A real redis-server of a test's own.

use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::programs::{free_port, program};

/// How often a starting server is asked whether it is there.
const ASK_AGAIN: Duration = Duration::from_millis(10);
/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running server, empty at first. Dropping it kills it.
#[derive(Debug)]
pub struct RedisServer {
    child: Child,
    port: u16,
    dir: TempDir,
}

impl RedisServer {
    /// Starts one and waits until it answers.
    pub async fn start() -> RedisServer {
        let dir = tempfile::Builder::new().prefix("luckystack-redis-").tempdir().unwrap();
        let port = free_port();
        let child = spawn(port, dir.path());
        let server = RedisServer { child, port, dir };
        server.wait().await;
        server
    }

    /// `redis://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Kills it, as a crash would; what it held is gone.
    pub async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// Starts it again at the same port, empty.
    pub async fn restart(&mut self) {
        self.child = spawn(self.port, self.dir.path());
        self.wait().await;
    }

    /// Sends one command, word by word, and returns the reply as it came.
    pub async fn command(&self, words: &[&str]) -> String {
        let mut connection = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        ask(&mut connection, words).await
    }

    async fn wait(&self) {
        let up = async {
            loop {
                if let Ok(mut connection) = TcpStream::connect(("127.0.0.1", self.port)).await
                    && ask(&mut connection, &["PING"]).await.starts_with("+PONG")
                {
                    return;
                }
                tokio::time::sleep(ASK_AGAIN).await;
            }
        };
        tokio::time::timeout(PATIENCE, up).await.expect("redis-server did not start");
    }
}

fn spawn(port: u16, dir: &std::path::Path) -> Child {
    Command::new(program("redis-server", &["/usr/bin"], "redis-server"))
        .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--loglevel", "warning"])
        .args(["--port", &port.to_string()])
        .arg("--dir")
        .arg(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// One command and its whole reply: a reply is read until it pauses, which on loopback is its end.
async fn ask(connection: &mut TcpStream, words: &[&str]) -> String {
    let mut request = format!("*{}\r\n", words.len());
    for word in words {
        request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut reply = Vec::new();
    let mut buffer = [0; 16 << 10];
    loop {
        let pause = if reply.is_empty() { PATIENCE } else { ASK_AGAIN };
        match tokio::time::timeout(pause, connection.read(&mut buffer)).await {
            Ok(Ok(0) | Err(_)) | Err(_) => return String::from_utf8_lossy(&reply).into_owned(),
            Ok(Ok(read)) => reply.extend_from_slice(&buffer[..read]),
        }
    }
}
