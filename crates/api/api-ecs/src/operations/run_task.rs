//! RunTask: writes tasks that are `PROVISIONING`; the task controller does the rest.

use crate::EcsService;
use crate::arns::{find_definition, require_cluster};
use crate::containers::{memory_limit, not_negative, pairs, resources_wanted};
use crate::definition::{fargate_size, storage_size, store_tags};
use crate::errors::{Failure, client, invalid};
use crate::exec;
use crate::execution_role;
use crate::operations::create_service::{check_launch_type, strategy_in};
use crate::placement::{check_network, network, platform};
use crate::refuse::{filled, refuse};
use crate::render;
use crate::secrets;
use crate::service::strategy;
use crate::shapes::{self as wire, RunTaskRequest, RunTaskResponse, errors};
use crate::volumes;
use aws_wire::{RequestContext, ServiceError};
use resources::ecr::RegistryHosts;
use resources::ecs::{
    Cluster, ContainerOverride, DefinitionStatus, Lack, Launch, NO_CAPACITY, RunToken, StrategyItem, Tag,
    Task, TaskDefinition, TaskOverride, VolumeRequest,
};
use sha2::{Digest, Sha256};
use store::{Tables, Versioned};
use task_placements::Placements;

/// Most tasks of a request.
const MOST_TASKS: i32 = 10;
/// Longest reference id.
const MOST_REFERENCE: usize = 1024;
/// Attempts to start tasks while others write the cluster or the token.
const MOST_ATTEMPTS: usize = 8;

/// What the request asks for beside the task definition.
struct Wanted {
    overrides: TaskOverride,
    subnets: Vec<String>,
    security_groups: Vec<String>,
    group: Option<String>,
    started_by: Option<String>,
    tags: Vec<Tag>,
    propagate: bool,
    managed_tags: bool,
    volumes: Vec<VolumeRequest>,
    strategy: Vec<StrategyItem>,
    launch_type: Option<wire::LaunchType>,
    count: i32,
    execute_command: bool,
    /// Hash of the whole request, to tell whether a token is used for the same one again.
    parameters: String,
}

/// What two requests with one client token must have in common.
fn fingerprint(input: &RunTaskRequest) -> String {
    // The text of a request hides the environment, which belongs to it.
    let overrides =
        input.overrides.iter().flat_map(|overrides| overrides.container_overrides.iter().flatten());
    let hidden: Vec<_> = overrides.map(|container| &container.environment).collect();
    let text = format!("{:?} {hidden:?}", RunTaskRequest { client_token: None, ..input.clone() });
    hex::encode(Sha256::digest(text))
}

pub(crate) async fn run(
    service: &EcsService,
    context: &RequestContext,
    input: RunTaskRequest,
) -> Result<RunTaskResponse, ServiceError> {
    start(&service.tables, (&service.registry, &service.placements), context, input).await
}

async fn start(
    tables: &Tables,
    (registry, placements): (&RegistryHosts, &Placements),
    context: &RequestContext,
    input: RunTaskRequest,
) -> Result<RunTaskResponse, ServiceError> {
    let wanted = Wanted { parameters: fingerprint(&input), ..read(input.clone())? };
    for _ in 0..MOST_ATTEMPTS {
        match attempt(tables, (registry, placements), context, &input, &wanted).await {
            Err(Failed::Raced) => {}
            Err(Failed::Refused(error)) => return Err(error),
            Ok(started) => return Ok(answer(context, &started)),
        }
    }
    Err(invalid("The cluster is being changed again and again. Please try again."))
}

/// Why an attempt started no task.
enum Failed {
    /// The cluster, or the request's token, was written at the same time.
    Raced,
    Refused(ServiceError),
}

impl<E: Into<ServiceError>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::Refused(error.into())
    }
}

/// What a request has started.
struct Started {
    tasks: Vec<Task>,
    /// Why others were not, one for each.
    lacks: Vec<Lack>,
}

