//! How a registry is reached: credentials, and which hosts are somewhere else than their names say.

use std::net::SocketAddr;
use std::path::PathBuf;

/// User and password for a registry; the password is never printed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct BasicAuth {
    /// User name, `AWS` for ECR.
    pub username: String,
    /// Password or authorization token.
    pub password: String,
}

impl std::fmt::Debug for BasicAuth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BasicAuth({})", self.username)
    }
}

/// A registry that is reached by plain HTTP at a fixed address, whatever its name resolves to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalRegistry {
    /// The host as references write it, port included: `localhost:4566`. One that begins with a dot is the end of many,
    /// each with one more name before it.
    pub host: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// The socket where it hands blobs over by reference, if it does.
    pub socket: Option<PathBuf>,
}

impl LocalRegistry {
    /// Whether a reference's registry is this one.
    pub(crate) fn is(&self, registry: &str) -> bool {
        if !self.host.starts_with('.') {
            return self.host == registry;
        }
        registry.strip_suffix(&self.host).is_some_and(|first| !first.is_empty() && !first.contains('.'))
    }
}

/// How registries are reached.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    /// Credentials for the reference's registry.
    pub auth: Option<BasicAuth>,
    /// Registries with a known address, this region's own above all. Loopback names (`localhost`,
    /// `*.localhost`, 127.0.0.0/8) are reached by plain HTTP without being listed.
    pub local_registries: Vec<LocalRegistry>,
    /// Hosts (with port, if any) that are spoken to by plain HTTP.
    pub insecure_hosts: Vec<String>,
}
