//! What a payload says about a task, read and checked once.
//!
//! What the agent does not carry out makes the task invalid; nothing is left out silently.

mod connect;
mod docker;
mod logging;
mod plan;
mod volumes;

pub use plan::holder;
pub(crate) use plan::set_variable;

use crate::engine::{ProxyPlan, VolumePlan};
use crate::logs::{LogOptionsError, LogOutput, Router};
use crate::task::health::HealthCheck;
use crate::task::secrets::SecretVariable;
use agent_wire::acs;
use docker::{Config, HostConfig};
use std::collections::{BTreeMap, HashSet};
use std::net::Ipv4Addr;
use std::time::Duration;

/// Time for SIGTERM to work when the task definition says nothing.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);
/// Time for a dependency to be met when the task definition says nothing; Fargate's default.
const START_TIMEOUT: Duration = Duration::from_secs(180);
/// Most containers of a task.
const MOST_CONTAINERS: usize = 10;

/// Why a task of a payload cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum InvalidTask {
    /// The ARN names no task.
    #[error("{0:?} is not the ARN of a task")]
    Arn(String),
    /// A setting the agent does not carry out.
    #[error("{0} is not supported")]
    Unsupported(String),
    /// A setting that makes no sense.
    #[error("{0}")]
    Wrong(String),
    /// The Docker settings of a container cannot be read.
    #[error("the {part} of container {container} cannot be read: {source}")]
    Docker {
        /// `config` or `hostConfig`.
        part: &'static str,
        /// The container.
        container: String,
        /// What does not fit.
        source: serde_json::Error,
    },
    /// The log options of a container.
    #[error("the log options of container {container}: {source}")]
    Logs {
        /// The container.
        container: String,
        /// What is wrong.
        source: LogOptionsError,
    },
}

/// A task to run.
#[derive(Clone, Debug)]
pub struct TaskDefinition {
    /// ARN of the task.
    pub arn: String,
    /// Cluster of the task, as the payload names it.
    pub cluster: String,
    /// Last part of the ARN; names everything on the machine.
    pub id: String,
    /// Family of its task definition.
    pub family: String,
    /// Revision of its task definition.
    pub version: String,
    /// Launch type, as the payload names it.
    pub launch_type: String,
    /// Availability zone, where the server tells it.
    pub zone: Option<String>,
    /// Service that it belongs to.
    pub service: Option<String>,
    /// The role of its containers.
    pub role: Option<Role>,
    /// The agent has a role of its own for this task.
    pub has_execution_role: bool,
    /// Limit in CPU units.
    pub cpu: Option<u32>,
    /// Limit in MiB.
    pub memory: Option<u32>,
    /// Its network.
    pub network: Network,
    /// Volumes that containers share.
    pub volumes: Vec<VolumePlan>,
    /// GiB that the containers may write into their layers and scratch volumes.
    pub storage: Option<u32>,
    /// The containers see each other's processes.
    pub shared_processes: bool,
    /// Its Service Connect proxy.
    pub proxy: Option<ProxyPlan>,
    /// Its containers may make faults in its network.
    pub fault_injection: bool,
    /// Containers.
    pub containers: Vec<ContainerDefinition>,
}

/// A role whose credentials the containers get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Names its credentials at the endpoint.
    pub credentials_id: String,
    /// Its ARN.
    pub arn: String,
}

/// Who lets the agent have an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageAccess {
    /// Anybody may.
    Public,
    /// The region's registry, with a token of ECR.
    Ecr,
    /// A registry whose user and password are in this secret.
    Secret(String),
}

/// The network of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// Address.
    pub address: Ipv4Addr,
    /// Hardware address.
    pub mac: Option<String>,
    /// Name of the machine that the containers see.
    pub hostname: String,
    /// Domains that names are searched in.
    pub search: Vec<String>,
    /// Gateway and bits of the mask of its subnet.
    pub gateway: Option<(Ipv4Addr, u8)>,
    /// Name servers.
    pub name_servers: Vec<String>,
    /// Name in the private zone.
    pub private_name: Option<String>,
}

