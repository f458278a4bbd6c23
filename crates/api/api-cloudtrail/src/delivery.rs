//! Trails become files: gzip JSON, named and laid out as CloudTrail does it in a bucket.
//!
//! Delivery goes through the records once, in their order. A file is planned in the trail's row, then written, then
//! taken off the row: after a crash anywhere the same file is written again under the same name, so every record is
//! delivered once. A file appears whole or not at all. One delivery runs at a time.

use crate::{record, selectors};
use audit_log::{AuditError, AuditLog, StoredEvent};
use flate2::Compression;
use flate2::write::GzEncoder;
use identifiers::Region;
use resources::Stored;
use resources::cloudtrail::{PlannedFile, Trail};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::{StoreError, Tables};
use tokio::sync::Mutex;

/// Records of a file, about.
const FILE_RECORDS: usize = 5_000;
/// Characters of the unique part of a file's name.
const UNIQUE: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// A failure to deliver.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// The rows failed.
    #[error("rows of trails")]
    Store(#[from] StoreError),
    /// The records failed.
    #[error("read what to deliver")]
    Log(#[from] AuditError),
    /// A file could not be written.
    #[error("write {}", path.display())]
    Files {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// Delivers trails; cheap to clone.
#[derive(Clone)]
pub struct Delivery(Arc<Inner>);

struct Inner {
    tables: Tables,
    log: AuditLog,
    root: PathBuf,
    region: Region,
    one_at_a_time: Mutex<()>,
}

impl Delivery {
    /// Delivers into directories below `root`, one for each bucket.
    pub fn new(tables: Tables, log: AuditLog, root: PathBuf, region: Region) -> Self {
        Self(Arc::new(Inner { tables, log, root, region, one_at_a_time: Mutex::new(()) }))
    }

    /// Delivers every trail up to now. A trail that fails is logged, and tried again the next time.
    pub async fn deliver_all(&self) {
        let trails = match self.0.tables.list_all::<Trail>("").await {
            Ok(trails) => trails,
            Err(error) => {
                tracing::error!(%error, "cannot read which trails to deliver");
                return;
            }
        };
        for trail in trails {
            if let Err(error) = self.deliver(&trail.key()).await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, trail = trail.name, "cannot deliver a trail");
            }
        }
    }

    /// Delivers a trail up to now, if it is logging.
    pub async fn deliver(&self, key: &str) -> Result<(), DeliveryError> {
        let _alone = self.0.one_at_a_time.lock().await;
        let until = self.0.log.flush().await;
        let delivered = self.0.up_to(key, until).await;
        if let Err(error) = &delivered {
            let (text, now) = (error.to_string(), self.0.tables.environment().now());
            self.0
                .change(key, |trail| {
                    trail.delivery.error = Some(text.clone());
                    trail.delivery.attempted_at = Some(now);
                })
                .await?;
        }
        delivered
    }

    /// Delivers a trail up to now before it is changed. A failure, which the trail's status shows, does not keep anybody
    /// from changing a trail: that may be what mends it.
    pub(crate) async fn deliver_before_change(&self, trail: &Trail) {
        if let Err(error) = self.deliver(&trail.key()).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, trail = trail.name, "cannot deliver a trail before it is changed");
        }
    }

    /// The number of the next record: where a trail begins that is started now.
    pub(crate) async fn now(&self) -> u64 {
        self.0.log.flush().await
    }

    /// Makes the directory of a bucket.
    pub(crate) async fn make_bucket(&self, bucket: &str) -> Result<(), DeliveryError> {
        let path = self.0.root.join(bucket);
        let failed = |source| DeliveryError::Files { path: path.clone(), source };
        tokio::fs::create_dir_all(&path).await.map_err(failed)
    }
}

impl Inner {
    async fn up_to(&self, key: &str, until: u64) -> Result<(), DeliveryError> {
        let Some(trail) = self.tables.get::<Trail>(key).await? else { return Ok(()) };
        let mut trail = (*trail.value).clone();
        if !trail.is_logging {
            return Ok(());
        }
        if let Some(file) = trail.delivery.file.clone() {
            // The records may lie in other parts than before, so one reading may not reach the end of the file.
            let (mut events, mut from) = (Vec::new(), file.first);
            while from < file.end {
                let (more, next) = self.selected(&trail, from, file.end).await?;
                events.extend(more);
                from = next;
            }
            trail = self.deliver_file(&trail, &file, events).await?;
        }
        let mut from = trail.delivery.next;
        while from < until {
            let (events, next) = self.selected(&trail, from, until).await?;
            if !events.is_empty() {
                let file = PlannedFile { first: from, end: next, at: self.tables.environment().now() };
                let planned = Some(file.clone());
                self.change(key, |trail| trail.delivery.file.clone_from(&planned)).await?;
                trail = self.deliver_file(&trail, &file, events).await?;
            }
            from = next;
        }
        if trail.delivery.next < from {
            self.change(key, |trail| trail.delivery.next = from).await?;
        }
        Ok(())
    }

