//! Stored resources as wire shapes.

pub(crate) mod service;
pub(crate) mod shift;

use crate::arns::{arn, cluster_arn, definition_arn, task_arn};
use crate::capacity::render_strategy;
use crate::containers;
use crate::shapes as wire;
use crate::volumes;
use aws_wire::RequestContext;
use resources::ec2::private_dns_name;
use resources::ecs::{
    Cluster, ClusterStatus, ContainerInstance, DefinitionStatus, ExecAgent, HealthStatus, InstanceStatus,
    NetworkInterface, StopCode, Tag, Task, TaskContainer, TaskDefinition, TaskStatus,
};

pub(crate) fn tags(tags: &[Tag]) -> Vec<wire::Tag> {
    tags.iter().map(|tag| wire::Tag { key: Some(tag.key.clone()), value: Some(tag.value.clone()) }).collect()
}

/// Tasks of a cluster by what they count as, and its services.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) running: i32,
    pub(crate) pending: i32,
    /// Also those that are draining.
    pub(crate) services: i32,
    pub(crate) active_services: i32,
}

impl Counts {
    pub(crate) fn add(&mut self, task: &Task) {
        match task.last_status {
            TaskStatus::Running => self.running += 1,
            TaskStatus::Provisioning | TaskStatus::Pending | TaskStatus::Activating => self.pending += 1,
            _ => {}
        }
    }
}

pub(crate) fn cluster(context: &RequestContext, cluster: &Cluster, counts: Counts) -> wire::Cluster {
    let settings = cluster
        .settings
        .iter()
        .map(|(name, value)| wire::ClusterSetting { name: name.parse().ok(), value: Some(value.clone()) });
    let status = if cluster.status == ClusterStatus::Active { "ACTIVE" } else { "INACTIVE" };
    wire::Cluster {
        cluster_arn: Some(cluster_arn(context, &cluster.name)),
        cluster_name: Some(cluster.name.clone()),
        status: Some(status.to_owned()),
        registered_container_instances_count: Some(0),
        running_tasks_count: Some(counts.running),
        pending_tasks_count: Some(counts.pending),
        active_services_count: Some(counts.active_services),
        statistics: Some(vec![]),
        tags: Some(vec![]),
        settings: Some(settings.collect()),
        configuration: crate::exec::render_configuration(cluster),
        capacity_providers: Some(cluster.capacity_providers.clone()),
        default_capacity_provider_strategy: Some(render_strategy(&cluster.default_strategy)),
        service_connect_defaults: cluster
            .connect_namespace
            .clone()
            .map(|arn| wire::ClusterServiceConnectDefaults { namespace: Some(arn) }),
        ..wire::Cluster::default()
    }
}

pub(crate) fn definition(context: &RequestContext, definition: &TaskDefinition) -> wire::TaskDefinition {
    let compatible = |names: &[String]| names.iter().filter_map(|name| name.parse().ok()).collect::<Vec<_>>();
    let mut compatibilities = vec![wire::Compatibility::Ec2];
    compatibilities.extend(
        compatible(&definition.requires_compatibilities)
            .into_iter()
            .filter(|c| *c != wire::Compatibility::Ec2),
    );
    wire::TaskDefinition {
        task_definition_arn: Some(definition_arn(context, &definition.family, definition.revision)),
        family: Some(definition.family.clone()),
        revision: i32::try_from(definition.revision).ok(),
        status: Some(match definition.status {
            DefinitionStatus::Active => wire::TaskDefinitionStatus::Active,
            DefinitionStatus::Inactive => wire::TaskDefinitionStatus::Inactive,
            DefinitionStatus::DeleteInProgress => wire::TaskDefinitionStatus::DeleteInProgress,
        }),
        container_definitions: Some(definition.containers.iter().map(containers::render).collect()),
        network_mode: definition.network_mode.parse().ok(),
        requires_compatibilities: Some(compatible(&definition.requires_compatibilities)),
        compatibilities: Some(compatibilities),
        cpu: Some(definition.cpu.to_string()),
        memory: Some(definition.memory.to_string()),
        task_role_arn: definition.task_role_arn.clone(),
        execution_role_arn: definition.execution_role_arn.clone(),
        volumes: Some(volumes::render(definition)),
        placement_constraints: Some(vec![]),
        pid_mode: definition.pid_mode.as_ref().and_then(|mode| mode.parse().ok()),
        enable_fault_injection: Some(definition.fault_injection),
        ephemeral_storage: definition
            .ephemeral_storage
            .map(|size| wire::EphemeralStorage { size_in_gi_b: size as i32 }),
        runtime_platform: definition.runtime_platform.as_ref().map(|(os, cpu)| wire::RuntimePlatform {
            operating_system_family: os.as_ref().and_then(|os| os.parse().ok()),
            cpu_architecture: cpu.as_ref().and_then(|cpu| cpu.parse().ok()),
        }),
        registered_at: Some(definition.registered_at),
        registered_by: Some(definition.registered_by.clone()),
        deregistered_at: definition.deregistered_at,
        ..wire::TaskDefinition::default()
    }
}

