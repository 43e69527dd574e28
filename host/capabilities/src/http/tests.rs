//! Real requests to servers on loopback, granted and not.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use ::http::{HeaderValue, Request};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Full};
use luckystack_plugins::{Caller as PluginCaller, Transport};
use luckystack_topology::{HostPattern, HttpGrant, HttpScheme};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};

use super::body::MAX_BODY;
use super::exchange::{Response, exchange};
use super::*;

const LOOPBACK: HostPattern = HostPattern::Address(IpAddr::V4(Ipv4Addr::LOCALHOST));

fn grant(scheme: Option<HttpScheme>, host: HostPattern, port: Option<u16>) -> HttpGrant {
    HttpGrant { scheme, host, port }
}

fn outbound(http: Vec<HttpGrant>) -> Arc<Outbound> {
    outbound_trusting(http, connect::public_roots())
}

fn outbound_trusting(http: Vec<HttpGrant>, roots: rustls::RootCertStore) -> Arc<Outbound> {
    Arc::new(Outbound {
        grants: Grants { http, ..Grants::default() },
        tls: connect::tls(roots).unwrap(),
        lookups: Arc::new(Semaphore::new(MAX_LOOKUPS)),
    })
}

fn call(deadline: Duration) -> Arc<CallContext> {
    let caller = PluginCaller {
        session: None,
        ip: "unknown".into(),
        language: "en".into(),
        request_id: "r".into(),
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
        transport: Transport::Http,
    };
    Arc::new(CallContext::new("api/svc/get/v1".into(), caller, Instant::now() + deadline))
}

fn caller(call: &Arc<CallContext>, places: &Arc<Semaphore>) -> Caller {
    Caller {
        source: Source {
            service: "svc".into(),
            route: Some(Arc::clone(&call.route)),
            request_id: Some(Arc::clone(&call.caller.request_id)),
        },
        deadline: call.deadline,
        traceparent: call.caller.traceparent.clone(),
        max_log_lines: 10,
        call: Arc::downgrade(call),
        places: Arc::clone(places),
    }
}

fn request(uri: &str) -> Request<WasiBody> {
    let host = uri.parse::<::http::Uri>().unwrap().authority().unwrap().to_string();
    let body = Empty::<Bytes>::new().map_err(|never| match never {}).boxed_unsync();
    Request::builder().uri(uri).header("host", host).body(body).unwrap()
}

async fn get(outbound: &Arc<Outbound>, uri: &str) -> Result<Response, Error> {
    send(outbound, request(uri), RequestOptions::default()).await
}

async fn send(
    outbound: &Arc<Outbound>,
    request: Request<WasiBody>,
    options: RequestOptions,
) -> Result<Response, Error> {
    let call = call(Duration::from_secs(10));
    let places = Arc::new(Semaphore::new(MAX_IN_FLIGHT));
    exchange(Arc::clone(outbound), caller(&call, &places), request, options).await
}

/// Reads an answer's body to its end, keeping its connection going.
async fn text(response: Response) -> Result<String, Error> {
    let (response, work) = response;
    let work = tokio::spawn(std::pin::Pin::from(work));
    let body = response.into_body().collect().await?.to_bytes();
    work.abort();
    Ok(String::from_utf8(body.to_vec()).unwrap())
}

fn error(result: Result<Response, Error>) -> String {
    match result {
        Ok((response, _)) => panic!("expected an error, not {}", response.status()),
        Err(error) => format!("{error:?}"),
    }
}

/// A server that answers every connection with what `answer` does to it, after reading a head.
/// The port, and the heads it has read.
async fn server<F>(answer: impl Fn(TcpStream) -> F + Send + 'static) -> (u16, mpsc::UnboundedReceiver<String>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (heads, received) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                match stream.read_u8().await {
                    Ok(byte) => head.push(byte),
                    Err(_) => break,
                }
            }
            let _ = heads.send(String::from_utf8_lossy(&head).into_owned());
            tokio::spawn(answer(stream));
        }
    });
    (port, received)
}

async fn hello(mut stream: TcpStream) {
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").await;
}

/// Keeps the connection open and says nothing more.
async fn silence(mut stream: TcpStream) {
    let _ = stream.read_u8().await;
}

