//! Namespaces.

use super::Tags;
use crate::Stored;
use environment::Timestamp;
use identifiers::AccountId;
use serde::{Deserialize, Serialize};

/// A namespace: what names of services end with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespace {
    /// Owner.
    pub account: AccountId,
    /// `ns-` and 16 letters and digits.
    pub id: String,
    /// Name, unique in the account.
    pub name: String,
    /// How its services are found.
    pub kind: NamespaceKind,
    /// What it is for.
    pub description: Option<String>,
    /// Token of the request that made it, so that repeating it makes nothing anew.
    pub creator_request_id: Option<String>,
    /// Id of the operation that made it.
    pub operation: String,
    /// Tags.
    pub tags: Tags,
    /// When it was made.
    pub created_at: Timestamp,
}

/// How the services of a namespace are found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NamespaceKind {
    /// By DiscoverInstances alone.
    Http,
    /// By DiscoverInstances, and by DNS from the machines of a VPC.
    PrivateDns {
        /// The VPC.
        vpc: String,
        /// Names its zone, as Route 53 would.
        hosted_zone: String,
        /// Seconds that an answer may be kept that says that there is nothing.
        soa_ttl: u32,
    },
}

/// The name of a namespace in its account: what makes it unique.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamespaceName {
    /// Owner.
    pub account: AccountId,
    /// Name, as it was given.
    pub name: String,
    /// Id of the namespace.
    pub id: String,
}

impl Namespace {
    /// The key of a namespace.
    pub fn key_of(account: &AccountId, id: &str) -> String {
        format!("{account}/{id}")
    }

    /// The row that holds its name.
    pub fn name_row(&self) -> NamespaceName {
        NamespaceName { account: self.account.clone(), name: self.name.clone(), id: self.id.clone() }
    }

    /// Whether services of it may have DNS records.
    pub fn has_dns(&self) -> bool {
        matches!(self.kind, NamespaceKind::PrivateDns { .. })
    }
}

impl NamespaceName {
    /// The key of a name. Names of DNS do not differ by case alone, and neither do others here.
    pub fn key_of(account: &AccountId, name: &str) -> String {
        format!("{account}/{}", name.to_ascii_lowercase())
    }
}

impl Stored for Namespace {
    const TABLE: &'static str = "discovery/namespace";

    fn key(&self) -> String {
        Self::key_of(&self.account, &self.id)
    }
}

impl Stored for NamespaceName {
    const TABLE: &'static str = "discovery/namespace-name";

    fn key(&self) -> String {
        Self::key_of(&self.account, &self.name)
    }
}
