//! Tests of resource policies, older tag operations, and of what has no target in a region.

use super::{Bench, told};
use crate::shapes::{
    CreateDeliveryRequest, CreateExportTaskRequest, DeleteResourcePolicyRequest,
    DescribeResourcePoliciesRequest, DescribeSubscriptionFiltersRequest, ListTagsLogGroupRequest, Logs,
    PutDestinationRequest, PutResourcePolicyRequest, PutSubscriptionFilterRequest, TagLogGroupRequest,
    UntagLogGroupRequest,
};
use std::collections::BTreeMap;

const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"logs:PutLogEvents",
    "Principal":{"Service":"route53.amazonaws.com"},"Resource":"*"}]}"#;

fn policy(name: &str, document: &str) -> PutResourcePolicyRequest {
    PutResourcePolicyRequest {
        policy_name: Some(name.to_owned()),
        policy_document: Some(document.to_owned()),
        ..Default::default()
    }
}

#[tokio::test]
async fn resource_policies_are_checked_and_counted() {
    let bench = Bench::new().await;
    let (service, c) = (&bench.service, &bench.context);
    for number in 0..10 {
        let answer = service.put_resource_policy(c, policy(&format!("p{number}"), POLICY)).await;
        let kept = answer.expect("puts").resource_policy.expect("a policy");
        assert_eq!(kept.policy_document.as_deref(), Some(POLICY));
    }
    service.put_resource_policy(c, policy("p3", POLICY)).await.expect("replaces");
    let more = service.put_resource_policy(c, policy("p10", POLICY)).await;
    assert_eq!(told(more), ("LimitExceededException", "Resource limit exceeded.".to_owned()));
    let malformed = service.put_resource_policy(c, policy("p1", r#"{"Statement":{}}"#)).await;
    assert_eq!(told(malformed).0, "InvalidParameterException");
    let page = DescribeResourcePoliciesRequest { limit: Some(7), ..Default::default() };
    let first = service.describe_resource_policies(c, page).await.expect("describes");
    assert_eq!(first.resource_policies.map(|policies| policies.len()), Some(7));
    let rest = DescribeResourcePoliciesRequest { next_token: first.next_token, ..Default::default() };
    let rest = service.describe_resource_policies(c, rest).await.expect("describes");
    assert_eq!((rest.resource_policies.map(|policies| policies.len()), rest.next_token), (Some(3), None));
    let delete =
        |name: &str| DeleteResourcePolicyRequest { policy_name: Some(name.to_owned()), ..Default::default() };
    service.delete_resource_policy(c, delete("p3")).await.expect("deletes");
    let again = told(service.delete_resource_policy(c, delete("p3")).await);
    assert_eq!(again, ("ResourceNotFoundException", "Policy with name [p3] does not exist".to_owned()));
}

#[tokio::test]
async fn tags_by_the_name_of_the_group() {
    let bench = Bench::new().await;
    let (service, c) = (&bench.service, &bench.context);
    bench.group("g").await.expect("makes a group");
    let tags = BTreeMap::from([("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())]);
    let name = || "g".to_owned();
    service.tag_log_group(c, TagLogGroupRequest { log_group_name: name(), tags }).await.expect("tags");
    let untag = UntagLogGroupRequest { log_group_name: name(), tags: vec!["a".to_owned()] };
    service.untag_log_group(c, untag).await.expect("untags");
    let listed = service.list_tags_log_group(c, ListTagsLogGroupRequest { log_group_name: name() }).await;
    assert_eq!(listed.expect("lists").tags, Some(BTreeMap::from([("b".to_owned(), "2".to_owned())])));
    let none = service.list_tags_log_group(c, ListTagsLogGroupRequest { log_group_name: "h".to_owned() });
    assert_eq!(told(none.await).0, "ResourceNotFoundException");
}

#[tokio::test]
async fn what_has_no_target_is_refused_and_nothing_is_kept() {
    let bench = Bench::new().await;
    let (service, c) = (&bench.service, &bench.context);
    bench.group("g").await.expect("makes a group");
    for (arn, text) in [
        ("arn:aws:lambda:us-east-1:123456789012:function:f", "Could not execute the lambda function"),
        ("arn:aws:kinesis:us-east-1:123456789012:stream/s", "specified Kinesis stream"),
        ("arn:aws:logs:us-east-1:123456789012:destination:d", "The specified destination does not exist."),
        (
            "arn:aws:logs:us-east-1:123456789012:log-group:g",
            "cannot work with destinationArn for vendor logs",
        ),
        ("nonsense", "Invalid destinationArn"),
    ] {
        let put = PutSubscriptionFilterRequest {
            log_group_name: "g".to_owned(),
            filter_name: "f".to_owned(),
            destination_arn: arn.to_owned(),
            role_arn: Some("arn:aws:iam::123456789012:role/r".to_owned()),
            ..Default::default()
        };
        let refused = told(service.put_subscription_filter(c, put).await);
        assert!(refused.1.contains(text), "{refused:?}");
    }
    let describe =
        DescribeSubscriptionFiltersRequest { log_group_name: "g".to_owned(), ..Default::default() };
    let filters = service.describe_subscription_filters(c, describe).await.expect("describes");
    assert_eq!(filters.subscription_filters, Some(vec![]));
    assert_eq!(
        told(service.put_destination(c, PutDestinationRequest::default()).await).0,
        "InvalidParameterException"
    );
    let export = CreateExportTaskRequest { log_group_name: "g".to_owned(), ..Default::default() };
    assert!(
        told(service.create_export_task(c, export).await).1.starts_with("The given bucket does not exist.")
    );
    let delivery = service.create_delivery(c, CreateDeliveryRequest::default()).await;
    assert_eq!(told(delivery).0, "ResourceNotFoundException");
}
