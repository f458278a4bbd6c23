//! The Docker settings of a container: JSON texts in the spelling of the Docker Engine API.

use super::InvalidTask;
use crate::task::health::HealthCheck;
use agent_wire::acs;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::time::Duration;

/// `dockerConfig.config`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub(super) struct Config {
    pub(super) user: String,
    pub(super) working_dir: String,
    /// Shown by the metadata endpoint.
    #[serde(deserialize_with = "or_default")]
    pub(super) labels: BTreeMap<String, String>,
    pub(super) healthcheck: Option<Healthcheck>,
    pub(super) tty: bool,
    pub(super) open_stdin: bool,
}

/// `Healthcheck` of the configuration; durations are nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub(super) struct Healthcheck {
    test: Vec<String>,
    interval: u64,
    timeout: u64,
    start_period: u64,
    retries: u32,
}

/// `dockerConfig.hostConfig`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub(super) struct HostConfig {
    #[serde(deserialize_with = "or_default")]
    pub(super) cap_add: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) cap_drop: Vec<String>,
    pub(super) readonly_rootfs: bool,
    #[serde(deserialize_with = "or_default")]
    pub(super) ulimits: Vec<Ulimit>,
    pub(super) log_config: Option<LogConfig>,
    pub(super) memory_reservation: u64,
    #[serde(deserialize_with = "or_default")]
    pub(super) tmpfs: BTreeMap<String, String>,
    pub(super) shm_size: u64,
    #[serde(deserialize_with = "or_default")]
    pub(super) sysctls: BTreeMap<String, String>,
    pub(super) init: Option<bool>,
    /// Only `awsvpc`'s own: the task's interface decides.
    network_mode: String,
}

/// A resource limit.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Ulimit {
    pub(super) name: String,
    pub(super) soft: i64,
    pub(super) hard: i64,
}

/// A log driver and its options.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub(super) struct LogConfig {
    pub(super) r#type: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) config: BTreeMap<String, String>,
}

fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// Both parts of a container's Docker settings.
pub(super) fn read(container: &acs::Container) -> Result<(Config, HostConfig), InvalidTask> {
    let Some(docker) = &container.docker_config else { return Ok(Default::default()) };
    let failed = |part| move |source| InvalidTask::Docker { part, container: container.name.clone(), source };
    let config = parse(&docker.config).map_err(failed("config"))?;
    let host: HostConfig = parse(&docker.host_config).map_err(failed("hostConfig"))?;
    if !matches!(host.network_mode.as_str(), "" | "none") {
        return Err(InvalidTask::Unsupported(format!("NetworkMode {:?}", host.network_mode)));
    }
    Ok((config, host))
}

fn parse<T: Default + for<'a> Deserialize<'a>>(text: &str) -> Result<T, serde_json::Error> {
    if text.is_empty() { Ok(T::default()) } else { serde_json::from_str(text) }
}

/// The command in the container's `overrides`, the only one that is an agent's business.
pub(super) fn overridden_command(container: &acs::Container) -> Result<Option<Vec<String>>, InvalidTask> {
    #[derive(Default, Deserialize)]
    struct Overrides {
        #[serde(default)]
        command: Option<Vec<String>>,
    }
    let overrides: Overrides = parse(&container.overrides).map_err(|source| InvalidTask::Docker {
        part: "overrides",
        container: container.name.clone(),
        source,
    })?;
    Ok(overrides.command)
}

impl Config {
    /// The check, unless there is none or it is switched off.
    pub(super) fn health_check(&self) -> Option<HealthCheck> {
        let check = self.healthcheck.as_ref()?;
        let argv = match check.test.split_first()? {
            (kind, rest) if kind == "CMD" && !rest.is_empty() => rest.to_vec(),
            (kind, [text]) if kind == "CMD-SHELL" => {
                vec!["/bin/sh".to_owned(), "-c".to_owned(), text.clone()]
            }
            (kind, rest) if kind == "CMD-SHELL" && !rest.is_empty() => {
                vec!["/bin/sh".to_owned(), "-c".to_owned(), rest.join(" ")]
            }
            _ => return None,
        };
        let or = |nanos: u64, seconds: u64| {
            if nanos == 0 { Duration::from_secs(seconds) } else { Duration::from_nanos(nanos) }
        };
        Some(HealthCheck {
            argv,
            interval: or(check.interval, 30),
            timeout: or(check.timeout, 5),
            retries: if check.retries == 0 { 3 } else { check.retries },
            start_period: Duration::from_nanos(check.start_period),
        })
    }
}
