//! Container definitions: taken apart without a rest, checked, stored, and rendered again.

use crate::errors::client;
use crate::logging;
use crate::refuse::{filled, refuse};
use crate::shapes as wire;
use crate::volumes::unsupported;
use aws_wire::ServiceError;
use resources::ecs::{
    ContainerDefinition, Dependency, DependencyCondition, HealthCheck, LinuxParameters, MountPoint,
    PortMapping, Task, Tmpfs, Ulimit, VersionConsistency, VolumeFrom,
};

/// Longest start and stop timeout of Fargate, in seconds.
const MOST_TIMEOUT: i32 = 120;
/// Shortest start and stop timeout of Fargate, in seconds.
const LEAST_TIMEOUT: i32 = 2;

type Pairs = Vec<(String, String)>;

/// Checks a container definition and makes it a stored one.
pub(crate) fn store(input: wire::ContainerDefinition) -> Result<ContainerDefinition, ServiceError> {
    let wire::ContainerDefinition {
        command,
        cpu,
        credential_specs,
        depends_on,
        disable_networking,
        dns_search_domains,
        dns_servers,
        docker_labels,
        docker_security_options,
        entry_point,
        environment,
        environment_files,
        essential,
        extra_hosts,
        firelens_configuration,
        health_check,
        hostname,
        image,
        interactive,
        links,
        linux_parameters,
        log_configuration,
        memory,
        memory_reservation,
        mount_points,
        name,
        port_mappings,
        privileged,
        pseudo_terminal,
        readonly_root_filesystem,
        repository_credentials,
        resource_requirements,
        restart_policy,
        secrets,
        start_timeout,
        stop_timeout,
        system_controls,
        ulimits,
        user,
        version_consistency,
        volumes_from,
        working_directory,
    } = input;
    refuse(filled(credential_specs.as_ref()), "credentialSpecs")?;
    not_on_fargate(disable_networking == Some(true), "disableNetworking")?;
    not_on_fargate(filled(dns_search_domains.as_ref()), "dnsSearchDomains")?;
    not_on_fargate(filled(dns_servers.as_ref()), "dnsServers")?;
    not_on_fargate(filled(docker_security_options.as_ref()), "dockerSecurityOptions")?;
    refuse(filled(environment_files.as_ref()), "environmentFiles")?;
    not_on_fargate(filled(extra_hosts.as_ref()), "extraHosts")?;
    if hostname.is_some_and(|name| !name.is_empty()) {
        return Err(client("hostname is not supported on container when networkMode=awsvpc."));
    }
    if filled(links.as_ref()) {
        return Err(client("Links are not supported when networkMode=awsvpc."));
    }
    not_on_fargate(privileged == Some(true), "privileged")?;
    resources_wanted(resource_requirements.as_deref())?;
    let name = name_of(name)?;
    let image = image.filter(|image| !image.trim().is_empty());
    let definition = ContainerDefinition {
        image: image.ok_or_else(|| client("Container.image should not be null or empty."))?,
        cpu: not_negative(cpu.unwrap_or(0), "cpu")?,
        memory: memory_limit(memory, "memory")?,
        memory_reservation: memory_limit(memory_reservation, "memoryReservation")?,
        essential: essential.unwrap_or(true),
        command: command.unwrap_or_default(),
        entry_point: entry_point.unwrap_or_default(),
        environment: pairs(environment)?,
        working_directory,
        user,
        port_mappings: port_mappings.unwrap_or_default().into_iter().map(port).collect::<Result<_, _>>()?,
        mount_points: mount_points.unwrap_or_default().into_iter().map(mount).collect::<Result<_, _>>()?,
        volumes_from: volumes_from
            .unwrap_or_default()
            .into_iter()
            .map(volume_from)
            .collect::<Result<_, _>>()?,
        depends_on: depends_on.unwrap_or_default().into_iter().map(dependency).collect(),
        health_check: health_check.map(check).transpose()?,
        start_timeout: start_timeout.map(|seconds| timeout(seconds, "startTimeout")).transpose()?,
        stop_timeout: stop_timeout.map(|seconds| timeout(seconds, "stopTimeout")).transpose()?,
        readonly_root_filesystem: readonly_root_filesystem.unwrap_or(false),
        linux_parameters: linux_parameters.map(linux).transpose()?,
        ulimits: ulimits.unwrap_or_default().into_iter().map(ulimit).collect::<Result<_, _>>()?,
        log_configuration: log_configuration.map(logging::store).transpose()?,
        docker_labels: docker_labels.unwrap_or_default(),
        system_controls: controls(system_controls)?,
        secrets: crate::secrets::store(secrets)?,
        repository_credentials: crate::secrets::store_credentials(repository_credentials)?,
        interactive: interactive.unwrap_or(false),
        pseudo_terminal: pseudo_terminal.unwrap_or(false),
        firelens: firelens_configuration.map(logging::store_router).transpose()?,
        restart_policy: restart_policy.map(crate::restart::store).transpose()?,
        version_consistency: version_consistency.map(|given| match given {
            wire::VersionConsistency::Enabled => VersionConsistency::Enabled,
            wire::VersionConsistency::Disabled => VersionConsistency::Disabled,
        }),
        name,
    };
    if let (Some(hard), Some(soft)) = (definition.memory, definition.memory_reservation)
        && soft > hard
    {
        return Err(client(
            "The 'memory' setting for container must be greater than or equal to 'memoryReservation'.",
        ));
    }
    Ok(definition)
}

