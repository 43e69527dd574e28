//! The scripted dispatcher, the server around it, and clients that speak bytes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use luckystack_http::{Dispatch, HostIdentity, Readiness, Server, ServerHandle};
use luckystack_pipeline::{Call, CorsRejected, Hook, HookStop, HttpRequestEvent, Reply};
use luckystack_plugins::Caller;
use luckystack_topology::ProjectConfig;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};

/// Long enough that only a hang reaches it.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Answers by the service that the name says.
#[derive(Clone)]
pub struct Script(Arc<Inner>);

struct Inner {
    /// Told of calls that begin, end, or are dropped.
    events: mpsc::UnboundedSender<String>,
    /// `gate` calls wait for a permit.
    gate: Semaphore,
    /// What the hook `preHttpRequest` answers, when it is subscribed to.
    stop: Mutex<Option<Option<HookStop>>>,
    hooked: Mutex<Vec<Value>>,
    refused: Mutex<Vec<CorsRejected>>,
}

/// Tells the end of a call, or that it was dropped before.
struct Watched {
    events: mpsc::UnboundedSender<String>,
    name: String,
    ended: bool,
}

impl Drop for Watched {
    fn drop(&mut self) {
        let what = if self.ended { "ended" } else { "dropped" };
        let _ = self.events.send(format!("{what} {}", self.name));
    }
}

pub fn reply(status: u16, body: Value) -> Reply {
    Reply {
        status,
        body: Bytes::from(body.to_string()),
        is_error: body["status"] == "error",
        retry_after: None,
    }
}

pub fn error(code: &str, status: u16) -> Reply {
    reply(status, json!({ "status": "error", "message": code, "errorCode": code, "httpStatus": status }))
}

impl Script {
    pub fn open_gate(&self) {
        self.0.gate.add_permits(1);
    }

    async fn answer(&self, call: Call) -> Reply {
        let parts: Vec<&str> = call.raw_name.split('/').collect();
        let count: usize = parts.get(2).and_then(|part| part.parse().ok()).unwrap_or(0);
        let emit = async |text: &str| match &call.sink {
            Some(sink) => sink.emit(Bytes::copy_from_slice(text.as_bytes())).await,
            None => false,
        };
        match parts[1] {
            "panic" => panic!("a scripted panic"),
            "missing" => error("api.notFound", 404),
            "busy" => Reply { retry_after: Some(7), ..error("api.serviceBusy", 503) },
            "gate" => {
                if count > 0 {
                    emit("{\"early\":true}").await;
                }
                self.0.gate.acquire().await.unwrap().forget();
                reply(200, json!({ "status": "success", "httpStatus": 200 }))
            }
            "stream" => {
                for number in 0..count {
                    emit(&format!("{{\"n\":{number}}}")).await;
                }
                reply(200, json!({ "status": "success", "httpStatus": 200, "streamed": call.sink.is_some() }))
            }
            "multiline" => {
                emit("{\r\n\"a\":\n1}").await;
                Reply { body: Bytes::from_static(b"{\n\"status\":\"success\"\n}"), ..reply(200, json!({})) }
            }
            "failing" => {
                for _ in 0..count {
                    emit("{}").await;
                }
                error("api.internalServerError", 500)
            }
            "panicking" => {
                for _ in 0..count {
                    emit("{}").await;
                }
                panic!("a scripted panic")
            }
            "flood" => {
                let chunk = format!("\"{}\"", "x".repeat(64 * 1024));
                while emit(&chunk).await {}
                error("api.aborted", 500)
            }
            "large" => reply(200, json!({ "status": "success", "result": "x".repeat(32 << 20) })),
            _ => {
                let input: Value = serde_json::from_slice(&call.input).expect("input is JSON");
                reply(
                    200,
                    json!({
                        "status": "success",
                        "httpStatus": 200,
                        "name": call.raw_name,
                        "method": call.method.map(|method| method.as_str()),
                        "input": input,
                        "ip": &*call.caller.ip,
                        "language": &*call.caller.language,
                        "requestId": &*call.caller.request_id,
                        "traceparent": call.caller.traceparent.as_deref(),
                        "streaming": call.sink.is_some(),
                    }),
                )
            }
        }
    }
}

