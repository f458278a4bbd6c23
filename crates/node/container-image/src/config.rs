//! The image configuration: what to run and how, as the image's author wrote it.

use crate::platform::Platform;
use registry_client::Digest;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// What the image says about running it. Absent lists are empty, absent texts are `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// Program and first arguments.
    pub entrypoint: Vec<String>,
    /// Arguments after the entry point, or the whole command without one.
    pub cmd: Vec<String>,
    /// `NAME=value` pairs.
    pub env: Vec<String>,
    /// Directory to start in; `/` when absent.
    pub working_dir: Option<String>,
    /// `user`, `uid`, `user:group` or `uid:gid`.
    pub user: Option<String>,
    /// Paths that are volumes of their own.
    pub volumes: Vec<String>,
    /// `80/tcp`.
    pub exposed_ports: Vec<String>,
    /// Signal that asks the program to end: name or number.
    pub stop_signal: Option<String>,
    /// Labels of the image.
    pub labels: BTreeMap<String, String>,
    /// The check that the image's author suggests.
    pub healthcheck: Option<HealthCheck>,
    /// Platform of the image.
    pub platform: Option<Platform>,
}

/// A health check of an image configuration. Zero durations mean the default of the reader.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// `["NONE"]`, `["CMD", …]` or `["CMD-SHELL", text]`.
    pub test: Vec<String>,
    /// Time between checks.
    pub interval: Duration,
    /// Time after which one check counts as failed.
    pub timeout: Duration,
    /// Time after the start in which failures do not count.
    pub start_period: Duration,
    /// Failures in a row that make the container unhealthy.
    pub retries: u32,
}

/// The configuration blob as it is on the wire; only the members we read.
#[derive(Deserialize)]
pub(crate) struct ConfigFile {
    #[serde(default)]
    os: Option<String>,
    #[serde(default)]
    architecture: Option<String>,
    #[serde(default)]
    variant: Option<String>,
    #[serde(default, deserialize_with = "null_as_default")]
    config: RunSection,
    pub(crate) rootfs: RootFs,
}

/// The layers of the root file system, by the digest of their unpacked tar.
#[derive(Deserialize)]
pub(crate) struct RootFs {
    #[serde(default, deserialize_with = "null_as_default")]
    pub(crate) diff_ids: Vec<Digest>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct RunSection {
    #[serde(deserialize_with = "null_as_default")]
    entrypoint: Vec<String>,
    #[serde(deserialize_with = "null_as_default")]
    cmd: Vec<String>,
    #[serde(deserialize_with = "null_as_default")]
    env: Vec<String>,
    #[serde(deserialize_with = "null_as_default")]
    working_dir: String,
    #[serde(deserialize_with = "null_as_default")]
    user: String,
    #[serde(deserialize_with = "null_as_default")]
    volumes: BTreeMap<String, serde_json::Value>,
    #[serde(deserialize_with = "null_as_default")]
    exposed_ports: BTreeMap<String, serde_json::Value>,
    #[serde(deserialize_with = "null_as_default")]
    stop_signal: String,
    #[serde(deserialize_with = "null_as_default")]
    labels: BTreeMap<String, String>,
    healthcheck: Option<HealthSection>,
}

/// Durations are nanoseconds here.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct HealthSection {
    #[serde(deserialize_with = "null_as_default")]
    test: Vec<String>,
    interval: i64,
    timeout: i64,
    start_period: i64,
    retries: i64,
}

impl ConfigFile {
    /// The platform, when both of its halves are named.
    pub(crate) fn platform(&self) -> Option<Platform> {
        let variant = self.variant.clone().filter(|variant| !variant.is_empty());
        Some(Platform { os: self.os.clone()?, architecture: self.architecture.clone()?, variant })
    }

    /// The parts that say how to run the image.
    pub(crate) fn run_config(self) -> ImageConfig {
        let text = |text: String| (!text.is_empty()).then_some(text);
        let platform = self.platform();
        let run = self.config;
        ImageConfig {
            entrypoint: run.entrypoint,
            cmd: run.cmd,
            env: run.env,
            working_dir: text(run.working_dir),
            user: text(run.user),
            volumes: run.volumes.into_keys().collect(),
            exposed_ports: run.exposed_ports.into_keys().collect(),
            stop_signal: text(run.stop_signal),
            labels: run.labels,
            healthcheck: run.healthcheck.map(HealthSection::into_check),
            platform,
        }
    }
}

impl HealthSection {
    fn into_check(self) -> HealthCheck {
        let nanos = |nanos: i64| Duration::from_nanos(u64::try_from(nanos).unwrap_or(0));
        HealthCheck {
            test: self.test,
            interval: nanos(self.interval),
            timeout: nanos(self.timeout),
            start_period: nanos(self.start_period),
            retries: u32::try_from(self.retries).unwrap_or(0),
        }
    }
}

/// Builders write `null` for what is absent.
fn null_as_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_builders_config_is_read_with_its_nulls() {
        let text = r#"{"architecture":"amd64","os":"linux","config":{"Entrypoint":["/a"],"Cmd":null,
            "Env":["A=b"],"User":"","WorkingDir":"/w","Volumes":{"/v":{}},"ExposedPorts":{"80/tcp":{}},
            "StopSignal":"SIGINT","Labels":null,
            "Healthcheck":{"Test":["CMD","x"],"Interval":1000000000,"Retries":2}},
            "rootfs":{"type":"layers","diff_ids":null},"history":[]}"#;
        let config = serde_json::from_str::<ConfigFile>(text).expect("reads").run_config();
        assert_eq!(config.entrypoint, ["/a"]);
        assert!(config.cmd.is_empty() && config.user.is_none());
        assert_eq!(config.exposed_ports, ["80/tcp"]);
        assert_eq!(config.stop_signal.as_deref(), Some("SIGINT"));
        let check = config.healthcheck.expect("has one");
        assert_eq!((check.interval, check.retries), (Duration::from_secs(1), 2));
        let bare: ConfigFile = serde_json::from_str(r#"{"config":null,"rootfs":{}}"#).expect("reads");
        assert_eq!(bare.run_config(), ImageConfig::default());
    }
}
