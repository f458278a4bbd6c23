//! Commands in containers: what the operations that allow them share.

use crate::errors::invalid;
use crate::shapes as wire;
use aws_wire::ServiceError;
use resources::ecs::{Cluster, ExecuteCommandLogging};

/// What runs commands in a container acts as the role of the task, so a task without one has no commands.
pub(crate) fn check_role(role: Option<&str>, what: &str) -> Result<(), ServiceError> {
    if role.is_some_and(|role| !role.is_empty()) {
        return Ok(());
    }
    Err(invalid(format!(
        "The {what} because a valid taskRoleArn is not being used. Specify a valid task role in your task definition \
         and try again."
    )))
}

/// Reads the configuration of a cluster; what is not honoured is refused.
pub(crate) fn read_configuration(
    configuration: wire::ClusterConfiguration,
) -> Result<Option<ExecuteCommandLogging>, ServiceError> {
    let wire::ClusterConfiguration { execute_command_configuration, managed_storage_configuration } =
        configuration;
    if managed_storage_configuration.is_some_and(|storage| {
        storage.kms_key_id.is_some() || storage.fargate_ephemeral_storage_kms_key_id.is_some()
    }) {
        return Err(invalid("managedStorageConfiguration names a KMS key: this region has no KMS."));
    }
    let Some(given) = execute_command_configuration else { return Ok(None) };
    let wire::ExecuteCommandConfiguration { kms_key_id, log_configuration, logging } = given;
    if kms_key_id.is_some_and(|key| !key.is_empty()) {
        return Err(invalid("executeCommandConfiguration names a KMS key: this region has no KMS."));
    }
    let group = log_configuration.map(read_log_group).transpose()?.flatten();
    match (logging.unwrap_or(wire::ExecuteCommandLogging::Default), group) {
        (wire::ExecuteCommandLogging::Override, Some(group)) => {
            Ok(Some(ExecuteCommandLogging::Override(group)))
        }
        (wire::ExecuteCommandLogging::Override, None) => Err(invalid(
            "executeCommandConfiguration.logging is OVERRIDE, so logConfiguration must name where to log.",
        )),
        (_, Some(_)) => Err(invalid(
            "executeCommandConfiguration.logConfiguration is only valid when logging is OVERRIDE.",
        )),
        (wire::ExecuteCommandLogging::None, None) => Ok(Some(ExecuteCommandLogging::None)),
        (_, None) => Ok(Some(ExecuteCommandLogging::Default)),
    }
}

fn read_log_group(
    configuration: wire::ExecuteCommandLogConfiguration,
) -> Result<Option<String>, ServiceError> {
    let wire::ExecuteCommandLogConfiguration {
        cloud_watch_encryption_enabled,
        cloud_watch_log_group_name,
        s3_bucket_name,
        s3_encryption_enabled: _,
        s3_key_prefix,
    } = configuration;
    if s3_bucket_name.is_some() || s3_key_prefix.is_some() {
        return Err(invalid(
            "logConfiguration names an S3 bucket: sessions are logged to CloudWatch Logs only.",
        ));
    }
    if cloud_watch_encryption_enabled == Some(true) {
        return Err(invalid(
            "logConfiguration.cloudWatchEncryptionEnabled needs a log group with a KMS key: this region has no KMS.",
        ));
    }
    Ok(cloud_watch_log_group_name.filter(|name| !name.is_empty()))
}

/// The configuration as it is shown.
pub(crate) fn render_configuration(cluster: &Cluster) -> Option<wire::ClusterConfiguration> {
    let (logging, group) = match cluster.execute_command.as_ref()? {
        ExecuteCommandLogging::None => (wire::ExecuteCommandLogging::None, None),
        ExecuteCommandLogging::Default => (wire::ExecuteCommandLogging::Default, None),
        ExecuteCommandLogging::Override(group) => {
            (wire::ExecuteCommandLogging::Override, Some(group.clone()))
        }
    };
    let log_configuration = group.map(|group| wire::ExecuteCommandLogConfiguration {
        cloud_watch_log_group_name: Some(group),
        cloud_watch_encryption_enabled: Some(false),
        s3_encryption_enabled: Some(false),
        ..wire::ExecuteCommandLogConfiguration::default()
    });
    Some(wire::ClusterConfiguration {
        execute_command_configuration: Some(wire::ExecuteCommandConfiguration {
            kms_key_id: None,
            log_configuration,
            logging: Some(logging),
        }),
        managed_storage_configuration: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::code;

    fn given(
        logging: Option<wire::ExecuteCommandLogging>,
        log_configuration: Option<wire::ExecuteCommandLogConfiguration>,
    ) -> wire::ClusterConfiguration {
        let execute = wire::ExecuteCommandConfiguration { kms_key_id: None, log_configuration, logging };
        wire::ClusterConfiguration {
            execute_command_configuration: Some(execute),
            managed_storage_configuration: None,
        }
    }

    #[test]
    fn logging_goes_to_a_group_or_nowhere() {
        use wire::ExecuteCommandLogging as L;
        let group = || wire::ExecuteCommandLogConfiguration {
            cloud_watch_log_group_name: Some("g".into()),
            ..Default::default()
        };
        let bucket = wire::ExecuteCommandLogConfiguration { s3_bucket_name: Some("b".into()), ..group() };
        let read = |given| read_configuration(given).ok().flatten();
        assert_eq!(read(given(None, None)), Some(ExecuteCommandLogging::Default));
        assert_eq!(read(given(Some(L::None), None)), Some(ExecuteCommandLogging::None));
        assert_eq!(
            read(given(Some(L::Override), Some(group()))),
            Some(ExecuteCommandLogging::Override("g".into()))
        );
        for wrong in [
            given(Some(L::Override), None),
            given(Some(L::None), Some(group())),
            given(Some(L::Override), Some(bucket)),
        ] {
            assert_eq!(code(read_configuration(wrong)).0, "InvalidParameterException");
        }
        let mut keyed = given(None, None);
        keyed.execute_command_configuration.as_mut().expect("there").kms_key_id = Some("k".into());
        assert!(code(read_configuration(keyed)).1.contains("KMS"));
    }
}