impl Dispatch for Script {
    async fn call(&self, call: Call) -> Reply {
        let name = call.raw_name.clone();
        let _ = self.0.events.send(format!("began {name}"));
        let mut watched = Watched { events: self.0.events.clone(), name, ended: false };
        let reply = self.answer(call).await;
        watched.ended = true;
        reply
    }

    async fn clear_rate_limits(&self) -> Result<(), String> {
        Ok(())
    }

    fn negotiate_language(
        &self,
        _session: Option<&str>,
        x_language: Option<&str>,
        accept_language: Option<&str>,
    ) -> Arc<str> {
        Arc::from(x_language.or(accept_language).unwrap_or("en"))
    }

    fn has_hook(&self, hook: Hook) -> bool {
        match hook {
            Hook::PreHttpRequest => self.0.stop.lock().is_some(),
            _ => true,
        }
    }

    async fn pre_http_request(&self, event: &HttpRequestEvent<'_>, _: &Caller) -> Option<HookStop> {
        self.0.hooked.lock().push(json!({
            "method": event.method, "url": event.url, "requestId": event.request_id, "origin": event.origin,
            "headers": event.headers, "ip": event.ip,
        }));
        self.0.stop.lock().clone().flatten()
    }

    fn cors_rejected(&self, event: CorsRejected, _: Caller) {
        self.0.refused.lock().push(event);
    }

    fn degraded_services(&self) -> Vec<String> {
        vec!["broken".to_owned()]
    }
}

/// A started server.
pub struct Started {
    pub handle: ServerHandle,
    pub address: SocketAddr,
    pub readiness: Arc<Readiness>,
    pub events: mpsc::UnboundedReceiver<String>,
    script: Script,
}

/// What a host without login wants to see: the double-submit token (§5.9).
pub const CSRF: &str = "Cookie: csrf-token=t\r\nX-CSRF-Token: t";

/// One response as it came.
#[derive(Debug, Clone)]
pub struct Received {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// A client that writes bytes.
pub struct Client {
    pub stream: TcpStream,
    read: Vec<u8>,
}

/// Starts a server on a free port of loopback.
pub async fn start(change: impl FnOnce(&mut ProjectConfig)) -> Started {
    let mut project = ProjectConfig::defaults("presets".as_ref(), ".".as_ref());
    project.listen.port = 0;
    change(&mut project);
    let readiness = Arc::new(Readiness::new());
    let identity = HostIdentity { env_key: "test".to_owned(), synchronized: Vec::new() };
    let server = Server::bind(&project, &identity, Arc::clone(&readiness)).await.unwrap();
    let (events, receiver) = mpsc::unbounded_channel();
    let script = Script(Arc::new(Inner {
        events,
        gate: Semaphore::new(0),
        stop: Mutex::new(None),
        hooked: Mutex::new(Vec::new()),
        refused: Mutex::new(Vec::new()),
    }));
    let address = server.local_addr();
    readiness.set_ready();
    let handle = server.serve(script.clone());
    Started { handle, address, readiness, events: receiver, script }
}

impl Started {
    pub async fn client(&self) -> Client {
        Client::connect(self.address).await
    }

    /// One request on its own connection.
    pub async fn send(&self, request: &str) -> Received {
        let mut client = self.client().await;
        client.write(request).await;
        client.response().await.expect("a response")
    }

    /// A request with these lines of head and this body, from the server's own origin.
    pub async fn ask(&self, line: &str, head: &str, body: &str) -> Received {
        self.send(&self.request(line, head, body)).await
    }

    pub fn request(&self, line: &str, head: &str, body: &str) -> String {
        let head: String = head.lines().map(|line| format!("{}\r\n", line.trim())).collect();
        let origin = self.origin();
        let length = body.len();
        format!(
            "{line} HTTP/1.1\r\nHost: x\r\nOrigin: {origin}\r\n{CSRF}\r\nContent-Length: {length}\r\n{head}\r\n{body}"
        )
    }

    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lets one call through the gate.
    pub fn open_gate(&self) {
        self.script.open_gate();
    }

