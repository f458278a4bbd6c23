//! What is promised, as checks.

use super::host::short;
use super::rows::{ALARM, KEY};
use super::world::{Kind, Release, World};
use crate::service::KEEP_INACTIVE;
use resources::Stored;
use resources::discovery::Instance;
use resources::ec2::{Address, InterfaceUse, NetworkInterface};
use resources::ecs::{
    ContainerInstance, DesiredStatus, HealthStatus, RolloutState, Service, ServiceDeployment,
    ServiceDeploymentStatus, ServiceEvents, ServiceRevision, ServiceStatus, ServiceTask, Size, Task,
    TaskDefinition, TaskMark, TaskStatus,
};
use resources::elb::{Action, LoadBalancer, Rule, Target, TargetState};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use store::Versioned;

/// Longest time until a release that works has taken over, when nothing more goes wrong: what an earlier deployment left is
/// put in order for five minutes at most, traffic is shifted in minutes, targets drain for half a minute.
pub const IN_TIME: Duration = Duration::from_secs(30 * 60);

/// Tasks that do their work, by deployment.
pub type Served = BTreeMap<String, usize>;

impl World {
    async fn all<T: Stored>(&self) -> Vec<Versioned<T>> {
        self.truth.list_all("").await.expect("lists")
    }

    /// Weights of target groups in the rule of production traffic.
    async fn weights(&self) -> BTreeMap<String, u32> {
        let rule = self.truth.get::<Rule>("123456789012/web/1/2").await.expect("reads");
        let actions = rule.iter().flat_map(|rule| &rule.actions);
        let forwards = actions.filter_map(|action| match action {
            Action::Forward(forward) => Some(forward),
            Action::Redirect(_) | Action::FixedResponse(_) => None,
        });
        let groups = forwards.flat_map(|forward| &forward.target_groups);
        groups.map(|group| (group.arn.clone(), group.weight)).collect()
    }

    /// Tasks that are known to work, shall run, and have traffic where there is any.
    pub async fn served(&self) -> Served {
        let mut served = Served::new();
        if !self.is_calm {
            return served;
        }
        let weights = self.weights().await;
        for row in self.all::<ServiceTask>().await {
            let key = format!("{}/{}/{}", row.account, row.cluster, row.task);
            let Some(task) = self.truth.get::<Task>(&key).await.expect("reads") else { continue };
            let works = row.mark == TaskMark::Healthy
                && task.last_status == TaskStatus::Running
                && task.desired_status == DesiredStatus::Running
                && task.containers[0].health != HealthStatus::Unhealthy;
            let has_traffic = !self.kind.is_balanced() || self.has_traffic(&task, &weights).await;
            if works && has_traffic {
                *served.entry(row.deployment.clone()).or_default() += 1;
            }
        }
        served
    }

    async fn has_traffic(&self, task: &Task, weights: &BTreeMap<String, u32>) -> bool {
        for key in &task.targets {
            let Some(target) = self.truth.get::<Target>(key).await.expect("reads") else { continue };
            let is_weighted = weights.get(&target.target_group_arn).is_some_and(|weight| *weight > 0);
            if is_weighted && target.health.state == TargetState::Healthy && target.draining_since.is_none() {
                return true;
            }
        }
        false
    }

    /// While no good task crashes, there are never fewer than the minimum.
    pub async fn check_served(&self, before: &Served) {
        if !self.is_calm {
            return;
        }
        let (service, after) = (self.service().await, self.served().await);
        if service.status != ServiceStatus::Active {
            return;
        }
        if self.kind == Kind::External {
            // Which task set was to have how many in the meantime is not known.
            if self.asked.is_some() {
                return;
            }
            for own in &service.deployments {
                let wanted =
                    own.task_set.as_ref().map_or(0, |set| set.computed_count(service.desired_count)) as usize;
                let of = |served: &Served| served.get(&own.id).copied().unwrap_or_default();
                assert!(
                    of(&after) >= of(before).min(wanted),
                    "seed {}: {before:?} {after:?} of {wanted}",
                    self.seed
                );
            }
            return;
        }
        let of = |served: &Served| served.values().sum::<usize>();
        let desired = service.desired_count.min(self.asked.unwrap_or(service.desired_count));
        let minimum = service.deployment_configuration.minimum(desired) as usize;
        assert!(
            of(&after) >= of(before).min(minimum),
            "seed {}: {before:?} became {after:?} of at least {minimum}: {service:?}",
            self.seed
        );
    }

