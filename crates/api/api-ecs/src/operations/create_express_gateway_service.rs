//! CreateExpressGatewayService: registers a task definition and writes a service that waits for its first deployment. The
//! controller of express services makes what the service needs, and begins the deployment.

use crate::EcsService;
use crate::arns::{cluster_name, require_cluster};
use crate::definition::{self, store_tags};
use crate::errors::{Failure, invalid, update_in_progress};
use crate::express::{self, Place, render};
use crate::operations::create_cluster;
use crate::operations::create_service::check_name;
use crate::operations::register_task_definition::numbered;
use crate::render::service::service_arn;
use crate::service::find_service;
use crate::shapes::{self as wire, CreateExpressGatewayServiceRequest, CreateExpressGatewayServiceResponse};
use aws_wire::{RequestContext, ServiceError};
use resources::Stored;
use resources::ecs::{
    Cluster, ClusterStatus, Controller, DeploymentConfiguration, ExpressConfiguration, ExpressScaling,
    ExpressService, PropagateTags, Service, ServiceEvents, ServiceStatus, Strategy, Tag, TaskDefinition,
    TrafficStep,
};

/// Attempts while others write the cluster, the family or the service.
const MOST_ATTEMPTS: usize = 8;
/// The cluster that is made when there is none.
const DEFAULT_CLUSTER: &str = "default";
/// CPU units and MiB when nothing is told.
const USUAL_SIZE: (&str, &str) = ("256", "512");
/// Thousandths of the traffic that the new revision gets first, and minutes until it gets all, and as long again both run.
const CANARY: TrafficStep = TrafficStep { share: 50, bake_minutes: 3 };
/// Longest name of a host that a service's name gives: the first part of a name has 63 characters.
const MOST_HOST: usize = 54;

/// What the request asks for.
struct Wanted {
    name: String,
    /// Ends its names.
    id: String,
    infrastructure_role: String,
    container: wire::ExpressGatewayContainer,
    execution_role: String,
    task_role: Option<String>,
    cpu: String,
    memory: String,
    health_check_path: String,
    scaling: ExpressScaling,
    tags: Vec<Tag>,
    place: Place,
}

pub(crate) async fn run(
    service: &EcsService,
    context: &RequestContext,
    input: CreateExpressGatewayServiceRequest,
) -> Result<CreateExpressGatewayServiceResponse, ServiceError> {
    let cluster = cluster_name(context, input.cluster.as_deref())?;
    let wanted = read(service, context, input).await?;
    let arn = service_arn(context, &cluster, &wanted.name);
    express::check_trust(service, &wanted.infrastructure_role, &arn).await?;
    if cluster == DEFAULT_CLUSTER {
        create_cluster::ensure(&service.tables, default_cluster(context)).await?;
    }
    for _ in 0..MOST_ATTEMPTS {
        if let Some((row, express)) = attempt(service, context, &cluster, &wanted).await? {
            let shown = render::described(&service.tables, context, &row, &express, true).await?;
            return Ok(CreateExpressGatewayServiceResponse { service: Some(shown) });
        }
    }
    Err(update_in_progress())
}

