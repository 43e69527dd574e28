//! Requests below the path: which session they are for, and what they want of it.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;

use crate::frame::Frame;
use crate::handshake::Client;
use crate::hub::Hub;
use crate::outbox::Link;
use crate::packet::engine::Open;
use crate::session::Session;
use crate::websocket::{self, Refused};
use crate::{Origin, Peer, cors, polling, upgrade};

pub(crate) type Answer = Response<Full<Bytes>>;

/// Why a request is refused, in the words of Node's engine.io.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    UnknownTransport,
    UnknownSession,
    HandshakeMethod,
    BadRequest,
    ProtocolVersion,
    /// Another version of the WebSocket protocol.
    WebSocketVersion,
    /// There are too many connections, or the host is stopping.
    Full,
}

impl Refusal {
    pub(crate) fn answer(self) -> Answer {
        let (code, message) = match self {
            Refusal::UnknownTransport => (0, "Transport unknown"),
            Refusal::UnknownSession => (1, "Session ID unknown"),
            Refusal::HandshakeMethod => (2, "Bad handshake method"),
            Refusal::BadRequest | Refusal::WebSocketVersion => (3, "Bad request"),
            Refusal::ProtocolVersion => (5, "Unsupported protocol version"),
            Refusal::Full => (4, "Service unavailable"),
        };
        let body = format!("{{\"code\":{code},\"message\":\"{message}\"}}");
        let mut answer = Response::new(Full::from(body));
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let status = match self {
            Refusal::WebSocketVersion => {
                headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
                StatusCode::UPGRADE_REQUIRED
            }
            Refusal::Full => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
                StatusCode::SERVICE_UNAVAILABLE
            }
            _ => StatusCode::BAD_REQUEST,
        };
        *answer.status_mut() = status;
        answer
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Refusal {
        match refused {
            Refused::Version => Refusal::WebSocketVersion,
            Refused::Method | Refused::HttpVersion | Refused::NoUpgrade | Refused::Key => Refusal::BadRequest,
        }
    }
}

/// What a query says.
#[derive(Debug, Default)]
struct Query<'a> {
    version: Option<&'a str>,
    transport: Option<&'a str>,
    session: Option<&'a str>,
}

