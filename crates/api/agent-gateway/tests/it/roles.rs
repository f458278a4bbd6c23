//! Credentials of roles on their way from the region to a task, and their renewal.

use crate::region::{TestRegion, container, logged, sandbox};
use node_agent::SimulatedFault;
use resources::ecs::{ContainerDefinition, SecretSource, StopCode, TaskStatus};
use resources::iam::Role;
use serde_json::Value;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const ECS_TASKS: &str = "ecs-tasks.amazonaws.com";

/// GET at the endpoint of a task.
async fn get(region: &TestRegion, key: &str, path: &str) -> (u16, Value) {
    let address = region.engine.endpoint_of(sandbox(key)).expect("is open");
    let Ok(mut stream) = TcpStream::connect(address).await else { return (0, Value::Null) };
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sends");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("reads");
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    let body = answer.split_once("\r\n\r\n").expect("a body").1;
    (status, serde_json::from_str(body).expect("is JSON"))
}

fn path(region: &TestRegion, key: &str) -> Option<String> {
    region.engine.variable(sandbox(key), "web", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
}

#[tokio::test]
async fn a_task_gets_its_role_and_no_other() {
    let region = TestRegion::with_agent().await;
    let role = region.make_role("task", ECS_TASKS, &[]).await;
    let first = region.place_with(vec![container("web")], Some(&role), None).await;
    // A role may be named without its ARN.
    let second = region.place_with(vec![container("web")], Some("task"), None).await;
    let plain = region.place(vec![container("web")]).await;
    for key in [&first, &second, &plain] {
        region.wait_for_status(key, TaskStatus::Running).await;
    }
    let own = path(&region, &first).expect("is set");
    let (status, answer) = get(&region, &first, &own).await;
    assert_eq!((status, answer["RoleArn"].as_str()), (200, Some(role.as_str())));
    assert!(
        ["SecretAccessKey", "Token"].iter().all(|name| answer[name].as_str().is_some_and(|t| t.len() >= 40))
    );
    assert!(answer["AccessKeyId"].as_str().is_some_and(|id| id.starts_with("ASIA")));
    assert!(answer["Expiration"].as_str().is_some_and(|at| at.ends_with('Z')));

    // Another task's id is worth nothing here, nor is any other path to it.
    assert_ne!(path(&region, &second), Some(own.clone()));
    assert_eq!(path(&region, &plain), None);
    for key in [&second, &plain] {
        let (status, answer) = get(&region, key, &own).await;
        assert_eq!((status, answer["code"].as_str()), (400, Some("InvalidIdInRequest")));
    }
    let execution = format!("/v2/credentials/{}-execution", sandbox(&first));
    assert_eq!(get(&region, &first, &execution).await.0, 400);

    let (status, answer) = get(&region, &first, "/v2/credentials/").await;
    assert_eq!((status, answer["code"].as_str()), (400, Some("NoIdInRequest")));
    assert_eq!(answer["HTTPErrorCode"], 400);
    region.end().await;
}

#[tokio::test]
async fn credentials_are_renewed_while_the_task_runs() {
    let region = TestRegion::with_session_time(Duration::from_secs(2)).await;
    let role = region.make_role("task", ECS_TASKS, &[]).await;
    let key = region.place_with(vec![container("web")], Some(&role), None).await;
    region.wait_for_status(&key, TaskStatus::Running).await;
    let path = path(&region, &key).expect("is set");
    let mut seen = Vec::new();
    region
        .wait_for("three keys", async || {
            let (status, answer) = get(&region, &key, &path).await;
            assert_eq!(status, 200);
            let id = answer["AccessKeyId"].as_str().expect("has one").to_owned();
            let expiration = answer["Expiration"].as_str().expect("has one").to_owned();
            if !seen.iter().any(|(known, _)| *known == id) {
                seen.push((id, expiration));
            }
            (seen.len() == 3).then_some(())
        })
        .await;
    assert!(seen.is_sorted_by_key(|(_, expiration)| expiration.clone()));
    region.want_stop(&key).await;
    region.wait_for_status(&key, TaskStatus::Deprovisioning).await;
    region.end().await;
}

#[tokio::test]
async fn a_role_that_cannot_be_assumed_stops_the_task_with_the_reason_of_aws() {
    let region = TestRegion::with_agent().await;
    let role = region.make_role("task", ECS_TASKS, &[]).await;
    let distrustful = region.make_role("other", "lambda.amazonaws.com", &[]).await;
    let foreign = "arn:aws:iam::210987654321:role/task".to_owned();
    let missing = "arn:aws:iam::123456789012:role/missing".to_owned();
    for refused in [distrustful, foreign, missing] {
        for (of_task, of_execution) in [(Some(refused.as_str()), None), (None, Some(refused.as_str()))] {
            let key = region.place_with(vec![container("web")], of_task, of_execution).await;
            let task = region.wait_for_status(&key, TaskStatus::Deprovisioning).await;
            assert_eq!(task.stop_code, Some(StopCode::TaskFailedToStart));
            let reason = task.stopped_reason.expect("has one");
            let expected = format!("ECS was unable to assume the role '{refused}' that was provided");
            assert!(reason.starts_with(&expected), "{reason}");
        }
    }
    assert!(region.engine.made().is_empty(), "nothing of it ran");
    // The next is not held up by it.
    let key = region.place_with(vec![container("web")], Some(&role), None).await;
    region.wait_for_status(&key, TaskStatus::Running).await;
    region.end().await;
}

#[tokio::test]
async fn an_agent_that_was_killed_gets_them_again_and_none_were_on_its_disk() {
    let mut region = TestRegion::with_agent().await;
    let role = region.make_role("task", ECS_TASKS, &[]).await;
    let key = region.place_with(vec![container("web")], Some(&role), None).await;
    region.wait_for_status(&key, TaskStatus::Running).await;
    let path = path(&region, &key).expect("is set");
    let before = get(&region, &key, &path).await.1;
    region.kill_agent().await;
    let files = files_below(&region.agent_files());
    for entry in &files {
        let text = String::from_utf8_lossy(&std::fs::read(entry).expect("reads")).into_owned();
        for part in ["AccessKeyId", "SecretAccessKey", "Token"] {
            let secret = before[part].as_str().expect("is there");
            assert!(!text.contains(secret), "{} holds the {part}", entry.display());
        }
    }
    assert!(files.len() >= 3, "the agent keeps its state");

    region.start_agent();
    let after = region
        .wait_for("credentials after the restart", async || {
            let (status, answer) = get(&region, &key, &path).await;
            (status == 200).then_some(answer)
        })
        .await;
    assert_ne!(after["AccessKeyId"], before["AccessKeyId"]);
    assert_eq!(after["RoleArn"], before["RoleArn"]);
    assert_eq!(region.engine.made().len(), 1, "the task went on");
    region.end().await;
}

#[tokio::test]
async fn an_endpoint_that_cannot_be_opened_after_a_restart_is_opened_later() {
    let mut region = TestRegion::with_agent().await;
    let key = region.place(vec![container("web")]).await;
    region.wait_for_status(&key, TaskStatus::Running).await;
    let before = region.engine.endpoint_of(sandbox(&key));
    region.kill_agent().await;
    region.engine.fail(SimulatedFault::Endpoint);
    region.start_agent();
    // The next task shows that the agent works without the endpoint of the first.
    let other = region.place(vec![container("web")]).await;
    let task = region.wait_for_status(&other, TaskStatus::Deprovisioning).await;
    assert!(task.stopped_reason.is_some_and(|reason| reason.starts_with("ResourceInitializationError: ")));
    assert_eq!(region.engine.endpoint_of(sandbox(&key)), before);
    region.engine.mend(&SimulatedFault::Endpoint);
    region
        .wait_for("the endpoint", async || {
            let opened = region.engine.endpoint_of(sandbox(&key)) != before;
            (opened && get(&region, &key, "/v2/credentials/").await.0 == 400).then_some(())
        })
        .await;
    assert_eq!(region.task(&key).await.last_status, TaskStatus::Running);
    region.end().await;
}

#[tokio::test]
async fn the_endpoint_is_closed_with_the_task() {
    let region = TestRegion::with_agent().await;
    let role = region.make_role("task", ECS_TASKS, &[]).await;
    let key = region.place_with(vec![container("web")], Some(&role), None).await;
    region.wait_for_status(&key, TaskStatus::Running).await;
    let address = region.engine.endpoint_of(sandbox(&key)).expect("is open");
    // One that is silent does not outlive it either.
    let mut idle = TcpStream::connect(address).await.expect("connects");
    region.want_stop(&key).await;
    region.wait_for_status(&key, TaskStatus::Deprovisioning).await;
    region
        .wait_for("a closed endpoint", async || TcpStream::connect(address).await.is_err().then_some(()))
        .await;
    assert!(matches!(idle.read(&mut [0; 1]).await, Ok(0) | Err(_)));
    region.end().await;
}

#[tokio::test]
async fn output_goes_out_as_the_execution_role_and_as_nobody_else() {
    let mut region = TestRegion::with_agent().await;
    let actions = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"];
    let writer = region.make_role("writer", ECS_TASKS, &actions).await;
    let silent = region.make_role("silent", ECS_TASKS, &["logs:DescribeLogGroups"]).await;
    let key = region.place_with(vec![logged("web")], None, Some(&writer)).await;
    region.wait_for_status(&key, TaskStatus::Running).await;
    let stream = format!("p/web/{}", sandbox(&key));
    region.engine.print(sandbox(&key), "web", "hello");
    region
        .wait_for("the line", async || (region.messages("/test", &stream).await == ["hello"]).then_some(()))
        .await;
    // The machine's own key and the role of the containers may do it; that does not count.
    let other = region.place_with(vec![logged("web")], Some(&writer), Some(&silent)).await;
    let task = region.wait_for_status(&other, TaskStatus::Deprovisioning).await;
    let reason = task.stopped_reason.expect("has one");
    assert!(reason.starts_with("ResourceInitializationError: failed to validate logger args: "), "{reason}");
    assert!(reason.contains("AccessDenied") && reason.contains(":assumed-role/silent/"), "{reason}");

    // After a restart output waits for the role's credentials.
    region.kill_agent().await;
    region.engine.print(sandbox(&key), "web", "meanwhile");
    region.start_agent();
    region
        .wait_for("the missing line", async || {
            (region.messages("/test", &stream).await == ["hello", "meanwhile"]).then_some(())
        })
        .await;
    region.end().await;
}

#[tokio::test]
async fn a_role_that_goes_while_its_task_runs_does_not_stop_it() {
    let region = TestRegion::with_session_time(Duration::from_secs(2)).await;
    let role = region.make_role("task", ECS_TASKS, &[]).await;
    let key = region.place_with(vec![container("web")], Some(&role), None).await;
    region.wait_for_status(&key, TaskStatus::Running).await;
    let path = path(&region, &key).expect("is set");
    let first = get(&region, &key, &path).await.1;
    let roles = region.tables.list_all::<Role>("").await.expect("lists");
    region.tables.delete(&roles[0]).await.expect("deletes");
    // Another task shows that the session between region and agent goes on.
    let other = region.place(vec![container("web")]).await;
    region.wait_for_status(&other, TaskStatus::Running).await;
    assert_eq!(get(&region, &key, &path).await.1["RoleArn"], first["RoleArn"]);
    assert_eq!(region.task(&key).await.last_status, TaskStatus::Running);
    region.end().await;
}

#[tokio::test]
async fn secrets_are_fetched_as_the_execution_role_and_kept_off_the_disk() {
    let region = TestRegion::with_agent().await;
    let secret = region.make_secret("prod/db", r#"{"user":"nemo","password":"twenty-thousand"}"#).await;
    let login = region.make_secret("prod/registry", r#"{"username":"captain","password":"leagues"}"#).await;
    let reader = region.make_role("reader", ECS_TASKS, &["secretsmanager:GetSecretValue"]).await;
    let stranger = region.make_role("stranger", ECS_TASKS, &["secretsmanager:ListSecrets"]).await;
    let web = |value_from: &str| ContainerDefinition {
        secrets: vec![SecretSource { name: "VALUE".to_owned(), value_from: value_from.to_owned() }],
        repository_credentials: Some(login.clone()),
        environment: vec![("OTHER".to_owned(), "x".to_owned())],
        ..container("web")
    };
    for (value_from, expected) in [
        (secret.clone(), r#"{"user":"nemo","password":"twenty-thousand"}"#),
        (format!("{secret}:user::"), "nemo"),
        (format!("{secret}:password:AWSCURRENT:"), "twenty-thousand"),
    ] {
        let key = region.place_with(vec![web(&value_from)], None, Some(&reader)).await;
        region.wait_for_status(&key, TaskStatus::Running).await;
        let value = region.engine.variable(sandbox(&key), "web", "VALUE");
        assert_eq!(value.as_deref(), Some(expected), "{value_from}");
    }
    let (_, auth) = region.engine.pulls().pop().expect("was pulled");
    let auth = auth.expect("with a password");
    assert_eq!((auth.username.as_str(), auth.password.as_str()), ("captain", "leagues"));
    for entry in files_below(&region.agent_files()) {
        let text = String::from_utf8_lossy(&std::fs::read(&entry).expect("reads")).into_owned();
        for value in ["twenty-thousand", "leagues"] {
            assert!(!text.contains(value), "{} holds {value}", entry.display());
        }
    }

    let start = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval \
                 failed: ";
    let without_login =
        |value_from: &str| ContainerDefinition { repository_credentials: None, ..web(value_from) };
    for (definition, role, expected) in [
        (
            without_login(&secret),
            &stranger,
            format!(
                "unable to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret \
                 {secret} from secrets manager: AccessDeniedException: User: "
            ),
        ),
        (
            without_login(&format!("{secret}:absent::")),
            &reader,
            "unable to retrieve secret from asm: ".to_owned(),
        ),
        (
            ContainerDefinition { secrets: vec![], ..web("") },
            &stranger,
            "unable to retrieve registry auth from asm: service call has been retried 1 time(s): ".to_owned(),
        ),
    ] {
        let key = region.place_with(vec![definition], None, Some(role)).await;
        let task = region.wait_for_status(&key, TaskStatus::Deprovisioning).await;
        let reason = task.stopped_reason.expect("has one");
        assert!(reason.starts_with(&format!("{start}{expected}")), "{reason}");
        assert!(!reason.contains("twenty-thousand"));
    }
    region.end().await;
}

#[tokio::test]
async fn roles_and_sessions_are_on_record_and_credentials_are_not() {
    let region = TestRegion::with_agent().await;
    let role = region.make_role("task", ECS_TASKS, &[]).await;
    let key = region.place_with(vec![container("web")], Some(&role), None).await;
    region.wait_for_status(&key, TaskStatus::Running).await;
    let path = path(&region, &key).expect("is set");
    let given = get(&region, &key, &path).await.1;
    let [event] = &region.records("AssumeRole").await[..] else { panic!("one role was assumed") };
    let identity = event.identity.get();
    assert_eq!((identity.kind, identity.invoked_by, identity.arn), ("AWSService", ECS_TASKS, ""));
    assert_eq!((event.source.as_str(), event.source_address.as_str()), ("sts.amazonaws.com", ECS_TASKS));
    let parameters: Value =
        serde_json::from_str(event.request_parameters.as_deref().expect("some")).expect("JSON");
    assert_eq!(
        (&parameters["roleArn"], &parameters["roleSessionName"]),
        (&role.clone().into(), &sandbox(&key).into())
    );
    let elements: Value =
        serde_json::from_str(event.response_elements.as_deref().expect("some")).expect("JSON");
    assert_eq!(elements["credentials"]["accessKeyId"], given["AccessKeyId"]);
    let shown = format!("{event:?}");
    for part in ["SecretAccessKey", "Token"] {
        assert!(!shown.contains(given[part].as_str().expect("is there")), "the {part} is on record");
    }

    let distrustful = region.make_role("other", "lambda.amazonaws.com", &[]).await;
    let refused = region.place_with(vec![container("web")], None, Some(&distrustful)).await;
    region.wait_for_status(&refused, TaskStatus::Deprovisioning).await;
    let events = region.records("AssumeRole").await;
    let (code, message) = events[0].error.as_ref().expect("is refused");
    assert_eq!(code, "AccessDenied");
    assert!(message.ends_with(&distrustful) && events[0].response_elements.is_none(), "{message}");

    let [session] = &region.records("Poll").await[..] else { panic!("one session was opened") };
    assert_eq!((session.identity.get().kind, &session.error), ("AWSService", &None));
    region.end().await;
}

fn files_below(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).expect("lists").map(|entry| entry.expect("lists").path());
    entries.flat_map(|entry| if entry.is_dir() { files_below(&entry) } else { vec![entry] }).collect()
}
