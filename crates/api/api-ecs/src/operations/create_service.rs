//! CreateService: writes a service with its first deployment; the service controller does the rest.

use crate::arns::{find_definition, require_cluster};
use crate::capacity::effective;
use crate::connect::{self, Asked};
use crate::definition::store_tags;
use crate::errors::{client, invalid, unsupported, update_in_progress};
use crate::exec;
use crate::execution_role;
use crate::image_digests;
use crate::load_balancers;
use crate::placement::{Network, check_network, network, platform};
use crate::refuse::filled;
use crate::registries::registries;
use crate::render::service as render;
use crate::service::{
    Unbuilt, check_hooks, deployment_configuration, desired_count, find_service, grace_period, strategy,
};
use crate::shapes::{self as wire, CreateServiceRequest, CreateServiceResponse};
use crate::volumes;
use aws_wire::{RequestContext, ServiceError};
use resources::Stored;
use resources::ecr::RegistryHosts;
use resources::ecs::{
    Cluster, Controller, DefinitionStatus, DeploymentConfiguration, PropagateTags, Service, ServiceEvents,
    ServiceStatus, StrategyItem, Workload,
};
use sha2::{Digest, Sha256};
use store::{Batch, Tables, Versioned};

/// Attempts while others write the cluster or the service.
const MOST_ATTEMPTS: usize = 8;

/// What the request asks for, beside the task definition.
struct Wanted {
    service: Service,
    workload: Workload,
    /// None of a service whose task sets have their own.
    definition: Option<String>,
    launch_type: Option<wire::LaunchType>,
    registries: Vec<wire::ServiceRegistry>,
    connect: Option<Asked>,
}

pub(crate) async fn run(
    tables: &Tables,
    registry: &RegistryHosts,
    context: &RequestContext,
    input: CreateServiceRequest,
) -> Result<CreateServiceResponse, ServiceError> {
    let cluster = input.cluster.clone();
    let wanted = read(context, input)?;
    for _ in 0..MOST_ATTEMPTS {
        if let Some(service) = attempt(tables, registry, context, cluster.as_deref(), &wanted).await? {
            let service = render::described(tables, context, &service, true).await?;
            return Ok(CreateServiceResponse { service: Some(service) });
        }
    }
    Err(update_in_progress())
}

/// Writes the service; `None` when somebody else has written at the same time.
async fn attempt(
    tables: &Tables,
    registry: &RegistryHosts,
    context: &RequestContext,
    cluster: Option<&str>,
    wanted: &Wanted,
) -> Result<Option<Service>, ServiceError> {
    let cluster = require_cluster(tables, context, cluster).await?;
    let old = find_service(tables, context, &cluster.name, &wanted.service.name).await?;
    match &old {
        Some(old) if old.status == ServiceStatus::Active => {
            // The same request again is answered as the first time.
            if old.client_token.is_some() && old.client_token == wanted.service.client_token {
                return Ok(Some(Service::clone(old)));
            }
            return Err(invalid("Creation of service was not idempotent."));
        }
        Some(old) if old.status == ServiceStatus::Draining => {
            return Err(invalid("Unable to Start a service that is still Draining."));
        }
        Some(_) | None => {}
    }
    check_hooks(tables, &wanted.service.deployment_configuration).await?;
    let Some(definition) = &wanted.definition else {
        let service = Service { cluster: cluster.name.clone(), ..wanted.service.clone() };
        let batch = tables.batch().replace(&cluster, &cluster).delete_any::<ServiceEvents>(&service.key());
        return written(batch, old.as_ref(), service).await;
    };
    let definition = find_definition(tables, context, definition)
        .await?
        .ok_or_else(|| client("TaskDefinition not found."))?;
    if definition.status != DefinitionStatus::Active {
        return Err(client("TaskDefinition is inactive"));
    }
    volumes::check_launch(&definition, &wanted.workload.volumes)?;
    if wanted.service.execute_command {
        exec::check_role(definition.task_role_arn.as_deref(), "service couldn't be created")?;
    }
    execution_role::check(registry, &definition.containers, definition.execution_role_arn.as_deref())?;
    check_network(tables, context, &wanted.workload.subnets, &wanted.workload.security_groups).await?;
    let mut service = Service { cluster: cluster.name.clone(), ..wanted.service.clone() };
    let settled = match &wanted.connect {
        Some(asked) => Some(connect::settle(tables, context, &cluster, &service, asked, &definition).await?),
        None => None,
    };
    let workload = Workload {
        connect: settled.as_ref().map(|settled| settled.connect.clone()),
        family: definition.family.clone(),
        revision: definition.value.revision,
        registries: registries(tables, context, wanted.registries.clone(), &definition).await?,
        strategy: strategy_in(&cluster, wanted.workload.strategy.clone(), wanted.launch_type)?,
        ..wanted.workload.clone()
    };
    let digests = image_digests::resolve(tables, registry, context, &definition).await?;
    let (mut revision, record) =
        service.begin_deployment(workload, &definition, tables.environment(), context.time);
    revision.digests = digests;
    revision.endpoints = settled.as_ref().map(|settled| settled.endpoints.clone()).unwrap_or_default();
    // The cluster is written as it is, so that it is not deleted at the same time.
    let batch = tables
        .batch()
        .replace(&cluster, &cluster)
        .require_unchanged(&definition)
        .delete_any::<ServiceEvents>(&service.key())
        .create(&revision)
        .create(&record);
    let batch = match &settled {
        Some(settled) => settled.write(batch),
        None => batch,
    };
    let batch = load_balancers::require(tables, &definition, &wanted.workload.load_balancers, batch).await?;
    written(batch, old.as_ref(), service).await
}