    /// What holds at every moment, whatever has died.
    pub async fn check_always(&self) {
        let seed = self.seed;
        let service = self.service().await;
        let tasks = self.tasks().await;
        let ledger: BTreeSet<String> =
            self.all::<ServiceTask>().await.iter().map(|row| row.task.clone()).collect();
        let mut addresses: BTreeMap<String, String> = BTreeMap::new();
        for row in self.all::<Address>().await {
            addresses.insert(row.address.to_string(), row.holder.clone());
        }
        let mut held = BTreeSet::new();
        for task in &tasks {
            let is_over = task.last_status >= TaskStatus::Deprovisioning;
            assert!(is_over || ledger.contains(&task.id), "seed {seed}: {} is an orphan", task.id);
            if let Some(interface) =
                task.network_interface.as_ref().filter(|_| task.last_status < TaskStatus::Stopped)
            {
                let address = interface.address.to_string();
                assert_eq!(addresses.get(&address), Some(&task.key()), "seed {seed}: the address of a task");
                held.insert(address);
            }
            for key in &task.targets {
                let target = self.truth.get::<Target>(key).await.expect("reads");
                let target = target.unwrap_or_else(|| panic!("seed {seed}: {key} is listed and not there"));
                assert_eq!(target.task.as_ref(), Some(&task.key()), "seed {seed}");
            }
        }
        for interface in self.all::<NetworkInterface>().await {
            let address = interface.address.to_string();
            assert_eq!(addresses.get(&address), Some(&interface.holder()), "seed {seed}: an interface");
            let is_of_task = matches!(interface.used_by, InterfaceUse::Task { .. });
            assert_eq!(is_of_task, held.contains(&address), "seed {seed}: an interface without its task");
            addresses.remove(&address);
        }
        assert!(addresses.is_empty(), "seed {seed}: addresses without interfaces: {addresses:?}");
        for host in self.all::<ContainerInstance>().await {
            let is_there = |task: &&Versioned<Task>| {
                task.last_status < TaskStatus::Stopped && task.container_instance == Some(host.key())
            };
            let reserved =
                tasks.iter().filter(is_there).fold(Size::default(), |sum, task| sum.plus(task.size()));
            assert_eq!(host.size().lack_for(reserved), None, "seed {seed}: {} is overfilled", host.id);
        }
        if service.status == ServiceStatus::Active {
            self.check_definitions(&service).await;
            self.check_maximum(&service).await;
        }
    }

    /// What a service uses, or would go back to, is not removed.
    async fn check_definitions(&self, service: &Service) {
        let own = service.deployments.iter().map(|own| &own.workload);
        for workload in own.chain(service.last_completed.iter().map(|own| &own.workload)) {
            let key = TaskDefinition::key_of(&service.account, &workload.family, workload.revision);
            let found = self.truth.get::<TaskDefinition>(&key).await.expect("reads");
            assert!(found.is_some(), "seed {}: the task definition {key} is gone", self.seed);
        }
    }

    /// Never twice as many as two sides with their maximum could have: nothing is started twice.
    async fn check_maximum(&self, service: &Service) {
        let most = 4 * 2 * (service.deployments.len() + 1);
        let live = self.live().await.len();
        assert!(live <= most, "seed {}: {live} tasks", self.seed);
    }

    /// With a host there, every task has found a place or has ended, however full the subnets are.
    pub async fn check_placed(&self) {
        for task in self.live().await {
            assert!(task.last_status > TaskStatus::Provisioning, "seed {}: {task:?}", self.seed);
        }
    }

