//! How many tasks to start and which to stop.

use crate::count::left;
use crate::{Health, MOST_AT_ONCE, Member, Sight, Stop, Work};
use resources::ecs::{Controller, StrategyItem, TaskMark};
use std::cmp::Reverse;
use std::time::Duration;

/// How much a task is worth. The order is the order in which tasks are stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Worth {
    /// Its health checks fail.
    Unhealthy,
    /// It is on its way.
    Starting,
    /// It runs, and it is not known yet whether it works.
    Unproven,
    /// It works.
    Healthy,
}

/// The worth of a task that is not stopping.
pub(crate) fn worth(member: &Member) -> Option<Worth> {
    match &member.sight {
        Sight::Starting => Some(Worth::Starting),
        Sight::Running { health: Health::Failing, .. } => Some(Worth::Unhealthy),
        Sight::Running { .. } if member.mark == TaskMark::Healthy => Some(Worth::Healthy),
        Sight::Running { .. } => Some(Worth::Unproven),
        Sight::Stopping | Sight::Ended(_) => None,
    }
}

/// The tasks of a service, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Running or starting, of every deployment.
    pub(crate) live: usize,
    /// Of the newest deployment, and not unhealthy.
    pub(crate) good: usize,
    /// Of the newest deployment, and known to work.
    pub(crate) healthy: usize,
    /// What the minimum is counted by: `healthy`, and what runs of older deployments.
    pub(crate) up: usize,
}