/// Writes the tasks that there is room for, unless the same request has written them before.
async fn attempt(
    tables: &Tables,
    (registry, placements): (&RegistryHosts, &Placements),
    context: &RequestContext,
    input: &RunTaskRequest,
    wanted: &Wanted,
) -> Result<Started, Failed> {
    let cluster = require_cluster(tables, context, input.cluster.as_deref()).await?;
    if let Some(token) = &input.client_token
        && let Some(started) = repeated(tables, context, &cluster, token, &wanted.parameters).await?
    {
        return Ok(started);
    }
    let found = find_definition(tables, context, &input.task_definition).await?;
    let definition = found.ok_or_else(|| client("TaskDefinition not found."))?;
    if definition.status != DefinitionStatus::Active {
        return Err(client("TaskDefinition is inactive").into());
    }
    let role = wanted.overrides.execution_role_arn.as_ref().or(definition.execution_role_arn.as_ref());
    if wanted.execute_command {
        let role = wanted.overrides.task_role_arn.as_ref().or(definition.task_role_arn.as_ref());
        exec::check_role(role.map(String::as_str), "task couldn't be started")?;
    }
    execution_role::check(registry, &definition.containers, role.map(String::as_str))?;
    volumes::check_launch(&definition, &wanted.volumes)?;
    check_network(tables, context, &wanted.subnets, &wanted.security_groups).await?;
    let strategy = strategy_in(&cluster, wanted.strategy.clone(), wanted.launch_type)?;
    let mut tasks: Vec<Task> = Vec::new();
    for _ in 0..wanted.count {
        let running =
            |name: &str| tasks.iter().filter(|task| task.capacity_provider.as_deref() == Some(name)).count();
        let provider = StrategyItem::next(&strategy, running);
        tasks.push(new_task(tables, context, &cluster, &definition, (wanted, provider))?);
    }
    let admitted = placements.admit(&tasks);
    let lacks = vec![admitted.lack(); tasks.len() - admitted.count()].into_iter().flatten().collect();
    tasks.truncate(admitted.count());
    if tasks.is_empty() {
        // Nothing is started, so nothing is to be repeated: the same request may be sent again until there is room.
        return Ok(Started { tasks, lacks });
    }
    let mut batch = tables.batch().require_unchanged(&cluster);
    for task in &tasks {
        batch = batch.create(task);
    }
    if let Some(token) = &input.client_token {
        batch = batch.create(&RunToken {
            account: context.account.clone(),
            cluster: cluster.name.clone(),
            token: token.clone(),
            parameters: wanted.parameters.clone(),
            tasks: tasks.iter().map(|task| task.id.clone()).collect(),
            lacks: lacks.clone(),
            created_at: context.time,
        });
    }
    match batch.commit().await {
        Ok(_) => {
            admitted.keep();
            Ok(Started { tasks, lacks })
        }
        Err(error) if error.is_conflict() => Err(Failed::Raced),
        Err(error) => Err(crate::errors::store(error).into()),
    }
}

/// For a task that there is no room for, Fargate names no host and says that capacity is unavailable. What exactly there
/// was too little of is told in the detail, by the names that ECS has for it.
fn answer(context: &RequestContext, started: &Started) -> RunTaskResponse {
    let tasks = started.tasks.iter().map(|task| render::task(context, task, true)).collect();
    let failure = |lack: &Lack| wire::Failure {
        arn: None,
        reason: Some(NO_CAPACITY.to_owned()),
        detail: Some(lack.as_str().to_owned()),
    };
    RunTaskResponse { tasks: Some(tasks), failures: Some(started.lacks.iter().map(failure).collect()) }
}

/// The tasks that the same request has started before.
async fn repeated(
    tables: &Tables,
    context: &RequestContext,
    cluster: &Cluster,
    token: &str,
    parameters: &str,
) -> Result<Option<Started>, ServiceError> {
    if token.is_empty() || token.len() > 64 || !token.bytes().all(|b| (33..=126).contains(&b) && b != b'/') {
        return Err(invalid("clientToken must have 1 to 64 ASCII characters."));
    }
    let key = format!("{}/{}/{token}", context.account, cluster.name);
    let Some(used) = tables.get::<RunToken>(&key).await.map_err(Failure::from)? else { return Ok(None) };
    if used.parameters != parameters {
        return Err(ServiceError::new(
            &errors::CONFLICT_EXCEPTION,
            "The clientToken was used before with different parameters.",
        ));
    }
    let mut tasks = Vec::new();
    for id in &used.tasks {
        let key = format!("{}/{}/{id}", context.account, cluster.name);
        let found = tables.get::<Task>(&key).await.map_err(Failure::from)?;
        tasks.extend(found.map(|task| (*task.value).clone()));
    }
    Ok(Some(Started { tasks, lacks: used.lacks.clone() }))
}

