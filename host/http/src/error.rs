//! What can keep this server from starting.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why the HTTP server could not be started; every message says what to change.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The host name of `[listen]` has no address.
    #[error(
        "cannot listen on host `{host}`: {source}; set `listen.host` (or --host) to an address of this machine, such as 127.0.0.1 or 0.0.0.0"
    )]
    Host {
        /// As configured.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// The address cannot be bound, and not because it is taken.
    #[error(
        "cannot listen on {address}: {source}; choose another `listen.host` or `listen.port` (--host, --port); ports below 1024 need privileges"
    )]
    Bind {
        /// What was tried.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The port and all that were tried after it are taken.
    #[error(
        "no free port: {host} ports {first} to {last} are all taken; stop what listens there or choose another with --port (0 takes any free one)"
    )]
    NoFreePort {
        /// As configured.
        host: String,
        /// The configured port.
        first: u16,
        /// The last one tried.
        last: u16,
    },
    /// A configured text cannot be a header.
    #[error(
        "`{value}` cannot be sent as the header `{header}`: a header is one line of visible ASCII; change it in [http.cors] or [http.security_headers]"
    )]
    HeaderValue {
        /// Name of the header.
        header: String,
        /// The configured text.
        value: String,
    },
    /// A file of `[tls]` cannot be read as PEM.
    #[error("cannot read the TLS {what} {path}: {reason}; `tls.{key}` must name a PEM file that holds it")]
    TlsFile {
        /// `certificate chain` or `private key`
        what: &'static str,
        /// `cert` or `key`
        key: &'static str,
        /// The configured file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Certificate and key do not serve together.
    #[error(
        "the TLS certificate {cert} and the key {key} cannot be used: {reason}; check that the key belongs to the certificate"
    )]
    TlsPair {
        /// The configured certificate.
        cert: PathBuf,
        /// The configured key.
        key: PathBuf,
        /// What rustls said.
        reason: String,
    },
    /// The folder of static files is not there.
    #[error(
        "the folder of static files {path} cannot be opened: {source}; create it or remove `paths.public`"
    )]
    Public {
        /// The configured folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}
