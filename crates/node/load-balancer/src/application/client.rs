//! A client's connection, in what its requests share.

use super::headers::Forwarded;
use super::io::Activity;
use crate::live::ListenerState;
use crate::worker::Worker;
use load_balancing::Listener;
use rustls::{CipherSuite, ProtocolVersion};
use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

/// A client's connection.
pub(crate) struct Client {
    pub(crate) worker: Rc<Worker>,
    pub(crate) listener: Arc<ListenerState>,
    pub(crate) peer: SocketAddr,
    pub(crate) activity: Arc<Activity>,
    pub(crate) forwarded: Forwarded,
    pub(crate) tls: Option<TlsFacts>,
    /// Whether it speaks HTTP/2.
    pub(crate) http2: bool,
    /// Requests that wait for a target: meanwhile the connection is not idle.
    pub(crate) waiting: Cell<usize>,
    /// It is too old, or has sent something odd: it ends with the present request.
    pub(crate) closing: Cell<bool>,
    /// Its name in access logs.
    pub(crate) trace: u128,
}

impl Client {
    /// Whether the connection is to end with the present request.
    pub(crate) fn is_to_close(&self) -> bool {
        self.closing.get() || self.worker.is_draining() || self.listener.is_gone()
    }

    /// Counts a request as waiting for a target until what is returned is dropped.
    pub(crate) fn wait(self: &Rc<Self>) -> Waiting {
        self.waiting.set(self.waiting.get() + 1);
        Waiting(self.clone())
    }
}

/// A request that waits for a target.
pub(crate) struct Waiting(Rc<Client>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.waiting.set(self.0.waiting.get() - 1);
    }
}

/// What a handshake came to.
#[derive(Clone, Debug)]
pub(crate) struct TlsFacts {
    /// In OpenSSL's form, as logs and headers have it.
    pub(crate) version: &'static str,
    /// In OpenSSL's form.
    pub(crate) cipher: &'static str,
    /// The name that the client asked for.
    pub(crate) name: Option<String>,
    /// ARN of the certificate that it got.
    pub(crate) certificate: Option<String>,
}

impl TlsFacts {
    pub(crate) fn new(connection: &rustls::ServerConnection, listener: &Listener, logged: bool) -> Self {
        let name = connection.server_name().map(str::to_owned);
        Self {
            version: match connection.protocol_version() {
                Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
                Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
                _ => "-",
            },
            cipher: connection.negotiated_cipher_suite().map_or("-", |suite| openssl_name(suite.suite())),
            certificate: logged.then(|| crate::tls::chosen_arn(listener, name.as_deref())).flatten(),
            name,
        }
    }
}

fn openssl_name(suite: CipherSuite) -> &'static str {
    match suite {
        CipherSuite::TLS13_AES_128_GCM_SHA256 => "TLS_AES_128_GCM_SHA256",
        CipherSuite::TLS13_AES_256_GCM_SHA384 => "TLS_AES_256_GCM_SHA384",
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => "TLS_CHACHA20_POLY1305_SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 => "ECDHE-ECDSA-AES128-GCM-SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 => "ECDHE-ECDSA-AES256-GCM-SHA384",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 => "ECDHE-ECDSA-CHACHA20-POLY1305",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => "ECDHE-RSA-AES128-GCM-SHA256",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => "ECDHE-RSA-AES256-GCM-SHA384",
        CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => "ECDHE-RSA-CHACHA20-POLY1305",
        _ => "-",
    }
}
