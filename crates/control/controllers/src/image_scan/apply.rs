//! Carries a scan out and writes what came of it.

use super::examine::{Manifest, Unreadable};
use super::{ImageScanError, convert};
use blob_store::BlobStore;
use environment::Timestamp;
use image_packages::Inventory;
use image_scans::{MOST_FINDINGS, ScanFiles};
use resources::Stored;
use resources::ecr::{
    Event, EventKind, Image, ImageScan, ScanFrequency, ScanResult, ScanStatus, ScanType, Scanning,
};
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;
use store::{StoreError, Tables, Versioned};
use tokio_util::sync::CancellationToken;
use vulnerabilities::{Found, Scope};
use vulnerability_data::{DataError, Database};

/// Name of the file of an image's packages; another one when layers are read in another way.
const PACKAGES: &str = "packages-1";
const NO_DATA: &str = "No vulnerability data was ever imported, so nothing is known about this image. Import some with \
                       `longshore vulnerabilities import`.";
const UNSUPPORTED: &str =
    "UnsupportedImageError: The operating system and/or package manager are not supported.";
const COMPLETED: &str = "The scan was completed successfully.";

/// What a scan needs.
pub struct Run<'a> {
    /// Rows.
    pub tables: &'a Tables,
    /// Layers and files.
    pub blobs: &'a BlobStore,
    /// Advisories, if there are any.
    pub data: Option<Arc<Database>>,
    /// Breaks the scan off.
    pub stop: &'a CancellationToken,
}

/// What came of a scan: a status with its reason, or findings.
struct Outcome {
    status: ScanStatus,
    description: String,
    result: Option<ScanResult>,
}

impl Outcome {
    fn without(status: ScanStatus, description: impl Into<String>) -> Self {
        Self { status, description: description.into(), result: None }
    }
}

/// Removes what was found in an image that is gone.
pub async fn remove(tables: &Tables, blobs: &BlobStore, key: &str) -> Result<(), ImageScanError> {
    ScanFiles::of(blobs, key).remove_all().await?;
    tables.batch().delete_any::<ImageScan>(key).commit().await?;
    Ok(())
}

