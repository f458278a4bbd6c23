//! What must hold of a task definition as a whole.

use crate::containers;
use crate::errors::client;
use crate::refuse::{filled, refuse};
use crate::shapes as wire;
use crate::volumes;
use aws_wire::{RequestContext, ServiceError};
use resources::ecr::RegistryHosts;
use resources::ecs::{ContainerDefinition, DefinitionStatus, DependencyCondition, Tag, TaskDefinition};
use std::collections::{BTreeMap, BTreeSet};

/// Most containers of a task definition.
const MOST_CONTAINERS: usize = 10;

/// Checks a registration and makes it a task definition of revision 0, for the caller to number.
pub(crate) fn store(
    context: &RequestContext,
    registry: &RegistryHosts,
    input: wire::RegisterTaskDefinitionRequest,
) -> Result<TaskDefinition, ServiceError> {
    let wire::RegisterTaskDefinitionRequest {
        container_definitions,
        cpu,
        enable_fault_injection,
        ephemeral_storage,
        execution_role_arn,
        family,
        inference_accelerators,
        ipc_mode,
        memory,
        network_mode,
        pid_mode,
        placement_constraints,
        proxy_configuration,
        requires_compatibilities,
        runtime_platform,
        tags,
        task_role_arn,
        volumes,
    } = input;
    refuse(filled(inference_accelerators.as_ref()), "inferenceAccelerators")?;
    if ipc_mode.is_some() {
        return Err(client("Tasks using the Fargate launch type do not support ipcMode."));
    }
    if pid_mode == Some(wire::PidMode::Host) {
        return Err(client(
            "Tasks using the Fargate launch type do not support pidMode 'host'. The supported value for pidMode is \
             'task'.",
        ));
    }
    if filled(placement_constraints.as_ref()) {
        return Err(volumes::unsupported("constraints"));
    }
    refuse(proxy_configuration.is_some(), "proxyConfiguration")?;
    check_family(&family)?;
    let compatible = requires_compatibilities.unwrap_or_default();
    if compatible.is_empty() || compatible.iter().any(|c| *c != wire::Compatibility::Fargate) {
        return Err(client(
            "requiresCompatibilities must be FARGATE: this region has the Fargate launch type only.",
        ));
    }
    if network_mode != Some(wire::NetworkMode::Awsvpc) {
        return Err(client("Fargate only supports network mode ‘awsvpc’."));
    }
    let (cpu, memory) = fargate_size(cpu.as_deref(), memory.as_deref())?;
    let containers =
        container_definitions.into_iter().map(containers::store).collect::<Result<Vec<_>, _>>()?;
    let (volumes, volume_kinds) = volumes::store(volumes)?;
    check_containers(&containers, &volumes, cpu, memory)?;
    crate::logging::check_routers(&containers)?;
    crate::secrets::check(context, &containers)?;
    crate::execution_role::check(registry, &containers, execution_role_arn.as_deref())?;
    Ok(TaskDefinition {
        account: context.account.clone(),
        family,
        revision: 0,
        status: DefinitionStatus::Active,
        network_mode: "awsvpc".to_owned(),
        requires_compatibilities: vec!["FARGATE".to_owned()],
        cpu,
        memory,
        task_role_arn,
        execution_role_arn,
        containers,
        volumes,
        volume_kinds,
        pid_mode: pid_mode.map(|mode| mode.as_str().to_owned()),
        fault_injection: enable_fault_injection == Some(true),
        ephemeral_storage: ephemeral_storage.map(|storage| storage_size(&storage)).transpose()?,
        runtime_platform: runtime_platform.map(platform).transpose()?,
        tags: store_tags(tags)?,
        registered_at: context.time,
        registered_by: context.principal_arn.to_string(),
        deregistered_at: None,
    })
}

fn check_family(family: &str) -> Result<(), ServiceError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if family.is_empty() || family.len() > 255 || !family.bytes().all(plain) {
        return Err(client(
            "Family contains invalid characters. Up to 255 letters (uppercase and lowercase), numbers, hyphens, and \
             underscores are allowed.",
        ));
    }
    Ok(())
}

