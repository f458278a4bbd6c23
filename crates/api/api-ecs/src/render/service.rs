//! Services, their revisions and their deployments as wire shapes.

use super::shift::{configuration, hook_detail, percent, stage};
use crate::arns::{arn, cluster_arn, definition_arn};
use crate::capacity::render_strategy;
use crate::connect;
use crate::errors::Failure;
use crate::load_balancers;
use crate::registries;
use crate::shapes as wire;
use crate::volumes;
use aws_wire::RequestContext;
use resources::Stored;
use resources::ecs::{
    Controller, Deployment, ExpressConfiguration, ExpressService, Lifecycle, LifecycleStage, PropagateTags,
    RolloutState, Service, ServiceDeployment, ServiceDeploymentStatus, ServiceEvents, ServiceRevision,
    ServiceStatus, ServiceTask, Task, TaskStatus, WHOLE, Workload,
};
use std::collections::BTreeMap;
use store::Tables;

pub(crate) fn service_arn(context: &RequestContext, cluster: &str, name: &str) -> String {
    arn(context, format!("service/{cluster}/{name}"))
}

pub(crate) fn revision_arn(context: &RequestContext, service: &str, id: &str) -> String {
    arn(context, format!("service-revision/{service}/{id}"))
}

/// Tasks of a deployment.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) running: i32,
    pub(crate) pending: i32,
}

/// Tasks by the id of the deployment that started them; the empty id counts all.
pub(crate) type CountsByDeployment = BTreeMap<String, Counts>;

pub(crate) async fn counts(tables: &Tables, key: &str) -> Result<CountsByDeployment, Failure> {
    let mut all = CountsByDeployment::new();
    for row in tables.list_all::<ServiceTask>(&format!("{key}/")).await? {
        let key = format!("{}/{}/{}", row.account, row.cluster, row.task);
        let Some(task) = tables.get::<Task>(&key).await? else { continue };
        for id in [row.deployment.as_str(), ""] {
            let counts = all.entry(id.to_owned()).or_default();
            match task.last_status {
                TaskStatus::Running => counts.running += 1,
                TaskStatus::Provisioning | TaskStatus::Pending | TaskStatus::Activating => {
                    counts.pending += 1;
                }
                TaskStatus::Deactivating
                | TaskStatus::Stopping
                | TaskStatus::Deprovisioning
                | TaskStatus::Stopped => {}
            }
        }
    }
    Ok(all)
}

/// A service with its events and the counts of its tasks.
pub(crate) async fn described(
    tables: &Tables,
    context: &RequestContext,
    service: &Service,
    with_tags: bool,
) -> Result<wire::Service, Failure> {
    let key = service.key();
    let events = tables.get::<ServiceEvents>(&key).await?;
    let counts = counts(tables, &key).await?;
    let mut shown = render(context, service, &counts);
    shown.events = Some(events.iter().flat_map(|row| row.events.iter().rev()).map(event).collect());
    if with_tags {
        shown.tags = Some(super::tags(&service.tags));
    }
    if service.controller == Controller::External {
        shown.task_sets = Some(crate::task_set::described(tables, context, service, with_tags).await?);
    }
    Ok(shown)
}

fn event(event: &resources::ecs::ServiceEvent) -> wire::ServiceEvent {
    wire::ServiceEvent {
        id: Some(event.id.clone()),
        created_at: Some(event.created_at),
        message: Some(event.message.clone()),
    }
}

