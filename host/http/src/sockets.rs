//! `/socket.io/…`: requests of the socket transport, which do not pass through the pipeline of §6 but for
//! the origin policy (wire protocol Appendix A).

use std::sync::Arc;

use bytes::Bytes;
use http::header::ORIGIN;
use http::{Request, Response, Version};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto::upgrade;
use luckystack_pipeline::sync::SyncOverHttp;
use luckystack_socketio::{Io, Origin, Peer, Stream};

use crate::body::{Content, ReplyBody};
use crate::dispatch::Dispatch;
use crate::io::{Socket, WatchedIo};
use crate::lifecycle::RequestGuard;
use crate::origin::Verdict;
use crate::service::Connection;

/// Sockets, rooms and sync calls.
#[derive(Clone)]
pub struct Realtime {
    /// The socket.io server.
    pub io: Io,
    /// Answers `/sync/…`.
    pub sync: Arc<dyn SyncOverHttp>,
}

impl std::fmt::Debug for Realtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Realtime")
    }
}

impl<D: Dispatch> Connection<D> {
    /// Hands the request to the transport.
    pub(crate) async fn socket(
        &self,
        io: &Io,
        request: Request<Incoming>,
        guard: RequestGuard,
    ) -> Response<ReplyBody> {
        let headers = request.headers();
        let origin = match headers.get(ORIGIN).filter(|value| !value.is_empty()) {
            None => Origin::Absent,
            Some(claimed) => match self.shared.origins.judge(request.method(), request.uri().path(), headers)
            {
                Verdict::Pass(allowed) => Origin::Allowed(allowed.unwrap_or_else(|| claimed.clone())),
                Verdict::Refuse(refusal) => {
                    self.announce_refusal(refusal, headers, request.uri().path());
                    Origin::Refused
                }
            },
        };
        let peer = Peer { ip: self.ip(headers), secure: self.secure, origin, reclaim };
        let http2 = request.version() == Version::HTTP_2;
        let (parts, body) = io.handle(request, peer).await.into_parts();
        // What is at hand needs no waiting.
        let body = body.collect().await.map_or_else(|never| match never {}, |body| body.to_bytes());
        Response::from_parts(parts, ReplyBody::new(Content::Full(body), http2, guard))
    }

    /// The transport, if the path is its.
    pub(crate) fn sockets(&self, path: &str) -> Option<&Io> {
        let realtime = self.shared.realtime.as_ref()?;
        path.starts_with(realtime.io.path()).then_some(&realtime.io)
    }
}

/// Takes the stream back from hyper, with what it has read of it.
fn reclaim(upgraded: Upgraded) -> (Stream, Bytes) {
    match upgrade::downcast::<TokioIo<WatchedIo>>(upgraded) {
        Ok(parts) => match parts.io.into_inner().into_socket() {
            Socket::Plain(tcp) => (Stream::Tcp(tcp), parts.read_buf),
            Socket::Tls(tls) => (Stream::Other(tls), parts.read_buf),
        },
        // Not one of this listener's: still a stream.
        Err(upgraded) => (Stream::Other(Box::new(TokioIo::new(upgraded))), Bytes::new()),
    }
}
