//! Groups, streams, retention and tags.

use super::{Bench, NOW, text, told};
use crate::shapes::{
    CreateLogGroupRequest, DeleteLogGroupRequest, DeleteLogStreamRequest, DeleteRetentionPolicyRequest,
    DescribeLogGroupsRequest, DescribeLogStreamsRequest, ListTagsForResourceRequest, LogGroupClass, Logs,
    OrderBy, PutRetentionPolicyRequest, TagResourceRequest, UntagResourceRequest,
};
use std::collections::BTreeMap;

async fn group_names(bench: &Bench, input: DescribeLogGroupsRequest) -> (Vec<String>, Option<String>) {
    let answer = bench.service.describe_log_groups(&bench.context, input).await.expect("describes");
    let names = answer.log_groups.unwrap_or_default().into_iter().filter_map(|group| group.log_group_name);
    (names.collect(), answer.next_token)
}

async fn stream_names(bench: &Bench, input: DescribeLogStreamsRequest) -> (Vec<String>, Option<String>) {
    let input = DescribeLogStreamsRequest { log_group_name: text("g"), ..input };
    let answer = bench.service.describe_log_streams(&bench.context, input).await.expect("describes");
    let names =
        answer.log_streams.unwrap_or_default().into_iter().filter_map(|stream| stream.log_stream_name);
    (names.collect(), answer.next_token)
}

#[tokio::test]
async fn groups_are_made_once_and_described_in_pages() {
    let bench = Bench::new().await;
    for name in ["/b/two", "/a/one", "/b/one", "/c"] {
        bench.group(name).await.expect("creates");
    }
    assert_eq!(
        told(bench.group("/c").await),
        ("ResourceAlreadyExistsException", "The specified log group already exists".to_owned())
    );
    let all = DescribeLogGroupsRequest::default();
    assert_eq!(
        group_names(&bench, all.clone()).await,
        (["/a/one", "/b/one", "/b/two", "/c"].map(str::to_owned).to_vec(), None)
    );
    let prefix =
        DescribeLogGroupsRequest { log_group_name_prefix: text("/b/"), limit: Some(1), ..all.clone() };
    let (first, token) = group_names(&bench, prefix.clone()).await;
    assert_eq!(first, ["/b/one"]);
    let rest = group_names(&bench, DescribeLogGroupsRequest { next_token: token, ..prefix.clone() }).await;
    assert_eq!(rest, (vec!["/b/two".to_owned()], None));
    let pattern = DescribeLogGroupsRequest { log_group_name_pattern: text("one"), ..all.clone() };
    assert_eq!(group_names(&bench, pattern.clone()).await.0, ["/a/one", "/b/one"]);
    let class = DescribeLogGroupsRequest { log_group_class: Some(LogGroupClass::Delivery), ..all.clone() };
    assert_eq!(group_names(&bench, class).await.0, [""; 0]);
    let arn = "arn:aws:logs:us-east-1:123456789012:log-group:/c".to_owned();
    let named = DescribeLogGroupsRequest { log_group_identifiers: Some(vec![arn.clone()]), ..all.clone() };
    assert_eq!(group_names(&bench, named).await.0, ["/c"]);

    let both = DescribeLogGroupsRequest { log_group_name_prefix: text("x"), ..pattern };
    let refused = told(bench.service.describe_log_groups(&bench.context, both).await);
    assert_eq!(refused.0, "InvalidParameterException");
    assert!(refused.1.contains("mutually exclusive"));
    let token = DescribeLogGroupsRequest { next_token: text("nonsense!"), ..all };
    assert_eq!(
        told(bench.service.describe_log_groups(&bench.context, token).await).0,
        "InvalidParameterException"
    );
    let group = bench.service.describe_log_groups(&bench.context, prefix).await.expect("describes");
    let group = group.log_groups.unwrap_or_default().swap_remove(0);
    assert_eq!(group.arn.as_deref(), Some("arn:aws:logs:us-east-1:123456789012:log-group:/b/one:*"));
    assert_eq!(group.log_group_arn.as_deref(), Some("arn:aws:logs:us-east-1:123456789012:log-group:/b/one"));
    assert_eq!((group.creation_time, group.metric_filter_count), (Some(NOW), Some(0)));
}

#[tokio::test]
async fn what_is_not_honoured_is_refused() {
    let bench = Bench::new().await;
    let name = || CreateLogGroupRequest { log_group_name: "g".to_owned(), ..Default::default() };
    for input in [
        CreateLogGroupRequest { kms_key_id: text("k"), ..name() },
        CreateLogGroupRequest { log_group_class: Some(LogGroupClass::InfrequentAccess), ..name() },
        CreateLogGroupRequest { deletion_protection_enabled: Some(true), ..name() },
        CreateLogGroupRequest { log_group_name: "AWS/x".to_owned(), ..name() },
    ] {
        let refused = told(bench.service.create_log_group(&bench.context, input).await);
        assert_eq!(refused.0, "InvalidParameterException");
    }
}

