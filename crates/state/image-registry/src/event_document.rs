//! What happened in a registry, in the shape of the events that ECR sends to EventBridge.

use identifiers::{Arn, Region};
use resources::ecr::{Event, EventKind, ImageAction};
use serde_json::{Map, Value, json};

/// An event as EventBridge delivers it.
pub fn event_document(event: &Event, region: &Region) -> Value {
    let (detail_type, detail) = detail(event, region);
    // Events about images name no resource, the others their repository.
    let repository = Arn::new("ecr", region, &event.account, format!("repository/{}", event.repository));
    let resources = match event.kind {
        EventKind::Image { .. } | EventKind::Pull { .. } => vec![],
        _ => vec![repository.to_string()],
    };
    json!({
        "version": "0",
        "id": event.id,
        "detail-type": detail_type,
        "source": "aws.ecr",
        "account": event.account,
        "time": event.time.to_rfc3339_seconds(),
        "region": region.as_str(),
        "resources": resources,
        "detail": detail,
    })
}

fn detail(event: &Event, region: &Region) -> (&'static str, Value) {
    let mut detail = Map::new();
    let mut set = |name: &str, value: Value| detail.insert(name.to_owned(), value);
    set("repository-name", json!(event.repository));
    set("image-digest", json!(event.digest));
    if let Some(tag) = &event.tag {
        set("image-tag", json!(tag));
    }
    let outcome = |failure: &Option<String>| json!(if failure.is_some() { "FAILURE" } else { "SUCCESS" });
    let detail_type = match &event.kind {
        EventKind::Image { action, media_type, artifact_type } => {
            set("result", json!("SUCCESS"));
            set("action-type", json!(action_name(*action)));
            set("manifest-media-type", json!(media_type));
            if let Some(artifact_type) = artifact_type {
                set("artifact-media-type", json!(artifact_type));
            }
            "ECR Image Action"
        }
        EventKind::Pull { count } => {
            set("result", json!("SUCCESS"));
            set("action-type", json!("PULL"));
            set("count", json!(count));
            "ECR Image Action"
        }
        EventKind::Scan { status, findings } => {
            let counts: Map<String, Value> =
                findings.iter().map(|(severity, count)| (severity.clone(), json!(count))).collect();
            set("scan-status", json!(status));
            set("finding-severity-counts", Value::Object(counts));
            set("image-tags", json!(event.tag.iter().collect::<Vec<_>>()));
            "ECR Image Scan"
        }
        EventKind::Replication { region: to, destination, failure } => {
            set("result", outcome(failure));
            set("action-type", json!("REPLICATE"));
            set("source-account", json!(event.account));
            set("source-region", json!(region.as_str()));
            set("destination-account", json!(destination));
            set("destination-region", json!(to));
            if let Some(failure) = failure {
                set("failure-code", json!(failure));
            }
            "ECR Replication Action"
        }
        EventKind::PullThroughCache { upstream, failure } => {
            set("rule-version", json!("1"));
            set("sync-status", outcome(failure));
            set("upstream-registry-url", json!(upstream));
            if let Some(failure) = failure {
                set("failure-reason", json!(failure));
            }
            "ECR Pull Through Cache Action"
        }
    };
    (detail_type, Value::Object(detail))
}

fn action_name(action: ImageAction) -> &'static str {
    match action {
        ImageAction::Push => "PUSH",
        ImageAction::Delete => "DELETE",
        ImageAction::Archive => "ARCHIVE",
        ImageAction::Activate => "ACTIVATE",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use environment::Timestamp;

    fn event(second: i64, kind: EventKind) -> Event {
        Event {
            account: "123456789012".parse().expect("an account"),
            id: format!("id-{second}"),
            time: Timestamp::from_seconds(second),
            repository: "team/app".to_owned(),
            digest: "sha256:ab".to_owned(),
            tag: Some("v1".to_owned()),
            kind,
        }
    }

    fn region() -> Region {
        "us-east-1".parse().expect("a region")
    }

    #[test]
    fn pushes_have_the_shape_of_eventbridge() {
        let media_type = "application/vnd.oci.image.manifest.v1+json".to_owned();
        let pushed = EventKind::Image { action: ImageAction::Push, media_type, artifact_type: None };
        let expected = json!({
            "version": "0",
            "id": "id-1573869274",
            "detail-type": "ECR Image Action",
            "source": "aws.ecr",
            "account": "123456789012",
            "time": "2019-11-16T01:54:34Z",
            "region": "us-east-1",
            "resources": [],
            "detail": {
                "result": "SUCCESS",
                "repository-name": "team/app",
                "image-digest": "sha256:ab",
                "action-type": "PUSH",
                "image-tag": "v1",
                "manifest-media-type": "application/vnd.oci.image.manifest.v1+json",
            },
        });
        assert_eq!(event_document(&event(1_573_869_274, pushed), &region()), expected);
    }

    #[test]
    fn others_name_their_repository() {
        let scan = EventKind::Scan { status: "COMPLETE".to_owned(), findings: vec![("HIGH".to_owned(), 2)] };
        let shown = event_document(&event(1, scan), &region());
        assert_eq!(shown["detail-type"], "ECR Image Scan");
        assert_eq!(shown["resources"], json!(["arn:aws:ecr:us-east-1:123456789012:repository/team/app"]));
        assert_eq!(shown["detail"]["finding-severity-counts"], json!({"HIGH": 2}));
        let destination = "222222222222".parse().expect("an account");
        let failure = Some("AccessDenied".to_owned());
        let copied = EventKind::Replication { region: "us-east-1".to_owned(), destination, failure };
        let shown = event_document(&event(1, copied), &region());
        assert_eq!(shown["detail-type"], "ECR Replication Action");
        assert_eq!(
            (&shown["detail"]["result"], &shown["detail"]["failure-code"]),
            (&json!("FAILURE"), &json!("AccessDenied"))
        );
        let upstream = "public.ecr.aws".to_owned();
        let cached =
            event_document(&event(1, EventKind::PullThroughCache { upstream, failure: None }), &region());
        assert_eq!(
            (&cached["detail-type"], &cached["detail"]["sync-status"]),
            (&json!("ECR Pull Through Cache Action"), &json!("SUCCESS"))
        );
    }
}
