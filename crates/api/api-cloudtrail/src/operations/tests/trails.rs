//! Trails and what is delivered of them.

use super::{ACCOUNT, Bench, code};
use crate::shapes::{
    AddTagsRequest, CloudTrail, CreateTrailRequest, DeleteTrailRequest, DescribeTrailsRequest, EventSelector,
    GetEventSelectorsRequest, GetInsightSelectorsRequest, GetTrailRequest, GetTrailStatusRequest,
    ListTagsRequest, ListTrailsRequest, PutEventSelectorsRequest, ReadWriteType, RemoveTagsRequest,
    StartLoggingRequest, StopLoggingRequest, Tag, UpdateTrailRequest,
};
use flate2::read::GzDecoder;
use resources::cloudtrail::{PlannedFile, Trail};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;
use store::StoreError;

const ARN: &str = "arn:aws:cloudtrail:us-east-1:123456789012:trail/audit";

/// All files below a folder, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths.into_iter().flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn records(path: &Path) -> Vec<serde_json::Value> {
    let mut text = String::new();
    let file = std::fs::File::open(path).expect("opens");
    GzDecoder::new(file).read_to_string(&mut text).expect("unpacks");
    let mut all: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    match all["Records"].take() {
        serde_json::Value::Array(records) => records,
        other => panic!("no records: {other}"),
    }
}

impl Bench {
    /// Names of the delivered events, in the order of files and records.
    fn delivered(&self, bucket: &str) -> Vec<String> {
        let all = files(&self.root().join(bucket)).into_iter().flat_map(|path| records(&path));
        all.map(|record| record["eventName"].as_str().expect("a name").to_owned()).collect()
    }

    async fn trail(&self) -> Trail {
        let key = Trail::key_of(ACCOUNT, "audit");
        (*self.tables.get::<Trail>(&key).await.expect("reads").expect("is there").value).clone()
    }
}

#[tokio::test]
async fn a_trail_delivers_what_happens_while_it_logs() {
    let bench = Bench::new().await;
    bench.create("audit", "my-bucket").await.expect("creates");
    bench.call("Before", false, "c");
    bench.start("audit").await;
    bench.call("RunTask", false, "c");
    bench.call("ListTasks", true, "c");
    bench.event("PutLogEvents", false, "g", "logs.amazonaws.com", true);
    bench.simulation.advance(Duration::from_secs(60));
    bench.service.delivery.deliver_all().await;
    bench.service.delivery.deliver_all().await;
    assert_eq!(bench.delivered("my-bucket"), ["RunTask", "ListTasks"]);
    let path = files(&bench.root()).remove(0);
    let path = path.strip_prefix(bench.root()).expect("below the root").display().to_string();
    let folder = "my-bucket/AWSLogs/123456789012/CloudTrail/us-east-1/2026/01/02/";
    let name = path.strip_prefix(folder).unwrap_or_else(|| panic!("{path}"));
    let rest = name.strip_prefix("123456789012_CloudTrail_us-east-1_20260102T0305Z_").expect("the name");
    assert_eq!(rest.strip_suffix(".json.gz").map(str::len), Some(16), "{rest}");

    bench.call("StopTask", false, "c");
    let stop = StopLoggingRequest { name: ARN.to_owned() };
    bench.service.stop_logging(&bench.context, stop).await.expect("stops");
    bench.call("After", false, "c");
    bench.service.delivery.deliver_all().await;
    bench.start("audit").await;
    bench.call("Again", false, "c");
    bench.service.delivery.deliver_all().await;
    let mut delivered = bench.delivered("my-bucket");
    delivered.sort();
    assert_eq!(delivered, ["Again", "ListTasks", "RunTask", "StopTask"]);
    let status = GetTrailStatusRequest { name: "audit".to_owned() };
    let status = bench.service.get_trail_status(&bench.context, status).await.expect("a status");
    assert_eq!((status.is_logging, status.latest_delivery_error), (Some(true), None));
    assert!(status.latest_delivery_time.is_some() && status.stop_logging_time.is_some());
    bench.log.close().await;
}

