//! Tasks over availability zones: which goes first when some are to go, and how they are evened out when a service is at
//! rest.
//!
//! One task more than wanted is started, which gets its place in the emptiest zone; when it works, one of the fullest zone
//! is stopped. Nothing is written down for it: what is there says how far it has got.

use crate::Work;
use crate::count::left;
use crate::scale::{Worth, worth};
use resources::ecs::RolloutState;
use std::collections::BTreeMap;
use std::time::Duration;

/// Time between two tasks that are moved, and after a deployment.
const PAUSE: Duration = Duration::from_secs(10);

impl Work<'_> {
    /// For each member, the how many-th of its deployment it is in its zone, from the oldest on. Those without a zone are the
    /// zeroth.
    pub(crate) fn ordinals(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.members.len()).collect();
        order.sort_by_key(|index| self.members[*index].created_at);
        let mut seen = BTreeMap::new();
        let mut ordinals = vec![0; self.members.len()];
        for index in order {
            let member = &self.members[index];
            if let Some(zone) = member.zone.as_deref().filter(|_| worth(member).is_some()) {
                let count: &mut usize = seen.entry((member.deployment.as_str(), zone)).or_default();
                *count += 1;
                ordinals[index] = *count;
            }
        }
        ordinals
    }

    /// How many tasks more than wanted may be there, since one is on its way to another zone.
    pub(crate) fn on_the_move(&self) -> usize {
        let (counts, desired) = (self.counts(), self.plan.service.desired_count as usize);
        let is_one_more = counts.healthy == desired && counts.live == desired + 1;
        usize::from(is_one_more && self.may_move() && self.is_uneven())
    }

    /// Starts the next task that is to be moved.
    pub(crate) fn balance(&mut self) {
        let (counts, desired) = (self.counts(), self.plan.service.desired_count as usize);
        let at_rest = counts.healthy == desired && counts.live == desired && self.members.len() == desired;
        if !at_rest || !self.may_move() || !self.is_uneven() {
            return;
        }
        let now = self.snapshot.now;
        let Some(primary) = self.plan.service.primary() else { return };
        let retry = primary.retry_at.and_then(|at| left(at, now));
        if let Some(wait) = retry.or_else(|| left(primary.updated_at + PAUSE, now)) {
            self.again(wait);
            return;
        }
        self.tell(&format!("is not AZ balanced with {}. AZ Rebalancing in progress.", self.told_zones()));
        let id = self.primary_id();
        let started = self.start_of(&id);
        self.tell_tasks("started", "tasks", &[started]);
        if let Some(primary) = self.plan.service.deployments.first_mut() {
            primary.updated_at = now;
        }
        self.plan.service.steady = false;
    }

    /// Whether nothing else is going on, and there is room for one more.
    fn may_move(&self) -> bool {
        let service = &self.plan.service;
        let is_done = |own: &resources::ecs::Deployment| own.rollout == RolloutState::Completed;
        let now = self.snapshot.now;
        service.zone_rebalancing
            && service.lifecycle.is_none()
            && service.deployments.len() == 1
            && service.primary().is_some_and(is_done)
            && service.deployment_configuration.maximum(service.desired_count) > service.desired_count
            // A protected one could not be stopped in its place.
            && !self.members.iter().any(|member| member.protected_until.is_some_and(|until| until > now))
    }

    /// Tasks that work, by zone; also of zones that have none and could have some.
    fn by_zone(&self) -> BTreeMap<&str, usize> {
        let mut counts: BTreeMap<&str, usize> =
            self.snapshot.zones.iter().map(|zone| (zone.as_str(), 0)).collect();
        let healthy = self.members.iter().filter(|member| worth(member) == Some(Worth::Healthy));
        for zone in healthy.filter_map(|member| member.zone.as_deref()) {
            *counts.entry(zone).or_default() += 1;
        }
        counts
    }

    fn is_uneven(&self) -> bool {
        let counts = self.by_zone();
        let least = self.snapshot.zones.iter().filter_map(|zone| counts.get(zone.as_str())).min();
        least.is_some_and(|least| counts.values().any(|count| *count > least + 1))
    }

    /// `2 tasks in ZONE, 0 in ZONE, and 1 in ZONE`, as AWS tells it.
    fn told_zones(&self) -> String {
        let mut parts: Vec<String> =
            self.by_zone().iter().map(|(zone, count)| format!("{count} in {zone}")).collect();
        if let Some(first) = parts.first_mut() {
            *first = first.replacen(" in ", " tasks in ", 1);
        }
        if let Some(last) = parts.last_mut() {
            *last = format!("and {last}");
        }
        parts.join(", ")
    }
}