fn name_of(name: Option<String>) -> Result<String, ServiceError> {
    let name = name.filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| client("Container.name should not be null or empty."))?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if name.len() > 255 || !name.bytes().all(plain) {
        return Err(client(
            "Container.name contains invalid characters. Up to 255 letters (uppercase and lowercase), numbers, \
             underscores, and hyphens are allowed.",
        ));
    }
    Ok(name)
}

pub(crate) fn not_negative(value: i32, name: &str) -> Result<u32, ServiceError> {
    u32::try_from(value).map_err(|_| client(format!("Invalid '{name}' setting: {value} is negative.")))
}

pub(crate) fn memory_limit(value: Option<i32>, name: &str) -> Result<Option<u32>, ServiceError> {
    match value {
        None => Ok(None),
        Some(value) if value < 6 => {
            Err(client(format!("Invalid '{name}' setting for container: at least 6 MiB are needed.")))
        }
        Some(value) => not_negative(value, name).map(Some),
    }
}

fn timeout(seconds: i32, name: &str) -> Result<u32, ServiceError> {
    u32::try_from(seconds).ok().filter(|_| (LEAST_TIMEOUT..=MOST_TIMEOUT).contains(&seconds)).ok_or_else(|| {
        client(format!(
            "Invalid '{name}' setting for container: on Fargate it is between {LEAST_TIMEOUT} and {MOST_TIMEOUT} \
             seconds."
        ))
    })
}

fn not_on_fargate(given: bool, parameter: &str) -> Result<(), ServiceError> {
    if given { Err(unsupported(parameter)) } else { Ok(()) }
}

/// Fargate has neither of the resources that there are.
pub(crate) fn resources_wanted(given: Option<&[wire::ResourceRequirement]>) -> Result<(), ServiceError> {
    match given.and_then(|wanted| wanted.first()).map(|wanted| wanted.r#type) {
        None => Ok(()),
        Some(wire::ResourceType::Gpu) => {
            Err(client("Tasks using the Fargate launch type do not support GPU resource requirements."))
        }
        Some(other) => Err(client(format!(
            "Tasks using the Fargate launch type do not support {} resource requirements.",
            other.as_str()
        ))),
    }
}

pub(crate) fn pairs(list: Option<Vec<wire::KeyValuePair>>) -> Result<Pairs, ServiceError> {
    list.unwrap_or_default()
        .into_iter()
        .map(|pair| {
            let name = pair.name.filter(|name| !name.is_empty() && !name.contains(['=', '\0']));
            let name =
                name.ok_or_else(|| client("Environment variable name must not be empty or contain '='."))?;
            Ok((name, pair.value.unwrap_or_default()))
        })
        .collect()
}

