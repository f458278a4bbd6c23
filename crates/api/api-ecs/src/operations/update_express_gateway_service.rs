//! UpdateExpressGatewayService: registers a task definition with what changes, and tells the controller of express services,
//! which begins a deployment of it. What is not told stays as it is.

use crate::EcsService;
use crate::containers;
use crate::definition;
use crate::errors::{Failure, invalid, update_in_progress};
use crate::express::find::{Found, require_active};
use crate::express::{self, render};
use crate::operations::register_task_definition::numbered;
use crate::shapes::{self as wire, UpdateExpressGatewayServiceRequest, UpdateExpressGatewayServiceResponse};
use aws_wire::{RequestContext, ServiceError};
use resources::ecs::{ExpressConfiguration, ExpressService, Service, TaskDefinition};

/// Attempts while the controllers and others write the service.
const MOST_ATTEMPTS: usize = 32;

pub(crate) async fn run(
    service: &EcsService,
    context: &RequestContext,
    input: UpdateExpressGatewayServiceRequest,
) -> Result<UpdateExpressGatewayServiceResponse, ServiceError> {
    express::check_role(context, input.execution_role_arn.as_deref(), "executionRoleArn")?;
    express::check_role(context, input.task_role_arn.as_deref(), "taskRoleArn")?;
    for _ in 0..MOST_ATTEMPTS {
        if let Some((row, express)) = attempt(service, context, &input).await? {
            let shown = render::updated(&service.tables, context, &row, &express).await?;
            return Ok(UpdateExpressGatewayServiceResponse { service: Some(shown) });
        }
    }
    Err(update_in_progress())
}

/// Writes the new configuration; `None` when somebody else has written at the same time.
async fn attempt(
    service: &EcsService,
    context: &RequestContext,
    input: &UpdateExpressGatewayServiceRequest,
) -> Result<Option<(Service, ExpressService)>, ServiceError> {
    let tables = &service.tables;
    let found = require_active(tables, context, &input.service_arn).await?;
    let Some(old) = in_force(&found) else { return Ok(None) };
    let (defined, port) = next_definition(service, context, input, &found, old).await?;
    let (batch, defined) = numbered(tables, defined, tables.batch()).await?;
    let path = express::health_check_path(input.health_check_path.as_deref(), Some(&old.health_check_path))?;
    let (subnets, security_groups) = network(service, context, input, &found, old).await?;
    let wanted = ExpressConfiguration {
        service_revision: tables.environment().random_text(19, b"0123456789"),
        family: defined.family.clone(),
        revision: defined.revision,
        port,
        health_check_path: path,
        subnets,
        security_groups,
        scaling: express::scaling(input.scaling_target.as_ref(), Some(&old.scaling))?,
        created_at: context.time,
    };
    let row = Service { desired_count: wanted.scaling.count, ..Service::clone(&found.service) };
    let mut express = ExpressService::clone(&found.express);
    express.configurations.insert(0, wanted);
    express.configurations.truncate(ExpressService::MOST_CONFIGURATIONS);
    express.is_pending = true;
    express.updated_at = context.time;
    let batch = batch.replace(&found.service, &row).replace(&found.express, &express);
    match batch.commit().await {
        Ok(_) => Ok(Some((row, express))),
        Err(error) if error.is_conflict() => Ok(None),
        Err(error) => Err(crate::errors::store(error)),
    }
}

/// What the service runs, or is to run: not what was rolled back.
fn in_force(found: &Found) -> Option<&ExpressConfiguration> {
    let newest = found.express.configurations.first();
    match found.service.primary() {
        Some(primary) if !found.express.is_pending => found.express.configuration(&primary.service_revision),
        Some(_) | None => newest,
    }
}

/// The task definition with what changes, and the port of its container.
async fn next_definition(
    service: &EcsService,
    context: &RequestContext,
    input: &UpdateExpressGatewayServiceRequest,
    found: &Found,
    old: &ExpressConfiguration,
) -> Result<(TaskDefinition, u16), ServiceError> {
    // The service may have been given a task definition by other means since.
    let primary = found.service.primary().filter(|_| !found.express.is_pending);
    let (family, revision) = primary
        .map_or((&old.family, old.revision), |primary| (&primary.workload.family, primary.workload.revision));
    let key = TaskDefinition::key_of(&context.account, family, revision);
    let before = service.tables.get::<TaskDefinition>(&key).await.map_err(Failure::from)?;
    let before = before.ok_or_else(|| crate::errors::client("TaskDefinition not found."))?;
    let main = before.containers.iter().find(|own| own.name == ExpressService::CONTAINER);
    let main = main.map(containers::render);
    let told = match (&input.primary_container, &main) {
        (Some(told), _) => told.clone(),
        (None, Some(main)) => wire::ExpressGatewayContainer {
            image: main.image.clone().unwrap_or_default(),
            ..wire::ExpressGatewayContainer::default()
        },
        (None, None) => return Err(invalid("primaryContainer is required.")),
    };
    let log_group = found.express.log_group.as_deref();
    let container = express::container(context, told, main.as_ref(), log_group)?;
    let port = express::port(&container);
    let request = wire::RegisterTaskDefinitionRequest {
        container_definitions: vec![container],
        cpu: Some(input.cpu.clone().unwrap_or_else(|| before.cpu.to_string())),
        execution_role_arn: input.execution_role_arn.clone().or_else(|| before.execution_role_arn.clone()),
        family: old.family.clone(),
        memory: Some(input.memory.clone().unwrap_or_else(|| before.memory.to_string())),
        network_mode: Some(wire::NetworkMode::Awsvpc),
        requires_compatibilities: Some(vec![wire::Compatibility::Fargate]),
        task_role_arn: input.task_role_arn.clone().or_else(|| before.task_role_arn.clone()),
        ..wire::RegisterTaskDefinitionRequest::default()
    };
    Ok((definition::store(context, &service.registry, request)?, port))
}

/// Subnets and groups of the tasks, in the VPC of the load balancer.
async fn network(
    service: &EcsService,
    context: &RequestContext,
    input: &UpdateExpressGatewayServiceRequest,
    found: &Found,
    old: &ExpressConfiguration,
) -> Result<(Vec<String>, Vec<String>), ServiceError> {
    let Some(given) = &input.network_configuration else {
        return Ok((old.subnets.clone(), old.security_groups.clone()));
    };
    let given = wire::ExpressGatewayServiceNetworkConfiguration {
        subnets: given.subnets.clone().filter(|own| !own.is_empty()).or_else(|| Some(old.subnets.clone())),
        security_groups: given.security_groups.clone().or_else(|| Some(old.security_groups.clone())),
    };
    let place = express::place(service, context, Some(&given)).await?;
    if place.vpc != found.express.vpc {
        return Err(invalid("The subnets must be in the VPC of the service."));
    }
    Ok((place.subnets, place.security_groups))
}
