//! From stored tasks and task definitions to the messages of the agent protocol.
//!
//! What the published agent reads from its Docker settings goes there, in the spelling of the Docker Engine API.
//! Overrides are merged here, for agents merge none but the command.

mod connect;
mod volumes;

use agent_wire::acs;
use identifiers::{Arn, Region};
use resources::ec2::private_dns_name;
use resources::ecr::RegistryHosts;
use resources::ecs::{
    ContainerDefinition, DependencyCondition, HealthCheck, SecretSource, Task, TaskContainer, TaskDefinition,
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Credentials that go with a task.
#[derive(Default)]
pub(crate) struct Credentials {
    pub(crate) task: Option<acs::IAMRoleCredentials>,
    pub(crate) execution: Option<acs::IAMRoleCredentials>,
}

/// The ARN of a task.
pub(crate) fn task_arn(region: &Region, task: &Task) -> String {
    Arn::new("ecs", region, &task.account, format!("task/{}/{}", task.cluster, task.id)).to_string()
}

/// The ARN of a task's cluster.
pub(crate) fn cluster_arn(region: &Region, task: &Task) -> String {
    Arn::new("ecs", region, &task.account, format!("cluster/{}", task.cluster)).to_string()
}

/// The key of the task that an ARN names.
pub(crate) fn task_key(region: &Region, arn: &str) -> Option<String> {
    let arn: Arn = arn.parse().ok()?;
    let name = arn.resource.strip_prefix("task/")?;
    (arn.service == "ecs" && arn.region == region.as_str()).then(|| format!("{}/{name}", arn.account))
}

/// A task as its agent gets it.
pub(crate) fn task(
    region: &Region,
    registry: &RegistryHosts,
    task: &Task,
    definition: &TaskDefinition,
    credentials: Credentials,
) -> acs::Task {
    let as_role = credentials.execution.is_some();
    let containers = definition.containers.iter().filter_map(|container| {
        let state = task.containers.iter().find(|state| state.name == container.name)?;
        let auth = registry_authentication(region, registry, task, container, state, as_role);
        let logs_as_role =
            as_role && container.log_configuration.as_ref().is_some_and(|log| log.driver == "awslogs");
        Some(acs::Container {
            registry_authentication: auth,
            logs_auth_strategy: logs_as_role.then_some(acs::AuthStrategy::ExecutionRole),
            ..self::container(region, task, container, state)
        })
    });
    acs::Task {
        arn: task_arn(region, task),
        task_cluster_arn: cluster_arn(region, task),
        family: task.family.clone(),
        version: task.revision.to_string(),
        group: task.group.clone(),
        launch_type: "FARGATE".to_owned(),
        task_definition_account_id: task.account.to_string(),
        desired_status: task.desired_status.as_str().to_owned(),
        overrides: "{}".to_owned(),
        cpu: f64::from(task.cpu) / 1024.0,
        memory: integer(task.memory),
        network_mode: definition.network_mode.clone(),
        elastic_network_interfaces: network_interface(region, task).into_iter().collect(),
        volumes: definition.volumes.iter().map(|name| volumes::volume(task, definition, name)).collect(),
        attachments: volumes::attachments(region, task)
            .into_iter()
            .chain(connect::attachment(task))
            .collect(),
        pid_mode: definition.pid_mode.clone().unwrap_or_default(),
        enable_fault_injection: definition.fault_injection,
        containers: containers.collect(),
        role_credentials: credentials.task,
        execution_role_credentials: credentials.execution,
        zone: format!("{region}{}", task.network_interface.as_ref().map_or("a", |own| own.zone.as_str())),
        ..acs::Task::default()
    }
}

fn integer(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

fn network_interface(region: &Region, task: &Task) -> Option<acs::ElasticNetworkInterface> {
    let interface = task.network_interface.as_ref()?;
    let domain = match region.as_str() {
        "us-east-1" => "ec2.internal".to_owned(),
        other => format!("{other}.compute.internal"),
    };
    Some(acs::ElasticNetworkInterface {
        attachment_arn: Arn::new(
            "ecs",
            region,
            &task.account,
            format!("attachment/{}", interface.attachment_id),
        )
        .to_string(),
        ec2_id: interface.id.clone(),
        mac_address: interface.mac.clone(),
        ipv4_addresses: vec![acs::IPv4AddressAssignment {
            primary: true,
            private_address: interface.address.to_string(),
        }],
        subnet_gateway_ipv4_address: format!("{}/{}", interface.gateway, interface.prefix),
        domain_name: vec![domain.clone()],
        domain_name_servers: vec![interface.name_server.unwrap_or(interface.gateway).to_string()],
        private_dns_name: private_dns_name(region, interface.address),
        ..acs::ElasticNetworkInterface::default()
    })
}

/// What runs commands in a container.
fn exec_agent(task: &Task) -> Vec<acs::ManagedAgent> {
    let agent = acs::ManagedAgent {
        name: Some(acs::ManagedAgentName::ExecuteCommandAgent),
        properties: BTreeMap::new(),
    };
    if task.execute_command { vec![agent] } else { vec![] }
}

fn container(
    region: &Region,
    task: &Task,
    definition: &ContainerDefinition,
    state: &TaskContainer,
) -> acs::Container {
    let over = task.overrides.containers.iter().find(|over| over.name == definition.name);
    let mut environment: BTreeMap<String, String> = definition.environment.iter().cloned().collect();
    environment.extend(over.iter().flat_map(|over| over.environment.iter().cloned()));
    let command = over.and_then(|over| over.command.clone());
    let resource = format!("container/{}/{}/{}", task.cluster, task.id, state.id);
    acs::Container {
        name: definition.name.clone(),
        image: state.image_to_pull(),
        managed_agents: exec_agent(task),
        restart_policy: definition.restart_policy.as_ref().map(|policy| acs::RestartPolicy {
            enabled: policy.enabled,
            ignored_exit_codes: policy.ignored_exit_codes.clone(),
            restart_attempt_period: policy.attempt_period.map_or(0, integer),
        }),
        container_arn: Arn::new("ecs", region, &task.account, resource).to_string(),
        essential: definition.essential,
        command: command.unwrap_or_else(|| definition.command.clone()),
        entry_point: definition.entry_point.clone(),
        environment: environment.into(),
        cpu: integer(state.cpu),
        memory: state.memory.map_or(0, integer),
        port_mappings: definition
            .port_mappings
            .iter()
            .filter(|port| port.container_port > 0)
            .map(port)
            .collect(),
        mount_points: definition
            .mount_points
            .iter()
            .map(|mount| acs::MountPoint {
                source_volume: mount.source_volume.clone(),
                container_path: mount.container_path.clone(),
                read_only: mount.read_only,
            })
            .collect(),
        volumes_from: definition
            .volumes_from
            .iter()
            .map(|from| acs::VolumeFrom {
                source_container: from.source_container.clone(),
                read_only: from.read_only,
            })
            .collect(),
        depends_on: definition
            .depends_on
            .iter()
            .map(|dependency| acs::ContainerDependency {
                container_name: dependency.container.clone(),
                condition: Some(condition(dependency.condition)),
            })
            .collect(),
        start_timeout: definition.start_timeout.map_or(0, integer),
        stop_timeout: definition.stop_timeout.map_or(0, integer),
        health_check_type: definition.health_check.as_ref().map(|_| acs::HealthCheckType::Docker),
        secrets: secrets(region, definition),
        firelens_configuration: definition.firelens.as_ref().map(|firelens| acs::FirelensConfiguration {
            r#type: Some(match firelens.kind.as_str() {
                "fluentd" => acs::FirelensConfigurationType::Fluentd,
                _ => acs::FirelensConfigurationType::Fluentbit,
            }),
            options: firelens.options.clone().unwrap_or_default(),
        }),
        overrides: "{}".to_owned(),
        docker_config: Some(acs::DockerConfig {
            version: "1.41".to_owned(),
            config: docker_config(definition).to_string(),
            host_config: docker_host_config(definition, state).to_string(),
        }),
        ..acs::Container::default()
    }
}