pub(crate) fn task(context: &RequestContext, task: &Task, with_tags: bool) -> wire::Task {
    let own_arn = task_arn(context, &task.cluster, &task.id);
    let containers = task.containers.iter().map(|c| container(context, task, c, &own_arn)).collect();
    wire::Task {
        attachments: Some(attachments(context, task)),
        attributes: Some(vec![wire::Attribute {
            name: "ecs.cpu-architecture".to_owned(),
            value: Some(std::env::consts::ARCH.to_owned()),
            ..wire::Attribute::default()
        }]),
        availability_zone: Some(format!(
            "{}{}",
            context.region,
            task.network_interface.as_ref().map_or("a", |own| own.zone.as_str())
        )),
        capacity_provider_name: task.capacity_provider.clone(),
        cluster_arn: Some(cluster_arn(context, &task.cluster)),
        connectivity: task.connectivity_at.map(|_| wire::Connectivity::Connected),
        connectivity_at: task.connectivity_at,
        containers: Some(containers),
        cpu: Some(task.cpu.to_string()),
        created_at: Some(task.created_at),
        desired_status: Some(task.desired_status.as_str().to_owned()),
        enable_execute_command: Some(task.execute_command),
        ephemeral_storage: Some(wire::EphemeralStorage { size_in_gi_b: task.ephemeral_storage as i32 }),
        execution_stopped_at: task.execution_stopped_at,
        fargate_ephemeral_storage: Some(wire::TaskEphemeralStorage {
            size_in_gi_b: Some(task.ephemeral_storage as i32),
            ..wire::TaskEphemeralStorage::default()
        }),
        group: Some(task.group.clone()),
        health_status: Some(health(task.health())),
        inference_accelerators: Some(vec![]),
        last_status: Some(task.last_status.as_str().to_owned()),
        launch_type: Some(wire::LaunchType::Fargate),
        memory: Some(task.memory.to_string()),
        overrides: Some(containers::render_override(task)),
        platform_family: Some("Linux".to_owned()),
        platform_version: Some("1.4.0".to_owned()),
        pull_started_at: task.pull_started_at,
        pull_stopped_at: task.pull_stopped_at,
        started_at: task.started_at,
        started_by: task.started_by.clone(),
        stop_code: task.stop_code.map(|code| match code {
            StopCode::TaskFailedToStart => wire::TaskStopCode::TaskFailedToStart,
            StopCode::EssentialContainerExited => wire::TaskStopCode::EssentialContainerExited,
            StopCode::UserInitiated => wire::TaskStopCode::UserInitiated,
            StopCode::ServiceSchedulerInitiated => wire::TaskStopCode::ServiceSchedulerInitiated,
            StopCode::SpotInterruption => wire::TaskStopCode::SpotInterruption,
        }),
        stopped_at: task.stopped_at,
        stopped_reason: task.stopped_reason.clone(),
        stopping_at: task.stopping_at,
        tags: Some(if with_tags { tags(&task.tags) } else { vec![] }),
        task_arn: Some(own_arn),
        task_definition_arn: Some(definition_arn(context, &task.family, task.revision)),
        version: i64::try_from(task.version).ok(),
        ..wire::Task::default()
    }
}

