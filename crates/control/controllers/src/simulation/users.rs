//! What users ask for: the writes of the API's operations, and whatever else they do to a region.

use super::rows::{self, ACCOUNT, ALARM, FUNCTION, KEY, account, definition, workload};
use super::world::{Kind, Release, World};
use resources::Stored;
use resources::cloudwatch::{Alarm, AlarmState, StateValue};
use resources::ec2::{Address, InterfaceUse, NetworkInterface, SecurityGroup, Subnet};
use resources::ecs::{
    DefinitionStatus, Deployment, DeploymentAlarms, HookAction, HookStatus, HookTarget, LifecycleHook,
    LifecycleStage, RolloutState, Service, ServiceDeployment, ServiceDeploymentStatus, ServiceStatus,
    StopCode, StopType, Strategy, Task, TaskDefinition, TaskSet, TaskStatus, TrafficStep,
};
use std::net::Ipv4Addr;
use std::time::Duration;
use store::StoreError;
use virtual_networks::VirtualNetworks;

impl World {
    /// Something that a user does.
    pub async fn ask(&mut self) {
        let before = self.service().await.desired_count;
        self.ask_for_something().await;
        let after = self.service().await.desired_count;
        self.asked = Some(before.min(after).min(self.asked.unwrap_or(before)));
    }

    async fn ask_for_something(&mut self) {
        match self.chance.below(100) {
            0..=33 => {
                let release = self.some_release();
                if self.kind == Kind::External {
                    self.change_task_sets(release).await;
                } else {
                    self.deploy(release).await;
                }
            }
            34..=53 => {
                let count = self.chance.below(5) as u32;
                self.note(format!("desired count {count}"));
                self.change(|service| service.desired_count = count).await;
            }
            54..=61 => self.stop_deployment().await,
            62..=66 => self.delete_a_definition().await,
            67..=71 => {
                let value = self.chance.one_of(&[StateValue::Alarm, StateValue::Ok]);
                self.set_alarm(value).await;
            }
            72..=81 => {
                let agrees = self.chance.percent(80);
                self.answer_pauses(agrees).await;
            }
            82..=86 => self.fill_subnets().await,
            87..=91 => self.empty_subnets().await,
            _ if self.is_calm => {}
            92..=96 => self.stop_a_task().await,
            _ => self.protect_a_task().await,
        }
    }

    fn some_release(&mut self) -> Release {
        self.chance.one_of(&[
            Release::Good,
            Release::Checked,
            Release::Crashing,
            Release::NeverHealthy,
            Release::FailsChecks,
            Release::CannotPull,
        ])
    }

    /// Registers a task definition.
    async fn register(&mut self, release: Release) -> u32 {
        let revision = u32::try_from(self.releases.len()).expect("few") + 1;
        self.releases.insert(revision, release);
        let is_checked = matches!(release, Release::Checked | Release::NeverHealthy);
        self.truth.create(definition(revision, is_checked, self.now())).await.expect("creates");
        revision
    }

    /// UpdateService with another task definition, and with whatever strategy.
    pub async fn deploy(&mut self, release: Release) {
        let strategy = self.some_strategy();
        let hooks = self.some_hooks();
        let (bake, step) = (self.chance.below(3) as u32, self.chance.below(2) as u32);
        let breaker = self.chance.percent(60);
        let rollback = breaker && self.chance.percent(70);
        let alarms = self.some_alarms();
        let change = |service: &mut Service| {
            let configuration = &mut service.deployment_configuration;
            configuration.strategy = strategy;
            configuration.bake_minutes = Some(bake);
            let step = TrafficStep { share: 300, bake_minutes: step };
            (configuration.linear, configuration.canary) = (Some(step), Some(step));
            configuration.hooks.clone_from(&hooks);
            (configuration.breaker, configuration.rollback) = (breaker, rollback);
            configuration.alarms.clone_from(&alarms);
        };
        self.deploy_with(release, change).await;
    }

