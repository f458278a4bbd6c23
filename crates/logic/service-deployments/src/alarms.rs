//! Alarms that make a deployment fail, and the time in which they are waited for.
//!
//! As on AWS, none is watched when one had gone off before the deployment began, so that what mends a fault can be
//! deployed while the alarm tells of it. A rollback is not watched: what it brings back has worked.

use crate::Work;
use resources::ecs::{RolloutState, ServiceDeployment, ServiceDeploymentStatus as Status};
use std::time::Duration;

/// Longest time in which a deployment is watched only for its alarms: as long as a bake time that is told may be.
const LONGEST_BAKE: Duration = Duration::from_secs(24 * 3600);
/// Who gives up and goes back.
const WHO: &str = "ECS deployment alarm";

impl Work<'_> {
    /// Whether alarms may make the deployment in progress fail.
    pub(crate) fn watches_alarms(&self) -> bool {
        let watched = |record: &ServiceDeployment| {
            let is_enabled = record.configuration.alarms.as_ref().is_some_and(|alarms| alarms.enabled);
            is_enabled && !record.alarms.ignored && record.rollback.is_none() && !record.status.is_final()
        };
        self.plan.record.as_ref().is_some_and(watched)
            && self.plan.service.primary().is_some_and(|primary| primary.rollout == RolloutState::InProgress)
    }

    pub(crate) fn heed_alarms(&mut self) {
        if !self.watches_alarms() || self.is_past_undoing() {
            return;
        }
        let off = self.snapshot.alarms.iter().filter(|alarm| alarm.is_off);
        let names: Vec<String> = off.map(|alarm| alarm.name.clone()).collect();
        if names.is_empty() {
            return;
        }
        let (id, reason) = (self.primary_id(), format!("{WHO}: alarm detected."));
        self.give_up(&reason);
        self.tell(&format!("(deployment {id}) deployment failed: alarm detected."));
        let now = self.snapshot.now;
        let rolls_back = self.plan.record.as_mut().is_some_and(|record| {
            record.alarms.triggered = names;
            record.updated_at = now;
            record.configuration.alarms.as_ref().is_some_and(|alarms| alarms.rollback)
        });
        match self.rollback_target().filter(|_| rolls_back) {
            Some(target) => self.roll_back(target, reason, WHO),
            None => self.record_over(Status::Stopped, &reason),
        }
    }

    /// The time in which the alarms of a deployment show what is wrong with it.
    pub(crate) fn alarm_span(&self) -> Duration {
        if !self.watches_alarms() {
            return Duration::ZERO;
        }
        let spans = self.snapshot.alarms.iter().map(|alarm| alarm.span);
        spans.max().unwrap_or_default().min(LONGEST_BAKE)
    }

    /// What is left of the time in which a deployment that has replaced all tasks is watched for its alarms.
    pub(crate) fn baking(&mut self) -> Option<Duration> {
        let (now, span) = (self.snapshot.now, self.alarm_span());
        if span.is_zero() {
            return None;
        }
        let record = self.plan.record.as_mut()?;
        // A start in the future was written before the clock was put back.
        let since = record.alarms.baking_since.map_or(now, |since| since.min(now));
        if record.alarms.baking_since != Some(since) {
            record.alarms.baking_since = Some(since);
            record.updated_at = now;
        }
        span.checked_sub(now.since(since)).filter(|left| !left.is_zero())
    }
}
