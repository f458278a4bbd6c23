//! PutMetricAlarm, DescribeAlarms, DescribeAlarmsForMetric, DeleteAlarms, SetAlarmState, EnableAlarmActions,
//! DisableAlarmActions and DescribeAlarmHistory.

use crate::CloudWatchService;
use crate::alarm::{dimensions_of, read, shown};
use crate::errors::{from_outbox, from_store, invalid, invalid_token, no_alarm, too_many_alarms};
use crate::shapes::errors::INVALID_FORMAT_FAULT;
use crate::shapes::{
    AlarmHistoryItem, AlarmType, DeleteAlarmsInput, DescribeAlarmHistoryInput, DescribeAlarmHistoryOutput,
    DescribeAlarmsForMetricInput, DescribeAlarmsForMetricOutput, DescribeAlarmsInput, DescribeAlarmsOutput,
    DisableAlarmActionsInput, EnableAlarmActionsInput, PutMetricAlarmInput, ScanBy, SetAlarmStateInput,
};
use alarm_states::{add_history, set_state};
use aws_wire::{RequestContext, ServiceError};
use resources::Stored;
use resources::cloudwatch::{Alarm, AlarmHistory, HistoryKind, StateValue};
use serde_json::json;
use store::{StoreError, Versioned};

/// Alarms of an account.
const MOST_ALARMS: usize = 5_000;
/// Alarms of an answer when the request does not say.
const USUAL: i32 = 50;
/// Items of history of an answer when the request does not say.
const USUAL_ITEMS: i32 = 100;
/// Attempts while others write the same alarm.
const MOST_ATTEMPTS: usize = 10;

impl CloudWatchService {
    pub(crate) async fn alarm(
        &self,
        context: &RequestContext,
        name: &str,
    ) -> Result<Option<Versioned<Alarm>>, ServiceError> {
        self.outbox.tables().get::<Alarm>(&format!("{}/{name}", context.account)).await.map_err(from_store)
    }

    async fn alarms(&self, context: &RequestContext) -> Result<Vec<Versioned<Alarm>>, ServiceError> {
        self.outbox.tables().list_all::<Alarm>(&format!("{}/", context.account)).await.map_err(from_store)
    }
}

/// Puts an alarm. Its state stays until the next evaluation.
pub async fn put(
    service: &CloudWatchService,
    context: &RequestContext,
    input: PutMetricAlarmInput,
) -> Result<(), ServiceError> {
    let tables = service.outbox.tables();
    for _ in 0..MOST_ATTEMPTS {
        let old = service.alarm(context, &input.alarm_name).await?;
        let new = read(context, input.clone(), old.as_ref().map(|old| &*old.value))?;
        let (verb, kind) = if old.is_some() { ("updated", "Update") } else { ("created", "Create") };
        let batch = if let Some(old) = &old {
            tables.batch().replace(old, &new)
        } else {
            if service.alarms(context).await?.len() >= MOST_ALARMS {
                return Err(too_many_alarms());
            }
            tables.batch().create(&new)
        };
        let summary = format!("Alarm \"{}\" {verb}", new.name);
        let data = json!({"type": kind, "version": "1.0", "updatedAlarm": {
            "alarmName": new.name,
            "namespace": new.watch.namespace,
            "metricName": new.watch.metric,
            "statistic": new.watch.statistic,
            "period": new.watch.period,
            "evaluationPeriods": new.watch.evaluation_periods,
            "threshold": new.watch.threshold,
            "comparisonOperator": new.watch.comparison.as_str(),
            "treatMissingData": new.watch.missing.as_str(),
        }});
        let batch = add_history(tables, batch, &new, HistoryKind::ConfigurationUpdate, (summary, data)).await;
        match batch.map_err(from_store)?.commit().await {
            Err(StoreError::Conflict(_)) => {}
            other => return other.map(|_| ()).map_err(from_store),
        }
    }
    Err(from_store(StoreError::Conflict(input.alarm_name)))
}

