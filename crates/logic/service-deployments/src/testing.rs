//! A world of tasks for the tests: releases that work or do not, seeded chance, and the promises as checks.

use crate::*;
use resources::ecs::{
    AlarmCheck, CompletedDeployment, Deployment, DeploymentAlarms, DeploymentConfiguration, HookStatus,
    LifecycleStage, PropagateTags, ServiceDeploymentStatus, Strategy, WHOLE, Workload,
};
use std::collections::BTreeMap;

/// How long an unchecked task must run.
pub(crate) const SETTLE: Duration = Duration::from_secs(5);

/// Schedules that are tried when nothing else is said.
const SCHEDULES: u64 = 2_000;

/// How many schedules are tried: `SERVICE_SCHEDULES=100000 cargo test -p service-deployments` tries so many of each kind.
pub(crate) fn schedules() -> u64 {
    let wanted = std::env::var("SERVICE_SCHEDULES").ok().and_then(|text| text.parse().ok());
    wanted.unwrap_or(SCHEDULES)
}

/// How long the alarms of tests take to go off.
pub(crate) const ALARM_SPAN: Duration = Duration::from_secs(60);

/// Repeatable chance.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x1234_5678_9abc_def1))
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// One of `0..count`.
    pub(crate) fn below(&mut self, count: u64) -> u64 {
        (self.next() >> 16) % count
    }

    pub(crate) fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// What the tasks of a release do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Release {
    /// Run, without a check.
    Good,
    /// Run, with a check that passes after a while.
    Checked,
    /// End as soon as they run.
    Crashing,
    /// Run, with a check that fails.
    NeverHealthy,
    /// Never come to run.
    CannotPull,
}

#[derive(Default)]
struct Numbered {
    tasks: u64,
    deployments: u64,
    hooks: u64,
}

impl Names for Numbered {
    fn task(&mut self) -> String {
        self.tasks += 1;
        format!("t{}", self.tasks)
    }

    fn deployment(&mut self) -> String {
        self.deployments += 1;
        format!("r{}", self.deployments)
    }

    fn hook(&mut self) -> String {
        self.hooks += 1;
        format!("h{}", self.hooks)
    }
}

pub(crate) struct World {
    pub(crate) service: Service,
    pub(crate) record: Option<ServiceDeployment>,
    pub(crate) members: Vec<Member>,
    pub(crate) alarms: Vec<WatchedAlarm>,
    pub(crate) now: Timestamp,
    pub(crate) events: Vec<String>,
    pub(crate) releases: BTreeMap<u32, Release>,
    /// Zones that tasks are given places in, the emptiest first.
    pub(crate) zones: Vec<String>,
    names: Numbered,
    revisions: u32,
}

