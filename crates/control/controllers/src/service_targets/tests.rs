//! The controller over a store in memory that dies, with simulated time.

use super::*;
use crate::flaky::FlakyStore;
use environment::{Environment, Simulation, Timestamp};
use reconcile::Queue;
use resources::ecs::{ServiceEvents, ServiceTask, StopCode, TaskEvent};
use resources::elb::{TargetGroup, TargetHealth};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use store::{MemoryStore, Store, Versioned};

const SERVICE: &str = "123456789012/default/web";
const TASK: &str = "123456789012/default/t1";
const GROUP: &str = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/tg/0123456789abcdef";

struct Bench {
    tables: Tables,
    store: Arc<FlakyStore>,
    simulation: Arc<Simulation>,
}

fn row<T: serde::de::DeserializeOwned>(value: serde_json::Value) -> T {
    serde_json::from_value(value).expect("a row")
}

impl Bench {
    /// A service of one task that runs, in front of a target group with a delay of twenty seconds.
    async fn new() -> Self {
        let (environment, simulation) = Environment::simulated(Timestamp::from_seconds(1_000), 1);
        let store = FlakyStore::new(MemoryStore::new(environment.clone()));
        let tables = Tables::new(store.clone() as Arc<dyn Store>, environment);
        let service: Service = row(json!({
            "account": "123456789012", "cluster": "default", "name": "web", "status": "Active", "desired_count": 1,
            "deployment_configuration": {
                "minimum_healthy_percent": 100, "maximum_percent": 200, "breaker": false, "rollback": false
            },
            "deployments": [{
                "id": "ecs-svc/1", "service_deployment": "d", "service_revision": "r", "rollout": "InProgress",
                "rollout_reason": "", "failed_tasks": 0, "failed_rounds": 0, "retry_at": null, "created_at": 0,
                "updated_at": 0,
                "workload": {
                    "family": "web", "revision": 1, "strategy": [], "platform_version": "LATEST", "subnets": [],
                    "security_groups": [], "assign_public_ip": false,
                    "load_balancers": [
                        {"target_group_arn": GROUP, "container_name": "main", "container_port": 80}
                    ]
                }
            }],
            "last_completed": null, "stop_requested": null, "steady": false, "notices": [], "propagate_tags": "None",
            "managed_tags": false, "health_check_grace_period": null, "zone_rebalancing": true, "client_token": null,
            "tags": [], "created_by": "", "created_at": 0
        }));
        let task: Task = row(json!({
            "account": "123456789012", "cluster": "default", "id": "t1", "family": "web", "revision": 1,
            "desired_status": "Running", "last_status": "Running", "containers": [],
            "overrides": {"containers": []}, "cpu": 256, "memory": 512, "ephemeral_storage": 20, "subnets": [],
            "security_groups": [],
            "network_interface": {
                "id": "eni-1", "attachment_id": "a", "mac": "02:00:00:00:00:01", "address": "10.0.0.7",
                "gateway": "10.0.0.1", "prefix": 16, "subnet_id": "s"
            },
            "group": "service:web", "service": "web", "tags": [], "version": 1, "created_at": 0
        }));
        let ledger: ServiceTask = row(json!({
            "account": "123456789012", "cluster": "default", "service": "web", "task": "t1", "deployment": "ecs-svc/1",
            "mark": "New", "created_at": 0
        }));
        let group: TargetGroup = row(json!({
            "account": "123456789012", "name": "tg", "arn": GROUP, "protocol": "Http", "protocol_version": "Http1",
            "port": 80, "vpc": "v", "attributes": {"deregistration_delay.timeout_seconds": "20"}, "tags": [],
            "health_check": {
                "enabled": true, "protocol": "Http", "port": "traffic-port", "path": "/", "interval": 30, "timeout": 5,
                "healthy_threshold": 5, "unhealthy_threshold": 2, "matcher": "200"
            },
            "created_at": 0
        }));
        tables.create(service).await.expect("creates");
        tables.create(task).await.expect("creates");
        tables.create(ledger).await.expect("creates");
        tables.create(group).await.expect("creates");
        Self { tables, store, simulation }
    }

    /// A controller that has just been started, until it has got through.
    async fn run(&self) -> Next {
        loop {
            let controller = ServiceTargetsController::new(self.tables.clone(), Queue::new());
            if let Ok(next) = controller.reconcile(&SERVICE.to_owned()).await {
                return next;
            }
        }
    }

    async fn task(&self) -> Versioned<Task> {
        self.tables.get(TASK).await.expect("reads").expect("is there")
    }

    async fn change(&self, change: impl FnOnce(&mut Task, Timestamp)) {
        let old = self.task().await;
        let mut new = Task::clone(&old);
        change(&mut new, self.tables.environment().now());
        self.store.without_dying(self.tables.replace(&old, new)).await.expect("replaces");
    }

