//! Every operation with its documented errors, over files in a temporary directory.

mod alarms;

use crate::CloudWatchService;
use crate::shapes::{
    CloudWatch, Dimension, DimensionFilter, GetMetricDataInput, GetMetricStatisticsInput, ListMetricsInput,
    Metric, MetricDataQuery, MetricDatum, MetricStat, PutMetricDataInput, ScanBy, StandardUnit, Statistic,
    StatisticSet, StatusCode,
};
use aws_wire::{RequestContext, ServiceError};
use blob_store::BlobStore;
use environment::{Environment, Timestamp};
use metric_store::Metrics;
use std::net::{IpAddr, Ipv4Addr};

/// The time of every test in seconds, a whole hour.
const NOW: i64 = 1_700_002_800;

struct Bench {
    _dir: tempfile::TempDir,
    service: CloudWatchService,
    context: RequestContext,
}

impl Bench {
    async fn new() -> Self {
        let (environment, _) = Environment::simulated(Timestamp::from_seconds(NOW), 1);
        let dir = tempfile::tempdir().expect("a directory");
        let blobs = BlobStore::local(dir.path(), environment.clone()).expect("opens");
        let metrics = Metrics::open(blobs, environment.clone()).await.expect("opens");
        let tables = store::Tables::new(store::MemoryStore::new(environment.clone()), environment.clone());
        let outbox = event_outbox::Outbox::new(tables, "us-east-1".parse().expect("a region"));
        let context = RequestContext {
            account: "123456789012".parse().expect("an account"),
            region: "us-east-1".parse().expect("a region"),
            principal_arn: "arn:aws:iam::123456789012:root".into(),
            principal_id: "123456789012".into(),
            request_id: "r".into(),
            source_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
            host: "localhost:4566".into(),
            time: Timestamp::from_seconds(NOW),
            extensions: aws_wire::Extensions::new(),
        };
        Self { _dir: dir, service: CloudWatchService::new(metrics, outbox), context }
    }

    async fn put(&self, data: Vec<MetricDatum>) -> Result<(), ServiceError> {
        let input = PutMetricDataInput {
            namespace: "shop".to_owned(),
            metric_data: Some(data),
            ..Default::default()
        };
        self.service.put_metric_data(&self.context, input).await
    }
}

fn datum(name: &str, second: i64, value: f64) -> MetricDatum {
    MetricDatum {
        metric_name: name.to_owned(),
        timestamp: Some(Timestamp::from_seconds(NOW + second)),
        value: Some(value),
        ..Default::default()
    }
}

fn with_dimension(datum: MetricDatum, value: &str) -> MetricDatum {
    MetricDatum { dimensions: Some(vec![dimension(value)]), ..datum }
}

fn dimension(value: &str) -> Dimension {
    Dimension { name: "host".to_owned(), value: value.to_owned() }
}

fn statistics(name: &str) -> GetMetricStatisticsInput {
    GetMetricStatisticsInput {
        namespace: "shop".to_owned(),
        metric_name: name.to_owned(),
        start_time: Timestamp::from_seconds(NOW - 3600),
        end_time: Timestamp::from_seconds(NOW + 3600),
        period: 60,
        statistics: Some(vec![Statistic::Sum, Statistic::SampleCount]),
        ..Default::default()
    }
}

fn query(id: &str, name: &str, stat: &str) -> MetricDataQuery {
    MetricDataQuery {
        id: id.to_owned(),
        metric_stat: Some(MetricStat {
            metric: Metric {
                namespace: Some("shop".to_owned()),
                metric_name: Some(name.to_owned()),
                dimensions: None,
            },
            period: 60,
            stat: stat.to_owned(),
            unit: None,
        }),
        ..Default::default()
    }
}

fn data(queries: Vec<MetricDataQuery>) -> GetMetricDataInput {
    GetMetricDataInput {
        metric_data_queries: queries,
        start_time: Timestamp::from_seconds(NOW - 3600),
        end_time: Timestamp::from_seconds(NOW + 3600),
        ..Default::default()
    }
}

fn told<T: std::fmt::Debug>(result: Result<T, ServiceError>) -> (&'static str, String) {
    let error = result.expect_err("is refused");
    (error.shape.name, error.message.into_owned())
}