/// Alarms by name, prefix and state.
pub async fn describe(
    service: &CloudWatchService,
    context: &RequestContext,
    input: DescribeAlarmsInput,
) -> Result<DescribeAlarmsOutput, ServiceError> {
    if input.alarm_names.is_some() && input.alarm_name_prefix.is_some() {
        return Err(crate::errors::combination(
            "AlarmNamePrefix and AlarmNames cannot be specified together.",
        ));
    }
    let mut alarms = service.alarms(context).await?;
    let composite_only = input
        .alarm_types
        .as_ref()
        .is_some_and(|kinds| !kinds.is_empty() && !kinds.contains(&AlarmType::MetricAlarm));
    // Composite alarms, and with them parents and children, are not there; nor are actions.
    let none = composite_only
        || input.children_of_alarm_name.is_some()
        || input.parents_of_alarm_name.is_some()
        || input.action_prefix.is_some();
    alarms.retain(|alarm| {
        !none
            && input.alarm_names.as_ref().is_none_or(|names| names.contains(&alarm.name))
            && input.alarm_name_prefix.as_ref().is_none_or(|prefix| alarm.name.starts_with(prefix))
            && input.state_value.is_none_or(|state| state.as_str() == alarm.state.value.as_str())
    });
    if let Some(token) = &input.next_token {
        alarms.retain(|alarm| alarm.name > *token);
    }
    let limit = usize::try_from(input.max_records.unwrap_or(USUAL)).unwrap_or(1);
    let more = alarms.len() > limit;
    alarms.truncate(limit);
    Ok(DescribeAlarmsOutput {
        composite_alarms: Some(vec![]),
        metric_alarms: Some(alarms.iter().map(|alarm| shown(context, alarm)).collect()),
        next_token: alarms.last().filter(|_| more).map(|alarm| alarm.name.clone()),
    })
}

/// Alarms on a metric.
pub async fn describe_for_metric(
    service: &CloudWatchService,
    context: &RequestContext,
    input: DescribeAlarmsForMetricInput,
) -> Result<DescribeAlarmsForMetricOutput, ServiceError> {
    let dimensions = dimensions_of(input.dimensions)?;
    let statistic =
        input.statistic.map(|statistic| statistic.as_str().to_owned()).or(input.extended_statistic);
    let alarms = service.alarms(context).await?;
    let found = alarms.iter().filter(|alarm| {
        let watch = &alarm.watch;
        watch.namespace == input.namespace
            && watch.metric == input.metric_name
            && watch.dimensions == dimensions
            && statistic.as_ref().is_none_or(|statistic| *statistic == watch.statistic)
            && input.period.is_none_or(|period| i64::from(period) == i64::from(watch.period))
            && input.unit.is_none_or(|unit| watch.unit.as_deref() == Some(unit.as_str()))
    });
    Ok(DescribeAlarmsForMetricOutput {
        metric_alarms: Some(found.map(|alarm| shown(context, alarm)).collect()),
    })
}

/// Deletes alarms, all or none.
pub async fn delete(
    service: &CloudWatchService,
    context: &RequestContext,
    input: DeleteAlarmsInput,
) -> Result<(), ServiceError> {
    let tables = service.outbox.tables();
    let mut found = std::collections::BTreeMap::new();
    for name in input.alarm_names {
        match service.alarm(context, &name).await? {
            Some(alarm) => drop(found.insert(name, alarm)),
            None => return Err(no_alarm()),
        }
    }
    let mut batch = tables.batch();
    for (name, alarm) in &found {
        let item = (format!("Alarm \"{name}\" deleted"), json!({"type": "Delete", "version": "1.0"}));
        let kind = HistoryKind::ConfigurationUpdate;
        batch = add_history(tables, batch.delete(alarm), alarm, kind, item).await.map_err(from_store)?;
    }
    batch.commit().await.map(|_| ()).map_err(from_store)
}