#[tokio::test]
async fn a_loopback_address_answers_only_when_it_is_granted_literally() {
    let (port, mut heads) = server(hello).await;
    let uri = format!("http://127.0.0.1:{port}/path?q=1");

    let granted = outbound(vec![grant(Some(HttpScheme::Http), LOOPBACK, Some(port))]);
    let response = get(&granted, &uri).await.unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(response.0.status(), 200);
    assert_eq!(text(response).await.unwrap(), "hello");
    let head = heads.recv().await.unwrap();
    assert!(head.starts_with("GET /path?q=1 HTTP/1.1\r\n"), "{head}");
    assert!(head.contains(&format!("host: 127.0.0.1:{port}\r\n")), "{head}");
    assert!(
        head.contains("traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"),
        "{head}"
    );

    let refusals = [
        (vec![], "HttpRequestDenied"),
        (vec![grant(None, HostPattern::AnyPublic, Some(port))], "HttpRequestDenied"),
        (vec![grant(None, LOOPBACK, None)], "HttpRequestDenied"),
        (vec![grant(Some(HttpScheme::Https), LOOPBACK, Some(port))], "HttpRequestDenied"),
        (vec![grant(None, HostPattern::Exact("example.com".into()), Some(port))], "HttpRequestDenied"),
    ];
    for (grants, refusal) in refusals {
        assert_eq!(error(get(&outbound(grants.clone()), &uri).await), refusal, "{grants:?}");
    }
    assert!(heads.try_recv().is_err(), "a refused request reached the server");
}

#[tokio::test]
async fn a_name_that_resolves_to_loopback_is_refused_under_a_pattern() {
    let (port, mut heads) = server(hello).await;
    let uri = format!("http://localhost:{port}/");
    let pattern = outbound(vec![grant(None, HostPattern::AnyPublic, Some(port))]);
    assert_eq!(error(get(&pattern, &uri).await), "DestinationIpProhibited");
    assert!(heads.try_recv().is_err(), "a refused request reached the server");

    let literally = outbound(vec![grant(None, HostPattern::Exact("localhost".into()), Some(port))]);
    let response = get(&literally, &uri).await.unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(text(response).await.unwrap(), "hello");
}

#[tokio::test]
async fn other_spellings_of_an_address_are_that_address() {
    let (port, mut heads) = server(hello).await;
    let pattern = outbound(vec![grant(None, HostPattern::AnyPublic, Some(port))]);
    for host in
        ["127.1", "2130706433", "0x7f.0.0.1", "0177.0.0.1", "[::ffff:127.0.0.1]", "[::1]", "localhost."]
    {
        let refused = error(get(&pattern, &format!("http://{host}:{port}/")).await);
        assert!(
            matches!(&*refused, "HttpRequestDenied" | "DestinationIpProhibited")
                || refused.starts_with("DnsError"),
            "{host}: {refused}"
        );
    }
    assert!(heads.try_recv().is_err(), "a refused request reached the server");
}

