//! Carries a plan out: one transaction.

use super::ServiceTargetsController;
use super::observe::Observed;
use super::plan::Plan;
use reconcile::Next;
use resources::ecs::{ServiceEvent, ServiceEvents, Task};
use store::{Batch, StoreError};

impl ServiceTargetsController {
    pub(super) async fn apply(&self, observed: Observed, plan: Plan) -> Result<Next, StoreError> {
        let next = plan.again.map_or(Next::Settled, Next::After);
        if plan.targets.is_empty() && plan.tasks.is_empty() {
            return Ok(next);
        }
        let mut batch = self.tables.batch();
        for (key, new) in &plan.targets {
            batch = match (observed.targets.get(key), new) {
                (Some(old), Some(new)) => batch.replace(old, new),
                (None, Some(new)) => batch.create(new),
                (Some(old), None) => batch.delete(old),
                (None, None) => batch,
            };
        }
        for group in observed.groups.values() {
            let arn = &group.arn;
            if plan.targets.values().flatten().any(|new| new.target_group_arn == *arn) {
                batch = batch.require_exists(group);
            }
        }
        for seen in &observed.tasks {
            if let (Some(old), Some(targets)) = (&seen.task, plan.tasks.get(&seen.key)) {
                batch = batch.replace(old, &Task { targets: targets.clone(), ..Task::clone(old) });
            }
        }
        self.write_events(batch, &observed, &plan).commit().await?;
        Ok(next)
    }

    fn write_events(&self, batch: Batch, observed: &Observed, plan: &Plan) -> Batch {
        let Some(service) = observed.service.as_ref().filter(|_| !plan.events.is_empty()) else {
            return batch;
        };
        let environment = self.tables.environment();
        let mut events = observed.events.as_ref().map_or_else(
            || ServiceEvents {
                account: service.account.clone(),
                cluster: service.cluster.clone(),
                service: service.name.clone(),
                events: Vec::new(),
            },
            |row| ServiceEvents::clone(row),
        );
        for message in &plan.events {
            let (id, created_at) = (environment.uuid(), environment.now());
            events.add(ServiceEvent { id, created_at, message: message.clone() });
        }
        match &observed.events {
            Some(old) => batch.replace(old, &events),
            None => batch.create(&events),
        }
    }
}
