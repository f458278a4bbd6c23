//! Deployments that are done, and services that go.

use crate::Work;
use crate::scale::worth;
use resources::ecs::{
    CompletedDeployment, Controller, LifecycleStage, RolloutState, ServiceDeploymentStatus as Status,
    ServiceStatus,
};
use std::time::Duration;

impl Work<'_> {
    /// Lets go of deployments without tasks, and says when the newest one is done.
    pub(crate) fn finish(&mut self) {
        let members = &self.members;
        if self.plan.service.controller == Controller::External {
            return;
        }
        let primary = self.plan.service.primary().map(|own| own.id.clone()).unwrap_or_default();
        // While traffic is shifted, what has the one or the other part of it is kept, whatever became of its tasks.
        let shift = self.plan.service.lifecycle.clone();
        let is_cleaning = shift.as_ref().is_none_or(|own| own.stage == LifecycleStage::CleanUp);
        let kept = shift.filter(|_| !is_cleaning);
        let is_kept =
            |id: &String| kept.as_ref().is_some_and(|own| own.green == *id || own.blue.as_ref() == Some(id));
        // What a deployment that is still watched for its alarms would go back to, as AWS shows it.
        let is_watched = self.watches_alarms() && self.plan.service.lifecycle.is_none();
        let target = self.rollback_target().filter(|_| is_watched).map(|target| target.deployment);
        self.plan.service.deployments.retain(|own| {
            own.id == primary
                || is_kept(&own.id)
                || target.as_ref() == Some(&own.id)
                || members.iter().any(|member| member.deployment == own.id && worth(member).is_some())
        });
        let desired = self.plan.service.desired_count as usize;
        let counts = self.counts();
        let at_rest = counts.healthy == desired
            && counts.live == desired
            && (is_watched || self.plan.service.deployments.len() == 1)
            && !self.is_given_up();
        if !at_rest || !is_cleaning {
            return;
        }
        if is_watched && let Some(left) = self.baking() {
            self.again(left);
            return;
        }
        self.plan.service.deployments.truncate(1);
        self.complete();
        if !self.plan.service.steady {
            self.plan.service.steady = true;
            self.plan.service.notices.clear();
            self.tell("has reached a steady state.");
        }
    }

    fn complete(&mut self) {
        let now = self.snapshot.now;
        let Some(primary) = self.plan.service.deployments.first_mut() else { return };
        if primary.rollout != RolloutState::InProgress {
            return;
        }
        let id = primary.id.clone();
        primary.rollout = RolloutState::Completed;
        primary.rollout_reason = format!("ECS deployment {id} completed.");
        primary.updated_at = now;
        self.plan.service.last_completed = Some(CompletedDeployment {
            deployment: id.clone(),
            service_revision: primary.service_revision.clone(),
            workload: primary.workload.clone(),
        });
        self.plan.service.steady = false;
        self.note_lifecycle();
        self.plan.service.lifecycle = None;
        self.tell(&format!("(deployment {id}) deployment completed."));
        let undone = self.plan.record.as_ref().and_then(|record| record.rollback.as_ref());
        match undone.map(|rollback| rollback.reason.clone()) {
            Some(reason) => self.record_over(Status::RollbackSuccessful, &reason),
            None => self.record_over(Status::Successful, ""),
        }
    }

    /// Ends every task; the service goes with the last one.
    pub(crate) fn drain(&mut self) {
        for index in 0..self.members.len() {
            if worth(&self.members[index]).is_some() && !self.stop_one(index, "Scaling activity initiated by")
            {
                self.again(Duration::ZERO);
                break;
            }
        }
        let stopped: Vec<String> = self.plan.stop.iter().map(|stop| stop.task.clone()).collect();
        self.tell_tasks("stopped", "running tasks", &stopped);
        self.record_over(Status::Stopped, "The service was deleted.");
        if self.members.is_empty() && self.plan.service.status == ServiceStatus::Draining {
            self.plan.service.status = ServiceStatus::Inactive;
            // What it ran last is still shown.
            self.plan.service.deployments.truncate(1);
            self.plan.service.last_completed = None;
            self.plan.service.lifecycle = None;
            self.plan.service.deleted_at = Some(self.snapshot.now);
            self.plan.service.notices.clear();
        }
    }
}