#[tokio::test]
async fn redirects_are_answers_and_not_followed() {
    let (port, mut heads) = server(|mut stream: TcpStream| async move {
        let _ = stream
            .write_all(b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n")
            .await;
    })
    .await;
    let granted = outbound(vec![grant(None, LOOPBACK, Some(port))]);
    let (response, _) =
        get(&granted, &format!("http://127.0.0.1:{port}/")).await.unwrap_or_else(|_| panic!());
    assert_eq!(response.status(), 302);
    heads.recv().await.unwrap();
    assert!(heads.try_recv().is_err());
}

#[tokio::test]
async fn a_trace_context_that_the_guest_set_stays() {
    let (port, mut heads) = server(hello).await;
    let granted = outbound(vec![grant(None, LOOPBACK, Some(port))]);
    let mut request = request(&format!("http://127.0.0.1:{port}?q"));
    request.headers_mut().insert("traceparent", HeaderValue::from_static("mine"));
    text(send(&granted, request, RequestOptions::default()).await.unwrap_or_else(|_| panic!()))
        .await
        .unwrap();
    let head = heads.recv().await.unwrap();
    assert!(head.contains("traceparent: mine\r\n"), "{head}");
    assert!(head.starts_with("GET /?q HTTP/1.1\r\n"), "{head}");
}

#[tokio::test]
async fn request_bodies_arrive_whole() {
    let (body_read, on_body) = oneshot::channel();
    let body_read = parking_lot::Mutex::new(Some(body_read));
    let (port, mut heads) = server(move |mut stream: TcpStream| {
        let body_read = body_read.lock().take();
        async move {
            let mut body = vec![0; 10];
            stream.read_exact(&mut body).await.unwrap();
            body_read.unwrap().send(body).unwrap();
            hello(stream).await;
        }
    })
    .await;
    let granted = outbound(vec![grant(None, LOOPBACK, Some(port))]);
    let body = Full::new(Bytes::from_static(b"0123456789")).map_err(|never| match never {}).boxed_unsync();
    let request = Request::post(format!("http://127.0.0.1:{port}/")).body(body).unwrap();
    let response = send(&granted, request, RequestOptions::default()).await;
    assert_eq!(text(response.unwrap_or_else(|error| panic!("{error:?}"))).await.unwrap(), "hello");
    assert_eq!(on_body.await.unwrap(), b"0123456789");
    assert!(heads.recv().await.unwrap().contains("content-length: 10\r\n"));
}

#[tokio::test]
async fn what_is_no_address_of_a_host_is_refused() {
    let any = outbound(vec![grant(None, HostPattern::AnyPublic, None), grant(None, LOOPBACK, Some(1))]);
    assert_eq!(error(get(&any, "http://user:secret@example.com/").await), "HttpRequestUriInvalid");
    assert_eq!(error(get(&any, "ftp://example.com/").await), "HttpProtocolError");
    assert_eq!(error(get(&any, "http://example.com:0/").await), "HttpRequestUriInvalid");
    assert_eq!(error(get(&any, "http://example.com:99999/").await), "HttpRequestUriInvalid");
    let mut tunnel = request("http://example.com/");
    *tunnel.method_mut() = ::http::Method::CONNECT;
    assert_eq!(error(send(&any, tunnel, RequestOptions::default()).await), "HttpRequestMethodInvalid");
    assert_eq!(error(get(&any, "http://127.0.0.1:1/").await), "ConnectionRefused");
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up_in_time() {
    let (port, _heads) = server(silence).await;
    let granted = outbound(vec![grant(None, LOOPBACK, Some(port))]);
    let uri = format!("http://127.0.0.1:{port}/");
    let short = Some(Duration::from_millis(50));

    let options = RequestOptions { first_byte_timeout: short, ..RequestOptions::default() };
    assert_eq!(error(send(&granted, request(&uri), options).await), "ConnectionReadTimeout");

    let options = RequestOptions { first_byte_timeout: Some(Duration::MAX), ..RequestOptions::default() };
    let call = call(Duration::from_millis(50));
    let places = Arc::new(Semaphore::new(MAX_IN_FLIGHT));
    let result = exchange(granted, caller(&call, &places), request(&uri), options).await;
    assert_eq!(error(result), "ConnectionReadTimeout", "the call's deadline holds over any option");
}

#[tokio::test]
async fn a_server_that_stops_in_the_middle_is_given_up_in_time() {
    let (port, _heads) = server(|mut stream: TcpStream| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await;
        silence(stream).await;
    })
    .await;
    let granted = outbound(vec![grant(None, LOOPBACK, Some(port))]);
    let options = RequestOptions {
        between_bytes_timeout: Some(Duration::from_millis(50)),
        ..RequestOptions::default()
    };
    let response = send(&granted, request(&format!("http://127.0.0.1:{port}/")), options).await;
    let error = text(response.unwrap_or_else(|error| panic!("{error:?}"))).await.unwrap_err();
    assert!(matches!(error, Error::ConnectionReadTimeout), "{error:?}");
}

#[tokio::test]
async fn heads_and_bodies_of_answers_are_bounded() {
    let (port, _heads) = server(|mut stream: TcpStream| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nx: ").await;
        while stream.write_all(&[b'x'; 8192]).await.is_ok() {}
    })
    .await;
    let granted = outbound(vec![grant(None, LOOPBACK, Some(port))]);
    let refused = error(get(&granted, &format!("http://127.0.0.1:{port}/")).await);
    assert_eq!(refused, "HttpResponseHeaderSectionSize(Some(65536))");

    let (port, _heads) = server(|mut stream: TcpStream| async move {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", MAX_BODY + 1);
        let _ = stream.write_all(head.as_bytes()).await;
        silence(stream).await;
    })
    .await;
    let granted = outbound(vec![grant(None, LOOPBACK, Some(port))]);
    let refused = error(get(&granted, &format!("http://127.0.0.1:{port}/")).await);
    assert_eq!(refused, format!("HttpResponseBodySize(Some({}))", MAX_BODY + 1));

    let (port, _heads) = server(|mut stream: TcpStream| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n").await;
        while stream.write_all(&[b'x'; 65536]).await.is_ok() {}
    })
    .await;
    let granted = outbound(vec![grant(None, LOOPBACK, Some(port))]);
    let (response, _work) =
        get(&granted, &format!("http://127.0.0.1:{port}/")).await.unwrap_or_else(|error| panic!("{error:?}"));
    let mut body = response.into_body();
    let mut read = 0;
    let error = loop {
        match body.frame().await.expect("the body has no end") {
            Ok(frame) => read += frame.into_data().unwrap().len() as u64,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::HttpResponseBodySize(Some(MAX_BODY))), "{error:?}");
    assert!(read <= MAX_BODY);
}

