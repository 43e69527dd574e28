//! A socket.io client over a WebSocket of its own: what it says is what goes out, byte for byte.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time;

use crate::host::Host;

/// How long anything may take to arrive before something is broken.
const PATIENCE: Duration = Duration::from_secs(20);
/// Clients mask what they send; with what is nobody's business.
const MASK: [u8; 4] = [0x5a, 0xc3, 0x0f, 0x96];

/// A connected socket.
#[derive(Debug)]
pub struct Socket {
    id: String,
    stream: TcpStream,
    buffer: BytesMut,
    /// What arrived while something else was waited for.
    waiting: VecDeque<Event>,
    last_index: u64,
}

/// One event: its name and its argument, null without one.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its name.
    pub name: String,
    /// Its argument.
    pub payload: Value,
}

/// What the server says that is no event.
#[derive(Debug)]
enum Packet {
    Event(Event),
    /// `41`, or a closed connection.
    Gone,
}

impl Socket {
    /// Somebody without a session.
    pub async fn anonymous(host: &Host) -> Socket {
        Socket::open(host.address(), &Value::Null, &[]).await
    }

    /// The browser with this session cookie.
    pub async fn of(host: &Host, token: &str) -> Socket {
        Socket::open(host.address(), &Value::Null, &[("cookie", &format!("token={token}"))]).await
    }

