//! CreateTaskSet: another set of tasks of a service whose deployments are somebody else's.

use crate::arns::{find_definition, require_cluster};
use crate::definition::store_tags;
use crate::errors::{client, invalid, update_in_progress};
use crate::execution_role;
use crate::load_balancers;
use crate::operations::create_service::{check_launch_type, checked_token, strategy_in};
use crate::placement::{check_network, network, platform};
use crate::registries::registries;
use crate::service::strategy;
use crate::shapes::{self as wire, CreateTaskSetRequest, CreateTaskSetResponse, errors};
use crate::task_set::{MOST_ATTEMPTS, described_one, require_external, scale};
use aws_wire::{RequestContext, ServiceError};
use resources::ecr::RegistryHosts;
use resources::ecs::{
    DefinitionStatus, Deployment, RolloutState, Service, Tag, TaskDefinition, TaskSet, Workload,
};
use store::{Tables, Versioned};

/// Most task sets of a service, as AWS's quota is.
const MOST_SETS: usize = 5;

/// What the request asks for, beside the task definition.
struct Wanted {
    workload: Workload,
    registries: Vec<wire::ServiceRegistry>,
    external_id: Option<String>,
    scale: u32,
    token: Option<String>,
    tags: Vec<Tag>,
}

pub(crate) async fn run(
    tables: &Tables,
    registry: &RegistryHosts,
    context: &RequestContext,
    input: CreateTaskSetRequest,
) -> Result<CreateTaskSetResponse, ServiceError> {
    let (cluster, service, definition) =
        (input.cluster.clone(), input.service.clone(), input.task_definition.clone());
    let cluster = require_cluster(tables, context, Some(&cluster)).await?;
    let launch_type = input.launch_type;
    let mut wanted = read(input)?;
    wanted.workload.strategy = strategy_in(&cluster, wanted.workload.strategy, launch_type)?;
    let definition = find_definition(tables, context, &definition).await?;
    let definition = definition.ok_or_else(|| client("TaskDefinition not found."))?;
    if definition.status != DefinitionStatus::Active {
        return Err(client("TaskDefinition is inactive"));
    }
    execution_role::check(registry, &definition.containers, definition.execution_role_arn.as_deref())?;
    check_network(tables, context, &wanted.workload.subnets, &wanted.workload.security_groups).await?;
    wanted.workload.registries = registries(tables, context, wanted.registries.clone(), &definition).await?;
    for _ in 0..MOST_ATTEMPTS {
        let old = require_external(tables, context, &cluster.name, &service).await?;
        if let Some(id) = repeated(&old, wanted.token.as_ref()) {
            return Ok(CreateTaskSetResponse { task_set: described_one(tables, context, &old, &id).await? });
        }
        if old.deployments.len() >= MOST_SETS {
            return Err(ServiceError::new(
                &errors::LIMIT_EXCEEDED_EXCEPTION,
                format!("A service can have {MOST_SETS} task sets."),
            ));
        }
        let random = tables.environment().random_text(19, b"0123456789");
        let (new, id) = with_set(&old, &wanted, &definition, &random, context);
        let batch = tables.batch().replace(&old, &new).require_unchanged(&definition);
        let batch =
            load_balancers::require(tables, &definition, &wanted.workload.load_balancers, batch).await?;
        match batch.commit().await {
            Ok(_) => {
                let task_set = described_one(tables, context, &new, &id).await?;
                return Ok(CreateTaskSetResponse { task_set });
            }
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(crate::errors::store(error)),
        }
    }
    Err(update_in_progress())
}

fn repeated(service: &Service, token: Option<&String>) -> Option<String> {
    let token = token?;
    let is_same = |set: &TaskSet| set.client_token.as_ref() == Some(token);
    service
        .deployments
        .iter()
        .find(|own| own.task_set.as_ref().is_some_and(is_same))
        .map(|own| own.id.clone())
}

fn read(input: CreateTaskSetRequest) -> Result<Wanted, ServiceError> {
    let CreateTaskSetRequest {
        capacity_provider_strategy,
        client_token,
        cluster: _,
        external_id,
        launch_type,
        load_balancers,
        network_configuration,
        platform_version,
        scale: share,
        service: _,
        service_registries,
        tags,
        task_definition: _,
    } = input;
    let load_balancers = load_balancers::read(load_balancers.unwrap_or_default())?;
    if load_balancers.iter().any(|own| own.advanced.is_some()) {
        return Err(invalid("advancedConfiguration is not supported for task sets."));
    }
    let strategy = strategy(capacity_provider_strategy.unwrap_or_default())?;
    check_launch_type(launch_type, !strategy.is_empty())?;
    let network = network(network_configuration)?;
    Ok(Wanted {
        workload: Workload {
            family: String::new(),
            revision: 0,
            strategy,
            platform_version: platform(platform_version)?,
            subnets: network.subnets,
            security_groups: network.security_groups,
            assign_public_ip: network.assign_public_ip,
            load_balancers,
            volumes: Vec::new(),
            registries: Vec::new(),
            connect: None,
        },
        registries: service_registries.unwrap_or_default(),
        external_id,
        scale: scale(share)?,
        token: client_token.map(checked_token).transpose()?,
        tags: store_tags(tags)?,
    })
}

fn with_set(
    old: &Service,
    wanted: &Wanted,
    definition: &Versioned<TaskDefinition>,
    random: &str,
    context: &RequestContext,
) -> (Service, String) {
    let id = format!("ecs-svc/{random}");
    let mut new = old.clone();
    new.steady = false;
    new.deployments.push(Deployment {
        id: id.clone(),
        service_deployment: String::new(),
        service_revision: String::new(),
        workload: Workload {
            family: definition.family.clone(),
            revision: definition.value.revision,
            ..wanted.workload.clone()
        },
        rollout: RolloutState::InProgress,
        rollout_reason: String::new(),
        failed_tasks: 0,
        failed_rounds: 0,
        retry_at: None,
        created_at: context.time,
        updated_at: context.time,
        alternate: false,
        task_set: Some(TaskSet {
            external_id: wanted.external_id.clone(),
            scale: wanted.scale,
            primary: false,
            steady_at: None,
            draining: false,
            client_token: wanted.token.clone(),
            tags: wanted.tags.clone(),
        }),
    });
    (new, id)
}