#[tokio::test]
async fn samples_become_statistics() {
    let bench = Bench::new().await;
    let several = MetricDatum {
        value: None,
        values: Some(vec![10.0, 20.0]),
        counts: Some(vec![1.0, 3.0]),
        unit: Some(StandardUnit::Bytes),
        ..datum("m", 60, 0.0)
    };
    let data =
        vec![datum("m", 0, 1.0), datum("m", 59, 2.0), several, with_dimension(datum("m", 0, 50.0), "a")];
    bench.put(data).await.expect("puts");
    let answer = bench.service.get_metric_statistics(&bench.context, statistics("m")).await.expect("answers");
    let points = answer.datapoints.expect("points");
    let shown: Vec<_> = points.iter().map(|point| (point.sum, point.sample_count, point.unit)).collect();
    let expected = [
        (Some(3.0), Some(2.0), Some(StandardUnit::None)),
        (Some(70.0), Some(4.0), Some(StandardUnit::Bytes)),
    ];
    assert_eq!(shown, expected);
    assert_eq!((points[0].average, points[0].timestamp), (None, Some(Timestamp::from_seconds(NOW))));
    let percentiles = GetMetricStatisticsInput {
        statistics: None,
        extended_statistics: Some(vec!["p50".to_owned(), "p25".to_owned()]),
        unit: Some(StandardUnit::Bytes),
        period: 3600,
        ..statistics("m")
    };
    let answer = bench.service.get_metric_statistics(&bench.context, percentiles).await.expect("answers");
    let found = answer.datapoints.expect("points").remove(0).extended_statistics.expect("percentiles");
    assert_eq!((found["p50"], found["p25"]), (20.0, 10.0));
    let of_host = GetMetricStatisticsInput { dimensions: Some(vec![dimension("a")]), ..statistics("m") };
    let answer = bench.service.get_metric_statistics(&bench.context, of_host).await.expect("answers");
    assert_eq!(answer.datapoints.expect("points")[0].sum, Some(50.0));
}

#[tokio::test]
async fn wrong_samples_are_refused_and_none_is_kept() {
    let bench = Bench::new().await;
    let both = MetricDatum { values: Some(vec![1.0]), ..datum("m", 0, 1.0) };
    let uneven =
        MetricDatum { value: None, values: Some(vec![1.0]), counts: Some(vec![]), ..datum("m", 0, 1.0) };
    let summary = MetricDatum {
        value: None,
        statistic_values: Some(StatisticSet { sample_count: 1.0, sum: 1.0, minimum: 2.0, maximum: 1.0 }),
        ..datum("m", 0, 1.0)
    };
    for (wrong, code) in [
        (datum("m", 0, f64::NAN), "InvalidParameterValueException"),
        (both, "InvalidParameterCombinationException"),
        (uneven, "InvalidParameterValueException"),
        (summary, "InvalidParameterValueException"),
        (MetricDatum { value: None, ..datum("m", 0, 1.0) }, "MissingRequiredParameterException"),
        (datum("m", -15 * 24 * 3600, 1.0), "InvalidParameterValueException"),
        (datum("m", 3 * 3600, 1.0), "InvalidParameterValueException"),
        (MetricDatum { storage_resolution: Some(7), ..datum("m", 0, 1.0) }, "InvalidParameterValueException"),
    ] {
        assert_eq!(told(bench.put(vec![datum("m", 0, 1.0), wrong]).await).0, code);
    }
    assert_eq!(told(bench.put(vec![]).await).0, "MissingRequiredParameterException");
    let reserved = PutMetricDataInput { namespace: "AWS/ECS".to_owned(), ..Default::default() };
    let refused = bench.service.put_metric_data(&bench.context, reserved).await;
    assert_eq!(told(refused).1, "The value AWS/ for parameter Namespace is invalid.");
    let answer = bench.service.get_metric_statistics(&bench.context, statistics("m")).await.expect("answers");
    assert_eq!(answer.datapoints, Some(vec![]));
}

#[tokio::test]
async fn wrong_statistics_are_refused() {
    let bench = Bench::new().await;
    let get = |input| bench.service.get_metric_statistics(&bench.context, input);
    let none = GetMetricStatisticsInput { statistics: None, ..statistics("m") };
    let neither = told(get(none).await).1;
    assert_eq!(neither, "Must specify either Statistics or ExtendedStatistics");
    let backwards = GetMetricStatisticsInput { end_time: Timestamp::from_seconds(0), ..statistics("m") };
    assert_eq!(told(get(backwards).await).0, "InvalidParameterValueException");
    let many = GetMetricStatisticsInput { period: 1, ..statistics("m") };
    assert_eq!(told(get(many).await).0, "InvalidParameterCombinationException");
    let period = GetMetricStatisticsInput { period: 61, ..statistics("m") };
    assert_eq!(told(get(period).await).0, "InvalidParameterValueException");
    let trimmed =
        GetMetricStatisticsInput { extended_statistics: Some(vec!["tm99".to_owned()]), ..statistics("m") };
    assert_eq!(told(get(trimmed).await).0, "InvalidParameterValueException");
}