    fn some_strategy(&mut self) -> Strategy {
        match self.kind {
            Kind::Shifting | Kind::BalancedShifting => {
                let kinds = [Strategy::Rolling, Strategy::BlueGreen, Strategy::Linear, Strategy::Canary];
                self.chance.one_of(&kinds)
            }
            Kind::Rolling | Kind::Balanced | Kind::External => Strategy::Rolling,
        }
    }

    fn some_hooks(&mut self) -> Vec<LifecycleHook> {
        let hook = |stage, target| LifecycleHook {
            target,
            stages: vec![stage],
            details: None,
            timeout_minutes: Some(60),
            on_timeout: HookAction::Rollback,
        };
        let mut hooks = Vec::new();
        let stages = [
            LifecycleStage::PreScaleUp,
            LifecycleStage::PostScaleUp,
            LifecycleStage::TestTrafficShift,
            LifecycleStage::ProductionTrafficShift,
        ];
        if self.chance.percent(30) {
            let target = HookTarget::Function { arn: FUNCTION.to_owned(), role: String::new() };
            hooks.push(hook(self.chance.one_of(&stages), target));
        }
        if self.chance.percent(20) {
            hooks.push(hook(self.chance.one_of(&stages), HookTarget::Pause));
        }
        hooks
    }

    fn some_alarms(&mut self) -> Option<DeploymentAlarms> {
        let (enabled, rollback) = (self.chance.percent(80), self.chance.percent(70));
        // One of them does not exist.
        let names = vec![ALARM.to_owned(), "not-there".to_owned()];
        self.chance.percent(50).then_some(DeploymentAlarms { names, enabled, rollback })
    }

    /// SetAlarmState.
    pub async fn set_alarm(&mut self, value: StateValue) {
        self.note(format!("the alarm says {}", value.as_str()));
        let key = format!("{ACCOUNT}/{ALARM}");
        let changed = self.truth.update(&key, |old: &Alarm| {
            let state = AlarmState { value, ..old.state.clone() };
            Ok::<_, StoreError>(Some(Alarm { state, ..old.clone() }))
        });
        changed.await.expect("updates");
    }

    /// The same with these settings.
    pub async fn deploy_with(&mut self, release: Release, change: impl Fn(&mut Service)) {
        let revision = self.register(release).await;
        self.note(format!("deploy {revision} {release:?}"));
        let key = TaskDefinition::key_of(&account(), "web", revision);
        let definition = self.truth.get::<TaskDefinition>(&key).await.expect("reads").expect("is there");
        let old = self.truth.get::<Service>(KEY).await.expect("reads").expect("is there");
        let mut service = Service::clone(&old);
        change(&mut service);
        let mut batch = self.truth.batch();
        if let Some(record) = self.record(&old).await.filter(|record| !record.status.is_final()) {
            let status = ServiceDeploymentStatus::Stopped;
            batch =
                batch.replace(&record, &ServiceDeployment { status, ..ServiceDeployment::clone(&record) });
        }
        let new = workload(self.kind, revision, self.is_found);
        let random = self.truth.environment();
        let (made, record) = service.begin_deployment(new, &definition, random, random.now());
        batch.replace(&old, &service).create(&made).create(&record).commit().await.expect("commits");
    }

    pub async fn record(&self, service: &Service) -> Option<store::Versioned<ServiceDeployment>> {
        let own = service.primary()?.service_deployment.clone();
        self.truth.get::<ServiceDeployment>(&format!("{KEY}/{own}")).await.expect("reads")
    }

    pub async fn change(&self, change: impl Fn(&mut Service)) {
        let changed = self.truth.update(KEY, |old: &Service| {
            let mut new = old.clone();
            change(&mut new);
            Ok::<_, StoreError>(Some(new))
        });
        changed.await.expect("updates");
    }

    pub async fn change_task(&self, key: &str, change: impl Fn(&mut Task)) {
        let changed = self.truth.update(key, |old: &Task| {
            let mut new = old.clone();
            change(&mut new);
            Ok::<_, StoreError>(Some(new))
        });
        changed.await.expect("updates");
    }

