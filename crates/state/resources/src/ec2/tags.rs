//! Tags of EC2's resources, beside the resources: changing them gets in nobody's way.

use crate::Stored;
use identifiers::AccountId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The tags of one resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceTags {
    /// Owner.
    pub account: AccountId,
    /// Id of the resource.
    pub resource: String,
    /// Values by key.
    pub tags: BTreeMap<String, String>,
}

impl Stored for ResourceTags {
    const TABLE: &'static str = "ec2/tags";

    fn key(&self) -> String {
        format!("{}/{}", self.account, self.resource)
    }
}
