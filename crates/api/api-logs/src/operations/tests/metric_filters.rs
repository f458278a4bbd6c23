//! Metric filters: kept, tested, and what they make of events.

use super::{Bench, NOW, told};
use crate::shapes::{
    DeleteLogGroupRequest, DeleteMetricFilterRequest, DescribeLogGroupsRequest, DescribeMetricFiltersRequest,
    Logs, MetricTransformation, PutMetricFilterRequest, TestMetricFilterRequest,
};
use metric_store::{Series, Wanted};
use std::collections::BTreeMap;

fn filter(name: &str, pattern: &str, value: &str) -> PutMetricFilterRequest {
    PutMetricFilterRequest {
        log_group_name: "g".to_owned(),
        filter_name: name.to_owned(),
        filter_pattern: pattern.to_owned(),
        metric_transformations: vec![MetricTransformation {
            metric_name: name.to_owned(),
            metric_namespace: "shop".to_owned(),
            metric_value: value.to_owned(),
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// Number of samples and their sum, minute by minute.
async fn points(bench: &Bench, name: &str, dimensions: &[(&str, &str)]) -> Vec<(f64, f64)> {
    let dimensions =
        dimensions.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let series = Series {
        account: "123456789012".to_owned(),
        namespace: "shop".to_owned(),
        name: name.to_owned(),
        dimensions,
    };
    let start = NOW / 1000 - 3600 - (NOW / 1000) % 60;
    let wanted = Wanted { series, unit: None, start, end: start + 7200, period: 60 };
    let found = bench.metrics.read(&wanted).await.expect("reads");
    found.into_iter().map(|point| (point.values.count(), point.values.sum())).collect()
}

#[tokio::test]
async fn events_become_samples() {
    let bench = Bench::new().await;
    let (service, c) = (&bench.service, &bench.context);
    bench.group("g").await.expect("makes a group");
    bench.stream("g", "s").await.expect("makes a stream");
    service.put_metric_filter(c, filter("errors", "ERROR", "1")).await.expect("puts");
    let mut with_default = filter("defaults", "FATAL", "1");
    with_default.metric_transformations[0].default_value = Some(0.0);
    service.put_metric_filter(c, with_default).await.expect("puts");
    let mut by_path = filter("times", "{ $.ms > 0 }", "$.ms");
    by_path.metric_transformations[0].dimensions =
        Some(BTreeMap::from([("Path".to_owned(), "$.path".to_owned())]));
    service.put_metric_filter(c, by_path).await.expect("puts");
    service.put_metric_filter(c, filter("bytes", "[ip, size > 10]", "$size")).await.expect("puts");
    let events = [
        (0, "an ERROR"),
        (1, r#"{"ms":5,"path":"/a"}"#),
        (2, r#"{"ms":7,"path":"/a"}"#),
        (3, "1.2.3.4 20"),
        (120_000, "ERROR again"),
    ];
    bench.put("g", "s", &events).await.expect("puts");
    assert_eq!(points(&bench, "errors", &[]).await, [(1.0, 1.0), (1.0, 1.0)]);
    assert_eq!(points(&bench, "defaults", &[]).await, [(1.0, 0.0), (1.0, 0.0)]);
    assert_eq!(points(&bench, "times", &[("Path", "/a")]).await, [(2.0, 12.0)]);
    assert_eq!(points(&bench, "times", &[]).await, []);
    assert_eq!(points(&bench, "bytes", &[]).await, [(1.0, 20.0)]);
    let groups =
        service.describe_log_groups(c, DescribeLogGroupsRequest::default()).await.expect("describes");
    assert_eq!(groups.log_groups.expect("groups")[0].metric_filter_count, Some(4));
    service.put_metric_filter(c, filter("errors", "again", "5")).await.expect("replaces");
    bench.put("g", "s", &[(180_000, "again")]).await.expect("puts");
    assert_eq!(
        points(&bench, "errors", &[]).await.last(),
        Some(&(1.0, 5.0)),
        "a changed filter counts at once"
    );
}

#[tokio::test]
async fn filters_are_described_and_go_with_their_group() {
    let bench = Bench::new().await;
    let (service, c) = (&bench.service, &bench.context);
    bench.group("g").await.expect("makes a group");
    for name in ["b", "a", "c"] {
        service.put_metric_filter(c, filter(name, "", "1")).await.expect("puts");
    }
    let describe = |limit, next_token| {
        let group = Some("g".to_owned());
        DescribeMetricFiltersRequest { log_group_name: group, limit, next_token, ..Default::default() }
    };
    let first = service.describe_metric_filters(c, describe(Some(2), None)).await.expect("describes");
    assert_eq!(first.metric_filters.expect("two")[0].filter_name.as_deref(), Some("a"));
    let rest = service.describe_metric_filters(c, describe(None, first.next_token)).await.expect("describes");
    assert_eq!((rest.metric_filters.map(|filters| filters.len()), rest.next_token), (Some(1), None));
    let delete = |name: &str| DeleteMetricFilterRequest {
        log_group_name: "g".to_owned(),
        filter_name: name.to_owned(),
    };
    service.delete_metric_filter(c, delete("a")).await.expect("deletes");
    assert_eq!(told(service.delete_metric_filter(c, delete("a")).await).0, "ResourceNotFoundException");
    let by_metric = DescribeMetricFiltersRequest {
        metric_name: Some("b".to_owned()),
        metric_namespace: Some("shop".to_owned()),
        ..Default::default()
    };
    let found = service.describe_metric_filters(c, by_metric.clone()).await.expect("describes");
    assert_eq!(found.metric_filters.map(|filters| filters.len()), Some(1));
    let half = DescribeMetricFiltersRequest { metric_namespace: None, ..by_metric.clone() };
    assert_eq!(told(service.describe_metric_filters(c, half).await).0, "InvalidParameterException");
    service
        .delete_log_group(c, DeleteLogGroupRequest { log_group_name: "g".to_owned() })
        .await
        .expect("deletes");
    let found = service.describe_metric_filters(c, by_metric).await.expect("describes");
    assert_eq!(found.metric_filters, Some(vec![]));
}

#[tokio::test]
async fn wrong_filters_are_refused() {
    let bench = Bench::new().await;
    let (service, c) = (&bench.service, &bench.context);
    let put = |input| service.put_metric_filter(c, input);
    assert_eq!(told(put(filter("f", "", "1")).await).0, "ResourceNotFoundException");
    bench.group("g").await.expect("makes a group");
    let mut dimensions = filter("f", "ERROR", "1");
    dimensions.metric_transformations[0].dimensions =
        Some(BTreeMap::from([("d".to_owned(), "$.d".to_owned())]));
    let mut both = filter("f", "{ $.a = 1 }", "1");
    both.metric_transformations[0].dimensions = dimensions.metric_transformations[0].dimensions.clone();
    both.metric_transformations[0].default_value = Some(1.0);
    let mut reserved = filter("f", "", "1");
    reserved.metric_transformations[0].metric_namespace = "AWS/ECS".to_owned();
    for wrong in [
        filter("f", "{ $.a", "1"),
        filter("f", "", "one"),
        filter("f", "", "nan"),
        dimensions,
        both,
        reserved,
    ] {
        assert_eq!(told(put(wrong).await).0, "InvalidParameterException");
    }
    for number in 0..100 {
        put(filter(&format!("f{number}"), "", "1")).await.expect("puts");
    }
    assert_eq!(told(put(filter("more", "", "1")).await).0, "LimitExceededException");
    put(filter("f7", "x", "1")).await.expect("replaces");
}

#[tokio::test]
async fn patterns_are_tested_on_messages() {
    let bench = Bench::new().await;
    let test = async |pattern: &str, message: &str| {
        let input = TestMetricFilterRequest {
            filter_pattern: pattern.to_owned(),
            log_event_messages: vec!["no".to_owned(), message.to_owned()],
        };
        let answer = bench.service.test_metric_filter(&bench.context, input).await.expect("tests");
        let found = answer.matches.expect("matches").remove(0);
        assert_eq!(found.event_number, Some(2));
        found.extracted_values.expect("values")
    };
    assert!(test("yes", "yes indeed").await.is_empty());
    let json = test("{ $.a.b = 1 || $.c = x }", r#"{"a":{"b":1}}"#).await;
    assert_eq!(json, BTreeMap::from([("$.a.b".to_owned(), "1".to_owned())]));
    let columns = test("[ip, ..., status = 4*]", "1.2.3.4 - GET 404").await;
    assert_eq!(columns["$status"], "404");
}
