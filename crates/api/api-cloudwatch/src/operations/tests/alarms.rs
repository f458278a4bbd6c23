//! Alarms.

use super::Bench;
use crate::shapes::{
    CloudWatch, ComparisonOperator, DeleteAlarmsInput, DescribeAlarmHistoryInput,
    DescribeAlarmsForMetricInput, DescribeAlarmsInput, DisableAlarmActionsInput, ListTagsForResourceInput,
    MetricDataQuery, PutMetricAlarmInput, SetAlarmStateInput, StateValue, Statistic, Tag, TagResourceInput,
};
use aws_wire::ServiceError;

fn code<T>(result: Result<T, ServiceError>) -> &'static str {
    result.err().expect("an error").shape.name
}

fn alarm_input(name: &str) -> PutMetricAlarmInput {
    PutMetricAlarmInput {
        alarm_name: name.to_owned(),
        namespace: Some("shop".to_owned()),
        metric_name: Some("heat".to_owned()),
        statistic: Some(Statistic::Average),
        period: Some(60),
        evaluation_periods: Some(1),
        threshold: Some(30.0),
        comparison_operator: Some(ComparisonOperator::GreaterThanThreshold),
        ..Default::default()
    }
}

#[tokio::test]
async fn alarms_are_put_shown_set_and_deleted() {
    let bench = Bench::new().await;
    let (service, context) = (&bench.service, &bench.context);
    let put = || async { service.put_metric_alarm(context, alarm_input("hot")).await.expect("puts") };
    put().await;
    let shown = || async {
        let input = DescribeAlarmsInput { alarm_names: Some(vec!["hot".to_owned()]), ..Default::default() };
        service
            .describe_alarms(context, input)
            .await
            .expect("describes")
            .metric_alarms
            .expect("alarms")
            .remove(0)
    };
    let alarm = shown().await;
    assert_eq!(alarm.state_value, Some(StateValue::InsufficientData));
    assert_eq!(alarm.alarm_arn.as_deref(), Some("arn:aws:cloudwatch:us-east-1:123456789012:alarm:hot"));
    let set = |name: &str| SetAlarmStateInput {
        alarm_name: name.to_owned(),
        state_value: StateValue::Alarm,
        state_reason: "test".to_owned(),
        state_reason_data: None,
    };
    service.set_alarm_state(context, set("hot")).await.expect("sets");
    // Putting it again keeps its state.
    put().await;
    assert_eq!(shown().await.state_value, Some(StateValue::Alarm));
    assert_eq!(code(service.set_alarm_state(context, set("none")).await), "ResourceNotFound");
    let of_metric = DescribeAlarmsForMetricInput {
        namespace: "shop".to_owned(),
        metric_name: "heat".to_owned(),
        ..Default::default()
    };
    let found = service.describe_alarms_for_metric(context, of_metric).await.expect("describes");
    assert_eq!(found.metric_alarms.map(|alarms| alarms.len()), Some(1));
    let disable = DisableAlarmActionsInput { alarm_names: vec!["hot".to_owned(), "none".to_owned()] };
    service.disable_alarm_actions(context, disable).await.expect("disables");
    assert_eq!(shown().await.actions_enabled, Some(false));
    let arn = "arn:aws:cloudwatch:us-east-1:123456789012:alarm:hot".to_owned();
    let tags = vec![Tag { key: "a".to_owned(), value: "1".to_owned() }];
    let tag = TagResourceInput { resource_arn: arn.clone(), tags: tags.clone() };
    service.tag_resource(context, tag).await.expect("tags");
    let listed =
        service.list_tags_for_resource(context, ListTagsForResourceInput { resource_arn: arn }).await;
    assert_eq!(listed.expect("lists").tags, Some(tags));
    let none = DeleteAlarmsInput { alarm_names: vec!["hot".to_owned(), "none".to_owned()] };
    assert_eq!(code(service.delete_alarms(context, none).await), "ResourceNotFound");
    let delete = DeleteAlarmsInput { alarm_names: vec!["hot".to_owned()] };
    service.delete_alarms(context, delete).await.expect("deletes");
    let history = service.describe_alarm_history(context, DescribeAlarmHistoryInput::default()).await;
    let items = history.expect("describes").alarm_history_items.expect("items");
    let mut summaries: Vec<String> = items.into_iter().filter_map(|item| item.history_summary).collect();
    summaries.sort();
    assert_eq!(
        summaries,
        [
            "Alarm \"hot\" created",
            "Alarm \"hot\" deleted",
            "Alarm \"hot\" updated",
            "Alarm updated from INSUFFICIENT_DATA to ALARM",
        ]
    );
}

#[tokio::test]
async fn alarms_that_are_refused() {
    let bench = Bench::new().await;
    let cases = [
        PutMetricAlarmInput {
            alarm_actions: Some(vec!["arn:aws:sns:us-east-1:123456789012:t".to_owned()]),
            ..alarm_input("a")
        },
        PutMetricAlarmInput { metrics: Some(vec![MetricDataQuery::default()]), ..alarm_input("a") },
        PutMetricAlarmInput { statistic: None, ..alarm_input("a") },
        PutMetricAlarmInput { extended_statistic: Some("p90".to_owned()), ..alarm_input("a") },
        PutMetricAlarmInput { period: Some(61), ..alarm_input("a") },
        PutMetricAlarmInput { evaluation_periods: Some(1_441), ..alarm_input("a") },
        PutMetricAlarmInput { datapoints_to_alarm: Some(2), ..alarm_input("a") },
        PutMetricAlarmInput { treat_missing_data: Some("x".to_owned()), ..alarm_input("a") },
        PutMetricAlarmInput { threshold: None, ..alarm_input("a") },
        PutMetricAlarmInput {
            comparison_operator: Some(ComparisonOperator::GreaterThanUpperThreshold),
            ..alarm_input("a")
        },
    ];
    for input in cases {
        let text = format!("{input:?}");
        assert!(bench.service.put_metric_alarm(&bench.context, input).await.is_err(), "{text}");
    }
}
