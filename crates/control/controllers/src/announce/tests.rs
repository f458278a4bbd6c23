//! What happens is told, once or more, never less.

use super::*;
use environment::Environment;
use parking_lot::Mutex;
use resources::ecs::{Launch, RolloutState, Service, StopCode, Task, TaskDefinition, TaskEvent};
use resources::events::{Delivery, Input, RetryPolicy, Rule, Target};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;
use store::{MemoryStore, Tables};

fn account() -> AccountId {
    "123456789012".parse().expect("an account")
}

async fn outbox() -> Outbox {
    let environment = Environment::real();
    let tables = Tables::new(MemoryStore::new(environment.clone()), environment);
    Outbox::new(tables, "us-east-1".parse().expect("a region"))
}

async fn listen(outbox: &Outbox) {
    let target = Target {
        id: "t".to_owned(),
        arn: "arn:aws:logs:us-east-1:123456789012:log-group:x".to_owned(),
        role_arn: None,
        input: Input::Event,
        ecs: None,
        http: None,
        event: None,
        retry: RetryPolicy::default(),
    };
    let rule = Rule {
        account: account(),
        bus: DEFAULT_BUS.to_owned(),
        name: "all".to_owned(),
        pattern: Some(r#"{"source":[{"prefix":"aws."}]}"#.to_owned()),
        schedule: None,
        scheduled_from: Timestamp::default(),
        enabled: true,
        all_management_events: false,
        description: None,
        role_arn: None,
        tags: vec![],
        targets: vec![target],
        created_by: String::new(),
    };
    outbox.tables().create(rule).await.expect("creates");
}

fn definition() -> TaskDefinition {
    let text = r#"{"account":"123456789012","family":"web","revision":3,"status":"Active","network_mode":"awsvpc",
        "requires_compatibilities":["FARGATE"],"cpu":256,"memory":512,"task_role_arn":null,"execution_role_arn":null,
        "containers":[],"volumes":[],"ephemeral_storage":null,"runtime_platform":null,"tags":[],"registered_at":0,
        "registered_by":"","deregistered_at":null}"#;
    serde_json::from_str(text).expect("a definition")
}

fn task(outbox: &Outbox, id: &str) -> Task {
    let launch = Launch { cluster: "default".to_owned(), id: id.to_owned(), ..Launch::default() };
    let environment = outbox.tables().environment();
    Task::launched(&definition(), launch, environment, environment.now())
}

async fn told(outbox: &Outbox) -> Vec<Value> {
    let rows = outbox.tables().list_all::<Delivery>("").await.expect("lists");
    rows.iter().map(|row| serde_json::from_str(&row.input).expect("JSON")).collect()
}

