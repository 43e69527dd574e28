//! Keep-alive, pipelining, HTTP/2, TLS.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use luckystack_topology::TlsConfig;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::support::{CSRF, Client, start};

#[tokio::test]
async fn a_connection_is_kept_and_pipelined_answers_keep_their_order() {
    let server = start(|_| ()).await;
    let mut client = server.client().await;
    let requests: String = (0..50)
        .map(|number| server.request(&format!("GET /api/a/get{number}/v1?n={number}"), "", ""))
        .collect();
    client.write(requests).await;
    for number in 0..50 {
        let received = client.response().await.unwrap();
        assert_eq!(received.json()["input"]["n"], number.to_string());
    }
    client.write(server.request("POST /api/a/b/v1", "Content-Type: application/json", r#"{"last":1}"#)).await;
    assert_eq!(client.response().await.unwrap().json()["input"]["last"], 1);
    client.write("GET /livez HTTP/1.0\r\n\r\n").await;
    assert_eq!(client.response().await.unwrap().status, 200);
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_body_split_over_many_packets_is_one_body() {
    let server = start(|_| ()).await;
    let mut client = server.client().await;
    let request =
        server.request("POST /api/a/b/v1", "Content-Type: application/json", r#"{"a":"bcd","e":[1,2,3]}"#);
    for byte in request.as_bytes() {
        client.write([*byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(client.response().await.unwrap().json()["input"]["e"][2], 3);
}

#[tokio::test]
async fn a_client_that_expects_a_go_ahead_gets_one_or_the_refusal() {
    let server = start(|_| ()).await;
    let head = |length: usize| {
        format!(
            "POST /api/a/b/v1 HTTP/1.1\r\nHost: x\r\nOrigin: {}\r\n{CSRF}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nExpect: 100-continue\r\n\r\n",
            server.origin()
        )
    };
    let mut client = server.client().await;
    client.write(head(2)).await;
    assert_eq!(client.head().await.unwrap().status, 100);
    client.write("{}").await;
    assert_eq!(client.response().await.unwrap().status, 200);
    let mut client = server.client().await;
    client.write(head(2 << 20)).await;
    assert_eq!(client.response().await.unwrap().status, 413);
}

async fn http2<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
) -> http2::SendRequest<Full<Bytes>> {
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn request(method: &str, url: &str, origin: &str, body: &'static str) -> Request<Full<Bytes>> {
    Request::builder()
        .method(method)
        .uri(url)
        .header("origin", origin)
        .header("cookie", "csrf-token=t")
        .header("x-csrf-token", "t")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from_static(body.as_bytes())))
        .unwrap()
}

async fn body_of(response: Response<hyper::body::Incoming>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn http2_with_prior_knowledge_is_served() {
    let server = start(|_| ()).await;
    let mut client = http2(TcpStream::connect(server.address).await.unwrap()).await;
    let origin = server.origin();
    let calls = (0..50).map(|number| {
        let url = format!("http://x/api/a/get/v1?n={number}");
        client.send_request(request("GET", &url, &origin, ""))
    });
    let calls: Vec<_> = calls.collect();
    for (number, call) in calls.into_iter().enumerate() {
        let response = call.await.unwrap();
        assert_eq!((response.status().as_u16(), response.version()), (200, Version::HTTP_2));
        let body: serde_json::Value = serde_json::from_str(&body_of(response).await).unwrap();
        assert_eq!(body["input"]["n"], number.to_string());
    }
    let large = client.send_request(request("GET", "http://x/api/large/x/v1", &origin, "")).await.unwrap();
    assert!(body_of(large).await.len() > 32 << 20);
    let options = client.send_request(request("OPTIONS", "http://x/", &origin, "")).await.unwrap();
    assert_eq!(options.status(), 204);
    let refused =
        client.send_request(request("POST", "http://x/api/a/b/v1", "https://evil", "{}")).await.unwrap();
    assert_eq!(refused.status(), 403);
}

#[tokio::test]
async fn http2_streams_have_no_connection_header() {
    let server = start(|_| ()).await;
    let mut client = http2(TcpStream::connect(server.address).await.unwrap()).await;
    let url = "http://x/api/stream/2/v1?stream=1";
    let response = client.send_request(request("GET", url, &server.origin(), "")).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert!(response.headers().get("connection").is_none());
    assert_eq!(body_of(response).await.matches("event: stream").count(), 2);
}

#[tokio::test]
async fn a_reset_http2_stream_ends_its_call_and_no_other() {
    let mut server = start(|_| ()).await;
    let mut client = http2(TcpStream::connect(server.address).await.unwrap()).await;
    let origin = server.origin();
    let call = client.send_request(request("POST", "http://x/api/gate/0/v1", &origin, "{}"));
    let call = tokio::spawn(call);
    server.wait_for("began api/gate/0/v1").await;
    call.abort();
    server.wait_for("dropped api/gate/0/v1").await;
    let response = client.send_request(request("GET", "http://x/livez", &origin, "")).await.unwrap();
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn an_http2_client_that_takes_no_answer_is_cut_off() {
    let server = start(|project| project.http.write_timeout = std::time::Duration::from_millis(200)).await;
    let tcp = TcpStream::connect(server.address).await.unwrap();
    // The connection is read all the time; only the stream's window stays closed.
    let (mut client, connection) = http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(1024)
        .handshake(TokioIo::new(tcp))
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let request = request("GET", "http://x/api/large/x/v1", &server.origin(), "");
    let response = client.send_request(request).await.unwrap();
    assert_eq!(response.status(), 200);
    let ended = tokio::time::timeout(crate::support::PATIENCE, connection).await;
    assert!(ended.is_ok(), "the server keeps the connection");
}

#[tokio::test]
async fn an_http2_body_that_is_too_large_is_refused_and_the_connection_ends() {
    let server = start(|project| project.http.request_body_max_bytes = 10).await;
    let mut client = http2(TcpStream::connect(server.address).await.unwrap()).await;
    let origin = server.origin();
    let response = client
        .send_request(request("POST", "http://x/api/a/b/v1", &origin, r#"{"a":"0123456789"}"#))
        .await
        .unwrap();
    assert_eq!(response.status(), 413);
    assert!(body_of(response).await.contains("api.payloadTooLarge"));
    while server.handle.connections() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn tls_serves_both_protocols() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let tls = TlsConfig { cert: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
    std::fs::write(&tls.cert, made.cert.pem()).unwrap();
    std::fs::write(&tls.key, made.signing_key.serialize_pem()).unwrap();
    let server = start(|project| project.tls = Some(tls)).await;

    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    for protocol in ["h2", "http/1.1"] {
        let mut config = config.clone();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let tcp = TcpStream::connect(server.address).await.unwrap();
        let stream = connector.connect("localhost".try_into().unwrap(), tcp).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(protocol.as_bytes()));
        let origin = format!("https://localhost:{}", server.address.port());
        let request = request("GET", "https://localhost/livez", &origin, "");
        let response = if protocol == "h2" {
            http2(stream).await.send_request(request).await.unwrap()
        } else {
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            sender.send_request(request).await.unwrap()
        };
        assert_eq!(response.headers()["access-control-allow-origin"], origin.as_str());
        assert_eq!(body_of(response).await, r#"{"status":"live"}"#);
    }
    // Who speaks no TLS is let go.
    let mut plain: Client = server.client().await;
    plain.write("GET / HTTP/1.1\r\n\r\n").await;
    plain.rest().await;
}

#[tokio::test]
async fn tls_files_that_do_not_serve_are_named() {
    use luckystack_http::{HostIdentity, Readiness, Server};
    use luckystack_topology::ProjectConfig;

    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    for (name, text) in [
        ("cert.pem", made.cert.pem()),
        ("other.pem", other.signing_key.serialize_pem()),
        ("empty.pem", String::new()),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    for (cert, key, named) in [
        ("missing.pem", "other.pem", "tls.cert"),
        ("empty.pem", "other.pem", "tls.cert"),
        ("cert.pem", "empty.pem", "tls.key"),
        ("cert.pem", "other.pem", "belongs to the certificate"),
    ] {
        let mut project = ProjectConfig::defaults("presets".as_ref(), ".".as_ref());
        project.listen.port = 0;
        project.tls = Some(TlsConfig { cert: folder.path().join(cert), key: folder.path().join(key) });
        let bound = Server::bind(&project, &HostIdentity::default(), Arc::new(Readiness::new())).await;
        let message = bound.unwrap_err().to_string();
        assert!(message.contains(named) && message.contains(".pem"), "{message}");
    }
}
