//! ExecuteCommand: writes a session; the gateway of the agents tells the agent of the container, and lets the client in.

use crate::arns::{cluster_arn, find_definition, require_cluster, task_arn, task_id};
use crate::errors::{Failure, invalid};
use crate::shapes::{self as wire, ExecuteCommandRequest, ExecuteCommandResponse, errors};
use aws_wire::{RequestContext, ServiceError};
use resources::ecs::{Cluster, DesiredStatus, ExecuteCommandLogging, Task, TaskContainer, TaskStatus};
use resources::ssm::{Session, SessionStatus};
use store::Tables;

/// Sessions of a task at a time.
const MOST_SESSIONS: usize = 32;
/// Longest command line.
const MOST_COMMAND: usize = 64 * 1024;
/// Length of a token.
const TOKEN: usize = 128;

pub(crate) async fn run(
    tables: &Tables,
    context: &RequestContext,
    input: ExecuteCommandRequest,
) -> Result<ExecuteCommandResponse, ServiceError> {
    let ExecuteCommandRequest { cluster, command, container, interactive, task } = input;
    if !interactive {
        return Err(invalid("Interactive is the only mode supported currently."));
    }
    if command.trim().is_empty() {
        return Err(invalid("command cannot be empty."));
    }
    if command.len() > MOST_COMMAND {
        return Err(invalid("command is too long."));
    }
    let cluster = require_cluster(tables, context, cluster.as_deref()).await?;
    let id = task_id(context, &task)?;
    let key = format!("{}/{}/{id}", context.account, cluster.name);
    let found = tables.get::<Task>(&key).await.map_err(Failure::from)?;
    let task = found.ok_or_else(|| invalid("The specified task was not found."))?;
    if task.last_status == TaskStatus::Stopped {
        return Err(invalid("The execute command failed because the task is stopped."));
    }
    let chosen = choose(&task, container.as_deref())?;
    let runtime_id = ready(&task, chosen)?;
    let random = tables.environment();
    let token = random.random_hex(TOKEN);
    let session = Session {
        account: context.account.clone(),
        id: format!("ecs-execute-command-{}", random.random_hex(17)),
        cluster: cluster.name.clone(),
        task: task.id.clone(),
        container: chosen.name.clone(),
        runtime_id,
        command,
        owner: context.principal_arn.to_string(),
        token_hash: Session::hash_of(&token),
        log_group: log_group(tables, context, &cluster, &task, chosen).await?,
        status: SessionStatus::Active,
        delivered: false,
        created_at: context.time,
        ended_at: None,
        reason: String::new(),
    };
    check_number(tables, &task).await?;
    tables.create(session.clone()).await.map_err(crate::errors::store)?;
    Ok(answer(context, &session, &task, chosen, token))
}

fn answer(
    context: &RequestContext,
    session: &Session,
    task: &Task,
    container: &TaskContainer,
    token: String,
) -> ExecuteCommandResponse {
    let stream = format!("ws://{}/v1/data-channel/{}?role=publish_subscribe", context.host, session.id);
    let arn = format!("container/{}/{}/{}", task.cluster, task.id, container.id);
    ExecuteCommandResponse {
        cluster_arn: Some(cluster_arn(context, &task.cluster)),
        container_arn: Some(crate::arns::arn(context, arn)),
        container_name: Some(container.name.clone()),
        interactive: Some(true),
        session: Some(wire::Session {
            session_id: Some(session.id.clone()),
            stream_url: Some(stream),
            token_value: Some(token),
        }),
        task_arn: Some(task_arn(context, &task.cluster, &task.id)),
    }
}

/// The container that is meant.
fn choose<'a>(task: &'a Task, given: Option<&str>) -> Result<&'a TaskContainer, ServiceError> {
    match (given.filter(|given| !given.is_empty()), task.containers.as_slice()) {
        (Some(name), containers) => {
            let found = containers.iter().find(|container| container.name == name);
            found.ok_or_else(|| invalid("The specified container was not found in the task."))
        }
        (None, [only]) => Ok(only),
        (None, _) => {
            Err(invalid("The container name must be specified when the task has more than one container."))
        }
    }
}

/// The runtime's id of a container whose agent can be told.
fn ready(task: &Task, container: &TaskContainer) -> Result<String, ServiceError> {
    let agent = container.exec_agent.as_ref().filter(|agent| agent.last_status == "RUNNING");
    let running = task.desired_status == DesiredStatus::Running && container.last_status == "RUNNING";
    let (Some(agent), Some(runtime_id), true) = (agent, &container.runtime_id, running) else {
        return Err(invalid(
            "The execute command failed because execute command was not enabled when the task was run or the execute \
             command agent isn\u{2019}t running. Wait and try again or run a new task with execute command enabled \
             and try again.",
        ));
    };
    if !agent.connected {
        return Err(ServiceError::new(
            &errors::TARGET_NOT_CONNECTED_EXCEPTION,
            "The execute command failed due to an internal error. Try again later.",
        ));
    }
    Ok(runtime_id.clone())
}