/// Writes the service in the place of a deleted one, if there is one; `None` when somebody else was faster.
async fn written(
    batch: Batch,
    old: Option<&Versioned<Service>>,
    service: Service,
) -> Result<Option<Service>, ServiceError> {
    let batch = match old {
        Some(old) => batch.replace(old, &service),
        None => batch.create(&service),
    };
    match batch.commit().await {
        Ok(_) => Ok(Some(service)),
        Err(error) if error.is_conflict() => Ok(None),
        Err(error) => Err(crate::errors::store(error)),
    }
}

/// What two requests with one client token must have in common.
fn fingerprint(input: &CreateServiceRequest) -> String {
    let text = format!("{:?}", CreateServiceRequest { client_token: None, ..input.clone() });
    hex::encode(Sha256::digest(text))
}

fn read(context: &RequestContext, input: CreateServiceRequest) -> Result<Wanted, ServiceError> {
    let fingerprint = fingerprint(&input);
    let CreateServiceRequest {
        availability_zone_rebalancing,
        capacity_provider_strategy,
        client_token,
        cluster: _,
        deployment_configuration: configuration,
        deployment_controller,
        desired_count: count,
        enable_ecs_managed_tags,
        enable_execute_command,
        health_check_grace_period_seconds,
        launch_type,
        load_balancers,
        network_configuration,
        placement_constraints,
        placement_strategy,
        platform_version,
        propagate_tags,
        role,
        scheduling_strategy,
        service_connect_configuration,
        service_name,
        service_registries,
        tags,
        task_definition,
        volume_configurations,
        vpc_lattice_configurations,
    } = input;
    let controller = controller(deployment_controller)?;
    let unbuilt = Unbuilt {
        lattice: filled(vpc_lattice_configurations.as_ref()),
        constraints: filled(placement_constraints.as_ref()),
        strategy: filled(placement_strategy.as_ref()),
    };
    unbuilt.refuse()?;
    check_name(&service_name)?;
    let load_balancers = load_balancers::read(load_balancers.unwrap_or_default())?;
    if role.is_some_and(|role| !role.is_empty()) {
        return Err(invalid(if load_balancers.is_empty() {
            "role is only valid for services configured to use load balancers."
        } else {
            "You cannot specify an IAM role for services that require a service linked role."
        }));
    }
    let is_external = controller == Controller::External;
    if is_external {
        if configuration.as_ref().is_some_and(|given| given.alarms.is_some()) {
            return Err(invalid(
                "Alarm based rollback feature is only supported with ECS deployment controller. Update to ECS \
                 deployment controller and try again.",
            ));
        }
        let told = [
            (task_definition.is_some(), "taskDefinition"),
            (network_configuration.is_some(), "networkConfiguration"),
            (platform_version.is_some(), "platformVersion"),
            (filled(capacity_provider_strategy.as_ref()), "capacityProviderStrategy"),
            (configuration.is_some(), "deploymentConfiguration"),
            (!load_balancers.is_empty(), "loadBalancers"),
            (filled(service_registries.as_ref()), "serviceRegistries"),
            (service_connect_configuration.is_some(), "serviceConnectConfiguration"),
        ];
        of_task_sets(&told)?;
    }
    let strategy = strategy(capacity_provider_strategy.unwrap_or_default())?;
    if !is_external {
        check_launch_type(launch_type, !strategy.is_empty())?;
    }
    if scheduling_strategy == Some(wire::SchedulingStrategy::Daemon) {
        return Err(invalid("The daemon scheduling strategy is not supported for the Fargate launch type."));
    }
    let definition = task_definition.filter(|name| !name.is_empty());
    if definition.is_none() && !is_external {
        return Err(invalid("Task definition cannot be empty."));
    }
    let count =
        count.ok_or_else(|| invalid("desiredCount is required for the REPLICA scheduling strategy."))?;
    let network = if is_external { Network::default() } else { network(network_configuration)? };
    let deployment_configuration =
        deployment_configuration(configuration, &DeploymentConfiguration::default())?;
    load_balancers::check_strategy(deployment_configuration.strategy, &load_balancers)?;
    let service = Service {
        account: context.account.clone(),
        cluster: String::new(),
        name: service_name,
        status: ServiceStatus::Active,
        desired_count: desired_count(count)?,
        deployment_configuration,
        deployments: Vec::new(),
        last_completed: None,
        stop_requested: None,
        lifecycle: None,
        controller,
        express: false,
        steady: false,
        notices: Vec::new(),
        propagate_tags: stored_propagation(propagate_tags),
        managed_tags: enable_ecs_managed_tags == Some(true),
        execute_command: enable_execute_command == Some(true),
        health_check_grace_period: health_check_grace_period_seconds.map(grace_period).transpose()?,
        zone_rebalancing: availability_zone_rebalancing != Some(wire::AvailabilityZoneRebalancing::Disabled),
        client_token: client_token
            .map(|token| checked_token(token).map(|token| (token, fingerprint)))
            .transpose()?,
        tags: store_tags(tags)?,
        created_by: context.principal_arn.to_string(),
        created_at: context.time,
        deleted_at: None,
    };
    let workload = Workload {
        family: String::new(),
        revision: 0,
        strategy,
        platform_version: platform(platform_version)?,
        subnets: network.subnets,
        security_groups: network.security_groups,
        assign_public_ip: network.assign_public_ip,
        load_balancers,
        volumes: volumes::requests_of_service(volume_configurations)?,
        registries: Vec::new(),
        connect: None,
    };
    let registries = service_registries.unwrap_or_default();
    let connect = service_connect_configuration.map(connect::read).transpose()?.flatten();
    Ok(Wanted { service, workload, definition, launch_type, registries, connect })
}

