//! Alarms: from the wire, checked and refused, and back.

use crate::errors::{combination, invalid, missing, validation};
use crate::metrics::check_period;
use crate::shapes::{self as wire, Dimension, MetricAlarm, PutMetricAlarmInput};
use alarm_states::alarm_arn;
use aws_wire::{RequestContext, ServiceError};
use metric_store::Statistic;
use resources::cloudwatch::{Alarm, AlarmState, AlarmWatch, Comparison, MissingData, StateValue};
use std::collections::BTreeMap;

/// Longest time that an alarm looks at, for periods below an hour and from an hour on.
const DAY: i64 = 86_400;
const WEEK: i64 = 7 * DAY;
/// Most tags of an alarm.
const MOST_TAGS: usize = 50;

/// What a request makes of an alarm. State and tags of one that is there stay.
pub fn read(
    context: &RequestContext,
    input: PutMetricAlarmInput,
    old: Option<&Alarm>,
) -> Result<Alarm, ServiceError> {
    let PutMetricAlarmInput {
        actions_enabled,
        alarm_actions,
        alarm_description,
        alarm_name,
        comparison_operator,
        datapoints_to_alarm,
        dimensions,
        evaluate_low_sample_count_percentile,
        evaluation_criteria,
        evaluation_interval,
        evaluation_periods,
        extended_statistic,
        insufficient_data_actions,
        metric_name,
        metrics,
        namespace,
        ok_actions,
        period,
        statistic,
        tags,
        threshold,
        threshold_metric_id,
        treat_missing_data,
        unit,
    } = input;
    for actions in [&alarm_actions, &insufficient_data_actions, &ok_actions] {
        refuse_actions(actions.as_deref().unwrap_or_default())?;
    }
    if metrics.is_some_and(|metrics| !metrics.is_empty()) {
        return Err(validation(
            "Metrics: alarms on metric math are not supported by this region; give MetricName.",
        ));
    }
    if threshold_metric_id.is_some() || evaluation_criteria.is_some() || evaluation_interval.is_some() {
        return Err(validation(
            "Anomaly detection and PromQL alarms are not supported by this region: ThresholdMetricId, \
             EvaluationCriteria and EvaluationInterval must not be given.",
        ));
    }
    let statistic = statistic_of(statistic, extended_statistic)?;
    let period = check_period(period.ok_or_else(|| missing("The parameter Period is required."))?)?;
    let evaluation_periods =
        evaluation_periods.ok_or_else(|| missing("The parameter EvaluationPeriods is required."))?;
    check_length(period, i64::from(evaluation_periods))?;
    if datapoints_to_alarm.is_some_and(|points| points > evaluation_periods) {
        return Err(validation("DatapointsToAlarm must be less than or equal to EvaluationPeriods."));
    }
    let positive = |number: i64| u32::try_from(number).unwrap_or(1);
    let watch = AlarmWatch {
        namespace: namespace.ok_or_else(|| missing("The parameter Namespace is required."))?,
        metric: metric_name.ok_or_else(|| missing("The parameter MetricName is required."))?,
        dimensions: dimensions_of(dimensions)?,
        statistic,
        unit: unit.map(|unit| unit.as_str().to_owned()),
        period: positive(period),
        evaluation_periods: positive(evaluation_periods.into()),
        datapoints_to_alarm: datapoints_to_alarm.map(|points| positive(points.into())),
        threshold: threshold
            .filter(|threshold| threshold.is_finite())
            .ok_or_else(|| missing("The parameter Threshold is required."))?,
        comparison: comparison(
            comparison_operator.ok_or_else(|| missing("The parameter ComparisonOperator is required."))?,
        )?,
        missing: missing_data(treat_missing_data.as_deref())?,
        low_samples: low_samples(evaluate_low_sample_count_percentile)?,
    };
    Ok(Alarm {
        account: context.account.clone(),
        name: alarm_name,
        description: alarm_description,
        actions_enabled: actions_enabled.unwrap_or(true),
        watch,
        tags: match old {
            Some(old) => old.tags.clone(),
            None => merged_tags(tags.unwrap_or_default(), vec![])?,
        },
        configured_at: context.time,
        state: old.map_or_else(
            || AlarmState {
                value: StateValue::InsufficientData,
                reason: "Unchecked: Initial alarm creation".to_owned(),
                data: None,
                updated_at: context.time,
                transitioned_at: context.time,
            },
            |old| old.state.clone(),
        ),
    })
}

/// This region has nothing that an action could call: the event of each change goes to EventBridge, and rules act.
fn refuse_actions(actions: &[String]) -> Result<(), ServiceError> {
    match actions.first() {
        Some(action) => Err(validation(format!(
            "Invalid arn syntax or unsupported action: {action}. This region has no SNS topics, Lambda functions, EC2, \
             SSM or scaling actions of alarms; make an EventBridge rule for 'CloudWatch Alarm State Change' instead."
        ))),
        None => Ok(()),
    }
}

fn statistic_of(
    statistic: Option<wire::Statistic>,
    extended: Option<String>,
) -> Result<String, ServiceError> {
    match (statistic, extended) {
        (Some(statistic), None) => Ok(statistic.as_str().to_owned()),
        (None, Some(text)) => match Statistic::parse(&text) {
            Some(Statistic::Percentile(_)) => Ok(text),
            _ => Err(invalid(format!("The value {text} for parameter ExtendedStatistic is not supported."))),
        },
        (Some(_), Some(_)) => {
            Err(combination("Statistic and ExtendedStatistic cannot be specified together."))
        }
        (None, None) => Err(missing("Must specify either Statistic or ExtendedStatistic")),
    }
}

