//! Documents: what may be run or opened on machines, in numbered versions of which one is the default.

use crate::Stored;
use environment::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A document and what is known of its versions; their contents are rows of their own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Owner.
    pub account: String,
    /// The region of its ARN.
    pub region: String,
    /// Its name, which is unique in its account and region.
    pub name: String,
    /// Names its contents in the store; another for every creation.
    pub id: String,
    /// What it is for.
    pub kind: DocumentKind,
    /// When it was made.
    pub created_at: Timestamp,
    /// Its tags, in the order they came.
    pub tags: Vec<(String, String)>,
    /// Accounts that may use it, or `all` in any case, each with the versions: `$DEFAULT`, `$LATEST` or `$ALL`.
    pub shared: BTreeMap<String, String>,
    /// The version that counts when none is named.
    pub default: i64,
    /// The next version's number. Numbers are never used again.
    pub next: i64,
    /// The versions that are kept.
    pub versions: BTreeMap<i64, DocumentVersion>,
}

/// What a version says beside its content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DocumentVersion {
    /// The name that it was given, unique in its document.
    pub name: Option<String>,
    /// A friendlier name.
    pub display_name: Option<String>,
    /// What its content is written in.
    pub format: DocumentFormat,
    /// When it was made.
    pub created_at: Timestamp,
    /// SHA-256 of its content, in hexadecimal digits.
    pub hash: String,
    /// What its content says it is for.
    pub description: Option<String>,
    /// Version of the schema that its content follows.
    pub schema_version: String,
    /// Where its steps can run.
    pub platforms: Vec<Platform>,
    /// The kind of resource that it can run on.
    pub target_type: Option<String>,
}

/// The types of documents that are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DocumentKind {
    /// For Run Command and State Manager.
    Command,
    /// For State Manager, to enforce a policy.
    Policy,
    /// A runbook.
    Automation,
    /// For Session Manager, ECS Exec among others.
    Session,
}

/// What a content is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DocumentFormat {
    /// JSON.
    Json,
    /// YAML.
    Yaml,
}

/// Operating systems that steps run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Platform {
    /// Windows Server.
    Windows,
    /// Linux.
    Linux,
    /// macOS.
    MacOs,
}

/// The content of a version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DocumentContent {
    /// Owner.
    pub account: String,
    /// `Document::id` of its document.
    pub document_id: String,
    /// Its version.
    pub version: i64,
    /// The text as it was given.
    pub text: String,
}

impl Document {
    /// The key of a document.
    pub fn key_of(account: &str, region: &str, name: &str) -> String {
        format!("{account}/{region}/{name}")
    }

    /// Its ARN.
    pub fn arn(&self) -> String {
        format!("arn:aws:ssm:{}:{}:document/{}", self.region, self.account, self.name)
    }

    /// The newest version that is kept.
    pub fn latest(&self) -> i64 {
        self.versions.last_key_value().map_or(self.default, |(number, _)| *number)
    }

    /// The version with a name.
    pub fn named(&self, name: &str) -> Option<i64> {
        let mut versions = self.versions.iter();
        versions.find(|(_, version)| version.name.as_deref() == Some(name)).map(|(number, _)| *number)
    }

    /// Whether an account may use a version.
    pub fn is_usable(&self, account: &str, version: i64) -> bool {
        let allows = |versions: &String| match versions.as_str() {
            "$ALL" => true,
            "$LATEST" => version == self.latest(),
            _ => version == self.default,
        };
        let meant = |name: &str| name == account || name.eq_ignore_ascii_case("all");
        account == self.account || self.shared.iter().any(|(name, versions)| meant(name) && allows(versions))
    }
}

impl Stored for Document {
    const TABLE: &'static str = "ssm/document";

    fn key(&self) -> String {
        Self::key_of(&self.account, &self.region, &self.name)
    }
}

impl DocumentContent {
    /// The key of a content.
    pub fn key_of(account: &str, document_id: &str, version: i64) -> String {
        format!("{account}/{document_id}/{version:019}")
    }
}

impl Stored for DocumentContent {
    const TABLE: &'static str = "ssm/document-content";

    fn key(&self) -> String {
        Self::key_of(&self.account, &self.document_id, self.version)
    }
}
