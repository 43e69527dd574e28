//! One HTTP request without any library between it and the clock.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use anyhow::{Context, bail};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// An answer, its head as it came.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// Connects, asks for `path` and reads the answer.
pub(crate) fn get(port: u16, path: &str) -> anyhow::Result<Answer> {
    get_with(port, path, &[])
}

/// The same, with more headers.
pub(crate) fn get_with(port: u16, path: &str, headers: &[(&str, &str)]) -> anyhow::Result<Answer> {
    ask(port, &format!("GET {path}"), headers, "")
}

/// Posts JSON, as a page of the host's own origin does.
pub(crate) fn post(port: u16, path: &str, body: &str) -> anyhow::Result<Answer> {
    let origin = format!("http://localhost:{port}");
    ask(port, &format!("POST {path}"), &[("origin", &origin), ("content-type", "application/json")], body)
}

fn ask(port: u16, line: &str, headers: &[(&str, &str)], body: &str) -> anyhow::Result<Answer> {
    let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut request = format!("{line} HTTP/1.1\r\nHost: localhost:{port}\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        request.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    socket.write_all(format!("{request}\r\n{body}").as_bytes())?;
    read(&mut BufReader::new(socket))
}

/// Reads an answer whose length its head declares.
pub(crate) fn read(from: &mut impl BufRead) -> anyhow::Result<Answer> {
    let mut line = String::new();
    from.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.with_context(|| format!("{line:?} is no status line"))?;
    let mut headers = Vec::new();
    loop {
        line.clear();
        if from.read_line(&mut line)? == 0 {
            bail!("the connection ended within the head of an answer");
        }
        match line.trim_end().split_once(':') {
            Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.trim().to_owned())),
            None => break,
        }
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length =
        length.and_then(|(_, value)| value.parse().ok()).context("an answer without content-length")?;
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    Ok(Answer { status, headers, body })
}

impl Answer {
    /// As it was read.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = format!("HTTP/1.1 {} OK\r\n", self.status).into_bytes();
        for (name, value) in &self.headers {
            out.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.body);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_survives_being_written_and_read() {
        let text = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nempty: \r\ncontent-length: 2\r\n\r\nhi";
        let answer = read(&mut &text[..]).unwrap();
        assert_eq!((answer.status, &*answer.body), (200, &b"hi"[..]));
        assert_eq!(answer.headers[1], ("empty".to_owned(), String::new()));
        assert_eq!(answer.to_bytes(), text);
    }
}
