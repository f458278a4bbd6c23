//! UpdateService: changes what is wanted; what a task is made of changes by a new deployment.

use crate::arns::{find_definition, require_cluster};
use crate::capacity::require_associated;
use crate::connect::{self, Asked, Settled};
use crate::errors::{client, invalid, service_not_active, unsupported, update_in_progress};
use crate::exec;
use crate::execution_role;
use crate::image_digests;
use crate::load_balancers;
use crate::operations::create_service::{of_task_sets, stored_propagation};
use crate::placement::{check_network, network, platform};
use crate::refuse::filled;
use crate::registries;
use crate::render::service as render;
use crate::service::{
    Unbuilt, check_hooks, deployment_configuration, desired_count, grace_period, require_service, strategy,
};
use crate::shapes::{self as wire, UpdateServiceRequest, UpdateServiceResponse};
use crate::volumes;
use aws_wire::{RequestContext, ServiceError};
use resources::ecr::RegistryHosts;
use resources::ecs::{
    Cluster, Controller, DefinitionStatus, Service, ServiceDeployment, ServiceStatus, Strategy,
    TaskDefinition, Workload,
};
use store::{Tables, Versioned};

/// Attempts while the service controller and others write the service.
const MOST_ATTEMPTS: usize = 32;

pub(crate) async fn run(
    tables: &Tables,
    registry: &RegistryHosts,
    context: &RequestContext,
    input: UpdateServiceRequest,
) -> Result<UpdateServiceResponse, ServiceError> {
    refuse(&input)?;
    for _ in 0..MOST_ATTEMPTS {
        if let Some(service) = attempt(tables, registry, context, &input).await? {
            let service = render::described(tables, context, &service, true).await?;
            return Ok(UpdateServiceResponse { service: Some(service) });
        }
    }
    Err(update_in_progress())
}

fn refuse(input: &UpdateServiceRequest) -> Result<(), ServiceError> {
    Unbuilt {
        lattice: filled(input.vpc_lattice_configurations.as_ref()),
        constraints: filled(input.placement_constraints.as_ref()),
        strategy: filled(input.placement_strategy.as_ref()),
    }
    .refuse()
}

/// Writes the changed service; `None` when somebody else has written at the same time.
async fn attempt(
    tables: &Tables,
    registry: &RegistryHosts,
    context: &RequestContext,
    input: &UpdateServiceRequest,
) -> Result<Option<Service>, ServiceError> {
    let cluster = require_cluster(tables, context, input.cluster.as_deref()).await?;
    let old = require_service(tables, context, &cluster.name, &input.service).await?;
    if old.status != ServiceStatus::Active {
        return Err(service_not_active());
    }
    check_controller(&old, input)?;
    let mut service = changed(&old, input)?;
    check_express(&service, input)?;
    if service.deployment_configuration.hooks != old.deployment_configuration.hooks {
        check_hooks(tables, &service.deployment_configuration).await?;
    }
    check_exec_role(tables, context, &old, &service, input).await?;
    let mut batch = tables.batch();
    let new = new_workload(tables, registry, context, (&cluster, &old, &service), input).await?;
    if input.deployment_configuration.is_some() || input.load_balancers.is_some() {
        let own = new.as_ref().map(|(workload, ..)| workload);
        let own = own.or_else(|| old.primary().map(|primary| &primary.workload));
        let own = own.map(|workload| workload.load_balancers.as_slice()).unwrap_or_default();
        load_balancers::check_strategy(service.deployment_configuration.strategy, own)?;
    }
    if let Some((workload, definition, settled)) = new {
        if input.capacity_provider_strategy.is_some() {
            require_associated(&workload.strategy, &cluster.capacity_providers)?;
        }
        batch = batch.require_unchanged(&definition);
        batch = load_balancers::require(tables, &definition, &workload.load_balancers, batch).await?;
        if let Some(record) = record_in_progress(tables, &old).await? {
            batch = batch.replace(&record, &record.superseded(context.time));
        }
        let digests = image_digests::resolve(tables, registry, context, &definition).await?;
        let (mut revision, record) =
            service.begin_deployment(workload, &definition, tables.environment(), context.time);
        revision.digests = digests;
        if let Some(settled) = &settled {
            revision.endpoints.clone_from(&settled.endpoints);
            batch = settled.write(batch);
        }
        batch = batch.create(&revision).create(&record);
    }
    if service == *old.value {
        return Ok(Some(service));
    }
    match batch.replace(&old, &service).commit().await {
        Ok(_) => Ok(Some(service)),
        Err(error) if error.is_conflict() => Ok(None),
        Err(error) => Err(crate::errors::store(error)),
    }
}

