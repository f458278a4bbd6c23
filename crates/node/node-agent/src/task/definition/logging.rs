//! Where the output of containers goes, and which of them routes it.

use super::InvalidTask;
use super::docker::HostConfig;
use crate::logs::firelens::tag;
use crate::logs::{AwsLogs, LogOptionsError, LogOutput, Routed, Router, RouterKind, Splunk};
use agent_wire::acs;

/// Where a container's output goes, if anywhere.
pub(super) fn output(
    container: &acs::Container,
    host: &HostConfig,
    names: &[&str],
    all: &[acs::Container],
    task: &str,
) -> Result<Option<LogOutput>, LogOptionsError> {
    let Some(log) = &host.log_config else { return Ok(None) };
    let name = container.name.as_str();
    match log.r#type.as_str() {
        "" | "none" => Ok(None),
        "awslogs" => AwsLogs::read(&log.config, name, task).map(|logs| Some(LogOutput::AwsLogs(logs))),
        "splunk" => {
            let id = container.container_arn.rsplit('/').next().unwrap_or_default();
            let splunk = Splunk::read(&log.config, id).map_err(LogOptionsError::Wrong)?;
            Ok(Some(LogOutput::Splunk(splunk)))
        }
        "awsfirelens" => {
            let router = all.iter().position(|other| other.firelens_configuration.is_some());
            let router =
                router.ok_or_else(|| LogOptionsError::Wrong("no container routes output".to_owned()))?;
            let index = names.iter().position(|known| *known == name).unwrap_or_default();
            let secrets = container.secrets.iter();
            let secrets = secrets.filter(|secret| secret.target == Some(acs::SecretTarget::LogDriver));
            Ok(Some(LogOutput::Firelens(Routed {
                router,
                tag: tag(name, task),
                options: log.config.clone(),
                secrets: secrets
                    .map(|secret| (secret.name.clone(), format!("{}_{index}", secret.name)))
                    .collect(),
            })))
        }
        other => Err(LogOptionsError::Driver(other.to_owned())),
    }
}

/// Whether a container routes the output of others, and how.
pub(super) fn router(container: &acs::Container) -> Result<Option<Router>, InvalidTask> {
    let Some(firelens) = &container.firelens_configuration else { return Ok(None) };
    let unsupported =
        |what: &str| InvalidTask::Unsupported(format!("{what} of the log router {:?}", container.name));
    let kind = match firelens.r#type {
        Some(acs::FirelensConfigurationType::Fluentd) => RouterKind::Fluentd,
        Some(acs::FirelensConfigurationType::Fluentbit) => RouterKind::FluentBit,
        None | Some(acs::FirelensConfigurationType::Unrecognized) => return Err(unsupported("the type")),
    };
    let option = |name: &str| firelens.options.get(name).map(String::as_str);
    let include = match (option("config-file-type"), option("config-file-value")) {
        (None, _) => None,
        (Some("file"), Some(path)) => Some(path.to_owned()),
        (Some(_), _) => return Err(unsupported("the configuration file")),
    };
    Ok(Some(Router { kind, with_metadata: option("enable-ecs-log-metadata") != Some("false"), include }))
}