    /// The records of a part of a range that the trail selects, and where the part ends.
    async fn selected(
        &self,
        trail: &Trail,
        first: u64,
        end: u64,
    ) -> Result<(Vec<StoredEvent>, u64), DeliveryError> {
        let (mut events, next) = self.log.range(&trail.account, first..end, FILE_RECORDS).await?;
        events.retain(|event| selectors::selects(trail, event));
        Ok((events, next))
    }

    /// Writes a planned file and takes the plan off the row.
    async fn deliver_file(
        &self,
        trail: &Trail,
        file: &PlannedFile,
        events: Vec<StoredEvent>,
    ) -> Result<Trail, DeliveryError> {
        let path = self.path(trail, file);
        let writing = path.clone();
        let written = tokio::task::spawn_blocking(move || write(&writing, &events)).await;
        let written = written.unwrap_or_else(|_| Err(io::ErrorKind::Interrupted.into()));
        written.map_err(|source| DeliveryError::Files { path, source })?;
        let now = self.tables.environment().now();
        self.change(&trail.key(), |trail| {
            trail.delivery.next = file.end;
            trail.delivery.file = None;
            trail.delivery.error = None;
            (trail.delivery.delivered_at, trail.delivery.attempted_at) = (Some(now), Some(now));
        })
        .await
        .map(|changed| changed.unwrap_or_else(|| trail.clone()))
    }

    async fn change(&self, key: &str, change: impl Fn(&mut Trail)) -> Result<Option<Trail>, DeliveryError> {
        let changed = self.tables.update(key, |old: &Trail| {
            let mut trail = old.clone();
            change(&mut trail);
            Ok::<_, StoreError>(Some(trail))
        });
        Ok(changed.await?.map(|trail| (*trail.value).clone()))
    }

    /// `BUCKET/PREFIX/AWSLogs/ACCOUNT/CloudTrail/REGION/YYYY/MM/DD/ACCOUNT_CloudTrail_REGION_YYYYMMDDTHHmmZ_UNIQUE.json.gz`.
    fn path(&self, trail: &Trail, file: &PlannedFile) -> PathBuf {
        let (account, region) = (&trail.account, &self.region);
        // `20260102T030405Z`
        let at = file.at.to_basic();
        let mut path = self.root.join(&trail.bucket);
        if let Some(prefix) = &trail.prefix {
            path.push(prefix.trim_end_matches('/'));
        }
        path.extend(["AWSLogs", account, "CloudTrail", region.as_str(), &at[..4], &at[4..6], &at[6..8]]);
        path.push(format!("{account}_CloudTrail_{region}_{}Z_{}.json.gz", &at[..13], unique(trail, file)));
        path
    }
}

/// What no other file of any trail has in its name: it follows from the trail and from what the file holds.
fn unique(trail: &Trail, file: &PlannedFile) -> String {
    let hash = Sha256::digest(format!("{}|{}|{}", trail.id, file.first, file.end));
    hash.iter().take(16).map(|byte| char::from(UNIQUE[usize::from(*byte) % UNIQUE.len()])).collect()
}

fn write(path: &Path, events: &[StoredEvent]) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    fs::create_dir_all(folder)?;
    let name = path.file_name().and_then(|name| name.to_str()).ok_or(io::ErrorKind::InvalidInput)?;
    let unfinished = folder.join(format!(".{name}.unfinished"));
    let mut packed = GzEncoder::new(io::BufWriter::new(File::create(&unfinished)?), Compression::default());
    packed.write_all(b"{\"Records\":[")?;
    for (index, event) in events.iter().enumerate() {
        if index > 0 {
            packed.write_all(b",")?;
        }
        packed.write_all(record::write(event).as_bytes())?;
    }
    packed.write_all(b"]}")?;
    packed.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    fs::rename(&unfinished, path)?;
    File::open(folder)?.sync_all()
}
