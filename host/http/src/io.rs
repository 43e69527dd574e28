//! A client's socket, plain or behind TLS, that tells the connection's state what passes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::lifecycle::ConnState;

/// Bytes swallowed per read, and in all, after a response that tears the connection down.
const SWALLOW_STEP: usize = 8 * 1024;
const SWALLOW_ALL: usize = 8 * 1024 * 1024;

/// What a connection is made of.
#[derive(Debug)]
pub(crate) enum Socket {
    /// Plain TCP.
    Plain(TcpStream),
    /// TLS over TCP; boxed because it is ten times as large.
    Tls(Box<TlsStream<TcpStream>>),
}

/// A socket with its connection's state.
#[derive(Debug)]
pub(crate) struct WatchedIo {
    socket: Socket,
    state: Arc<ConnState>,
    shut: bool,
    swallowed: usize,
}

impl WatchedIo {
    pub(crate) fn new(socket: Socket, state: Arc<ConnState>) -> Self {
        Self { socket, state, shut: false, swallowed: 0 }
    }

    /// The socket, which its state hears no more of.
    pub(crate) fn into_socket(self) -> Socket {
        self.socket
    }

    fn note<T>(&self, written: &Poll<T>) {
        match written {
            Poll::Ready(_) => self.state.on_written(),
            Poll::Pending => self.state.on_write_blocked(),
        }
    }
}

impl AsyncRead for WatchedIo {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        ready!(match &mut this.socket {
            Socket::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Socket::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
        })?;
        if buf.filled().len() > before {
            this.state.on_read();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for WatchedIo {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = match &mut this.socket {
            Socket::Plain(tcp) => Pin::new(tcp).poll_write(cx, buf),
            Socket::Tls(tls) => Pin::new(tls).poll_write(cx, buf),
        };
        this.note(&written);
        written
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = match &mut this.socket {
            Socket::Plain(tcp) => Pin::new(tcp).poll_write_vectored(cx, bufs),
            Socket::Tls(tls) => Pin::new(tls).poll_write_vectored(cx, bufs),
        };
        this.note(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        match &self.socket {
            Socket::Plain(tcp) => tcp.is_write_vectored(),
            Socket::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match &mut this.socket {
            // A TCP stream has nothing to flush.
            Socket::Plain(_) => Poll::Ready(Ok(())),
            Socket::Tls(tls) => {
                let flushed = Pin::new(tls).poll_flush(cx);
                this.note(&flushed);
                flushed
            }
        }
    }

    /// Closes our side; after a response that tears the connection down, also reads on for a
    /// moment, because unread bytes would make the kernel send a reset that overtakes the response.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.state.on_closing();
        if !this.shut {
            ready!(match &mut this.socket {
                Socket::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
                Socket::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
            })?;
            this.shut = true;
        }
        if !this.state.lingers() {
            return Poll::Ready(Ok(()));
        }
        let tcp = match &mut this.socket {
            Socket::Plain(tcp) => tcp,
            Socket::Tls(tls) => tls.get_mut().0,
        };
        let mut scratch = [0u8; SWALLOW_STEP];
        while this.swallowed < SWALLOW_ALL {
            let mut buf = ReadBuf::new(&mut scratch);
            match ready!(Pin::new(&mut *tcp).poll_read(cx, &mut buf)) {
                Ok(()) if buf.filled().is_empty() => break,
                Ok(()) => this.swallowed += buf.filled().len(),
                // The client is gone, which is what was waited for.
                Err(_) => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}
