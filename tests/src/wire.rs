//! Bytes over a socket: requests that no HTTP client would send.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::host::PATIENCE;

/// Sends bytes and returns what came back until the connection was closed.
pub async fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut tcp = TcpStream::connect(address).await.unwrap();
    // A host may close while it is still being written to: its answer is read all the same.
    let _ = tcp.write_all(bytes).await;
    let mut received = Vec::new();
    let closed = tokio::time::timeout(PATIENCE, tcp.read_to_end(&mut received)).await;
    let received = String::from_utf8_lossy(&received).into_owned();
    assert!(closed.is_ok(), "the connection was not closed after {received:?}");
    received
}

/// A request with exactly these header lines besides `Host` and `Content-Length`, closed after its answer.
pub fn request(method: &str, target: &str, lines: &[&str], body: &[u8]) -> Vec<u8> {
    let mut head = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    for line in lines {
        head.push_str(line);
        head.push_str("\r\n");
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// The number in a status line; none when nothing came.
pub fn status(answer: &str) -> Option<u16> {
    answer.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()
}
