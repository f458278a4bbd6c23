//! A region in memory for one service: its rows, a host that moves its tasks, and the promises as checks.

use crate::flaky::FlakyStore;
use crate::service::{SETTLE, ServiceController};
use environment::{Environment, Simulation, Timestamp};
use reconcile::{Queue, Reconciler};
use resources::Stored;
use resources::cloudwatch::{Alarm, AlarmState, AlarmWatch, Comparison, MissingData, StateValue};
use resources::ecs::{
    AlternateTargets, ContainerDefinition, Controller, DefinitionStatus, DeploymentAlarms,
    DeploymentConfiguration, DesiredStatus, HealthCheck, HealthStatus, PropagateTags, RolloutState, Service,
    ServiceDeployment, ServiceDeploymentStatus, ServiceEvents, ServiceLoadBalancer, ServiceStatus,
    ServiceTask, StopCode, Strategy, Task, TaskDefinition, TaskEvent, TaskStatus, TrafficStep, Workload,
};
use resources::elb::{
    Action, Forward, Listener, Protocol, Rule, Target, TargetHealth, TargetState, WeightedTargetGroup,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use store::{MemoryStore, Store, StoreError, Tables, Versioned};

const KEY: &str = "123456789012/default/web";

/// What the tasks of a release do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    Good,
    Checked,
    Crashing,
    NeverHealthy,
    CannotPull,
}

pub struct World {
    pub tables: Tables,
    pub store: Arc<FlakyStore>,
    simulation: Arc<Simulation>,
    releases: BTreeMap<u32, Release>,
    seed: u64,
    chance: u64,
}

pub fn region() -> identifiers::Region {
    "us-east-1".parse().expect("a region")
}

fn workload(revision: u32) -> Workload {
    Workload {
        family: "web".to_owned(),
        revision,
        strategy: Vec::new(),
        platform_version: "LATEST".to_owned(),
        subnets: vec!["subnet-1".to_owned()],
        security_groups: Vec::new(),
        assign_public_ip: false,
        load_balancers: Vec::new(),
        volumes: vec![],
        registries: vec![],
        connect: None,
    }
}

fn definition(revision: u32, is_checked: bool, now: Timestamp) -> TaskDefinition {
    let check = HealthCheck {
        command: vec!["CMD".to_owned(), "true".to_owned()],
        interval: 5,
        timeout: 1,
        retries: 1,
        start_period: 0,
    };
    TaskDefinition {
        account: "123456789012".parse().expect("an account"),
        family: "web".to_owned(),
        revision,
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
        registered_at: now,
        registered_by: String::new(),
        deregistered_at: None,
    }
}

impl World {
    /// A service with a good release; its limits and its breaker come from the seed. With `desired` of zero the
    /// desired count does, too.
    pub async fn new(seed: u64, desired: u32) -> Self {
        let (environment, simulation) = Environment::simulated(Timestamp::from_seconds(1_000_000), seed);
        let store = FlakyStore::new(MemoryStore::new(environment.clone()));
        let tables = Tables::new(store.clone() as Arc<dyn Store>, environment.clone());
        let chance = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut world = Self { tables, store, simulation, releases: BTreeMap::new(), seed, chance };
        let by_chance = desired == 0;
        let limits = [(100, 200), (50, 100), (0, 100), (50, 200), (100, 150)];
        let (minimum, maximum) = if by_chance { limits[world.below(5) as usize] } else { (100, 200) };
        let service = Service {
            account: "123456789012".parse().expect("an account"),
            cluster: "default".to_owned(),
            name: "web".to_owned(),
            status: ServiceStatus::Active,
            desired_count: if by_chance { world.below(6) as u32 } else { desired },
            deployment_configuration: DeploymentConfiguration {
                minimum_healthy_percent: minimum,
                maximum_percent: maximum,
                breaker: !by_chance || world.below(2) == 0,
                rollback: !by_chance || world.below(2) == 0,
                ..DeploymentConfiguration::default()
            },
            deployments: Vec::new(),
            last_completed: None,
            stop_requested: None,
            lifecycle: None,
            controller: Controller::Ecs,
            express: false,
            steady: false,
            notices: Vec::new(),
            propagate_tags: PropagateTags::None,
            managed_tags: false,
            execute_command: false,
            health_check_grace_period: None,
            zone_rebalancing: true,
            client_token: None,
            tags: Vec::new(),
            created_by: String::new(),
            created_at: environment.now(),
            deleted_at: None,
        };
        world.tables.create(service).await.expect("creates");
        world.deploy(Release::Good).await;
        world
    }

