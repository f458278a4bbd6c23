//! Content digests: parse, print, compute while streaming.

use serde::{Deserialize, Serialize};
use sha2::Digest as _;
use std::fmt;
use std::str::FromStr;

/// `sha256:` or `sha512:` followed by lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(String);

/// A text that is not a digest we can verify.
#[derive(Debug, thiserror::Error)]
#[error("invalid or unsupported digest {0:?}")]
pub struct DigestError(String);

impl Digest {
    /// The SHA-256 digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(format!("sha256:{}", hex::encode(sha2::Sha256::digest(bytes))))
    }

    /// The whole text, algorithm included.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The hexadecimal digits alone.
    pub fn hex(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, hex)| hex)
    }

    /// A hasher of this digest's algorithm.
    pub fn hasher(&self) -> Hasher {
        if self.0.starts_with("sha512:") { Hasher::Sha512(sha2::Sha512::new()) } else { Hasher::sha256() }
    }

    /// Whether `bytes` have this digest.
    pub fn matches(&self, bytes: &[u8]) -> bool {
        let mut hasher = self.hasher();
        hasher.update(bytes);
        hasher.finish() == *self
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let length = match text.split_once(':') {
            Some(("sha256", hex)) if is_hex(hex) => hex.len() == 64,
            Some(("sha512", hex)) if is_hex(hex) => hex.len() == 128,
            _ => false,
        };
        if length { Ok(Self(text.to_owned())) } else { Err(DigestError(text.chars().take(160).collect())) }
    }
}

impl TryFrom<String> for Digest {
    type Error = DigestError;
    fn try_from(text: String) -> Result<Self, DigestError> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// A digest in the making.
pub enum Hasher {
    /// With SHA-256.
    Sha256(sha2::Sha256),
    /// With SHA-512.
    Sha512(sha2::Sha512),
}

impl Hasher {
    /// Begins a SHA-256 digest.
    pub fn sha256() -> Self {
        Self::Sha256(sha2::Sha256::new())
    }

    /// Takes more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => hasher.update(bytes),
        }
    }

    /// The digest of all bytes taken.
    pub fn finish(self) -> Digest {
        Digest(match self {
            Self::Sha256(hasher) => format!("sha256:{}", hex::encode(hasher.finalize())),
            Self::Sha512(hasher) => format!("sha512:{}", hex::encode(hasher.finalize())),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_verifiable_digests_parse() {
        let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Digest::of(b"").as_str(), empty);
        assert!(empty.parse::<Digest>().expect("parses").matches(b""));
        let long: Digest = format!("sha512:{}", "0".repeat(128)).parse().expect("parses");
        assert!(!long.matches(b""));
        for text in ["sha256:", "sha256:E3", "sha1:00", "sha256:../../x", &empty[..70], &empty.to_uppercase()]
        {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
    }
}