fn check_length(period: i64, periods: i64) -> Result<(), ServiceError> {
    let most = if period < 3_600 { DAY } else { WEEK };
    if period.saturating_mul(periods) <= most {
        return Ok(());
    }
    let days = if most == DAY { "a day" } else { "7 days" };
    Err(validation(format!(
        "Metrics cannot be checked across more than {days} (EvaluationPeriods * Period must be <= {most})."
    )))
}

/// Dimensions by name.
pub fn dimensions_of(given: Option<Vec<Dimension>>) -> Result<BTreeMap<String, String>, ServiceError> {
    let mut found = BTreeMap::new();
    for dimension in given.unwrap_or_default() {
        if found.insert(dimension.name.clone(), dimension.value).is_some() {
            return Err(invalid(format!("The dimension {} is given more than once.", dimension.name)));
        }
    }
    Ok(found)
}

fn comparison(given: wire::ComparisonOperator) -> Result<Comparison, ServiceError> {
    Ok(match given {
        wire::ComparisonOperator::GreaterThanOrEqualToThreshold => Comparison::GreaterOrEqual,
        wire::ComparisonOperator::GreaterThanThreshold => Comparison::Greater,
        wire::ComparisonOperator::LessThanThreshold => Comparison::Less,
        wire::ComparisonOperator::LessThanOrEqualToThreshold => Comparison::LessOrEqual,
        other => {
            return Err(validation(format!(
                "{} is for anomaly detection, which is not supported by this region.",
                other.as_str()
            )));
        }
    })
}

fn missing_data(given: Option<&str>) -> Result<MissingData, ServiceError> {
    Ok(match given {
        None | Some("missing") => MissingData::Missing,
        Some("ignore") => MissingData::Ignore,
        Some("breaching") => MissingData::Breaching,
        Some("notBreaching") => MissingData::NotBreaching,
        Some(other) => {
            return Err(invalid(format!("Option {other} is not supported for parameter TreatMissingData.")));
        }
    })
}

fn low_samples(given: Option<String>) -> Result<Option<String>, ServiceError> {
    match given.as_deref() {
        None | Some("evaluate") => Ok(given),
        // Few samples are evaluated always.
        Some("ignore") => {
            Err(validation("EvaluateLowSampleCountPercentile: only evaluate is supported by this region."))
        }
        Some(other) => Err(validation(format!(
            "Option {other} is not supported. Supported options for parameter EvaluateLowSampleCountPercentile are \
             evaluate and ignore."
        ))),
    }
}

/// Tags with those given put over those there were.
pub fn merged_tags(
    given: Vec<wire::Tag>,
    mut tags: Vec<(String, String)>,
) -> Result<Vec<(String, String)>, ServiceError> {
    for wire::Tag { key, value } in given {
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(invalid("Tag keys that start with aws: are reserved for AWS use."));
        }
        match tags.iter_mut().find(|(own, _)| *own == key) {
            Some((_, own)) => *own = value,
            None => tags.push((key, value)),
        }
    }
    if tags.len() > MOST_TAGS {
        return Err(invalid("An alarm can have at most 50 tags."));
    }
    Ok(tags)
}

/// An alarm as the API shows it.
pub fn shown(context: &RequestContext, alarm: &Alarm) -> MetricAlarm {
    let watch = &alarm.watch;
    let percentile = watch.statistic.starts_with('p');
    let dimensions =
        watch.dimensions.iter().map(|(name, value)| Dimension { name: name.clone(), value: value.clone() });
    let number = |number: u32| i32::try_from(number).ok();
    MetricAlarm {
        actions_enabled: Some(alarm.actions_enabled),
        alarm_actions: Some(vec![]),
        alarm_arn: Some(alarm_arn(&context.region, alarm)),
        alarm_configuration_updated_timestamp: Some(alarm.configured_at),
        alarm_description: alarm.description.clone(),
        alarm_name: Some(alarm.name.clone()),
        comparison_operator: watch.comparison.as_str().parse().ok(),
        datapoints_to_alarm: watch.datapoints_to_alarm.and_then(number),
        dimensions: Some(dimensions.collect()),
        evaluate_low_sample_count_percentile: watch.low_samples.clone(),
        evaluation_periods: number(watch.evaluation_periods),
        extended_statistic: percentile.then(|| watch.statistic.clone()),
        insufficient_data_actions: Some(vec![]),
        metric_name: Some(watch.metric.clone()),
        namespace: Some(watch.namespace.clone()),
        ok_actions: Some(vec![]),
        period: number(watch.period),
        state_reason: Some(alarm.state.reason.clone()),
        state_reason_data: alarm.state.data.clone(),
        state_transitioned_timestamp: Some(alarm.state.transitioned_at),
        state_updated_timestamp: Some(alarm.state.updated_at),
        state_value: alarm.state.value.as_str().parse().ok(),
        statistic: watch.statistic.parse().ok(),
        threshold: Some(watch.threshold),
        treat_missing_data: (watch.missing != MissingData::Missing)
            .then(|| watch.missing.as_str().to_owned()),
        unit: watch.unit.as_ref().and_then(|unit| unit.parse().ok()),
        ..MetricAlarm::default()
    }
}