#[tokio::test]
async fn a_crash_at_any_step_delivers_everything_once() {
    for step in ["planned", "written", "half written"] {
        let mut bench = Bench::new().await;
        bench.create("audit", "my-bucket").await.expect("creates");
        bench.start("audit").await;
        for number in 0..30 {
            bench.call(&format!("Call{number:02}"), false, "c");
        }
        let end = bench.log.flush().await;
        let (at, first) = (bench.tables.environment().now(), bench.trail().await.delivery.next);
        let file = PlannedFile { first, end, at };
        if step == "written" {
            bench.service.delivery.deliver_all().await;
        }
        // The row as it was when the file was planned.
        let key = Trail::key_of(ACCOUNT, "audit");
        let planned = bench.tables.update(&key, |old: &Trail| {
            let mut trail = old.clone();
            (trail.delivery.next, trail.delivery.file) = (first, Some(file.clone()));
            Ok::<_, StoreError>(Some(trail))
        });
        planned.await.expect("plans");
        if step == "half written" {
            let path = bench.root().join("my-bucket/AWSLogs");
            std::fs::create_dir_all(&path).expect("makes folders");
            std::fs::write(path.join(".half.json.gz.unfinished"), b"half").expect("writes");
        }
        bench.reopen().await;
        bench.simulation.advance(Duration::from_secs(3600));
        for number in 30..40 {
            bench.call(&format!("Call{number:02}"), false, "c");
        }
        bench.service.delivery.deliver_all().await;
        if step == "half written" {
            let half = bench.root().join("my-bucket/AWSLogs/.half.json.gz.unfinished");
            std::fs::remove_file(half).expect("is left alone");
        }
        let mut delivered = bench.delivered("my-bucket");
        delivered.sort();
        let expected: Vec<_> = (0..40).map(|number| format!("Call{number:02}")).collect();
        assert_eq!(delivered, expected, "{step}");
        bench.log.close().await;
    }
}

#[tokio::test]
async fn a_delivery_that_fails_is_shown_and_made_up_for() {
    let bench = Bench::new().await;
    bench.create("audit", "my-bucket").await.expect("creates");
    bench.start("audit").await;
    bench.call("RunTask", false, "c");
    let bucket = bench.root().join("my-bucket");
    std::fs::remove_dir(&bucket).expect("is empty");
    std::fs::write(&bucket, b"").expect("a file in its place");
    bench.service.delivery.deliver_all().await;
    let status = GetTrailStatusRequest { name: "audit".to_owned() };
    let status = bench.service.get_trail_status(&bench.context, status).await.expect("a status");
    assert!(status.latest_delivery_error.is_some_and(|error| error.contains("my-bucket")));
    std::fs::remove_file(&bucket).expect("removes");
    bench.service.delivery.deliver_all().await;
    assert_eq!(bench.delivered("my-bucket"), ["RunTask"]);
    assert_eq!(bench.trail().await.delivery.error, None);

    // A trail that cannot be delivered can be changed, which mends it, and deleted.
    bench.call("StopTask", false, "c");
    std::fs::remove_dir_all(&bucket).expect("removes");
    std::fs::write(&bucket, b"").expect("a file in its place");
    let update = UpdateTrailRequest {
        name: "audit".to_owned(),
        s3_bucket_name: Some("other-bucket".to_owned()),
        ..Default::default()
    };
    bench.service.update_trail(&bench.context, update).await.expect("updates");
    bench.service.delivery.deliver_all().await;
    assert_eq!(bench.delivered("other-bucket"), ["StopTask"]);
    std::fs::remove_dir_all(bench.root()).expect("removes");
    bench.call("RunTask", false, "c");
    std::fs::write(bench.root(), b"").expect("a file in its place");
    let delete = DeleteTrailRequest { name: "audit".to_owned() };
    bench.service.delete_trail(&bench.context, delete).await.expect("deletes");
    bench.log.close().await;
}