    /// Whether a service that is not at rest has a reason for it.
    pub async fn check_converged(&self) {
        let service = self.service().await;
        if self.kind == Kind::External || self.is_at_rest(&service).await {
            return;
        }
        let Some(primary) = service.primary() else { panic!("seed {}: no deployment", self.seed) };
        let (limits, desired) = (&service.deployment_configuration, service.desired_count);
        let has_room = limits.maximum(desired) > desired || limits.minimum(desired) < desired;
        let release = self.releases[&primary.workload.revision];
        let works = matches!(release, Release::Good | Release::Checked)
            || (release == Release::FailsChecks && !self.kind.is_balanced());
        let is_given_up = primary.rollout == RolloutState::Failed;
        assert!(is_given_up || !works || !has_room, "seed {}: {service:?}", self.seed);
    }

    /// An alarm that a deployment watches has made it fail, and what works is there.
    pub async fn check_failed_by_alarm(&self, before: u32) {
        let (seed, service) = (self.seed, self.service().await);
        let record = self.record(&service).await.expect("is there");
        assert_eq!(record.alarms.triggered, [ALARM], "seed {seed}: {record:?}");
        let primary = &service.deployments[0];
        match record.status {
            ServiceDeploymentStatus::RollbackSuccessful => {
                assert!(self.is_at_rest(&service).await, "seed {seed}: {service:?}");
                assert_eq!(primary.workload.revision, before, "seed {seed}");
            }
            ServiceDeploymentStatus::Stopped => {
                assert_eq!(primary.rollout, RolloutState::Failed, "seed {seed}: {record:?}");
            }
            other => panic!("seed {seed}: {other:?} {record:?}"),
        }
    }

    async fn is_at_rest(&self, service: &Service) -> bool {
        let live = self.live().await;
        let runs = |task: &Versioned<Task>| task.last_status == TaskStatus::Running;
        service.steady
            && service.deployments.len() == 1
            && live.len() == service.desired_count as usize
            && live.iter().all(runs)
    }

    /// As many healthy tasks of the newest revision as wanted, and nothing else of anything.
    pub async fn check_rest(&self) {
        let (seed, service) = (self.seed, self.service().await);
        assert!(self.is_at_rest(&service).await, "seed {seed}: {service:?} {:?}", self.statuses().await);
        assert!(service.lifecycle.is_none() && service.notices.is_empty(), "seed {seed}: {service:?}");
        let own = &service.deployments[0];
        let newest = *self.releases.keys().last().expect("a release");
        assert_eq!(own.workload.revision, newest, "seed {seed}: the revision");
        let live = self.live().await;
        self.check_zones(&live);
        for task in &live {
            assert_eq!(task.value.revision, newest, "seed {seed}: the revision of a task");
            let pinned = task.containers[0].pinned_digest.clone();
            let digest = Some(format!("sha256:{newest}"));
            assert!(pinned.is_none() || pinned == digest, "seed {seed}: {pinned:?}");
        }
        assert_eq!(self.all::<ServiceTask>().await.len(), live.len(), "seed {seed}: left in the ledger");
        self.check_nothing_else(&live).await;
        let events = self.truth.get::<ServiceEvents>(KEY).await.expect("reads").expect("is there");
        assert!(events.events.len() <= ServiceEvents::MOST);
        let last = events.events.iter().rfind(|event| {
            !event.message.contains("target") && !event.message.contains("draining connections")
        });
        let steady = "(service web) has reached a steady state.";
        assert_eq!(last.map(|event| event.message.as_str()), Some(steady), "seed {seed}");
        if self.kind == Kind::External {
            assert!(own.task_set.as_ref().is_some_and(|set| set.primary && set.steady_at.is_some()));
            return;
        }
        assert_eq!(own.rollout, RolloutState::Completed, "seed {seed}");
        let record = self.record(&service).await.expect("is there");
        assert_eq!(record.status, ServiceDeploymentStatus::Successful, "seed {seed}: {record:?}");
        for other in self.all::<ServiceDeployment>().await {
            assert!(other.status.is_final(), "seed {seed}: {other:?}");
        }
    }