fn render(context: &RequestContext, service: &Service, counts: &CountsByDeployment) -> wire::Service {
    let total = counts.get("").copied().unwrap_or_default();
    let own = format!("{}/{}", service.cluster, service.name);
    // What a deleted service ran is said, but it has no deployment any more.
    let is_gone = service.status == ServiceStatus::Inactive;
    let is_external = service.controller == Controller::External;
    let shown = if is_gone || is_external { &[][..] } else { &service.deployments[..] };
    let deployments = shown.iter().enumerate();
    let deployments: Vec<_> =
        deployments.map(|(index, own)| deployment(context, service, own, index == 0, counts)).collect();
    let is_shown = |own: &&Deployment| own.task_set.as_ref().is_none_or(|set| set.primary);
    let primary = service.primary().filter(is_shown);
    let revisions = shown.iter().map(|one| {
        let counts = counts.get(&one.id).copied().unwrap_or_default();
        wire::ServiceCurrentRevisionSummary {
            arn: Some(revision_arn(context, &own, &one.service_revision)),
            requested_task_count: Some(wanted(service, one, one.id == shown[0].id, counts)),
            running_task_count: Some(counts.running),
            pending_task_count: Some(counts.pending),
        }
    });
    let in_progress =
        primary.filter(|own| own.rollout == RolloutState::InProgress && !is_gone && !is_external);
    let workload = primary.map(|primary| &primary.workload);
    wire::Service {
        availability_zone_rebalancing: Some(if service.zone_rebalancing {
            wire::AvailabilityZoneRebalancing::Enabled
        } else {
            wire::AvailabilityZoneRebalancing::Disabled
        }),
        capacity_provider_strategy: workload.and_then(strategy),
        cluster_arn: Some(cluster_arn(context, &service.cluster)),
        created_at: Some(service.created_at),
        created_by: Some(service.created_by.clone()),
        current_service_deployment: in_progress
            .map(|own_one| arn(context, format!("service-deployment/{own}/{}", own_one.service_deployment))),
        current_service_revisions: Some(revisions.collect()),
        deployment_configuration: Some(configuration(&service.deployment_configuration)),
        deployment_controller: Some(wire::DeploymentController {
            r#type: match service.controller {
                Controller::Ecs => wire::DeploymentControllerType::Ecs,
                Controller::External => wire::DeploymentControllerType::External,
            },
        }),
        deployments: Some(deployments),
        desired_count: i32::try_from(service.desired_count).ok(),
        enable_ecs_managed_tags: Some(service.managed_tags),
        enable_execute_command: Some(service.execute_command),
        health_check_grace_period_seconds: service
            .health_check_grace_period
            .and_then(|seconds| i32::try_from(seconds).ok()),
        launch_type: workload.and_then(launch_type),
        load_balancers: Some(
            workload.map(|workload| load_balancers::shown(&workload.load_balancers)).unwrap_or_default(),
        ),
        network_configuration: workload.map(network),
        pending_count: Some(total.pending),
        placement_constraints: Some(vec![]),
        placement_strategy: Some(vec![]),
        platform_family: Some("Linux".to_owned()),
        platform_version: workload.map(|workload| workload.platform_version.clone()),
        propagate_tags: Some(match service.propagate_tags {
            PropagateTags::None => wire::PropagateTags::None,
            PropagateTags::TaskDefinition => wire::PropagateTags::TaskDefinition,
            PropagateTags::Service => wire::PropagateTags::Service,
        }),
        resource_management_type: service.express.then_some(wire::ResourceManagementType::Ecs),
        running_count: Some(total.running),
        scheduling_strategy: Some(wire::SchedulingStrategy::Replica),
        service_arn: Some(service_arn(context, &service.cluster, &service.name)),
        service_name: Some(service.name.clone()),
        service_registries: Some(workload.map_or_else(Vec::new, |own| registries::shown(&own.registries))),
        status: Some(service.status.as_str().to_owned()),
        task_definition: workload.map(|own| definition_arn(context, &own.family, own.revision)),
        ..wire::Service::default()
    }
}

/// How many tasks a deployment is to have: the newest one all, and the one whose traffic it takes, too; others what they
/// still have, and one that was given up gets no more.
fn wanted(service: &Service, deployment: &Deployment, is_primary: bool, counts: Counts) -> i32 {
    let all = i32::try_from(service.desired_count).unwrap_or(i32::MAX);
    let has = counts.running + counts.pending;
    if deployment.rollout == RolloutState::Failed {
        return has;
    }
    match &service.lifecycle {
        Some(own) if own.green == deployment.id => match own.stage {
            LifecycleStage::ReconcileService | LifecycleStage::PreScaleUp => 0,
            _ => all,
        },
        Some(own) if own.blue.as_ref() == Some(&deployment.id) => match own.stage {
            LifecycleStage::CleanUp if !own.going_back => 0,
            _ => all,
        },
        _ if is_primary => all,
        _ => has,
    }
}