    async fn targets(&self) -> Vec<Versioned<Target>> {
        self.tables.list_all("").await.expect("lists")
    }

    async fn seen(&self, state: TargetState) {
        let old = self.targets().await.remove(0);
        let health = TargetHealth { state, reason: None, description: None };
        let new = Target { health, ..Target::clone(&old) };
        self.store.without_dying(self.tables.replace(&old, new)).await.expect("replaces");
    }

    async fn events(&self) -> Vec<String> {
        let row = self.tables.get::<ServiceEvents>(SERVICE).await.expect("reads");
        row.iter().flat_map(|row| &row.events).map(|event| event.message.clone()).collect()
    }
}

/// A task's way in and out, with every transaction failing once before and once after it is done.
#[tokio::test]
async fn a_task_is_registered_once_and_let_go_when_it_has_drained() {
    for dies_at in 1.. {
        let bench = Bench::new().await;
        bench.store.die_at(dies_at);
        bench.run().await;
        assert_eq!(bench.run().await, Next::Settled);
        let [target] = &bench.targets().await[..] else { panic!("one target") };
        assert_eq!(bench.task().await.targets, [target.key()]);
        assert_eq!((target.port, target.task.as_deref()), (80, Some(TASK)));
        bench.seen(TargetState::Healthy).await;
        bench.change(|task, now| task.want_stop(StopCode::ServiceSchedulerInitiated, "", now)).await;
        assert!(bench.task().await.is_draining());
        bench.run().await;
        let [target] = &bench.targets().await[..] else { panic!("one target") };
        assert!(
            target.draining_since.is_some() && bench.task().await.is_draining(),
            "requests are in progress"
        );
        bench.seen(TargetState::Drained).await;
        bench.run().await;
        assert!(bench.targets().await.is_empty());
        assert!(!bench.task().await.is_draining(), "its containers may be told");
        let draining = "(service web) has begun draining connections on 1 tasks.".to_owned();
        let told = |what| format!("(service web) {what} 1 targets in (target-group {GROUP})");
        assert_eq!(bench.events().await, [told("registered"), draining, told("deregistered")]);
        if !bench.store.died() {
            assert!(dies_at > 6, "three transactions, each before and after");
            return;
        }
    }
}

/// The address of a task that has ended is another's before anybody has looked.
#[tokio::test]
async fn an_address_that_has_gone_on_to_the_next_task_is_registered_for_that_one() {
    for next in ["t0", "t2"] {
        let bench = Bench::new().await;
        bench.run().await;
        let ledger = bench.tables.list_all::<ServiceTask>("").await.expect("lists").remove(0);
        let heir = Task { id: next.to_owned(), targets: vec![], ..(*bench.task().await.value).clone() };
        let entry = ServiceTask { task: next.to_owned(), ..ServiceTask::clone(&ledger) };
        bench.tables.batch().create(&heir).create(&entry).commit().await.expect("commits");
        bench
            .change(|task, now| {
                task.advance(TaskEvent::ContainersStopped, now);
            })
            .await;
        bench.run().await;
        let [target] = &bench.targets().await[..] else { panic!("one target") };
        assert_eq!(target.task.as_deref(), Some(format!("123456789012/default/{next}").as_str()));
        assert!(bench.task().await.targets.is_empty());
    }
}

#[tokio::test]
async fn a_data_plane_that_says_nothing_is_not_waited_for_longer_than_the_delay() {
    let bench = Bench::new().await;
    bench.run().await;
    bench.change(|task, now| task.want_stop(StopCode::UserInitiated, "", now)).await;
    bench.run().await;
    bench.simulation.advance(Duration::from_secs(20));
    assert!(matches!(bench.run().await, Next::After(rest) if rest <= Duration::from_secs(15)));
    assert!(bench.task().await.is_draining());
    bench.simulation.advance(Duration::from_secs(15));
    bench.run().await;
    assert!(bench.targets().await.is_empty() && !bench.task().await.is_draining());
}

#[tokio::test]
async fn what_has_ended_is_let_go_at_once_even_when_its_rows_are_gone() {
    let bench = Bench::new().await;
    bench.run().await;
    bench
        .change(|task, now| {
            task.advance(TaskEvent::ContainersStopped, now);
        })
        .await;
    bench.run().await;
    assert!(bench.targets().await.is_empty() && bench.task().await.targets.is_empty());
    let bench = Bench::new().await;
    bench.run().await;
    bench.tables.delete(&bench.task().await).await.expect("deletes");
    let service = bench.tables.get::<Service>(SERVICE).await.expect("reads").expect("is there");
    bench.tables.delete(&service).await.expect("deletes");
    let controller = ServiceTargetsController::new(bench.tables.clone(), Queue::new());
    assert_eq!(controller.keys().await.expect("lists"), [SERVICE]);
    bench.run().await;
    assert!(bench.targets().await.is_empty(), "no orphan");
}
