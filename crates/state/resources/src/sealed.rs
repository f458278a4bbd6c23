//! Values that are stored only under a key of the region.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A value sealed under a key of the region; without the key it tells nothing.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SealedText(String);

impl SealedText {
    /// Takes what the key ring sealed.
    pub fn new(sealed: String) -> Self {
        Self(sealed)
    }

    /// The sealed text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SealedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealedText")
    }
}

/// A stored type that holds a sealed value, which is sealed anew when the region's key changes.
pub trait Sealing {
    /// What the value is sealed for; another for every row.
    fn purpose(&self) -> String;

    /// The value.
    fn sealed(&self) -> &SealedText;

    /// The row with the same value, sealed anew.
    fn with_sealed(&self, sealed: SealedText) -> Self;
}