fn port(input: wire::PortMapping) -> Result<PortMapping, ServiceError> {
    let wire::PortMapping { app_protocol, container_port, container_port_range, host_port, name, protocol } =
        input;
    let number = container_port.unwrap_or(0);
    let container_port = match &container_port_range {
        Some(_) if number != 0 || host_port.is_some_and(|host| host != 0) => {
            return Err(client(
                "A port mapping has either a containerPortRange or a containerPort and a hostPort.",
            ));
        }
        Some(range) if !is_range(range) => {
            return Err(client(format!("Invalid containerPortRange: {range}.")));
        }
        Some(_) => 0,
        None => u16::try_from(number)
            .ok()
            .filter(|port| *port > 0)
            .ok_or_else(|| client(format!("Invalid container port: {number}.")))?,
    };
    if host_port.is_some_and(|host| host != 0 && host != number) {
        return Err(client(
            "When networkMode=awsvpc, the host ports and container ports in port mappings must match.",
        ));
    }
    let protocol = protocol.unwrap_or_default().as_str().to_owned();
    let app_protocol = app_protocol.map(|protocol| protocol.as_str().to_owned());
    Ok(PortMapping { container_port, protocol, name, app_protocol, container_port_range })
}

/// `FIRST-LAST`, both ports.
fn is_range(range: &str) -> bool {
    let port = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
    range
        .split_once('-')
        .and_then(|(first, last)| Some((port(first)?, port(last)?)))
        .is_some_and(|(first, last)| first <= last)
}

fn mount(input: wire::MountPoint) -> Result<MountPoint, ServiceError> {
    let path = input
        .container_path
        .filter(|path| path.starts_with('/') && !path.split('/').any(|part| part == ".."));
    Ok(MountPoint {
        source_volume: input.source_volume.unwrap_or_default(),
        container_path: path.ok_or_else(|| client("Container path must be an absolute path."))?,
        read_only: input.read_only.unwrap_or(false),
    })
}

fn volume_from(input: wire::VolumeFrom) -> Result<VolumeFrom, ServiceError> {
    let source = input.source_container.filter(|source| !source.is_empty());
    Ok(VolumeFrom {
        source_container: source.ok_or_else(|| client("volumesFrom.sourceContainer should not be empty."))?,
        read_only: input.read_only.unwrap_or(false),
    })
}

fn dependency(input: wire::ContainerDependency) -> Dependency {
    let condition = match input.condition {
        wire::ContainerCondition::Start => DependencyCondition::Start,
        wire::ContainerCondition::Complete => DependencyCondition::Complete,
        wire::ContainerCondition::Success => DependencyCondition::Success,
        wire::ContainerCondition::Healthy => DependencyCondition::Healthy,
    };
    Dependency { container: input.container_name, condition }
}

fn check(input: wire::HealthCheck) -> Result<HealthCheck, ServiceError> {
    let within = |value: Option<i32>, default: u32, from: u32, to: u32, name: &str| {
        let value = value.map_or(Ok(default), |value| not_negative(value, name))?;
        if (from..=to).contains(&value) {
            Ok(value)
        } else {
            Err(client(format!("healthCheck.{name} must be between {from} and {to}.")))
        }
    };
    let kind = input.command.first().map(String::as_str);
    if !matches!(kind, Some("CMD" | "CMD-SHELL")) || input.command.len() < 2 {
        return Err(client("healthCheck.command must begin with CMD or CMD-SHELL and name a command."));
    }
    Ok(HealthCheck {
        interval: within(input.interval, 30, 5, 300, "interval")?,
        timeout: within(input.timeout, 5, 2, 60, "timeout")?,
        retries: within(input.retries, 3, 1, 10, "retries")?,
        start_period: within(input.start_period, 0, 0, 300, "startPeriod")?,
        command: input.command,
    })
}

fn linux(input: wire::LinuxParameters) -> Result<LinuxParameters, ServiceError> {
    let wire::LinuxParameters {
        capabilities,
        devices,
        init_process_enabled,
        max_swap,
        shared_memory_size,
        swappiness,
        tmpfs,
    } = input;
    not_on_fargate(filled(devices.as_ref()), "devices")?;
    not_on_fargate(max_swap.is_some(), "maxSwap")?;
    not_on_fargate(swappiness.is_some(), "swappiness")?;
    let capabilities = capabilities.unwrap_or_default();
    let add = capabilities.add.unwrap_or_default();
    if let Some(other) = add.iter().find(|name| *name != "SYS_PTRACE") {
        return Err(client(format!("Fargate tasks cannot add the capability {other}; only SYS_PTRACE.")));
    }
    Ok(LinuxParameters {
        add_capabilities: add,
        drop_capabilities: capabilities.drop.unwrap_or_default(),
        init_process: init_process_enabled.unwrap_or(false),
        shared_memory_size: shared_memory_size
            .map(|size| not_negative(size, "sharedMemorySize"))
            .transpose()?,
        tmpfs: tmpfs.unwrap_or_default().into_iter().map(memory_file_system).collect::<Result<_, _>>()?,
    })
}

