//! What each operation asks for.

use super::Bench;
use crate::shapes::{AddTagsRequest, CloudTrail, OPERATIONS, Tag};
use aws_wire::{Node, Permission};

const ARN: &str = "arn:aws:cloudtrail:us-east-1:123456789012:trail/audit";

impl Bench {
    async fn permissions(&self, operation: &str, input: &str) -> Vec<Permission> {
        let operation = OPERATIONS.iter().find(|known| known.name == operation).expect("an operation");
        let input: Node = serde_json::from_str(input).expect("JSON");
        self.service.permissions(operation, &self.context, &input).await.expect("says what it needs")
    }
}

#[tokio::test]
async fn operations_ask_for_the_trails_they_name() {
    let bench = Bench::new().await;
    bench.create("audit", "my-bucket").await.expect("creates");
    let tag = Tag { key: "team".to_owned(), value: Some("a".to_owned()) };
    let add = AddTagsRequest { resource_id: ARN.to_owned(), tags_list: vec![tag] };
    bench.service.add_tags(&bench.context, add).await.expect("adds");
    for (operation, input, resource) in [
        ("GetTrail", r#"{"Name":"audit"}"#.to_owned(), ARN),
        ("StopLogging", format!(r#"{{"Name":"{ARN}"}}"#), ARN),
        ("PutEventSelectors", r#"{"TrailName":"audit"}"#.to_owned(), ARN),
        ("LookupEvents", "{}".to_owned(), "*"),
    ] {
        let permissions = bench.permissions(operation, &input).await;
        assert_eq!(permissions.len(), 1);
        assert_eq!(permissions[0].action, format!("cloudtrail:{operation}"));
        assert_eq!(permissions[0].resource, resource);
        let has_tags = permissions[0].conditions.iter().any(|(key, _)| key == "aws:ResourceTag/team");
        assert_eq!(has_tags, resource == ARN, "{operation}");
    }
    let list = format!(r#"{{"ResourceIdList":["{ARN}","{ARN}2"]}}"#);
    assert_eq!(bench.permissions("ListTags", &list).await.len(), 2);
    let create = r#"{"Name":"new","TagsList":[{"Key":"stage","Value":"b"}]}"#;
    let permissions = bench.permissions("CreateTrail", create).await;
    assert!(permissions[0].conditions.iter().any(|(key, _)| key == "aws:RequestTag/stage"));
    let remove = format!(r#"{{"ResourceId":"{ARN}","TagsList":[{{"Key":"team"}}]}}"#);
    let permissions = bench.permissions("RemoveTags", &remove).await;
    assert!(permissions[0].conditions.iter().any(|(key, _)| key == "aws:TagKeys"));
    bench.log.close().await;
}