/// Writes everything in one transaction; `None` when somebody else has written at the same time.
async fn attempt(
    service: &EcsService,
    context: &RequestContext,
    cluster: &str,
    wanted: &Wanted,
) -> Result<Option<(Service, ExpressService)>, ServiceError> {
    let tables = &service.tables;
    let cluster = require_cluster(tables, context, Some(cluster)).await?;
    let old = find_service(tables, context, &cluster.name, &wanted.name).await?;
    match old.as_ref().map(|old| old.status) {
        Some(ServiceStatus::Active) => return Err(invalid("Creation of service was not idempotent.")),
        Some(ServiceStatus::Draining) => {
            return Err(invalid("Unable to Start a service that is still Draining."));
        }
        Some(ServiceStatus::Inactive) | None => {}
    }
    let row = new_service(context, &cluster.name, wanted);
    let old_express = tables.get::<ExpressService>(&row.key()).await.map_err(Failure::from)?;
    if old_express.as_ref().is_some_and(|old| !old.is_gone) {
        return Err(invalid("Unable to Start a service that is still Draining."));
    }
    let log_group = format!("/aws/ecs/{}/{}-{}", cluster.name, wanted.name, wanted.id);
    let family: String = format!("{}-{}", cluster.name, wanted.name).chars().take(255).collect();
    let container = express::container(context, wanted.container.clone(), None, Some(&log_group))?;
    let request = wire::RegisterTaskDefinitionRequest {
        container_definitions: vec![container.clone()],
        cpu: Some(wanted.cpu.clone()),
        execution_role_arn: Some(wanted.execution_role.clone()),
        family,
        memory: Some(wanted.memory.clone()),
        network_mode: Some(wire::NetworkMode::Awsvpc),
        requires_compatibilities: Some(vec![wire::Compatibility::Fargate]),
        task_role_arn: wanted.task_role.clone(),
        ..wire::RegisterTaskDefinitionRequest::default()
    };
    let defined = definition::store(context, &service.registry, request)?;
    let (batch, defined) = numbered(tables, defined, tables.batch()).await?;
    let has_own_log = wanted.container.aws_logs_configuration.is_some();
    let told = new_express(service, context, &row, wanted, &defined, express::port(&container));
    let told = ExpressService { log_group: (!has_own_log).then_some(log_group), ..told };
    // The cluster is written as it is, so that it is not deleted at the same time.
    let batch = batch.replace(&cluster, &cluster).delete_any::<ServiceEvents>(&row.key());
    let batch = match &old {
        Some(old) => batch.replace(old, &row),
        None => batch.create(&row),
    };
    let batch = match &old_express {
        Some(old) => batch.replace(old, &told),
        None => batch.create(&told),
    };
    match batch.commit().await {
        Ok(_) => Ok(Some((row, told))),
        Err(error) if error.is_conflict() => Ok(None),
        Err(error) => Err(crate::errors::store(error)),
    }
}

fn default_cluster(context: &RequestContext) -> Cluster {
    Cluster {
        account: context.account.clone(),
        name: DEFAULT_CLUSTER.to_owned(),
        status: ClusterStatus::Active,
        settings: Vec::new(),
        capacity_providers: vec!["FARGATE".to_owned()],
        default_strategy: Vec::new(),
        execute_command: None,
        connect_namespace: None,
        tags: Vec::new(),
        created_at: context.time,
    }
}

async fn read(
    service: &EcsService,
    context: &RequestContext,
    input: CreateExpressGatewayServiceRequest,
) -> Result<Wanted, ServiceError> {
    let CreateExpressGatewayServiceRequest {
        cluster: _,
        cpu,
        execution_role_arn,
        health_check_path,
        infrastructure_role_arn,
        memory,
        network_configuration,
        primary_container,
        scaling_target,
        service_name,
        tags,
        task_role_arn,
    } = input;
    let environment = service.tables.environment();
    let name = match service_name.filter(|name| !name.is_empty()) {
        Some(name) => name,
        None => format!("{}-{}", image_name(&primary_container.image), environment.random_hex(4)),
    };
    check_name(&name)?;
    express::check_role(context, Some(&infrastructure_role_arn), "infrastructureRoleArn")?;
    express::check_role(context, Some(&execution_role_arn), "executionRoleArn")?;
    express::check_role(context, task_role_arn.as_deref(), "taskRoleArn")?;
    Ok(Wanted {
        name,
        id: environment.random_hex(8),
        infrastructure_role: infrastructure_role_arn,
        container: primary_container,
        execution_role: execution_role_arn,
        task_role: task_role_arn,
        cpu: cpu.unwrap_or_else(|| USUAL_SIZE.0.to_owned()),
        memory: memory.unwrap_or_else(|| USUAL_SIZE.1.to_owned()),
        health_check_path: express::health_check_path(health_check_path.as_deref(), None)?,
        scaling: express::scaling(scaling_target.as_ref(), None)?,
        tags: store_tags(tags)?,
        place: express::place(service, context, network_configuration.as_ref()).await?,
    })
}

