//! A WebSocket client, by hand, so that its frames can be wrong.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::app::World;
use crate::http1::{self, Answer};
use crate::polling::{Polling, socket_id};
use crate::soon;

pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;
/// The last frame of a message.
pub const LAST: u8 = 0x80;

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

const HANDSHAKE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

pub struct WebSocket {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// A frame of the server.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame {
    pub opcode: u8,
    pub payload: Vec<u8>,
}

/// Asks for an upgrade; the answer when there is none.
pub async fn try_open(address: SocketAddr, query: &str, headers: &str) -> Result<WebSocket, Answer> {
    let path = format!("/socket.io/?{query}");
    let mut stream = http1::send(address, "GET", &path, &format!("{HANDSHAKE}{headers}"), b"").await;
    let mut buffer = Vec::new();
    let answer = http1::read_answer(&mut stream, &mut buffer).await;
    if answer.status != 101 {
        return Err(answer);
    }
    assert_eq!(answer.header("sec-websocket-accept").as_deref(), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert!(answer.header("upgrade").expect("upgrade").eq_ignore_ascii_case("websocket"));
    assert!(answer.header("connection").expect("connection").eq_ignore_ascii_case("upgrade"));
    assert_eq!(answer.header("sec-websocket-extensions"), None);
    Ok(WebSocket { stream, buffer })
}

impl WebSocket {
    /// Opens a session; what the open packet said.
    pub async fn open(world: &World) -> (WebSocket, serde_json::Value) {
        let opened = try_open(world.server.address, "EIO=4&transport=websocket", "").await;
        let mut client = opened.unwrap_or_else(|answer| panic!("no upgrade: {answer:?}"));
        let open = client.text().await;
        assert!(open.starts_with('0'), "{open}");
        let open = serde_json::from_str(&open[1..]).expect("an open packet");
        (client, open)
    }

    /// Opens a session and joins the namespace; its socket id.
    pub async fn join(world: &World) -> (WebSocket, String) {
        let (mut client, _) = WebSocket::open(world).await;
        client.send("40").await;
        let id = socket_id(&client.text().await);
        (client, id)
    }

    /// Tries to take over the session of a polling client.
    pub async fn probe(client: &Polling) -> WebSocket {
        let query = format!("EIO=4&transport=websocket&sid={}", client.sid);
        let opened = try_open(client.address, &query, "").await;
        let mut websocket = opened.unwrap_or_else(|answer| panic!("no upgrade: {answer:?}"));
        websocket.send("2probe").await;
        assert_eq!(websocket.text().await, "3probe");
        websocket
    }

    /// Sends a text frame.
    pub async fn send(&mut self, text: &str) {
        self.send_bytes(&frame(LAST | TEXT, text.as_bytes())).await;
    }

    /// Sends a binary frame.
    pub async fn send_binary(&mut self, bytes: &[u8]) {
        self.send_bytes(&frame(LAST | BINARY, bytes)).await;
    }

    /// Sends bytes, frames or not.
    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        soon("sending", self.stream.write_all(bytes)).await.expect("a connection");
    }

    /// The next frame, or `None` when the connection ended.
    pub async fn frame(&mut self) -> Option<Frame> {
        loop {
            if let Some((frame, len)) = parse(&self.buffer) {
                self.buffer.drain(..len);
                return Some(frame);
            }
            match soon("a frame", self.stream.read_buf(&mut self.buffer)).await {
                Ok(0) => {
                    assert!(self.buffer.is_empty(), "the connection ended within a frame");
                    return None;
                }
                Ok(_) => {}
                // A reset: nothing can have been lost that a test waits for.
                Err(_) => return None,
            }
        }
    }

    /// The next text.
    pub async fn text(&mut self) -> String {
        let frame = self.frame().await.expect("a frame instead of the end");
        assert_eq!(frame.opcode, TEXT, "{frame:?}");
        String::from_utf8(frame.payload).expect("UTF-8")
    }

    /// Whether the next that comes is a close frame and then the end; its code.
    pub async fn closed(&mut self) -> Option<u16> {
        let frame = self.frame().await.expect("a close frame");
        assert_eq!(frame.opcode, CLOSE, "{:?}", String::from_utf8_lossy(&frame.payload));
        assert_eq!(self.frame().await, None, "nothing comes after a close frame");
        frame.payload.first_chunk().copied().map(u16::from_be_bytes)
    }

    /// Reads until the connection ends, however it does.
    pub async fn ended(&mut self) {
        while self.frame().await.is_some() {}
    }

    /// Breaks the connection with a reset.
    pub fn reset(self) {
        self.stream.set_zero_linger().expect("SO_LINGER");
    }
}

/// A client's frame, with `first` as its first byte.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = header(first, payload.len());
    out.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    out
}

/// A client's header for `len` bytes of payload.
pub fn header(first: u8, len: usize) -> Vec<u8> {
    let mut out = vec![first];
    match len {
        0..126 => out.push(0x80 | len as u8),
        126..0x1_0000 => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        _ => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&MASK);
    out
}

/// The first frame of the server in `bytes`, and its length.
fn parse(bytes: &[u8]) -> Option<(Frame, usize)> {
    let (&first, &second) = (bytes.first()?, bytes.get(1)?);
    assert_eq!(first & 0xf0, LAST, "whole messages, no extensions");
    assert_eq!(second & 0x80, 0, "a server does not mask");
    let (len, start) = match second {
        126 => (usize::from(u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?)), 4),
        127 => (u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?) as usize, 10),
        short => (usize::from(short), 2),
    };
    let payload = bytes.get(start..start + len)?.to_vec();
    Some((Frame { opcode: first & 0x0f, payload }, start + len))
}