#[tokio::test]
async fn selectors_and_changes_count_from_when_they_are_made() {
    let bench = Bench::new().await;
    bench.create("audit", "one").await.expect("creates");
    bench.start("audit").await;
    bench.call("ListTasks", true, "c");
    let selector = EventSelector { read_write_type: Some(ReadWriteType::WriteOnly), ..Default::default() };
    let put = PutEventSelectorsRequest {
        trail_name: "audit".to_owned(),
        event_selectors: Some(vec![selector]),
        ..Default::default()
    };
    bench.service.put_event_selectors(&bench.context, put).await.expect("puts");
    bench.call("ListTasks", true, "c");
    bench.call("RunTask", false, "c");
    bench.event("CreateUser", false, "u", "iam.amazonaws.com", false);
    let update = UpdateTrailRequest {
        name: "audit".to_owned(),
        s3_bucket_name: Some("two".to_owned() + "-b"),
        s3_key_prefix: Some("team/x".to_owned()),
        include_global_service_events: Some(false),
        ..Default::default()
    };
    bench.service.update_trail(&bench.context, update).await.expect("updates");
    bench.call("StopTask", false, "c");
    bench.event("DeleteUser", false, "u", "iam.amazonaws.com", false);
    let delete = DeleteTrailRequest { name: "audit".to_owned() };
    bench.service.delete_trail(&bench.context, delete).await.expect("deletes");
    let mut first = bench.delivered("one");
    first.sort();
    assert_eq!(first, ["CreateUser", "ListTasks", "RunTask"]);
    assert_eq!(bench.delivered("two-b"), ["StopTask"]);
    assert_eq!(files(&bench.root().join("two-b/team/x/AWSLogs")).len(), 1);
    bench.log.close().await;
}

#[tokio::test]
async fn trails_are_shown() {
    let bench = Bench::new().await;
    bench.create("audit", "my-bucket").await.expect("creates");
    let get = GetTrailRequest { name: ARN.to_owned() };
    let trail = bench.service.get_trail(&bench.context, get).await.expect("gets").trail.expect("a trail");
    assert_eq!((trail.trail_arn.as_deref(), trail.has_custom_event_selectors), (Some(ARN), Some(false)));
    let list = bench.service.list_trails(&bench.context, ListTrailsRequest::default()).await.expect("lists");
    assert_eq!(list.trails.expect("trails").len(), 1);
    for (names, expected) in [(vec![], 1), (vec!["audit"], 1), (vec!["other"], 0), (vec!["audit", ARN], 2)] {
        let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        let describe = DescribeTrailsRequest { trail_name_list: Some(names), ..Default::default() };
        let described = bench.service.describe_trails(&bench.context, describe).await.expect("describes");
        assert_eq!(described.trail_list.expect("trails").len(), expected);
    }
    let selectors = GetEventSelectorsRequest { trail_name: "audit".to_owned() };
    let selectors = bench.service.get_event_selectors(&bench.context, selectors).await.expect("gets");
    let all = selectors.event_selectors.expect("selectors").remove(0);
    assert_eq!((all.read_write_type, all.include_management_events), (Some(ReadWriteType::All), Some(true)));
    let insights = GetInsightSelectorsRequest { trail_name: Some("audit".to_owned()), ..Default::default() };
    let refused = bench.service.get_insight_selectors(&bench.context, insights).await;
    assert_eq!(code(refused), "InsightNotEnabledException");
    bench.log.close().await;
}