fn read(input: RunTaskRequest) -> Result<Wanted, ServiceError> {
    let RunTaskRequest {
        capacity_provider_strategy,
        client_token: _,
        cluster: _,
        count,
        enable_ecs_managed_tags,
        enable_execute_command,
        group,
        launch_type,
        network_configuration,
        overrides,
        placement_constraints,
        placement_strategy,
        platform_version,
        propagate_tags,
        reference_id,
        started_by,
        tags,
        task_definition: _,
        volume_configurations,
    } = input;
    if filled(placement_constraints.as_ref()) {
        return Err(invalid("Placement constraints are not supported with FARGATE launch type."));
    }
    if filled(placement_strategy.as_ref()) {
        return Err(invalid("Placement strategies are not supported with FARGATE launch type."));
    }
    if reference_id.as_ref().is_some_and(|id| id.len() > MOST_REFERENCE) {
        return Err(invalid(format!("referenceId has at most {MOST_REFERENCE} characters.")));
    }
    let strategy = strategy(capacity_provider_strategy.unwrap_or_default())?;
    check_launch_type(launch_type, !strategy.is_empty())?;
    platform(platform_version)?;
    let count = count.unwrap_or(1);
    if !(1..=MOST_TASKS).contains(&count) {
        return Err(invalid(format!("count must be between 1 and {MOST_TASKS}.")));
    }
    let network = network(network_configuration)?;
    Ok(Wanted {
        overrides: overrides.map_or_else(|| Ok(TaskOverride::default()), read_overrides)?,
        subnets: network.subnets,
        security_groups: network.security_groups,
        group,
        started_by: checked_started_by(started_by)?,
        tags: store_tags(tags)?,
        propagate: propagated(propagate_tags)?,
        managed_tags: enable_ecs_managed_tags == Some(true),
        volumes: volumes::requests_of_task(volume_configurations)?,
        strategy,
        launch_type,
        count,
        execute_command: enable_execute_command == Some(true),
        parameters: String::new(),
    })
}

/// Whether tasks get the tags of their task definition. Those of a service are for its tasks only.
fn propagated(given: Option<wire::PropagateTags>) -> Result<bool, ServiceError> {
    match given {
        Some(wire::PropagateTags::TaskDefinition) => Ok(true),
        Some(wire::PropagateTags::Service) => {
            Err(invalid("Tags can only be propagated from a service to the tasks that it starts."))
        }
        Some(wire::PropagateTags::None) | None => Ok(false),
    }
}

fn checked_started_by(started_by: Option<String>) -> Result<Option<String>, ServiceError> {
    if started_by.as_ref().is_some_and(|text| text.len() > 128) {
        return Err(invalid("startedBy has at most 128 characters."));
    }
    Ok(started_by)
}

fn read_overrides(input: wire::TaskOverride) -> Result<TaskOverride, ServiceError> {
    let wire::TaskOverride {
        container_overrides,
        cpu,
        ephemeral_storage,
        execution_role_arn,
        inference_accelerator_overrides,
        memory,
        task_role_arn,
    } = input;
    refuse(filled(inference_accelerator_overrides.as_ref()), "overrides.inferenceAcceleratorOverrides")?;
    let containers = container_overrides.unwrap_or_default().into_iter().map(read_container_override);
    Ok(TaskOverride {
        containers: containers.collect::<Result<_, _>>()?,
        cpu,
        memory,
        task_role_arn,
        execution_role_arn,
        ephemeral_storage: ephemeral_storage.map(|storage| storage_size(&storage)).transpose()?,
    })
}

fn read_container_override(input: wire::ContainerOverride) -> Result<ContainerOverride, ServiceError> {
    let wire::ContainerOverride {
        command,
        cpu,
        environment,
        environment_files,
        memory,
        memory_reservation,
        name,
        resource_requirements,
    } = input;
    refuse(filled(environment_files.as_ref()), "overrides.containerOverrides.environmentFiles")?;
    resources_wanted(resource_requirements.as_deref())?;
    Ok(ContainerOverride {
        name: name.unwrap_or_default(),
        command,
        environment: pairs(environment)?,
        cpu: cpu.map(|cpu| not_negative(cpu, "cpu")).transpose()?,
        memory: memory_limit(memory, "memory")?,
        memory_reservation: memory_limit(memory_reservation, "memoryReservation")?,
    })
}

