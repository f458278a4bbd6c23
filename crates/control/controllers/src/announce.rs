//! Tells EventBridge what happens in the region: tasks, services and container instances of ECS, images of ECR.
//!
//! One follower for each table. It watches the changes of its rows, makes events of them, and writes their deliveries
//! together with its position in one transaction; begun anew, it goes on from the position. What changed while nobody
//! followed is announced from how the rows are then: no last state is missed, but two changes of one row that
//! came so close together that a kill hid the first from the watch are announced as one. Without any rule on the default
//! bus nothing is made.

mod container_instance;
mod image;
mod service;
mod task;
#[cfg(test)]
mod tests;

pub(crate) use container_instance::Instances;
pub(crate) use image::Images;
pub(crate) use service::Services;
pub(crate) use task::Tasks;

use environment::Timestamp;
use event_outbox::{Event, Outbox, OutboxError};
use identifiers::{AccountId, Arn, Region};
use resources::Stored;
use resources::events::{AnnouncedService, DEFAULT_BUS, Position};
use std::future::Future;
use std::time::Duration;
use store::{Revision, StoreError, TableChange, TableWatch, Versioned};
use tokio_util::sync::CancellationToken;

/// Wait before a lost watch, or an outbox without room, is tried anew.
const AGAIN: Duration = Duration::from_millis(500);
/// The position is written after this time at the latest when something changed, also without any event.
const WRITTEN: Duration = Duration::from_secs(5);

/// What is to be told of a change.
#[derive(Default)]
pub(crate) struct Announcement {
    /// The events, in their order.
    pub(crate) events: Vec<Event>,
    /// What has been told of a service with them.
    pub(crate) note: Option<AnnouncedService>,
}

/// Makes events of the changes of one table.
pub(crate) trait Announcer: Send {
    /// Rows of the table.
    type Row: Stored;

    /// Whose the row is.
    fn account(row: &Self::Row) -> &AccountId;

    /// What is to be told of a row that was written. `listened` says whether any rule may want it.
    fn changed(
        &mut self,
        row: &Versioned<Self::Row>,
        listened: bool,
    ) -> impl Future<Output = Result<Announcement, StoreError>> + Send;

    /// A row as it is when the follower begins, which has been told of.
    fn known(&mut self, row: &Versioned<Self::Row>);

    /// A row is gone.
    fn gone(&mut self, key: &str);
}

/// Follows a table until `stop`.
pub(crate) async fn follow<A: Announcer>(outbox: Outbox, mut announcer: A, stop: CancellationToken) {
    let environment = outbox.tables().environment().clone();
    while !stop.is_cancelled() {
        let mut follower =
            Follower { outbox: outbox.clone(), seen: 0, written: 0, written_at: environment.now() };
        let ended = tokio::select! {
            ended = follower.run(&mut announcer) => Some(ended),
            () = stop.cancelled() => None,
        };
        if let Err(error) = follower.write_position(A::Row::TABLE).await {
            tracing::warn!(table = A::Row::TABLE, %error, "cannot note what was announced");
        }
        if let Some(Err(error)) = ended {
            if !matches!(error, OutboxError::Store(StoreError::WatchLost | StoreError::Compacted { .. })) {
                tracing::warn!(table = A::Row::TABLE, %error, "announcing changes failed");
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = environment.sleep(AGAIN) => {}
            }
        }
    }
}

struct Follower {
    outbox: Outbox,
    /// Everything up to this revision has been told.
    seen: Revision,
    /// What of it is written down.
    written: Revision,
    written_at: Timestamp,
}

impl Follower {
    async fn run<A: Announcer>(&mut self, announcer: &mut A) -> Result<(), OutboxError> {
        let tables = self.outbox.tables().clone();
        let position = tables.get::<Position>(A::Row::TABLE).await?;
        let (mut rows, mut watch): (Vec<Versioned<A::Row>>, TableWatch<A::Row>) =
            tables.list_and_watch("").await?;
        rows.sort_by_key(|row| row.revision);
        let newest = rows.last().map_or(0, |row| row.revision);
        // A region that was never followed begins with what is there.
        let told = position.as_ref().map_or(newest, |position| position.revision);
        (self.seen, self.written) = (told, told);
        if position.is_none() {
            self.seen = newest;
            self.write(A::Row::TABLE).await?;
        }
        for row in rows {
            if row.revision > told { self.tell(announcer, &row).await? } else { announcer.known(&row) }
        }
        loop {
            let idle = self.outbox.tables().environment().clone();
            let changes = tokio::select! {
                changes = watch.next() => changes?,
                () = idle.sleep(WRITTEN), if self.written < self.seen => {
                    self.write(A::Row::TABLE).await?;
                    continue;
                }
            };
            for change in changes {
                match change {
                    TableChange::Put(row) => self.tell(announcer, &row).await?,
                    TableChange::Deleted { key, revision } => {
                        announcer.gone(&key);
                        self.seen = self.seen.max(revision);
                    }
                }
            }
            if self.outbox.tables().environment().now().since(self.written_at) >= WRITTEN {
                self.write_position(A::Row::TABLE).await?;
            }
        }
    }

    async fn tell<A: Announcer>(
        &mut self,
        announcer: &mut A,
        row: &Versioned<A::Row>,
    ) -> Result<(), OutboxError> {
        let listened = self.outbox.is_listened_to(A::account(row)).await?;
        let Announcement { events, note } = announcer.changed(row, listened).await?;
        let mut deliveries = Vec::new();
        for event in &events {
            deliveries.extend(self.outbox.deliveries(DEFAULT_BUS, event).await?);
        }
        if deliveries.is_empty() && note.is_none() {
            self.seen = self.seen.max(row.revision);
            announcer.known(row);
            return Ok(());
        }
        let position = Position { table: A::Row::TABLE.to_owned(), revision: self.seen.max(row.revision) };
        let mut batch = self.outbox.tables().batch().put_any(&position);
        for delivery in &deliveries {
            batch = batch.create(delivery);
        }
        if let Some(note) = &note {
            batch = batch.put_any(note);
        }
        batch.commit().await?;
        // Only now: what could not be written is told again.
        announcer.known(row);
        self.seen = position.revision;
        self.note_written();
        Ok(())
    }

    async fn write_position(&mut self, table: &str) -> Result<(), StoreError> {
        if self.written < self.seen { self.write(table).await } else { Ok(()) }
    }

    async fn write(&mut self, table: &str) -> Result<(), StoreError> {
        let position = Position { table: table.to_owned(), revision: self.seen };
        self.outbox.tables().batch().put_any(&position).commit().await?;
        self.note_written();
        Ok(())
    }

    fn note_written(&mut self) {
        self.written = self.seen;
        self.written_at = self.outbox.tables().environment().now();
    }
}

/// An event of ECS.
fn ecs_event(
    outbox: &Outbox,
    account: &AccountId,
    detail_type: &str,
    resource: String,
    detail: serde_json::Value,
) -> Event {
    let environment = outbox.tables().environment();
    Event {
        account: account.clone(),
        id: environment.uuid(),
        source: "aws.ecs".to_owned(),
        detail_type: detail_type.to_owned(),
        time: environment.now(),
        region: outbox.region().to_string(),
        resources: vec![resource],
        detail,
    }
}

fn ecs_arn(region: &Region, account: &AccountId, resource: String) -> String {
    Arn::new("ecs", region, account, resource).to_string()
}