#[tokio::test]
async fn data_of_several_metrics_comes_in_pages() {
    let bench = Bench::new().await;
    let samples = vec![datum("a", 0, 1.0), datum("a", 60, 2.0), datum("b", 0, 3.0), datum("b", 60, 4.0)];
    bench.put(samples).await.expect("puts");
    let ask = |input| bench.service.get_metric_data(&bench.context, input);
    let queries = vec![query("first", "a", "Sum"), query("second", "b", "Maximum")];
    let answer = ask(data(queries.clone())).await.expect("answers");
    let results = answer.metric_data_results.expect("results");
    assert_eq!(results[0].values, Some(vec![2.0, 1.0]), "newest first");
    assert_eq!(
        (results[1].label.as_deref(), results[1].status_code),
        (Some("b"), Some(StatusCode::Complete))
    );
    let page = GetMetricDataInput {
        max_datapoints: Some(3),
        scan_by: Some(ScanBy::TimestampAscending),
        ..data(queries.clone())
    };
    let first = ask(page.clone()).await.expect("answers");
    let results = first.metric_data_results.expect("results");
    assert_eq!(
        (results[1].values.clone(), results[1].status_code),
        (Some(vec![3.0]), Some(StatusCode::PartialData))
    );
    let next = ask(GetMetricDataInput { next_token: first.next_token, ..page }).await.expect("answers");
    let results = next.metric_data_results.expect("results");
    assert_eq!((results[0].values.clone(), results[1].values.clone()), (Some(vec![]), Some(vec![4.0])));
    assert_eq!(next.next_token, None);
    let expression =
        MetricDataQuery { expression: Some("a*2".to_owned()), metric_stat: None, ..query("e", "a", "Sum") };
    let refused = told(ask(data(vec![expression])).await);
    assert!(
        refused.0 == "ValidationError" && refused.1.contains("not supported by this region"),
        "{refused:?}"
    );
    let same = GetMetricDataInput { end_time: Timestamp::from_seconds(NOW - 3600), ..data(queries.clone()) };
    assert_eq!(told(ask(same).await).1, "The parameter StartTime must not equal parameter EndTime.");
    assert_eq!(told(ask(data(vec![query("Upper", "a", "Sum")])).await).0, "ValidationError");
}

#[tokio::test]
async fn metrics_are_listed_by_what_they_are() {
    let bench = Bench::new().await;
    let mut samples: Vec<MetricDatum> = (0..501).map(|n| datum(&format!("m{n:03}"), 0, 1.0)).collect();
    samples.push(with_dimension(datum("n", 0, 1.0), "a"));
    samples.push(with_dimension(datum("n", -4 * 3600, 1.0), "b"));
    bench.put(samples).await.expect("puts");
    let list = |input| bench.service.list_metrics(&bench.context, input);
    let first = list(ListMetricsInput::default()).await.expect("lists");
    assert_eq!(first.metrics.map(|metrics| metrics.len()), Some(500));
    let rest = ListMetricsInput { next_token: first.next_token, ..Default::default() };
    let rest = list(rest).await.expect("lists");
    assert_eq!((rest.metrics.map(|metrics| metrics.len()), rest.next_token), (Some(3), None));
    let filter = |value: Option<&str>| {
        Some(vec![DimensionFilter { name: "host".to_owned(), value: value.map(str::to_owned) }])
    };
    for (input, expected) in [
        (ListMetricsInput { metric_name: Some("n".to_owned()), ..Default::default() }, 2),
        (ListMetricsInput { dimensions: filter(None), ..Default::default() }, 2),
        (ListMetricsInput { dimensions: filter(Some("a")), ..Default::default() }, 1),
        (ListMetricsInput { namespace: Some("other".to_owned()), ..Default::default() }, 0),
    ] {
        assert_eq!(list(input).await.expect("lists").metrics.map(|metrics| metrics.len()), Some(expected));
    }
    let bad = ListMetricsInput { next_token: Some("x".to_owned()), ..Default::default() };
    assert_eq!(
        told(list(bad).await),
        ("InvalidNextToken", "Request parameter NextToken is invalid".to_owned())
    );
}
