//! Every call is recorded, whatever becomes of it.

use crate::probe::HANGING;
use crate::region::{DEADLINE, TestRegion};
use api_server::{Audit, Limits};
use audit_log::{AuditLog, Bounds, Query, StoredEvent};
use aws_wire::sigv4::Signer;
use blob_store::BlobStore;
use environment::{Environment, Timestamp};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;

const ACCOUNT: &str = "123456789012";

struct Recorded {
    region: TestRegion,
    log: AuditLog,
    _dir: TempDir,
}

async fn recorded() -> Recorded {
    let dir = tempfile::tempdir().expect("a directory");
    let environment = Environment::real();
    let blobs = BlobStore::local(dir.path(), environment.clone()).expect("opens");
    let log = AuditLog::open(blobs, environment, Bounds::default()).await.expect("opens");
    let audit = Audit::new(log.clone(), ACCOUNT.parse().expect("an account"));
    let region = TestRegion::with_audit(Limits::default(), Some(audit)).await;
    Recorded { region, log, _dir: dir }
}

impl Recorded {
    /// All records, oldest first.
    async fn events(&self) -> Vec<StoredEvent> {
        let (from, until) = (Timestamp::from_seconds(0), Timestamp::from_seconds(i64::from(u32::MAX)));
        let account = ACCOUNT.to_owned();
        let query = Query { account, matching: None, from, until, before: None, limit: 50 };
        let mut events = self.log.search(&query).await.expect("searches").events;
        events.reverse();
        events
    }

    async fn stop(self) {
        self.region.stop().await;
        self.log.close().await;
    }
}

fn error(event: &StoredEvent) -> &str {
    event.error.as_ref().map_or("", |(code, _)| code)
}

#[tokio::test]
async fn calls_are_recorded_whether_they_succeed_fail_or_panic() {
    let recorded = recorded().await;
    let region = &recorded.region;
    let reply = region.send(region.json("Echo", r#"{"text":"abc","count":5,"other":"x"}"#)).await;
    region.send(region.json("Echo", r#"{"text":"too long"}"#)).await;
    region.send(region.json("Fail", "{}")).await;
    region.send(region.json("Panic", "{}")).await;
    region.send(region.query("probe", "Action=Echo&Version=2020-01-01&count=7")).await;
    region.send(region.json("Echo", "[]")).await;
    let events = recorded.events().await;
    let seen: Vec<_> = events.iter().map(|event| (event.name.as_str(), error(event))).collect();
    let expected = [
        ("Echo", ""),
        ("Echo", "ProbeInvalid"),
        ("Fail", "ProbeFailed"),
        ("Panic", "InternalFailure"),
        ("Echo", ""),
        ("Echo", "SerializationException"),
    ];
    assert_eq!(seen, expected);
    let first = &events[0];
    assert!(reply.head.contains(&first.request_id), "{}", reply.head);
    let identity = first.identity.get();
    assert_eq!((identity.kind, identity.username(), identity.account), ("Root", "root", ACCOUNT));
    assert_eq!(identity.access_key_id, region.signer.access_key_id);
    assert_eq!((first.source.as_str(), first.region.as_str()), ("probe.amazonaws.com", "eu-central-1"));
    assert_eq!((first.source_address.as_str(), first.read_only), ("127.0.0.1", false));
    assert_eq!(first.request_parameters.as_deref(), Some(r#"{"text":"abc","count":5}"#));
    assert_eq!(first.response_elements.as_deref(), Some(r#"{"text":"abc"}"#));
    assert_eq!(events[1].request_parameters.as_deref(), Some(r#"{"text":"too long"}"#));
    assert_eq!(events[4].request_parameters.as_deref(), Some(r#"{"count":7}"#));
    recorded.stop().await;
}

#[tokio::test]
async fn strangers_are_recorded() {
    let recorded = recorded().await;
    let region = &recorded.region;
    let target = [("x-amz-target", "Probe_20200101.Echo")];
    let forged = Signer { secret_access_key: "wrong".to_owned(), ..region.signer.clone() };
    region.send(region.signed(&forged, "probe", region.now(), &target, "{}")).await;
    let stranger = Signer { access_key_id: "AKIASTRANGER".to_owned(), ..region.signer.clone() };
    region.send(region.signed(&stranger, "probe", region.now(), &target, r#"{"text":"abc"}"#)).await;
    region
        .send(
            "POST / HTTP/1.1\r\nhost: x\r\nx-amz-target: Probe_20200101.Echo\r\ncontent-length: 2\r\n\r\n{}",
        )
        .await;
    region.send(region.json("Nothing", "{}")).await;
    let events = recorded.events().await;
    let seen: Vec<_> =
        events.iter().map(|event| (error(event), event.identity.get().access_key_id)).collect();
    let expected = [
        ("InvalidSignatureException", region.signer.access_key_id.as_str()),
        ("UnrecognizedClientException", "AKIASTRANGER"),
        ("MissingAuthenticationTokenException", ""),
    ];
    assert_eq!(seen, expected);
    assert!(events.iter().all(|event| event.identity.get().kind == "Unknown"));
    assert!(events.iter().all(|event| event.request_parameters.is_none()));
    recorded.stop().await;
}

#[tokio::test]
async fn bodies_that_are_refused_unread_are_recorded() {
    let recorded = recorded().await;
    let region = &recorded.region;
    let headers = [("x-amz-target", "Probe_20200101.Echo"), ("content-encoding", "br")];
    region.send(region.call("probe", &headers, "{}")).await;
    let stranger = Signer { access_key_id: "AKIASTRANGER".to_owned(), ..region.signer.clone() };
    let large = "x".repeat(Limits::default().stranger_body_bytes + 1);
    region.send(region.signed(&stranger, "probe", region.now(), &headers[..1], &large)).await;
    // What names no operation is none.
    region.send(region.call("probe", &headers[1..], "{}")).await;
    let events = recorded.events().await;
    let seen: Vec<_> = events
        .iter()
        .map(|event| (event.name.as_str(), error(event), event.identity.get().access_key_id))
        .collect();
    let expected = [
        ("Echo", "UnsupportedMediaTypeException", region.signer.access_key_id.as_str()),
        ("Echo", "UnrecognizedClientException", "AKIASTRANGER"),
    ];
    assert_eq!(seen, expected);
    assert!(events.iter().all(|event| event.identity.get().kind == "Unknown"));
    recorded.stop().await;
}

#[tokio::test]
async fn who_hangs_up_does_not_escape() {
    let recorded = recorded().await;
    let mut connection = recorded.region.connect().await;
    let request = recorded.region.json("Hang", r#"{"text":"abc"}"#);
    connection.write_all(request.as_bytes()).await.expect("sends");
    tokio::time::timeout(DEADLINE, HANGING.notified()).await.expect("the operation runs");
    drop(connection);
    let event = tokio::time::timeout(DEADLINE, async {
        loop {
            if let Some(event) = recorded.events().await.pop() {
                return event;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let event = event.await.expect("is recorded in time");
    assert_eq!((event.name.as_str(), error(&event)), ("Hang", "ClientDisconnected"));
    assert_eq!(event.request_parameters.as_deref(), Some(r#"{"text":"abc"}"#));
    recorded.stop().await;
}
