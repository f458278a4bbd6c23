//! TLS towards clients and targets.

use load_balancing::{Certificate, Listener, Protocol, TlsVersion};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, DigitallySignedStruct, ServerConfig, SignatureScheme};
use std::sync::{Arc, LazyLock};

/// Why a listener cannot speak TLS.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("listener {0} has no certificate")]
    NoCertificate(String),
    #[error("certificate {0} cannot be read: {1}")]
    Certificate(String, rustls::pki_types::pem::Error),
    #[error("the private key of certificate {0} cannot be read: {1}")]
    Key(String, rustls::pki_types::pem::Error),
    #[error("certificate {0} cannot be used: {1}")]
    Unusable(String, rustls::Error),
    #[error("no TLS with these settings: {0}")]
    Settings(rustls::Error),
}

fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| Arc::new(ring::default_provider()));
    PROVIDER.clone()
}

/// What a listener needs for handshakes with clients; nothing when it speaks no TLS.
pub(crate) fn server_config(listener: &Listener, http2: bool) -> Result<Option<Arc<ServerConfig>>, TlsError> {
    if !matches!(listener.protocol, Protocol::Https | Protocol::Tls) {
        return Ok(None);
    }
    if listener.certificates.is_empty() {
        return Err(TlsError::NoCertificate(listener.arn.clone()));
    }
    let certificates = listener.certificates.iter().map(Named::new).collect::<Result<Vec<_>, _>>()?;
    let both: &[_] = &[&rustls::version::TLS13, &rustls::version::TLS12];
    let versions = match listener.minimum_tls {
        TlsVersion::V1_2 => both,
        TlsVersion::V1_3 => &both[..1],
    };
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .map_err(TlsError::Settings)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(BySni(certificates)));
    config.alpn_protocols = match listener.protocol {
        Protocol::Https if http2 => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        Protocol::Https => vec![b"http/1.1".to_vec()],
        _ => listener.alpn.iter().map(|name| name.as_bytes().to_vec()).collect(),
    };
    config.ticketer = ring::Ticketer::new().map_err(TlsError::Settings)?;
    Ok(Some(Arc::new(config)))
}

/// A certificate, with its key and the names in it.
#[derive(Debug)]
struct Named {
    leaf: CertificateDer<'static>,
    key: Arc<CertifiedKey>,
}

impl Named {
    fn new(certificate: &Certificate) -> Result<Self, TlsError> {
        let arn = certificate.arn.clone();
        let chain = CertificateDer::pem_slice_iter(certificate.chain.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| TlsError::Certificate(arn.clone(), error))?;
        let Some(leaf) = chain.first().cloned() else {
            return Err(TlsError::Certificate(arn, rustls::pki_types::pem::Error::NoItemsFound));
        };
        let key = PrivateKeyDer::from_pem_slice(certificate.private_key.as_bytes())
            .map_err(|error| TlsError::Key(arn.clone(), error))?;
        let key = CertifiedKey::from_der(chain, key, &provider())
            .map_err(|error| TlsError::Unusable(arn.clone(), error))?;
        Ok(Self { leaf, key: Arc::new(key) })
    }

    fn is_for(&self, name: &ServerName<'_>) -> bool {
        webpki::EndEntityCert::try_from(&self.leaf)
            .is_ok_and(|certificate| certificate.verify_is_valid_for_subject_name(name).is_ok())
    }
}

/// The first certificate that is for the name that the client asks for; else the first of all.
#[derive(Debug)]
struct BySni(Vec<Named>);

impl ResolvesServerCert for BySni {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().and_then(|name| ServerName::try_from(name).ok());
        let wanted = name.and_then(|name| self.0.iter().find(|certificate| certificate.is_for(&name)));
        wanted.or(self.0.first()).map(|certificate| certificate.key.clone())
    }
}

/// The ARN of the certificate that a client asking for `name` gets.
pub(crate) fn chosen_arn(listener: &Listener, name: Option<&str>) -> Option<String> {
    let name = name.and_then(|name| ServerName::try_from(name).ok());
    let matching = name.and_then(|name| {
        listener.certificates.iter().find(|certificate| {
            CertificateDer::from_pem_slice(certificate.chain.as_bytes()).is_ok_and(|leaf| {
                webpki::EndEntityCert::try_from(&leaf)
                    .is_ok_and(|leaf| leaf.verify_is_valid_for_subject_name(&name).is_ok())
            })
        })
    });
    matching.or(listener.certificates.first()).map(|certificate| certificate.arn.clone())
}

/// What is needed for handshakes with targets, whose certificates are not verified, as on AWS. `h2` says whether HTTP/2
/// is to be spoken; nothing is offered to targets of TLS groups.
pub(crate) fn client_config(alpn: &[&[u8]]) -> Result<Arc<ClientConfig>, rustls::Error> {
    let provider = provider();
    let verifier = Arc::new(Anybody(provider.signature_verification_algorithms));
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    Ok(Arc::new(config))
}

#[derive(Debug)]
struct Anybody(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