/// GiB of scratch space, within Fargate's bounds.
pub(crate) fn storage_size(storage: &wire::EphemeralStorage) -> Result<u32, ServiceError> {
    u32::try_from(storage.size_in_gi_b)
        .ok()
        .filter(|size| (21..=200).contains(size))
        .ok_or_else(|| client("Invalid ephemeralStorage.sizeInGiB: it must be between 21 and 200."))
}

fn platform(input: wire::RuntimePlatform) -> Result<(Option<String>, Option<String>), ServiceError> {
    let os = input.operating_system_family;
    if os.is_some_and(|os| os != wire::OSFamily::Linux) {
        return Err(client("This region runs Linux containers only."));
    }
    let own = if cfg!(target_arch = "aarch64") { "ARM64" } else { "X86_64" };
    let cpu = input.cpu_architecture.map(|cpu| cpu.as_str().to_owned());
    if cpu.as_deref().is_some_and(|cpu| cpu != own) {
        return Err(client(format!("This region has no host of that cpuArchitecture; it has {own}.")));
    }
    Ok((os.map(|os| os.as_str().to_owned()), cpu))
}

pub(crate) fn store_tags(tags: Option<Vec<wire::Tag>>) -> Result<Vec<Tag>, ServiceError> {
    let mut stored: Vec<Tag> = Vec::new();
    for tag in tags.unwrap_or_default() {
        let key = tag.key.unwrap_or_default();
        let value = tag.value.unwrap_or_default();
        if key.is_empty()
            || key.chars().count() > 128
            || value.chars().count() > 256
            || key.starts_with("aws:")
        {
            return Err(crate::errors::invalid(
                "Some tags contain invalid parameters. Please ensure tags are well formed.",
            ));
        }
        if stored.iter().any(|other| other.key == key) {
            return Err(crate::errors::invalid(
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            ));
        }
        stored.push(Tag { key, value });
    }
    if stored.len() > 50 {
        return Err(crate::errors::invalid("A resource has at most 50 tags."));
    }
    Ok(stored)
}

/// CPU units and MiB of a Fargate task, when they are a pair that exists.
pub(crate) fn fargate_size(cpu: Option<&str>, memory: Option<&str>) -> Result<(u32, u32), ServiceError> {
    let cpu = cpu.ok_or_else(|| client("Fargate requires that 'cpu' be defined at the task level."))?;
    let memory =
        memory.ok_or_else(|| client("Fargate requires that 'memory' be defined at the task level."))?;
    let units =
        quantity(cpu, "VCPU").ok_or_else(|| client(format!("Invalid 'cpu' setting for task: {cpu}")))?;
    let mib = quantity(memory, "GB")
        .ok_or_else(|| client(format!("Invalid 'memory' setting for task: {memory}")))?;
    let gib = |from: u32, to: u32, step: u32| (from..=to).step_by(step as usize).any(|gib| gib * 1024 == mib);
    let fits = match units {
        256 => mib == 512 || gib(1, 2, 1),
        512 => gib(1, 4, 1),
        1024 => gib(2, 8, 1),
        2048 => gib(4, 16, 1),
        4096 => gib(8, 30, 1),
        8192 => gib(16, 60, 4),
        16384 => gib(32, 120, 8),
        _ => return Err(client(format!("Invalid 'cpu' setting for task: {cpu}"))),
    };
    if fits { Ok((units, mib)) } else { Err(client("No Fargate configuration exists for given values.")) }
}

/// `1024`, `1 vCPU`, `.5 vCPU`, `2GB`: units of 1/1024.
fn quantity(text: &str, unit: &str) -> Option<u32> {
    let upper = text.trim().to_ascii_uppercase();
    match upper.strip_suffix(unit) {
        None => upper.parse().ok(),
        Some(number) => {
            let number: f64 = number.trim().parse().ok()?;
            let scaled = number * 1024.0;
            (scaled.fract() == 0.0 && (0.0..1e9).contains(&scaled)).then_some(scaled as u32)
        }
    }
}

