//! Decides which tasks are registered, drain, or are let go. Pure.

use super::observe::{Observed, Seen, places};
use environment::Timestamp;
use resources::ecs::{DesiredStatus, Task, TaskStatus};
use resources::elb::{Target, TargetHealth, TargetState};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

/// Most tasks whose registration one plan changes.
const MOST_AT_ONCE: usize = 50;
/// How long beyond its deregistration delay a target is waited for: a data plane that is gone says nothing.
const LATE: Duration = Duration::from_secs(15);
/// Wait before a target group that is missing is looked for again.
const NO_GROUP: Duration = Duration::from_secs(30);

/// What to do, in one transaction.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// Targets as they are then, by key; `None` removes one.
    pub(super) targets: BTreeMap<String, Option<Target>>,
    /// Lists of targets of tasks as they are then, by the key of the task.
    pub(super) tasks: BTreeMap<String, Vec<String>>,
    /// What the service tells.
    pub(super) events: Vec<String>,
    /// When to look again, if nothing changes before.
    pub(super) again: Option<Duration>,
}

/// What to do next for the targets of a service.
pub(super) fn plan(observed: &Observed, now: Timestamp) -> Plan {
    let mut work = Work { observed, now, plan: Plan::default(), told: Told::default() };
    for seen in &observed.tasks {
        if work.plan.tasks.len() >= MOST_AT_ONCE {
            work.again(Duration::ZERO);
            break;
        }
        work.look_at(seen);
    }
    work.tell();
    work.plan
}

/// Numbers of targets by ARN of their group, for events.
#[derive(Default)]
struct Told {
    registered: BTreeMap<String, usize>,
    deregistered: BTreeMap<String, usize>,
    draining: BTreeSet<String>,
}

struct Work<'a> {
    observed: &'a Observed,
    now: Timestamp,
    plan: Plan,
    told: Told,
}

impl Work<'_> {
    fn again(&mut self, after: Duration) {
        self.plan.again = Some(self.plan.again.map_or(after, |again| again.min(after)));
    }

    fn look_at(&mut self, seen: &Seen) {
        match &seen.task {
            Some(task) if is_over(task) => self.let_go(seen, task),
            Some(task) if task.desired_status == DesiredStatus::Stopped => self.drain(seen, task),
            Some(task) if task.last_status == TaskStatus::Running => self.register(seen, task),
            Some(_) => {}
            None => self.remove_all_of(&seen.key),
        }
    }

    fn register(&mut self, seen: &Seen, task: &Task) {
        let mut list = task.targets.clone();
        for place in places(task, &seen.wanted, &self.observed.groups) {
            let key = place.key();
            let old = self.observed.targets.get(&key);
            let is_there = old.is_some_and(|old| {
                old.task.as_ref() == Some(&seen.key) && old.health.state != TargetState::Drained
            });
            if !is_there {
                let target = Target {
                    account: place.group.account.clone(),
                    target_group: place.group.name.clone(),
                    target_group_arn: place.group.arn.clone(),
                    address: IpAddr::V4(place.address),
                    port: place.port,
                    zone: None,
                    task: Some(seen.key.clone()),
                    service: Some(self.observed.key.clone()),
                    registered_at: self.now,
                    draining_since: None,
                    health: TargetHealth::initial(),
                };
                // Somebody has registered it by hand, and its health is known.
                let known = old.filter(|old| old.task.is_none() && old.draining_since.is_none());
                let target = match known {
                    Some(old) => {
                        Target { health: old.health.clone(), registered_at: old.registered_at, ..target }
                    }
                    None => target,
                };
                self.plan.targets.insert(key.clone(), Some(target));
                *self.told.registered.entry(place.group.arn.clone()).or_default() += 1;
            }
            if !list.contains(&key) {
                list.push(key);
            }
        }
        if seen.wanted.iter().any(|own| !self.observed.groups.contains_key(&own.target_group_arn)) {
            self.again(NO_GROUP);
        }
        self.list(seen, task, list);
    }

    /// A task that is to stop keeps the targets that have not drained.
    fn drain(&mut self, seen: &Seen, task: &Task) {
        let mut left = Vec::new();
        for key in &task.targets {
            let own = self.observed.targets.get(key).filter(|own| own.task.as_ref() == Some(&seen.key));
            let Some(target) = own else { continue };
            match target.draining_since {
                None => {
                    let mut target = Target::clone(target);
                    target.drain(self.now);
                    self.told.draining.insert(seen.key.clone());
                    self.plan.targets.insert(key.clone(), Some(target));
                    left.push(key.clone());
                    self.again(LATE);
                }
                Some(since) if target.health.state != TargetState::Drained => {
                    let rest = self.rest(&target.target_group_arn, since);
                    if rest.is_zero() {
                        self.remove(key, target);
                    } else {
                        self.again(rest);
                        left.push(key.clone());
                    }
                }
                Some(_) => self.remove(key, target),
            }
        }
        self.list(seen, task, left);
    }

    /// How long the data plane is waited for. A clock that was put back does not make it longer.
    fn rest(&self, group: &str, since: Timestamp) -> Duration {
        let group = self.observed.groups.get(group);
        let delay =
            group.map_or(Duration::ZERO, |group| Duration::from_secs(group.deregistration_delay().into()));
        let most = delay + LATE;
        (since + most).since(self.now).min(most)
    }

    /// A task that has ended has no targets.
    fn let_go(&mut self, seen: &Seen, task: &Task) {
        self.remove_all_of(&seen.key);
        self.list(seen, task, Vec::new());
    }

    fn remove_all_of(&mut self, task: &str) {
        for (key, target) in &self.observed.targets {
            if target.task.as_deref() == Some(task) {
                self.remove(key, target);
            }
        }
    }

    fn remove(&mut self, key: &str, target: &Target) {
        // Another task has the address by now, and is registered there by this plan.
        let is_taken = matches!(self.plan.targets.get(key), Some(Some(new)) if new.task != target.task);
        if !is_taken {
            self.plan.targets.insert(key.to_owned(), None);
        }
        *self.told.deregistered.entry(target.target_group_arn.clone()).or_default() += 1;
    }

    fn list(&mut self, seen: &Seen, task: &Task, list: Vec<String>) {
        if list != task.targets {
            self.plan.tasks.insert(seen.key.clone(), list);
        }
    }

    fn tell(&mut self) {
        let name = self.observed.key.rsplit('/').next().unwrap_or_default();
        let events = &mut self.plan.events;
        for (arn, count) in &self.told.registered {
            events.push(format!("(service {name}) registered {count} targets in (target-group {arn})"));
        }
        if !self.told.draining.is_empty() {
            let count = self.told.draining.len();
            events.push(format!("(service {name}) has begun draining connections on {count} tasks."));
        }
        for (arn, count) in &self.told.deregistered {
            events.push(format!("(service {name}) deregistered {count} targets in (target-group {arn})"));
        }
    }
}

/// Whether nobody reaches a task any more, or it was told to stop already.
fn is_over(task: &Task) -> bool {
    task.last_status >= TaskStatus::Stopping
}
