//! The tasks of deployments that run beside each other: each has its own number of them.
//!
//! So it is while traffic is shifted, and with task sets.

use crate::count::left;
use crate::scale::{Worth, worth};
use crate::{MOST_AT_ONCE, Work};
use resources::ecs::{LifecycleStage as Stage, RolloutState, TaskMark};
use std::cmp::Reverse;
use std::time::Duration;

/// How long tasks that have lost their traffic are left alone where the proxies of other tasks have sent it: these are told at the
/// same moment, and what they have sent is still answered. Load balancers say themselves when a task has drained.
const HAND_OVER: Duration = Duration::from_secs(3);

/// What becomes of the tasks of a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// So many are kept running.
    Keep(usize),
    /// Nothing is started and nothing is stopped.
    Leave,
    /// What does not work is stopped, and with `true` everything.
    Stop(bool),
}

impl Work<'_> {
    /// Moves blue, green and the rest towards what they are to have in this stage.
    pub(crate) fn scale_sides(&mut self) {
        let ids: Vec<String> = self.plan.service.deployments.iter().map(|own| own.id.clone()).collect();
        let mut started = Vec::new();
        for id in ids {
            match self.fate(&id) {
                Fate::Keep(count) => started.extend(self.keep(&id, count)),
                Fate::Leave => {}
                Fate::Stop(all) => match self.hand_over_left() {
                    Some(left) => self.again(left),
                    None => self.stop_side(&id, all),
                },
            }
        }
        self.tell_moves(&started);
    }

    /// How long tasks without traffic are still left alone.
    fn hand_over_left(&self) -> Option<Duration> {
        let service = &self.plan.service;
        let is_by_proxies = service.deployments.iter().any(|own| own.workload.connect.is_some());
        let since = service.lifecycle.as_ref().filter(|_| is_by_proxies)?.since;
        // A stage that began in the future did so before the clock was put back.
        let lasted = self.snapshot.now.since(since);
        HAND_OVER.checked_sub(lasted).filter(|left| !left.is_zero() && since <= self.snapshot.now)
    }

    /// Tells of what was started and stopped.
    pub(crate) fn tell_moves(&mut self, started: &[String]) {
        self.tell_tasks("started", "tasks", started);
        let stopped: Vec<String> = self.plan.stop.iter().map(|stop| stop.task.clone()).collect();
        self.tell_tasks("stopped", "running tasks", &stopped);
        if !self.plan.start.is_empty() || !self.plan.stop.is_empty() {
            self.plan.service.steady = false;
        }
        if self.plan.start.len() >= MOST_AT_ONCE || self.plan.stop.len() >= MOST_AT_ONCE {
            self.again(std::time::Duration::ZERO);
        }
    }

    fn fate(&self, id: &str) -> Fate {
        let service = &self.plan.service;
        let desired = service.desired_count as usize;
        let Some(own) = &service.lifecycle else { return Fate::Keep(desired) };
        let is_green = own.green == id;
        let is_blue = own.blue.as_deref() == Some(id);
        let failed = |id: &str| {
            let own = service.deployments.iter().find(|own| own.id == id);
            own.is_some_and(|own| own.rollout == RolloutState::Failed)
        };
        let keeper = if own.going_back { own.blue.as_deref().unwrap_or_default() } else { &own.green };
        let replaced = self.healthy_of(keeper) >= desired;
        if own.stage == Stage::CleanUp && id != keeper {
            return Fate::Stop(replaced);
        }
        if !is_green && !is_blue {
            let blue_is_whole = own.blue.as_deref().is_none_or(|blue| self.healthy_of(blue) >= desired);
            let goes = own.stage == Stage::ReconcileService && own.production == 0;
            return if goes { Fate::Stop(blue_is_whole) } else { Fate::Leave };
        }
        // What was given up is not started anew, and what carries the service is kept.
        if failed(id) || (is_green && own.going_back) {
            return Fate::Leave;
        }
        match own.stage {
            Stage::ReconcileService | Stage::PreScaleUp if is_green => Fate::Keep(0),
            _ => Fate::Keep(desired),
        }
    }

    /// Keeps so many tasks of a deployment running. Returns those that it starts.
    pub(crate) fn keep(&mut self, id: &str, wanted: usize) -> Vec<String> {
        let service = &self.plan.service;
        let Some(own) = service.deployments.iter().find(|own| own.id == id) else { return Vec::new() };
        let retry_at = own.retry_at;
        let most =
            service.deployment_configuration.maximum(u32::try_from(wanted).unwrap_or(u32::MAX)) as usize;
        let count = |least: Worth| {
            let is = |member: &&crate::Member| {
                member.deployment == id && worth(member).is_some_and(|worth| worth >= least)
            };
            self.members.iter().filter(is).count()
        };
        let (live, good) = (count(Worth::Unhealthy), count(Worth::Starting));
        let missing = wanted.saturating_sub(good);
        let mut started = Vec::new();
        let mut blocked = 0;
        if missing > 0 {
            if let Some(wait) = retry_at.and_then(|at| left(at, self.snapshot.now)) {
                self.again(wait);
            } else {
                let room = most.max(wanted).saturating_sub(live);
                blocked = missing.saturating_sub(room);
                let free = MOST_AT_ONCE.saturating_sub(self.plan.start.len());
                for _ in 0..missing.min(room).min(free) {
                    started.push(self.start_of(id));
                }
            }
        }
        self.stop_surplus_of(id, wanted, blocked);
        started
    }

    /// Stops tasks of a deployment beyond the wanted number, and those that do not work when others do, or when they
    /// are in the way of `blocked` others.
    fn stop_surplus_of(&mut self, id: &str, wanted: usize, mut blocked: usize) {
        let mut healthy = self.healthy_of(id);
        let good = |member: &&crate::Member| {
            member.deployment == id && worth(member).is_some_and(|worth| worth > Worth::Unhealthy)
        };
        let mut good = self.members.iter().filter(good).count();
        let mut protected = 0;
        for index in self.of_deployment(id) {
            let Some(worth) = worth(&self.members[index]) else { continue };
            let stop = match worth {
                Worth::Unhealthy => healthy >= wanted || blocked > 0,
                Worth::Starting | Worth::Unproven => good > wanted,
                Worth::Healthy => good > wanted && healthy > wanted,
            };
            if !stop {
                continue;
            }
            if worth > Worth::Unhealthy && self.is_protected(index) {
                protected += 1;
                continue;
            }
            if !self.stop_one(index, "Scaling activity initiated by") {
                break;
            }
            match worth {
                Worth::Unhealthy => blocked = blocked.saturating_sub(1),
                Worth::Starting | Worth::Unproven => good -= 1,
                Worth::Healthy => (good, healthy) = (good - 1, healthy - 1),
            }
        }
        let kept = protected.min(good.saturating_sub(wanted));
        self.tell_protected(kept);
    }

    fn stop_side(&mut self, id: &str, all: bool) {
        let mut protected = 0;
        for index in self.of_deployment(id) {
            let Some(worth) = worth(&self.members[index]) else { continue };
            if !all && worth >= Worth::Unproven {
                continue;
            }
            if worth > Worth::Unhealthy && self.is_protected(index) {
                protected += 1;
                continue;
            }
            if !self.stop_one(index, "Scaling activity initiated by") {
                break;
            }
        }
        self.tell_protected(protected);
    }

    fn tell_protected(&mut self, protected: usize) {
        if protected > 0 {
            self.notice(&format!(
                "was unable to scale in due to (reason: {protected} tasks under protection)."
            ));
        }
    }

    /// Tasks of a deployment: what is worth least first, then of the fullest zone, then the youngest.
    fn of_deployment(&self, id: &str) -> Vec<usize> {
        let mut order: Vec<usize> =
            (0..self.members.len()).filter(|index| self.members[*index].deployment == id).collect();
        let ordinals = self.ordinals();
        order.sort_by_key(|index| {
            let member = &self.members[*index];
            (worth(member), Reverse(ordinals[*index]), Reverse(member.created_at))
        });
        order
    }

    /// Moves every task set towards its share.
    pub(crate) fn scale_task_sets(&mut self) {
        let now = self.snapshot.now;
        let desired = self.plan.service.desired_count;
        let mut started = Vec::new();
        for index in 0..self.plan.service.deployments.len() {
            let own = &self.plan.service.deployments[index];
            let (id, set) = (own.id.clone(), own.task_set.clone());
            let wanted = set.as_ref().map_or(0, |set| set.computed_count(desired)) as usize;
            started.extend(self.keep(&id, wanted));
            let own = |member: &&crate::Member| member.deployment == id && worth(member).is_some();
            let live = self.members.iter().filter(own).count();
            let is_steady = live == wanted && self.healthy_of(&id) == wanted;
            if let Some(set) = &mut self.plan.service.deployments[index].task_set
                && set.steady_at.is_some() != is_steady
            {
                set.steady_at = is_steady.then_some(now);
            }
        }
        self.tell_moves(&started);
        let members = &self.members;
        self.plan.service.deployments.retain(|own| {
            let goes = own.task_set.as_ref().is_none_or(|set| set.draining);
            !goes || members.iter().any(|member| member.deployment == own.id)
        });
        self.settle_task_sets();
    }

    fn settle_task_sets(&mut self) {
        let sets = &self.plan.service.deployments;
        let is_steady =
            sets.iter().all(|own| own.task_set.as_ref().is_some_and(|set| set.steady_at.is_some()));
        if is_steady && !sets.is_empty() && !self.plan.service.steady {
            self.plan.service.steady = true;
            self.plan.service.notices.clear();
            self.tell("has reached a steady state.");
        }
    }

    /// A new task of a deployment that is not counted yet.
    pub(crate) fn new_member(&mut self, id: &str, provider: Option<String>) -> String {
        let task = self.names.task();
        self.members.push(crate::Member {
            task: task.clone(),
            deployment: id.to_owned(),
            provider: provider.clone(),
            zone: None,
            mark: TaskMark::New,
            created_at: self.snapshot.now,
            protected_until: None,
            sight: crate::Sight::Starting,
            failing_target: None,
            not_placed: None,
        });
        self.plan.start.push(crate::Start { task: task.clone(), deployment: id.to_owned(), provider });
        task
    }
}