fn deployment(
    context: &RequestContext,
    service: &Service,
    deployment: &Deployment,
    is_primary: bool,
    counts: &CountsByDeployment,
) -> wire::Deployment {
    let workload = &deployment.workload;
    let counts = counts.get(&deployment.id).copied().unwrap_or_default();
    wire::Deployment {
        capacity_provider_strategy: strategy(workload),
        created_at: Some(deployment.created_at),
        desired_count: Some(wanted(service, deployment, is_primary, counts)),
        failed_tasks: i32::try_from(deployment.failed_tasks).ok(),
        id: Some(deployment.id.clone()),
        launch_type: launch_type(workload),
        network_configuration: Some(network(workload)),
        pending_count: Some(counts.pending),
        platform_family: Some("Linux".to_owned()),
        platform_version: Some("1.4.0".to_owned()),
        rollout_state: Some(match deployment.rollout {
            RolloutState::InProgress => wire::DeploymentRolloutState::InProgress,
            RolloutState::Completed => wire::DeploymentRolloutState::Completed,
            RolloutState::Failed => wire::DeploymentRolloutState::Failed,
        }),
        rollout_state_reason: Some(deployment.rollout_reason.clone()),
        running_count: Some(counts.running),
        service_connect_configuration: workload.connect.as_ref().map(connect::configuration),
        service_connect_resources: workload.connect.as_ref().map(|own| connect::resources(context, own)),
        status: Some(if is_primary { "PRIMARY" } else { "ACTIVE" }.to_owned()),
        task_definition: Some(definition_arn(context, &workload.family, workload.revision)),
        updated_at: Some(deployment.updated_at),
        volume_configurations: volumes::render_service(&workload.volumes),
        ..wire::Deployment::default()
    }
}

pub(crate) fn strategy(workload: &Workload) -> Option<Vec<wire::CapacityProviderStrategyItem>> {
    Some(render_strategy(&workload.strategy)).filter(|items| !items.is_empty())
}

pub(crate) fn launch_type(workload: &Workload) -> Option<wire::LaunchType> {
    workload.strategy.is_empty().then_some(wire::LaunchType::Fargate)
}

pub(crate) fn network(workload: &Workload) -> wire::NetworkConfiguration {
    wire::NetworkConfiguration {
        awsvpc_configuration: Some(wire::AwsVpcConfiguration {
            subnets: workload.subnets.clone(),
            security_groups: Some(workload.security_groups.clone()),
            assign_public_ip: Some(if workload.assign_public_ip {
                wire::AssignPublicIp::Enabled
            } else {
                wire::AssignPublicIp::Disabled
            }),
        }),
    }
}

pub(crate) fn revision(context: &RequestContext, revision: &ServiceRevision) -> wire::ServiceRevision {
    let workload = &revision.workload;
    let own = format!("{}/{}", revision.cluster, revision.service);
    let images = revision.images.iter().map(|(name, image)| wire::ContainerImage {
        container_name: Some(name.clone()),
        image: Some(image.clone()),
        image_digest: revision.digests.get(name).cloned(),
    });
    wire::ServiceRevision {
        capacity_provider_strategy: strategy(workload),
        cluster_arn: Some(cluster_arn(context, &revision.cluster)),
        container_images: Some(images.collect()),
        created_at: Some(revision.created_at),
        guard_duty_enabled: Some(false),
        launch_type: launch_type(workload),
        load_balancers: Some(load_balancers::shown(&workload.load_balancers)),
        network_configuration: Some(network(workload)),
        platform_family: Some("Linux".to_owned()),
        platform_version: Some(workload.platform_version.clone()),
        service_arn: Some(service_arn(context, &revision.cluster, &revision.service)),
        service_connect_configuration: workload.connect.as_ref().map(connect::configuration),
        service_registries: Some(registries::shown(&workload.registries)),
        service_revision_arn: Some(revision_arn(context, &own, &revision.id)),
        task_definition: Some(definition_arn(context, &workload.family, workload.revision)),
        ..wire::ServiceRevision::default()
    }
}

