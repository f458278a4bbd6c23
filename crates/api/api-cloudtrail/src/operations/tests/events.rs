//! LookupEvents.

use super::{Bench, NOW, code};
use crate::shapes::{
    CloudTrail, Event, EventCategory, LookupAttribute, LookupAttributeKey as Key, LookupEventsRequest,
};
use environment::Timestamp;
use std::time::Duration;

fn by(key: Key, value: &str) -> LookupEventsRequest {
    let attribute = LookupAttribute { attribute_key: key, attribute_value: value.to_owned() };
    LookupEventsRequest { lookup_attributes: Some(vec![attribute]), ..Default::default() }
}

impl Bench {
    async fn look_up(&self, input: LookupEventsRequest) -> Vec<Event> {
        let found = self.service.lookup_events(&self.context, input).await.expect("looks up");
        found.events.expect("a list")
    }
}

#[tokio::test]
async fn a_call_is_found_by_each_attribute() {
    let bench = Bench::new().await;
    bench.call("RunTask", false, "c");
    bench.call("ListTasks", true, "d");
    bench.event("PutLogEvents", false, "g", "logs.amazonaws.com", true);
    let all = bench.look_up(LookupEventsRequest::default()).await;
    let names: Vec<_> = all.iter().map(|event| event.event_name.as_deref().expect("a name")).collect();
    assert_eq!(names, ["ListTasks", "RunTask"], "newest first, and no data event");
    let id = all[1].event_id.clone().expect("an id");
    for (key, value, expected) in [
        (Key::EventId, id.as_str(), 1),
        (Key::EventName, "RunTask", 1),
        (Key::ReadOnly, "false", 1),
        (Key::ReadOnly, "true", 1),
        (Key::Username, "ann", 2),
        (Key::ResourceType, "AWS::ECS::Cluster", 2),
        (Key::ResourceName, "c", 1),
        (Key::EventSource, "ecs.amazonaws.com", 2),
        (Key::AccessKeyId, "AKIAX", 2),
        (Key::EventName, "PutLogEvents", 0),
        (Key::EventName, "Nothing", 0),
    ] {
        assert_eq!(bench.look_up(by(key, value)).await.len(), expected, "{key:?} {value}");
    }
    let record: serde_json::Value =
        serde_json::from_str(all[1].cloud_trail_event.as_deref().expect("a record")).expect("JSON");
    let expected = serde_json::json!({
        "eventVersion": "1.11",
        "userIdentity": {"type": "IAMUser", "accessKeyId": "AKIAX", "userName": "ann"},
        "eventTime": "2026-01-02T03:04:05Z",
        "eventSource": "ecs.amazonaws.com",
        "eventName": "RunTask",
        "awsRegion": "us-east-1",
        "sourceIPAddress": "",
        "userAgent": "",
        "requestParameters": {"a": [1]},
        "responseElements": null,
        "requestID": "00000000-0000-4000-8000-000000000001",
        "eventID": id,
        "readOnly": false,
        "eventType": "AwsApiCall",
        "managementEvent": true,
        "recipientAccountId": "123456789012",
        "eventCategory": "Management",
    });
    assert_eq!(record, expected);
    bench.log.close().await;
}

#[tokio::test]
async fn pages_and_times() {
    let bench = Bench::new().await;
    for number in 0..25 {
        bench.call("RunTask", false, &number.to_string());
        bench.simulation.advance(Duration::from_secs(1));
    }
    let mut input = LookupEventsRequest { max_results: Some(10), ..by(Key::EventName, "RunTask") };
    let mut sizes = Vec::new();
    loop {
        let page = bench.service.lookup_events(&bench.context, input.clone()).await.expect("a page");
        sizes.push(page.events.expect("a list").len());
        input.next_token = page.next_token;
        if input.next_token.is_none() {
            break;
        }
        let other = LookupEventsRequest { next_token: input.next_token.clone(), ..by(Key::EventName, "X") };
        let refused = bench.service.lookup_events(&bench.context, other).await;
        assert_eq!(code(refused), "InvalidNextTokenException");
    }
    assert_eq!(sizes, [10, 10, 5]);
    let time = |seconds: i64| Some(Timestamp::from_millis(NOW + seconds * 1000));
    let window =
        LookupEventsRequest { start_time: time(5), end_time: time(9), ..LookupEventsRequest::default() };
    assert_eq!(bench.look_up(window).await.len(), 5);
    bench.log.close().await;
}

#[tokio::test]
async fn wrong_questions_are_refused() {
    let bench = Bench::new().await;
    let two = vec![
        LookupAttribute { attribute_key: Key::EventName, attribute_value: "a".to_owned() },
        LookupAttribute { attribute_key: Key::Username, attribute_value: "b".to_owned() },
    ];
    let (early, late) = (Some(Timestamp::from_seconds(1)), Some(Timestamp::from_seconds(2)));
    for (input, expected) in [
        (by(Key::ReadOnly, "yes"), "InvalidLookupAttributesException"),
        (
            LookupEventsRequest { lookup_attributes: Some(two), ..Default::default() },
            "InvalidLookupAttributesException",
        ),
        (
            LookupEventsRequest { start_time: late, end_time: early, ..Default::default() },
            "InvalidTimeRangeException",
        ),
        (
            LookupEventsRequest { next_token: Some("x".to_owned()), ..Default::default() },
            "InvalidNextTokenException",
        ),
        (
            LookupEventsRequest { event_category: Some(EventCategory::Insight), ..Default::default() },
            "UnsupportedOperationException",
        ),
    ] {
        assert_eq!(code(bench.service.lookup_events(&bench.context, input).await), expected);
    }
    bench.log.close().await;
}