impl Run<'_> {
    /// Scans an image. Killed anywhere, the next run begins again.
    pub async fn scan(
        &self,
        image: &Image,
        scan: Option<&Versioned<ImageScan>>,
        scanning: Scanning,
    ) -> Result<(), ImageScanError> {
        let now = self.tables.environment().now();
        let key = image.key();
        let before = scan.map_or_else(|| ImageScan::new(image, now), |scan| ImageScan::clone(scan));
        let begun = ImageScan { status: ScanStatus::InProgress, ..before.clone() };
        match scan {
            Some(scan) => self.tables.batch().replace(scan, &begun).commit().await?,
            None => self.tables.batch().create(&begun).commit().await?,
        };
        let files = ScanFiles::of(self.blobs, &key);
        let outcome = self.outcome(image, &before, &files, scanning).await?;
        let old = before.result.as_ref().map(|result| result.file.clone());
        let new = outcome.result.as_ref().map(|result| result.file.clone());
        let told = EventKind::Scan {
            status: if outcome.result.is_some() { "COMPLETE" } else { "FAILED" }.to_owned(),
            findings: outcome
                .result
                .iter()
                .flat_map(|result| &result.counts)
                .map(|(severity, count)| (severity.clone(), u64::from(*count)))
                .collect(),
        };
        let after = ImageScan {
            status: outcome.status,
            description: outcome.description,
            tried_with: self.data.as_ref().map_or(0, |data| data.summary().generation),
            result: outcome.result,
            ..before
        };
        self.finish(image, after, told).await?;
        // What the row named before is of no use now; were it left, it would go with the image.
        if let Some(old) = old.filter(|old| Some(old) != new.as_ref()) {
            files.remove(&old).await?;
        }
        Ok(())
    }

    /// Writes the end of a scan and tells of it. One that was asked for again meanwhile is due again.
    async fn finish(&self, image: &Image, mut after: ImageScan, told: EventKind) -> Result<(), StoreError> {
        // Without a row the image went meanwhile.
        let Some(row) = self.tables.get::<ImageScan>(&image.key()).await? else { return Ok(()) };
        after.manual_at = row.manual_at;
        if row.requested_at > after.requested_at {
            after.requested_at = row.requested_at;
            after.status = ScanStatus::Pending;
        }
        let environment = self.tables.environment();
        let event = Event {
            account: image.account.clone(),
            id: environment.uuid(),
            time: environment.now(),
            repository: image.repository.clone(),
            digest: image.digest.clone(),
            tag: None,
            kind: told,
        };
        self.tables.batch().replace(&row, &after).create(&event).commit().await?;
        Ok(())
    }

    async fn outcome(
        &self,
        image: &Image,
        before: &ImageScan,
        files: &ScanFiles,
        scanning: Scanning,
    ) -> Result<Outcome, ImageScanError> {
        if image.is_archived() {
            return Ok(Outcome::without(
                ScanStatus::ImageArchived,
                "The image is archived; restore it first.",
            ));
        }
        let manifest = Manifest::of(image).filter(|_| image.is_scannable());
        let Some(manifest) = manifest else {
            return Ok(Outcome::without(ScanStatus::UnsupportedImage, UNSUPPORTED));
        };
        let Some(data) = self.data.clone() else {
            return Ok(Outcome::without(ScanStatus::Failed, NO_DATA));
        };
        let inventory = match self.inventory(&manifest, files).await? {
            Ok(inventory) => inventory,
            Err(Unreadable::Unsupported(why)) => {
                return Ok(Outcome::without(ScanStatus::UnsupportedImage, format!("{UNSUPPORTED} {why}")));
            }
            Err(Unreadable::LimitExceeded(why)) => {
                return Ok(Outcome::without(ScanStatus::LimitExceeded, why));
            }
            Err(Unreadable::Failed(why)) => return Ok(Outcome::without(ScanStatus::Failed, why)),
        };
        let found = find(data.clone(), inventory.clone(), scanning.scan_type).await?;
        if found.examined == 0 {
            let why = format!("{UNSUPPORTED} {}", unknown(&found));
            return Ok(Outcome::without(ScanStatus::UnsupportedImage, why.trim_end()));
        }
        let now = self.tables.environment().now();
        let first = first_observed(before, files).await;
        let kept: Vec<_> = found
            .findings
            .iter()
            .take(MOST_FINDINGS)
            .map(|finding| convert::finding(finding, &inventory, &manifest, &first, now))
            .collect();
        let file = files.write_findings(&now.as_millis().to_string(), &kept).await?;
        let configuration = manifest.configuration(self.blobs).await;
        let continuous = scanning.frequency == ScanFrequency::ContinuousScan;
        Ok(Outcome {
            status: if continuous { ScanStatus::Active } else { ScanStatus::Complete },
            description: completed(&found),
            result: Some(ScanResult {
                scan_type: scanning.scan_type,
                completed_at: now,
                data_generation: data.summary().generation,
                data_imported_at: Timestamp::from_millis(data.summary().imported_at),
                counts: convert::counts(&found.findings),
                findings: kept.len() as u32,
                file,
                platform: inventory.distribution.as_ref().map(convert::platform),
                architecture: configuration.architecture,
                author: configuration.author,
            }),
        })
    }

    /// The packages, as they were kept or from the layers.
    async fn inventory(
        &self,
        manifest: &Manifest,
        files: &ScanFiles,
    ) -> Result<Result<Inventory, Unreadable>, ImageScanError> {
        if let Ok(Some(text)) = files.text(PACKAGES).await
            && let Ok(inventory) = serde_json::from_slice(&text)
        {
            return Ok(Ok(inventory));
        }
        let read = manifest.packages(self.blobs, self.stop).await?;
        if let Ok(inventory) = &read
            && let Ok(text) = serde_json::to_vec(inventory)
        {
            files.write_text(PACKAGES, &text).await?;
        }
        Ok(read)
    }
}

async fn find(data: Arc<Database>, inventory: Inventory, kind: ScanType) -> Result<Found, ImageScanError> {
    let scope = match kind {
        ScanType::Basic => Scope::Distribution,
        ScanType::Enhanced => Scope::All,
    };
    let found = tokio::task::spawn_blocking(move || {
        vulnerabilities::find(&inventory, scope, |system| data.knows(system), |key| data.advisories(key))
    });
    let found: Result<Found, DataError> =
        found.await.map_err(|error| ImageScanError::Crashed(error.to_string()))?;
    Ok(found?)
}

/// When each finding was there first, by name and package. What cannot be read any more is as if it were new.
async fn first_observed(before: &ImageScan, files: &ScanFiles) -> HashMap<(String, String), Timestamp> {
    let Some(result) = &before.result else { return HashMap::new() };
    let old = files.findings(&result.file, 0, MOST_FINDINGS).await.unwrap_or_default();
    old.into_iter().map(|finding| ((finding.name, finding.package), finding.first_observed_at)).collect()
}

fn completed(found: &Found) -> String {
    let mut text = COMPLETED.to_owned();
    if found.findings.len() > MOST_FINDINGS {
        let _ =
            write!(text, " Of {} findings the {MOST_FINDINGS} most severe are kept.", found.findings.len());
    }
    if !found.unknown.is_empty() {
        let _ = write!(text, " {}", unknown(found));
    }
    text
}

/// Of which packages nothing is known.
fn unknown(found: &Found) -> String {
    if found.unknown.is_empty() {
        return String::new();
    }
    let systems: Vec<String> = found
        .unknown
        .iter()
        .map(|(system, packages)| {
            format!("{system} ({packages} {})", if *packages == 1 { "package" } else { "packages" })
        })
        .collect();
    format!("There is no vulnerability data for {}.", systems.join(", "))
}