/// A revision of an express service whose deployment has not begun.
pub(crate) fn told_revision(
    context: &RequestContext,
    express: &ExpressService,
    told: &ExpressConfiguration,
) -> wire::ServiceRevision {
    let own = format!("{}/{}", express.cluster, express.name);
    wire::ServiceRevision {
        cluster_arn: Some(cluster_arn(context, &express.cluster)),
        created_at: Some(told.created_at),
        launch_type: Some(wire::LaunchType::Fargate),
        service_arn: Some(service_arn(context, &express.cluster, &express.name)),
        service_revision_arn: Some(revision_arn(context, &own, &told.service_revision)),
        task_definition: Some(definition_arn(context, &told.family, told.revision)),
        ..wire::ServiceRevision::default()
    }
}

pub(crate) fn status(status: ServiceDeploymentStatus) -> wire::ServiceDeploymentStatus {
    match status {
        ServiceDeploymentStatus::Pending => wire::ServiceDeploymentStatus::Pending,
        ServiceDeploymentStatus::InProgress => wire::ServiceDeploymentStatus::InProgress,
        ServiceDeploymentStatus::Successful => wire::ServiceDeploymentStatus::Successful,
        ServiceDeploymentStatus::StopRequested => wire::ServiceDeploymentStatus::StopRequested,
        ServiceDeploymentStatus::Stopped => wire::ServiceDeploymentStatus::Stopped,
        ServiceDeploymentStatus::RollbackRequested => wire::ServiceDeploymentStatus::RollbackRequested,
        ServiceDeploymentStatus::RollbackInProgress => wire::ServiceDeploymentStatus::RollbackInProgress,
        ServiceDeploymentStatus::RollbackSuccessful => wire::ServiceDeploymentStatus::RollbackSuccessful,
        ServiceDeploymentStatus::RollbackFailed => wire::ServiceDeploymentStatus::RollbackFailed,
    }
}

pub(crate) fn deployment_brief(
    context: &RequestContext,
    record: &ServiceDeployment,
) -> wire::ServiceDeploymentBrief {
    let own = format!("{}/{}", record.cluster, record.service);
    wire::ServiceDeploymentBrief {
        cluster_arn: Some(cluster_arn(context, &record.cluster)),
        created_at: Some(record.created_at),
        finished_at: record.finished_at,
        service_arn: Some(service_arn(context, &record.cluster, &record.service)),
        service_deployment_arn: Some(arn(context, format!("service-deployment/{own}/{}", record.id))),
        started_at: record.started_at,
        status: Some(status(record.status)),
        status_reason: record.status_reason.clone(),
        target_service_revision_arn: Some(revision_arn(context, &own, &record.target)),
    }
}

