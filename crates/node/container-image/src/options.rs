//! What a pull is told: credentials, where registries are, limits, whom to tell about progress.

use crate::digest::Digest;
use crate::platform::Platform;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

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
    /// The host as references write it, port included: `localhost:4566`; or the end of hosts, beginning with a dot.
    pub host: String,
    /// Where it listens.
    pub address: SocketAddr,
}

impl LocalRegistry {
    /// Whether a reference's registry is this one.
    pub(crate) fn is(&self, registry: &str) -> bool {
        registry == self.host || (self.host.starts_with('.') && registry.ends_with(&self.host))
    }
}

/// When to ask the registry although the image is here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PullPolicy {
    /// Ask the registry each time what the reference means now; what is here already is not fetched again.
    #[default]
    Always,
    /// Use the image that an earlier pull of the same reference left here, without asking.
    IfMissing,
}

/// How a reference is pulled.
#[derive(Clone, Debug, Default)]
pub struct PullOptions {
    /// Credentials for the reference's registry.
    pub auth: Option<BasicAuth>,
    /// Registries with a known address, this region's own above all. Loopback names (`localhost`,
    /// `*.localhost`, 127.0.0.0/8) are reached by plain HTTP without being listed.
    pub local_registries: Vec<LocalRegistry>,
    /// Hosts (with port, if any) that are spoken to by plain HTTP.
    pub insecure_hosts: Vec<String>,
    /// Platform to choose from an index; this machine's when absent.
    pub platform: Option<Platform>,
    /// When to ask the registry.
    pub policy: PullPolicy,
    /// Told about each step; called from the pull's own task, so it must return at once.
    pub progress: Option<PullProgress>,
}

/// Receives the steps of one pull.
#[derive(Clone)]
pub struct PullProgress(pub Arc<dyn Fn(PullEvent) + Send + Sync>);

impl std::fmt::Debug for PullProgress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PullProgress")
    }
}

/// One step of a pull.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PullEvent {
    /// The reference is resolved to this image manifest with this many layers.
    Resolved {
        /// Digest of the image manifest.
        manifest: Digest,
        /// Number of layers.
        layers: usize,
    },
    /// The layer was here already.
    LayerPresent(Digest),
    /// The layer is fetched and unpacked.
    LayerDone {
        /// Digest of the layer blob.
        blob: Digest,
        /// Bytes fetched.
        bytes: u64,
    },
}

/// Bounds on what one image may cost this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of file content after unpacking, all layers of an image together.
    pub unpacked_bytes: u64,
    /// Entries of all layers of an image together.
    pub entries: u64,
    /// Bytes of a manifest or index.
    pub manifest_bytes: usize,
    /// Bytes of an image configuration.
    pub config_bytes: usize,
    /// Layers of one image; overlayfs itself stops at 500.
    pub layers: usize,
    /// Layers fetched at a time, all pulls together.
    pub parallel_layers: usize,
    /// How often a request is made before a transient fault ends the pull.
    pub attempts: u32,
    /// Longest silence of a registry within an answer.
    pub stall: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // Fargate's ephemeral storage, image included.
            unpacked_bytes: 20 << 30,
            entries: 2_000_000,
            manifest_bytes: 4 << 20,
            config_bytes: 8 << 20,
            layers: 127,
            parallel_layers: 4,
            attempts: 5,
            stall: Duration::from_secs(60),
        }
    }
}