/// Where the output goes by the cluster's configuration. Without one it goes where that of the container goes.
async fn log_group(
    tables: &Tables,
    context: &RequestContext,
    cluster: &Cluster,
    task: &Task,
    container: &TaskContainer,
) -> Result<Option<String>, ServiceError> {
    match &cluster.execute_command {
        Some(ExecuteCommandLogging::None) => return Ok(None),
        Some(ExecuteCommandLogging::Override(group)) => return Ok(Some(group.clone())),
        Some(ExecuteCommandLogging::Default) | None => {}
    }
    let name = format!("{}:{}", task.family, task.revision);
    let Some(definition) = find_definition(tables, context, &name).await? else { return Ok(None) };
    let own = definition.containers.iter().find(|own| own.name == container.name);
    let logs = own.and_then(|own| own.log_configuration.as_ref()).filter(|logs| logs.driver == "awslogs");
    Ok(logs.and_then(|logs| {
        logs.options.iter().find(|(name, _)| name.as_str() == "awslogs-group").map(|(_, group)| group.clone())
    }))
}

async fn check_number(tables: &Tables, task: &Task) -> Result<(), ServiceError> {
    let sessions = tables.list_all::<Session>("").await.map_err(crate::errors::store)?;
    let own = |session: &Session| {
        session.status == SessionStatus::Active && session.account == task.account && session.task == task.id
    };
    if sessions.iter().filter(|session| own(session)).count() >= MOST_SESSIONS {
        return Err(invalid(format!("The task has {MOST_SESSIONS} sessions already, which is the most.")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shapes::{Ecs as _, RunTaskRequest, TaskOverride};
    use crate::testing::{Fixture, code, run_request};
    use resources::ecs::ExecAgent;

    fn request(task: &str) -> ExecuteCommandRequest {
        ExecuteCommandRequest {
            command: "sh".into(),
            interactive: true,
            task: task.into(),
            ..ExecuteCommandRequest::default()
        }
    }

    async fn started(f: &Fixture) -> String {
        let overrides = TaskOverride { task_role_arn: Some("web".into()), ..TaskOverride::default() };
        let request = RunTaskRequest {
            enable_execute_command: Some(true),
            overrides: Some(overrides),
            ..run_request()
        };
        let made = f.service.run_task(&f.context, request).await.expect("runs");
        let task = &made.tasks.expect("tasks")[0];
        assert_eq!(task.enable_execute_command, Some(true));
        task.task_arn.clone().expect("an ARN")
    }

    async fn change(f: &Fixture, arn: &str, change: impl Fn(&mut Task)) {
        let key = super::super::submit_task_state_change::task_key(&f.context, Some(arn)).expect("a key");
        let change = |old: &Task| {
            let mut new = old.clone();
            change(&mut new);
            Ok::<_, Failure>(Some(new))
        };
        assert!(f.tables.update(&key, change).await.is_ok());
    }

    fn run_it(task: &mut Task) {
        task.containers[0].last_status = "RUNNING".into();
        task.containers[0].runtime_id = Some("abc".into());
        let agent = ExecAgent { last_status: "RUNNING".into(), connected: true, ..ExecAgent::default() };
        task.containers[0].exec_agent = Some(agent);
    }

    #[tokio::test]
    async fn a_session_is_written_for_a_container_with_an_agent() {
        let f = Fixture::prepared().await;
        let arn = started(&f).await;
        let (name, message) = code(run(&f.tables, &f.context, request(&arn)).await);
        assert_eq!(name, "InvalidParameterException");
        assert!(message.contains("agent isn\u{2019}t running"), "{message}");
        change(&f, &arn, run_it).await;
        let answer = run(&f.tables, &f.context, request(&arn)).await.expect("answers");
        let session = answer.session.expect("a session");
        let id = session.session_id.expect("an id");
        assert!(session.stream_url.expect("a URL").contains(&id));
        let kept = f.tables.get::<Session>(&id).await.expect("reads").expect("is there");
        assert_eq!((kept.command.as_str(), kept.container.as_str()), ("sh", "main"));
        assert!(kept.target().ends_with("_abc"));
        change(&f, &arn, |task| {
            task.containers[0].exec_agent.as_mut().expect("there").connected = false;
        })
        .await;
        assert_eq!(code(run(&f.tables, &f.context, request(&arn)).await).0, "TargetNotConnectedException");
    }

    #[tokio::test]
    async fn documented_errors() {
        let f = Fixture::prepared().await;
        let arn = started(&f).await;
        change(&f, &arn, run_it).await;
        let refused = |request| async { code(run(&f.tables, &f.context, request).await) };
        let cases = [
            (
                ExecuteCommandRequest { interactive: false, ..request(&arn) },
                "InvalidParameterException",
                "Interactive is the only mode",
            ),
            (
                ExecuteCommandRequest { container: Some("no".into()), ..request(&arn) },
                "InvalidParameterException",
                "container was not found",
            ),
            (
                ExecuteCommandRequest { cluster: Some("no".into()), ..request(&arn) },
                "ClusterNotFoundException",
                "",
            ),
            (request("0123456789abcdef0123456789abcdef"), "InvalidParameterException", "task was not found"),
        ];
        for (request, name, text) in cases {
            let (found, message) = refused(request).await;
            assert_eq!(found, name);
            assert!(message.contains(text), "{message}");
        }
        change(&f, &arn, |task| {
            let mut second = task.containers[0].clone();
            second.name = "second".into();
            task.containers.push(second);
        })
        .await;
        assert!(refused(request(&arn)).await.1.contains("must be specified"));
    }
}
