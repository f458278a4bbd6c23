//! GetMetricStatistics.

use crate::CloudWatchService;
use crate::errors::{combination, from_metrics, invalid};
use crate::metrics::{check_period, rounded_start, seconds, series};
use crate::shapes::{self, Datapoint, GetMetricStatisticsInput, GetMetricStatisticsOutput, StandardUnit};
use aws_wire::{FromNode, Node, RequestContext, ServiceError};
use environment::Timestamp;
use metric_store::{Point, Statistic, Wanted};

/// Data points of an answer.
const MOST_POINTS: i64 = 1440;

/// Statistics of a metric, period by period.
pub async fn run(
    service: &CloudWatchService,
    context: &RequestContext,
    input: GetMetricStatisticsInput,
) -> Result<GetMetricStatisticsOutput, ServiceError> {
    let statistics = input.statistics.as_deref().unwrap_or_default();
    let extended = input.extended_statistics.as_deref().unwrap_or_default();
    if statistics.is_empty() && extended.is_empty() {
        return Err(combination("Must specify either Statistics or ExtendedStatistics"));
    }
    let mut percentiles = Vec::new();
    for text in extended {
        let found = Statistic::parse(text).filter(|found| matches!(found, Statistic::Percentile(_)));
        let unsupported =
            || invalid(format!("The value {text} for parameter ExtendedStatistic is not supported."));
        percentiles.push((text, found.ok_or_else(unsupported)?));
    }
    // Moments count by the second.
    if seconds(input.start_time) >= seconds(input.end_time) {
        return Err(invalid("The parameter StartTime must be less than the parameter EndTime."));
    }
    let period = check_period(input.period)?;
    let start = rounded_start(input.start_time, period, service.environment.now());
    let end = seconds(input.end_time);
    let points = (end - start).div_euclid(period);
    if points > MOST_POINTS {
        return Err(combination(format!(
            "You have requested up to {points} datapoints, which exceeds the limit of 1,440. You may reduce the \
             datapoints requested by increasing Period, or decreasing the time range."
        )));
    }
    let dimensions = input.dimensions.as_deref().unwrap_or_default();
    let wanted = Wanted {
        series: series(context, &input.namespace, &input.metric_name, dimensions)?,
        unit: input.unit.map(|unit| unit.as_str().to_owned()),
        start,
        end,
        period,
    };
    let found = service.metrics.read(&wanted).await.map_err(from_metrics)?;
    let render = |point: Point| {
        let asked = |statistic: shapes::Statistic| {
            let computed = Statistic::parse(statistic.as_str())?;
            statistics.contains(&statistic).then(|| computed.of(&point.values)).flatten()
        };
        let named = percentiles.iter();
        let named =
            named.filter_map(|(text, statistic)| Some(((*text).clone(), statistic.of(&point.values)?)));
        let named: std::collections::BTreeMap<String, f64> = named.collect();
        Datapoint {
            timestamp: Some(Timestamp::from_seconds(point.start)),
            sample_count: asked(shapes::Statistic::SampleCount),
            average: asked(shapes::Statistic::Average),
            sum: asked(shapes::Statistic::Sum),
            minimum: asked(shapes::Statistic::Minimum),
            maximum: asked(shapes::Statistic::Maximum),
            unit: StandardUnit::from_node(Node::Text(point.unit)).ok(),
            extended_statistics: (!named.is_empty()).then_some(named),
        }
    };
    let datapoints = found.into_iter().map(render).collect();
    Ok(GetMetricStatisticsOutput { label: Some(input.metric_name), datapoints: Some(datapoints) })
}