#[tokio::test]
async fn tags_come_and_go() {
    let bench = Bench::new().await;
    bench.create("audit", "my-bucket").await.expect("creates");
    let tag = |key: &str, value: Option<&str>| Tag { key: key.to_owned(), value: value.map(str::to_owned) };
    let add = |tags: Vec<Tag>| AddTagsRequest { resource_id: ARN.to_owned(), tags_list: tags };
    let tags = vec![tag("a", Some("1")), tag("b", None)];
    bench.service.add_tags(&bench.context, add(tags)).await.expect("adds");
    let twice = add(vec![tag("c", None), tag("c", None)]);
    assert_eq!(code(bench.service.add_tags(&bench.context, twice).await), "InvalidTagParameterException");
    let many = add((0..49).map(|number| tag(&number.to_string(), None)).collect());
    assert_eq!(code(bench.service.add_tags(&bench.context, many).await), "TagsLimitExceededException");
    let remove = RemoveTagsRequest { resource_id: ARN.to_owned(), tags_list: vec![tag("a", None)] };
    bench.service.remove_tags(&bench.context, remove).await.expect("removes");
    let list = |arn: &str| ListTagsRequest { resource_id_list: vec![arn.to_owned()], next_token: None };
    let listed = bench.service.list_tags(&bench.context, list(ARN)).await.expect("lists");
    let tags = listed.resource_tag_list.expect("trails").remove(0).tags_list.expect("tags");
    assert_eq!(tags, [tag("b", None)]);
    let refused = bench.service.list_tags(&bench.context, list("audit")).await;
    assert_eq!(code(refused), "CloudTrailARNInvalidException");
    bench.log.close().await;
}

#[tokio::test]
async fn what_cannot_be_is_refused() {
    let bench = Bench::new().await;
    let base = || CreateTrailRequest {
        name: "audit".to_owned(),
        s3_bucket_name: "my-bucket".to_owned(),
        ..Default::default()
    };
    let some = |text: &str| Some(text.to_owned());
    for (input, expected) in [
        (CreateTrailRequest { name: "a".to_owned(), ..base() }, "InvalidTrailNameException"),
        (CreateTrailRequest { s3_bucket_name: "../x".to_owned(), ..base() }, "InvalidS3BucketNameException"),
        (CreateTrailRequest { s3_key_prefix: some("../x"), ..base() }, "InvalidS3PrefixException"),
        (CreateTrailRequest { sns_topic_name: some("t"), ..base() }, "InsufficientSnsTopicPolicyException"),
        (CreateTrailRequest { kms_key_id: some("k"), ..base() }, "KmsKeyNotFoundException"),
        (
            CreateTrailRequest { cloud_watch_logs_log_group_arn: some("g"), ..base() },
            "CloudWatchLogsDeliveryUnavailableException",
        ),
        (
            CreateTrailRequest { enable_log_file_validation: Some(true), ..base() },
            "UnsupportedOperationException",
        ),
        (
            CreateTrailRequest { is_organization_trail: Some(true), ..base() },
            "OrganizationsNotInUseException",
        ),
        (
            CreateTrailRequest {
                is_multi_region_trail: Some(true),
                include_global_service_events: Some(false),
                ..base()
            },
            "InvalidParameterCombinationException",
        ),
    ] {
        assert_eq!(code(bench.service.create_trail(&bench.context, input).await), expected);
    }
    bench.create("audit", "my-bucket").await.expect("creates");
    assert_eq!(code(bench.create("audit", "my-bucket").await), "TrailAlreadyExistsException");
    for number in 1..5 {
        bench.create(&format!("audit-{number}"), "my-bucket").await.expect("creates");
    }
    let sixth = bench.create("audit-5", "my-bucket").await;
    assert_eq!(code(sixth), "MaximumNumberOfTrailsExceededException");
    for (name, expected) in [
        ("nothing", "TrailNotFoundException"),
        ("arn:aws:cloudtrail:us-east-1:000000000000:trail/audit", "TrailNotFoundException"),
        ("arn:aws:ecs:us-east-1:123456789012:cluster/audit", "CloudTrailARNInvalidException"),
        ("a b", "InvalidTrailNameException"),
    ] {
        let start = StartLoggingRequest { name: name.to_owned() };
        assert_eq!(code(bench.service.start_logging(&bench.context, start).await), expected, "{name}");
    }
    bench.log.close().await;
}