fn port(port: &resources::ecs::PortMapping) -> acs::PortMapping {
    let udp = port.protocol == "udp";
    acs::PortMapping {
        container_port: i32::from(port.container_port),
        host_port: i32::from(port.container_port),
        protocol: Some(if udp { acs::TransportProtocol::Udp } else { acs::TransportProtocol::Tcp }),
        ..acs::PortMapping::default()
    }
}

fn condition(condition: DependencyCondition) -> acs::ContainerCondition {
    match condition {
        DependencyCondition::Start => acs::ContainerCondition::Start,
        DependencyCondition::Complete => acs::ContainerCondition::Complete,
        DependencyCondition::Success => acs::ContainerCondition::Success,
        DependencyCondition::Healthy => acs::ContainerCondition::Healthy,
    }
}

/// How an agent gets into an image's registry: with what the container names, else as ECR wants it for its own.
fn registry_authentication(
    region: &Region,
    registry: &RegistryHosts,
    task: &Task,
    definition: &ContainerDefinition,
    state: &TaskContainer,
    as_role: bool,
) -> Option<acs::RegistryAuthenticationData> {
    if let Some(secret) = &definition.repository_credentials {
        return Some(acs::RegistryAuthenticationData {
            r#type: Some(acs::AuthenticationType::Asm),
            asm_auth_data: Some(acs::ASMAuthData {
                credentials_parameter: secret.clone(),
                region: region.to_string(),
            }),
            ..acs::RegistryAuthenticationData::default()
        });
    }
    registry.have(&state.image).then(|| acs::RegistryAuthenticationData {
        r#type: Some(acs::AuthenticationType::Ecr),
        ecr_auth_data: Some(acs::ECRAuthData {
            registry_id: task.account.to_string(),
            region: region.to_string(),
            use_execution_role: as_role,
            ..acs::ECRAuthData::default()
        }),
        ..acs::RegistryAuthenticationData::default()
    })
}

