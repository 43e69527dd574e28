//! A client of HTTP/1.1, by hand: one request for each connection.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::soon;

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of a header, with all of them joined if there are several.
    pub fn header(&self, name: &str) -> Option<String> {
        let values: Vec<&str> = self
            .headers
            .iter()
            .filter(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| &**value)
            .collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }

    /// `code` and `message` of a refusal.
    pub fn refusal(&self) -> (u16, u64, String) {
        let body: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_else(|_| {
            panic!("no refusal: {} {:?}", self.status, String::from_utf8_lossy(&self.body))
        });
        let message = body["message"].as_str().expect("a message").to_owned();
        (self.status, body["code"].as_u64().expect("a code"), message)
    }
}

/// Sends a request; `headers` are lines, each with `\r\n`.
pub async fn send(address: SocketAddr, method: &str, path: &str, headers: &str, body: &[u8]) -> TcpStream {
    let mut stream = soon("connecting", TcpStream::connect(address)).await.expect("a connection");
    let length = if body.is_empty() && method != "POST" {
        String::new()
    } else {
        format!("Content-Length: {}\r\n", body.len())
    };
    let head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\n{length}{headers}\r\n");
    stream.write_all(&[head.as_bytes(), body].concat()).await.expect("a request");
    stream
}

/// Sends a request and reads what is answered.
pub async fn request(address: SocketAddr, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
    let stream = send(address, method, path, headers, body).await;
    answer(stream).await
}

/// Reads what is answered.
pub async fn answer(mut stream: TcpStream) -> Answer {
    let mut buffer = Vec::new();
    read_answer(&mut stream, &mut buffer).await
}

/// Reads what is answered; what came after it stays in `buffer`.
pub async fn read_answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Answer {
    let end = loop {
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        read_more(stream, buffer).await;
    };
    let head = String::from_utf8(buffer.drain(..end + 4).collect()).expect("UTF-8");
    let mut lines = head.trim_end().split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
    let headers: Vec<(String, String)> = lines
        .map(|line| line.split_once(": ").expect("a header"))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let mut answer = Answer { status: status.expect("a status"), headers, body: Vec::new() };
    let length: usize = match answer.header("content-length") {
        Some(length) => length.parse().expect("a length"),
        None => {
            assert!(matches!(answer.status, 101 | 204), "no length: {answer:?}");
            0
        }
    };
    while buffer.len() < length {
        read_more(stream, buffer).await;
    }
    answer.body = buffer.drain(..length).collect();
    answer
}

async fn read_more(stream: &mut TcpStream, buffer: &mut Vec<u8>) {
    let read = soon("an answer", stream.read_buf(buffer)).await.expect("an answer");
    assert!(read > 0, "the connection ended instead of an answer: {:?}", String::from_utf8_lossy(buffer));
}
