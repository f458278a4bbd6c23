//! Evaluates CloudWatch alarms: reads the data points of their metrics and brings them into the state that follows.
//!
//! An alarm is looked at when a period of its metric is over, those of longer periods every minute, because data points
//! may come late. A run that is killed is simply made again: the state changes with its history and event in one
//! transaction, or not at all.

use crate::feed::Seen;
use alarm_evaluation::{Datapoint, evaluate, range};
use alarm_states::set_state;
use environment::Timestamp;
use event_outbox::{Outbox, OutboxError};
use metric_store::{Metrics, MetricsError, Series, Statistic, Wanted};
use reconcile::{Next, Queue, Reconciler};
use resources::Stored;
use resources::cloudwatch::{Alarm, AlarmWatch};
use std::time::Duration;
use store::StoreError;

/// Seconds between two looks at an alarm, at most.
const MINUTE: u32 = 60;

/// Why an alarm is not evaluated.
#[derive(Debug, thiserror::Error)]
pub enum AlarmError {
    /// The rows failed, or somebody else changed the alarm.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// The metrics failed.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
}

impl From<StoreError> for AlarmError {
    fn from(error: StoreError) -> Self {
        Self::Outbox(error.into())
    }
}

/// The controller.
pub struct Alarms {
    outbox: Outbox,
    metrics: Metrics,
    queue: Queue<String>,
}

impl Alarms {
    /// Over a region's metrics.
    pub fn new(outbox: Outbox, metrics: Metrics, queue: Queue<String>) -> Self {
        Self { outbox, metrics, queue }
    }

    /// An alarm was put or changed.
    pub(crate) fn see(&self, seen: &Seen<Alarm>) {
        if let Seen::Row(alarm) = seen {
            self.queue.nudge(alarm.key());
        }
    }

    async fn points(&self, alarm: &Alarm, now: Timestamp) -> Result<Vec<Datapoint>, MetricsError> {
        let watch = &alarm.watch;
        let (start, end) = range(watch, now);
        let wanted = Wanted {
            series: Series {
                account: alarm.account.to_string(),
                namespace: watch.namespace.clone(),
                name: watch.metric.clone(),
                dimensions: watch.dimensions.clone(),
            },
            unit: watch.unit.clone(),
            start,
            end,
            period: i64::from(watch.period),
        };
        let Some(statistic) = Statistic::parse(&watch.statistic) else { return Ok(vec![]) };
        let found = self.metrics.read(&wanted).await?;
        // Without a unit, the samples of each are a data point of their own; the first one counts.
        let mut points: Vec<Datapoint> = Vec::new();
        for point in found {
            let start = Timestamp::from_seconds(point.start);
            if let Some(value) = statistic.of(&point.values)
                && points.last().is_none_or(|last| last.start != start)
            {
                points.push(Datapoint { start, value });
            }
        }
        Ok(points)
    }
}

/// Time until an alarm is looked at again.
fn next(watch: &AlarmWatch, now: Timestamp) -> Duration {
    let step = i64::from(watch.period.clamp(1, MINUTE)) * 1_000;
    let wait = step - now.as_millis().rem_euclid(step);
    Duration::from_millis(u64::try_from(wait).unwrap_or(0))
}

impl Reconciler for Alarms {
    type Key = String;
    type Error = AlarmError;

    async fn reconcile(&self, key: &String) -> Result<Next, AlarmError> {
        let tables = self.outbox.tables();
        let Some(alarm) = tables.get::<Alarm>(key).await? else { return Ok(Next::Settled) };
        let now = tables.environment().now();
        let points = self.points(&alarm, now).await?;
        if let Some(verdict) = evaluate(&alarm.watch, &points, now)
            && verdict.state != alarm.state.value
        {
            set_state(&self.outbox, &alarm, verdict.state, verdict.reason, Some(verdict.data)).await?;
        }
        Ok(Next::After(next(&alarm.watch, now)))
    }

    async fn keys(&self) -> Result<Vec<String>, AlarmError> {
        let alarms = self.outbox.tables().list_all::<Alarm>("").await?;
        Ok(alarms.iter().map(|alarm| alarm.key()).collect())
    }
}

#[cfg(test)]
mod tests;
