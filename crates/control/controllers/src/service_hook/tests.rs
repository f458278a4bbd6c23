//! Functions that answer, that do not, and that are called again.

use super::*;
use environment::{Environment, Simulation, Timestamp};
use parking_lot::Mutex;
use resources::ecs::{
    Controller, Deployment, DeploymentConfiguration, HookAction, Lifecycle, LifecycleStage, PropagateTags,
    RolloutState, Workload,
};
use serde_json::Value;
use store::{MemoryStore, Store};

const FUNCTION: &str = "arn:aws:lambda:us-east-1:123456789012:function:check";
const KEY: &str = "123456789012/default/web";

/// Answers one after the other, and what was asked.
#[derive(Default)]
struct Script {
    answers: Mutex<Vec<Result<String, String>>>,
    asked: Mutex<Vec<Value>>,
}

#[async_trait::async_trait]
impl HookCaller for Script {
    async fn call(&self, url: &str, payload: String) -> Result<String, String> {
        assert_eq!(url, "http://127.0.0.1:9/check");
        self.asked.lock().push(serde_json::from_str(&payload).expect("JSON"));
        self.answers.lock().remove(0)
    }
}

fn deployment(number: u32) -> Deployment {
    Deployment {
        id: format!("ecs-svc/{number}"),
        service_deployment: format!("d{number}"),
        service_revision: format!("{number}"),
        workload: Workload {
            family: "web".into(),
            revision: number,
            strategy: vec![],
            platform_version: "LATEST".into(),
            subnets: vec![],
            security_groups: vec![],
            assign_public_ip: false,
            load_balancers: vec![],
            volumes: vec![],
            registries: vec![],
            connect: None,
        },
        rollout: RolloutState::InProgress,
        rollout_reason: String::new(),
        failed_tasks: 0,
        failed_rounds: 0,
        retry_at: None,
        created_at: Timestamp::default(),
        updated_at: Timestamp::default(),
        alternate: number == 2,
        task_set: None,
    }
}

fn service(now: Timestamp) -> Service {
    let run = HookRun {
        id: "h1".into(),
        target: HookTarget::Function { arn: FUNCTION.into(), role: String::new() },
        status: HookStatus::InProgress,
        next_at: now,
        expires_at: now + Duration::from_secs(3600),
        on_timeout: HookAction::Rollback,
        details: Some(r#"{"who":"me"}"#.into()),
        reason: None,
    };
    Service {
        account: "123456789012".parse().expect("an account"),
        cluster: "default".into(),
        name: "web".into(),
        status: ServiceStatus::Active,
        desired_count: 1,
        deployment_configuration: DeploymentConfiguration::default(),
        deployments: vec![deployment(2), deployment(1)],
        last_completed: None,
        stop_requested: None,
        lifecycle: Some(Lifecycle {
            green: "ecs-svc/2".into(),
            blue: Some("ecs-svc/1".into()),
            stage: LifecycleStage::ProductionTrafficShift,
            since: now,
            production: 125,
            test: 1000,
            going_back: false,
            hooks: vec![run],
        }),
        controller: Controller::Ecs,
        express: false,
        steady: false,
        notices: vec![],
        propagate_tags: PropagateTags::None,
        managed_tags: false,
        execute_command: false,
        health_check_grace_period: None,
        zone_rebalancing: true,
        client_token: None,
        tags: vec![],
        created_by: String::new(),
        created_at: now,
        deleted_at: None,
    }
}

async fn world(answers: &[Result<&str, &str>]) -> (ServiceHookController, Arc<Script>, Arc<Simulation>) {
    let (environment, simulation) = Environment::simulated(Timestamp::from_seconds(1_000_000), 1);
    let store: Arc<dyn Store> = MemoryStore::new(environment.clone());
    let tables = Tables::new(store, environment.clone());
    tables.create(service(environment.now())).await.expect("creates");
    let script = Arc::new(Script::default());
    let own = |text: &&str| (*text).to_owned();
    *script.answers.lock() = answers.iter().map(|one| one.as_ref().map(own).map_err(own)).collect();
    let region = "us-east-1".parse().expect("a region");
    let controller =
        ServiceHookController::new(tables, region, script.clone(), Queue::new(), CancellationToken::new());
    (controller, script, simulation)
}

async fn name_endpoint(controller: &ServiceHookController) {
    let url = "http://127.0.0.1:9/check".to_owned();
    let endpoint = HookEndpoint { function: FUNCTION.to_owned(), url };
    controller.tables.create(endpoint).await.expect("creates");
}

async fn run_of(controller: &ServiceHookController) -> HookRun {
    let service = controller.tables.get::<Service>(KEY).await.expect("reads").expect("is there");
    service.lifecycle.as_ref().expect("shifts").hooks[0].clone()
}

#[tokio::test]
async fn a_function_is_called_until_it_has_decided() {
    let again = r#"{"hookStatus":"IN_PROGRESS","callBackDelay":5,"hookDetails":{"seen":1}}"#;
    let (controller, script, simulation) = world(&[Ok(again), Ok(r#"{"hookStatus":"SUCCEEDED"}"#)]).await;
    name_endpoint(&controller).await;
    assert_eq!(controller.keys().await.expect("lists"), [KEY]);
    controller.reconcile(&KEY.to_owned()).await.expect("asks");
    assert_eq!(run_of(&controller).await.status, HookStatus::InProgress);
    let next = controller.reconcile(&KEY.to_owned()).await.expect("waits");
    assert!(matches!(next, Next::After(wait) if wait == Duration::from_secs(5)));
    simulation.advance(Duration::from_secs(5));
    controller.reconcile(&KEY.to_owned()).await.expect("asks");
    assert_eq!(run_of(&controller).await.status, HookStatus::Succeeded);
    assert!(controller.keys().await.expect("lists").is_empty());
    let asked = script.asked.lock();
    let arn = |rest: &str| format!("arn:aws:ecs:us-east-1:123456789012:{rest}");
    let expected = serde_json::json!({
        "executionId": "h1",
        "lifecycleStage": "PRODUCTION_TRAFFIC_SHIFT",
        "resourceArn": arn("service-deployment/default/web/d2"),
        "executionDetails": {
            "serviceArn": arn("service/default/web"),
            "targetServiceRevisionArn": arn("service-revision/default/web/2"),
            "testTrafficWeights": {},
            "productionTrafficWeights": {
                arn("service-revision/default/web/2"): 12.5,
                arn("service-revision/default/web/1"): 87.5,
            },
        },
        "hookDetails": {"who": "me"},
    });
    assert_eq!(asked[0], expected);
    assert_eq!(asked[1]["hookDetails"], serde_json::json!({"seen": 1}));
}

#[tokio::test]
async fn a_function_without_an_endpoint_and_one_that_breaks_have_failed() {
    let (controller, _, _) = world(&[]).await;
    controller.reconcile(&KEY.to_owned()).await.expect("notes");
    let run = run_of(&controller).await;
    assert_eq!(run.status, HookStatus::Failed);
    assert!(run.reason.is_some_and(|reason| reason.contains("No endpoint is named")));
    let (controller, _, _) = world(&[Err("it answered 500")]).await;
    name_endpoint(&controller).await;
    controller.reconcile(&KEY.to_owned()).await.expect("notes");
    let reason = run_of(&controller).await.reason.expect("says why");
    assert!(reason.ends_with("failed: it answered 500."), "{reason}");
}
