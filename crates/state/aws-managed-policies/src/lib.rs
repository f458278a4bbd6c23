//! The managed policies of AWS (`arn:aws:iam::aws:policy/...`) with their real documents; no I/O.
//!
//! The data are those of the npm package that `models/aws-managed-policies.toml` names, written by
//! `cargo xtask managed-policies`; its licence lies beside them in `data/`. Of each policy there is the version in force
//! only. AWS's own ids of these policies are not published; the ids here are derived from the ARN.
//!
//! The index is read at the first look-up, documents in small blocks as they are asked for, so that a region which names
//! few of these policies keeps few of them in memory.

use environment::Timestamp;
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, OnceLock};

/// Prefix of the ARNs of these policies.
pub const ARN_PREFIX: &str = "arn:aws:iam::aws:policy";

/// Names, versions and places of the documents.
static INDEX: &[u8] = include_bytes!("../data/index.json.zst");
/// The documents, in blocks that are compressed one by one.
static DOCUMENTS: &[u8] = include_bytes!("../data/documents.bin");

/// Bytes that the index may have, unpacked; it is ours, so this only bounds a damaged file.
const MOST_INDEX_BYTES: usize = 4 * 1024 * 1024;
/// Bytes that a block may have, unpacked.
const MOST_BLOCK_BYTES: usize = 1024 * 1024;

/// A managed policy of AWS.
#[derive(Debug)]
pub struct AwsManagedPolicy {
    /// Name, unique among them.
    pub name: String,
    /// Path, with `/` at both ends.
    pub path: String,
    /// An id that begins with `ANPA`.
    pub id: String,
    /// Number of the version in force; version 3 is called `v3`.
    pub version: u32,
    /// When the policy was made.
    pub created_at: Timestamp,
    /// When the version in force was made.
    pub updated_at: Timestamp,
    place: Place,
    document: OnceLock<Arc<str>>,
}

/// Where a document lies.
#[derive(Debug)]
struct Place {
    start: usize,
    length: usize,
    offset: usize,
    size: usize,
}

#[derive(Deserialize)]
struct Index {
    /// Start and length of each block in the file.
    blocks: Vec<(usize, usize)>,
    policies: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    path: String,
    id: String,
    version: u32,
    created: String,
    updated: String,
    block: usize,
    offset: usize,
    size: usize,
}

struct Library {
    policies: Vec<AwsManagedPolicy>,
    by_arn: HashMap<String, usize>,
}

static LIBRARY: LazyLock<Library> = LazyLock::new(Library::read);

/// All policies, in the order of their names.
pub fn all() -> &'static [AwsManagedPolicy] {
    &LIBRARY.policies
}

/// The policy with this ARN.
pub fn find(arn: &str) -> Option<&'static AwsManagedPolicy> {
    if !arn.starts_with(ARN_PREFIX) {
        return None;
    }
    LIBRARY.by_arn.get(arn).map(|index| &LIBRARY.policies[*index])
}

impl AwsManagedPolicy {
    /// Its ARN.
    pub fn arn(&self) -> String {
        format!("{ARN_PREFIX}{}{}", self.path, self.name)
    }

    /// The document in force.
    pub fn document(&self) -> Arc<str> {
        self.document.get_or_init(|| self.place.read().into()).clone()
    }
}

impl Place {
    fn read(&self) -> String {
        let packed = DOCUMENTS.get(self.start..self.start + self.length).unwrap_or_default();
        // The file is checked by a test, so nothing is missing or damaged here.
        let block = zstd::bulk::decompress(packed, MOST_BLOCK_BYTES).unwrap_or_default();
        let text = block.get(self.offset..self.offset + self.size).unwrap_or_default();
        String::from_utf8_lossy(text).into_owned()
    }
}

impl Library {
    fn read() -> Self {
        let unpacked = zstd::bulk::decompress(INDEX, MOST_INDEX_BYTES).unwrap_or_default();
        let index: Index = serde_json::from_slice(&unpacked).unwrap_or_else(|error| {
            tracing::error!(%error, "the index of AWS's managed policies is damaged; there are none");
            Index { blocks: Vec::new(), policies: Vec::new() }
        });
        let policies: Vec<_> =
            index.policies.into_iter().filter_map(|entry| entry.policy(&index.blocks)).collect();
        let by_arn = policies.iter().enumerate().map(|(index, policy)| (policy.arn(), index)).collect();
        Self { policies, by_arn }
    }
}

impl Entry {
    fn policy(self, blocks: &[(usize, usize)]) -> Option<AwsManagedPolicy> {
        let (start, length) = *blocks.get(self.block)?;
        let time = |text: &str| Timestamp::parse_rfc3339(text).unwrap_or_default();
        Some(AwsManagedPolicy {
            created_at: time(&self.created),
            updated_at: time(&self.updated),
            name: self.name,
            path: self.path,
            id: self.id,
            version: self.version,
            place: Place { start, length, offset: self.offset, size: self.size },
            document: OnceLock::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_document_is_whole() {
        assert!(all().len() > 1_000, "{} policies", all().len());
        for policy in all() {
            let document: serde_json::Value = serde_json::from_str(&policy.document())
                .unwrap_or_else(|error| panic!("{}: {error}", policy.name));
            assert!(document["Statement"].is_array() || document["Statement"].is_object(), "{}", policy.name);
            assert!(policy.created_at > Timestamp::from_seconds(1_000_000_000), "{}", policy.name);
            assert_eq!(policy.id.len(), 21, "{}", policy.name);
            assert_eq!(find(&policy.arn()).map(|found| &found.name), Some(&policy.name));
        }
        let mut names: Vec<_> = all().iter().map(|policy| policy.name.to_lowercase()).collect();
        assert!(names.is_sorted());
        names.dedup();
        assert_eq!(names.len(), all().len());
    }

    #[test]
    fn what_container_services_need_is_there() {
        for arn in [
            "service-role/AmazonECSTaskExecutionRolePolicy",
            "service-role/AmazonEC2ContainerServiceforEC2Role",
            "service-role/AmazonEC2ContainerServiceEventsRole",
            "aws-service-role/AmazonECSServiceRolePolicy",
            "AmazonECS_FullAccess",
            "AmazonEC2ContainerRegistryReadOnly",
            "AmazonEC2ContainerRegistryPowerUser",
            "AmazonEC2ContainerRegistryFullAccess",
            "AmazonEC2ContainerRegistryPullOnly",
            "AmazonEKSClusterPolicy",
            "AmazonEKSWorkerNodePolicy",
            "AmazonEKS_CNI_Policy",
            "AmazonEKSFargatePodExecutionRolePolicy",
            "AdministratorAccess",
            "ReadOnlyAccess",
            "PowerUserAccess",
            "IAMFullAccess",
            "IAMUserChangePassword",
            "CloudWatchAgentServerPolicy",
            "AmazonSSMManagedInstanceCore",
            "SecretsManagerReadWrite",
            "CloudWatchLogsFullAccess",
        ] {
            assert!(find(&format!("{ARN_PREFIX}/{arn}")).is_some(), "{arn}");
        }
        assert!(find("arn:aws:iam::123456789012:policy/AdministratorAccess").is_none());
    }
}
