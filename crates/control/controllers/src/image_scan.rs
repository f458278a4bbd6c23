//! Scans images for vulnerabilities: when they are pushed, when StartImageScan asks for it, and when more is known.
//!
//! A key is an image. What is wanted follows from its rows and the settings of its repository and registry; what a scan
//! needs of the image, its packages, is read from the layers once and kept, so that scanning again is cheap. A scan is never
//! said to have found nothing where nothing is known: without data it fails and says so.

mod apply;
mod convert;
mod data;
mod examine;
mod observe;
mod plan;

pub use data::Data;

use crate::feed::Seen;
use blob_store::{BlobError, BlobStore};
use image_scans::ScanFileError;
use plan::Step;
use reconcile::{Next, Queue, Reconciler};
use resources::Stored;
use resources::ecr::{Image, ImageScan, VulnerabilityData};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use store::{Page, StoreError, Tables};
use tokio_util::sync::CancellationToken;
use vulnerability_data::DataError;

/// Time between two looks whether there is new data.
const LOOK: Duration = Duration::from_secs(3);
/// Keys read at a time.
const PAGE: usize = 1_000;

/// The controller.
pub struct ImageScanController {
    tables: Tables,
    blobs: BlobStore,
    data: Arc<Data>,
    queue: Queue<String>,
    stop: CancellationToken,
}

/// Why a step failed; it is tried again. What is wrong with an image is no failure of a step but its scan's result.
#[derive(Debug, thiserror::Error)]
pub enum ImageScanError {
    /// The rows failed.
    #[error("scanning an image: {0}")]
    Store(#[from] StoreError),
    /// The layers could not be read.
    #[error("reading an image: {0}")]
    Blob(#[from] BlobError),
    /// The files of scans failed.
    #[error("keeping findings: {0}")]
    File(#[from] ScanFileError),
    /// The vulnerability data failed.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The region stops.
    #[error("the scan was broken off because the region stops")]
    Stopped,
    /// The thread of the scan ended badly.
    #[error("the scan ended badly: {0}")]
    Crashed(String),
}

impl ImageScanController {
    /// Over the region's rows, blobs and vulnerability data.
    pub fn new(
        tables: Tables,
        blobs: BlobStore,
        data: Arc<Data>,
        queue: Queue<String>,
        stop: CancellationToken,
    ) -> Self {
        Self { tables, blobs, data, queue, stop }
    }

    /// Queues an image that came or went.
    pub(crate) fn see_image(&self, seen: Seen<Image>) {
        match seen {
            Seen::Anew => {}
            Seen::Row(row) => self.queue.nudge(row.key()),
            Seen::Gone(key) => self.queue.nudge(key),
        }
    }

    /// Queues a scan that was asked for.
    pub(crate) fn see_scan(&self, seen: Seen<ImageScan>) {
        if let Seen::Row(row) = seen
            && row.is_due()
        {
            self.queue.nudge(row.key());
        }
    }

    /// Says in the store which data there is, and queues every image when it is another, until `stop`.
    pub(crate) async fn watch_data(&self, stop: CancellationToken) {
        let mut last = None;
        loop {
            match self.notice_data(&mut last).await {
                Ok(()) => {}
                Err(error) => tracing::warn!(%error, "cannot look for vulnerability data"),
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.tables.environment().sleep(LOOK) => {}
            }
        }
    }

    async fn notice_data(&self, last: &mut Option<u64>) -> Result<(), ImageScanError> {
        let Some(found) = self.data.current().await?.map(|data| convert::row_of(&data)) else {
            return Ok(());
        };
        if *last == Some(found.generation) {
            return Ok(());
        }
        let generation = found.generation;
        let row = self.tables.get::<VulnerabilityData>(&found.key()).await?;
        if row.is_none_or(|row| *row.value != found) {
            self.tables.batch().put_any(&found).commit().await?;
        }
        self.nudge_all::<Image>().await?;
        self.nudge_all::<ImageScan>().await?;
        *last = Some(generation);
        Ok(())
    }
}

impl ImageScanController {
    /// Queues all rows of a table, some at a time: their keys are all that is read.
    async fn nudge_all<T: Stored>(&self) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let (keys, next) = self.tables.keys::<T>("", Page { after, limit: PAGE }).await?;
            for key in keys {
                self.queue.nudge(key);
            }
            after = next;
            if after.is_none() {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
    }

    /// All keys of a table.
    async fn all_keys<T: Stored>(&self, found: &mut BTreeSet<String>) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let (keys, next) = self.tables.keys::<T>("", Page { after, limit: PAGE }).await?;
            found.extend(keys);
            after = next;
            if after.is_none() {
                return Ok(());
            }
        }
    }
}

impl Reconciler for ImageScanController {
    type Key = String;
    type Error = ImageScanError;

    async fn reconcile(&self, key: &String) -> Result<Next, ImageScanError> {
        let data = self.data.current().await?;
        let observed = observe::observe(&self.tables, key).await?;
        let generation = data.as_ref().map(|data| data.summary().generation);
        match plan::plan(&observed, generation) {
            Step::Nothing => {}
            Step::Remove => apply::remove(&self.tables, &self.blobs, key).await?,
            Step::Scan(image, scanning) => {
                let run = apply::Run { tables: &self.tables, blobs: &self.blobs, data, stop: &self.stop };
                run.scan(&image, observed.scan.as_ref(), scanning).await?;
            }
        }
        Ok(Next::Settled)
    }

    async fn keys(&self) -> Result<Vec<String>, ImageScanError> {
        let mut keys = BTreeSet::new();
        self.all_keys::<Image>(&mut keys).await?;
        self.all_keys::<ImageScan>(&mut keys).await?;
        Ok(keys.into_iter().collect())
    }
}

#[cfg(test)]
mod tests;