/// A container to run.
#[derive(Clone, Debug)]
pub struct ContainerDefinition {
    /// Name.
    pub name: String,
    /// Reference of its image.
    pub image: String,
    /// ARN of the container.
    pub arn: String,
    /// Who lets the agent have the image.
    pub access: ImageAccess,
    /// The task ends with it.
    pub essential: bool,
    /// What must have happened before it starts.
    pub depends_on: Vec<Dependency>,
    /// Time after its start in which others' conditions on it must be met.
    pub start_timeout: Duration,
    /// Time between asking and killing.
    pub stop_timeout: Duration,
    /// Its health check.
    pub health_check: Option<HealthCheck>,
    /// Where its output goes.
    pub logs: Option<LogOutput>,
    /// It routes the output of others.
    pub router: Option<Router>,
    /// Whether it runs again when it has ended.
    pub restart: Option<RestartPolicy>,
    /// Commands may be run in it.
    pub exec: bool,
    /// Variables whose values are secrets.
    pub secrets: Vec<SecretVariable>,
    /// Options of its log driver whose values are secrets.
    pub log_secrets: Vec<SecretVariable>,
    entry_point: Vec<String>,
    command: Vec<String>,
    environment: BTreeMap<String, String>,
    mounts: Vec<Mount>,
    cpu: u32,
    memory: Option<u64>,
    config: Config,
    host: HostConfig,
}

/// When a container that has ended runs again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestartPolicy {
    /// Exit codes with which it does not.
    pub ignored: Vec<i32>,
    /// How long it must have run.
    pub period: Duration,
}

impl RestartPolicy {
    /// Time that a container must have run when nothing is said.
    const PERIOD: Duration = Duration::from_secs(300);

    fn read(policy: &acs::RestartPolicy) -> Option<Self> {
        let period = u64::try_from(policy.restart_attempt_period).ok().filter(|seconds| *seconds > 0);
        policy.enabled.then(|| Self {
            ignored: policy.ignored_exit_codes.clone(),
            period: period.map_or(Self::PERIOD, Duration::from_secs),
        })
    }

    /// Whether a container runs again that ended so after so long.
    pub fn applies(&self, code: Option<i32>, ran: Duration) -> bool {
        // One whose end nobody saw is gone with its sandbox.
        code.is_some_and(|code| !self.ignored.contains(&code)) && ran >= self.period
    }
}

/// A volume in a container.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mount {
    volume: String,
    path: String,
    read_only: bool,
}

/// A condition on another container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// Index of the other container.
    pub on: usize,
    /// What must have happened to it.
    pub condition: Condition,
}

/// What must have happened to a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It has started.
    Start,
    /// It has ended.
    Complete,
    /// It has ended with code 0.
    Success,
    /// Its health check passes.
    Healthy,
}

impl TaskDefinition {
    /// Reads a task of a payload.
    pub fn read(task: &acs::Task) -> Result<Self, InvalidTask> {
        let id = task_id(&task.arn)?;
        refuse_parts(task)?;
        let volumes = volumes::read(task)?;
        if task.containers.is_empty() || task.containers.len() > MOST_CONTAINERS {
            return Err(InvalidTask::Wrong(format!("a task has 1 to {MOST_CONTAINERS} containers")));
        }
        let names: Vec<&str> = task.containers.iter().map(|container| container.name.as_str()).collect();
        if names.iter().collect::<HashSet<_>>().len() != names.len() {
            return Err(InvalidTask::Wrong("two containers have the same name".to_owned()));
        }
        let containers = task
            .containers
            .iter()
            .map(|container| read_container(container, &names, &task.containers, id))
            .collect::<Result<Vec<_>, _>>()?;
        let mut this = Self {
            arn: task.arn.clone(),
            cluster: task.task_cluster_arn.clone(),
            id: id.to_owned(),
            family: task.family.clone(),
            version: task.version.clone(),
            launch_type: task.launch_type.clone(),
            zone: text(&task.zone),
            service: text(&task.service_name),
            role: task.role_credentials.as_ref().map(|credentials| Role {
                credentials_id: credentials.credentials_id.clone(),
                arn: credentials.role_arn.clone(),
            }),
            has_execution_role: task.execution_role_credentials.is_some(),
            cpu: (task.cpu > 0.0).then_some((task.cpu * 1024.0).round() as u32),
            memory: u32::try_from(task.memory).ok().filter(|memory| *memory > 0),
            network: network(task, id)?,
            volumes,
            storage: volumes::storage(task)?,
            shared_processes: task.pid_mode == "task",
            proxy: connect::read(task, id)?,
            fault_injection: task.enable_fault_injection,
            containers,
        };
        this.wait_for_router();
        this.inherit_volumes(task, &names)?;
        this.check_mounts()?;
        this.refuse_cycles()?;
        Ok(this)
    }

