//! By what a command knows that the service it calls by https is the one meant.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

use crate::http::tls::{TlsError, authorities, certificates};

/// What a service's certificate is checked by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trust {
    /// The authorities that the system trusts.
    System,
    /// Those of a file, and no others.
    Authorities(PathBuf),
    /// The first certificate of a file itself, under whatever name the service is called: this machine's own service, by
    /// its own settings.
    Own(PathBuf),
}

impl Trust {
    /// A client that trusts so.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub(super) fn client(&self) -> anyhow::Result<reqwest::ClientBuilder> {
        super::choose_tls();
        let client = reqwest::Client::builder();
        Ok(match self {
            Self::System => client,
            Self::Authorities(file) => client.tls_certs_only(authorities("--ca", file)?),
            Self::Own(file) => {
                let expected = certificates("server.tls_certificate", file)?;
                let verifier = Arc::new(Pinned { expected, provider: ring::default_provider() });
                let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
                    .with_safe_default_protocol_versions()
                    .map_err(TlsError::Setup)?
                    .dangerous()
                    .with_custom_certificate_verifier(verifier)
                    .with_no_client_auth();
                client.tls_backend_preconfigured(config)
            }
        })
    }
}

/// Takes one certificate and no other; that the service has the key to it, the signature shows.
struct Pinned {
    expected: Vec<CertificateDer<'static>>,
    provider: CryptoProvider,
}

impl fmt::Debug for Pinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pinned")
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.expected.first() {
            Some(expected) if expected == end_entity => Ok(ServerCertVerified::assertion()),
            _ => Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
