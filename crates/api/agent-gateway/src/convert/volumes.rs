//! Volumes of tasks, and what is attached to them, as agents get them.

use agent_wire::acs;
use identifiers::{Arn, Region};
use resources::ecs::{EfsVolume, ManagedVolume, Task, TaskDefinition, VolumeKind};

/// A volume of a task definition.
pub(super) fn volume(task: &Task, definition: &TaskDefinition, name: &str) -> acs::Volume {
    let volume = acs::Volume { name: name.to_owned(), ..acs::Volume::default() };
    match definition.volume_kinds.get(name) {
        None => acs::Volume {
            r#type: Some(acs::VolumeType::Host),
            host: Some(acs::HostVolumeProperties::default()),
            ..volume
        },
        Some(VolumeKind::Efs(efs)) => acs::Volume {
            r#type: Some(acs::VolumeType::Efs),
            efs_volume_configuration: Some(shared(efs)),
            ..volume
        },
        Some(VolumeKind::AtLaunch) => {
            let managed = task.volumes.iter().find(|managed| managed.request.name == name);
            acs::Volume {
                r#type: Some(acs::VolumeType::Ebs),
                ebs_volume_configuration: managed.map(|managed| acs::EBSVolumeConfiguration {
                    volume_id: managed.id.clone(),
                    filesystem_type: managed.request.file_system.clone(),
                    delete_on_termination: true,
                    ..acs::EBSVolumeConfiguration::default()
                }),
                ..volume
            }
        }
    }
}

fn shared(efs: &EfsVolume) -> acs::EFSVolumeConfiguration {
    acs::EFSVolumeConfiguration {
        file_system_id: efs.file_system_id.clone(),
        root_directory: efs.root_directory.clone().unwrap_or_else(|| "/".to_owned()),
        transit_encryption: efs.transit_encryption.map(|enabled| {
            if enabled { acs::EFSTransitEncryption::Enabled } else { acs::EFSTransitEncryption::Disabled }
        }),
        transit_encryption_port: efs.transit_encryption_port.map_or(0, i32::from),
        authorization_config: efs.has_authorization.then(|| acs::EFSAuthorizationConfig {
            access_point_id: efs.access_point_id.clone().unwrap_or_default(),
            iam: Some(acs::EFSAuthorizationConfigIAM::Disabled),
        }),
    }
}

/// What is attached to a task: how much it may write, and its block volumes.
pub(super) fn attachments(region: &Region, task: &Task) -> Vec<acs::Attachment> {
    let storage = acs::Attachment {
        attachment_type: "EphemeralStorage".to_owned(),
        attachment_properties: vec![property("sizeInGiB", task.ephemeral_storage.to_string())],
        ..acs::Attachment::default()
    };
    std::iter::once(storage).chain(task.volumes.iter().map(|volume| block(region, task, volume))).collect()
}

fn block(region: &Region, task: &Task, volume: &ManagedVolume) -> acs::Attachment {
    let name = format!("attachment/{}", volume.attachment_id);
    acs::Attachment {
        attachment_arn: Arn::new("ecs", region, &task.account, name).to_string(),
        attachment_type: "AmazonElasticBlockStorage".to_owned(),
        attachment_properties: vec![
            property("volumeId", volume.id.clone()),
            property("volumeName", volume.request.name.clone()),
            property("volumeSizeGib", volume.request.size.to_string()),
            property("fileSystem", volume.request.file_system.clone()),
        ],
    }
}

pub(super) fn property(name: &str, value: String) -> acs::AttachmentProperty {
    acs::AttachmentProperty { name: name.to_owned(), value }
}
