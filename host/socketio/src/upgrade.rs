//! Requests that become WebSockets: of new sessions, and of such that have polled.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::{Either, select};
use http::header::{self, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::upgrade::{OnUpgrade, Upgraded as Stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::engine::Engine;
use crate::frame::{self, Frame};
use crate::handshake::Client;
use crate::hub::{Hub, Place};
use crate::inbox::{Plain, Upgraded};
use crate::packet::engine::{self, Packet};
use crate::request::{self, Answer, Refusal};
use crate::session::Session;
use crate::websocket::{CloseCode, Message, Reader};
use crate::{Peer, peer};

/// Bytes read at once while a WebSocket is tried.
const READ: usize = 1 << 10;

/// 101.
pub(crate) fn accepted(accept: HeaderValue) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::new()));
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = answer.headers_mut();
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    answer
}

/// A connection that is to be a WebSocket.
struct Waiting {
    upgrading: OnUpgrade,
    reclaim: fn(Stream) -> (peer::Stream, Bytes),
}

impl Waiting {
    async fn take(self, max_payload: usize) -> Option<Upgraded> {
        let stream = match self.upgrading.await {
            Ok(stream) => stream,
            Err(error) => {
                tracing::debug!(%error, "a connection did not become a WebSocket");
                return None;
            }
        };
        let (stream, head) = (self.reclaim)(stream);
        let stream = match stream {
            peer::Stream::Tcp(stream) => Plain::Tcp(stream),
            peer::Stream::Other(stream) => Plain::Other(stream),
        };
        Some(Upgraded { stream, reader: Reader::new(max_payload), rest: head.to_vec() })
    }
}

/// Begins a session with a WebSocket.
pub(crate) fn begin(hub: Arc<Hub>, id: Arc<str>, place: Place, mut request: Request<Incoming>, peer: Peer) {
    let client = Client::new(peer.ip, peer.secure, request.uri(), request.headers());
    let waiting = Waiting { upgrading: hyper::upgrade::on(&mut request), reclaim: peer.reclaim };
    drop(request);
    tokio::spawn(async move {
        let Some(upgraded) = waiting.take(hub.settings.max_payload).await else { return };
        Engine::websocket(|link| request::open(&hub, id, client, link, false), place, upgraded).await;
    });
}

/// Lets the session try another time when it is dropped.
struct Trial(Option<Arc<Session>>);

impl Drop for Trial {
    fn drop(&mut self) {
        if let Some(session) = self.0.take() {
            session.set_probing(false);
            session.inbox.lock().cancel_upgrade();
        }
    }
}

/// Tries a WebSocket for a session that polls.
pub(crate) fn probe(
    session: Arc<Session>,
    mut request: Request<Incoming>,
    peer: Peer,
) -> Result<(), Refusal> {
    if !session.is_polling() || !session.inbox.lock().begin_upgrade() {
        return Err(Refusal::BadRequest);
    }
    let mut trial = Trial(Some(Arc::clone(&session)));
    let waiting = Waiting { upgrading: hyper::upgrade::on(&mut request), reclaim: peer.reclaim };
    drop(request);
    tokio::spawn(async move {
        let settings = &session.hub().settings;
        let Some(mut upgraded) = waiting.take(settings.max_payload).await else { return };
        let asked = tokio::time::timeout(settings.upgrade_timeout, ask(&session, &mut upgraded));
        let ended = poll_fn(|cx| session.poll_ended(cx));
        let outcome = match select(Box::pin(asked), ended).await {
            Either::Left((outcome, _)) => outcome.unwrap_or(Err(io::ErrorKind::TimedOut.into())),
            Either::Right(((), _)) => Err(io::ErrorKind::NotConnected.into()),
        };
        match outcome {
            Ok(()) => {
                session.inbox.lock().upgrade(upgraded);
                session.wake_task();
                // There is nothing more to try.
                drop(trial.0.take());
            }
            Err(error) => {
                tracing::debug!(ip = &*session.client().ip, %error, "a client did not change to a WebSocket");
                drop(trial);
                let _ = upgraded.stream.write(&Frame::bye(Some(CloseCode::Normal))).await;
            }
        }
    });
    Ok(())
}

/// Probe and answer (Appendix A); ready when the client goes on with the WebSocket.
async fn ask(session: &Session, upgraded: &mut Upgraded) -> io::Result<()> {
    let mut is_probed = false;
    loop {
        let message = upgraded.next().await?;
        let answer = message.answer().map(Frame::encoded);
        match (message, answer) {
            (Message::Text(text), _) => match engine::decode(&text) {
                Ok(Packet::Ping(data)) if data.as_bytes() == b"probe" => {
                    upgraded.stream.write(&frame::PROBED).await?;
                    is_probed = true;
                    session.set_probing(true);
                }
                Ok(Packet::Upgrade) if is_probed => return Ok(()),
                _ => return Err(io::ErrorKind::InvalidData.into()),
            },
            (Message::Ping(_), Some(answer)) => upgraded.stream.write(&answer).await?,
            (Message::Ping(_) | Message::Pong, _) => {}
            (Message::Binary(_) | Message::Close(_), _) => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

impl Upgraded {
    async fn next(&mut self) -> io::Result<Message> {
        loop {
            let mut chunk = &*self.rest;
            let message = self.reader.next(&mut chunk);
            let read = self.rest.len() - chunk.len();
            self.rest.drain(..read);
            match message {
                Ok(Some(message)) => return Ok(message),
                Ok(None) => {}
                Err(violation) => return Err(io::Error::new(io::ErrorKind::InvalidData, violation)),
            }
            let mut buffer = [0; READ];
            let count = match &mut self.stream {
                Plain::Tcp(stream) => stream.read(&mut buffer).await?,
                Plain::Other(stream) => stream.read(&mut buffer).await?,
            };
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.rest.extend_from_slice(&buffer[..count]);
        }
    }
}

impl Plain {
    async fn write(&mut self, frame: &Frame) -> io::Result<()> {
        match self {
            Plain::Tcp(stream) => stream.write_all(frame.bytes()).await,
            Plain::Other(stream) => {
                stream.write_all(frame.bytes()).await?;
                stream.flush().await
            }
        }
    }
}