    /// A container whose output is routed starts after the router, and ends before it.
    fn wait_for_router(&mut self) {
        for container in &mut self.containers {
            let Some(router) = container.logs.as_ref().and_then(LogOutput::router) else { continue };
            if !container.depends_on.iter().any(|dependency| dependency.on == router) {
                container.depends_on.push(Dependency { on: router, condition: Condition::Start });
            }
        }
    }

    /// Adds the mounts that containers take over from others.
    fn inherit_volumes(&mut self, task: &acs::Task, names: &[&str]) -> Result<(), InvalidTask> {
        let own: Vec<Vec<Mount>> = self.containers.iter().map(|container| container.mounts.clone()).collect();
        for (index, container) in task.containers.iter().enumerate() {
            for from in &container.volumes_from {
                let source = position(names, &from.source_container)?;
                let taken = own[source]
                    .iter()
                    .cloned()
                    .map(|mount| Mount { read_only: mount.read_only || from.read_only, ..mount });
                self.containers[index].mounts.extend(taken);
            }
        }
        Ok(())
    }

    fn check_mounts(&self) -> Result<(), InvalidTask> {
        for mount in self.containers.iter().flat_map(|container| &container.mounts) {
            if !self.volumes.iter().any(|volume| volume.name == mount.volume) {
                return Err(InvalidTask::Wrong(format!("there is no volume {:?}", mount.volume)));
            }
        }
        Ok(())
    }

    /// Containers that wait for each other would wait for ever.
    fn refuse_cycles(&self) -> Result<(), InvalidTask> {
        let mut free = vec![false; self.containers.len()];
        for _ in 0..self.containers.len() {
            for (index, container) in self.containers.iter().enumerate() {
                free[index] = container.depends_on.iter().all(|dependency| free[dependency.on]);
            }
        }
        if free.iter().all(|free| *free) {
            Ok(())
        } else {
            Err(InvalidTask::Wrong("containers depend on each other in a circle".to_owned()))
        }
    }
}

/// The last part of a task's ARN, which is safe as a file name.
pub(crate) fn task_id(arn: &str) -> Result<&str, InvalidTask> {
    let id = arn.rsplit('/').next().unwrap_or_default();
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if arn.starts_with("arn:") && !id.is_empty() && id.len() <= 64 && id.bytes().all(plain) {
        Ok(id)
    } else {
        Err(InvalidTask::Arn(arn.chars().take(200).collect()))
    }
}

fn refuse_parts(task: &acs::Task) -> Result<(), InvalidTask> {
    let unsupported = [
        (task.proxy_configuration.is_some(), "proxyConfiguration"),
        (!task.associations.is_empty(), "associations"),
        (task.network_mode != "awsvpc", "a networkMode other than awsvpc"),
        (!matches!(task.pid_mode.as_str(), "" | "task"), "a pidMode other than task"),
        (!matches!(task.ipc_mode.as_str(), ""), "ipcMode"),
    ];
    match unsupported.into_iter().find(|(present, _)| *present) {
        Some((_, what)) => Err(InvalidTask::Unsupported(what.to_owned())),
        None => Ok(()),
    }
}

fn network(task: &acs::Task, id: &str) -> Result<Network, InvalidTask> {
    let missing = || InvalidTask::Wrong("there is no network interface with an IPv4 address".to_owned());
    let interface = task.elastic_network_interfaces.first().ok_or_else(missing)?;
    let addresses = &interface.ipv4_addresses;
    let address =
        addresses.iter().find(|address| address.primary).or(addresses.first()).ok_or_else(missing)?;
    let address = address.private_address.parse().map_err(|_| missing())?;
    let gateway = interface.subnet_gateway_ipv4_address.split_once('/');
    let private_name = text(&interface.private_dns_name);
    Ok(Network {
        address,
        mac: text(&interface.mac_address),
        hostname: private_name.clone().unwrap_or_else(|| id.chars().take(63).collect()),
        search: interface.domain_name.clone(),
        gateway: gateway.and_then(|(address, prefix)| Some((address.parse().ok()?, prefix.parse().ok()?))),
        name_servers: interface.domain_name_servers.clone(),
        private_name,
    })
}