/// A service deployment. Counts are those of now, which a service that has gone on since does not have any more.
pub(crate) async fn service_deployment(
    tables: &Tables,
    context: &RequestContext,
    record: &ServiceDeployment,
) -> Result<wire::ServiceDeployment, Failure> {
    let key = format!("{}/{}/{}", record.account, record.cluster, record.service);
    let own = format!("{}/{}", record.cluster, record.service);
    let service = tables.get::<Service>(&key).await?;
    let counts = counts(tables, &key).await?;
    let lifecycle = record.lifecycle.as_ref();
    let revision_of = |deployment: &String| {
        let all = service.iter().flat_map(|service| &service.deployments);
        all.clone().find(|own| own.id == *deployment).map(|own| own.service_revision.clone())
    };
    // What the record of an older deployment says of blue is not known any more; it had one source then.
    let blue = lifecycle.and_then(|own| own.blue.as_ref()).and_then(revision_of);
    let blue = blue.or_else(|| record.sources.first().cloned());
    let share = |id: &String, of: fn(&Lifecycle) -> u32| {
        let own = lifecycle?;
        let green = of(own).min(WHOLE);
        Some(percent(match () {
            () if *id == record.target => green,
            () if blue.as_ref() == Some(id) => WHOLE - green,
            () => 0,
        }))
    };
    let summary = |id: &String| {
        let deployments = service.iter().flat_map(|service| service.deployments.iter().enumerate());
        let there = deployments.clone().find(|(_, own)| own.service_revision == *id);
        let tasks = there.and_then(|(_, own)| counts.get(&own.id)).copied().unwrap_or_default();
        let wanted = there
            .zip(service.as_ref())
            .map(|((index, own), service)| wanted(service, own, index == 0, tasks));
        wire::ServiceRevisionSummary {
            arn: Some(revision_arn(context, &own, id)),
            requested_task_count: Some(wanted.unwrap_or_default()),
            running_task_count: Some(tasks.running),
            pending_task_count: Some(tasks.pending),
            requested_production_traffic_weight: share(id, |own| own.production),
            requested_test_traffic_weight: share(id, |own| own.test),
        }
    };
    let brief = deployment_brief(context, record);
    Ok(wire::ServiceDeployment {
        alarms: Some(alarms(record)),
        cluster_arn: brief.cluster_arn,
        created_at: brief.created_at,
        deployment_circuit_breaker: Some(breaker(record)),
        deployment_configuration: Some(configuration(&record.configuration)),
        finished_at: brief.finished_at,
        lifecycle_hook_details: lifecycle.map(|own| own.hooks.iter().map(hook_detail).collect()),
        lifecycle_stage: lifecycle.and_then(|own| stage(own.stage)),
        rollback: record.rollback.as_ref().map(|rollback| wire::Rollback {
            reason: Some(rollback.reason.clone()),
            started_at: Some(rollback.started_at),
            service_revision_arn: Some(revision_arn(context, &own, &rollback.service_revision)),
        }),
        service_arn: brief.service_arn,
        service_deployment_arn: brief.service_deployment_arn,
        source_service_revisions: Some(record.sources.iter().map(summary).collect()),
        started_at: brief.started_at,
        status: brief.status,
        status_reason: brief.status_reason,
        stopped_at: record.stopped_at,
        target_service_revision: Some(summary(&record.target)),
        updated_at: Some(record.updated_at),
    })
}

fn alarms(record: &ServiceDeployment) -> wire::ServiceDeploymentAlarms {
    use wire::ServiceDeploymentRollbackMonitorsStatus as Monitor;
    let check = &record.alarms;
    let configured = record.configuration.alarms.clone().unwrap_or_default();
    let status = if !configured.enabled || check.ignored {
        Monitor::Disabled
    } else if !check.triggered.is_empty() {
        Monitor::Triggered
    } else if record.status.is_final() || record.rollback.is_some() {
        Monitor::MonitoringComplete
    } else {
        Monitor::Monitoring
    };
    wire::ServiceDeploymentAlarms {
        status: Some(status),
        alarm_names: Some(configured.names),
        triggered_alarm_names: Some(check.triggered.clone()),
    }
}

fn breaker(record: &ServiceDeployment) -> wire::ServiceDeploymentCircuitBreaker {
    use wire::ServiceDeploymentRollbackMonitorsStatus as Monitor;
    let status = if !record.configuration.breaker {
        Monitor::Disabled
    } else if record.triggered {
        Monitor::Triggered
    } else if record.status.is_final() {
        Monitor::MonitoringComplete
    } else {
        Monitor::Monitoring
    };
    let (failed, threshold) = record.failures;
    wire::ServiceDeploymentCircuitBreaker {
        status: Some(status),
        failure_count: i32::try_from(failed).ok(),
        threshold: i32::try_from(threshold).ok(),
    }
}