/// A service keeps its controller, and what is decided outside is not decided here.
fn check_controller(old: &Service, input: &UpdateServiceRequest) -> Result<(), ServiceError> {
    let own = match old.controller {
        Controller::Ecs => wire::DeploymentControllerType::Ecs,
        Controller::External => wire::DeploymentControllerType::External,
    };
    if input.deployment_controller.as_ref().is_some_and(|given| given.r#type != own) {
        return Err(unsupported("Changing the deployment controller of a service"));
    }
    if old.controller == Controller::Ecs {
        return Ok(());
    }
    of_task_sets(&[
        (input.task_definition.is_some(), "taskDefinition"),
        (input.network_configuration.is_some(), "networkConfiguration"),
        (input.platform_version.is_some(), "platformVersion"),
        (input.capacity_provider_strategy.is_some(), "capacityProviderStrategy"),
        (input.deployment_configuration.is_some(), "deploymentConfiguration"),
        (filled(input.load_balancers.as_ref()), "loadBalancers"),
        (filled(input.service_registries.as_ref()), "serviceRegistries"),
        (input.force_new_deployment == Some(true), "forceNewDeployment"),
        (input.service_connect_configuration.is_some(), "serviceConnectConfiguration"),
    ])
}

/// The load balancer of an express service is that which ECS made for it, and traffic is shifted there.
fn check_express(service: &Service, input: &UpdateServiceRequest) -> Result<(), ServiceError> {
    if !service.express {
        return Ok(());
    }
    if service.deployment_configuration.strategy == Strategy::Rolling {
        return Err(invalid(
            "Updating to ROLLING deployment strategy is not supported for ExpressGatewayServices.",
        ));
    }
    if input.load_balancers.is_some() {
        return Err(invalid("Updating loadBalancers is not supported for ExpressGatewayServices."));
    }
    Ok(())
}

/// What changes without a new deployment.
fn changed(old: &Service, input: &UpdateServiceRequest) -> Result<Service, ServiceError> {
    let mut new = old.clone();
    if let Some(count) = input.desired_count {
        new.desired_count = desired_count(count)?;
    }
    new.deployment_configuration =
        deployment_configuration(input.deployment_configuration.clone(), &old.deployment_configuration)?;
    if let Some(given) = input.health_check_grace_period_seconds {
        new.health_check_grace_period = Some(grace_period(given)?);
    }
    if let Some(given) = input.availability_zone_rebalancing {
        new.zone_rebalancing = given == wire::AvailabilityZoneRebalancing::Enabled;
    }
    if input.propagate_tags.is_some() {
        new.propagate_tags = stored_propagation(input.propagate_tags);
    }
    new.execute_command = input.enable_execute_command.unwrap_or(old.execute_command);
    new.managed_tags = input.enable_ecs_managed_tags.unwrap_or(old.managed_tags);
    Ok(new)
}

/// Commands can be run only in tasks that have a role: that of the task definition which the service goes on with.
async fn check_exec_role(
    tables: &Tables,
    context: &RequestContext,
    old: &Service,
    new: &Service,
    input: &UpdateServiceRequest,
) -> Result<(), ServiceError> {
    let named = input.task_definition.as_deref().filter(|name| !name.is_empty());
    if !new.execute_command || (old.execute_command && named.is_none()) {
        return Ok(());
    }
    let own =
        old.primary().map(|primary| format!("{}:{}", primary.workload.family, primary.workload.revision));
    let Some(name) = named.map(str::to_owned).or(own) else { return Ok(()) };
    match find_definition(tables, context, &name).await? {
        Some(definition) => {
            exec::check_role(definition.task_role_arn.as_deref(), "service couldn't be updated")
        }
        // Said in its place.
        None => Ok(()),
    }
}

