//! TLS from certificate files.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsAcceptor;

use crate::Failure;
use crate::config::Tls;

/// What accepts TLS connections with these files.
///
/// # Errors
/// A file cannot be read, or certificate and key do not fit together.
pub(crate) fn acceptor(files: &Tls) -> Result<TlsAcceptor, Failure> {
    let (certificates, key) = read(&files.certificate, &files.key)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map(|builder| builder.with_no_client_auth())
        .and_then(|builder| builder.with_single_cert(certificates, key))
        .map_err(|problem| Failure(format!("the TLS certificate does not work: {problem}")))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// What connects to others over TLS: it trusts whom the machine trusts, and shows the certificate of this PEM file
/// to who asks for one; of none if the name is empty.
///
/// # Errors
/// The file cannot be read, or certificate and key do not fit together.
pub(crate) fn client(certificate_file: &str) -> Result<ClientConfig, Failure> {
    let found = rustls_native_certs::load_native_certs();
    for problem in &found.errors {
        tracing::warn!(%problem, "a certificate of the machine is not used");
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|problem| Failure(format!("TLS does not work: {problem}")))?
        .with_root_certificates(roots);
    if certificate_file.is_empty() {
        return Ok(config.with_no_client_auth());
    }
    let (chain, key) = read(Path::new(certificate_file), Path::new(certificate_file))?;
    config
        .with_client_auth_cert(chain, key)
        .map_err(|problem| Failure(format!("the client certificate does not work: {problem}")))
}

type Chain = Vec<CertificateDer<'static>>;

/// Certificates, and their key.
fn read(certificate: &Path, key: &Path) -> Result<(Chain, PrivateKeyDer<'static>), Failure> {
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Chain, _>>)
        .map_err(|problem| unreadable(certificate, &problem))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|problem| unreadable(key, &problem))?;
    Ok((chain, key))
}

fn unreadable(path: &Path, problem: &rustls::pki_types::pem::Error) -> Failure {
    Failure(format!("{} cannot be read as PEM: {problem}", path.display()))
}
