//! Calls the targets of rules and schedules as EventBridge does: with the role that the target names, really assumed,
//! and with every check that any caller meets.
//!
//! ECS and EventBridge itself are called through this region's own listener, with the credentials of the role: so the
//! call is authenticated, authorized and recorded as any other. Log groups are written to as a service of AWS, if the
//! account's resource policies allow it. HTTP endpoints are called for API destinations.

mod aws;
mod http_endpoint;
mod log_group;

use access::{Access, AssumeError, SessionCredentials};
use anyhow::Result;
use api_logs::LogsService;
use bytes::Bytes;
use controllers::{TargetError, Targets};
use encryption::KeyRing;
use environment::Environment;
use http_body_util::Full;
use http_endpoint::Pace;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use identifiers::{Arn, Region};
use resources::events::Delivery;
use std::time::Duration;
use store::Tables;

/// How long the session of a role lasts.
const LIFE: Duration = Duration::from_secs(900);

type Https = HttpClient<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// The targets of a region.
pub(super) struct RegionTargets {
    tables: Tables,
    access: Access,
    keys: KeyRing,
    logs: LogsService,
    region: Region,
    /// `http://127.0.0.1:4566`: the region's own listener.
    endpoint: String,
    environment: Environment,
    http: Https,
    pace: Pace,
}

impl RegionTargets {
    pub(super) fn new(
        tables: Tables,
        access: Access,
        keys: KeyRing,
        logs: LogsService,
        region: Region,
        endpoint: String,
    ) -> Result<Self> {
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::ring::default_provider())?
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self {
            environment: tables.environment().clone(),
            tables,
            access,
            keys,
            logs,
            region,
            endpoint,
            http: HttpClient::builder(TokioExecutor::new()).build(connector),
            pace: Pace::default(),
        })
    }

    /// The credentials of a target's role.
    async fn assume(&self, delivery: &Delivery) -> Result<SessionCredentials, TargetError> {
        let Some(role) = delivery.target.role_arn.as_deref() else {
            return Err(refused("the target names no role"));
        };
        let service = delivery.sender.principal();
        let made =
            self.access.assume_for_service(role, service, &delivery.event_id, LIFE, &delivery.source_arn);
        made.await.map_err(|error| match error {
            AssumeError::NoRole(_) | AssumeError::NotTrusted { .. } => refused(error.to_string()),
            AssumeError::Failed(_) => failed(error.to_string()),
        })
    }
}

fn refused(reason: impl Into<String>) -> TargetError {
    TargetError::Refused(reason.into())
}

fn failed(reason: impl Into<String>) -> TargetError {
    TargetError::Failed { reason: reason.into(), after: None }
}

#[async_trait::async_trait]
impl Targets for RegionTargets {
    async fn invoke(&self, delivery: &Delivery) -> Result<(), TargetError> {
        let Ok(arn) = delivery.target.arn.parse::<Arn>() else {
            return Err(refused("the target's ARN is none"));
        };
        match (arn.service.as_str(), arn.resource.split_once(['/', ':'])) {
            ("ecs", Some(("cluster", _))) => self.run_task(delivery).await,
            ("events", Some(("event-bus", _))) => self.put_event(delivery).await,
            ("events", Some(("api-destination", path))) => self.call_endpoint(delivery, path).await,
            ("logs", Some(("log-group", group))) => self.write_log(delivery, group).await,
            _ => Err(refused("there are no targets of this kind")),
        }
    }
}
