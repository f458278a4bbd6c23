//! What the operations of task sets share.

use crate::arns::{arn, cluster_arn, definition_arn, own_resource};
use crate::errors::{Failure, invalid, service_not_active};
use crate::load_balancers;
use crate::registries;
use crate::render::service::{counts, launch_type, network, service_arn, strategy};
use crate::service::require_service;
use crate::shapes::{self as wire, errors};
use aws_wire::{RequestContext, ServiceError};
use resources::Stored;
use resources::ecs::{Controller, Deployment, Service, ServiceStatus, TaskSet};
use store::{Tables, Versioned};

/// Attempts while the service controller writes the service.
pub(crate) const MOST_ATTEMPTS: usize = 32;

/// The share of the desired count, in hundredths of a per cent.
pub(crate) fn scale(given: Option<wire::Scale>) -> Result<u32, ServiceError> {
    let Some(given) = given else { return Ok(TaskSet::FULL_SCALE) };
    let percent = given.value.unwrap_or(100.0);
    if !percent.is_finite() || !(0.0..=100.0).contains(&percent) {
        return Err(invalid("Scale value must be between 0 and 100."));
    }
    Ok((percent * 100.0).round() as u32)
}

/// An active service whose deployments are task sets.
pub(crate) async fn require_external(
    tables: &Tables,
    context: &RequestContext,
    cluster: &str,
    given: &str,
) -> Result<Versioned<Service>, Failure> {
    let service = require_service(tables, context, cluster, given).await?;
    if service.status != ServiceStatus::Active {
        return Err(service_not_active().into());
    }
    if service.controller != Controller::External {
        return Err(invalid(
            "The service's deployment controller is not EXTERNAL. Task sets are of services with an EXTERNAL \
             deployment controller.",
        )
        .into());
    }
    Ok(service)
}

/// The place of a task set in its service, by its id or ARN.
pub(crate) fn position(
    context: &RequestContext,
    service: &Service,
    given: &str,
) -> Result<usize, ServiceError> {
    let own = format!("{}/{}/", service.cluster, service.name);
    let id = if given.starts_with("arn:") {
        own_resource(context, given, "task-set").and_then(|rest| rest.strip_prefix(&own).map(str::to_owned))
    } else {
        Some(given.to_owned())
    };
    let found =
        service.deployments.iter().position(|one| one.task_set.is_some() && Some(&one.id) == id.as_ref());
    found.ok_or_else(|| {
        ServiceError::new(&errors::TASK_SET_NOT_FOUND_EXCEPTION, "The specified task set was not found.")
    })
}

/// ARN of a task set.
pub(crate) fn task_set_arn(context: &RequestContext, service: &Service, id: &str) -> String {
    arn(context, format!("task-set/{}/{}/{id}", service.cluster, service.name))
}

/// The task sets of a service with the counts of their tasks.
pub(crate) async fn described(
    tables: &Tables,
    context: &RequestContext,
    service: &Service,
    with_tags: bool,
) -> Result<Vec<wire::TaskSet>, Failure> {
    let counts = counts(tables, &service.key()).await?;
    let shown = service.deployments.iter().filter_map(|own| {
        let set = own.task_set.as_ref()?;
        let counts = counts.get(&own.id).copied().unwrap_or_default();
        let mut shown = render(context, service, own, set);
        shown.running_count = Some(counts.running);
        shown.pending_count = Some(counts.pending);
        shown.tags = with_tags.then(|| crate::render::tags(&set.tags));
        Some(shown)
    });
    Ok(shown.collect())
}

/// One task set of a service.
pub(crate) async fn described_one(
    tables: &Tables,
    context: &RequestContext,
    service: &Service,
    id: &str,
) -> Result<Option<wire::TaskSet>, Failure> {
    let all = described(tables, context, service, true).await?;
    Ok(all.into_iter().find(|set| set.id.as_deref() == Some(id)))
}

fn render(context: &RequestContext, service: &Service, own: &Deployment, set: &TaskSet) -> wire::TaskSet {
    let workload = &own.workload;
    let status = match (set.draining, set.primary) {
        (true, _) => "DRAINING",
        (false, true) => "PRIMARY",
        (false, false) => "ACTIVE",
    };
    wire::TaskSet {
        capacity_provider_strategy: strategy(workload),
        cluster_arn: Some(cluster_arn(context, &service.cluster)),
        computed_desired_count: i32::try_from(set.computed_count(service.desired_count)).ok(),
        created_at: Some(own.created_at),
        external_id: set.external_id.clone(),
        id: Some(own.id.clone()),
        launch_type: launch_type(workload),
        load_balancers: Some(load_balancers::shown(&workload.load_balancers)),
        network_configuration: Some(network(workload)),
        platform_family: Some("Linux".to_owned()),
        platform_version: Some("1.4.0".to_owned()),
        scale: Some(wire::Scale {
            unit: Some(wire::ScaleUnit::Percent),
            value: Some(f64::from(set.scale) / 100.0),
        }),
        service_arn: Some(service_arn(context, &service.cluster, &service.name)),
        service_registries: Some(registries::shown(&workload.registries)),
        stability_status: Some(if set.steady_at.is_some() {
            wire::StabilityStatus::SteadyState
        } else {
            wire::StabilityStatus::Stabilizing
        }),
        stability_status_at: Some(set.steady_at.unwrap_or(own.updated_at)),
        status: Some(status.to_owned()),
        task_definition: Some(definition_arn(context, &workload.family, workload.revision)),
        task_set_arn: Some(task_set_arn(context, service, &own.id)),
        updated_at: Some(own.updated_at),
        ..wire::TaskSet::default()
    }
}
