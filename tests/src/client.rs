//! HTTP requests and event streams, over one connection each.

use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// A request in the making.
#[derive(Clone, Debug)]
pub struct Call {
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Bytes,
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status line's.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// A kept connection: requests over it follow one another.
#[derive(Debug)]
pub struct Connection {
    sender: Sender,
    authority: String,
}

#[derive(Debug)]
enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

/// Server-sent events as they come.
#[derive(Debug)]
pub struct Events {
    /// The status line's.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    body: Incoming,
    buffer: BytesMut,
    /// Kept so that the stream is not cut off.
    _connection: Connection,
}

/// One server-sent event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its name.
    pub name: String,
    /// Its data, parsed.
    pub data: Value,
}

impl Call {
    /// A GET.
    pub fn get(path: &str) -> Call {
        Call::new(Method::GET, path)
    }

    /// A POST without a body; it has the origin that a browser's page of this host has.
    pub fn post(path: &str) -> Call {
        Call::new(Method::POST, path)
    }

    /// A request with any method.
    pub fn new(method: Method, path: &str) -> Call {
        Call { method, path: path.to_owned(), headers: Vec::new(), body: Bytes::new() }
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Call {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the body to JSON, with its content type.
    pub fn json(self, body: &Value) -> Call {
        self.body("application/json", body.to_string())
    }

    /// Sets the body.
    pub fn body(mut self, content_type: &str, body: impl Into<Bytes>) -> Call {
        self.body = body.into();
        self.header("content-type", content_type)
    }

    /// The path that was asked for, with its query.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether it is a method that changes nothing.
    pub fn is_safe(&self) -> bool {
        self.method.is_safe()
    }

    fn request(self, authority: &str, absolute: bool) -> Request<Full<Bytes>> {
        let origin = format!("http://{authority}");
        let uri = if absolute { format!("{origin}{}", self.path) } else { self.path };
        let mut request = Request::builder().method(&self.method).uri(uri);
        if !absolute {
            request = request.header("host", authority);
        }
        let has_origin = self.headers.iter().any(|(name, _)| name == "origin");
        if self.method != Method::GET && !has_origin {
            request = request.header("origin", origin);
        }
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        request.body(Full::new(self.body)).unwrap()
    }
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.text()))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The envelope's `errorCode`; empty for a success.
    pub fn code(&self) -> String {
        self.json()["errorCode"].as_str().unwrap_or_default().to_owned()
    }

    /// The success envelope's `result`.
    #[track_caller]
    pub fn result(&self) -> Value {
        let mut envelope = self.json();
        assert_eq!(envelope["status"], "success", "{envelope}");
        envelope["result"].take()
    }

    /// The value of an error's parameter.
    pub fn param(&self, key: &str) -> Value {
        let envelope = self.json();
        let params = envelope["errorParams"].as_array().cloned().unwrap_or_default();
        params
            .into_iter()
            .find(|param| param["key"] == key)
            .map_or(Value::Null, |mut param| param["value"].take())
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Asserts the error's code and status, in the status line and in the envelope.
    #[track_caller]
    pub fn assert_error(&self, status: u16, code: &str) {
        let envelope = self.json();
        assert_eq!((self.status, &*self.code()), (status, code), "{envelope}");
        assert_eq!(
            (&envelope["status"], &envelope["httpStatus"]),
            (&"error".into(), &status.into()),
            "{envelope}"
        );
    }
}

impl Connection {
    /// Connects with HTTP/1.1.
    pub async fn open(address: SocketAddr) -> Connection {
        let tcp = TcpStream::connect(address).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        Connection::over(tcp, &format!("localhost:{}", address.port())).await
    }

    /// Speaks HTTP/1.1 over a stream, such as one with TLS.
    pub async fn over<S>(stream: S, authority: &str) -> Connection
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Connection { sender: Sender::Http1(sender), authority: authority.to_owned() }
    }

    /// Connects with HTTP/2, with prior knowledge.
    pub async fn open_http2(address: SocketAddr) -> Connection {
        let tcp = TcpStream::connect(address).await.unwrap();
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(tcp)).await.unwrap();
        tokio::spawn(connection);
        Connection { sender: Sender::Http2(sender), authority: format!("localhost:{}", address.port()) }
    }

    async fn begin(&mut self, call: Call) -> Result<http::Response<Incoming>, String> {
        let absolute = matches!(self.sender, Sender::Http2(_));
        let request = call.request(&self.authority, absolute);
        let response = match &mut self.sender {
            Sender::Http1(sender) => match sender.ready().await {
                Ok(()) => sender.send_request(request).await,
                Err(error) => Err(error),
            },
            Sender::Http2(sender) => match sender.ready().await {
                Ok(()) => sender.send_request(request).await,
                Err(error) => Err(error),
            },
        };
        response.map_err(|error| error.to_string())
    }

    /// Sends a request and reads the answer.
    pub async fn send(&mut self, call: Call) -> Answer {
        let shown = format!("{} {}", call.method, call.path);
        self.try_send(call).await.unwrap_or_else(|error| panic!("{shown}: {error}"))
    }

    /// Sends a request and reads the answer, if there is one.
    pub async fn try_send(&mut self, call: Call) -> Result<Answer, String> {
        let (parts, body) = self.begin(call).await?.into_parts();
        let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
        Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
    }

    /// Sends a request that asks for events; returns when the answer begins.
    pub async fn stream(mut self, call: Call) -> Events {
        let call = call.header("accept", "text/event-stream");
        let (parts, body) = self.begin(call).await.unwrap().into_parts();
        Events {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
            buffer: BytesMut::new(),
            _connection: self,
        }
    }
}

impl Events {
    /// The next block of the stream, without the empty line behind it; none at its end.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
                let block = self.buffer.split_to(end + 2);
                return Some(String::from_utf8(block[..end].to_vec()).unwrap());
            }
            match self.body.frame().await {
                Some(frame) => {
                    if let Ok(data) = frame.unwrap().into_data() {
                        self.buffer.extend_from_slice(&data);
                    }
                }
                None => {
                    assert!(self.buffer.is_empty(), "the stream ended within an event: {:?}", self.buffer);
                    return None;
                }
            }
        }
    }

    /// The next event, comments skipped; none at the end.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            let block = self.block().await?;
            let field =
                |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::trim_start);
            if let (Some(name), Some(data)) = (field("event:"), field("data:")) {
                return Some(Event { name: name.to_owned(), data: serde_json::from_str(data).unwrap() });
            }
            assert!(block.starts_with(':'), "neither an event nor a comment: {block:?}");
        }
    }

    /// All events to the end.
    pub async fn rest(mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }

    /// Everything to the end, as it came.
    pub async fn text(mut self) -> String {
        let mut text = String::new();
        while let Some(block) = self.block().await {
            text.push_str(&block);
            text.push_str("\n\n");
        }
        text
    }
}
