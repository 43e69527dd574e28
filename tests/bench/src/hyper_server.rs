//! The baseline: hyper that replays one answer, with the settings that the host gives it.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::Context;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, DATE};
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;

use crate::client;

/// Serves until it is killed.
pub(crate) fn run(port: u16, answer: &Path) -> anyhow::Result<()> {
    let text = std::fs::read(answer).with_context(|| format!("cannot read {}", answer.display()))?;
    let answer = client::read(&mut &text[..])?;
    let mut headers = HeaderMap::new();
    for (name, value) in &answer.headers {
        headers.append(HeaderName::try_from(name.as_str())?, HeaderValue::try_from(value.as_str())?);
    }
    // hyper writes these two itself, as it does for the host.
    headers.remove(DATE);
    headers.remove(CONTENT_LENGTH);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(port, headers, Bytes::from(answer.body)))
}

async fn serve(port: u16, headers: HeaderMap, body: Bytes) -> anyhow::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let mut protocols = auto::Builder::new(TokioExecutor::new());
    protocols.http1().keep_alive(true).half_close(false).pipeline_flush(false).header_read_timeout(None);
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let (headers, body, protocols) = (headers.clone(), body.clone(), protocols.clone());
        tokio::spawn(async move {
            let service = service_fn(|_| {
                let mut response = Response::new(Full::new(body.clone()));
                response.headers_mut().clone_from(&headers);
                std::future::ready(Ok::<_, Infallible>(response))
            });
            // A client that went away: the load generator at the end of a turn.
            let _ = protocols.serve_connection(TokioIo::new(socket), service).await;
        });
    }
}
