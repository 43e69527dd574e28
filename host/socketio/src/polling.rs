//! Sessions that poll: a GET waits for packets, a POST brings some.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::Write as _;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body as _, Incoming};

use crate::Reason;
use crate::engine::Engine;
use crate::frame::Frame;
use crate::hub::Place;
use crate::packet::Text;
use crate::request::{Answer, Refusal};
use crate::session::{Overlap, Polled, Session};

/// `6`: go on with the other transport.
const NOOP: &[u8] = b"6";
/// `1`: the session has ended.
const CLOSE: &[u8] = b"1";
/// How long a poll waits while another transport is tried, as with Node.
const PROBING: Duration = Duration::from_millis(100);
/// Bytes that take too long to compress on a thread that others wait for.
const LARGE: usize = 128 << 10;

/// Serves a new session.
pub(crate) fn begin(session: Arc<Session>, place: Place) {
    tokio::spawn(Engine::polling(session, place));
}

/// Ends the session when it is dropped: the client has gone before it had its answer.
struct Attendance(Option<Arc<Session>>);

impl Drop for Attendance {
    fn drop(&mut self) {
        if let Some(session) = self.0.take() {
            session.abort(Reason::TransportError);
        }
    }
}

impl Attendance {
    fn end(mut self) {
        self.0 = None;
    }
}

/// Answers a poll.
pub(crate) async fn poll(session: Arc<Session>, headers: &HeaderMap) -> Result<Answer, Refusal> {
    let was_probing = session.is_probing();
    if let Err(Overlap) = session.begin_poll() {
        session.misused(Reason::TransportError, None, &"two polls at the same time");
        session.abort(Reason::TransportError);
        return Err(Refusal::BadRequest);
    }
    let attendance = Attendance(Some(Arc::clone(&session)));
    let polled = poll_fn(|cx| session.poll_frames(cx)).await;
    if was_probing && matches!(polled, Polled::Noop) {
        // The client polls again and again until it knows that the other transport works.
        tokio::time::sleep(PROBING).await;
    }
    let body = match polled {
        Polled::Frames(frames) => join(&frames),
        Polled::Noop => NOOP.to_vec(),
        Polled::Ended => CLOSE.to_vec(),
    };
    let threshold = session.hub().settings.compression_threshold;
    let answer = if threshold.is_some_and(|threshold| body.len() >= threshold) && takes_gzip(headers) {
        let mut answer = match compress(body).await {
            Ok(body) => {
                let mut answer = packets(body);
                answer.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                answer
            }
            Err(body) => packets(body),
        };
        answer.headers_mut().append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        answer
    } else {
        packets(body)
    };
    attendance.end();
    Ok(answer)
}

fn join(frames: &VecDeque<Frame>) -> Vec<u8> {
    let mut body = Vec::with_capacity(frames.iter().map(Frame::len).sum());
    for frame in frames {
        frame.push(&mut body);
    }
    body
}

fn packets(body: Vec<u8>) -> Answer {
    answer(StatusCode::OK, "text/plain; charset=UTF-8", Bytes::from(body))
}

fn answer(status: StatusCode, content_type: &'static str, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// Whether a client takes gzip: named, or meant by `*`, and not with a weight of 0.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let mut takes_any = false;
    let codings = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    for coding in codings.flat_map(|value| value.split(',')) {
        let mut parts = coding.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Ok(1.0), str::parse::<f32>);
        let is_wanted = weight.is_ok_and(|weight| weight > 0.0);
        if name.eq_ignore_ascii_case("gzip") {
            return is_wanted;
        }
        if name == "*" {
            takes_any = is_wanted;
        }
    }
    takes_any
}

/// Gives back what cannot be compressed.
async fn compress(body: Vec<u8>) -> Result<Vec<u8>, Vec<u8>> {
    let gzip = |body: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
        encoder.write_all(body)?;
        encoder.finish()
    };
    if body.len() < LARGE {
        return gzip(&body).map_err(|_| body);
    }
    let body = Bytes::from(body);
    let copy = body.clone();
    match tokio::task::spawn_blocking(move || gzip(&copy)).await {
        Ok(Ok(compressed)) => Ok(compressed),
        Ok(Err(_)) | Err(_) => Err(body.to_vec()),
    }
}

/// Ends a post that has brought nothing, and with it the session when the client has gone.
struct Posting {
    session: Arc<Session>,
    is_over: bool,
}

impl Drop for Posting {
    fn drop(&mut self) {
        if !self.is_over {
            self.session.abort(Reason::TransportError);
        }
    }
}

impl Posting {
    /// Nothing to dispatch; the session goes on.
    fn cancel(mut self) {
        self.session.inbox.lock().cancel_post();
        self.is_over = true;
    }

    fn post(mut self, body: Text) {
        self.session.inbox.lock().post(body);
        self.session.wake_task();
        self.is_over = true;
    }
}

/// Takes a post, and answers when it is dispatched.
pub(crate) async fn post(session: Arc<Session>, request: Request<Incoming>) -> Result<Answer, Refusal> {
    let begun = session.inbox.lock().begin_post();
    if let Err(Overlap) = begun {
        session.misused(Reason::TransportError, None, &"two posts at the same time");
        session.abort(Reason::TransportError);
        return Err(Refusal::BadRequest);
    }
    let posting = Posting { session: Arc::clone(&session), is_over: false };
    let (head, mut body) = request.into_parts();
    let max = session.hub().settings.max_payload;
    let is_binary = head
        .headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().eq_ignore_ascii_case(b"application/octet-stream"));
    if is_binary {
        session.misused(Reason::TransportError, None, &"a binary post");
        return Err(Refusal::BadRequest);
    }
    if body.size_hint().lower() > max as u64 {
        posting.cancel();
        return Ok(answer(StatusCode::PAYLOAD_TOO_LARGE, "text/html", Bytes::new()));
    }
    let mut received = Vec::new();
    while let Some(frame) = body.frame().await {
        // The client has gone; so does the session.
        let Ok(frame) = frame else { return Err(Refusal::BadRequest) };
        if let Some(data) = frame.data_ref() {
            if received.len() + data.len() > max {
                posting.cancel();
                return Ok(answer(StatusCode::PAYLOAD_TOO_LARGE, "text/html", Bytes::new()));
            }
            received.extend_from_slice(data);
        }
    }
    match Text::new(Bytes::from(received)) {
        Ok(body) => posting.post(body),
        Err(error) => {
            session.misused(Reason::ParseError, None, &error);
            posting.cancel();
            return Err(Refusal::BadRequest);
        }
    }
    poll_fn(|cx| {
        let polled: Poll<()> = session.inbox.lock().poll_dispatched(cx);
        polled
    })
    .await;
    Ok(answer(StatusCode::OK, "text/html", Bytes::from_static(b"ok")))
}