fn memory_file_system(input: wire::Tmpfs) -> Result<Tmpfs, ServiceError> {
    if !input.container_path.starts_with('/') {
        return Err(client("linuxParameters.tmpfs.containerPath must be an absolute path."));
    }
    Ok(Tmpfs {
        size: not_negative(input.size, "linuxParameters.tmpfs.size")?,
        container_path: input.container_path,
        mount_options: input.mount_options.unwrap_or_default(),
    })
}

fn ulimit(input: wire::Ulimit) -> Result<Ulimit, ServiceError> {
    if input.hard_limit >= 0 && (input.soft_limit > input.hard_limit || input.soft_limit < 0) {
        return Err(client("The soft limit of a ulimit must not be greater than its hard limit."));
    }
    Ok(Ulimit {
        name: input.name.as_str().to_owned(),
        soft: i64::from(input.soft_limit),
        hard: i64::from(input.hard_limit),
    })
}

fn controls(list: Option<Vec<wire::SystemControl>>) -> Result<Pairs, ServiceError> {
    list.unwrap_or_default()
        .into_iter()
        .map(|control| match (control.namespace, control.value) {
            // Other namespaces belong to the machine, not to the task.
            (Some(name), Some(value)) if name.starts_with("net.") => Ok((name, value)),
            (name, _) => Err(client(format!("Invalid system control: {}.", name.unwrap_or_default()))),
        })
        .collect()
}

/// A stored container definition as the API shows it.
pub(crate) fn render(container: &ContainerDefinition) -> wire::ContainerDefinition {
    let texts = |list: &Vec<String>| (!list.is_empty()).then(|| list.clone());
    wire::ContainerDefinition {
        name: Some(container.name.clone()),
        image: Some(container.image.clone()),
        cpu: Some(container.cpu as i32),
        memory: container.memory.map(|memory| memory as i32),
        memory_reservation: container.memory_reservation.map(|memory| memory as i32),
        essential: Some(container.essential),
        command: texts(&container.command),
        entry_point: texts(&container.entry_point),
        environment: Some(key_values(&container.environment)),
        working_directory: container.working_directory.clone(),
        user: container.user.clone(),
        port_mappings: Some(container.port_mappings.iter().map(render_port).collect()),
        mount_points: Some(container.mount_points.iter().map(render_mount).collect()),
        volumes_from: Some(container.volumes_from.iter().map(render_volume_from).collect()),
        depends_on: some_list(&container.depends_on, render_dependency),
        health_check: container.health_check.as_ref().map(render_check),
        start_timeout: container.start_timeout.map(|seconds| seconds as i32),
        stop_timeout: container.stop_timeout.map(|seconds| seconds as i32),
        readonly_root_filesystem: container.readonly_root_filesystem.then_some(true),
        linux_parameters: container.linux_parameters.as_ref().map(render_linux),
        ulimits: some_list(&container.ulimits, |limit| wire::Ulimit {
            name: limit.name.parse().unwrap_or_default(),
            soft_limit: limit.soft as i32,
            hard_limit: limit.hard as i32,
        }),
        log_configuration: container.log_configuration.as_ref().map(logging::render),
        firelens_configuration: container.firelens.as_ref().map(logging::render_router),
        interactive: container.interactive.then_some(true),
        pseudo_terminal: container.pseudo_terminal.then_some(true),
        secrets: crate::secrets::render(&container.secrets),
        restart_policy: container.restart_policy.as_ref().map(crate::restart::render),
        version_consistency: container.version_consistency.map(|own| match own {
            VersionConsistency::Enabled => wire::VersionConsistency::Enabled,
            VersionConsistency::Disabled => wire::VersionConsistency::Disabled,
        }),
        repository_credentials: container
            .repository_credentials
            .as_ref()
            .map(|secret| wire::RepositoryCredentials { credentials_parameter: secret.clone() }),
        docker_labels: (!container.docker_labels.is_empty()).then(|| container.docker_labels.clone()),
        system_controls: Some(
            container
                .system_controls
                .iter()
                .map(|(name, value)| wire::SystemControl {
                    namespace: Some(name.clone()),
                    value: Some(value.clone()),
                })
                .collect(),
        ),
        ..wire::ContainerDefinition::default()
    }
}

