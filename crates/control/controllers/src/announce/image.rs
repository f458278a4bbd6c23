//! Events of ECR: they are rows already, and are only brought along.

use super::{Announcement, Announcer};
use event_outbox::{Event, Outbox};
use identifiers::AccountId;
use image_registry::event_document;
use resources::ecr;
use store::{StoreError, Versioned};

/// Follows the events of ECR.
pub(crate) struct Images {
    outbox: Outbox,
}

impl Images {
    pub(crate) fn new(outbox: Outbox) -> Self {
        Self { outbox }
    }
}

impl Announcer for Images {
    type Row = ecr::Event;

    fn account(row: &ecr::Event) -> &AccountId {
        &row.account
    }

    async fn changed(
        &mut self,
        row: &Versioned<ecr::Event>,
        listened: bool,
    ) -> Result<Announcement, StoreError> {
        if !listened {
            return Ok(Announcement::default());
        }
        let mut document = event_document(row, self.outbox.region());
        let text = |name: &str| document[name].as_str().unwrap_or_default().to_owned();
        let resources = document["resources"].as_array().into_iter().flatten();
        let event = Event {
            account: row.account.clone(),
            id: text("id"),
            source: text("source"),
            detail_type: text("detail-type"),
            time: row.time,
            region: text("region"),
            resources: resources.filter_map(|arn| arn.as_str().map(str::to_owned)).collect(),
            detail: document["detail"].take(),
        };
        Ok(Announcement { events: vec![event], note: None })
    }

    fn known(&mut self, _: &Versioned<ecr::Event>) {}

    fn gone(&mut self, _: &str) {}
}
