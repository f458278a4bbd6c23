//! Makes a delivery whenever a schedule of EventBridge Scheduler is due, and removes groups that are being deleted.
//!
//! The row of a schedule holds the last time that was acted upon; it is written with the delivery in one transaction, so
//! a time comes once, whenever this is killed. Of the times that passed while nobody looked the last one is made up for,
//! if the target's retry policy would still try it.

use crate::feed::Seen;
use crate::rule_schedule::due;
use environment::Timestamp;
use event_outbox::{Outbox, OutboxError};
use identifiers::Arn;
use reconcile::{Next, Queue, Reconciler};
use resources::Stored;
use resources::events::{Delivery, Input};
use resources::scheduler::{Schedule, ScheduleGroup};
use schedule_expressions::{Expression, Zone};
use std::time::Duration;
use store::{Page, StoreError, Tables, Versioned};
use tokio_util::sync::CancellationToken;

/// Longest sleep; a clock that is set is noticed by then.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
/// Time between two looks for groups that are being deleted.
const GROUPS: Duration = Duration::from_secs(1);
/// Schedules that are removed at a time.
const AT_ONCE: usize = 500;
/// The least step of time: what is after the moment before a time comes at that time or later.
const STEP: Duration = Duration::from_millis(1);

/// The controller.
pub struct ScheduleController {
    outbox: Outbox,
    queue: Queue<String>,
}

impl ScheduleController {
    /// Over an outbox.
    pub fn new(outbox: Outbox, queue: Queue<String>) -> Self {
        Self { outbox, queue }
    }

    /// A schedule was made or changed.
    pub(crate) fn see(&self, seen: &Seen<Schedule>) {
        if let Seen::Row(schedule) = seen
            && schedule.enabled
        {
            self.queue.nudge(schedule.key());
        }
    }

    /// The delivery of a time.
    fn delivery(&self, schedule: &Schedule, due: Timestamp) -> Delivery {
        let resource = format!("schedule/{}/{}", schedule.group, schedule.name);
        let arn = Arn::new("scheduler", self.outbox.region(), &schedule.account, resource).to_string();
        let mut input = match &schedule.target.input {
            Input::Constant(text) => text.clone(),
            Input::Event | Input::Path(_) | Input::Transformer { .. } => "{}".to_owned(),
        };
        let source = (arn.as_str(), schedule.name.as_str());
        let mut delivery =
            self.outbox.direct(&schedule.account, source, schedule.target.clone(), String::new());
        let known = [
            ("<aws.scheduler.schedule-arn>", arn.clone()),
            ("<aws.scheduler.scheduled-time>", due.to_rfc3339_seconds()),
            ("<aws.scheduler.execution-id>", delivery.event_id.clone()),
        ];
        for (name, value) in known {
            input = input.replace(name, &value);
        }
        delivery.input = input;
        delivery.next_at = due + self.within(schedule.window);
        delivery
    }

    /// A time within a flexible window.
    fn within(&self, window: Option<u32>) -> Duration {
        let Some(minutes) = window else { return Duration::ZERO };
        let mut random = [0u8; 8];
        self.outbox.tables().environment().fill_random(&mut random);
        let millis = u64::from(minutes) * 60_000;
        Duration::from_millis(u64::from_le_bytes(random) % millis.max(1))
    }

    /// Writes the delivery of a time, and what becomes of the schedule.
    async fn fire(
        &self,
        row: &Versioned<Schedule>,
        due: Timestamp,
        last: bool,
        late: bool,
    ) -> Result<(), OutboxError> {
        let mut batch = self.outbox.tables().batch();
        if !late {
            self.outbox.reserve(1)?;
            batch = batch.create(&self.delivery(row, due));
        }
        batch = if last && row.delete_after {
            batch.delete(row)
        } else {
            batch.replace(row, &Schedule { fired: Some(due), ..(*row.value).clone() })
        };
        batch.commit().await?;
        Ok(())
    }
}

/// The time of a schedule that comes after a moment.
fn next(schedule: &Schedule, expression: &Expression, zone: &Zone, after: Timestamp) -> Option<Timestamp> {
    let after = schedule.start.map_or(after, |start| after.max(start - STEP));
    let base = schedule.start.unwrap_or(schedule.scheduled_from);
    let found = expression.next(after, base, schedule.start.is_some(), zone)?;
    schedule.end.is_none_or(|end| found <= end).then_some(found)
}

impl Reconciler for ScheduleController {
    type Key = String;
    type Error = OutboxError;

    async fn reconcile(&self, key: &String) -> Result<Next, OutboxError> {
        let tables = self.outbox.tables();
        let Some(row) = tables.get::<Schedule>(key).await? else { return Ok(Next::Settled) };
        if !row.enabled {
            return Ok(Next::Settled);
        }
        let zone = row.zone.as_deref().map_or(Some(Zone::UTC), Zone::named);
        let (Ok(expression), Some(zone)) = (Expression::of_schedule(&row.expression), zone) else {
            tracing::error!(schedule = key, "a stored schedule is not good");
            return Ok(Next::Settled);
        };
        let now = tables.environment().now();
        let from = row.fired.map_or(row.scheduled_from, |fired| fired.max(row.scheduled_from));
        let (past, coming) = due(|after| next(&row, &expression, &zone, after), from, now);
        if let Some(past) = past {
            let age = Duration::from_secs(row.target.retry.age.into());
            self.fire(&row, past, coming.is_none(), past + age < now).await?;
        }
        Ok(coming.map_or(Next::Settled, |coming| Next::After(coming.since(now).min(LONGEST_SLEEP))))
    }

    async fn keys(&self) -> Result<Vec<String>, OutboxError> {
        let schedules = self.outbox.tables().list_all::<Schedule>("").await?;
        Ok(schedules.iter().filter(|schedule| schedule.enabled).map(|schedule| schedule.key()).collect())
    }
}

/// Removes the schedules of groups that are being deleted, and then the groups, until `stop`.
pub(crate) async fn remove_groups(tables: Tables, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = remove_marked(&tables).await {
            tracing::warn!(%error, "cannot remove schedule groups");
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tables.environment().sleep(GROUPS) => {}
        }
    }
}

async fn remove_marked(tables: &Tables) -> Result<(), StoreError> {
    let groups = tables.list_all::<ScheduleGroup>("").await?;
    for group in groups.iter().filter(|group| group.deleting) {
        loop {
            let page = Page { after: None, limit: AT_ONCE };
            let (keys, _) = tables.keys::<Schedule>(&format!("{}/", group.key()), page).await?;
            if keys.is_empty() {
                break;
            }
            let batch = keys.iter().fold(tables.batch(), |batch, key| batch.delete_any::<Schedule>(key));
            batch.commit().await?;
        }
        match tables.delete(group).await {
            Ok(()) | Err(StoreError::Conflict(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