#[tokio::test]
async fn further_requests_of_a_call_wait_until_earlier_ones_are_read() {
    let (port, _heads) = server(hello).await;
    let granted = outbound(vec![grant(None, LOOPBACK, Some(port))]);
    let uri = format!("http://127.0.0.1:{port}/");
    let call = call(Duration::from_secs(10));
    let places = Arc::new(Semaphore::new(MAX_IN_FLIGHT));
    let send = |options| exchange(Arc::clone(&granted), caller(&call, &places), request(&uri), options);

    let mut unread = Vec::new();
    for _ in 0..MAX_IN_FLIGHT {
        unread.push(send(RequestOptions::default()).await.unwrap_or_else(|error| panic!("{error:?}")));
    }
    let impatient =
        RequestOptions { connect_timeout: Some(Duration::from_millis(20)), ..RequestOptions::default() };
    assert_eq!(error(send(impatient).await), "ConnectionLimitReached");

    let waiting = send(RequestOptions::default());
    let reading = text(unread.remove(0));
    let (answered, read) = tokio::join!(waiting, reading);
    assert_eq!(read.unwrap(), "hello");
    assert_eq!(answered.unwrap_or_else(|error| panic!("{error:?}")).0.status(), 200);
    drop(unread);
    assert_eq!(places.available_permits(), MAX_IN_FLIGHT, "dropping an answer gives its place back");
}

#[tokio::test]
async fn answers_without_a_body_do_not_hold_a_place() {
    let (port, _heads) = server(|mut stream: TcpStream| async move {
        let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
    })
    .await;
    let granted = outbound(vec![grant(None, LOOPBACK, Some(port))]);
    let call = call(Duration::from_secs(10));
    let places = Arc::new(Semaphore::new(MAX_IN_FLIGHT));
    let result = exchange(
        granted,
        caller(&call, &places),
        request(&format!("http://127.0.0.1:{port}/")),
        RequestOptions::default(),
    );
    let _unread = result.await.unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(places.available_permits(), MAX_IN_FLIGHT);
}

#[tokio::test]
async fn refusals_in_the_log_count_as_lines_of_the_call() {
    let nothing = outbound(vec![]);
    let call = call(Duration::from_secs(10));
    let places = Arc::new(Semaphore::new(MAX_IN_FLIGHT));
    for _ in 0..3 {
        let request = request("http://example.com/");
        let refused =
            exchange(Arc::clone(&nothing), caller(&call, &places), request, RequestOptions::default());
        assert_eq!(error(refused.await), "HttpRequestDenied");
    }
    assert_eq!(call.count_log_line(), 4);
}

#[tokio::test]
async fn https_verifies_who_answers() {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let certificate: CertificateDer<'static> = cert.der().clone();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut head = [0; 1024];
                if stream.read(&mut head).await.is_ok() {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").await;
                    let _ = stream.shutdown().await;
                }
            });
        }
    });
    let grants = || {
        vec![
            grant(None, HostPattern::Exact("localhost".into()), Some(port)),
            grant(None, LOOPBACK, Some(port)),
        ]
    };
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).unwrap();

    let trusting = outbound_trusting(grants(), roots);
    let response = get(&trusting, &format!("https://localhost:{port}/")).await;
    assert_eq!(text(response.unwrap_or_else(|error| panic!("{error:?}"))).await.unwrap(), "hello");

    let refused = error(get(&trusting, &format!("https://127.0.0.1:{port}/")).await);
    assert!(refused.contains("InvalidCertificate"), "the name is not the certificate's: {refused}");
    let refused = error(get(&outbound(grants()), &format!("https://localhost:{port}/")).await);
    assert!(refused.contains("UnknownIssuer"), "{refused}");
}

#[test]
fn the_remedy_for_a_refusal_is_written_as_a_grant_is() {
    for (uri, grant, display) in [
        ("https://api.example.com/x", "api.example.com", "https://api.example.com:443"),
        ("http://api.example.com:8080", "api.example.com:8080", "http://api.example.com:8080"),
        ("http://[::1]:9000/", "[::1]:9000", "http://[::1]:9000"),
    ] {
        let target = connect::Target::of(&uri.parse().unwrap()).unwrap();
        assert_eq!((target.grant().as_str(), target.to_string().as_str()), (grant, display));
    }
}
