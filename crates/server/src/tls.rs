//! TLS from certificate files.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::Failure;
use crate::config::Tls;

/// What accepts TLS connections with these files.
///
/// # Errors
/// A file cannot be read, or certificate and key do not fit together.
pub(crate) fn acceptor(files: &Tls) -> Result<TlsAcceptor, Failure> {
    let certificates = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|problem| unreadable(&files.certificate, &problem))?;
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|problem| unreadable(&files.key, &problem))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map(|builder| builder.with_no_client_auth())
        .and_then(|builder| builder.with_single_cert(certificates, key))
        .map_err(|problem| Failure(format!("the TLS certificate does not work: {problem}")))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn unreadable(path: &Path, problem: &rustls::pki_types::pem::Error) -> Failure {
    Failure(format!("{} cannot be read as PEM: {problem}", path.display()))
}