fn attachments(context: &RequestContext, task: &Task) -> Vec<wire::Attachment> {
    let status = match task.last_status {
        TaskStatus::Provisioning | TaskStatus::Pending => "ATTACHING",
        TaskStatus::Stopped => "DELETED",
        _ => "ATTACHED",
    };
    let interface = task.network_interface.iter().map(|interface| attachment(context, interface, status));
    let volumes = task.volumes.iter().map(|volume| volumes::attachment(context, volume, status));
    interface.chain(volumes).collect()
}

fn attachment(context: &RequestContext, interface: &NetworkInterface, status: &str) -> wire::Attachment {
    let detail = |name: &str, value: &str| wire::KeyValuePair {
        name: Some(name.to_owned()),
        value: Some(value.to_owned()),
    };
    let address = interface.address.to_string();
    wire::Attachment {
        id: Some(interface.attachment_id.clone()),
        r#type: Some("ElasticNetworkInterface".to_owned()),
        status: Some(status.to_owned()),
        details: Some(vec![
            detail("subnetId", &interface.subnet_id),
            detail("networkInterfaceId", &interface.id),
            detail("macAddress", &interface.mac),
            detail("privateDnsName", &private_dns_name(&context.region, interface.address)),
            detail("privateIPv4Address", &address),
        ]),
    }
}

fn container(
    context: &RequestContext,
    task: &Task,
    container: &TaskContainer,
    task_arn: &str,
) -> wire::Container {
    let interface = task.network_interface.as_ref().map(|interface| wire::NetworkInterface {
        attachment_id: Some(interface.attachment_id.clone()),
        private_ipv4_address: Some(interface.address.to_string()),
        ipv6_address: None,
    });
    wire::Container {
        container_arn: Some(arn(context, format!("container/{}/{}/{}", task.cluster, task.id, container.id))),
        task_arn: Some(task_arn.to_owned()),
        name: Some(container.name.clone()),
        image: Some(container.image.clone()),
        image_digest: container.image_digest.clone(),
        runtime_id: container.runtime_id.clone(),
        last_status: Some(container.last_status.clone()),
        exit_code: container.exit_code,
        reason: container.reason.clone(),
        network_bindings: Some(vec![]),
        network_interfaces: Some(interface.into_iter().collect()),
        health_status: Some(health(container.health)),
        cpu: Some(container.cpu.to_string()),
        memory: container.memory.map(|memory| memory.to_string()),
        memory_reservation: container.memory_reservation.map(|memory| memory.to_string()),
        managed_agents: container.exec_agent.as_ref().map(|agent| vec![managed_agent(agent)]),
        ..wire::Container::default()
    }
}

fn managed_agent(agent: &ExecAgent) -> wire::ManagedAgent {
    wire::ManagedAgent {
        name: Some(wire::ManagedAgentName::ExecuteCommandAgent),
        last_status: Some(agent.last_status.clone()),
        last_started_at: agent.last_started_at,
        reason: agent.reason.clone(),
    }
}

fn health(health: HealthStatus) -> wire::HealthStatus {
    match health {
        HealthStatus::Healthy => wire::HealthStatus::Healthy,
        HealthStatus::Unhealthy => wire::HealthStatus::Unhealthy,
        HealthStatus::Unknown => wire::HealthStatus::Unknown,
    }
}

pub(crate) fn container_instance(
    context: &RequestContext,
    instance: &ContainerInstance,
) -> wire::ContainerInstance {
    let resource = |name: &str, value: u32| wire::Resource {
        name: Some(name.to_owned()),
        r#type: Some("INTEGER".to_owned()),
        integer_value: i32::try_from(value).ok(),
        ..wire::Resource::default()
    };
    let status = if instance.status == InstanceStatus::Active { "ACTIVE" } else { "INACTIVE" };
    wire::ContainerInstance {
        container_instance_arn: Some(container_instance_arn(context, instance)),
        status: Some(status.to_owned()),
        agent_connected: Some(instance.agent_connected),
        registered_resources: Some(vec![resource("CPU", instance.cpu), resource("MEMORY", instance.memory)]),
        registered_at: Some(instance.registered_at),
        ..wire::ContainerInstance::default()
    }
}

pub(crate) fn container_instance_arn(context: &RequestContext, instance: &ContainerInstance) -> String {
    arn(context, format!("container-instance/{}/{}", instance.cluster, instance.id))
}