/// Everything whose value the agent has to fetch: variables of the container, and options of its log driver.
fn secrets(region: &Region, definition: &ContainerDefinition) -> Vec<acs::Secret> {
    let variables =
        definition.secrets.iter().map(|source| secret(region, source, acs::SecretTarget::Container));
    let options = definition.log_configuration.iter().flat_map(|log| &log.secret_options);
    variables.chain(options.map(|source| secret(region, source, acs::SecretTarget::LogDriver))).collect()
}

fn secret(region: &Region, source: &SecretSource, target: acs::SecretTarget) -> acs::Secret {
    let in_secrets_manager = source.value_from.split(':').nth(2) == Some("secretsmanager");
    acs::Secret {
        name: source.name.clone(),
        value_from: source.value_from.clone(),
        region: region.to_string(),
        provider: Some(if in_secrets_manager { acs::SecretProvider::Asm } else { acs::SecretProvider::Ssm }),
        r#type: Some(acs::SecretType::EnvironmentVariable),
        target: Some(target),
        container_path: String::new(),
    }
}

fn docker_config(definition: &ContainerDefinition) -> Value {
    let mut config = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            config.insert(name.to_owned(), value);
        }
    };
    put("User", definition.user.as_ref().map(|user| json!(user)));
    put("WorkingDir", definition.working_directory.as_ref().map(|path| json!(path)));
    put("Labels", (!definition.docker_labels.is_empty()).then(|| json!(definition.docker_labels)));
    put("Tty", definition.pseudo_terminal.then_some(Value::Bool(true)));
    put("OpenStdin", definition.interactive.then_some(Value::Bool(true)));
    put("Healthcheck", definition.health_check.as_ref().map(health_check));
    Value::Object(config)
}

fn health_check(check: &HealthCheck) -> Value {
    let nanos = |seconds: u32| u64::from(seconds) * 1_000_000_000;
    json!({
        "Test": check.command,
        "Interval": nanos(check.interval),
        "Timeout": nanos(check.timeout),
        "StartPeriod": nanos(check.start_period),
        "Retries": check.retries,
    })
}

fn docker_host_config(definition: &ContainerDefinition, state: &TaskContainer) -> Value {
    let mut host = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            host.insert(name.to_owned(), value);
        }
    };
    put("ReadonlyRootfs", definition.readonly_root_filesystem.then_some(Value::Bool(true)));
    put("MemoryReservation", state.memory_reservation.map(|mib| json!(u64::from(mib) << 20)));
    let limits = definition.ulimits.iter();
    let limits: Vec<Value> =
        limits.map(|limit| json!({"Name": limit.name, "Soft": limit.soft, "Hard": limit.hard})).collect();
    put("Ulimits", (!limits.is_empty()).then_some(Value::Array(limits)));
    let sysctls: BTreeMap<_, _> = definition.system_controls.iter().cloned().collect();
    put("Sysctls", (!sysctls.is_empty()).then(|| json!(sysctls)));
    if let Some(log) = &definition.log_configuration {
        put("LogConfig", Some(json!({"Type": log.driver, "Config": log.options})));
    }
    if let Some(linux) = &definition.linux_parameters {
        put("CapAdd", (!linux.add_capabilities.is_empty()).then(|| json!(linux.add_capabilities)));
        put("CapDrop", (!linux.drop_capabilities.is_empty()).then(|| json!(linux.drop_capabilities)));
        put("Init", linux.init_process.then_some(Value::Bool(true)));
        put("ShmSize", linux.shared_memory_size.map(|mib| json!(u64::from(mib) << 20)));
        let tmpfs: BTreeMap<_, _> = linux
            .tmpfs
            .iter()
            .map(|tmpfs| {
                let size = format!("size={}m", tmpfs.size);
                let options: Vec<_> = std::iter::once(&size).chain(&tmpfs.mount_options).cloned().collect();
                (tmpfs.container_path.clone(), options.join(","))
            })
            .collect();
        put("Tmpfs", (!tmpfs.is_empty()).then(|| json!(tmpfs)));
    }
    Value::Object(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_lead_to_the_keys_of_tasks() {
        let region: Region = "us-east-1".parse().expect("a region");
        assert_eq!(
            task_key(&region, "arn:aws:ecs:us-east-1:123456789012:task/default/0a").as_deref(),
            Some("123456789012/default/0a")
        );
        assert_eq!(task_key(&region, "arn:aws:ecs:eu-west-1:123456789012:task/default/0a"), None);
    }
}