#[tokio::test]
async fn a_group_made_anew_has_none_of_the_old_streams() {
    let bench = Bench::new().await;
    let delete = || DeleteLogGroupRequest { log_group_name: "g".to_owned() };
    let missing = ("ResourceNotFoundException", "The specified log group does not exist.".to_owned());
    assert_eq!(told(bench.service.delete_log_group(&bench.context, delete()).await), missing);
    assert_eq!(told(bench.stream("g", "s").await), missing);
    bench.group("g").await.expect("creates");
    bench.stream("g", "s").await.expect("creates");
    bench.put("g", "s", &[(0, "old")]).await.expect("puts");
    bench.service.delete_log_group(&bench.context, delete()).await.expect("deletes");
    bench.group("g").await.expect("creates");
    assert_eq!(stream_names(&bench, DescribeLogStreamsRequest::default()).await.0, [""; 0]);
    bench.stream("g", "s").await.expect("creates");
    let described = DescribeLogStreamsRequest { log_group_name: text("g"), ..Default::default() };
    let streams = bench.service.describe_log_streams(&bench.context, described).await.expect("describes");
    assert_eq!(streams.log_streams.unwrap_or_default()[0].last_event_timestamp, None);
}

#[tokio::test]
async fn streams_are_described_by_name_and_by_last_event() {
    let mut bench = Bench::new().await;
    bench.group("g").await.expect("creates");
    for name in ["b", "a/2", "a/1", "c"] {
        bench.stream("g", name).await.expect("creates");
    }
    assert_eq!(
        told(bench.stream("g", "c").await),
        ("ResourceAlreadyExistsException", "The specified log stream already exists".to_owned())
    );
    bench.put("g", "b", &[(-5, "x"), (10, "y")]).await.expect("puts");
    bench.put("g", "a/2", &[(20, "x")]).await.expect("puts");
    let all = DescribeLogStreamsRequest::default();
    for _ in 0..2 {
        assert_eq!(stream_names(&bench, all.clone()).await.0, ["a/1", "a/2", "b", "c"]);
        let down = DescribeLogStreamsRequest { descending: Some(true), ..all.clone() };
        assert_eq!(stream_names(&bench, down).await.0, ["c", "b", "a/2", "a/1"]);
        let prefix = DescribeLogStreamsRequest { log_stream_name_prefix: text("a/"), ..all.clone() };
        assert_eq!(stream_names(&bench, prefix).await.0, ["a/1", "a/2"]);
        for (descending, order) in [(false, ["a/1", "c", "b", "a/2"]), (true, ["a/2", "b", "c", "a/1"])] {
            let mut input = DescribeLogStreamsRequest {
                order_by: Some(OrderBy::LastEventTime),
                descending: Some(descending),
                limit: Some(1),
                ..all.clone()
            };
            let mut seen = Vec::new();
            loop {
                let (names, token) = stream_names(&bench, input.clone()).await;
                seen.extend(names);
                input.next_token = token;
                if input.next_token.is_none() {
                    break;
                }
            }
            assert_eq!(seen, order);
        }
        // Once with the events only in the journal, once more after a restart.
        bench.reopen().await;
    }
    let input = DescribeLogStreamsRequest {
        log_group_identifier: text("arn:aws:logs:us-east-1:123456789012:log-group:g:*"),
        log_stream_name_prefix: text("b"),
        ..all.clone()
    };
    let answer = bench.service.describe_log_streams(&bench.context, input).await.expect("describes");
    let stream = answer.log_streams.unwrap_or_default().swap_remove(0);
    assert_eq!(stream.first_event_timestamp, Some(NOW - 5));
    assert_eq!(stream.last_event_timestamp, Some(NOW + 10));
    assert_eq!((stream.last_ingestion_time, stream.stored_bytes), (Some(NOW), Some(0)));
    assert_eq!(stream.arn.as_deref(), Some("arn:aws:logs:us-east-1:123456789012:log-group:g:log-stream:b"));

    let mixed = DescribeLogStreamsRequest {
        log_group_name: text("g"),
        log_stream_name_prefix: text("b"),
        order_by: Some(OrderBy::LastEventTime),
        ..all.clone()
    };
    let refused = told(bench.service.describe_log_streams(&bench.context, mixed).await);
    assert_eq!(refused.1, "Cannot order by LastEventTime with a logStreamNamePrefix.");
    for names in [(None, None), (text("g"), text("g"))] {
        let input = DescribeLogStreamsRequest {
            log_group_name: names.0,
            log_group_identifier: names.1,
            ..all.clone()
        };
        let refused = told(bench.service.describe_log_streams(&bench.context, input).await);
        assert_eq!(refused.0, "InvalidParameterException");
    }
}

