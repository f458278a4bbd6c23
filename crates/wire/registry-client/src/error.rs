//! What goes wrong with requests to registries; the texts are those of containerd, which people search for.

/// A request to a registry that did not give what was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The registry does not have it.
    #[error("{what}: not found")]
    NotFound {
        /// Reference or digest.
        what: String,
    },
    /// The registry refuses these credentials, or wants some.
    #[error("pulling from host {host} failed with status code [{what}]: {status}")]
    Denied {
        /// The registry.
        host: String,
        /// What was asked for.
        what: String,
        /// HTTP status with its name.
        status: http::StatusCode,
    },
    /// Any other answer than the awaited one.
    #[error("unexpected status from {method} request to {url}: {status}")]
    Status {
        /// HTTP method.
        method: &'static str,
        /// The address.
        url: String,
        /// HTTP status with its name.
        status: http::StatusCode,
    },
    /// No connection, or it broke before the answer.
    #[error("failed to do request: {method} \"{url}\": {reason}")]
    Request {
        /// HTTP method.
        method: &'static str,
        /// The address.
        url: String,
        /// What happened.
        reason: String,
    },
    /// The registry stopped sending.
    #[error("{url}: {reason}")]
    Body {
        /// The address.
        url: String,
        /// What happened.
        reason: String,
    },
    /// The registry's ranges cannot be relied on; asking for the whole may work.
    #[error("{url}: {reason}")]
    Range {
        /// The address.
        url: String,
        /// What is wrong with them.
        reason: String,
    },
    /// The answer breaks the distribution protocol or a bound of ours.
    #[error("{url}: {reason}")]
    Protocol {
        /// The address.
        url: String,
        /// What is wrong.
        reason: String,
    },
}

impl RegistryError {
    /// Whether trying again may help.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Request { .. } | Self::Body { .. } => true,
            Self::Status { status, .. } => status.is_server_error() || status.as_u16() == 429,
            Self::NotFound { .. } | Self::Denied { .. } | Self::Range { .. } | Self::Protocol { .. } => false,
        }
    }
}