    /// StopServiceDeployment.
    async fn stop_deployment(&mut self) {
        let service = self.service().await;
        let Some(record) = self.record(&service).await.filter(|record| !record.status.is_final()) else {
            return;
        };
        let Some(primary) = service.primary().filter(|own| own.rollout == RolloutState::InProgress) else {
            return;
        };
        let stop = if self.chance.percent(70) { StopType::Rollback } else { StopType::Abort };
        let has_target = service.last_completed.as_ref().is_some_and(|own| own.deployment != primary.id);
        let is_asked = matches!(
            record.status,
            ServiceDeploymentStatus::StopRequested
                | ServiceDeploymentStatus::RollbackRequested
                | ServiceDeploymentStatus::RollbackInProgress
        );
        if is_asked || (stop == StopType::Rollback && !has_target) {
            return;
        }
        self.note(format!("stop the deployment: {stop:?}"));
        let status = match stop {
            StopType::Rollback => ServiceDeploymentStatus::RollbackRequested,
            StopType::Abort => ServiceDeploymentStatus::StopRequested,
        };
        let new = ServiceDeployment { status, ..ServiceDeployment::clone(&record) };
        self.truth.replace(&record, new).await.expect("replaces");
        self.change(|service| service.stop_requested = Some(stop)).await;
    }

    /// DeregisterTaskDefinition and DeleteTaskDefinitions, used or not.
    async fn delete_a_definition(&mut self) {
        let revision = self.chance.below(self.releases.len() as u64 + 1) as u32;
        let key = TaskDefinition::key_of(&account(), "web", revision);
        self.note(format!("delete the task definition {revision}"));
        let deleted = self.truth.update(&key, |old: &TaskDefinition| {
            let status = DefinitionStatus::DeleteInProgress;
            Ok::<_, StoreError>(Some(TaskDefinition { status, ..old.clone() }))
        });
        deleted.await.expect("updates");
    }

    /// ContinueServiceDeployment.
    pub async fn answer_pauses(&mut self, agrees: bool) {
        let service = self.service().await;
        let awaits = |service: &Service| {
            let runs = service.lifecycle.iter().flat_map(|own| &own.hooks);
            runs.filter(|run| run.status == HookStatus::AwaitingAction).count()
        };
        if awaits(&service) > 0 {
            self.note(format!("answer a pause: {agrees}"));
            let status = if agrees { HookStatus::Succeeded } else { HookStatus::Failed };
            self.change(|service| {
                for run in service.lifecycle.iter_mut().flat_map(|own| &mut own.hooks) {
                    if run.status == HookStatus::AwaitingAction {
                        run.status = status;
                    }
                }
            })
            .await;
        }
    }

    /// CreateNetworkInterface until only a few addresses of the subnets are left.
    async fn fill_subnets(&mut self) {
        let left = self.chance.below(4) as usize;
        self.note(format!("fill the subnets but for {left}"));
        let networks = VirtualNetworks::new(self.truth.clone(), rows::range());
        let groups = self.truth.list_all::<SecurityGroup>("").await.expect("lists");
        let mut free = Vec::new();
        for subnet in self.truth.list_all::<Subnet>("").await.expect("lists") {
            for address in subnet.addresses().map(Ipv4Addr::from_bits) {
                let row = self.truth.get::<Address>(&address.to_string()).await.expect("reads");
                if row.is_none() {
                    free.push((subnet.clone(), address));
                }
            }
        }
        for (subnet, address) in free.into_iter().skip(left) {
            let interface = networks.interface(&subnet, &groups, address, InterfaceUse::Nobody, "");
            let batch = VirtualNetworks::attach(self.truth.batch(), &subnet, &groups, &interface);
            batch.commit().await.expect("writes");
        }
    }

    /// DeleteNetworkInterface of all those.
    pub async fn empty_subnets(&mut self) {
        self.note("empty the subnets".to_owned());
        let networks = VirtualNetworks::new(self.truth.clone(), rows::range());
        for row in self.truth.list_all::<NetworkInterface>("").await.expect("lists") {
            if row.used_by == InterfaceUse::Nobody {
                let batch = networks.detach(self.truth.batch(), &row).await.expect("reads");
                batch.commit().await.expect("writes");
            }
        }
    }

