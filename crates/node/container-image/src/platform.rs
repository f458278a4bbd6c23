//! The operating system and processor an image is for.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A platform as image indexes name it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Platform {
    /// `linux`.
    pub os: String,
    /// `amd64`, `arm64`, in Go's names.
    pub architecture: String,
    /// `v7` and the like, where an architecture has variants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl Platform {
    /// The platform of this machine.
    pub fn host() -> Self {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            "x86" => "386",
            "powerpc64" => "ppc64le",
            other => other,
        };
        Self { os: "linux".to_owned(), architecture: architecture.to_owned(), variant: None }
    }

    /// How well an image for `self` suits `wanted`: larger is better, `None` is not at all.
    pub(crate) fn suits(&self, wanted: &Self) -> Option<u8> {
        if self.os != wanted.os || self.architecture != wanted.architecture {
            return None;
        }
        match (&self.variant, &wanted.variant) {
            (None, None) => Some(3),
            (Some(ours), Some(theirs)) => (ours == theirs).then_some(3),
            // The first variant of these is what the plain name means.
            (Some(ours), None) if ours == "v8" || ours == "v1" => Some(2),
            (None, Some(_)) => Some(1),
            (Some(_), None) => Some(0),
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}