impl Work<'_> {
    pub(crate) fn counts(&self) -> Counts {
        let primary = self.primary_id();
        let mut counts = Counts::default();
        for member in &self.members {
            let Some(worth) = worth(member) else { continue };
            let own = member.deployment == primary;
            counts.live += 1;
            counts.good += usize::from(own && worth > Worth::Unhealthy);
            counts.healthy += usize::from(own && worth == Worth::Healthy);
            counts.up += usize::from(if own { worth == Worth::Healthy } else { worth >= Worth::Unproven });
        }
        counts
    }

    /// Moves towards as many healthy tasks as wanted of every deployment.
    pub(crate) fn scale(&mut self) {
        if self.plan.service.controller == Controller::External {
            self.scale_task_sets();
        } else if self.plan.service.lifecycle.is_some() {
            self.scale_sides();
        } else {
            self.roll();
        }
    }

    /// Moves towards as many healthy tasks of the newest deployment as wanted, and none else.
    fn roll(&mut self) {
        let blocked = self.start_missing();
        let (before, protected) = (self.plan.stop.len(), self.stop_surplus());
        if blocked > 0 {
            self.make_room(blocked);
        }
        if protected > 0 {
            self.notice(&format!(
                "was unable to scale in due to (reason: {protected} tasks under protection)."
            ));
        }
        let stopped: Vec<String> = self.plan.stop[before..].iter().map(|stop| stop.task.clone()).collect();
        self.tell_tasks("stopped", "running tasks", &stopped);
        if !self.plan.start.is_empty() || !self.plan.stop.is_empty() {
            self.plan.service.steady = false;
        }
        if self.plan.start.len() >= MOST_AT_ONCE || self.plan.stop.len() >= MOST_AT_ONCE {
            self.again(Duration::ZERO);
        }
        if blocked > 0 {
            self.tell_if_stuck();
        }
        if self.plan.start.is_empty() && self.plan.stop.is_empty() {
            self.balance();
        }
    }

    /// Starts what is missing of the newest deployment. Returns how many tasks find no room under the maximum.
    fn start_missing(&mut self) -> usize {
        let Some(primary) = self.plan.service.primary() else { return 0 };
        if self.is_given_up() {
            return 0;
        }
        let (desired, maximum) = self.limits();
        let counts = self.counts();
        let missing = desired.saturating_sub(counts.good);
        if missing == 0 {
            return 0;
        }
        if let Some(wait) = primary.retry_at.and_then(|at| left(at, self.snapshot.now)) {
            self.again(wait);
            return 0;
        }
        let room = maximum.saturating_sub(counts.live);
        let count = missing.min(room).min(MOST_AT_ONCE);
        let mut started = Vec::with_capacity(count);
        for _ in 0..count {
            let id = self.primary_id();
            started.push(self.start_of(&id));
        }
        self.tell_tasks("started", "tasks", &started);
        missing.saturating_sub(room)
    }

    /// Starts a task of a deployment.
    pub(crate) fn start_of(&mut self, deployment: &str) -> String {
        let own = self.plan.service.deployments.iter().find(|own| own.id == deployment);
        let strategy = own.map(|own| own.workload.strategy.as_slice());
        let provider = StrategyItem::next(strategy.unwrap_or_default(), |name| {
            let own = |member: &&Member| member.deployment == deployment && worth(member).is_some();
            self.members.iter().filter(own).filter(|member| member.provider.as_deref() == Some(name)).count()
        });
        self.new_member(deployment, provider)
    }

    /// Desired count and maximum of tasks.
    fn limits(&self) -> (usize, usize) {
        let service = &self.plan.service;
        let maximum = service.deployment_configuration.maximum(service.desired_count);
        (service.desired_count as usize, maximum as usize)
    }

    /// Stops what is not needed any more. Returns how many tasks only their protection keeps.
    fn stop_surplus(&mut self) -> usize {
        let desired = self.plan.service.desired_count as usize;
        let counts = self.counts();
        let given_up = self.is_given_up();
        let replaced = counts.healthy >= desired;
        let (mut protected, mut protected_own) = (0, 0);
        // What runs beyond the desired count, whatever it belongs to.
        let mut up_surplus = counts.up.saturating_sub(desired);
        let mut good_surplus = counts.good.saturating_sub(desired + self.on_the_move());
        let primary = self.primary_id();
        for index in self.in_stopping_order() {
            let member = &self.members[index];
            let Some(worth) = worth(member) else { continue };
            let own = member.deployment == primary;
            let stop = match worth {
                Worth::Unhealthy => replaced,
                Worth::Starting | Worth::Unproven if own => good_surplus > 0,
                Worth::Starting => !given_up || replaced,
                Worth::Healthy if own => good_surplus > 0 && up_surplus > 0,
                Worth::Unproven | Worth::Healthy => up_surplus > 0 && (!given_up || replaced),
            };
            if !stop {
                continue;
            }
            if worth > Worth::Unhealthy && self.is_protected(index) {
                protected += usize::from(!own);
                protected_own += usize::from(own);
                continue;
            }
            if !self.stop_one(index, "Scaling activity initiated by") {
                break;
            }
            let counted = if own { worth == Worth::Healthy } else { worth >= Worth::Unproven };
            up_surplus -= usize::from(counted);
            good_surplus -= usize::from(own && worth > Worth::Unhealthy);
        }
        // Others of the newest deployment may have gone in their place.
        protected + good_surplus.min(protected_own)
    }

    /// Stops what hinders the newest deployment from starting `blocked` tasks: what is unhealthy first, then as many
    /// older tasks as the minimum allows.
    fn make_room(&mut self, blocked: usize) {
        let service = &self.plan.service;
        let minimum = service.deployment_configuration.minimum(service.desired_count) as usize;
        let mut wanted = blocked.saturating_sub(self.plan.stop.len());
        let mut may = self.counts().up.saturating_sub(minimum);
        let primary = self.primary_id();
        for index in self.in_stopping_order() {
            if wanted == 0 {
                return;
            }
            let member = &self.members[index];
            let Some(worth) = worth(member) else { continue };
            let own = member.deployment == primary;
            let stop = match worth {
                Worth::Unhealthy => true,
                Worth::Starting => !own,
                Worth::Unproven | Worth::Healthy => !own && may > 0,
            };
            if !stop || (worth > Worth::Unhealthy && self.is_protected(index)) {
                continue;
            }
            if !self.stop_one(index, "Scaling activity initiated by") {
                return;
            }
            may -= usize::from(worth >= Worth::Unproven);
            wanted -= 1;
        }
    }

    /// Older deployments first, then what is worth least, then of the fullest zone, then the youngest.
    fn in_stopping_order(&self) -> Vec<usize> {
        let primary = self.primary_id();
        let ordinals = self.ordinals();
        let mut order: Vec<usize> = (0..self.members.len()).collect();
        order.sort_by_key(|index| {
            let member = &self.members[*index];
            let is_own = member.deployment == primary;
            (is_own, worth(member), Reverse(ordinals[*index]), Reverse(member.created_at))
        });
        order
    }

    pub(crate) fn is_protected(&mut self, index: usize) -> bool {
        let now = self.snapshot.now;
        let until = self.members[index].protected_until.filter(|until| *until > now);
        if let Some(until) = until {
            self.again(until.since(now));
        }
        until.is_some()
    }

    /// Stops a task, unless this plan has stopped enough.
    pub(crate) fn stop_one(&mut self, index: usize, reason: &str) -> bool {
        if self.plan.stop.len() >= MOST_AT_ONCE {
            return false;
        }
        let id = self.primary_id();
        let member = &mut self.members[index];
        let reason = match &member.sight {
            Sight::Running { health: Health::Failing, .. } => match &member.failing_target {
                Some(target) => {
                    format!("Task failed ELB health checks in (target-group {})", target.target_group)
                }
                None => "Task failed container health checks".to_owned(),
            },
            _ => format!("{reason} (deployment {id})"),
        };
        self.plan.stop.push(Stop { task: member.task.clone(), reason });
        member.sight = Sight::Stopping;
        true
    }

    /// A deployment that its own limits keep from moving says so.
    fn tell_if_stuck(&mut self) {
        let primary = self.primary_id();
        let moves = self.members.iter().any(|member| match worth(member) {
            None => true,
            Some(Worth::Starting | Worth::Unproven) => member.deployment == primary,
            Some(Worth::Unhealthy | Worth::Healthy) => false,
        });
        let is_protected = self
            .members
            .iter()
            .any(|member| member.protected_until.is_some_and(|until| until > self.snapshot.now));
        if !moves && !is_protected {
            self.notice(
                "was unable to stop or start tasks during a deployment because of the service deployment \
                 configuration. Update the minimumHealthyPercent or maximumPercent value and try again.",
            );
        }
    }
}