fn new_task(
    tables: &Tables,
    context: &RequestContext,
    cluster: &Versioned<Cluster>,
    definition: &TaskDefinition,
    (wanted, capacity_provider): (&Wanted, Option<String>),
) -> Result<Task, ServiceError> {
    let over = &wanted.overrides;
    for container in &over.containers {
        if !definition.containers.iter().any(|own| own.name == container.name) {
            return Err(invalid(
                "Override for container named ".to_owned()
                    + &container.name
                    + " is not a container in the TaskDefinition.",
            ));
        }
        secrets::check_overrides(definition, &container.name, &container.environment)?;
    }
    let (cpu, memory) = if over.cpu.is_some() || over.memory.is_some() {
        let text = |given: &Option<String>, own: u32| given.clone().unwrap_or_else(|| own.to_string());
        fargate_size(Some(&text(&over.cpu, definition.cpu)), Some(&text(&over.memory, definition.memory)))?
    } else {
        (definition.cpu, definition.memory)
    };
    let mut tags = wanted.tags.clone();
    if wanted.propagate {
        let missing = |tag: &&Tag| !wanted.tags.iter().any(|own| own.key == tag.key);
        tags.extend(definition.tags.iter().filter(missing).cloned());
    }
    if wanted.managed_tags {
        tags.push(Tag { key: "aws:ecs:clusterName".to_owned(), value: cluster.name.clone() });
    }
    let random = tables.environment();
    let launch = Launch {
        cluster: cluster.name.clone(),
        id: random.random_hex(32),
        size: Some((cpu, memory)),
        overrides: over.clone(),
        subnets: wanted.subnets.clone(),
        security_groups: wanted.security_groups.clone(),
        group: wanted.group.clone(),
        started_by: wanted.started_by.clone(),
        capacity_provider,
        execute_command: wanted.execute_command,
        tags,
        volumes: wanted.volumes.clone(),
        ..Launch::default()
    };
    Ok(Task::launched(definition, launch, random, context.time))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shapes::{self, ContainerOverride, Ecs as _, KeyValuePair};
    use crate::testing::{Fixture, code, container, registration, registry, run_request};

    #[tokio::test]
    async fn tasks_are_written_and_repeated_requests_start_nothing() {
        let f = Fixture::prepared().await;
        let request = RunTaskRequest { count: Some(3), client_token: Some("t".into()), ..run_request() };
        let first = start(&f.tables, (&registry(), &Placements::default()), &f.context, request.clone())
            .await
            .expect("runs");
        assert_eq!(first.tasks.as_ref().map(Vec::len), Some(3));
        assert_eq!(
            start(&f.tables, (&registry(), &Placements::default()), &f.context, request.clone())
                .await
                .expect("repeats"),
            first
        );
        let environment = |value: &str| {
            let value = KeyValuePair { name: Some("A".into()), value: Some(value.into()) };
            let container =
                ContainerOverride { environment: Some(vec![value]), ..ContainerOverride::default() };
            let overrides = shapes::TaskOverride {
                container_overrides: Some(vec![container]),
                ..shapes::TaskOverride::default()
            };
            fingerprint(&RunTaskRequest { overrides: Some(overrides), ..run_request() })
        };
        assert_ne!(environment("1"), environment("2"), "what is not shown counts, too");
        let other = RunTaskRequest { count: Some(2), ..request };
        assert_eq!(
            code(start(&f.tables, (&registry(), &Placements::default()), &f.context, other).await).0,
            "ConflictException"
        );
        assert_eq!(f.tables.list_all::<Task>("").await.expect("lists").len(), 3);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn the_same_request_sent_many_times_at_once_starts_its_tasks_once() {
        let f = std::sync::Arc::new(Fixture::prepared().await);
        for round in 0..50 {
            let token = Some(format!("t{round}"));
            let request = RunTaskRequest { client_token: token, ..run_request() };
            let barrier = std::sync::Arc::new(tokio::sync::Barrier::new(4));
            let runs = (0..4).map(|_| {
                let (f, request, barrier) = (f.clone(), request.clone(), barrier.clone());
                tokio::spawn(async move {
                    barrier.wait().await;
                    start(&f.tables, (&registry(), &Placements::default()), &f.context, request)
                        .await
                        .expect("runs")
                })
            });
            let answers = futures::future::try_join_all(runs).await.expect("join");
            assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));
        }
        assert_eq!(f.tables.list_all::<Task>("").await.expect("lists").len(), 50);
    }

    #[tokio::test]
    async fn an_execution_role_may_come_with_the_task_and_may_not_be_taken_away() {
        let f = Fixture::prepared().await;
        let image = crate::shapes::ContainerDefinition {
            image: Some("localhost:4566/web".into()),
            ..container("main")
        };
        let mut request = registration(vec![image]);
        request.execution_role_arn = Some("execution".into());
        f.service.register_task_definition(&f.context, request).await.expect("registers");
        let with = |role: &str| RunTaskRequest {
            overrides: Some(shapes::TaskOverride {
                execution_role_arn: Some(role.into()),
                ..shapes::TaskOverride::default()
            }),
            ..run_request()
        };
        start(&f.tables, (&registry(), &Placements::default()), &f.context, with("other"))
            .await
            .expect("runs");
        let (name, message) =
            code(start(&f.tables, (&registry(), &Placements::default()), &f.context, with("")).await);
        assert_eq!(name, "ClientException");
        assert!(message.ends_with("to support ECR images."), "{message}");
    }

    #[tokio::test]
    async fn documented_errors() {
        let f = Fixture::prepared().await;
        let refused = |request| async {
            code(start(&f.tables, (&registry(), &Placements::default()), &f.context, request).await)
        };
        let cases = [
            (RunTaskRequest { cluster: Some("no".into()), ..run_request() }, "ClusterNotFoundException"),
            (RunTaskRequest { task_definition: "no".into(), ..run_request() }, "ClientException"),
            (RunTaskRequest { task_definition: "web:0".into(), ..run_request() }, "ClientException"),
            (
                RunTaskRequest { launch_type: Some(wire::LaunchType::Ec2), ..run_request() },
                "InvalidParameterException",
            ),
            (RunTaskRequest { count: Some(11), ..run_request() }, "InvalidParameterException"),
            (RunTaskRequest { network_configuration: None, ..run_request() }, "InvalidParameterException"),
            (
                RunTaskRequest { platform_version: Some("9.9".into()), ..run_request() },
                "PlatformUnknownException",
            ),
            (
                RunTaskRequest { enable_execute_command: Some(true), ..run_request() },
                "InvalidParameterException",
            ),
        ];
        for (request, expected) in cases {
            let text = format!("{request:?}");
            assert_eq!(refused(request).await.0, expected, "{text}");
        }
    }

    #[tokio::test]
    async fn what_there_is_no_room_for_is_told_in_the_words_of_fargate() {
        let f = Fixture::prepared().await;
        let placements = Placements::default();
        placements.note_host(&resources::ecs::ContainerInstance {
            account: f.context.account.clone(),
            cluster: resources::ecs::FARGATE_HOSTS.into(),
            id: "h".into(),
            status: resources::ecs::InstanceStatus::Active,
            agent_connected: true,
            cpu: 4096,
            memory: 1024,
            agent_version: "1".into(),
            attributes: vec![],
            registered_at: f.context.time,
        });
        placements.listed();
        let with = (&registry(), &placements);
        let request = RunTaskRequest { count: Some(3), client_token: Some("t".into()), ..run_request() };
        let answer = start(&f.tables, with, &f.context, request.clone()).await.expect("runs");
        assert_eq!(answer.tasks.as_ref().map(Vec::len), Some(2));
        let failure = wire::Failure {
            arn: None,
            reason: Some(
                "Capacity is unavailable at this time. Please try again later or in a different availability zone"
                    .into(),
            ),
            detail: Some("RESOURCE:MEMORY".into()),
        };
        assert_eq!(answer.failures, Some(vec![failure.clone()]));
        assert_eq!(start(&f.tables, with, &f.context, request).await.expect("repeats"), answer);
        let token = || RunTaskRequest { client_token: Some("u".into()), ..run_request() };
        let full = start(&f.tables, with, &f.context, token()).await.expect("answers");
        assert_eq!((full.tasks, full.failures), (Some(vec![]), Some(vec![failure])));
        // As soon as there is room, the very same request starts its task.
        for task in f.tables.list_all::<Task>("").await.expect("lists") {
            placements.forget(&resources::Stored::key(&*task.value));
        }
        let later = start(&f.tables, with, &f.context, token()).await.expect("answers");
        assert_eq!(later.tasks.map(|tasks| tasks.len()), Some(1));
    }
}
