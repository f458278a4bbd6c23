//! Volumes: those of task definitions, and what RunTask and services say of the ones that are configured at launch.

use crate::definition::store_tags;
use crate::errors::{client, invalid};
use crate::refuse::{filled, refuse};
use crate::shapes as wire;
use aws_wire::{RequestContext, ServiceError};
use identifiers::Arn;
use resources::ecs::{EfsVolume, ManagedVolume, Tag, TaskDefinition, VolumeKind, VolumeRequest};
use std::collections::BTreeMap;

/// Largest managed volume in GiB, as of EBS's general purpose volumes.
const MOST_GIB: i32 = 16_384;
/// Kinds of volumes that have no promises of speed to be kept.
const VOLUME_TYPES: &[&str] = &["gp2", "gp3"];

/// Names of the volumes of a task definition, and those that are no scratch space.
pub(crate) fn store(
    given: Option<Vec<wire::Volume>>,
) -> Result<(Vec<String>, BTreeMap<String, VolumeKind>), ServiceError> {
    let (mut names, mut kinds) = (Vec::new(), BTreeMap::new());
    for volume in given.unwrap_or_default() {
        let (name, kind) = store_one(volume)?;
        if let Some(kind) = kind {
            if kind == VolumeKind::AtLaunch && kinds.values().any(|other| *other == VolumeKind::AtLaunch) {
                return Err(client("Only one volume can be configured at launch."));
            }
            kinds.insert(name.clone(), kind);
        }
        names.push(name);
    }
    Ok((names, kinds))
}

fn store_one(input: wire::Volume) -> Result<(String, Option<VolumeKind>), ServiceError> {
    let wire::Volume {
        configured_at_launch,
        docker_volume_configuration,
        efs_volume_configuration,
        fsx_windows_file_server_volume_configuration,
        host,
        name,
        s3files_volume_configuration,
    } = input;
    if docker_volume_configuration.is_some() {
        return Err(unsupported("dockerVolumeConfiguration"));
    }
    if fsx_windows_file_server_volume_configuration.is_some() {
        return Err(unsupported("fsxWindowsFileServerVolumeConfiguration"));
    }
    refuse(s3files_volume_configuration.is_some(), "volumes.s3filesVolumeConfiguration")?;
    let source = host.and_then(|host| host.source_path).filter(|path| !path.is_empty());
    if source.is_some() {
        return Err(unsupported("sourcePath"));
    }
    let name = name.filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| client("Volume name should not be null or empty."))?;
    let at_launch = configured_at_launch == Some(true);
    let kind = match efs_volume_configuration {
        Some(_) if at_launch => {
            return Err(client(
                "When the volume parameter is specified, only one volume configuration type should be used.",
            ));
        }
        Some(efs) => Some(VolumeKind::Efs(store_efs(efs)?)),
        None => at_launch.then_some(VolumeKind::AtLaunch),
    };
    Ok((name, kind))
}

/// What Fargate does not have.
pub(crate) fn unsupported(parameter: &str) -> ServiceError {
    client(format!("Fargate compatible task definitions do not support {parameter}"))
}

fn store_efs(input: wire::EFSVolumeConfiguration) -> Result<EfsVolume, ServiceError> {
    let wire::EFSVolumeConfiguration {
        authorization_config,
        file_system_id,
        root_directory,
        transit_encryption,
        transit_encryption_port,
    } = input;
    if !is_id(&file_system_id, "fs-") {
        return Err(client(format!("Invalid file system id: {file_system_id}.")));
    }
    let root = root_directory.filter(|root| !root.is_empty());
    if root.as_ref().is_some_and(|root| !root.starts_with('/') || root.split('/').any(|part| part == "..")) {
        return Err(client("efsVolumeConfiguration.rootDirectory must be an absolute path."));
    }
    let has_authorization = authorization_config.is_some();
    let authorization = authorization_config.unwrap_or_default();
    refuse(
        authorization.iam == Some(wire::EFSAuthorizationConfigIAM::Enabled),
        "efsVolumeConfiguration.authorizationConfig.iam",
    )?;
    let point = authorization.access_point_id.filter(|point| !point.is_empty());
    let encrypted = transit_encryption.map(|given| given == wire::EFSTransitEncryption::Enabled);
    if let Some(point) = &point {
        if !is_id(point, "fsap-") {
            return Err(client(format!("Invalid access point id: {point}.")));
        }
        if root.as_ref().is_some_and(|root| root != "/") {
            return Err(client(
                "If an access point is specified, rootDirectory must either be omitted or set to /.",
            ));
        }
        if encrypted != Some(true) {
            return Err(client("If an access point is used, transit encryption must be enabled."));
        }
    }
    let port = transit_encryption_port
        .map(|port| {
            u16::try_from(port).map_err(|_| client("transitEncryptionPort must be between 0 and 65535."))
        })
        .transpose()?;
    Ok(EfsVolume {
        file_system_id,
        root_directory: root,
        transit_encryption: encrypted,
        transit_encryption_port: port,
        access_point_id: point,
        has_authorization,
    })
}

