//! Whom an identity provider's certificate is believed from: an authority that this machine trusts, else the authority
//! whose fingerprint the account has registered with the provider.

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use sha1::{Digest, Sha1};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Verifies the certificates of one provider's servers.
#[derive(Debug)]
pub(super) struct ProviderTrust {
    crypto: Arc<CryptoProvider>,
    /// `None` when this machine trusts nobody.
    machine: Option<Arc<WebPkiServerVerifier>>,
    thumbprints: Vec<String>,
    mismatched: AtomicBool,
}

impl ProviderTrust {
    /// Trust in the authorities of this machine and in those with one of the fingerprints.
    pub(super) fn new(thumbprints: &[String]) -> Arc<Self> {
        let crypto = Arc::new(ring::default_provider());
        let mut roots = RootCertStore::empty();
        // What cannot be read is not trusted.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let machine = WebPkiServerVerifier::builder_with_provider(roots.into(), crypto.clone()).build().ok();
        Arc::new(Self {
            crypto,
            machine,
            thumbprints: thumbprints.to_vec(),
            mismatched: AtomicBool::new(false),
        })
    }

    /// Whether a server has shown a certificate of an authority that nobody has registered.
    pub(super) fn has_mismatched(&self) -> bool {
        self.mismatched.load(Ordering::Relaxed)
    }

    /// The configuration of a client that trusts so.
    pub(super) fn client(self: &Arc<Self>) -> Result<ClientConfig, Error> {
        let builder =
            ClientConfig::builder_with_provider(self.crypto.clone()).with_safe_default_protocol_versions()?;
        let builder = builder.dangerous().with_custom_certificate_verifier(self.clone());
        Ok(builder.with_no_client_auth())
    }

    /// The last certificate of the chain must be a registered one, and the chain must lead to it.
    fn verify_registered(
        &self,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let top = chain.last().unwrap_or(leaf);
        let print = hex::encode(Sha1::digest(top));
        if !self.thumbprints.iter().any(|registered| registered.eq_ignore_ascii_case(&print)) {
            self.mismatched.store(true, Ordering::Relaxed);
            return Err(CertificateError::ApplicationVerificationFailure.into());
        }
        let mut roots = RootCertStore::empty();
        roots.add(top.clone().into_owned())?;
        let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), self.crypto.clone()).build();
        let verifier = verifier.map_err(|error| Error::General(error.to_string()))?;
        verifier.verify_server_cert(leaf, chain, name, &[], now)
    }
}

impl ServerCertVerifier for ProviderTrust {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.machine.as_ref().map(|machine| machine.verify_server_cert(leaf, chain, name, ocsp, now)) {
            None | Some(Err(Error::InvalidCertificate(CertificateError::UnknownIssuer))) => {
                self.verify_registered(leaf, chain, name, now)
            }
            Some(decided) => decided,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, leaf, signed, &self.crypto.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, leaf, signed, &self.crypto.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.crypto.signature_verification_algorithms.supported_schemes()
    }
}
