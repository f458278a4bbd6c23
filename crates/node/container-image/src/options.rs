//! What a pull is told: credentials, where registries are, limits, whom to tell about progress.

use crate::platform::Platform;
use registry_client::{BasicAuth, Digest, LocalRegistry, Reach};
use std::sync::Arc;
use std::time::Duration;

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

impl PullOptions {
    /// How the reference's registry is reached.
    pub(crate) fn reach(&self) -> Reach {
        Reach {
            auth: self.auth.clone(),
            local_registries: self.local_registries.clone(),
            insecure_hosts: self.insecure_hosts.clone(),
        }
    }
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
    /// Blobs of at least this many bytes are fetched in parts, where the registry knows ranges.
    pub parts_from: u64,
    /// Bytes of a part.
    pub part_bytes: u64,
    /// Parts of one blob fetched at a time.
    pub parts_per_layer: usize,
    /// Parts in memory at a time, all pulls together: on their way, or waiting to be unpacked.
    pub parallel_parts: usize,
    /// How often a request is made in vain before a transient fault ends the pull.
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
            parts_from: 16 << 20,
            part_bytes: 4 << 20,
            parts_per_layer: 4,
            // 32 MiB at most.
            parallel_parts: 8,
            attempts: 5,
            stall: Duration::from_secs(60),
        }
    }
}
