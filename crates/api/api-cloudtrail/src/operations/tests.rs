//! Every operation with its documented errors, against rows in memory and files in a temporary directory.

mod events;
mod trails;

use crate::shapes::{CloudTrail, CreateTrailRequest, StartLoggingRequest};
use crate::{CloudTrailService, Delivery};
use audit_log::{AuditLog, Bounds, Event, Identity, Resource};
use aws_wire::{RequestContext, ServiceError};
use blob_store::BlobStore;
use environment::{Environment, Simulation, Timestamp};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;
use store::{MemoryStore, Tables};

/// 2 January 2026, 03:04:05.
const NOW: i64 = 1_767_323_045_000;
const ACCOUNT: &str = "123456789012";

struct Bench {
    dir: tempfile::TempDir,
    tables: Tables,
    simulation: Arc<Simulation>,
    log: AuditLog,
    context: RequestContext,
    service: CloudTrailService,
}

impl Bench {
    async fn new() -> Self {
        let (environment, simulation) = Environment::simulated(Timestamp::from_millis(NOW), 1);
        let tables = Tables::new(MemoryStore::new(environment.clone()), environment);
        let dir = tempfile::tempdir().expect("a directory");
        let context = RequestContext {
            account: ACCOUNT.parse().expect("an account"),
            region: "us-east-1".parse().expect("a region"),
            principal_arn: "arn:aws:iam::123456789012:root".into(),
            principal_id: ACCOUNT.into(),
            request_id: "r".into(),
            source_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
            host: "localhost:4566".into(),
            time: Timestamp::from_millis(NOW),
            extensions: aws_wire::Extensions::new(),
        };
        let (log, service) = open(&tables, &dir).await;
        Self { dir, tables, simulation, log, context, service }
    }

    /// As after a restart of the server.
    async fn reopen(&mut self) {
        self.log.close().await;
        (self.log, self.service) = open(&self.tables, &self.dir).await;
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("trails")
    }

    /// Records a call.
    fn call(&self, name: &str, read_only: bool, resource: &str) {
        self.event(name, read_only, resource, "ecs.amazonaws.com", false);
    }

    fn event(&self, name: &str, read_only: bool, resource: &str, source: &str, data: bool) {
        self.log.record(&Event {
            time: self.tables.environment().now(),
            source,
            name,
            region: "us-east-1",
            account: ACCOUNT,
            identity: Identity {
                kind: "IAMUser",
                user_name: "ann",
                access_key_id: "AKIAX",
                ..Identity::default()
            },
            request_parameters: Some("{\"a\":[1]}"),
            request_id: "00000000-0000-4000-8000-000000000001",
            resources: &[Resource { kind: "AWS::ECS::Cluster", name: resource }],
            read_only,
            data,
            ..Event::default()
        });
    }

    async fn create(&self, name: &str, bucket: &str) -> Result<(), ServiceError> {
        let input = CreateTrailRequest {
            name: name.to_owned(),
            s3_bucket_name: bucket.to_owned(),
            ..Default::default()
        };
        self.service.create_trail(&self.context, input).await.map(|_| ())
    }

    async fn start(&self, name: &str) {
        let input = StartLoggingRequest { name: name.to_owned() };
        self.service.start_logging(&self.context, input).await.expect("starts");
    }
}

async fn open(tables: &Tables, dir: &tempfile::TempDir) -> (AuditLog, CloudTrailService) {
    let environment: Environment = tables.environment().clone();
    let blobs = BlobStore::local(&dir.path().join("blobs"), environment.clone()).expect("opens");
    let log = AuditLog::open(blobs, environment, Bounds::default()).await.expect("opens");
    let region = "us-east-1".parse().expect("a region");
    let delivery = Delivery::new(tables.clone(), log.clone(), dir.path().join("trails"), region);
    (log.clone(), CloudTrailService::new(tables.clone(), log, delivery))
}

/// The name of the error.
fn code<T>(result: Result<T, ServiceError>) -> &'static str {
    result.err().map_or("no error", |error| error.shape.name)
}
