//! Tasks as instances over a store in memory that dies, with a controller that is started over.

use super::*;
use crate::flaky::FlakyStore;
use environment::{Environment, Timestamp};
use resources::discovery::{
    CustomHealth, DiscoveryService, DnsConfig, DnsRecord, InstancesChange, RecordKind, RoutingPolicy,
};
use resources::ecs::{
    ContainerDefinition, DefinitionStatus, DesiredStatus, HealthCheck, HealthStatus, Launch,
    NetworkInterface, StopCode, TaskDefinition, TaskEvent, TaskRegistry,
};
use std::net::Ipv4Addr;
use std::sync::Arc;
use store::{MemoryStore, Store};

const ACCOUNT: &str = "123456789012";

struct World {
    tables: Tables,
    store: Arc<FlakyStore>,
    environment: Environment,
    definition: TaskDefinition,
    chance: u64,
}

pub(crate) fn service(id: &str, custom_health: bool) -> DiscoveryService {
    DiscoveryService {
        account: ACCOUNT.parse().expect("an account"),
        id: id.to_owned(),
        namespace: "ns-1".to_owned(),
        name: "worker".to_owned(),
        description: None,
        dns: Some(DnsConfig {
            routing: RoutingPolicy::MultiValue,
            records: vec![DnsRecord { kind: RecordKind::A, ttl: 10 }],
        }),
        is_http_only: false,
        custom_health: custom_health.then(CustomHealth::default),
        attributes: std::collections::BTreeMap::new(),
        creator_request_id: None,
        owner: None,
        tags: resources::discovery::Tags::new(),
        created_at: Timestamp::from_seconds(0),
    }
}

pub(crate) fn definition(is_checked: bool) -> TaskDefinition {
    let check = HealthCheck {
        command: vec!["CMD".to_owned(), "true".to_owned()],
        interval: 5,
        timeout: 1,
        retries: 1,
        start_period: 0,
    };
    TaskDefinition {
        account: ACCOUNT.parse().expect("an account"),
        family: "work".to_owned(),
        revision: 1,
        status: DefinitionStatus::Active,
        network_mode: "awsvpc".to_owned(),
        requires_compatibilities: vec!["FARGATE".to_owned()],
        cpu: 256,
        memory: 512,
        task_role_arn: None,
        execution_role_arn: None,
        containers: vec![ContainerDefinition {
            name: "main".to_owned(),
            image: "busybox".to_owned(),
            essential: true,
            health_check: is_checked.then_some(check),
            ..ContainerDefinition::default()
        }],
        volumes: Vec::new(),
        volume_kinds: std::collections::BTreeMap::new(),
        pid_mode: None,
        fault_injection: false,
        ephemeral_storage: None,
        runtime_platform: None,
        tags: Vec::new(),
        registered_at: Timestamp::from_seconds(0),
        registered_by: String::new(),
        deregistered_at: None,
    }
}

impl World {
    async fn new(seed: u64, is_checked: bool) -> Self {
        let (environment, _) = Environment::simulated(Timestamp::from_seconds(1_000), seed);
        let store = FlakyStore::new(MemoryStore::new(environment.clone()));
        let tables = Tables::new(store.clone() as Arc<dyn Store>, environment.clone());
        let definition = definition(is_checked);
        tables.create(definition.clone()).await.expect("creates");
        tables.create(service("srv-1", true)).await.expect("creates");
        tables.create(service("srv-2", false)).await.expect("creates");
        let chance = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        Self { tables, store, environment, definition, chance }
    }

    fn below(&mut self, count: u64) -> u64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        (self.chance >> 16) % count
    }

    /// A task that runs at `10.0.0.LAST`.
    async fn run(&self, last: u8) -> String {
        let now = self.environment.now();
        let registries = ["srv-1", "srv-2"]
            .map(|service| TaskRegistry { service: service.to_owned(), port: Some(8080) })
            .to_vec();
        let launch = Launch {
            cluster: "default".to_owned(),
            id: self.environment.random_hex(32),
            service: Some("web".to_owned()),
            registries,
            ..Launch::default()
        };
        let mut task = Task::launched(&self.definition, launch, &self.environment, now);
        task.network_interface = Some(NetworkInterface {
            id: "eni-1".to_owned(),
            attachment_id: "a".to_owned(),
            mac: "0a:00:00:00:00:01".to_owned(),
            address: Ipv4Addr::new(10, 0, 0, last),
            gateway: Ipv4Addr::new(10, 0, 0, 1),
            prefix: 16,
            name_server: None,
            subnet_id: "subnet-1".to_owned(),
            zone: "a".to_owned(),
        });
        task.advance(TaskEvent::Placed, now);
        task.advance(TaskEvent::Started, now);
        let key = task.key();
        self.tables.create(task).await.expect("creates");
        key
    }

    async fn change(&self, key: &str, change: impl Fn(&mut Task)) {
        let change = |old: &Task| {
            let mut new = old.clone();
            change(&mut new);
            Ok::<_, StoreError>(Some(new))
        };
        self.tables.update(key, change).await.expect("updates");
    }

    fn controller(&self) -> DiscoveryController {
        let region = "us-east-1".parse().expect("a region");
        DiscoveryController::new(self.tables.clone(), region, Queue::new())
    }

    /// Starts over with another controller until one has seen everything without dying.
    async fn settle(&self) {
        loop {
            let controller = self.controller();
            let mut died = false;
            for key in controller.keys().await.expect("lists") {
                died |= controller.reconcile(&key).await.is_err();
            }
            if !died {
                return;
            }
        }
    }

    async fn instances(&self, service: &str) -> Vec<Instance> {
        let prefix = format!("{ACCOUNT}/{service}/");
        let rows = self.tables.list_all::<Instance>(&prefix).await.expect("lists");
        rows.iter().map(|row| Instance::clone(row)).collect()
    }

    /// Every task that is to be found is an instance of both services, and nothing else is.
    async fn check(&self) {
        for service in ["srv-1", "srv-2"] {
            let mut wanted = BTreeSet::new();
            for task in self.tables.list_all::<Task>("").await.expect("lists") {
                let is_wanted =
                    task.last_status == TaskStatus::Running && task.desired_status == DesiredStatus::Running;
                if is_wanted {
                    wanted.insert(task.id.clone());
                }
            }
            let found: BTreeSet<String> =
                self.instances(service).await.into_iter().map(|one| one.id).collect();
            assert_eq!(found, wanted, "{service}");
        }
    }

    async fn revision(&self) -> Option<u64> {
        let key = format!("{ACCOUNT}/srv-1");
        let row = self.tables.get::<InstancesChange>(&key).await.expect("reads");
        row.map(|row| row.revision)
    }
}