fn check_containers(
    containers: &[ContainerDefinition],
    volumes: &[String],
    cpu: u32,
    memory: u32,
) -> Result<(), ServiceError> {
    if containers.is_empty() || containers.len() > MOST_CONTAINERS {
        return Err(client(format!("A task definition has 1 to {MOST_CONTAINERS} containers.")));
    }
    let mut by_name = BTreeMap::new();
    for container in containers {
        if by_name.insert(container.name.as_str(), container).is_some() {
            return Err(client(format!("Duplicate container name: {}.", container.name)));
        }
    }
    if !containers.iter().any(|container| container.essential) {
        return Err(client("At least one container must be marked as essential."));
    }
    if volumes.iter().collect::<BTreeSet<_>>().len() != volumes.len() {
        return Err(client("Duplicate volume name."));
    }
    for container in containers {
        check_references(container, &by_name, volumes)?;
    }
    let needed: u32 = containers.iter().map(|c| c.memory_reservation.or(c.memory).unwrap_or(0)).sum();
    let hard = containers.iter().filter_map(|c| c.memory).max().unwrap_or(0);
    if needed > memory || hard > memory {
        return Err(client(
            "The 'memory' of the containers must not be greater than the 'memory' of the task.",
        ));
    }
    if containers.iter().map(|c| c.cpu).sum::<u32>() > cpu {
        return Err(client("The 'cpu' of the containers must not be greater than the 'cpu' of the task."));
    }
    check_no_cycle(&by_name)
}

fn check_references(
    container: &ContainerDefinition,
    by_name: &BTreeMap<&str, &ContainerDefinition>,
    volumes: &[String],
) -> Result<(), ServiceError> {
    for mount in &container.mount_points {
        if !volumes.contains(&mount.source_volume) {
            return Err(client(format!("Unknown volume '{}'.", mount.source_volume)));
        }
    }
    for from in &container.volumes_from {
        if !by_name.contains_key(from.source_container.as_str()) || from.source_container == container.name {
            return Err(client(format!("Unknown container '{}' in volumesFrom.", from.source_container)));
        }
    }
    for dependency in &container.depends_on {
        let Some(other) = by_name.get(dependency.container.as_str()) else {
            return Err(client(format!(
                "Dependency container '{}' of container '{}' does not exist.",
                dependency.container, container.name
            )));
        };
        match dependency.condition {
            DependencyCondition::Healthy if other.health_check.is_none() => {
                return Err(client(format!(
                    "Container '{}' depends on container '{}' being HEALTHY, but it has no health check.",
                    container.name, other.name
                )));
            }
            DependencyCondition::Complete | DependencyCondition::Success if other.essential => {
                return Err(client(format!(
                    "Container '{}' must not be essential, since '{}' waits for it to end.",
                    other.name, container.name
                )));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Takes away containers that wait for none that is left, until none is left or all wait for each other.
fn check_no_cycle(by_name: &BTreeMap<&str, &ContainerDefinition>) -> Result<(), ServiceError> {
    let mut left: BTreeSet<&str> = by_name.keys().copied().collect();
    loop {
        let free = left.iter().copied().find(|name| {
            let container = by_name[name];
            let waits = container.depends_on.iter().map(|dependency| dependency.container.as_str());
            let borrows = container.volumes_from.iter().map(|from| from.source_container.as_str());
            !waits.chain(borrows).any(|other| left.contains(other))
        });
        match free {
            Some(name) => drop(left.remove(name)),
            None if left.is_empty() => return Ok(()),
            None => return Err(client("Circular dependency between containers.")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (cpu, memory, size) in [
            ("256", "512", Some((256, 512))),
            (".25 vCPU", "0.5 GB", Some((256, 512))),
            ("1 vcpu", "2GB", Some((1024, 2048))),
            ("8192", "61440", Some((8192, 61440))),
            ("8192", "17408", None),
            ("16384", "122880", Some((16384, 122_880))),
            ("256", "3072", None),
            ("300", "512", None),
            ("x", "512", None),
            ("256", "NaN GB", None),
        ] {
            assert_eq!(fargate_size(Some(cpu), Some(memory)).ok(), size, "{cpu} {memory}");
        }
        assert!(fargate_size(None, Some("512")).is_err());
    }
}
