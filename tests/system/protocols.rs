//! HTTP/1.1 with keep-alive and pipelining, HTTP/2, TLS: the same answers over each.

use std::sync::Arc;

use luckystack_tests::guests::Guest;
use luckystack_tests::{Call, Connection, Host, Project};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::{ORDINARY, project};

fn vehicles() -> Project {
    project().guest(Guest::Vehicles)
}

/// The ids of the bodies of pipelined answers, in their order.
async fn pipelined(host: &Host, requests: &str) -> Vec<String> {
    let mut tcp = TcpStream::connect(host.address()).await.unwrap();
    tcp.write_all(requests.as_bytes()).await.unwrap();
    let mut received = Vec::new();
    tcp.read_to_end(&mut received).await.unwrap();
    let text = String::from_utf8(received).unwrap();
    text.split("\"result\":{\"id\":\"").skip(1).map(|rest| rest[..3].to_owned()).collect()
}

#[tokio::test]
async fn a_connection_is_kept_for_many_requests() {
    let host = vehicles().start().await;
    let mut connection = host.connect().await;
    for _ in 0..50 {
        assert_eq!(connection.send(Call::get(ORDINARY)).await.status, 200);
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_their_order() {
    let host = vehicles().start().await;
    let mut requests = String::new();
    for number in 1..=20 {
        let close = if number == 20 { "Connection: close\r\n" } else { "" };
        requests += &format!(
            "GET /api/vehicles/getById/v1?id=v{number:02} HTTP/1.1\r\nHost: localhost\r\n{close}\r\n"
        );
    }
    let expected: Vec<_> = (1..=20).map(|number| format!("v{number:02}")).collect();
    assert_eq!(pipelined(&host, &requests).await, expected);
}

#[tokio::test]
async fn http2_with_prior_knowledge_gives_the_same_answers() {
    let host = vehicles().start().await;
    let plain = host.get(ORDINARY).await;
    let mut connection = Connection::open_http2(host.address()).await;
    for _ in 0..3 {
        let answer = connection.send(Call::get(ORDINARY)).await;
        assert_eq!((answer.status, &answer.body), (200, &plain.body));
    }
    connection
        .send(Call::get("/api/vehicles/getById/v1?id=v99"))
        .await
        .assert_error(404, "vehicles.notFound");
}

#[tokio::test]
async fn with_a_certificate_the_host_speaks_tls() {
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let host = vehicles()
        .write("tls/cert.pem", &key.cert.pem())
        .write("tls/key.pem", &key.signing_key.serialize_pem())
        .settings("[tls]\ncert = \"tls/cert.pem\"\nkey = \"tls/key.pem\"\n")
        .start()
        .await;
    assert!(host.url().starts_with("https://localhost:"), "{}", host.url());

    let mut roots = RootCertStore::empty();
    roots.add(key.cert.der().clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tcp = TcpStream::connect(host.address()).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let tls = TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap();
    let mut connection = Connection::over(tls, "localhost").await;
    assert_eq!(connection.send(Call::get(ORDINARY)).await.result().as_array().map(Vec::len), Some(20));
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_is_named() {
    let project = vehicles()
        .write("tls/cert.pem", "no certificate")
        .write("tls/key.pem", "no key")
        .settings("[tls]\ncert = \"tls/cert.pem\"\nkey = \"tls/key.pem\"\n");
    let output = project.run(&["--no-build"]).await;
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && error.contains("tls/cert.pem"), "{error}");
}

#[tokio::test]
async fn what_is_no_http_is_refused_and_others_are_served() {
    let host = vehicles().start().await;
    for garbage in ["\0\0\0\0\r\n\r\n", "GET\r\n\r\n", "\x16\x03\x01\x02\0\x01", "GET / HTTP/9.9\r\n\r\n"] {
        let mut tcp = TcpStream::connect(host.address()).await.unwrap();
        tcp.write_all(garbage.as_bytes()).await.unwrap();
        tcp.shutdown().await.unwrap();
        let mut received = Vec::new();
        // A reset is an answer, too.
        let _ = tcp.read_to_end(&mut received).await;
        let text = String::from_utf8_lossy(&received).into_owned();
        assert!(text.is_empty() || text.starts_with("HTTP/1.1 4"), "{garbage:?}: {text}");
    }
    assert_eq!(host.get(ORDINARY).await.status, 200);
}