/// The last part of an image's name, as far as services may have it.
fn image_name(image: &str) -> String {
    let last = image.split('@').next().and_then(|image| image.rsplit('/').next()).unwrap_or_default();
    let plain = last.split(':').next().unwrap_or_default().chars();
    let name: String =
        plain.filter(|c| c.is_ascii_alphanumeric() || *c == '-' || *c == '_').take(64).collect();
    if name.is_empty() { "express".to_owned() } else { name }
}

/// The first part of the name that requests are for. Names of hosts have small letters, digits and hyphens.
fn host_label(name: &str, id: &str) -> String {
    let plain = name.chars().map(|c| if c == '_' { '-' } else { c.to_ascii_lowercase() });
    let label: String = plain.take(MOST_HOST).collect();
    let label = label.trim_matches('-');
    if label.is_empty() { format!("express-{id}") } else { format!("{label}-{id}") }
}

fn new_service(context: &RequestContext, cluster: &str, wanted: &Wanted) -> Service {
    Service {
        account: context.account.clone(),
        cluster: cluster.to_owned(),
        name: wanted.name.clone(),
        status: ServiceStatus::Active,
        desired_count: wanted.scaling.count,
        deployment_configuration: DeploymentConfiguration {
            breaker: true,
            rollback: true,
            strategy: Strategy::Canary,
            bake_minutes: Some(CANARY.bake_minutes),
            canary: Some(CANARY),
            ..DeploymentConfiguration::default()
        },
        deployments: Vec::new(),
        last_completed: None,
        stop_requested: None,
        lifecycle: None,
        controller: Controller::Ecs,
        express: true,
        steady: false,
        notices: Vec::new(),
        propagate_tags: PropagateTags::None,
        managed_tags: false,
        execute_command: false,
        health_check_grace_period: None,
        zone_rebalancing: true,
        client_token: None,
        tags: wanted.tags.clone(),
        created_by: context.principal_arn.to_string(),
        created_at: context.time,
        deleted_at: None,
    }
}

fn new_express(
    service: &EcsService,
    context: &RequestContext,
    row: &Service,
    wanted: &Wanted,
    definition: &TaskDefinition,
    port: u16,
) -> ExpressService {
    let environment = service.tables.environment();
    let label = host_label(&wanted.name, &wanted.id);
    let target_group = || format!("ecs-gateway-tg-{}", environment.random_hex(17));
    let group: String = format!("{}-{}", row.cluster, row.name).chars().take(246).collect();
    ExpressService {
        account: row.account.clone(),
        cluster: row.cluster.clone(),
        name: row.name.clone(),
        service_created_at: row.created_at,
        id: wanted.id.clone(),
        infrastructure_role: wanted.infrastructure_role.clone(),
        host: format!("{label}.ecs.{}.elb.localhost", context.region),
        public: wanted.place.public,
        vpc: wanted.place.vpc.clone(),
        subnets: wanted.place.subnets.clone(),
        log_group: None,
        gateway: None,
        security_group: format!("{group}-{}", wanted.id),
        target_groups: (target_group(), target_group()),
        old_target_groups: Vec::new(),
        configurations: vec![ExpressConfiguration {
            service_revision: environment.random_text(19, b"0123456789"),
            family: definition.family.clone(),
            revision: definition.revision,
            port,
            health_check_path: wanted.health_check_path.clone(),
            subnets: wanted.place.subnets.clone(),
            security_groups: wanted.place.security_groups.clone(),
            scaling: wanted.scaling.clone(),
            created_at: context.time,
        }],
        is_pending: true,
        trouble: None,
        is_gone: false,
        updated_at: context.time,
    }
}

#[cfg(test)]
mod tests;