    /// One of `0..count`.
    pub fn below(&mut self, count: u64) -> u64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        (self.chance >> 16) % count
    }

    pub fn advance(&self, seconds: u64) {
        self.simulation.advance(Duration::from_secs(seconds));
    }

    /// A new deployment, as UpdateService writes it.
    pub async fn deploy(&mut self, release: Release) {
        self.store.die_at(0);
        let revision = u32::try_from(self.releases.len()).expect("few") + 1;
        self.releases.insert(revision, release);
        let now = self.tables.environment().now();
        let is_checked = matches!(release, Release::Checked | Release::NeverHealthy);
        let definition = self.tables.create(definition(revision, is_checked, now)).await.expect("creates");
        let old = self.tables.get::<Service>(KEY).await.expect("reads").expect("is there");
        let mut service = Service::clone(&old);
        let mut batch = self.tables.batch();
        if let Some(primary) = old.primary() {
            let key = format!("{KEY}/{}", primary.service_deployment);
            let record = self.tables.get::<ServiceDeployment>(&key).await.expect("reads").expect("is there");
            let status = ServiceDeploymentStatus::Stopped;
            if !record.status.is_final() {
                batch = batch
                    .replace(&record, &ServiceDeployment { status, ..ServiceDeployment::clone(&record) });
            }
        }
        let mut new = workload(revision);
        if let Some(primary) = old.primary() {
            new.load_balancers.clone_from(&primary.workload.load_balancers);
        }
        let (made, record) = service.begin_deployment(new, &definition, self.tables.environment(), now);
        batch.replace(&old, &service).create(&made).create(&record).commit().await.expect("commits");
    }

    /// The next deployments shift traffic between two target groups, with a rule and the default rule of a listener.
    pub async fn shift(&self, strategy: Strategy) {
        let arn = |rest: &str| format!("arn:aws:elasticloadbalancing:us-east-1:123456789012:{rest}");
        let forward = || {
            let group = WeightedTargetGroup { arn: arn("targetgroup/a/1"), weight: 1 };
            Action::Forward(Forward { target_groups: vec![group], stickiness: None })
        };
        let now = self.tables.environment().now();
        let listener = Listener {
            account: "123456789012".parse().expect("an account"),
            load_balancer: "web".to_owned(),
            load_balancer_arn: arn("loadbalancer/app/web/0"),
            id: "1".to_owned(),
            arn: arn("listener/app/web/0/1"),
            protocol: Protocol::Http,
            port: 80,
            ssl_policy: None,
            alpn_policy: None,
            certificates: Vec::new(),
            default_rule: "9".to_owned(),
            default_actions: vec![forward()],
            default_rule_tags: Vec::new(),
            attributes: BTreeMap::new(),
            tags: Vec::new(),
            created_at: now,
        };
        let rule = Rule {
            account: listener.account.clone(),
            load_balancer: "web".to_owned(),
            listener: "1".to_owned(),
            id: "2".to_owned(),
            arn: arn("listener-rule/app/web/0/1/2"),
            priority: 1,
            conditions: Vec::new(),
            actions: vec![forward()],
            tags: Vec::new(),
            created_at: now,
        };
        let advanced = AlternateTargets {
            target_group_arn: arn("targetgroup/b/1"),
            production_rule: rule.arn.clone(),
            test_rule: Some(listener.rule_arn("9")),
            role_arn: String::new(),
        };
        self.tables.batch().create(&listener).create(&rule).commit().await.expect("commits");
        self.change(|service| {
            service.deployment_configuration.strategy = strategy;
            service.deployment_configuration.linear = Some(TrafficStep { share: 255, bake_minutes: 1 });
            for own in &mut service.deployments {
                own.workload.load_balancers = vec![ServiceLoadBalancer {
                    target_group_arn: arn("targetgroup/a/1"),
                    container_name: "main".to_owned(),
                    container_port: 80,
                    advanced: Some(advanced.clone()),
                }];
            }
        })
        .await;
    }

    /// Weights of the main and the alternate target group in production and in tests.
    pub async fn weights(&self) -> (Vec<u32>, Vec<u32>) {
        let weights = |actions: &[Action]| match &actions[0] {
            Action::Forward(forward) => forward.target_groups.iter().map(|group| group.weight).collect(),
            Action::Redirect(_) | Action::FixedResponse(_) => Vec::new(),
        };
        let rule = self.tables.get::<Rule>("123456789012/web/1/2").await.expect("reads").expect("is there");
        let listener = self.tables.get::<Listener>("123456789012/web/1").await.expect("reads");
        (weights(&rule.actions), weights(&listener.expect("is there").default_actions))
    }

    /// The next deployments watch an alarm, which goes off within half a minute.
    pub async fn watch_alarm(&self, rollback: bool) {
        let now = self.tables.environment().now();
        let alarm = Alarm {
            account: "123456789012".parse().expect("an account"),
            name: "hot".to_owned(),
            description: None,
            actions_enabled: true,
            watch: AlarmWatch {
                namespace: "shop".to_owned(),
                metric: "heat".to_owned(),
                dimensions: BTreeMap::new(),
                statistic: "Average".to_owned(),
                unit: None,
                period: 10,
                evaluation_periods: 3,
                datapoints_to_alarm: None,
                threshold: 30.0,
                comparison: Comparison::Greater,
                missing: MissingData::Missing,
                low_samples: None,
            },
            tags: Vec::new(),
            configured_at: now,
            state: AlarmState {
                value: StateValue::Ok,
                reason: String::new(),
                data: None,
                updated_at: now,
                transitioned_at: now,
            },
        };
        self.tables.create(alarm).await.expect("creates");
        let names = vec!["hot".to_owned()];
        let alarms = DeploymentAlarms { names, enabled: true, rollback };
        self.change(|service| service.deployment_configuration.alarms = Some(alarms.clone())).await;
    }

    /// The alarm goes off or comes back, if there is one.
    pub async fn set_alarm(&self, value: StateValue) {
        self.store.die_at(0);
        let Some(old) = self.tables.get::<Alarm>("123456789012/hot").await.expect("reads") else { return };
        let mut new = Alarm::clone(&old);
        new.state.value = value;
        self.tables.batch().replace(&old, &new).commit().await.expect("commits");
    }

    /// The record of the newest deployment.
    pub async fn record(&self) -> ServiceDeployment {
        let service = self.service().await;
        let key = format!("{KEY}/{}", service.deployments[0].service_deployment);
        let record = self.tables.get::<ServiceDeployment>(&key).await.expect("reads");
        ServiceDeployment::clone(&record.expect("is there"))
    }

    pub async fn change(&self, change: impl Fn(&mut Service)) {
        self.store.die_at(0);
        let changed = self.tables.update(KEY, |old: &Service| {
            let mut new = old.clone();
            change(&mut new);
            Ok::<_, StoreError>(Some(new))
        });
        changed.await.expect("updates");
    }

    pub async fn delete(&self) {
        self.change(|service| {
            service.status = ServiceStatus::Draining;
            service.desired_count = 0;
        })
        .await;
    }

    pub async fn service(&self) -> Service {
        Service::clone(&self.tables.get::<Service>(KEY).await.expect("reads").expect("is there"))
    }

    pub async fn tasks(&self) -> Vec<Versioned<Task>> {
        self.tables.list_all::<Task>("").await.expect("lists")
    }

    pub async fn ledger(&self) -> Vec<Versioned<ServiceTask>> {
        self.tables.list_all::<ServiceTask>("").await.expect("lists")
    }

    pub async fn events(&self) -> Vec<String> {
        let row = self.tables.get::<ServiceEvents>(KEY).await.expect("reads");
        row.iter().flat_map(|row| row.events.iter().map(|event| event.message.clone())).collect()
    }

    /// Tasks that run or are on their way.
    pub async fn live(&self) -> Vec<Versioned<Task>> {
        let mut tasks = self.tasks().await;
        tasks.retain(|task| {
            task.desired_status == DesiredStatus::Running && task.last_status <= TaskStatus::Running
        });
        tasks
    }

    async fn running(&self) -> usize {
        let runs = |task: &Versioned<Task>| {
            task.last_status == TaskStatus::Running
                && task.containers.iter().all(|container| container.health != HealthStatus::Unhealthy)
        };
        self.live().await.iter().filter(|task| runs(task)).count()
    }

    /// One step of a controller that has just been started, and the promises that hold for it.
    pub async fn reconcile(&self) {
        let (before, live) = (self.running().await, self.live().await.len());
        let controller = ServiceController::new(self.tables.clone(), region(), Queue::new());
        // A store that fails is tried again later.
        let _ = controller.reconcile(&KEY.to_owned()).await;
        let service = self.service().await;
        if service.status != ServiceStatus::Active {
            return;
        }
        let limits = &service.deployment_configuration;
        let after = self.live().await.len();
        if after > live && service.lifecycle.is_none() {
            let maximum = limits.maximum(service.desired_count) as usize;
            assert!(after <= maximum, "seed {}: {after} of at most {maximum}", self.seed);
        }
        let minimum = limits.minimum(service.desired_count) as usize;
        let running = self.running().await;
        assert!(running >= minimum.min(before), "seed {}: {running} of at least {minimum}", self.seed);
    }

    /// One step of a controller, whatever there is.
    pub async fn reconcile_once(&self) {
        let controller = ServiceController::new(self.tables.clone(), region(), Queue::new());
        controller.reconcile(&KEY.to_owned()).await.expect("reconciles");
    }

    /// Rows of services, of whatever kind.
    pub async fn rows(&self) -> usize {
        self.tables.list_all::<Service>("").await.expect("lists").len()
            + self.tables.list_all::<ServiceEvents>("").await.expect("lists").len()
            + self.tables.list_all::<ServiceDeployment>("").await.expect("lists").len()
            + self.tables.list_all::<resources::ecs::ServiceRevision>("").await.expect("lists").len()
    }

    async fn update(&self, task: &Task, change: impl Fn(&mut Task, Timestamp)) {
        self.store.die_at(0);
        let now = self.tables.environment().now();
        let key = task.key();
        let changed = self.tables.update(&key, |old: &Task| {
            let mut new = old.clone();
            change(&mut new, now);
            Ok::<_, StoreError>(Some(new))
        });
        changed.await.expect("updates");
    }

    async fn step(&self, task: &Task, event: TaskEvent) {
        self.update(task, |task, now| {
            task.advance(event, now);
        })
        .await;
    }

    /// Ends a task by itself.
    pub async fn end(&self, id: &str, event: TaskEvent, code: StopCode) {
        let tasks = self.tasks().await;
        let task = tasks.iter().find(|task| task.id == id).expect("a task");
        self.update(task, |task, now| {
            task.stop_code = task.stop_code.or(Some(code));
            task.execution_stopped_at = Some(now);
            task.advance(event, now);
        })
        .await;
    }

    /// Load balancers, if there are any, find the task healthy from the start.
    async fn register(&self, task: &Task) {
        let service = self.service().await;
        let row = self.ledger().await.into_iter().find(|row| row.task == task.id);
        let own = row.and_then(|row| service.deployments.iter().find(|own| own.id == row.deployment));
        let Some((own, balancer)) = own.and_then(|own| Some((own, own.workload.load_balancers.first()?)))
        else {
            return;
        };
        let number = u32::from_str_radix(&task.id[..6], 16).expect("hexadecimal");
        let target = Target {
            account: task.account.clone(),
            target_group: "web".to_owned(),
            target_group_arn: own.target_group_of(balancer).to_owned(),
            address: std::net::Ipv4Addr::from_bits(0x0a00_0000 | number).into(),
            port: 80,
            zone: None,
            task: Some(task.key()),
            service: Some(KEY.to_owned()),
            registered_at: self.tables.environment().now(),
            draining_since: None,
            health: TargetHealth { state: TargetState::Healthy, reason: None, description: None },
        };
        let key = target.key();
        self.store.die_at(0);
        let _ = self.tables.create(target).await;
        self.update(task, |task, _| task.targets = vec![key.clone()]).await;
    }

    /// Moves a task on as its release has it.
    async fn move_task(&self, task: &Task, crash: bool) {
        let release = self.releases[&task.revision];
        let ends = |code| self.end(&task.id, TaskEvent::ContainersStopped, code);
        match task.last_status {
            TaskStatus::Provisioning if task.desired_status == DesiredStatus::Stopped => {
                self.step(task, TaskEvent::ContainersStopped).await;
            }
            TaskStatus::Provisioning => {
                self.update(task, |task, now| {
                    task.container_instance = Some("h".to_owned());
                    task.advance(TaskEvent::Placed, now);
                })
                .await;
            }
            TaskStatus::Pending | TaskStatus::Activating if crash || release == Release::CannotPull => {
                ends(StopCode::TaskFailedToStart).await;
            }
            TaskStatus::Pending | TaskStatus::Activating => {
                self.register(task).await;
                self.step(task, TaskEvent::Started).await;
            }
            TaskStatus::Running if crash || release == Release::Crashing => {
                ends(StopCode::EssentialContainerExited).await;
            }
            TaskStatus::Running => {
                let health = match release {
                    Release::Checked => HealthStatus::Healthy,
                    Release::NeverHealthy => HealthStatus::Unhealthy,
                    Release::Good | Release::Crashing | Release::CannotPull => return,
                };
                self.update(task, |task, _| task.containers[0].health = health).await;
            }
            TaskStatus::Deactivating | TaskStatus::Stopping => {
                self.step(task, TaskEvent::ContainersStopped).await;
            }
            TaskStatus::Deprovisioning => {
                self.step(task, TaskEvent::Released).await;
            }
            TaskStatus::Stopped => {}
        }
    }

    /// Moves every task on.
    pub async fn move_all(&self) {
        for task in self.tasks().await {
            self.move_task(&task, false).await;
        }
        self.reap().await;
    }

    pub async fn move_one(&mut self, crash: bool) {
        let mut tasks = self.tasks().await;
        tasks.retain(|task| task.last_status != TaskStatus::Stopped);
        if !tasks.is_empty() {
            let index = self.below(tasks.len() as u64) as usize;
            self.move_task(&tasks[index], crash).await;
        }
    }

    /// Stopped tasks go, counted or not.
    pub async fn reap(&self) {
        self.store.die_at(0);
        for task in self.tasks().await.iter().filter(|task| task.last_status == TaskStatus::Stopped) {
            self.tables.delete(task).await.expect("deletes");
        }
    }

    /// Everything goes its way without further faults but a death that is planned, until nothing more happens.
    pub async fn settle(&mut self) {
        let mut quiet = 0;
        for _ in 0..400 {
            let revision = self.tables.store().status().await.expect("answers").revision;
            for _ in 0..3 {
                self.reconcile().await;
            }
            let planned = self.store.planned();
            self.move_all().await;
            self.store.die_at(planned);
            self.advance(SETTLE.as_secs() + 1);
            let now = self.tables.environment().now();
            let waits = |own: &resources::ecs::Deployment| own.retry_at.is_some_and(|at| at > now);
            let is_same = self.tables.store().status().await.expect("answers").revision == revision;
            let service = self.service().await;
            let takes_time = service.lifecycle.is_some() || service.deployment_configuration.alarms.is_some();
            let is_shifting =
                |own: &resources::ecs::Deployment| takes_time && own.rollout == RolloutState::InProgress;
            if is_same && service.primary().is_some_and(is_shifting) {
                // Stages that last are not watched second by second.
                self.advance(600);
            }
            let is_waiting = service.primary().is_some_and(|own| waits(own) || is_shifting(own));
            quiet = if is_same && !is_waiting { quiet + 1 } else { 0 };
            if quiet == 3 {
                return;
            }
        }
    }

    /// No task without its row in the ledger, and no decision carried out twice.
    pub async fn check_ledger(&self) {
        let ledger = self.ledger().await;
        for task in self.tasks().await.iter().filter(|task| task.last_status < TaskStatus::Deprovisioning) {
            assert!(
                ledger.iter().any(|row| row.task == task.id),
                "seed {}: {} is an orphan",
                self.seed,
                task.id
            );
        }
    }

    /// As many healthy tasks of the newest revision as wanted, and nothing else.
    pub async fn check_rest(&self) {
        let service = self.service().await;
        let seed = self.seed;
        assert!(service.steady, "seed {seed}: {service:?}");
        assert_eq!(service.deployments.len(), 1, "seed {seed}");
        assert_eq!(service.deployments[0].rollout, RolloutState::Completed, "seed {seed}");
        let live = self.live().await;
        assert_eq!(live.len(), service.desired_count as usize, "seed {seed}");
        let own = &service.deployments[0];
        for task in &live {
            assert_eq!(task.last_status, TaskStatus::Running, "seed {seed}");
            assert_eq!(task.value.revision, own.workload.revision, "seed {seed}");
        }
        assert_eq!(self.ledger().await.len(), live.len(), "seed {seed}: nothing is left in the ledger");
        let events = self.events().await;
        assert!(events.len() <= ServiceEvents::MOST);
        assert_eq!(events.last().map(String::as_str), Some("(service web) has reached a steady state."));
        let key = format!("{KEY}/{}", own.service_deployment);
        let record = self.tables.get::<ServiceDeployment>(&key).await.expect("reads").expect("is there");
        assert!(record.status.is_final(), "seed {seed}: {record:?}");
    }
}