async fn until(outbox: &Outbox, what: &str, holds: impl Fn(&[Value]) -> bool) {
    let wait = async {
        while !holds(&told(outbox).await) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.unwrap_or_else(|_| panic!("{what}"));
}

fn start(outbox: &Outbox) -> (CancellationToken, tokio::task::JoinHandle<()>) {
    let stop = CancellationToken::new();
    (stop.clone(), tokio::spawn(follow(outbox.clone(), Tasks::new(outbox.clone()), stop)))
}

fn statuses(events: &[Value], id: &str) -> Vec<String> {
    let of = |event: &&Value| event["detail"]["taskArn"].as_str().is_some_and(|arn| arn.ends_with(id));
    events
        .iter()
        .filter(of)
        .map(|event| event["detail"]["lastStatus"].as_str().unwrap_or_default().to_owned())
        .collect()
}

#[tokio::test]
async fn every_version_of_a_task_is_told_once() {
    let outbox = outbox().await;
    let tables = outbox.tables().clone();
    // Before anybody follows: not told.
    tables.create(task(&outbox, "old")).await.expect("creates");
    listen(&outbox).await;
    let (stop, following) = start(&outbox);
    let wait = async {
        while tables.get::<Position>(Task::TABLE).await.expect("reads").is_none() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect("begins");
    let mut row = tables.create(task(&outbox, "one")).await.expect("creates");
    for event in [TaskEvent::StopWanted] {
        let mut new = (*row.value).clone();
        new.want_stop(StopCode::UserInitiated, "enough", tables.environment().now());
        new.advance(event, tables.environment().now());
        row = tables.replace(&row, new).await.expect("replaces");
    }
    // The same version again.
    row = tables.replace(&row, (*row.value).clone()).await.expect("replaces");
    let version = row.version;
    until(&outbox, "both versions", |events| statuses(events, "one").len() >= 2).await;
    stop.cancel();
    following.await.expect("ends");
    let mut events = told(&outbox).await;
    events.sort_by_key(|event| event["detail"]["version"].as_u64());
    assert_eq!(events.len(), 2, "{events:#?}");
    assert_eq!(events[0]["detail-type"], "ECS Task State Change");
    assert_eq!(events[0]["resources"][0], "arn:aws:ecs:us-east-1:123456789012:task/default/one");
    assert_eq!(events[0]["detail"]["lastStatus"], "PROVISIONING");
    assert_eq!(
        events[0]["detail"]["taskDefinitionArn"],
        "arn:aws:ecs:us-east-1:123456789012:task-definition/web:3"
    );
    let last = events.iter().find(|event| event["detail"]["version"] == version).expect("the last version");
    assert_eq!(last["detail"]["desiredStatus"], "STOPPED");
    assert_eq!(last["detail"]["stopCode"], "UserInitiated");
    assert_eq!(last["detail"]["stoppedReason"], "enough");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_state_of_every_task_is_told_however_often_the_follower_is_killed() {
    let outbox = outbox().await;
    let tables = outbox.tables().clone();
    listen(&outbox).await;
    // The position exists, so everything that follows is to be told.
    let position = Position { table: Task::TABLE.to_owned(), revision: 1 };
    tables.create(position).await.expect("creates");
    let done = Arc::new(Mutex::new(BTreeSet::new()));
    let writing = {
        let (outbox, tables, done) = (outbox.clone(), tables.clone(), done.clone());
        tokio::spawn(async move {
            for index in 0..150 {
                let id = format!("task{index:03}");
                let row = tables.create(task(&outbox, &id)).await.expect("creates");
                let mut new = (*row.value).clone();
                new.want_stop(StopCode::UserInitiated, "enough", tables.environment().now());
                tables.replace(&row, new).await.expect("replaces");
                done.lock().insert(id);
                tokio::time::sleep(Duration::from_micros(300)).await;
            }
        })
    };
    let mut random = [0u8];
    while !writing.is_finished() {
        let (_, following) = start(&outbox);
        tables.environment().fill_random(&mut random);
        tokio::time::sleep(Duration::from_micros(u64::from(random[0]) * 30)).await;
        following.abort();
        let _ = following.await;
    }
    writing.await.expect("writes");
    let (stop, following) = start(&outbox);
    let all = done.lock().clone();
    assert_eq!(all.len(), 150);
    until(&outbox, "the end of every task", |events| {
        let ended = events.iter().filter(|event| event["detail"]["desiredStatus"] == "STOPPED");
        let ended: BTreeSet<&str> =
            ended.filter_map(|event| event["detail"]["taskArn"].as_str()?.rsplit('/').next()).collect();
        ended.len() == 150
    })
    .await;
    stop.cancel();
    following.await.expect("ends");
}

fn service(rollout: RolloutState, steady: bool) -> Service {
    let text = r#"{"account":"123456789012","cluster":"default","name":"web","status":"Active","desired_count":1,
        "deployment_configuration":{"minimum_healthy_percent":100,"maximum_percent":200,"breaker":false,"rollback":false},
        "deployments":[{"id":"ecs-svc/1","service_deployment":"d","service_revision":"1","workload":{"family":"web",
        "revision":1,"strategy":[],"platform_version":"LATEST","subnets":[],"security_groups":[],"assign_public_ip":false},
        "rollout":"InProgress","rollout_reason":"ECS deployment ecs-svc/1 completed.","failed_tasks":0,"failed_rounds":0,
        "retry_at":null,"created_at":0,"updated_at":0}],"last_completed":null,"stop_requested":null,"steady":false,
        "notices":[],"propagate_tags":"None","managed_tags":false,"health_check_grace_period":null,
        "zone_rebalancing":false,"client_token":null,"tags":[],"created_by":"","created_at":0}"#;
    let mut service: Service = serde_json::from_str(text).expect("a service");
    service.steady = steady;
    service.deployments[0].rollout = rollout;
    service
}

#[tokio::test]
async fn services_tell_of_deployments_and_of_steadiness() {
    let outbox = outbox().await;
    let tables = outbox.tables().clone();
    let mut services = Services::new(outbox.clone());
    let mut names = Vec::new();
    let mut row = tables.create(service(RolloutState::InProgress, false)).await.expect("creates");
    let impaired = "is unable to consistently start tasks successfully. For more information".to_owned();
    let troubled = Service {
        notices: vec![(impaired, Timestamp::default())],
        ..service(RolloutState::InProgress, false)
    };
    let next = [troubled, service(RolloutState::Completed, true), service(RolloutState::Completed, true)];
    for step in 0..4 {
        let announcement = services.changed(&row, true).await.expect("reads");
        names.push(
            announcement
                .events
                .iter()
                .map(|event| event.detail["eventName"].as_str().unwrap_or_default().to_owned())
                .collect::<Vec<_>>(),
        );
        if let Some(note) = announcement.note {
            tables.batch().put_any(&note).commit().await.expect("notes");
        }
        if let Some(next) = next.get(step) {
            row = tables.replace(&row, next.clone()).await.expect("replaces");
        }
    }
    let expected: [&[&str]; 4] = [
        &["SERVICE_DEPLOYMENT_IN_PROGRESS"],
        &["SERVICE_TASK_START_IMPAIRED"],
        &["SERVICE_DEPLOYMENT_COMPLETED", "SERVICE_STEADY_STATE"],
        &[],
    ];
    assert_eq!(names, expected);
}