impl<'a> Query<'a> {
    /// Of what is asked for twice the first counts. The values that matter need no decoding.
    fn parse(query: &'a str) -> Query<'a> {
        let mut parsed = Query::default();
        for part in query.split('&') {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let known = match name {
                "EIO" => &mut parsed.version,
                "transport" => &mut parsed.transport,
                "sid" => &mut parsed.session,
                _ => continue,
            };
            known.get_or_insert(value);
        }
        parsed
    }
}

/// What is asked for.
enum Wish {
    /// A session that polls.
    Handshake,
    /// A session that begins with a WebSocket.
    WebSocket,
    /// Packets of a session.
    Poll(Arc<Session>),
    /// Packets for a session.
    Post(Arc<Session>),
    /// To go on with a WebSocket.
    Upgrade(Arc<Session>),
}

pub(crate) async fn respond(hub: Arc<Hub>, request: Request<Incoming>, peer: Peer) -> Answer {
    let origin = peer.origin.clone();
    let mut answer = if origin == Origin::Refused {
        tracing::debug!(ip = &*peer.ip, "a socket connection is refused: its origin is not allowed");
        Refusal::BadRequest.answer()
    } else if request.method() == Method::OPTIONS {
        cors::preflight(&hub.settings, request.headers())
    } else {
        match wish(&hub, &request) {
            Ok(wish) => grant(hub, wish, request, peer).await.unwrap_or_else(Refusal::answer),
            Err(refusal) => refusal.answer(),
        }
    };
    cors::mark(answer.headers_mut(), &origin);
    answer
}

/// What a request asks for; checked in the order of engine.io.
fn wish(hub: &Hub, request: &Request<Incoming>) -> Result<Wish, Refusal> {
    let query = Query::parse(request.uri().query().unwrap_or_default());
    let is_upgrade = request
        .headers()
        .get(header::UPGRADE)
        .is_some_and(|protocol| protocol.as_bytes().eq_ignore_ascii_case(b"websocket"));
    let is_websocket = match query.transport {
        Some("polling") if hub.settings.polling => false,
        Some("websocket") if hub.settings.websocket => true,
        _ => return Err(Refusal::UnknownTransport),
    };
    let is_current = query.version == Some("4");
    if let Some(id) = query.session.filter(|id| !id.is_empty()) {
        let session = hub.session(id).filter(|session| !session.is_cut()).ok_or(Refusal::UnknownSession)?;
        if !is_current || is_websocket != is_upgrade {
            return Err(Refusal::BadRequest);
        }
        if is_websocket {
            return if hub.settings.allow_upgrades {
                Ok(Wish::Upgrade(session))
            } else {
                Err(Refusal::BadRequest)
            };
        }
        if !session.is_polling() {
            return Err(Refusal::BadRequest);
        }
        return match *request.method() {
            Method::GET => Ok(Wish::Poll(session)),
            Method::POST => Ok(Wish::Post(session)),
            _ => Err(Refusal::BadRequest),
        };
    }
    if request.method() != Method::GET {
        return Err(Refusal::HandshakeMethod);
    }
    if is_websocket != is_upgrade {
        return Err(Refusal::BadRequest);
    }
    if !is_current {
        return Err(Refusal::ProtocolVersion);
    }
    Ok(if is_websocket { Wish::WebSocket } else { Wish::Handshake })
}

async fn grant(hub: Arc<Hub>, wish: Wish, request: Request<Incoming>, peer: Peer) -> Result<Answer, Refusal> {
    match wish {
        Wish::Poll(session) => polling::poll(session, request.headers()).await,
        Wish::Post(session) => polling::post(session, request).await,
        Wish::Handshake => {
            let place = hub.admit().ok_or(Refusal::Full)?;
            let id = hub.fresh_id().ok_or(Refusal::Full)?;
            let client = Client::new(peer.ip, peer.secure, request.uri(), request.headers());
            let cookie = cookie(&hub, &id);
            let session = open(&hub, id, client, Link::Polling(Default::default()), true);
            polling::begin(Arc::clone(&session), place);
            let mut answer = polling::poll(session, request.headers()).await?;
            if let Some(cookie) = cookie {
                answer.headers_mut().append(header::SET_COOKIE, cookie);
            }
            Ok(answer)
        }
        Wish::WebSocket => {
            let accept = websocket::accept(request.method(), request.version(), request.headers())?;
            let place = hub.admit().ok_or(Refusal::Full)?;
            let id = hub.fresh_id().ok_or(Refusal::Full)?;
            let cookie = cookie(&hub, &id);
            let mut answer = upgrade::accepted(accept);
            if let Some(cookie) = cookie {
                answer.headers_mut().append(header::SET_COOKIE, cookie);
            }
            upgrade::begin(hub, id, place, request, peer);
            Ok(answer)
        }
        Wish::Upgrade(session) => {
            let accept = websocket::accept(request.method(), request.version(), request.headers())?;
            upgrade::probe(session, request, peer)?;
            Ok(upgrade::accepted(accept))
        }
    }
}

/// A new session, with its first packet queued.
pub(crate) fn open(hub: &Arc<Hub>, id: Arc<str>, client: Client, link: Link, polls: bool) -> Arc<Session> {
    let settings = &hub.settings;
    let may_upgrade = polls && settings.websocket && settings.allow_upgrades;
    let millis = |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let open = Frame::open(&Open {
        sid: &id,
        upgrades: if may_upgrade { &["websocket"] } else { &[] },
        ping_interval: millis(settings.ping_interval),
        ping_timeout: millis(settings.ping_timeout),
        max_payload: settings.max_payload as u64,
    });
    Session::new(hub, id, client, link, open)
}

fn cookie(hub: &Hub, id: &str) -> Option<HeaderValue> {
    let name = hub.settings.cookie.as_deref()?;
    HeaderValue::try_from(format!("{name}={id}; Path=/; HttpOnly; SameSite=Lax")).ok()
}
