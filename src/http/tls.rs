//! TLS: the server's certificate with its key, read anew while it runs, and authorities that calls to others are checked by.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, ServerConfig};

use crate::settings::Server;

/// Bytes of a file of certificates or of a key, at most.
const MAX_BYTES: u64 = 1 << 20;

/// Why a file of TLS cannot be used. Never holds any of a key.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// It cannot be read.
    #[error("{setting}: {file} cannot be read: {source}")]
    File {
        /// The setting that names it.
        setting: &'static str,
        /// Its path.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// It is something else.
    #[error("{setting}: {file} {reason}")]
    Content {
        /// The setting that names it.
        setting: &'static str,
        /// Its path.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The library refuses the choice of ring's algorithms.
    #[error("server.tls_certificate: TLS cannot be set up: {0}")]
    Setup(rustls::Error),
}

/// What the server shows to its callers: a certificate and the key to it, those of the files as last taken up.
pub struct Identity {
    certificate: PathBuf,
    key: PathBuf,
    shown: ArcSwap<CertifiedKey>,
}

impl Identity {
    /// Reads the files that the settings name; none where they name none.
    ///
    /// # Errors
    /// [`TlsError`] where a file cannot be read or is no PEM, or where the key is another certificate's.
    pub fn read(server: &Server) -> Result<Option<Arc<Self>>, TlsError> {
        if !server.tls() {
            return Ok(None);
        }
        let (certificate, key) = (server.tls_certificate.clone(), server.tls_key.clone());
        let shown = ArcSwap::from_pointee(pair(&certificate, &key)?);
        Ok(Some(Arc::new(Self { certificate, key, shown })))
    }

    /// The files.
    #[must_use]
    pub fn files(&self) -> [&Path; 2] {
        [&self.certificate, &self.key]
    }

    /// Reads the files again; connections that are made from now on see what is in them.
    ///
    /// # Errors
    /// [`TlsError`]; what was shown before is shown on.
    pub fn reload(&self) -> Result<(), TlsError> {
        self.shown.store(Arc::new(pair(&self.certificate, &self.key)?));
        Ok(())
    }

    /// TLS 1.2 and 1.3 with this certificate, for the listener.
    ///
    /// # Errors
    /// [`TlsError::Setup`].
    pub fn config(self: &Arc<Self>) -> Result<ServerConfig, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        Ok(builder.map_err(TlsError::Setup)?.with_no_client_auth().with_cert_resolver(self.clone()))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.shown.load_full())
    }
}

/// Authorities of a file, for a client that calls others.
///
/// # Errors
/// [`TlsError`] naming `setting`.
pub fn authorities(setting: &'static str, file: &Path) -> Result<Vec<reqwest::Certificate>, TlsError> {
    let made: Result<Vec<_>, _> =
        certificates(setting, file)?.iter().map(|certificate| reqwest::Certificate::from_der(certificate)).collect();
    made.map_err(|_| content(setting, file, "holds a certificate that cannot be read"))
}

/// The certificates of a PEM file, in its order, at least one.
///
/// # Errors
/// [`TlsError`] naming `setting`.
pub fn certificates(setting: &'static str, file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(setting, file)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let certificates =
        certificates.map_err(|_| content(setting, file, "is broken: its PEM cannot be read to the end"))?;
    if certificates.is_empty() {
        return Err(content(setting, file, "holds no certificate: PEM with BEGIN CERTIFICATE is needed"));
    }
    Ok(certificates)
}

fn pair(certificate: &Path, key: &Path) -> Result<CertifiedKey, TlsError> {
    const CERTIFICATE: &str = "server.tls_certificate";
    const KEY: &str = "server.tls_key";
    let chain = certificates(CERTIFICATE, certificate)?;
    // What the library says of a broken key could hold some of it.
    let private = PrivateKeyDer::from_pem_slice(&read(KEY, key)?)
        .map_err(|_| content(KEY, key, "holds no usable key: PEM with BEGIN PRIVATE KEY, unencrypted, is needed"))?;
    let provider = rustls::crypto::ring::default_provider();
    CertifiedKey::from_der(chain, private, &provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            content(KEY, key, &format!("is not the key of the first certificate in {}", certificate.display()))
        }
        rustls::Error::InvalidCertificate(error) => {
            content(CERTIFICATE, certificate, &format!("holds a certificate that cannot be used: {error:?}"))
        }
        _ => content(KEY, key, "holds a key of a kind that is not supported: RSA, ECDSA (P-256, P-384) or Ed25519 is"),
    })
}

fn content(setting: &'static str, file: &Path, reason: &str) -> TlsError {
    TlsError::Content { setting, file: file.display().to_string(), reason: reason.to_owned() }
}

fn read(setting: &'static str, file: &Path) -> Result<Vec<u8>, TlsError> {
    let mut text = Vec::new();
    File::open(file)
        .and_then(|open| open.take(MAX_BYTES + 1).read_to_end(&mut text))
        .map_err(|source| TlsError::File { setting, file: file.display().to_string(), source })?;
    if text.len() as u64 > MAX_BYTES {
        return Err(content(setting, file, &format!("is larger than {MAX_BYTES} bytes")));
    }
    Ok(text)
}