    /// The script, to be held on to when the server is shut down.
    pub fn script(&self) -> Script {
        self.script.clone()
    }

    /// Subscribes to `preHttpRequest` with this answer.
    pub fn hook(&self, stop: Option<(&str, Option<u16>)>) {
        let stop = stop.map(|(code, http_status)| HookStop {
            error_code: code.to_owned(),
            http_status,
            override_output: None,
        });
        *self.script.0.stop.lock() = Some(stop);
    }

    pub fn hooked(&self) -> Vec<Value> {
        self.script.0.hooked.lock().clone()
    }

    pub fn refused(&self) -> Vec<CorsRejected> {
        self.script.0.refused.lock().clone()
    }

    /// Waits for this event of the script.
    pub async fn wait_for(&mut self, event: &str) {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.events.recv()).await;
            match next.unwrap_or_else(|_| panic!("no event `{event}`")) {
                Some(seen) if seen == event => return,
                Some(_) => {}
                None => panic!("the script is gone"),
            }
        }
    }
}

impl Received {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// Names of the headers, without those that HTTP itself needs.
    pub fn own_headers(&self) -> Vec<&str> {
        let http = ["date", "content-length", "content-type", "connection"];
        self.headers.iter().map(|(name, _)| name.as_str()).filter(|name| !http.contains(name)).collect()
    }
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), read: Vec::new() }
    }

    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        // The server may have closed already; what it sent is still to be read.
        let _ = self.stream.write_all(bytes.as_ref()).await;
    }

    async fn more(&mut self) -> bool {
        let mut piece = [0u8; 64 * 1024];
        let read = tokio::time::timeout(PATIENCE, self.stream.read(&mut piece)).await;
        match read.expect("the server neither answers nor closes") {
            Ok(0) | Err(_) => false,
            Ok(length) => {
                self.read.extend_from_slice(&piece[..length]);
                true
            }
        }
    }

    /// The next response's head; none when the connection was closed.
    pub async fn head(&mut self) -> Option<Received> {
        let end = loop {
            if let Some(end) = self.read.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            if !self.more().await {
                return None;
            }
        };
        let head = String::from_utf8(self.read.drain(..end + 4).collect()).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines
            .map(|line| {
                let (name, value) = line.split_once(':').unwrap();
                (name.to_ascii_lowercase(), value.trim().to_owned())
            })
            .collect();
        Some(Received { status, headers, body: Vec::new() })
    }

    /// The next response; none when the connection was closed instead.
    pub async fn response(&mut self) -> Option<Received> {
        let mut received = self.head().await?;
        if let Some(length) = received.header("content-length") {
            let length: usize = length.parse().unwrap();
            while self.read.len() < length {
                assert!(self.more().await, "the response is cut off: {received:?}");
            }
            received.body = self.read.drain(..length).collect();
        } else if received.header("transfer-encoding") == Some("chunked") {
            received.body = self.chunked().await;
        }
        Some(received)
    }

    async fn line(&mut self) -> String {
        let end = loop {
            if let Some(end) = self.read.windows(2).position(|window| window == b"\r\n") {
                break end;
            }
            assert!(self.more().await, "the body is cut off");
        };
        let line = String::from_utf8(self.read.drain(..end + 2).collect()).unwrap();
        line.trim_end().to_owned()
    }

    /// One chunk of a chunked body; empty at its end.
    pub async fn chunk(&mut self) -> Vec<u8> {
        let length = usize::from_str_radix(&self.line().await, 16).unwrap();
        while self.read.len() < length + 2 {
            assert!(self.more().await, "the chunk is cut off");
        }
        let chunk = self.read.drain(..length).collect();
        self.read.drain(..2);
        chunk
    }

    async fn chunked(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let chunk = self.chunk().await;
            if chunk.is_empty() {
                return body;
            }
            body.extend(chunk);
        }
    }

    /// Everything up to the end of the connection.
    pub async fn rest(&mut self) -> Vec<u8> {
        while self.more().await {}
        std::mem::take(&mut self.read)
    }

    /// Whether the server closes without another byte.
    pub async fn is_closed(&mut self) -> bool {
        self.rest().await.is_empty()
    }
}
