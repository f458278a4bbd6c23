//! Volumes of a payload, and how much a task may write.

use super::InvalidTask;
use crate::engine::{VolumeKind, VolumePlan};
use agent_wire::acs;

/// The attachment that brings a block volume, as the published agent names it.
const BLOCK: &str = "AmazonElasticBlockStorage";
/// The attachment that says how much a task may write into its layers and ordinary volumes.
const STORAGE: &str = "EphemeralStorage";
/// File systems of block volumes.
const FILE_SYSTEMS: &[&str] = &["ext3", "ext4", "xfs"];

/// The volumes of a task.
pub(super) fn read(task: &acs::Task) -> Result<Vec<VolumePlan>, InvalidTask> {
    task.volumes.iter().map(|volume| read_one(task, volume)).collect()
}

/// GiB that a task may write.
pub(super) fn storage(task: &acs::Task) -> Result<Option<u32>, InvalidTask> {
    let attachment = task.attachments.iter().find(|attachment| attachment.attachment_type == STORAGE);
    let Some(attachment) = attachment else { return Ok(None) };
    let size = property(attachment, "sizeInGiB").and_then(|size| size.parse().ok()).filter(|size| *size > 0);
    size.map(Some)
        .ok_or_else(|| InvalidTask::Wrong("the size of the ephemeral storage makes no sense".to_owned()))
}

fn read_one(task: &acs::Task, volume: &acs::Volume) -> Result<VolumePlan, InvalidTask> {
    let unsupported = || InvalidTask::Unsupported(format!("the kind of volume {:?}", volume.name));
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if volume.name.is_empty() || volume.name.len() > 255 || !volume.name.bytes().all(plain) {
        return Err(InvalidTask::Wrong(format!("{:?} cannot name a volume", volume.name)));
    }
    let kind = match volume.r#type {
        None | Some(acs::VolumeType::Host) => {
            if volume.host.as_ref().is_some_and(|host| !host.source_path.is_empty()) {
                return Err(unsupported());
            }
            VolumeKind::Scratch
        }
        Some(acs::VolumeType::Ebs) => block(task, &volume.name)?,
        Some(acs::VolumeType::Efs) => shared(volume).ok_or_else(unsupported)?,
        Some(_) => return Err(unsupported()),
    };
    Ok(VolumePlan { name: volume.name.clone(), kind })
}

fn block(task: &acs::Task, name: &str) -> Result<VolumeKind, InvalidTask> {
    let wrong = |what: &str| InvalidTask::Wrong(format!("volume {name:?}: {what}"));
    let attachment = task
        .attachments
        .iter()
        .find(|attachment| {
            attachment.attachment_type == BLOCK && property(attachment, "volumeName") == Some(name)
        })
        .ok_or_else(|| wrong("nothing is attached for it"))?;
    let gib = property(attachment, "volumeSizeGib").and_then(|size| size.parse().ok());
    let gib = gib.filter(|gib| *gib > 0).ok_or_else(|| wrong("its size makes no sense"))?;
    let file_system = property(attachment, "fileSystem").filter(|kind| FILE_SYSTEMS.contains(kind));
    let file_system = file_system.ok_or_else(|| wrong("its file system is not known"))?.to_owned();
    Ok(VolumeKind::Block { gib, file_system })
}

/// An access point has a directory of its own, so it stands for the file system.
fn shared(volume: &acs::Volume) -> Option<VolumeKind> {
    let efs = volume.efs_volume_configuration.as_ref()?;
    let authorization = efs.authorization_config.as_ref();
    if authorization.is_some_and(|config| config.iam == Some(acs::EFSAuthorizationConfigIAM::Enabled)) {
        return None;
    }
    let point = authorization.map(|config| config.access_point_id.as_str()).filter(|point| !point.is_empty());
    let root = if efs.root_directory.is_empty() { "/" } else { efs.root_directory.as_str() };
    Some(VolumeKind::Shared { id: point.unwrap_or(&efs.file_system_id).to_owned(), root: root.to_owned() })
}

pub(super) fn property<'a>(attachment: &'a acs::Attachment, name: &str) -> Option<&'a str> {
    let properties = attachment.attachment_properties.iter();
    properties.filter(|property| property.name == name).map(|property| property.value.as_str()).next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::testing::{container, payload};

    fn attachment(kind: &str, properties: &[(&str, &str)]) -> acs::Attachment {
        let property = |(name, value): &(&str, &str)| acs::AttachmentProperty {
            name: (*name).to_owned(),
            value: (*value).to_owned(),
        };
        acs::Attachment {
            attachment_type: kind.to_owned(),
            attachment_properties: properties.iter().map(property).collect(),
            ..acs::Attachment::default()
        }
    }

    #[test]
    fn kinds_of_volumes() {
        let mut task = payload(vec![container("main")]);
        let volume = |name: &str, kind| acs::Volume {
            name: name.to_owned(),
            r#type: Some(kind),
            ..acs::Volume::default()
        };
        let efs = acs::EFSVolumeConfiguration {
            file_system_id: "fs-1".to_owned(),
            root_directory: "/a".to_owned(),
            ..acs::EFSVolumeConfiguration::default()
        };
        task.volumes = vec![
            volume("plain", acs::VolumeType::Host),
            volume("data", acs::VolumeType::Ebs),
            acs::Volume { efs_volume_configuration: Some(efs), ..volume("shared", acs::VolumeType::Efs) },
        ];
        assert!(read(&task).is_err(), "nothing is attached for data");
        task.attachments = vec![
            attachment(BLOCK, &[("volumeName", "data"), ("volumeSizeGib", "7"), ("fileSystem", "xfs")]),
            attachment(STORAGE, &[("sizeInGiB", "21")]),
        ];
        let kinds: Vec<VolumeKind> =
            read(&task).expect("reads").into_iter().map(|volume| volume.kind).collect();
        assert_eq!(
            kinds,
            [
                VolumeKind::Scratch,
                VolumeKind::Block { gib: 7, file_system: "xfs".to_owned() },
                VolumeKind::Shared { id: "fs-1".to_owned(), root: "/a".to_owned() },
            ]
        );
        assert_eq!(storage(&task).expect("reads"), Some(21));
        task.volumes[2].r#type = Some(acs::VolumeType::Docker);
        assert!(read(&task).is_err());
    }
}
