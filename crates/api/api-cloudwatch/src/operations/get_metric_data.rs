//! GetMetricData.

use crate::CloudWatchService;
use crate::errors::{from_metrics, invalid_token, validation};
use crate::metrics::{check_period, required, rounded_start, seconds, series};
use crate::shapes::{
    GetMetricDataInput, GetMetricDataOutput, MetricDataQuery, MetricDataResult, MetricStat, ScanBy,
    StatusCode,
};
use aws_wire::{RequestContext, ServiceError};
use environment::Timestamp;
use metric_store::{Distribution, Statistic, Wanted};
use std::collections::{BTreeMap, HashSet};

/// Queries of a request.
const MOST_QUERIES: usize = 500;
/// Data points of an answer.
const MOST_POINTS: usize = 100_800;

/// Statistics of several metrics. What an answer has no room for is on the next page.
pub async fn run(
    service: &CloudWatchService,
    context: &RequestContext,
    input: GetMetricDataInput,
) -> Result<GetMetricDataOutput, ServiceError> {
    check(&input)?;
    let mut skip = match &input.next_token {
        Some(text) => text.parse::<usize>().map_err(|_| invalid_token())?,
        None => 0,
    };
    let most = input.max_datapoints.and_then(|most| usize::try_from(most).ok()).filter(|most| *most > 0);
    let mut room = most.unwrap_or(MOST_POINTS).min(MOST_POINTS);
    let (given, mut left_out) = (skip, false);
    let mut used = 0;
    let mut results = Vec::new();
    for query in input.metric_data_queries.iter().filter(|query| query.return_data != Some(false)) {
        let points = points(service, context, query, &input).await?;
        let here = &points[skip.min(points.len())..];
        skip -= skip.min(points.len());
        let shown = &here[..here.len().min(room)];
        let whole = shown.len() == here.len();
        left_out |= !whole;
        room -= shown.len();
        used += shown.len();
        results.push(MetricDataResult {
            id: Some(query.id.clone()),
            label: Some(query.label.clone().unwrap_or_else(|| default_label(query))),
            timestamps: Some(shown.iter().map(|(time, _)| *time).collect()),
            values: Some(shown.iter().map(|(_, value)| *value).collect()),
            status_code: Some(if whole { StatusCode::Complete } else { StatusCode::PartialData }),
            messages: None,
        });
    }
    Ok(GetMetricDataOutput {
        metric_data_results: Some(results),
        next_token: left_out.then(|| (given + used).to_string()),
        messages: Some(vec![]),
    })
}

fn check(input: &GetMetricDataInput) -> Result<(), ServiceError> {
    // Moments count by the second.
    if seconds(input.start_time) == seconds(input.end_time) {
        return Err(validation("The parameter StartTime must not equal parameter EndTime."));
    }
    if input.start_time > input.end_time {
        return Err(validation("The parameter EndTime must be greater than StartTime."));
    }
    let queries = &input.metric_data_queries;
    if queries.is_empty() || queries.len() > MOST_QUERIES {
        return Err(validation(format!(
            "The collection MetricDataQueries must have a size from 1 to {MOST_QUERIES}."
        )));
    }
    let mut ids = HashSet::new();
    for (index, query) in queries.iter().enumerate() {
        if query.metric_stat.is_none() && query.expression.is_none() {
            return Err(validation(format!(
                "The parameter MetricDataQueries.member.{}.MetricStat is required.\n",
                index + 1
            )));
        }
        let begins = query.id.starts_with(|c: char| c.is_ascii_lowercase());
        if !begins || !query.id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(validation(format!(
                "The value {} for parameter MetricDataQueries.member.1.Id is not matching the expected pattern \
                 ^[a-z][a-zA-Z0-9_]*$.",
                query.id
            )));
        }
        if !ids.insert(&query.id) {
            return Err(validation(format!("The id {} is given more than once.", query.id)));
        }
    }
    Ok(())
}

async fn points(
    service: &CloudWatchService,
    context: &RequestContext,
    query: &MetricDataQuery,
    input: &GetMetricDataInput,
) -> Result<Vec<(Timestamp, f64)>, ServiceError> {
    let (stat, series) = match (&query.metric_stat, &query.expression) {
        (Some(stat), None) => (stat, named(context, stat)?),
        (None, Some(expression)) => {
            return Err(validation(format!(
                "Error in expression '{}' [{}]: expressions are not supported by this region.",
                query.id,
                expression.chars().take(100).collect::<String>()
            )));
        }
        _ => {
            return Err(validation(
                "The parameters MetricDataQuery.Expression and MetricDataQuery.MetricStat are mutually exclusive and \
                 exactly one must be specified.",
            ));
        }
    };
    let Some(statistic) = Statistic::parse(&stat.stat) else {
        return Err(validation(format!("The value {} for parameter Stat is not supported.", stat.stat)));
    };
    let period = check_period(stat.period).map_err(|error| validation(error.message))?;
    let start = rounded_start(input.start_time, period, service.environment.now());
    let unit = stat.unit.map(|unit| unit.as_str().to_owned());
    let wanted = Wanted { series, unit, start, end: seconds(input.end_time), period };
    let found = service.metrics.read(&wanted).await.map_err(from_metrics)?;
    // Where no unit is asked for, a time has one value all the same.
    let mut by_time: BTreeMap<i64, Distribution> = BTreeMap::new();
    for point in found {
        by_time.entry(point.start).or_default().merge(&point.values);
    }
    let values = by_time.into_iter();
    let mut points: Vec<(Timestamp, f64)> = values
        .filter_map(|(start, values)| Some((Timestamp::from_seconds(start), statistic.of(&values)?)))
        .collect();
    if input.scan_by != Some(ScanBy::TimestampAscending) {
        points.reverse();
    }
    Ok(points)
}

fn named(context: &RequestContext, stat: &MetricStat) -> Result<metric_store::Series, ServiceError> {
    let metric = &stat.metric;
    let namespace = required(metric.namespace.as_deref(), "MetricStat.Metric.Namespace")?;
    let name = required(metric.metric_name.as_deref(), "MetricStat.Metric.MetricName")?;
    series(context, namespace, name, metric.dimensions.as_deref().unwrap_or_default())
}

fn default_label(query: &MetricDataQuery) -> String {
    let metric = query.metric_stat.as_ref().map(|stat| &stat.metric);
    metric.and_then(|metric| metric.metric_name.clone()).unwrap_or_else(|| query.id.clone())
}
