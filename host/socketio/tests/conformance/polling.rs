//! A client that polls.

use std::collections::VecDeque;
use std::net::SocketAddr;

use tokio::net::TcpStream;

use crate::app::World;
use crate::http1::{self, Answer};

pub struct Polling {
    pub address: SocketAddr,
    pub sid: String,
    /// What the open packet said.
    pub open: serde_json::Value,
    received: VecDeque<String>,
}

impl Polling {
    /// Opens a session.
    pub async fn open(world: &World) -> Polling {
        Polling::open_at(world.server.address).await
    }

    /// Opens a session of another world.
    pub async fn open_at(address: SocketAddr) -> Polling {
        let answer = http1::request(address, "GET", "/socket.io/?EIO=4&transport=polling", "", b"").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let text = answer.text();
        assert!(text.starts_with('0'), "{text}");
        let open: serde_json::Value = serde_json::from_str(&text[1..]).expect("an open packet alone");
        let sid = open["sid"].as_str().expect("a session id").to_owned();
        Polling { address, sid, open, received: VecDeque::new() }
    }

    /// Opens a session and joins the namespace; its socket id.
    pub async fn join(world: &World) -> (Polling, String) {
        let mut client = Polling::open(world).await;
        client.post("40").await;
        let packet = client.next().await;
        let id = socket_id(&packet);
        (client, id)
    }

    pub fn path(&self) -> String {
        format!("/socket.io/?EIO=4&transport=polling&sid={}", self.sid)
    }

    /// Starts a poll.
    pub async fn start_poll(&self) -> TcpStream {
        http1::send(self.address, "GET", &self.path(), "", b"").await
    }

    /// Polls once.
    pub async fn poll(&self) -> Answer {
        http1::request(self.address, "GET", &self.path(), "", b"").await
    }

    /// Posts and is answered, whatever it is.
    pub async fn try_post(&self, body: impl AsRef<[u8]>) -> Answer {
        http1::request(self.address, "POST", &self.path(), "", body.as_ref()).await
    }

    /// Posts.
    pub async fn post(&self, body: impl AsRef<[u8]>) {
        let answer = self.try_post(body).await;
        assert_eq!((answer.status, answer.text()), (200, "ok"), "{answer:?}");
    }

    /// The next packet; polls for it unless it came with the last.
    pub async fn next(&mut self) -> String {
        loop {
            if let Some(packet) = self.received.pop_front() {
                return packet;
            }
            let answer = self.poll().await;
            assert_eq!(answer.status, 200, "{answer:?}");
            self.received = answer.text().split('\x1e').map(str::to_owned).collect();
        }
    }

    /// Whether the session has ended.
    pub async fn is_gone(&self) -> bool {
        let answer = self.poll().await;
        answer.status == 400 && answer.refusal() == (400, 1, "Session ID unknown".to_owned())
    }
}

/// The socket id of a `40{"sid":…}`.
pub fn socket_id(packet: &str) -> String {
    let body: serde_json::Value =
        packet.strip_prefix("40").and_then(|json| serde_json::from_str(json).ok()).expect(packet);
    let keys = body.as_object().expect("an object").len();
    assert_eq!(keys, 1, "{packet}");
    body["sid"].as_str().expect("a socket id").to_owned()
}
