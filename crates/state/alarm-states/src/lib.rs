//! CloudWatch alarms change their state: the row, its history and the event "CloudWatch Alarm State Change" are written
//! in one transaction, whether an evaluation or SetAlarmState decides it.

use environment::Timestamp;
use event_outbox::{Event, Outbox, OutboxError};
use identifiers::{Arn, Region};
use resources::Stored;
use resources::cloudwatch::{Alarm, AlarmHistory, AlarmHistoryItem, AlarmState, HistoryKind, StateValue};
use resources::events::DEFAULT_BUS;
use serde_json::{Value, json};
use store::{Batch, StoreError, Tables, Versioned};

/// Most characters of the data of an item.
const MOST_DATA: usize = 4_095;

/// ARN of an alarm.
pub fn alarm_arn(region: &Region, alarm: &Alarm) -> String {
    Arn::new("cloudwatch", region, &alarm.account, format!("alarm:{}", alarm.name)).to_string()
}

/// Brings an alarm into a state, if it is as it was read. Without a change of the state only the reason is written, and
/// nothing is told.
pub async fn set_state(
    outbox: &Outbox,
    row: &Versioned<Alarm>,
    value: StateValue,
    reason: String,
    data: Option<String>,
) -> Result<(), OutboxError> {
    let tables = outbox.tables();
    let now = tables.environment().now();
    let old = &row.state;
    let changed = old.value != value;
    let transitioned_at = if changed { now } else { old.transitioned_at };
    let state = AlarmState { value, reason, data, updated_at: now, transitioned_at };
    let new = Alarm { state, ..(*row.value).clone() };
    let mut batch = tables.batch().replace(row, &new);
    if changed {
        let summary = format!("Alarm updated from {} to {}", old.value.as_str(), value.as_str());
        let history =
            json!({"version": "1.0", "oldState": state_json(old), "newState": state_json(&new.state)});
        batch = add_history(tables, batch, &new, HistoryKind::StateUpdate, (summary, history)).await?;
        for delivery in outbox.deliveries(DEFAULT_BUS, &event(outbox, &new, old)).await? {
            batch = batch.create(&delivery);
        }
    }
    batch.commit().await?;
    Ok(())
}

/// Adds an item to the history of an alarm.
pub async fn add_history(
    tables: &Tables,
    batch: Batch,
    alarm: &Alarm,
    kind: HistoryKind,
    (summary, data): (String, Value),
) -> Result<Batch, StoreError> {
    let data = data.to_string().chars().take(MOST_DATA).collect();
    let item = AlarmHistoryItem { time: tables.environment().now(), kind, summary, data };
    let Some(old) = tables.get::<AlarmHistory>(&alarm.key()).await? else {
        let (account, alarm) = (alarm.account.clone(), alarm.name.clone());
        return Ok(batch.create(&AlarmHistory { account, alarm, items: vec![item] }));
    };
    let mut new = (*old.value).clone();
    new.add(item);
    Ok(batch.replace(&old, &new))
}

fn state_json(state: &AlarmState) -> Value {
    let mut shown = json!({"stateValue": state.value.as_str(), "stateReason": state.reason});
    if let Some(data) = &state.data {
        shown["stateReasonData"] = serde_json::from_str(data).unwrap_or_else(|_| json!(data));
    }
    shown
}

fn event(outbox: &Outbox, alarm: &Alarm, old: &AlarmState) -> Event {
    let environment = outbox.tables().environment();
    let watch = &alarm.watch;
    let mut configuration = json!({
        "metrics": [{
            "id": environment.uuid(),
            "metricStat": {
                "metric": {"namespace": watch.namespace, "name": watch.metric, "dimensions": watch.dimensions},
                "period": watch.period,
                "stat": watch.statistic,
            },
            "returnData": true,
        }],
    });
    if let Some(description) = &alarm.description {
        configuration["description"] = json!(description);
    }
    Event {
        account: alarm.account.clone(),
        id: environment.uuid(),
        source: "aws.cloudwatch".to_owned(),
        detail_type: "CloudWatch Alarm State Change".to_owned(),
        time: environment.now(),
        region: outbox.region().to_string(),
        resources: vec![alarm_arn(outbox.region(), alarm)],
        detail: json!({
            "alarmName": alarm.name,
            "state": told(&alarm.state),
            "previousState": told(old),
            "configuration": configuration,
        }),
    }
}

/// A state as events tell it.
fn told(state: &AlarmState) -> Value {
    let mut shown = json!({
        "value": state.value.as_str(),
        "reason": state.reason,
        "timestamp": stamp(state.updated_at),
    });
    if let Some(data) = &state.data {
        shown["reasonData"] = json!(data);
    }
    shown
}

/// `2026-11-28T17:05:00.000+0000`.
fn stamp(time: Timestamp) -> String {
    time.to_rfc3339().replace('Z', "+0000")
}

#[cfg(test)]
mod tests;
