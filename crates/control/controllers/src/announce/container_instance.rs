//! "ECS Container Instance State Change". The hosts of Fargate capacity are nobody's instances and are not told of.

use super::{Announcement, Announcer, ecs_arn, ecs_event};
use event_outbox::Outbox;
use identifiers::AccountId;
use resources::ecs::{ContainerInstance, FARGATE_HOSTS, InstanceStatus};
use serde_json::{Value, json};
use store::{StoreError, Versioned};

/// Follows container instances.
pub(crate) struct Instances {
    outbox: Outbox,
}

impl Instances {
    pub(crate) fn new(outbox: Outbox) -> Self {
        Self { outbox }
    }
}

impl Announcer for Instances {
    type Row = ContainerInstance;

    fn account(row: &ContainerInstance) -> &AccountId {
        &row.account
    }

    async fn changed(
        &mut self,
        row: &Versioned<ContainerInstance>,
        listened: bool,
    ) -> Result<Announcement, StoreError> {
        if !listened || row.cluster == FARGATE_HOSTS {
            return Ok(Announcement::default());
        }
        let arn = |resource: String| ecs_arn(self.outbox.region(), &row.account, resource);
        let own = arn(format!("container-instance/{}/{}", row.cluster, row.id));
        let attributes = row.attributes.iter().map(|(name, value)| match value {
            Some(value) => json!({"name": name, "value": value}),
            None => json!({"name": name}),
        });
        let amount = |name: &str, value: u32| json!({"name": name, "type": "INTEGER", "integerValue": value});
        let detail = json!({
            "agentConnected": row.agent_connected,
            "attributes": attributes.collect::<Vec<Value>>(),
            "clusterArn": arn(format!("cluster/{}", row.cluster)),
            "containerInstanceArn": own,
            "registeredAt": row.registered_at.to_rfc3339(),
            "registeredResources": [amount("CPU", row.cpu), amount("MEMORY", row.memory)],
            "status": if row.status == InstanceStatus::Active { "ACTIVE" } else { "INACTIVE" },
            "updatedAt": self.outbox.tables().environment().now().to_rfc3339(),
            "version": row.revision,
            "versionInfo": {"agentVersion": row.agent_version},
        });
        let event = ecs_event(&self.outbox, &row.account, "ECS Container Instance State Change", own, detail);
        Ok(Announcement { events: vec![event], note: None })
    }

    fn known(&mut self, _: &Versioned<ContainerInstance>) {}

    fn gone(&mut self, _: &str) {}
}