#[tokio::test]
async fn a_deleted_stream_is_gone() {
    let bench = Bench::new().await;
    bench.group("g").await.expect("creates");
    bench.stream("g", "s").await.expect("creates");
    let delete =
        || DeleteLogStreamRequest { log_group_name: "g".to_owned(), log_stream_name: "s".to_owned() };
    bench.service.delete_log_stream(&bench.context, delete()).await.expect("deletes");
    let missing = ("ResourceNotFoundException", "The specified log stream does not exist.".to_owned());
    assert_eq!(told(bench.service.delete_log_stream(&bench.context, delete()).await), missing);
    assert_eq!(told(bench.put("g", "s", &[(0, "x")]).await), missing);
}

#[tokio::test]
async fn retention_takes_only_the_documented_days() {
    let bench = Bench::new().await;
    let put = |days| PutRetentionPolicyRequest { log_group_name: "g".to_owned(), retention_in_days: days };
    assert_eq!(
        told(bench.service.put_retention_policy(&bench.context, put(1)).await).0,
        "ResourceNotFoundException"
    );
    bench.group("g").await.expect("creates");
    bench.service.put_retention_policy(&bench.context, put(3653)).await.expect("puts");
    for days in [0, 2, -1, 3654] {
        let refused = told(bench.service.put_retention_policy(&bench.context, put(days)).await);
        assert_eq!(refused.0, "InvalidParameterException");
        assert!(refused.1.contains("Member must satisfy enum value set: [1, 3, 5"), "{}", refused.1);
    }
    let groups = || bench.service.describe_log_groups(&bench.context, DescribeLogGroupsRequest::default());
    let days = groups().await.expect("describes").log_groups.unwrap_or_default()[0].retention_in_days;
    assert_eq!(days, Some(3653));
    let delete = DeleteRetentionPolicyRequest { log_group_name: "g".to_owned() };
    bench.service.delete_retention_policy(&bench.context, delete).await.expect("deletes");
    let days = groups().await.expect("describes").log_groups.unwrap_or_default()[0].retention_in_days;
    assert_eq!(days, None);
}

#[tokio::test]
async fn tags_come_and_go() {
    let bench = Bench::new().await;
    bench.group("g").await.expect("creates");
    let arn = "arn:aws:logs:us-east-1:123456789012:log-group:g".to_owned();
    let tags = |n: usize| (0..n).map(|i| (format!("k{i}"), "v".to_owned())).collect::<BTreeMap<_, _>>();
    let tag = |tags| TagResourceRequest { resource_arn: arn.clone(), tags };
    bench.service.tag_resource(&bench.context, tag(tags(50))).await.expect("tags");
    let more = BTreeMap::from([("one more".to_owned(), String::new())]);
    assert_eq!(told(bench.service.tag_resource(&bench.context, tag(more)).await).0, "TooManyTagsException");
    let reserved = BTreeMap::from([("aws:x".to_owned(), String::new())]);
    assert_eq!(
        told(bench.service.tag_resource(&bench.context, tag(reserved)).await).0,
        "InvalidParameterException"
    );
    let untag = UntagResourceRequest {
        resource_arn: format!("{arn}:*"),
        tag_keys: (1..50).map(|i| format!("k{i}")).chain(["absent".to_owned()]).collect(),
    };
    bench.service.untag_resource(&bench.context, untag).await.expect("untags");
    let list = |arn: &str| ListTagsForResourceRequest { resource_arn: arn.to_owned() };
    let left = bench.service.list_tags_for_resource(&bench.context, list(&arn)).await.expect("lists");
    assert_eq!(left.tags, Some(tags(1)));
    for (bad, name) in [
        ("g", "InvalidParameterException"),
        ("arn:aws:s3:::g", "InvalidParameterException"),
        ("arn:aws:logs:us-east-1:123456789012:log-group:absent", "ResourceNotFoundException"),
        ("arn:aws:logs:us-east-1:999999999999:log-group:g", "ResourceNotFoundException"),
    ] {
        assert_eq!(
            told(bench.service.list_tags_for_resource(&bench.context, list(bad)).await).0,
            name,
            "{bad}"
        );
    }
}
