//! Certificates: read from PEM files, checked, swapped while connections are served.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use serde::Deserialize;

/// Where the certificate is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// PEM file with the certificate and the chain behind it.
    pub cert: PathBuf,
    /// PEM file with its private key.
    pub key: PathBuf,
}

/// Why a certificate cannot be used. The old one stays in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The certificate file is missing, unreadable, or holds no certificate.
    #[error("tls.cert: no certificate in PEM form can be read from this file")]
    Certificate,
    /// The key file is missing, unreadable, or holds no key.
    #[error("tls.key: no private key in PEM form can be read from this file")]
    Key,
    /// The two do not belong together, or are of a kind that is not supported.
    #[error("tls.cert and tls.key do not belong together, or their kind is not supported")]
    Mismatch,
    /// The TLS library refused its own defaults.
    #[error("TLS cannot be set up")]
    Setup,
}

/// The certificate in use. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub struct Certificates(Arc<Current>);

/// A certificate that has been read and checked and is not in use yet.
#[derive(Debug)]
pub struct Fresh(Arc<CertifiedKey>);

impl Fresh {
    /// Reads and checks the files.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub fn read(options: &Options) -> Result<Self, Error> {
        load(options).map(Self)
    }
}

#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Some(current.clone())
    }
}

impl Certificates {
    /// Reads and checks the files.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub fn read(options: &Options) -> Result<Self, Error> {
        Ok(Self(Arc::new(Current(RwLock::new(load(options)?)))))
    }

    /// Connections from now on get this certificate.
    pub fn swap(&self, fresh: Fresh) {
        *self.0.0.write().unwrap_or_else(PoisonError::into_inner) = fresh.0;
    }

    /// TLS 1.3 and 1.2, HTTP/2 and HTTP/1.1.
    pub(super) fn server_config(&self) -> Result<Arc<ServerConfig>, Error> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|_refused| Error::Setup)?
            .with_no_client_auth()
            .with_cert_resolver(self.0.clone());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

fn load(options: &Options) -> Result<Arc<CertifiedKey>, Error> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&options.cert)
        .map_err(|_unreadable| Error::Certificate)?
        .collect::<Result<_, _>>()
        .map_err(|_unreadable| Error::Certificate)?;
    if chain.is_empty() {
        return Err(Error::Certificate);
    }
    let key = PrivateKeyDer::from_pem_file(&options.key).map_err(|_unreadable| Error::Key)?;
    CertifiedKey::from_der(chain, key, &default_provider())
        .map(Arc::new)
        .map_err(|_refused| Error::Mismatch)
}