/// Refuses launch types that are not here, and one beside a strategy.
pub(crate) fn check_launch_type(
    launch_type: Option<wire::LaunchType>,
    has_strategy: bool,
) -> Result<(), ServiceError> {
    match launch_type {
        Some(_) if has_strategy => {
            Err(invalid("Specifying both a launch type and a capacity provider strategy is not supported."))
        }
        None | Some(wire::LaunchType::Fargate) => Ok(()),
        Some(_) => Err(no_instances()),
    }
}

/// What a request asks for needs container instances.
pub(crate) fn no_instances() -> ServiceError {
    invalid("No Container Instances were found in your cluster. Use the launch type FARGATE.")
}

/// The strategy of tasks in a cluster; without one and without a launch type they would need container instances.
pub(crate) fn strategy_in(
    cluster: &Cluster,
    given: Vec<StrategyItem>,
    launch_type: Option<wire::LaunchType>,
) -> Result<Vec<StrategyItem>, ServiceError> {
    let strategy = effective(given, launch_type, cluster)?;
    if strategy.is_empty() && launch_type.is_none() {
        return Err(no_instances());
    }
    Ok(strategy)
}

/// Which tags tasks get, as it is stored.
pub(crate) fn stored_propagation(given: Option<wire::PropagateTags>) -> PropagateTags {
    match given {
        Some(wire::PropagateTags::TaskDefinition) => PropagateTags::TaskDefinition,
        Some(wire::PropagateTags::Service) => PropagateTags::Service,
        Some(wire::PropagateTags::None) | None => PropagateTags::None,
    }
}

pub(crate) fn checked_token(token: String) -> Result<String, ServiceError> {
    if token.is_empty() || token.len() > 36 || !token.bytes().all(|b| (33..=126).contains(&b)) {
        return Err(invalid("clientToken must have 1 to 36 ASCII characters."));
    }
    Ok(token)
}

/// Who decides about deployments.
fn controller(given: Option<wire::DeploymentController>) -> Result<Controller, ServiceError> {
    match given.map(|given| given.r#type) {
        None | Some(wire::DeploymentControllerType::Ecs) => Ok(Controller::Ecs),
        Some(wire::DeploymentControllerType::External) => Ok(Controller::External),
        Some(wire::DeploymentControllerType::CodeDeploy) => {
            Err(unsupported("The deployment controller CODE_DEPLOY"))
        }
    }
}

/// Refuses what task sets have, and their service has not.
pub(crate) fn of_task_sets(told: &[(bool, &str)]) -> Result<(), ServiceError> {
    match told.iter().find(|(is_told, _)| *is_told) {
        Some((_, name)) => Err(invalid(format!(
            "{name} cannot be specified for a service with an EXTERNAL deployment controller. Specify it for its \
             task sets."
        ))),
        None => Ok(()),
    }
}

pub(crate) fn check_name(name: &str) -> Result<(), ServiceError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if name.is_empty() || name.len() > 255 || !name.bytes().all(plain) {
        return Err(invalid(
            "Invalid service name: it has up to 255 letters (uppercase and lowercase), numbers, underscores, and hyphens.",
        ));
    }
    Ok(())
}
