//! From a request's address line to a connection at an address that its grant covers.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use ::http::Uri;
use luckystack_topology::HttpScheme;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use wasmtime_wasi_http::Error;

/// Least time for one of several addresses: a handshake across the world takes a third of it.
const LEAST_ATTEMPT: Duration = Duration::from_millis(500);

/// Where a request wants to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub scheme: HttpScheme,
    /// Without brackets.
    pub host: String,
    pub port: u16,
}

/// A connection, encrypted or not.
pub(super) trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

impl Target {
    pub(super) fn of(uri: &Uri) -> Result<Target, Error> {
        let scheme = match uri.scheme_str() {
            Some("http") => HttpScheme::Http,
            Some("https") => HttpScheme::Https,
            _ => return Err(Error::HttpProtocolError),
        };
        let authority = uri.authority().ok_or(Error::HttpRequestUriInvalid)?;
        // Credentials in an address are for deceiving readers of it. They belong into a header.
        if authority.as_str().contains('@') || authority.host().is_empty() {
            return Err(Error::HttpRequestUriInvalid);
        }
        let host = authority.host();
        let port = match authority.as_str()[host.len()..].strip_prefix(':') {
            None => scheme.default_port(),
            Some(_) => authority.port_u16().filter(|port| *port != 0).ok_or(Error::HttpRequestUriInvalid)?,
        };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        Ok(Target { scheme, host: host.to_owned(), port })
    }

    /// As a grant is written.
    pub(super) fn grant(&self) -> String {
        let host = bracketed(&self.host);
        match self.port == self.scheme.default_port() {
            true => host,
            false => format!("{host}:{}", self.port),
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}:{}", self.scheme.as_str(), bracketed(&self.host), self.port)
    }
}

fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

/// The addresses of a host, in the order of preference that the system gives them.
pub(super) async fn resolve(
    target: &Target,
    lookups: &Arc<Semaphore>,
    until: Instant,
) -> Result<Vec<IpAddr>, Error> {
    if let Ok(address) = target.host.parse() {
        return Ok(vec![address]);
    }
    let lookup = async {
        let place = Arc::clone(lookups).acquire_owned().await.map_err(|_| Error::DnsTimeout)?;
        let (host, port) = (target.host.clone(), target.port);
        // The place goes with the thread: a look-up whose request has given up still takes one.
        let found = tokio::task::spawn_blocking(move || {
            let _place = place;
            (host.as_str(), port).to_socket_addrs().map(|found| found.map(|at| at.ip()).collect())
        });
        match found.await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(error)) => Err(Error::DnsError { rcode: Some(error.to_string()), info_code: None }),
            Err(_) => Err(Error::DnsError { rcode: None, info_code: None }),
        }
    };
    tokio::time::timeout_at(until, lookup).await.unwrap_or(Err(Error::DnsTimeout))
}

/// Connects to the first of `addresses` that answers. Each has its share of the time that is left, so
/// that one that swallows packets does not take all of it.
pub(super) async fn connect(
    target: &Target,
    addresses: &[IpAddr],
    tls: &TlsConnector,
    until: Instant,
) -> Result<Box<dyn Connection>, Error> {
    let mut stream = Err(Error::DestinationUnavailable);
    for (index, address) in addresses.iter().enumerate() {
        let left = until.saturating_duration_since(Instant::now());
        let share = (left / (addresses.len() - index) as u32).max(LEAST_ATTEMPT.min(left));
        let attempt = TcpStream::connect(SocketAddr::new(*address, target.port));
        stream = match tokio::time::timeout(share, attempt).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(connect_error(error)),
            Err(_) => Err(Error::ConnectionTimeout),
        };
        if stream.is_ok() {
            break;
        }
    }
    let stream = stream?;
    // Requests are written in whole pieces; waiting for more only costs time.
    stream.set_nodelay(true).map_err(Error::Connect)?;
    if target.scheme == HttpScheme::Http {
        return Ok(Box::new(stream));
    }
    let name = target.host.strip_suffix('.').unwrap_or(&target.host).to_owned();
    let name = ServerName::try_from(name).map_err(|_| Error::HttpRequestUriInvalid)?;
    match tokio::time::timeout_at(until, tls.connect(name, stream)).await {
        Ok(Ok(stream)) => Ok(Box::new(stream)),
        Ok(Err(error)) => Err(Error::Tls(error)),
        Err(_) => Err(Error::ConnectionTimeout),
    }
}

fn connect_error(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Error::ConnectionRefused,
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Error::DestinationIpUnroutable,
        io::ErrorKind::TimedOut => Error::ConnectionTimeout,
        _ => Error::Connect(error),
    }
}

/// The certificate authorities that browsers trust.
pub(super) fn public_roots() -> RootCertStore {
    RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.into() }
}

/// TLS for the requests of one service: with its own store of sessions to resume.
pub(super) fn tls(roots: RootCertStore) -> Result<TlsConnector, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}
