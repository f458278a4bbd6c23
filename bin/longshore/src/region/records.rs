//! The record of API calls: the log, the service that looks into it, and the delivery of trails.

use crate::settings::Settings;
use anyhow::{Context, Result};
use api_cloudtrail::{CloudTrailService, Delivery, shapes};
use api_server::Audit;
use audit_log::{AuditLog, Bounds};
use blob_store::BlobStore;
use environment::Environment;
use identifiers::AccountId;
use std::time::Duration;
use store::Tables;
use tokio_util::sync::CancellationToken;

/// The records of a region.
pub(super) struct Records {
    log: AuditLog,
    delivery: Delivery,
}

impl Records {
    pub(super) async fn open(settings: &Settings, tables: &Tables, blobs: &BlobStore) -> Result<Self> {
        let retention = Duration::from_secs(u64::from(settings.audit_retention_days) * 24 * 3600);
        let bounds = Bounds { retention, ..Bounds::default() };
        let log = AuditLog::open(blobs.clone(), tables.environment().clone(), bounds);
        let log = log.await.context("open the record of API calls")?;
        let (root, region) = (settings.trails_dir.clone(), settings.region.clone());
        let delivery = Delivery::new(tables.clone(), log.clone(), root, region);
        Ok(Self { log, delivery })
    }

    /// Records the calls of a server; those of nobody known are `account`'s.
    pub(super) fn audit(&self, account: AccountId) -> Audit {
        Audit::new(self.log.clone(), account)
    }

    /// The log itself.
    pub(super) fn log(&self) -> &AuditLog {
        &self.log
    }

    pub(super) fn service(&self, tables: Tables) -> shapes::Server<CloudTrailService> {
        shapes::Server(CloudTrailService::new(tables, self.log.clone(), self.delivery.clone()))
    }

    /// Delivers trails again and again until the region stops.
    pub(super) fn deliver(
        &self,
        environment: Environment,
        interval: Duration,
        shutdown: CancellationToken,
    ) -> impl Future<Output = ()> + use<> {
        let delivery = self.delivery.clone();
        async move {
            loop {
                tokio::select! {
                    () = environment.sleep(interval) => delivery.deliver_all().await,
                    () = shutdown.cancelled() => return,
                }
            }
        }
    }

    /// Delivers what is left and leaves everything on disk. Nothing is recorded after this.
    pub(super) async fn close(&self) {
        self.delivery.deliver_all().await;
        self.log.close().await;
    }
}