/// Empty texts say nothing.
fn text(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn image_access(container: &acs::Container) -> Result<ImageAccess, InvalidTask> {
    let unsupported =
        || InvalidTask::Unsupported(format!("the registry authentication of container {:?}", container.name));
    let Some(auth) = &container.registry_authentication else { return Ok(ImageAccess::Public) };
    match (auth.r#type, &auth.asm_auth_data) {
        (Some(acs::AuthenticationType::Ecr), _) => Ok(ImageAccess::Ecr),
        (Some(acs::AuthenticationType::Asm), Some(data)) => {
            Ok(ImageAccess::Secret(data.credentials_parameter.clone()))
        }
        _ => Err(unsupported()),
    }
}

fn position(names: &[&str], name: &str) -> Result<usize, InvalidTask> {
    names
        .iter()
        .position(|known| *known == name)
        .ok_or_else(|| InvalidTask::Wrong(format!("there is no container {name:?}")))
}

fn read_container(
    container: &acs::Container,
    names: &[&str],
    all: &[acs::Container],
    task: &str,
) -> Result<ContainerDefinition, InvalidTask> {
    refuse_container_parts(container)?;
    let name = &container.name;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if name.is_empty() || name.len() > 255 || !name.bytes().all(plain) {
        return Err(InvalidTask::Wrong(format!("{name:?} cannot name a container")));
    }
    let (config, host) = docker::read(container)?;
    let seconds = |value: i32, default: Duration| match u64::try_from(value) {
        Ok(0) | Err(_) => default,
        Ok(seconds) => Duration::from_secs(seconds),
    };
    let depends_on = container
        .depends_on
        .iter()
        .map(|dependency| read_dependency(dependency, names))
        .collect::<Result<Vec<_>, _>>()?;
    let logs = logging::output(container, &host, names, all, task);
    let secrets = container.secrets.iter().map(SecretVariable::read).collect::<Result<Vec<_>, _>>()?;
    let (secrets, log_secrets) = secrets.into_iter().partition(SecretVariable::is_variable);
    Ok(ContainerDefinition {
        name: name.clone(),
        image: container.image.clone(),
        arn: container.container_arn.clone(),
        access: image_access(container)?,
        essential: container.essential,
        depends_on,
        start_timeout: seconds(container.start_timeout, START_TIMEOUT),
        stop_timeout: seconds(container.stop_timeout, STOP_TIMEOUT),
        health_check: config.health_check().filter(|_| container.health_check_type.is_some()),
        logs: logs.map_err(|source| InvalidTask::Logs { container: name.clone(), source })?,
        router: logging::router(container)?,
        secrets,
        log_secrets,
        restart: container.restart_policy.as_ref().and_then(RestartPolicy::read),
        exec: !container.managed_agents.is_empty(),
        entry_point: container.entry_point.clone(),
        command: docker::overridden_command(container)?.unwrap_or_else(|| container.command.clone()),
        environment: (*container.environment).clone(),
        mounts: container
            .mount_points
            .iter()
            .map(|mount| Mount {
                volume: mount.source_volume.clone(),
                path: mount.container_path.clone(),
                read_only: mount.read_only,
            })
            .collect(),
        cpu: u32::try_from(container.cpu).unwrap_or(0),
        memory: u64::try_from(container.memory).ok().filter(|memory| *memory > 0).map(|mib| mib << 20),
        config,
        host,
    })
}

fn refuse_container_parts(container: &acs::Container) -> Result<(), InvalidTask> {
    let unsupported = [
        (container.privileged == Some(true), "privileged"),
        (!container.links.is_empty(), "links"),
        (!container.environment_files.is_empty(), "environmentFiles"),
        (container.managed_agents.iter().any(is_unknown), "managedAgents"),
        (!container.credential_specs.is_empty(), "credentialSpecs"),
    ];
    match unsupported.into_iter().find(|(present, _)| *present) {
        Some((_, what)) => Err(InvalidTask::Unsupported(format!("{what} of container {:?}", container.name))),
        None => Ok(()),
    }
}

fn is_unknown(agent: &acs::ManagedAgent) -> bool {
    agent.name != Some(acs::ManagedAgentName::ExecuteCommandAgent)
}

fn read_dependency(dependency: &acs::ContainerDependency, names: &[&str]) -> Result<Dependency, InvalidTask> {
    let on = position(names, &dependency.container_name)?;
    let condition = match dependency.condition {
        Some(acs::ContainerCondition::Start) => Condition::Start,
        Some(acs::ContainerCondition::Complete) => Condition::Complete,
        Some(acs::ContainerCondition::Success) => Condition::Success,
        Some(acs::ContainerCondition::Healthy) => Condition::Healthy,
        None | Some(acs::ContainerCondition::Unrecognized) => {
            return Err(InvalidTask::Unsupported("a dependency condition".to_owned()));
        }
    };
    Ok(Dependency { on, condition })
}

#[cfg(test)]
mod tests;
