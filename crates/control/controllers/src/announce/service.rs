//! "ECS Service Action" and "ECS Deployment State Change": what a service's row tells by what it was told of before.

use super::{Announcement, Announcer, ecs_arn, ecs_event};
use event_outbox::{Event, Outbox};
use identifiers::AccountId;
use resources::Stored;
use resources::ecs::{Deployment, RolloutState, Service, ServiceStatus};
use resources::events::AnnouncedService;
use serde_json::{Value, json};
use store::{StoreError, Versioned};

/// Follows services.
pub(crate) struct Services {
    outbox: Outbox,
}

impl Services {
    pub(crate) fn new(outbox: Outbox) -> Self {
        Self { outbox }
    }

    fn event(&self, service: &Service, detail_type: &str, detail: Value) -> Event {
        let resource = format!("service/{}/{}", service.cluster, service.name);
        let arn = ecs_arn(self.outbox.region(), &service.account, resource);
        ecs_event(&self.outbox, &service.account, detail_type, arn, detail)
    }

    fn action(&self, service: &Service, kind: &str, name: &str, reason: Option<&str>) -> Event {
        let cluster = format!("cluster/{}", service.cluster);
        let mut detail = json!({
            "eventType": kind,
            "eventName": name,
            "clusterArn": ecs_arn(self.outbox.region(), &service.account, cluster),
            "createdAt": self.outbox.tables().environment().now().to_rfc3339(),
        });
        if let Some(reason) = reason {
            detail["reason"] = json!(reason);
        }
        self.event(service, "ECS Service Action", detail)
    }

    fn deployment(&self, service: &Service, deployment: &Deployment) -> Event {
        let (kind, name) = match deployment.rollout {
            RolloutState::InProgress => ("INFO", "SERVICE_DEPLOYMENT_IN_PROGRESS"),
            RolloutState::Completed => ("INFO", "SERVICE_DEPLOYMENT_COMPLETED"),
            RolloutState::Failed => ("ERROR", "SERVICE_DEPLOYMENT_FAILED"),
        };
        let detail = json!({
            "eventType": kind,
            "eventName": name,
            "deploymentId": deployment.id,
            "updatedAt": deployment.updated_at.to_rfc3339(),
            "reason": deployment.rollout_reason,
        });
        self.event(service, "ECS Deployment State Change", detail)
    }

    /// The events between what was told and what is.
    fn events(&self, told: &AnnouncedService, service: &Service) -> Vec<Event> {
        let mut events = Vec::new();
        // The oldest first.
        for deployment in service.deployments.iter().rev() {
            let now = (deployment.id.clone(), state(deployment.rollout).to_owned());
            if !told.deployments.contains(&now) {
                events.push(self.deployment(service, deployment));
            }
        }
        for (notice, _) in service.notices.iter().filter(|(notice, _)| !told.notices.contains(notice)) {
            if notice.starts_with("is unable to consistently start tasks") {
                events.push(self.action(service, "WARN", "SERVICE_TASK_START_IMPAIRED", None));
            } else if let Some(reason) = notice.strip_prefix("was unable to place a task. Reason: ") {
                let reason = reason.split(". ").next();
                events.push(self.action(service, "ERROR", "SERVICE_TASK_PLACEMENT_FAILURE", reason));
            }
        }
        if service.steady && !told.steady && service.status == ServiceStatus::Active {
            events.push(self.action(service, "INFO", "SERVICE_STEADY_STATE", None));
        }
        events
    }
}

fn state(rollout: RolloutState) -> &'static str {
    match rollout {
        RolloutState::InProgress => "IN_PROGRESS",
        RolloutState::Completed => "COMPLETED",
        RolloutState::Failed => "FAILED",
    }
}

fn note(service: &Service) -> AnnouncedService {
    let deployments = service.deployments.iter();
    AnnouncedService {
        service: service.key(),
        account: Some(service.account.clone()),
        steady: service.steady,
        desired_count: service.desired_count,
        deployments: deployments.map(|one| (one.id.clone(), state(one.rollout).to_owned())).collect(),
        notices: service.notices.iter().map(|(notice, _)| notice.clone()).collect(),
    }
}

impl Announcer for Services {
    type Row = Service;

    fn account(row: &Service) -> &AccountId {
        &row.account
    }

    async fn changed(
        &mut self,
        row: &Versioned<Service>,
        listened: bool,
    ) -> Result<Announcement, StoreError> {
        let told = self.outbox.tables().get::<AnnouncedService>(&row.key()).await?;
        let now = note(row);
        if told.as_ref().is_some_and(|told| *told.value == now) {
            return Ok(Announcement::default());
        }
        let told = told.map(|told| (*told.value).clone()).unwrap_or_default();
        let events = if listened { self.events(&told, row) } else { vec![] };
        Ok(Announcement { events, note: Some(now) })
    }

    fn known(&mut self, _: &Versioned<Service>) {}

    fn gone(&mut self, _: &str) {}
}
