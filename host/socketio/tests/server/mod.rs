//! A bare listener: the transport behind hyper on loopback, and nothing else.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::upgrade::Upgraded;
use hyper_util::rt::{TokioIo, TokioTimer};
use luckystack_socketio::{App, Io, Origin, Peer, Settings, Stream};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// The one origin whose pages may connect.
pub const ALLOWED: &str = "http://pages.test";

/// Takes a stream back from hyper.
pub type Reclaim = fn(Upgraded) -> (Stream, Bytes);

/// A server that runs until it is dropped.
pub struct Server {
    pub address: SocketAddr,
    pub io: Io,
    accepting: JoinHandle<()>,
}

impl Server {
    pub async fn start(settings: Settings, app: Arc<dyn App>) -> Server {
        Server::start_with(settings, app, reclaim).await
    }

    /// Gives streams back after an upgrade with `reclaim`.
    pub async fn start_with(settings: Settings, app: Arc<dyn App>, reclaim: Reclaim) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let io = Io::new(settings, app);
        let accepting = tokio::spawn(accept(listener, io.clone(), reclaim));
        Server { address, io, accepting }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, io: Io, reclaim: Reclaim) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        stream.set_nodelay(true).expect("TCP_NODELAY");
        let io = io.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let io = io.clone();
                async move { Ok::<_, std::convert::Infallible>(answer(&io, request, reclaim).await) }
            });
            // What a client does to its connection is the tests' matter.
            let _ = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades()
                .await;
        });
    }
}

async fn answer(io: &Io, request: Request<Incoming>, reclaim: Reclaim) -> Response<Full<Bytes>> {
    if !request.uri().path().starts_with(io.path()) {
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::NOT_FOUND;
        return response;
    }
    let origin = match request.headers().get(header::ORIGIN) {
        None => Origin::Absent,
        Some(origin) if origin == ALLOWED => Origin::Allowed(HeaderValue::from_static(ALLOWED)),
        Some(_) => Origin::Refused,
    };
    let peer = Peer { ip: Arc::from("127.0.0.1"), secure: false, origin, reclaim };
    io.handle(request, peer).await
}

fn reclaim(upgraded: Upgraded) -> (Stream, Bytes) {
    let parts = upgraded.downcast::<TokioIo<TcpStream>>().expect("the listener's own stream");
    (Stream::Tcp(parts.io.into_inner()), parts.read_buf)
}
