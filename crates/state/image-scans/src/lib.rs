//! What scans found, in files beside the blobs: findings may be thousands, too many for rows of the store.
//!
//! Every image has a folder. A file in it is written whole and under a new name, so that a row of the store which names it
//! always finds what it means. Findings lie in records of [`CHUNK`], so that a page needs only its own.

use blob_store::{BlobError, BlobStore, Digest};
use resources::ecr::ImageFinding;

/// Findings of a record.
pub const CHUNK: usize = 100;
/// Most findings that are kept of an image; the least severe are left out.
pub const MOST_FINDINGS: usize = 10_000;
/// Most bytes of a record, decompressed.
const LARGEST: usize = 256 << 20;
const FOLDER: &str = "image-scans";
const LEVEL: i32 = 3;

/// Why a file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ScanFileError {
    /// The storage failed.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// What is there is not what was written.
    #[error("the file {file} is damaged: {reason}")]
    Damaged {
        /// Its name.
        file: String,
        /// What is wrong.
        reason: String,
    },
}

/// The files of an image's scans.
#[derive(Clone)]
pub struct ScanFiles {
    blobs: BlobStore,
    folder: String,
}

impl ScanFiles {
    /// Those of the image whose row has this key.
    pub fn of(blobs: &BlobStore, image: &str) -> Self {
        let folder = format!("{FOLDER}/{}", Digest::of(image.as_bytes()).hex());
        Self { blobs: blobs.clone(), folder }
    }

    /// Writes findings under a name and returns the file's.
    pub async fn write_findings(
        &self,
        name: &str,
        findings: &[ImageFinding],
    ) -> Result<String, ScanFileError> {
        let file = format!("{}/findings-{name}", self.folder);
        let damaged = |error: &dyn std::fmt::Display| damaged(&file, error);
        let mut records = Vec::new();
        for chunk in findings.chunks(CHUNK) {
            let text = serde_json::to_vec(chunk).map_err(|error| damaged(&error))?;
            records.push(zstd::bulk::compress(&text, LEVEL).map_err(|error| damaged(&error))?);
        }
        self.blobs.write_segment(&file, records).await?;
        Ok(file)
    }

    /// Up to `count` findings of a file, from the one with the number `first` on.
    pub async fn findings(
        &self,
        file: &str,
        first: usize,
        count: usize,
    ) -> Result<Vec<ImageFinding>, ScanFileError> {
        let Some(records) = self.blobs.read_segment(file).await? else {
            return Err(damaged(file, &"it is gone"));
        };
        let mut found = Vec::new();
        for record in records.iter().skip(first / CHUNK).take(count / CHUNK + 2) {
            let text = zstd::bulk::decompress(record, LARGEST).map_err(|error| damaged(file, &error))?;
            let chunk: Vec<ImageFinding> =
                serde_json::from_slice(&text).map_err(|error| damaged(file, &error))?;
            found.extend(chunk);
        }
        Ok(found.into_iter().skip(first % CHUNK).take(count).collect())
    }

    /// Keeps a text about the image, such as its packages.
    pub async fn write_text(&self, name: &str, text: &[u8]) -> Result<(), ScanFileError> {
        let file = format!("{}/{name}", self.folder);
        let record = zstd::bulk::compress(text, LEVEL).map_err(|error| damaged(&file, &error))?;
        self.blobs.write_segment(&file, vec![record]).await?;
        Ok(())
    }

    /// A text that was kept; `None` when none was.
    pub async fn text(&self, name: &str) -> Result<Option<Vec<u8>>, ScanFileError> {
        let file = format!("{}/{name}", self.folder);
        let Some(records) = self.blobs.read_segment(&file).await? else { return Ok(None) };
        let record = records.first().ok_or_else(|| damaged(&file, &"it is empty"))?;
        Ok(Some(zstd::bulk::decompress(record, LARGEST).map_err(|error| damaged(&file, &error))?))
    }

    /// Removes a file of findings that nothing names any more.
    pub async fn remove(&self, file: &str) -> Result<(), ScanFileError> {
        Ok(self.blobs.delete_segments(file).await?)
    }

    /// Removes all.
    pub async fn remove_all(&self) -> Result<(), ScanFileError> {
        Ok(self.blobs.delete_segments(&self.folder).await?)
    }
}

fn damaged(file: &str, reason: &dyn std::fmt::Display) -> ScanFileError {
    ScanFileError::Damaged { file: file.to_owned(), reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use environment::{Environment, Timestamp};

    fn finding(number: usize) -> ImageFinding {
        ImageFinding {
            name: format!("CVE-{number}"),
            related: vec![],
            severity: "HIGH".into(),
            vendor_severity: None,
            title: String::new(),
            description: String::new(),
            source: "OSV".into(),
            references: vec![],
            scores: vec![],
            published: None,
            modified: None,
            package: "p".into(),
            packages: vec![],
            first_observed_at: Timestamp::from_seconds(1),
        }
    }

    #[tokio::test]
    async fn pages_of_findings_and_texts() {
        let dir = tempfile::tempdir().expect("a directory");
        let blobs = BlobStore::local(dir.path(), Environment::real()).expect("opens");
        let files = ScanFiles::of(&blobs, "123456789012/app@sha256:aa");
        let all: Vec<ImageFinding> = (0..250).map(finding).collect();
        let file = files.write_findings("1", &all).await.expect("writes");
        for (first, count) in [(0, 100), (50, 100), (99, 2), (200, 100), (249, 1), (250, 10), (0, 1000)] {
            let page = files.findings(&file, first, count).await.expect("reads");
            assert_eq!(page, all[first.min(250)..(first + count).min(250)], "{first} {count}");
        }
        let empty = files.write_findings("2", &[]).await.expect("writes");
        assert!(files.findings(&empty, 0, 10).await.expect("reads").is_empty());
        assert!(files.text("packages").await.expect("reads").is_none());
        files.write_text("packages", b"{}").await.expect("writes");
        assert_eq!(files.text("packages").await.expect("reads").as_deref(), Some(&b"{}"[..]));
        files.remove(&file).await.expect("removes");
        files.findings(&file, 0, 1).await.expect_err("is gone");
        files.remove_all().await.expect("removes");
        assert!(files.text("packages").await.expect("reads").is_none());
    }
}