/// Brings an alarm into a state until its next evaluation.
pub async fn set(
    service: &CloudWatchService,
    context: &RequestContext,
    input: SetAlarmStateInput,
) -> Result<(), ServiceError> {
    if input
        .state_reason_data
        .as_ref()
        .is_some_and(|data| serde_json::from_str::<serde_json::Value>(data).is_err())
    {
        return Err(ServiceError::new(&INVALID_FORMAT_FAULT, "StateReasonData is not valid JSON."));
    }
    let value = match input.state_value {
        crate::shapes::StateValue::Ok => StateValue::Ok,
        crate::shapes::StateValue::Alarm => StateValue::Alarm,
        crate::shapes::StateValue::InsufficientData => StateValue::InsufficientData,
    };
    for _ in 0..MOST_ATTEMPTS {
        let Some(alarm) = service.alarm(context, &input.alarm_name).await? else { return Err(no_alarm()) };
        let (reason, data) = (input.state_reason.clone(), input.state_reason_data.clone());
        match set_state(&service.outbox, &alarm, value, reason, data).await {
            Err(event_outbox::OutboxError::Store(StoreError::Conflict(_))) => {}
            other => return other.map_err(from_outbox),
        }
    }
    Err(from_store(StoreError::Conflict(input.alarm_name)))
}

/// Lets changes of state act.
pub async fn enable(
    service: &CloudWatchService,
    context: &RequestContext,
    input: EnableAlarmActionsInput,
) -> Result<(), ServiceError> {
    switch(service, context, input.alarm_names, true).await
}

/// Lets changes of state not act.
pub async fn disable(
    service: &CloudWatchService,
    context: &RequestContext,
    input: DisableAlarmActionsInput,
) -> Result<(), ServiceError> {
    switch(service, context, input.alarm_names, false).await
}

async fn switch(
    service: &CloudWatchService,
    context: &RequestContext,
    names: Vec<String>,
    enabled: bool,
) -> Result<(), ServiceError> {
    for name in names {
        let change =
            |alarm: &Alarm| Ok::<_, StoreError>(Some(Alarm { actions_enabled: enabled, ..alarm.clone() }));
        // Names of no alarm are passed over, as on AWS.
        let key = format!("{}/{name}", context.account);
        service.outbox.tables().update::<Alarm, StoreError>(&key, change).await.map_err(from_store)?;
    }
    Ok(())
}

/// What happened to alarms.
pub async fn history(
    service: &CloudWatchService,
    context: &RequestContext,
    input: DescribeAlarmHistoryInput,
) -> Result<DescribeAlarmHistoryOutput, ServiceError> {
    if input.alarm_contributor_id.is_some() {
        return Err(invalid("AlarmContributorId is not supported by this region."));
    }
    let prefix = format!("{}/", context.account);
    let tables = service.outbox.tables();
    let rows = match &input.alarm_name {
        Some(name) => {
            tables.get::<AlarmHistory>(&(prefix + name)).await.map_err(from_store)?.into_iter().collect()
        }
        None => tables.list_all::<AlarmHistory>(&prefix).await.map_err(from_store)?,
    };
    let mut items: Vec<_> =
        rows.iter().flat_map(|row| row.items.iter().map(move |item| (row.key(), row, item))).collect();
    items.retain(|(_, _, item)| {
        input.history_item_type.is_none_or(|kind| kind.as_str() == item.kind.as_str())
            && input.start_date.is_none_or(|start| item.time >= start)
            && input.end_date.is_none_or(|end| item.time <= end)
    });
    items.sort_by(|(a_key, _, a), (b_key, _, b)| (a.time, a_key).cmp(&(b.time, b_key)));
    if input.scan_by != Some(ScanBy::TimestampAscending) {
        items.reverse();
    }
    let after = match &input.next_token {
        Some(token) => token.parse::<usize>().map_err(|_| invalid_token())?,
        None => 0,
    };
    let limit = usize::try_from(input.max_records.unwrap_or(USUAL_ITEMS)).unwrap_or(1);
    let rest = &items[after.min(items.len())..];
    let page = rest.iter().take(limit).map(|(_, row, item)| AlarmHistoryItem {
        alarm_name: Some(row.alarm.clone()),
        alarm_type: Some(AlarmType::MetricAlarm),
        history_data: Some(item.data.clone()),
        history_item_type: item.kind.as_str().parse().ok(),
        history_summary: Some(item.summary.clone()),
        timestamp: Some(item.time),
        ..AlarmHistoryItem::default()
    });
    Ok(DescribeAlarmHistoryOutput {
        alarm_history_items: Some(page.collect()),
        next_token: (rest.len() > limit).then(|| (after + limit).to_string()),
    })
}