fn deployment(revision: u32, now: Timestamp) -> Deployment {
    Deployment {
        id: format!("ecs-svc/{revision}"),
        service_deployment: format!("d{revision}"),
        service_revision: format!("s{revision}"),
        workload: Workload {
            family: "web".into(),
            revision,
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
        created_at: now,
        updated_at: now,
        alternate: false,
        task_set: None,
    }
}

impl World {
    pub(crate) fn new(desired: u32, minimum: u32, maximum: u32) -> Self {
        let now = Timestamp::from_seconds(1_000_000);
        let service = Service {
            account: "123456789012".parse().expect("an account"),
            cluster: "default".into(),
            name: "web".into(),
            status: ServiceStatus::Active,
            desired_count: desired,
            deployment_configuration: DeploymentConfiguration {
                minimum_healthy_percent: minimum,
                maximum_percent: maximum,
                ..DeploymentConfiguration::default()
            },
            deployments: vec![],
            last_completed: None::<CompletedDeployment>,
            stop_requested: None,
            lifecycle: None,
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
        };
        let mut world = Self {
            service,
            record: None,
            members: vec![],
            alarms: vec![],
            now,
            events: vec![],
            releases: BTreeMap::new(),
            zones: vec![],
            names: Numbered::default(),
            revisions: 0,
        };
        world.deploy(Release::Good);
        world
    }

    /// A new deployment, as UpdateService makes it.
    pub(crate) fn deploy(&mut self, release: Release) {
        self.revisions += 1;
        let mut new = deployment(self.revisions, self.now);
        new.alternate = self.service.primary().is_some_and(|primary| primary.alternate);
        self.releases.insert(self.revisions, release);
        self.record = Some(ServiceDeployment {
            account: self.service.account.clone(),
            cluster: "default".into(),
            service: "web".into(),
            id: new.service_deployment.clone(),
            sources: vec![],
            target: new.service_revision.clone(),
            status: ServiceDeploymentStatus::Pending,
            status_reason: None,
            configuration: self.service.deployment_configuration.clone(),
            failures: (0, 3),
            triggered: false,
            alarms: AlarmCheck::default(),
            rollback: None,
            lifecycle: None,
            created_at: self.now,
            started_at: None,
            finished_at: None,
            stopped_at: None,
            updated_at: self.now,
        });
        self.service.deployments.insert(0, new);
        self.service.steady = false;
        self.service.stop_requested = None;
    }

    pub(crate) fn release_of(&self, member: &Member) -> Release {
        let own = self.service.deployments.iter().find(|own| own.id == member.deployment);
        own.and_then(|own| self.releases.get(&own.workload.revision)).copied().unwrap_or(Release::Good)
    }

    pub(crate) fn running(&self) -> usize {
        let runs = |member: &&Member| matches!(&member.sight, Sight::Running { health, .. } if *health != Health::Failing);
        self.members.iter().filter(runs).count()
    }

    pub(crate) fn live(&self) -> usize {
        self.members.iter().filter(|m| matches!(m.sight, Sight::Starting | Sight::Running { .. })).count()
    }

    /// Plans once and carries it out, with the promises checked. True when something was changed.
    pub(crate) fn step(&mut self) -> bool {
        let record = self.record.clone();
        let record = record.as_ref().filter(|record| !record.status.is_final());
        let snapshot = Snapshot {
            service: &self.service,
            record,
            alarms: &self.alarms,
            members: &self.members,
            zones: &self.zones,
            settle: SETTLE,
            now: self.now,
        };
        let plan = plan(snapshot, &mut self.names);
        let changed = plan.service != self.service
            || plan.record.as_ref() != record
            || !(plan.events.is_empty() && plan.marks.is_empty() && plan.settled.is_empty());
        self.check_alarms(record, &plan);
        let before = self.running();
        let (shares, healthy) = (self.shares(), self.healthy_on(&self.service));
        assert!(plan.start.len() <= MOST_AT_ONCE && plan.stop.len() <= MOST_AT_ONCE);
        for stop in &plan.stop {
            let member = self.members.iter_mut().find(|m| m.task == stop.task).expect("a member is stopped");
            assert!(matches!(member.sight, Sight::Starting | Sight::Running { .. }), "{member:?}");
            let is_failing = matches!(member.sight, Sight::Running { health: Health::Failing, .. });
            let is_protected = member.protected_until.is_some_and(|until| until > self.now);
            let is_active = plan.service.status == ServiceStatus::Active;
            assert!(!is_protected || is_failing || !is_active, "a protected task is stopped");
            member.sight = Sight::Stopping;
        }
        let configuration = plan.service.deployment_configuration.clone();
        if plan.service.status == ServiceStatus::Active && !plan.stop.is_empty() {
            let minimum = configuration.minimum(plan.service.desired_count) as usize;
            assert!(self.running() >= minimum.min(before), "below the minimum: {plan:?}");
        }
        for start in &plan.start {
            let own = plan.service.deployments.iter().find(|own| own.id == start.deployment);
            assert!(own.expect("a deployment of the service").rollout != RolloutState::Failed);
            self.members.push(Member {
                task: start.task.clone(),
                deployment: start.deployment.clone(),
                provider: start.provider.clone(),
                zone: None,
                mark: TaskMark::New,
                created_at: self.now,
                protected_until: None,
                sight: Sight::Starting,
                failing_target: None,
                not_placed: None,
            });
        }
        if !plan.start.is_empty() && plan.service.lifecycle.is_none() {
            let maximum = configuration.maximum(plan.service.desired_count) as usize;
            assert!(self.live() <= maximum, "above the maximum: {plan:?}");
        }
        for (task, mark) in &plan.marks {
            self.members.iter_mut().find(|m| m.task == *task).expect("a member").mark = *mark;
        }
        self.members.retain(|member| !plan.settled.contains(&member.task));
        self.events.extend(plan.events);
        let known = self.service.clone();
        self.service = plan.service;
        self.check_traffic(&known, shares, healthy);
        if plan.record.is_some() {
            self.record = plan.record;
        }
        changed
    }

    /// Deployments watch these alarms from now on; each goes off within a minute.
    pub(crate) fn watch_alarms(&mut self, names: &[&str], rollback: bool) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let watched = |name: &String| WatchedAlarm { name: name.clone(), is_off: false, span: ALARM_SPAN };
        self.alarms = names.iter().map(watched).collect();
        self.service.deployment_configuration.alarms =
            Some(DeploymentAlarms { names, enabled: true, rollback });
    }

    pub(crate) fn set_alarms(&mut self, is_off: bool) {
        for alarm in &mut self.alarms {
            alarm.is_off = is_off;
        }
    }

    /// A deployment that watches an alarm which has gone off does not go on, and none is done before its alarms can
    /// have told.
    fn check_alarms(&self, known: Option<&ServiceDeployment>, plan: &Plan) {
        let Some(known) = known.filter(|known| known.configuration.alarms.is_some()) else { return };
        let is_off = self.alarms.iter().any(|alarm| alarm.is_off);
        let new = plan.record.as_ref().expect("a record stays");
        if known.status == ServiceDeploymentStatus::Pending {
            assert_eq!(new.alarms.ignored, is_off, "{new:?}");
        }
        let is_watched = known.rollback.is_none() && !new.alarms.ignored;
        let is_cleaning = self.stage().is_some_and(|stage| stage.0 == LifecycleStage::CleanUp);
        if is_watched && is_off && !is_cleaning && plan.service.status == ServiceStatus::Active {
            assert!(new.status.is_final() || new.rollback.is_some(), "{new:?}");
        }
        assert!(new.alarms.triggered.is_empty() || !new.alarms.ignored);
        // What shifts traffic has a stage in which it waits.
        let bakes = known.configuration.strategy == Strategy::Rolling && !self.alarms.is_empty();
        if is_watched && bakes && new.status == ServiceDeploymentStatus::Successful {
            let since = new.alarms.baking_since.expect("it has baked");
            assert!(self.now.since(since) >= ALARM_SPAN, "{new:?}");
        }
    }

    /// Shares of production traffic of the main and the alternate side.
    fn shares(&self) -> [u32; 2] {
        let alternate = self.service.alternate_share().production;
        [WHOLE - alternate, alternate]
    }

    /// Healthy tasks of the main and the alternate side.
    fn healthy_on(&self, service: &Service) -> [usize; 2] {
        let mut healthy = [0, 0];
        for member in &self.members {
            let own = service.deployments.iter().find(|own| own.id == member.deployment);
            let is_healthy = member.mark == TaskMark::Healthy
                && matches!(&member.sight, Sight::Running { health, .. } if *health != Health::Failing);
            if let Some(own) = own.filter(|_| is_healthy) {
                healthy[usize::from(own.alternate)] += 1;
            }
        }
        healthy
    }

    /// No plan takes the last healthy task from traffic, or moves traffic to where there is none.
    fn check_traffic(&self, known: &Service, before: [u32; 2], healthy_before: [usize; 2]) {
        let service = &self.service;
        let shifts = service.lifecycle.as_ref().is_some_and(|own| own.blue.is_some());
        if service.status != ServiceStatus::Active || service.desired_count == 0 || !shifts {
            return;
        }
        let (after, healthy) = (self.shares(), self.healthy_on(service));
        for side in 0..2 {
            if after[side] > before[side] && known.lifecycle.is_some() {
                assert!(
                    healthy[side] > 0,
                    "traffic goes where nothing works: {before:?} {after:?} {:?} {service:?} {:?}",
                    known.lifecycle,
                    self.members
                );
            } else if after[side] > 0 && healthy_before[side] > 0 {
                assert!(healthy[side] > 0, "what works is taken from traffic: {:?}", service.lifecycle);
            }
        }
    }

    /// Hooks that are asked say this.
    pub(crate) fn answer_hooks(&mut self, status: HookStatus) {
        for run in self.service.lifecycle.iter_mut().flat_map(|own| &mut own.hooks) {
            if run.status.is_open() {
                run.status = status;
            }
        }
    }

    /// Stage, and thousandths of production and test traffic of the newest revision.
    pub(crate) fn stage(&self) -> Option<(LifecycleStage, u32, u32)> {
        self.service.lifecycle.as_ref().map(|own| (own.stage, own.production, own.test))
    }

    /// Plans until nothing changes.
    pub(crate) fn plan_out(&mut self) {
        for _ in 0..200 {
            if !self.step() {
                return;
            }
        }
        panic!("plans never come to an end: {:?} {:?}", self.service, self.events);
    }

    /// Lets one task move on as its release has it.
    pub(crate) fn advance(&mut self, index: usize, crash: bool) {
        let member = self.members[index].clone();
        let release = self.release_of(&member);
        let checked = matches!(release, Release::Checked | Release::NeverHealthy);
        if member.sight == Sight::Starting {
            let load = |zone: &&String| self.in_zone(zone);
            self.members[index].zone = self.zones.iter().min_by_key(load).cloned();
        }
        let ended = |ran: Option<Duration>| Sight::Ended(End::Failed { ran, not_placed: None });
        let sight = match (&member.sight, release) {
            (Sight::Starting, Release::CannotPull) => ended(Some(Duration::ZERO)),
            (Sight::Starting, _) if crash => ended(Some(Duration::ZERO)),
            (Sight::Starting, _) => Sight::Running {
                since: self.now,
                health: if checked { Health::Waiting } else { Health::Unchecked },
            },
            (Sight::Running { since, .. }, _) if crash || release == Release::Crashing => {
                ended((!checked).then(|| self.now.since(*since)))
            }
            (Sight::Running { since, .. }, Release::Checked) => {
                Sight::Running { since: *since, health: Health::Passing }
            }
            (Sight::Running { since, .. }, Release::NeverHealthy) => {
                Sight::Running { since: *since, health: Health::Failing }
            }
            (Sight::Stopping, _) => Sight::Ended(End::Wanted),
            (same, _) => same.clone(),
        };
        self.members[index].sight = sight;
    }

    /// Tasks in a zone.
    pub(crate) fn in_zone(&self, zone: &str) -> usize {
        self.members.iter().filter(|member| member.zone.as_deref() == Some(zone)).count()
    }

    /// Everything goes its way without further faults until nothing more happens.
    pub(crate) fn settle(&mut self) {
        let mut quiet = 0;
        for _ in 0..400 {
            let before = (self.service.clone(), self.members.clone());
            self.plan_out();
            self.answer_hooks(HookStatus::Succeeded);
            for index in 0..self.members.len() {
                self.advance(index, false);
            }
            let is_same = before == (self.service.clone(), self.members.clone());
            // Stages and waits that last are not watched second by second.
            self.now = self.now + Duration::from_secs(if is_same && quiet == 0 { 600 } else { 6 });
            let waits = self.service.deployments.iter().any(|own| {
                let is_shifting = self.service.lifecycle.is_some() && own.rollout == RolloutState::InProgress;
                is_shifting || own.retry_at.is_some_and(|at| at > self.now)
            });
            quiet = if is_same && !waits { quiet + 1 } else { 0 };
            if quiet == 5 {
                break;
            }
        }
        self.plan_out();
    }

    pub(crate) fn is_at_rest(&self) -> bool {
        self.service.steady
            && self.service.deployments.len() == 1
            && self.members.len() == self.service.desired_count as usize
            && self.members.iter().all(|member| {
                member.deployment == self.service.deployments[0].id && member.mark == TaskMark::Healthy
            })
    }
}
