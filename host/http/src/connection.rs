//! One accepted connection: handshake, protocol, and the commands that end it.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use luckystack_topology::HttpConfig;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::dispatch::Dispatch;
use crate::io::{Socket, WatchedIo};
use crate::lifecycle::{Command, Registration};
use crate::service::Connection;

/// Requests that one HTTP/2 connection may have open: what RFC 9113 calls reasonable, and what a
/// browser uses.
const H2_STREAMS: u32 = 100;
/// Streams reset before they were served, beyond which the connection is taken for a flood
/// (CVE-2023-44487) and closed; well-behaved clients cancel a handful.
const H2_PENDING_RESETS: usize = 20;
/// Streams that we had to reset because of the client's errors, before it is closed.
const H2_ERROR_RESETS: usize = 128;
/// Response bytes that wait in one stream.
const H2_SEND_BUFFER: usize = 64 * 1024;
/// How often a silent HTTP/2 client is asked whether it is there.
const H2_PING: Duration = Duration::from_secs(20);

pub(crate) type Protocols = auto::Builder<TokioExecutor>;

/// HTTP/1.1 and HTTP/2 with our limits. Timeouts of heads and idle connections are the sweeper's.
pub(crate) fn protocols(config: &HttpConfig) -> Protocols {
    // hyper takes no less than 8 KiB, and the configuration neither.
    let head = usize::try_from(config.max_header_bytes).unwrap_or(usize::MAX).max(8 * 1024);
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .keep_alive(true)
        .half_close(false)
        // Collecting the answers of pipelined requests would save writes, but hyper then holds an
        // answer back while the next request is still being worked on, and loses it when the
        // connection ends with requests unread.
        .pipeline_flush(false)
        .max_buf_size(head)
        .header_read_timeout(None::<Duration>);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(H2_STREAMS)
        .max_pending_accept_reset_streams(H2_PENDING_RESETS)
        .max_local_error_reset_streams(H2_ERROR_RESETS)
        .max_header_list_size(u32::try_from(head).unwrap_or(u32::MAX))
        .max_send_buf_size(H2_SEND_BUFFER)
        .keep_alive_interval(H2_PING)
        .keep_alive_timeout(config.write_timeout);
    builder
}

/// Serves one connection until it ends or is ended.
pub(crate) async fn serve<D: Dispatch>(
    tcp: TcpStream,
    tls: Option<TlsAcceptor>,
    protocols: Arc<Protocols>,
    connection: Arc<Connection<D>>,
    registration: Registration,
) {
    let state = &registration.state;
    let socket = match tls {
        None => Socket::Plain(tcp),
        Some(tls) => {
            // The head's deadline runs from the accept; the sweeper ends a handshake that drags on.
            let shaken = tokio::select! {
                biased;
                shaken = tls.accept(tcp) => shaken,
                () = state.killed() => return,
            };
            match shaken {
                Ok(stream) => Socket::Tls(Box::new(stream)),
                Err(error) => {
                    tracing::debug!(peer = %connection.peer, %error, "TLS handshake failed");
                    return;
                }
            }
        }
    };
    let peer = Arc::clone(&connection.peer);
    let service = service_fn(move |request| {
        let connection = Arc::clone(&connection);
        async move { Ok::<_, Infallible>(connection.respond(request).await) }
    });
    let io = TokioIo::new(WatchedIo::new(socket, Arc::clone(state)));
    let mut http = pin!(protocols.serve_connection_with_upgrades(io, service));
    let mut draining = false;
    poll_fn(|cx| {
        match state.poll_command(cx) {
            Command::Kill => return Poll::Ready(()),
            Command::Drain if !draining => {
                draining = true;
                http.as_mut().graceful_shutdown();
            }
            Command::Drain | Command::Run => {}
        }
        http.as_mut().poll(cx).map(|ended| {
            if let Err(error) = ended {
                tracing::debug!(%peer, error = &*error, "connection ended");
            }
        })
    })
    .await;
}