    async fn some_live_task(&mut self) -> Option<String> {
        let mut tasks = self.tasks().await;
        tasks.retain(|task| task.last_status <= TaskStatus::Running);
        (!tasks.is_empty()).then(|| tasks[self.chance.below(tasks.len() as u64) as usize].key())
    }

    /// StopTask.
    async fn stop_a_task(&mut self) {
        let Some(key) = self.some_live_task().await else { return };
        self.note(format!("stop {key}"));
        let now = self.now();
        self.change_task(&key, |task| task.want_stop(StopCode::UserInitiated, "by a user", now)).await;
    }

    /// UpdateTaskProtection.
    async fn protect_a_task(&mut self) {
        let Some(key) = self.some_live_task().await else { return };
        let until = self.now() + Duration::from_secs(self.chance.below(300));
        self.note(format!("protect {key}"));
        self.change_task(&key, |task| task.protected_until = Some(until)).await;
    }

    /// CreateTaskSet, UpdateTaskSet, UpdateServicePrimaryTaskSet or DeleteTaskSet.
    async fn change_task_sets(&mut self, release: Release) {
        let sets = self.service().await.deployments.len();
        let which = self.chance.below(sets.max(1) as u64) as usize;
        match self.chance.below(4) {
            0 if sets < 4 => self.create_task_set(release, 10_000).await,
            1 if sets > 0 => {
                let scale = self.chance.below(5) as u32 * 2_500;
                self.note(format!("scale the task set {which} to {scale}"));
                self.change(|service| {
                    service.steady = false;
                    if let Some(set) = &mut service.deployments[which].task_set {
                        (set.scale, set.steady_at) = (scale, None);
                    }
                })
                .await;
            }
            2 if sets > 0 => self.make_primary(which).await,
            3 if sets > 1 => self.delete_task_set(which).await,
            _ => {}
        }
    }

    pub async fn create_task_set(&mut self, release: Release, scale: u32) {
        let revision = self.register(release).await;
        self.note(format!("create a task set of {revision} {release:?}"));
        let (now, id) =
            (self.now(), format!("ecs-svc/{}", self.truth.environment().random_text(19, b"0123456789")));
        let workload = workload(self.kind, revision, false);
        self.change(|service| {
            service.steady = false;
            service.deployments.push(Deployment {
                id: id.clone(),
                service_deployment: String::new(),
                service_revision: String::new(),
                workload: workload.clone(),
                rollout: RolloutState::InProgress,
                rollout_reason: String::new(),
                failed_tasks: 0,
                failed_rounds: 0,
                retry_at: None,
                created_at: now,
                updated_at: now,
                alternate: false,
                task_set: Some(TaskSet {
                    external_id: None,
                    scale,
                    primary: false,
                    steady_at: None,
                    draining: false,
                    client_token: None,
                    tags: Vec::new(),
                }),
            });
        })
        .await;
    }

    pub async fn make_primary(&mut self, which: usize) {
        self.note(format!("make the task set {which} primary"));
        self.change(|service| {
            let mut own = service.deployments.remove(which);
            let sets = service.deployments.iter_mut().filter_map(|one| one.task_set.as_mut());
            sets.for_each(|set| set.primary = false);
            if let Some(set) = &mut own.task_set {
                set.primary = !set.draining;
            }
            service.deployments.insert(0, own);
        })
        .await;
    }

    pub async fn delete_task_set(&mut self, which: usize) {
        self.note(format!("delete the task set {which}"));
        self.change(|service| {
            service.steady = false;
            if let Some(set) = &mut service.deployments[which].task_set {
                (set.draining, set.primary, set.steady_at) = (true, false, None);
            }
        })
        .await;
    }

    /// DeleteService.
    pub async fn delete(&mut self) {
        self.note("delete the service".to_owned());
        self.change(|service| {
            service.status = ServiceStatus::Draining;
            service.desired_count = 0;
            service.stop_requested = None;
        })
        .await;
    }
}