fn some_list<T, U>(list: &[T], render: impl Fn(&T) -> U) -> Option<Vec<U>> {
    (!list.is_empty()).then(|| list.iter().map(render).collect())
}

fn key_values(pairs: &[(String, String)]) -> Vec<wire::KeyValuePair> {
    pairs
        .iter()
        .map(|(name, value)| wire::KeyValuePair { name: Some(name.clone()), value: Some(value.clone()) })
        .collect()
}

fn render_port(port: &PortMapping) -> wire::PortMapping {
    let single = port.container_port_range.is_none().then(|| i32::from(port.container_port));
    wire::PortMapping {
        container_port: single,
        host_port: single,
        protocol: port.protocol.parse().ok(),
        name: port.name.clone(),
        app_protocol: port.app_protocol.as_ref().and_then(|protocol| protocol.parse().ok()),
        container_port_range: port.container_port_range.clone(),
    }
}

fn render_mount(mount: &MountPoint) -> wire::MountPoint {
    wire::MountPoint {
        source_volume: Some(mount.source_volume.clone()),
        container_path: Some(mount.container_path.clone()),
        read_only: Some(mount.read_only),
    }
}

fn render_volume_from(from: &VolumeFrom) -> wire::VolumeFrom {
    wire::VolumeFrom {
        source_container: Some(from.source_container.clone()),
        read_only: Some(from.read_only),
    }
}

fn render_dependency(dependency: &Dependency) -> wire::ContainerDependency {
    wire::ContainerDependency {
        container_name: dependency.container.clone(),
        condition: match dependency.condition {
            DependencyCondition::Start => wire::ContainerCondition::Start,
            DependencyCondition::Complete => wire::ContainerCondition::Complete,
            DependencyCondition::Success => wire::ContainerCondition::Success,
            DependencyCondition::Healthy => wire::ContainerCondition::Healthy,
        },
    }
}

fn render_check(check: &HealthCheck) -> wire::HealthCheck {
    wire::HealthCheck {
        command: check.command.clone(),
        interval: Some(check.interval as i32),
        timeout: Some(check.timeout as i32),
        retries: Some(check.retries as i32),
        start_period: (check.start_period > 0).then_some(check.start_period as i32),
    }
}

fn render_linux(linux: &LinuxParameters) -> wire::LinuxParameters {
    wire::LinuxParameters {
        capabilities: Some(wire::KernelCapabilities {
            add: Some(linux.add_capabilities.clone()),
            drop: Some(linux.drop_capabilities.clone()),
        }),
        init_process_enabled: Some(linux.init_process),
        shared_memory_size: linux.shared_memory_size.map(|size| size as i32),
        tmpfs: some_list(&linux.tmpfs, |tmpfs| wire::Tmpfs {
            container_path: tmpfs.container_path.clone(),
            size: tmpfs.size as i32,
            mount_options: Some(tmpfs.mount_options.clone()),
        }),
        ..wire::LinuxParameters::default()
    }
}

/// The overrides of a task as the API shows them.
pub(crate) fn render_override(task: &Task) -> wire::TaskOverride {
    let over = &task.overrides;
    let containers = over.containers.iter().map(|container| wire::ContainerOverride {
        name: Some(container.name.clone()),
        command: container.command.clone(),
        environment: (!container.environment.is_empty()).then(|| key_values(&container.environment)),
        cpu: container.cpu.map(|cpu| cpu as i32),
        memory: container.memory.map(|memory| memory as i32),
        memory_reservation: container.memory_reservation.map(|memory| memory as i32),
        ..wire::ContainerOverride::default()
    });
    wire::TaskOverride {
        container_overrides: Some(containers.collect()),
        cpu: over.cpu.clone(),
        memory: over.memory.clone(),
        task_role_arn: over.task_role_arn.clone(),
        execution_role_arn: over.execution_role_arn.clone(),
        ephemeral_storage: over
            .ephemeral_storage
            .map(|size| wire::EphemeralStorage { size_in_gi_b: size as i32 }),
        inference_accelerator_overrides: Some(vec![]),
    }
}
