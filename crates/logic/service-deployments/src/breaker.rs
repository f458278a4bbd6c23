//! Deployments that are given up, and their rollback.

use crate::Work;
use resources::ecs::{
    CompletedDeployment, Deployment, DeploymentConfiguration, Rollback, RolloutState, ServiceDeployment,
    ServiceDeploymentStatus as Status, StopType, TaskMark,
};

impl Work<'_> {
    /// A service deployment that was asked for is on its way.
    pub(crate) fn begin(&mut self) {
        let now = self.snapshot.now;
        let threshold = DeploymentConfiguration::threshold(self.plan.service.desired_count);
        let failed = self.plan.service.primary().map_or(0, |primary| primary.failed_tasks);
        let goes_off = self.snapshot.alarms.iter().any(|alarm| alarm.is_off);
        let Some(record) = &mut self.plan.record else { return };
        if record.status == Status::Pending {
            record.status = Status::InProgress;
            record.alarms.ignored = goes_off;
            record.started_at = Some(now);
            record.updated_at = now;
        }
        // Failures of the rollback are not those that the breaker has counted.
        if record.rollback.is_none() && record.failures != (failed, threshold) {
            record.failures = (failed, threshold);
            record.updated_at = now;
        }
    }

    pub(crate) fn heed_stop_request(&mut self) {
        let Some(request) = self.plan.service.stop_requested.take() else { return };
        let Some(primary) = self.plan.service.primary() else { return };
        if primary.rollout != RolloutState::InProgress || self.is_past_undoing() {
            return;
        }
        let id = primary.id.clone();
        match (request, self.rollback_target()) {
            (StopType::Rollback, Some(target)) => {
                self.give_up("Service deployment was stopped by a user.");
                self.tell(&format!("(deployment {id}) deployment failed: stopped by a user."));
                self.roll_back(target, "Rollback requested by a user.".to_owned(), "ECS deployment stopped");
            }
            (StopType::Rollback | StopType::Abort, _) => {
                self.give_up("Service deployment was stopped by a user.");
                self.tell(&format!("(deployment {id}) deployment failed: stopped by a user."));
                self.record_over(Status::Stopped, "Service deployment was stopped by a user.");
            }
        }
    }

    pub(crate) fn trip_breaker(&mut self) {
        let configuration = self.plan.service.deployment_configuration.clone();
        let Some(primary) = self.plan.service.primary() else { return };
        let threshold = DeploymentConfiguration::threshold(self.plan.service.desired_count);
        if !configuration.breaker
            || primary.rollout != RolloutState::InProgress
            || primary.failed_tasks < threshold
            || self.is_past_undoing()
        {
            return;
        }
        let id = primary.id.clone();
        let unhealthy =
            self.members.iter().any(|member| member.deployment == id && member.mark == TaskMark::Failed);
        let what = if unhealthy { "tasks failed container health checks" } else { "tasks failed to start" };
        let reason = format!("ECS deployment circuit breaker: {what}.");
        self.give_up(&reason);
        self.tell(&format!("(deployment {id}) deployment failed: {what}."));
        let now = self.snapshot.now;
        let undoing = self.plan.record.as_mut().is_some_and(|record| {
            record.triggered = true;
            record.updated_at = now;
            record.rollback.is_some()
        });
        match self.rollback_target().filter(|_| configuration.rollback && !undoing) {
            Some(target) => self.roll_back(target, reason, "ECS deployment circuit breaker"),
            None if undoing => self.record_over(Status::RollbackFailed, &reason),
            None => self.record_over(Status::Stopped, &reason),
        }
    }

    /// What was completed before the newest deployment, if that is another.
    pub(crate) fn rollback_target(&self) -> Option<CompletedDeployment> {
        let id = self.primary_id();
        self.plan.service.last_completed.clone().filter(|completed| completed.deployment != id)
    }

    pub(crate) fn give_up(&mut self, reason: &str) {
        let now = self.snapshot.now;
        if let Some(primary) = self.plan.service.deployments.first_mut() {
            primary.rollout = RolloutState::Failed;
            reason.clone_into(&mut primary.rollout_reason);
            primary.updated_at = now;
        }
    }

    /// The record of the deployment comes to its end.
    pub(crate) fn record_over(&mut self, status: Status, reason: &str) {
        let now = self.snapshot.now;
        let over = |record: &mut ServiceDeployment| {
            record.status = status;
            record.status_reason = Some(reason.to_owned()).filter(|reason| !reason.is_empty());
            record.finished_at = Some(now);
            record.updated_at = now;
            if status == Status::Stopped {
                record.stopped_at = Some(now);
            }
        };
        if let Some(record) = self.plan.record.as_mut().filter(|record| !record.status.is_final()) {
            over(record);
        }
    }

    /// Makes the completed deployment the newest again: itself while it has tasks, else one like it.
    pub(crate) fn roll_back(&mut self, target: CompletedDeployment, reason: String, who: &str) {
        let now = self.snapshot.now;
        let text = format!("{who}: rolling back to deploymentId {}.", target.deployment);
        let service = &mut self.plan.service;
        let own = service.primary().map(|primary| primary.service_deployment.clone()).unwrap_or_default();
        let alternate = service.primary().is_some_and(|primary| primary.alternate);
        let there = service.deployments.iter().position(|own| own.id == target.deployment);
        let mut back = match there {
            Some(index) => service.deployments.remove(index),
            None => Deployment {
                id: format!("ecs-svc/{}", self.names.deployment()),
                service_deployment: String::new(),
                service_revision: target.service_revision.clone(),
                workload: target.workload,
                rollout: RolloutState::InProgress,
                rollout_reason: String::new(),
                failed_tasks: 0,
                failed_rounds: 0,
                retry_at: None,
                created_at: now,
                updated_at: now,
                alternate,
                task_set: None,
            },
        };
        back.service_deployment = own;
        back.rollout = RolloutState::InProgress;
        back.rollout_reason = text;
        back.updated_at = now;
        // What it counted before it was replaced says nothing about it now.
        (back.failed_tasks, back.failed_rounds, back.retry_at) = (0, 0, None);
        service.deployments.insert(0, back);
        service.steady = false;
        service.notices.clear();
        self.shift_back();
        if let Some(record) = &mut self.plan.record {
            record.status = Status::RollbackInProgress;
            record.status_reason = Some(reason.clone());
            record.rollback =
                Some(Rollback { reason, started_at: now, service_revision: target.service_revision });
            record.updated_at = now;
        }
        self.tell(&format!("rolling back to deployment {}.", target.deployment));
    }
}
