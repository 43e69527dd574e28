//! Certificates: two PEM files become what the listener shakes hands with.

use std::sync::Arc;

use luckystack_topology::TlsConfig;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::error::HttpError;

/// Protocols offered, best first.
const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Reads certificate and key, and checks that they belong together.
pub(crate) fn acceptor(config: &TlsConfig) -> Result<TlsAcceptor, HttpError> {
    let cert_error = |reason: String| HttpError::TlsFile {
        what: "certificate chain",
        key: "cert",
        path: config.cert.clone(),
        reason,
    };
    let chain = CertificateDer::pem_file_iter(&config.cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| cert_error(error.to_string()))?;
    if chain.is_empty() {
        return Err(cert_error("it holds no certificate".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_file(&config.key).map_err(|error| HttpError::TlsFile {
        what: "private key",
        key: "key",
        path: config.key.clone(),
        reason: error.to_string(),
    })?;
    let mut server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| HttpError::TlsPair {
            cert: config.cert.clone(),
            key: config.key.clone(),
            reason: error.to_string(),
        })?;
    server.alpn_protocols = ALPN.iter().map(|name| name.to_vec()).collect();
    Ok(TlsAcceptor::from(Arc::new(server)))
}