#[tokio::test]
async fn a_running_task_is_found_and_a_stopping_one_is_not() {
    let world = World::new(1, false).await;
    let key = world.run(9).await;
    world.settle().await;
    world.check().await;
    let found = world.instances("srv-1").await;
    let attributes: Vec<(&str, &str)> =
        found[0].attributes.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(
        attributes,
        [
            ("AVAILABILITY_ZONE", "us-east-1a"),
            ("AWS_INIT_HEALTH_STATUS", "HEALTHY"),
            ("AWS_INSTANCE_IPV4", "10.0.0.9"),
            ("AWS_INSTANCE_PORT", "8080"),
            ("ECS_CLUSTER_NAME", "default"),
            ("ECS_SERVICE_NAME", "web"),
            ("ECS_TASK_DEFINITION_FAMILY", "work"),
            ("REGION", "us-east-1"),
        ]
    );
    assert!(!world.instances("srv-2").await[0].attributes.contains_key("AWS_INIT_HEALTH_STATUS"));
    let first = world.revision().await;
    world.settle().await;
    assert_eq!(world.revision().await, first, "run again it changes nothing");
    let now = world.environment.now();
    world.change(&key, |task| task.want_stop(StopCode::UserInitiated, "", now)).await;
    world.settle().await;
    assert!(world.instances("srv-1").await.is_empty() && world.instances("srv-2").await.is_empty());
    assert!(world.revision().await > first);
}

#[tokio::test]
async fn an_instance_is_as_healthy_as_the_checks_of_its_task() {
    let world = World::new(2, true).await;
    let key = world.run(9).await;
    let shown = async || {
        world.settle().await;
        (world.instances("srv-1").await[0].is_healthy, world.instances("srv-2").await[0].is_healthy)
    };
    assert_eq!(shown().await, (false, true), "a check that has not answered is no success");
    for (health, expected) in [(HealthStatus::Healthy, true), (HealthStatus::Unhealthy, false)] {
        world.change(&key, |task| task.containers[0].health = health).await;
        assert_eq!(shown().await, (expected, true));
    }
    let found = world.instances("srv-1").await;
    assert_eq!(found[0].attributes["AWS_INIT_HEALTH_STATUS"], "UNHEALTHY", "as it was at first");
}

#[tokio::test]
async fn a_task_that_nobody_remembers_leaves_no_instance() {
    let world = World::new(3, false).await;
    let key = world.run(9).await;
    world.settle().await;
    let own = Instance { id: "mine".to_owned(), task: None, ..world.instances("srv-1").await[0].clone() };
    world.tables.create(own).await.expect("creates");
    let task = world.tables.get::<Task>(&key).await.expect("reads").expect("is there");
    world.tables.delete(&task).await.expect("deletes");
    world.settle().await;
    let left: Vec<String> = world.instances("srv-1").await.into_iter().map(|one| one.id).collect();
    assert_eq!(left, ["mine"], "what a user registered stays");
    assert!(world.instances("srv-2").await.is_empty());
}

/// Tasks start, fail and end by chance while the controller dies at every possible transaction.
async fn schedule(seed: u64) {
    let mut world = World::new(seed, seed.is_multiple_of(2)).await;
    let mut keys = Vec::new();
    for step in 0..30 {
        let now = world.environment.now();
        match (world.below(5), keys.len() as u64) {
            (0 | 1, _) | (_, 0) => keys.push(world.run(step + 2).await),
            (what, count) => {
                let key: String = keys[world.below(count) as usize].clone();
                match what {
                    2 => world.change(&key, |task| task.want_stop(StopCode::UserInitiated, "", now)).await,
                    3 => {
                        let end = |task: &mut Task| {
                            task.advance(TaskEvent::ContainersStopped, now);
                        };
                        world.change(&key, end).await;
                    }
                    _ => {
                        world.change(&key, |task| task.containers[0].health = HealthStatus::Unhealthy).await;
                    }
                }
            }
        }
        let point = world.below(6) as usize;
        world.store.die_at(point);
        let controller = world.controller();
        for key in controller.keys().await.expect("lists") {
            if controller.reconcile(&key).await.is_err() {
                break;
            }
        }
        world.store.die_at(0);
    }
    world.settle().await;
    world.check().await;
    for key in keys {
        let now = world.environment.now();
        world.change(&key, |task| task.want_stop(StopCode::UserInitiated, "", now)).await;
    }
    world.settle().await;
    world.check().await;
    assert!(world.tables.list_all::<Instance>("").await.expect("lists").is_empty(), "seed {seed}");
}

#[tokio::test]
async fn whatever_dies_in_between_the_instances_are_the_running_tasks() {
    for seed in 1..=200 {
        schedule(seed).await;
    }
}
