//! The beginning of a deployment.

use super::{
    AlarmCheck, Deployment, DeploymentConfiguration, RolloutState, Service, ServiceDeployment,
    ServiceDeploymentStatus, ServiceRevision, TaskDefinition, Workload,
};
use environment::{Environment, Timestamp};
use std::collections::BTreeMap;

impl Service {
    /// Puts a new deployment in front of the others. Its revision and its record are to be written together with the
    /// service.
    pub fn begin_deployment(
        &mut self,
        workload: Workload,
        definition: &TaskDefinition,
        random: &Environment,
        now: Timestamp,
    ) -> (ServiceRevision, ServiceDeployment) {
        let number = || random.random_text(19, b"0123456789");
        let revision = ServiceRevision {
            account: self.account.clone(),
            cluster: self.cluster.clone(),
            service: self.name.clone(),
            id: number(),
            workload: workload.clone(),
            images: definition.containers.iter().map(|own| (own.name.clone(), own.image.clone())).collect(),
            digests: BTreeMap::new(),
            endpoints: Vec::new(),
            created_at: now,
        };
        let alphabet = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let record = ServiceDeployment {
            account: self.account.clone(),
            cluster: self.cluster.clone(),
            service: self.name.clone(),
            id: random.random_text(21, alphabet),
            sources: self.deployments.iter().map(|own| own.service_revision.clone()).collect(),
            target: revision.id.clone(),
            status: ServiceDeploymentStatus::Pending,
            status_reason: None,
            configuration: self.deployment_configuration.clone(),
            failures: (0, DeploymentConfiguration::threshold(self.desired_count)),
            triggered: false,
            alarms: AlarmCheck::default(),
            rollback: None,
            lifecycle: None,
            created_at: now,
            started_at: None,
            finished_at: None,
            stopped_at: None,
            updated_at: now,
        };
        let id = format!("ecs-svc/{}", number());
        let deployment = Deployment {
            rollout_reason: format!("ECS deployment {id} in progress."),
            id,
            service_deployment: record.id.clone(),
            service_revision: revision.id.clone(),
            workload,
            rollout: RolloutState::InProgress,
            failed_tasks: 0,
            failed_rounds: 0,
            retry_at: None,
            created_at: now,
            updated_at: now,
            // A deployment that shifts traffic goes to the other side; the planner says so.
            alternate: self.primary().is_some_and(|primary| primary.alternate),
            task_set: None,
        };
        self.deployments.insert(0, deployment);
        self.steady = false;
        self.stop_requested = None;
        self.notices.clear();
        (revision, record)
    }
}

/// What a service deployment says that another has taken the place of.
const SUPERSEDED: &str = "Service deployment was stopped because a new service deployment was started.";

impl ServiceDeployment {
    /// As it is when another deployment of its service takes its place.
    pub fn superseded(&self, now: Timestamp) -> Self {
        Self {
            status: ServiceDeploymentStatus::Stopped,
            status_reason: Some(SUPERSEDED.to_owned()),
            finished_at: Some(now),
            stopped_at: Some(now),
            updated_at: now,
            ..self.clone()
        }
    }
}
