//! Systems Manager's Parameter Store and documents. Every value of a parameter is sealed before it gets here, that of a
//! plain `String` too.

mod document;
mod session;

pub use document::{Document, DocumentContent, DocumentFormat, DocumentKind, DocumentVersion, Platform};
pub use session::{Session, SessionStatus};

use crate::Stored;
use crate::sealed::{SealedText, Sealing};
use environment::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A parameter: what is the same for all its versions, and which there are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parameter {
    /// Owner.
    pub account: String,
    /// The region of its ARN.
    pub region: String,
    /// Its name as it was made. A leading slash distinguishes nothing: `/a` and `a` are the same parameter.
    pub name: String,
    /// Names its versions in the store; another for every creation.
    pub id: String,
    /// Its tags, in the order they came.
    pub tags: Vec<(String, String)>,
    /// Version of each label.
    pub labels: BTreeMap<String, i64>,
    /// The oldest version that is kept.
    pub oldest: i64,
    /// The newest version, without its value.
    pub newest: VersionInfo,
}

/// What a version says beside its value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VersionInfo {
    /// Counts from 1.
    pub version: i64,
    /// `String`, `StringList` or `SecureString`.
    pub kind: ParameterKind,
    /// The KMS key that a caller named, of a `SecureString`.
    pub key_id: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// A regular expression that values match.
    pub allowed_pattern: Option<String>,
    /// What it may hold, and what it costs on AWS.
    pub tier: Tier,
    /// `text` or another type that AWS checks.
    pub data_type: String,
    /// Its policies.
    pub policies: Vec<Policy>,
    /// When it was made.
    pub modified_at: Timestamp,
    /// ARN of who made it.
    pub modified_by: String,
}

/// The types of parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ParameterKind {
    /// A text.
    String,
    /// Texts with commas between.
    StringList,
    /// A text that is shown only on demand.
    SecureString,
}

/// The tiers of parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tier {
    /// Up to 4 KiB.
    Standard,
    /// Up to 8 KiB, with policies.
    Advanced,
}

/// A policy of a parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// The text as it was given.
    pub text: String,
    /// When the parameter is deleted.
    pub expires_at: Timestamp,
}

/// The value of a version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ParameterVersion {
    /// Owner.
    pub account: String,
    /// `Parameter::id` of its parameter.
    pub parameter_id: String,
    /// Everything else.
    pub info: VersionInfo,
    /// The value.
    pub sealed: SealedText,
}

impl Parameter {
    /// The key of a parameter.
    pub fn key_of(account: &str, region: &str, name: &str) -> String {
        format!("{account}/{region}/{}", name.trim_start_matches('/'))
    }

    /// Its ARN.
    pub fn arn(&self) -> String {
        let name = self.name.trim_start_matches('/');
        format!("arn:aws:ssm:{}:{}:parameter/{name}", self.region, self.account)
    }

    /// Labels of a version, in order.
    pub fn labels_of(&self, version: i64) -> Vec<String> {
        self.labels.iter().filter(|(_, of)| **of == version).map(|(label, _)| label.clone()).collect()
    }

    /// Whether a policy says that it is gone.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.newest.policies.iter().any(|policy| policy.expires_at <= now)
    }
}

impl Stored for Parameter {
    const TABLE: &'static str = "ssm/parameter";

    fn key(&self) -> String {
        Self::key_of(&self.account, &self.region, &self.name)
    }
}

impl ParameterVersion {
    /// The key of a version.
    pub fn key_of(account: &str, parameter_id: &str, version: i64) -> String {
        format!("{account}/{parameter_id}/{version:019}")
    }

    /// Prefix of the keys of a parameter's versions.
    pub fn keys_of(account: &str, parameter_id: &str) -> String {
        format!("{account}/{parameter_id}/")
    }

    /// What the value of a version is sealed for.
    pub fn purpose_of(account: &str, parameter_id: &str, version: i64) -> String {
        format!("ssm/{account}/{parameter_id}/{version}")
    }
}

impl Stored for ParameterVersion {
    const TABLE: &'static str = "ssm/version";

    fn key(&self) -> String {
        Self::key_of(&self.account, &self.parameter_id, self.info.version)
    }
}

impl Sealing for ParameterVersion {
    fn purpose(&self) -> String {
        Self::purpose_of(&self.account, &self.parameter_id, self.info.version)
    }

    fn sealed(&self) -> &SealedText {
        &self.sealed
    }

    fn with_sealed(&self, sealed: SealedText) -> Self {
        Self { sealed, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leading_slash_names_no_other_parameter() {
        assert_eq!(Parameter::key_of("1", "r", "/a/b"), Parameter::key_of("1", "r", "a/b"));
        let keys = [ParameterVersion::key_of("1", "x", 9), ParameterVersion::key_of("1", "x", 10)];
        assert!(keys[0] < keys[1], "versions are read in order");
    }
}
