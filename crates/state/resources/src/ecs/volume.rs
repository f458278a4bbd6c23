//! Volumes of task definitions that are more than scratch space, and the managed volumes of tasks.

use super::Tag;
use environment::Environment;
use serde::{Deserialize, Serialize};

/// What a volume of a task definition is, when it is no scratch space.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum VolumeKind {
    /// A shared file system.
    Efs(EfsVolume),
    /// Whoever starts the task says what it is.
    AtLaunch,
}

/// A file system of EFS in a task definition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EfsVolume {
    /// `fs-` and its number.
    pub file_system_id: String,
    /// The directory that is mounted.
    pub root_directory: Option<String>,
    /// Whether traffic shall be encrypted, as given.
    pub transit_encryption: Option<bool>,
    /// Port for encrypted traffic, as given.
    pub transit_encryption_port: Option<u16>,
    /// `fsap-` and its number.
    pub access_point_id: Option<String>,
    /// There was an authorization configuration.
    pub has_authorization: bool,
}

/// What is asked for of a volume that is made for each task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeRequest {
    /// The volume of the task definition.
    pub name: String,
    /// Size in GiB.
    pub size: u32,
    /// `ext3`, `ext4` or `xfs`.
    pub file_system: String,
    /// Kind of volume as given, such as `gp3`.
    pub volume_type: Option<String>,
    /// Role that manages volumes.
    pub role_arn: String,
    /// Tags.
    pub tags: Vec<Tag>,
    /// Whose tags the volume gets beside its own, as given.
    pub propagate_tags: Option<String>,
}

/// A volume that was made for a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManagedVolume {
    /// `vol-` and 17 hexadecimal digits.
    pub id: String,
    /// UUID of the attachment.
    pub attachment_id: String,
    /// What was asked for.
    pub request: VolumeRequest,
}

impl ManagedVolume {
    /// A volume with random ids.
    pub fn new(request: VolumeRequest, random: &Environment) -> Self {
        Self { id: format!("vol-{}", random.random_hex(17)), attachment_id: random.uuid(), request }
    }
}
