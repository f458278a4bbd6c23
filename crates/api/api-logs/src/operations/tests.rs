//! Every operation with its documented errors, against rows in memory and files in a temporary directory.

mod events;
mod groups;
mod metric_filters;
mod policies;
mod queries;

use crate::LogsService;
use crate::shapes::{
    CreateLogGroupRequest, CreateLogStreamRequest, InputLogEvent, Logs, PutLogEventsRequest,
    PutLogEventsResponse,
};
use aws_wire::{RequestContext, ServiceError};
use blob_store::BlobStore;
use environment::{Environment, Simulation, Timestamp};
use metric_store::Metrics;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use store::{MemoryStore, Tables};

/// The time at which every test begins, in milliseconds.
const NOW: i64 = 1_700_000_000_000;

struct Bench {
    dir: tempfile::TempDir,
    tables: Tables,
    simulation: Arc<Simulation>,
    context: RequestContext,
    metrics: Metrics,
    service: LogsService,
}

impl Bench {
    async fn new() -> Self {
        let (environment, simulation) = Environment::simulated(Timestamp::from_millis(NOW), 1);
        let tables = Tables::new(MemoryStore::new(environment.clone()), environment);
        let dir = tempfile::tempdir().expect("a directory");
        let context = RequestContext {
            account: "123456789012".parse().expect("an account"),
            region: "us-east-1".parse().expect("a region"),
            principal_arn: "arn:aws:iam::123456789012:root".into(),
            principal_id: "123456789012".into(),
            request_id: "r".into(),
            source_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
            host: "localhost:4566".into(),
            time: Timestamp::from_millis(NOW),
            extensions: aws_wire::Extensions::new(),
        };
        let blobs = BlobStore::local(dir.path(), tables.environment().clone()).expect("opens");
        let metrics = Metrics::open(blobs, tables.environment().clone()).await.expect("opens");
        let service = open(&tables, &dir, metrics.clone()).await;
        Self { dir, tables, simulation, context, metrics, service }
    }

    /// As after a restart of the server.
    async fn reopen(&mut self) {
        self.service = open(&self.tables, &self.dir, self.metrics.clone()).await;
    }

    async fn group(&self, name: &str) -> Result<(), ServiceError> {
        let input = CreateLogGroupRequest { log_group_name: name.to_owned(), ..Default::default() };
        self.service.create_log_group(&self.context, input).await
    }

    async fn stream(&self, group: &str, name: &str) -> Result<(), ServiceError> {
        let input =
            CreateLogStreamRequest { log_group_name: group.to_owned(), log_stream_name: name.to_owned() };
        self.service.create_log_stream(&self.context, input).await
    }

    /// Puts events whose times are counted from [`NOW`].
    async fn put(
        &self,
        group: &str,
        stream: &str,
        events: &[(i64, &str)],
    ) -> Result<PutLogEventsResponse, ServiceError> {
        let events = events
            .iter()
            .map(|(time, text)| InputLogEvent { timestamp: NOW + time, message: (*text).to_owned() });
        let input = PutLogEventsRequest {
            log_group_name: group.to_owned(),
            log_stream_name: stream.to_owned(),
            log_events: events.collect(),
            ..Default::default()
        };
        self.service.put_log_events(&self.context, input).await
    }
}

async fn open(tables: &Tables, dir: &tempfile::TempDir, metrics: Metrics) -> LogsService {
    let blobs = BlobStore::local(dir.path(), tables.environment().clone()).expect("opens");
    LogsService::open(tables.clone(), blobs, metrics).await.expect("opens")
}

/// The error's name and text.
fn told<T: std::fmt::Debug>(result: Result<T, ServiceError>) -> (&'static str, String) {
    let error = result.expect_err("is refused");
    (error.shape.name, error.message.into_owned())
}

#[expect(clippy::unnecessary_wraps, reason = "members of shapes are optional")]
fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}