    /// A client with this `auth` object and these headers.
    pub async fn open(address: SocketAddr, auth: &Value, headers: &[(&str, &str)]) -> Socket {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let mut request = format!(
            "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nhost: {address}\r\nconnection: Upgrade\r\n\
             upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        );
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut socket = Socket {
            id: String::new(),
            stream,
            buffer: BytesMut::new(),
            waiting: VecDeque::new(),
            last_index: 0,
        };
        let head = socket.head().await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        let open = socket.text().await.unwrap();
        assert!(open.starts_with("0{"), "{open}");
        let auth = if auth.is_null() { String::new() } else { auth.to_string() };
        socket.write(&format!("40{auth}")).await;
        let connected = socket.text().await.unwrap();
        let sid: Value = serde_json::from_str(connected.strip_prefix("40").unwrap()).unwrap();
        sid["sid"].as_str().unwrap().clone_into(&mut socket.id);
        socket
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Says something.
    pub async fn emit(&mut self, event: &str, payload: &Value) {
        self.write(&format!("42{}", json!([event, payload]))).await;
    }

    /// Says something without an argument.
    pub async fn emit_bare(&mut self, event: &str) {
        self.write(&format!("42{}", json!([event]))).await;
    }

    /// Sends a packet as it is.
    pub async fn write(&mut self, packet: &str) {
        self.frame(1, packet.as_bytes()).await;
    }

    /// Says something with a fresh `responseIndex`, and waits for the reply.
    pub async fn request(&mut self, event: &str, payload: Value) -> Value {
        let index = self.ask(event, payload).await;
        let prefix = if event == "apiRequest" { "apiResponse" } else { event };
        self.next(&format!("{prefix}-{index}")).await
    }

    /// Says something with a fresh `responseIndex`; the index.
    pub async fn ask(&mut self, event: &str, mut payload: Value) -> u64 {
        self.last_index += 1;
        payload["responseIndex"] = self.last_index.into();
        self.emit(event, &payload).await;
        self.last_index
    }

    /// Calls an API route.
    pub async fn api(&mut self, name: &str, data: Value) -> Value {
        self.request("apiRequest", json!({ "name": name, "data": data })).await
    }

    /// Makes a sync call, its callback named as a stock client names it; the acknowledgement.
    pub async fn sync(&mut self, name: &str, receiver: &str, data: Value) -> Value {
        let callback = name.trim_start_matches("sync/");
        self.request("sync", json!({ "name": name, "data": data, "cb": callback, "receiver": receiver }))
            .await
    }

    /// The argument of the next event of that name; others stay for later.
    pub async fn next(&mut self, name: &str) -> Value {
        if let Some(at) = self.waiting.iter().position(|event| event.name == name) {
            return self.waiting.remove(at).unwrap().payload;
        }
        loop {
            match time::timeout(PATIENCE, self.packet()).await {
                Ok(Packet::Event(event)) if event.name == name => return event.payload,
                Ok(Packet::Event(event)) => self.waiting.push_back(event),
                Ok(Packet::Gone) => {
                    panic!("disconnected while waiting for {name}; there is {}", self.names())
                }
                Err(_) => panic!("{name} did not come; there is {}", self.names()),
            }
        }
    }

    /// What waits, for whoever reads why a test failed.
    fn names(&self) -> String {
        let names: Vec<_> = self.waiting.iter().take(20).map(|event| &*event.name).collect();
        format!("{} events: {}", self.waiting.len(), names.join(" "))
    }

    /// The next event, whatever it is.
    pub async fn any(&mut self) -> Event {
        if let Some(event) = self.waiting.pop_front() {
            return event;
        }
        match time::timeout(PATIENCE, self.packet()).await {
            Ok(Packet::Event(event)) => event,
            Ok(Packet::Gone) => panic!("disconnected while waiting for anything"),
            Err(_) => panic!("nothing came"),
        }
    }

    /// What has arrived by now and was not taken: everything that the server said before it answered a
    /// request that is sent now.
    pub async fn rest(&mut self) -> Vec<Event> {
        self.request("getJoinedRooms", json!({})).await;
        self.waiting.drain(..).collect()
    }

    /// The rooms that it is in.
    pub async fn rooms(&mut self) -> Value {
        self.request("getJoinedRooms", json!({})).await["rooms"].clone()
    }

    /// Waits until the server disconnects it.
    pub async fn gone(&mut self) {
        loop {
            match time::timeout(PATIENCE, self.packet()).await {
                Ok(Packet::Event(event)) => self.waiting.push_back(event),
                Ok(Packet::Gone) => return,
                Err(_) => panic!("it is still connected"),
            }
        }
    }

    /// Leaves the namespace and goes.
    pub async fn leave(mut self) {
        self.write("41").await;
    }

    async fn packet(&mut self) -> Packet {
        loop {
            let Some(text) = self.text().await else { return Packet::Gone };
            match text.as_str() {
                "2" => self.write("3").await,
                "41" | "1" => return Packet::Gone,
                text => {
                    let array = text.strip_prefix("42").unwrap_or_else(|| panic!("unexpected: {text}"));
                    let Ok(Value::Array(mut parts)) = serde_json::from_str(array) else { panic!("{text}") };
                    assert!(matches!(parts.len(), 1 | 2), "{text}");
                    let payload = if parts.len() == 2 { parts.pop().unwrap() } else { Value::Null };
                    let name = parts[0].as_str().unwrap().to_owned();
                    return Packet::Event(Event { name, payload });
                }
            }
        }
    }

    /// The next text message; none when the connection is closed.
    async fn text(&mut self) -> Option<String> {
        let mut message = Vec::new();
        loop {
            if !self.fill(2).await {
                return None;
            }
            let (first, second) = (self.buffer[0], self.buffer[1]);
            assert_eq!(second & 0x80, 0, "a server does not mask");
            let (head, length) = match second {
                126 => (4, None),
                127 => (10, None),
                length => (2, Some(usize::from(length))),
            };
            if !self.fill(head).await {
                return None;
            }
            let length = length.unwrap_or_else(|| {
                self.buffer[2..head].iter().fold(0, |length, byte| length << 8 | usize::from(*byte))
            });
            if !self.fill(head + length).await {
                return None;
            }
            self.buffer.advance(head);
            let payload = self.buffer.split_to(length);
            match first & 0x0f {
                0 | 1 => message.extend_from_slice(&payload),
                8 => return None,
                9 => self.frame(10, &payload).await,
                10 => {}
                other => panic!("an unexpected frame of type {other}"),
            }
            if first & 0x80 != 0 && first & 0x0f < 8 {
                return Some(String::from_utf8(message).unwrap());
            }
        }
    }

    async fn frame(&mut self, opcode: u8, payload: &[u8]) {
        let mut frame = vec![0x80 | opcode];
        match payload.len() {
            length @ 0..126 => frame.push(0x80 | u8::try_from(length).unwrap()),
            length @ 126..=0xffff => {
                frame.push(0x80 | 126);
                frame.extend_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
            }
            length => {
                frame.push(0x80 | 127);
                frame.extend_from_slice(&u64::try_from(length).unwrap().to_be_bytes());
            }
        }
        frame.extend_from_slice(&MASK);
        frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        // A server that has gone is noticed by reading.
        let _ = self.stream.write_all(&frame).await;
    }

    /// Reads until there is that much; false at the end of the connection.
    async fn fill(&mut self, length: usize) -> bool {
        while self.buffer.len() < length {
            if !matches!(self.stream.read_buf(&mut self.buffer).await, Ok(1..)) {
                return false;
            }
        }
        true
    }

    async fn head(&mut self) -> String {
        loop {
            if let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = self.buffer.split_to(end + 4);
                return String::from_utf8_lossy(&head).into_owned();
            }
            let length = self.buffer.len() + 1;
            if !time::timeout(PATIENCE, self.fill(length)).await.unwrap_or(false) {
                return String::from_utf8_lossy(&self.buffer).into_owned();
            }
        }
    }
}