    /// Tasks are even over the two zones, but for those of task sets.
    fn check_zones(&self, live: &[Versioned<Task>]) {
        let in_a =
            |task: &&Versioned<Task>| task.network_interface.as_ref().is_some_and(|own| own.zone == "a");
        let in_a = live.iter().filter(in_a).count();
        let difference = in_a.abs_diff(live.len() - in_a);
        assert!(self.kind == Kind::External || difference <= 1, "seed {}: zones {difference}", self.seed);
    }

    /// Interfaces, targets and instances are those of these tasks, and traffic goes to them.
    async fn check_nothing_else(&self, live: &[Versioned<Task>]) {
        let seed = self.seed;
        let keys: BTreeSet<String> = live.iter().map(|task| task.key()).collect();
        let balancers = self.all::<LoadBalancer>().await.len();
        let interfaces = self.all::<NetworkInterface>().await.len();
        assert_eq!(interfaces, live.len() + balancers, "seed {seed}: interfaces");
        let targets = self.all::<Target>().await;
        let of: BTreeSet<String> = targets.iter().filter_map(|target| target.task.clone()).collect();
        let wanted = if self.kind.is_balanced() { keys.clone() } else { BTreeSet::new() };
        assert_eq!(of, wanted, "seed {seed}: targets");
        assert_eq!(targets.len(), wanted.len(), "seed {seed}: targets");
        let weights = self.weights().await;
        for target in &targets {
            assert_eq!(target.health.state, TargetState::Healthy, "seed {seed}");
            assert!(target.draining_since.is_none(), "seed {seed}");
            let weight = weights.get(&target.target_group_arn).copied().unwrap_or_default();
            assert!(weight > 0, "seed {seed}: no traffic goes to {target:?}: {weights:?}");
            let others = weights.iter().filter(|(arn, _)| **arn != target.target_group_arn);
            assert!(others.map(|(_, weight)| *weight).all(|weight| weight == 0), "seed {seed}: {weights:?}");
        }
        let instances = self.all::<Instance>().await;
        let of: BTreeSet<String> = instances.iter().filter_map(|own| own.task.clone()).collect();
        let wanted = if self.is_found { keys } else { BTreeSet::new() };
        assert_eq!(of, wanted, "seed {seed}: instances");
        assert!(instances.iter().all(|own| own.is_healthy), "seed {seed}: {instances:?}");
    }

    /// What is not used any more and shall go is gone.
    pub async fn check_unused_definitions(&mut self) {
        // A definition that is in use is looked at every fifteen seconds.
        self.pass(Duration::from_secs(20)).await;
        let service = self.service().await;
        for row in self.all::<TaskDefinition>().await {
            let shall_go = row.status == resources::ecs::DefinitionStatus::DeleteInProgress;
            let is_used = service.uses(&row.family, row.value.revision);
            assert!(!shall_go || is_used, "seed {}: {} is still there", self.seed, row.key());
        }
    }

    /// A deleted service leaves nothing.
    pub async fn check_gone(&mut self) {
        let seed = self.seed;
        let service = self.service().await;
        assert_eq!(service.status, ServiceStatus::Inactive, "seed {seed}: {service:?}");
        assert!(self.live().await.is_empty() && self.all::<ServiceTask>().await.is_empty(), "seed {seed}");
        self.check_nothing_else(&[]).await;
        // An hour; and another one when the clock was put back since.
        self.pass(KEEP_INACTIVE * 2 + Duration::from_secs(60)).await;
        assert!(self.tasks().await.is_empty(), "seed {seed}: {:?}", self.statuses().await);
        let rows = self.all::<Service>().await.len()
            + self.all::<ServiceEvents>().await.len()
            + self.all::<ServiceDeployment>().await.len()
            + self.all::<ServiceRevision>().await.len();
        assert_eq!(rows, 0, "seed {seed}: nothing of it is known any more");
    }

    async fn statuses(&self) -> Vec<String> {
        let shown = |task: &Versioned<Task>| {
            format!(
                "{} of {} {:?} {:?} {:?}",
                short(&task.id),
                task.value.revision,
                task.desired_status,
                task.last_status,
                task.stopped_reason
            )
        };
        self.tasks().await.iter().map(shown).collect()
    }
}