/// What a new deployment runs, if there shall be one.
async fn new_workload(
    tables: &Tables,
    registry: &RegistryHosts,
    context: &RequestContext,
    (cluster, old, changed): (&Cluster, &Service, &Service),
    input: &UpdateServiceRequest,
) -> Result<Option<(Workload, Versioned<TaskDefinition>, Option<Settled>)>, ServiceError> {
    let Some(primary) = old.primary().filter(|_| old.controller == Controller::Ecs) else { return Ok(None) };
    let mut new = primary.workload.clone();
    if let Some(given) = &input.capacity_provider_strategy {
        new.strategy = strategy(given.clone())?;
    }
    if let Some(given) = &input.platform_version {
        new.platform_version = platform(Some(given.clone()))?;
    }
    if let Some(given) = &input.load_balancers {
        new.load_balancers = load_balancers::read(given.clone())?;
    }
    if input.network_configuration.is_some() {
        let network = network(input.network_configuration.clone())?;
        check_network(tables, context, &network.subnets, &network.security_groups).await?;
        new.subnets = network.subnets;
        new.security_groups = network.security_groups;
        new.assign_public_ip = network.assign_public_ip;
    }
    if let Some(given) = &input.volume_configurations {
        new.volumes = volumes::requests_of_service(Some(given.clone()))?;
    }
    let named = input.task_definition.as_deref().filter(|name| !name.is_empty());
    let is_forced = input.force_new_deployment == Some(true);
    let given_registries = input.service_registries.as_ref();
    let given_connect = input.service_connect_configuration.clone();
    let is_given = given_registries.is_some() || given_connect.is_some();
    if named.is_none() && new == primary.workload && !is_forced && !is_given {
        return Ok(None);
    }
    let own = format!("{}:{}", new.family, new.revision);
    let definition = find_definition(tables, context, named.unwrap_or(&own)).await?;
    let definition = definition.ok_or_else(|| client("TaskDefinition not found."))?;
    new.family.clone_from(&definition.family);
    new.revision = definition.value.revision;
    match given_registries {
        Some(given) => {
            new.registries = registries::registries(tables, context, given.clone(), &definition).await?;
        }
        None => registries::check(tables, context, &new.registries, &definition).await?,
    }
    let asked = match given_connect {
        Some(given) => connect::read(given)?,
        None => new.connect.as_ref().map(Asked::from),
    };
    let settled = match &asked {
        Some(asked) => Some(connect::settle(tables, context, cluster, changed, asked, &definition).await?),
        None => None,
    };
    new.connect = settled.as_ref().map(|settled| settled.connect.clone());
    if new == primary.workload && !is_forced {
        return Ok(None);
    }
    // A service may go on with what was deregistered, and be deployed anew with it; it may not change to it.
    let is_own = (&new.family, new.revision) == (&primary.workload.family, primary.workload.revision);
    match definition.status {
        DefinitionStatus::Active => {}
        DefinitionStatus::Inactive if is_own => {}
        DefinitionStatus::Inactive | DefinitionStatus::DeleteInProgress => {
            return Err(client("TaskDefinition is inactive"));
        }
    }
    volumes::check_launch(&definition, &new.volumes)?;
    execution_role::check(registry, &definition.containers, definition.execution_role_arn.as_deref())?;
    Ok(Some((new, definition, settled)))
}

/// The record of the deployment that is on its way.
pub(crate) async fn record_in_progress(
    tables: &Tables,
    service: &Service,
) -> Result<Option<Versioned<ServiceDeployment>>, ServiceError> {
    let Some(primary) = service.primary() else { return Ok(None) };
    let key = format!("{}/{}", resources::Stored::key(service), primary.service_deployment);
    let record = tables.get::<ServiceDeployment>(&key).await.map_err(crate::errors::store)?;
    Ok(record.filter(|record| !record.status.is_final()))
}
