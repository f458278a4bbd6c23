//! PutMetricData.

use crate::CloudWatchService;
use crate::errors::{combination, from_metrics, invalid, missing};
use crate::metrics::{MINUTE, seconds, series};
use crate::shapes::{MetricDatum, PutMetricDataInput};
use aws_wire::{RequestContext, ServiceError};
use environment::Timestamp;
use metric_store::{Distribution, Sample};
use std::time::Duration;

/// Metrics of a request.
const MOST_METRICS: usize = 1000;
/// Values of a metric in a request.
const MOST_VALUES: usize = 150;
/// How old a sample may be, and how far ahead.
const OLDEST: Duration = Duration::from_secs(14 * 24 * 3600);
const NEWEST: Duration = Duration::from_secs(2 * 3600);

/// Keeps samples. The entities that some clients name beside are not kept.
pub async fn run(
    service: &CloudWatchService,
    context: &RequestContext,
    input: PutMetricDataInput,
) -> Result<(), ServiceError> {
    if input.namespace.starts_with("AWS/") {
        return Err(invalid("The value AWS/ for parameter Namespace is invalid."));
    }
    if input.strict_entity_validation == Some(true) {
        return Err(invalid(
            "Entities are not supported by this region: StrictEntityValidation cannot be true.",
        ));
    }
    let plain = input.metric_data.unwrap_or_default();
    let of_entities = input.entity_metric_data.unwrap_or_default();
    let of_entities = of_entities.into_iter().flat_map(|entity| entity.metric_data.unwrap_or_default());
    let data: Vec<MetricDatum> = plain.into_iter().chain(of_entities).collect();
    if data.is_empty() {
        return Err(missing("The parameter MetricData is required."));
    }
    if data.len() > MOST_METRICS {
        return Err(invalid(format!(
            "The collection MetricData must not have a size greater than {MOST_METRICS}."
        )));
    }
    let now = service.environment.now();
    let mut samples = Vec::new();
    for (index, datum) in data.iter().enumerate() {
        let parameter = format!("MetricData.member.{}", index + 1);
        let series = series(
            context,
            &input.namespace,
            &datum.metric_name,
            datum.dimensions.as_deref().unwrap_or_default(),
        )?;
        samples.push(Sample {
            series,
            unit: datum.unit.map_or("None", |unit| unit.as_str()).to_owned(),
            second: second(datum, now, &parameter)?,
            values: values(datum, &parameter)?,
        });
    }
    service.metrics.put(&samples).await.map_err(from_metrics)
}

/// The second of the point that a sample belongs to.
fn second(datum: &MetricDatum, now: Timestamp, parameter: &str) -> Result<i64, ServiceError> {
    let time = datum.timestamp.unwrap_or(now);
    if time < now - OLDEST || time > now + NEWEST {
        return Err(invalid(format!(
            "The parameter {parameter}.Timestamp must specify a time no more than two weeks in the past and two hours \
             in the future."
        )));
    }
    match datum.storage_resolution {
        Some(1) => Ok(seconds(time)),
        None | Some(60) => Ok(seconds(time) - seconds(time).rem_euclid(MINUTE)),
        Some(_) => Err(invalid(format!("The parameter {parameter}.StorageResolution must be 1 or 60."))),
    }
}

fn values(datum: &MetricDatum, parameter: &str) -> Result<Distribution, ServiceError> {
    let exclusive = |one: &str, other: &str| {
        combination(format!(
            "The parameters {parameter}.{one} and {parameter}.{other} are mutually exclusive and you have specified \
             both."
        ))
    };
    match (datum.value, &datum.values, &datum.statistic_values) {
        (Some(_), Some(_), _) => Err(exclusive("Value", "Values")),
        (Some(_), _, Some(_)) => Err(exclusive("Value", "StatisticValues")),
        (_, Some(_), Some(_)) => Err(exclusive("Values", "StatisticValues")),
        (Some(value), None, None) => one(value, 1.0, &format!("{parameter}.Value")),
        (None, Some(values), None) => several(values, datum.counts.as_deref(), parameter),
        (None, None, Some(set)) => {
            let numbers = [set.sample_count, set.sum, set.minimum, set.maximum];
            let [count, sum, minimum, maximum] = numbers;
            Distribution::of_summary(count, sum, minimum, maximum).map_err(|_| {
                invalid(format!("The value for parameter {parameter}.StatisticValues is invalid."))
            })
        }
        (None, None, None) => Err(missing(format!(
            "At least one of the parameters {parameter}.Value, {parameter}.Values or {parameter}.StatisticValues must \
             be specified."
        ))),
    }
}

fn several(values: &[f64], counts: Option<&[f64]>, parameter: &str) -> Result<Distribution, ServiceError> {
    if values.is_empty() || values.len() > MOST_VALUES {
        return Err(invalid(format!(
            "The collection {parameter}.Values must have a size from 1 to {MOST_VALUES}."
        )));
    }
    if counts.is_some_and(|counts| counts.len() != values.len()) {
        return Err(invalid(format!(
            "The parameters {parameter}.Values and {parameter}.Counts must be of the same size."
        )));
    }
    let mut all = Distribution::default();
    for (index, value) in values.iter().enumerate() {
        let count = counts.and_then(|counts| counts.get(index)).copied().unwrap_or(1.0);
        all.merge(&one(*value, count, &format!("{parameter}.Values.member.{}", index + 1))?);
    }
    Ok(all)
}

fn one(value: f64, count: f64, parameter: &str) -> Result<Distribution, ServiceError> {
    Distribution::of_value(value, count).map_err(|_| {
        let wrong = if value.is_finite() { count } else { value };
        invalid(format!("The value {wrong} for parameter {parameter} is invalid."))
    })
}