fn is_id(id: &str, prefix: &str) -> bool {
    id.strip_prefix(prefix)
        .is_some_and(|rest| (1..=40).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// The volumes of a task definition as the API shows them.
pub(crate) fn render(definition: &TaskDefinition) -> Vec<wire::Volume> {
    let volume = |name: &String| {
        let shown = wire::Volume { name: Some(name.clone()), ..wire::Volume::default() };
        match definition.volume_kinds.get(name) {
            None => wire::Volume { host: Some(wire::HostVolumeProperties::default()), ..shown },
            Some(VolumeKind::AtLaunch) => wire::Volume { configured_at_launch: Some(true), ..shown },
            Some(VolumeKind::Efs(efs)) => {
                wire::Volume { efs_volume_configuration: Some(render_efs(efs)), ..shown }
            }
        }
    };
    definition.volumes.iter().map(volume).collect()
}

fn render_efs(efs: &EfsVolume) -> wire::EFSVolumeConfiguration {
    wire::EFSVolumeConfiguration {
        file_system_id: efs.file_system_id.clone(),
        root_directory: Some(efs.root_directory.clone().unwrap_or_else(|| "/".to_owned())),
        transit_encryption: efs.transit_encryption.map(|enabled| {
            if enabled { wire::EFSTransitEncryption::Enabled } else { wire::EFSTransitEncryption::Disabled }
        }),
        transit_encryption_port: efs.transit_encryption_port.map(i32::from),
        authorization_config: efs.has_authorization.then(|| wire::EFSAuthorizationConfig {
            access_point_id: efs.access_point_id.clone(),
            iam: Some(wire::EFSAuthorizationConfigIAM::Disabled),
        }),
    }
}

/// What RunTask asks for.
pub(crate) fn requests_of_task(
    given: Option<Vec<wire::TaskVolumeConfiguration>>,
) -> Result<Vec<VolumeRequest>, ServiceError> {
    let request = |configuration: wire::TaskVolumeConfiguration| {
        let ebs = configuration.managed_ebs_volume.ok_or_else(|| nothing(&configuration.name))?;
        let keeps = ebs.termination_policy.as_ref().is_some_and(|policy| !policy.delete_on_termination);
        refuse(keeps, "managedEBSVolume.terminationPolicy.deleteOnTermination=false")?;
        let common = wire::ServiceManagedEBSVolumeConfiguration {
            encrypted: ebs.encrypted,
            filesystem_type: ebs.filesystem_type,
            iops: ebs.iops,
            kms_key_id: ebs.kms_key_id,
            role_arn: ebs.role_arn,
            size_in_gi_b: ebs.size_in_gi_b,
            snapshot_id: ebs.snapshot_id,
            tag_specifications: ebs.tag_specifications,
            throughput: ebs.throughput,
            volume_initialization_rate: ebs.volume_initialization_rate,
            volume_type: ebs.volume_type,
        };
        read(configuration.name, common)
    };
    given.unwrap_or_default().into_iter().map(request).collect()
}

/// What CreateService and UpdateService ask for.
pub(crate) fn requests_of_service(
    given: Option<Vec<wire::ServiceVolumeConfiguration>>,
) -> Result<Vec<VolumeRequest>, ServiceError> {
    let request = |configuration: wire::ServiceVolumeConfiguration| {
        let ebs = configuration.managed_ebs_volume.ok_or_else(|| nothing(&configuration.name))?;
        read(configuration.name, ebs)
    };
    given.unwrap_or_default().into_iter().map(request).collect()
}

fn nothing(name: &str) -> ServiceError {
    invalid(format!("volumeConfigurations of '{name}' must have a managedEBSVolume."))
}

fn read(
    name: String,
    input: wire::ServiceManagedEBSVolumeConfiguration,
) -> Result<VolumeRequest, ServiceError> {
    let wire::ServiceManagedEBSVolumeConfiguration {
        encrypted,
        filesystem_type,
        iops,
        kms_key_id,
        role_arn,
        size_in_gi_b,
        snapshot_id,
        tag_specifications,
        throughput,
        volume_initialization_rate,
        volume_type,
    } = input;
    refuse(encrypted == Some(true), "managedEBSVolume.encrypted")?;
    refuse(kms_key_id.is_some(), "managedEBSVolume.kmsKeyId")?;
    refuse(iops.is_some(), "managedEBSVolume.iops")?;
    refuse(throughput.is_some(), "managedEBSVolume.throughput")?;
    refuse(snapshot_id.is_some(), "managedEBSVolume.snapshotId")?;
    refuse(volume_initialization_rate.is_some(), "managedEBSVolume.volumeInitializationRate")?;
    let other_type = volume_type.as_ref().is_some_and(|kind| !VOLUME_TYPES.contains(&kind.as_str()));
    refuse(other_type, "managedEBSVolume.volumeType other than gp2 and gp3")?;
    let role: Option<Arn> = role_arn.parse().ok();
    if !role.is_some_and(|role| role.service == "iam" && role.resource.starts_with("role/")) {
        return Err(invalid("managedEBSVolume.roleArn must be the ARN of a role."));
    }
    let given = size_in_gi_b.ok_or_else(|| invalid("managedEBSVolume needs sizeInGiB, or a snapshotId."))?;
    let size = u32::try_from(given).ok().filter(|_| (1..=MOST_GIB).contains(&given));
    let size = size.ok_or_else(|| invalid(format!("sizeInGiB must be between 1 and {MOST_GIB}.")))?;
    let file_system = match filesystem_type {
        None | Some(wire::TaskFilesystemType::Xfs) => "xfs",
        Some(wire::TaskFilesystemType::Ext3) => "ext3",
        Some(wire::TaskFilesystemType::Ext4) => "ext4",
        Some(wire::TaskFilesystemType::Ntfs) => {
            return Err(invalid("The filesystemType ntfs is for Windows tasks only."));
        }
    };
    let specifications = tag_specifications.unwrap_or_default();
    if specifications.len() > 1 {
        return Err(invalid("tagSpecifications can name the resource type volume once."));
    }
    let specification = specifications.into_iter().next();
    let propagate_tags = specification
        .as_ref()
        .and_then(|specification| specification.propagate_tags)
        .map(|propagate| propagate.as_str().to_owned());
    Ok(VolumeRequest {
        name,
        size,
        file_system: file_system.to_owned(),
        volume_type,
        role_arn,
        tags: store_tags(specification.and_then(|specification| specification.tags))?,
        propagate_tags,
    })
}

/// The volumes that are configured at launch are exactly those that the task definition leaves open.
pub(crate) fn check_launch(
    definition: &TaskDefinition,
    requests: &[VolumeRequest],
) -> Result<(), ServiceError> {
    let open = |name: &str| definition.volume_kinds.get(name) == Some(&VolumeKind::AtLaunch);
    if requests.len() > 1 {
        return Err(invalid("volumeConfigurations can have one volume."));
    }
    if requests.iter().any(|request| !open(&request.name)) {
        return Err(invalid(
            "Volume configuration provided but no matching configuredAtLaunch volume found in task definition.",
        ));
    }
    let missing = definition
        .volumes
        .iter()
        .find(|name| open(name) && !requests.iter().any(|request| request.name == **name));
    match missing {
        None => Ok(()),
        Some(name) => Err(invalid(format!(
            "The task definition is configured to use the volume '{name}' at launch, but no volume configuration was \
             provided for it."
        ))),
    }
}

/// The volumes of a service as the API shows them.
pub(crate) fn render_service(requests: &[VolumeRequest]) -> Option<Vec<wire::ServiceVolumeConfiguration>> {
    let render = |request: &VolumeRequest| wire::ServiceVolumeConfiguration {
        name: request.name.clone(),
        managed_ebs_volume: Some(wire::ServiceManagedEBSVolumeConfiguration {
            size_in_gi_b: i32::try_from(request.size).ok(),
            filesystem_type: request.file_system.parse().ok(),
            role_arn: request.role_arn.clone(),
            volume_type: request.volume_type.clone(),
            tag_specifications: render_tags(request),
            ..wire::ServiceManagedEBSVolumeConfiguration::default()
        }),
    };
    (!requests.is_empty()).then(|| requests.iter().map(render).collect())
}

fn render_tags(request: &VolumeRequest) -> Option<Vec<wire::EBSTagSpecification>> {
    let said = !request.tags.is_empty() || request.propagate_tags.is_some();
    said.then(|| {
        vec![wire::EBSTagSpecification {
            resource_type: wire::EBSResourceType::Volume,
            propagate_tags: request.propagate_tags.as_ref().and_then(|propagate| propagate.parse().ok()),
            tags: filled(Some(&request.tags)).then(|| crate::render::tags(&request.tags)),
        }]
    })
}

/// A volume of a task as one of its attachments.
pub(crate) fn attachment(context: &RequestContext, volume: &ManagedVolume, status: &str) -> wire::Attachment {
    let detail =
        |name: &str, value: String| wire::KeyValuePair { name: Some(name.to_owned()), value: Some(value) };
    let request = &volume.request;
    let tags: Vec<String> = request.tags.iter().map(|Tag { key, value }| format!("{key}={value}")).collect();
    let mut details = vec![
        detail("volumeId", volume.id.clone()),
        detail("volumeSize", request.size.to_string()),
        detail("volumeName", request.name.clone()),
        detail("filesystemType", request.file_system.clone()),
        detail("roleArn", request.role_arn.clone()),
        detail("deleteOnTermination", "true".to_owned()),
        detail("availabilityZone", format!("{}a", context.region)),
    ];
    if !tags.is_empty() {
        details.push(detail("tags", tags.join(",")));
    }
    wire::Attachment {
        id: Some(volume.attachment_id.clone()),
        r#type: Some("AmazonElasticBlockStorage".to_owned()),
        status: Some(status.to_owned()),
        details: Some(details),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::code;

    fn volume(change: impl FnOnce(&mut wire::Volume)) -> wire::Volume {
        let mut volume = wire::Volume { name: Some("data".into()), ..wire::Volume::default() };
        change(&mut volume);
        volume
    }

    fn efs(change: impl FnOnce(&mut wire::EFSVolumeConfiguration)) -> wire::Volume {
        let mut efs = wire::EFSVolumeConfiguration { file_system_id: "fs-0a".into(), ..Default::default() };
        change(&mut efs);
        volume(|volume| volume.efs_volume_configuration = Some(efs))
    }

    #[test]
    fn kinds_of_volumes() {
        let kind = |given| store(Some(vec![given])).map(|(_, kinds)| kinds.get("data").cloned());
        assert_eq!(kind(volume(|_| {})).ok(), Some(None));
        assert_eq!(
            kind(volume(|v| v.configured_at_launch = Some(true))).ok(),
            Some(Some(VolumeKind::AtLaunch))
        );
        assert!(matches!(kind(efs(|_| {})), Ok(Some(VolumeKind::Efs(_)))));
        let refused = |given| code(kind(given)).1;
        let host = wire::HostVolumeProperties { source_path: Some("/etc".into()) };
        assert_eq!(
            refused(volume(|v| v.host = Some(host))),
            "Fargate compatible task definitions do not support sourcePath"
        );
        assert!(
            refused(volume(
                |v| v.docker_volume_configuration = Some(wire::DockerVolumeConfiguration::default())
            ))
            .ends_with("dockerVolumeConfiguration")
        );
        assert!(refused(efs(|e| e.file_system_id = "xfs".into())).contains("file system id"));
        assert!(refused(efs(|e| e.root_directory = Some("/a/../b".into()))).contains("absolute"));
        let point = |point: &str| wire::EFSAuthorizationConfig {
            access_point_id: Some(point.into()),
            ..Default::default()
        };
        let message = refused(efs(|e| e.authorization_config = Some(point("fsap-1"))));
        assert!(message.contains("transit encryption must be enabled"), "{message}");
        let iam = wire::EFSAuthorizationConfig {
            iam: Some(wire::EFSAuthorizationConfigIAM::Enabled),
            ..Default::default()
        };
        assert!(refused(efs(|e| e.authorization_config = Some(iam))).contains("iam"));
    }

    #[test]
    fn managed_volumes() {
        let ebs = |change: fn(&mut wire::ServiceManagedEBSVolumeConfiguration)| {
            let mut ebs = wire::ServiceManagedEBSVolumeConfiguration {
                role_arn: "arn:aws:iam::123456789012:role/infrastructure".into(),
                size_in_gi_b: Some(5),
                ..Default::default()
            };
            change(&mut ebs);
            let given =
                wire::ServiceVolumeConfiguration { name: "data".into(), managed_ebs_volume: Some(ebs) };
            requests_of_service(Some(vec![given]))
        };
        let request = ebs(|_| {}).expect("is taken").remove(0);
        assert_eq!((request.size, request.file_system.as_str()), (5, "xfs"), "xfs is the default, as on AWS");
        for (change, word) in [
            ((|e| e.size_in_gi_b = None) as fn(&mut wire::ServiceManagedEBSVolumeConfiguration), "sizeInGiB"),
            (|e| e.size_in_gi_b = Some(0), "sizeInGiB"),
            (|e| e.encrypted = Some(true), "encrypted"),
            (|e| e.iops = Some(3000), "iops"),
            (|e| e.volume_type = Some("io2".into()), "volumeType"),
            (|e| e.snapshot_id = Some("snap-1".into()), "snapshotId"),
            (|e| e.role_arn = "nobody".into(), "roleArn"),
            (|e| e.filesystem_type = Some(wire::TaskFilesystemType::Ntfs), "ntfs"),
        ] {
            let message = code(ebs(change)).1;
            assert!(message.contains(word), "{message}");
        }
    }
}
