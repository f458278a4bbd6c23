//! Blobs as objects of a bucket, under the same names as in a directory.

mod connection;
mod s3;

pub use s3::{NotABucket, S3Bucket, S3Credentials};

use crate::blobs::{BlobRange, ReadBlob, StoredBlob, blocking};
use crate::{BlobError, Digest};
use bytes::Bytes;
use environment::Timestamp;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::signer::Signer;
use object_store::{
    Error, GetOptions, GetRange, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt, PutPayload,
};
use std::fs::File;
use std::io::Read;
use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Size of a part of an object that is sent in parts. Ten thousand parts are allowed, so larger blobs get larger ones.
const PART: u64 = 8 * 1024 * 1024;
/// Most parts of an object.
const MOST_PARTS: u64 = 10_000;
/// Parts in memory at the same time, over all uploads.
const PARTS_AT_ONCE: usize = 4;
/// Objects listed at a time.
const LISTED: usize = 1_000;

/// A bucket, or a part of one; cheap to clone.
#[derive(Clone)]
pub struct Bucket {
    objects: Arc<dyn ObjectStore>,
    signer: Option<Arc<dyn Signer>>,
    prefix: Path,
    parts: Arc<Semaphore>,
}

impl Bucket {
    /// A bucket reached through `objects`; `signer` makes addresses for downloads, if it can.
    pub fn new(objects: Arc<dyn ObjectStore>, signer: Option<Arc<dyn Signer>>, prefix: &str) -> Self {
        Self { objects, signer, prefix: Path::from(prefix), parts: Arc::new(Semaphore::new(PARTS_AT_ONCE)) }
    }

    fn path_of(&self, digest: &Digest) -> Path {
        let hex = digest.hex();
        [digest.algorithm().as_str(), &hex[..2], hex]
            .iter()
            .fold(self.prefix.clone().join("blobs"), |path, part| path.join(*part))
    }

    pub(crate) async fn stat(&self, digest: &Digest) -> Result<Option<u64>, BlobError> {
        let path = self.path_of(digest);
        match self.objects.head(&path).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed("looking at", &path, error)),
        }
    }

    pub(crate) async fn read(&self, digest: &Digest, range: BlobRange) -> Result<ReadBlob, BlobError> {
        let path = self.path_of(digest);
        let wanted = if range == BlobRange::All {
            None
        } else {
            // Storages answer an impossible range in many ways, so it is judged here.
            let size = self.stat(digest).await?.ok_or_else(|| BlobError::NotFound(digest.clone()))?;
            let (start, end) = range.within(size)?;
            Some(GetRange::Bounded(start..end))
        };
        let options = GetOptions { range: wanted, ..GetOptions::default() };
        let got = self.objects.get_opts(&path, options).await.map_err(|error| match error {
            Error::NotFound { .. } => BlobError::NotFound(digest.clone()),
            error => failed("reading", &path, error),
        })?;
        let (size, range) = (got.meta.size, got.range.clone());
        let stream =
            got.into_stream().map(move |chunk| chunk.map_err(|error| failed("reading", &path, error)));
        Ok(ReadBlob { size, start: range.start, length: range.end - range.start, stream: stream.boxed() })
    }

    pub(crate) async fn put(&self, digest: &Digest, content: Bytes) -> Result<(), BlobError> {
        let path = self.path_of(digest);
        let put = self.objects.put(&path, PutPayload::from_bytes(content)).await;
        put.map(|_| ()).map_err(|error| failed("storing", &path, error))
    }

    /// Sends a file, in parts when it is large, so that memory stays flat.
    pub(crate) async fn put_file(
        &self,
        digest: &Digest,
        file: &FilePath,
        size: u64,
    ) -> Result<(), BlobError> {
        let opened = File::open(file).map_err(|error| BlobError::io("opening", file, error))?;
        if size <= PART {
            let permit = self.parts.acquire().await.map_err(|_| BlobError::Cancelled)?;
            let (_, content) = part(opened, file, size).await?;
            let put = self.put(digest, content).await;
            drop(permit);
            return put;
        }
        let path = self.path_of(digest);
        let begun = self.objects.put_multipart(&path).await;
        let mut upload = begun.map_err(|error| failed("storing", &path, error))?;
        let sent = self.send_parts(&mut upload, (opened, file, size), &path).await;
        let done = match sent {
            Ok(()) => upload.complete().await.map(|_| ()).map_err(|error| failed("storing", &path, error)),
            Err(error) => Err(error),
        };
        if done.is_err()
            && let Err(error) = upload.abort().await
        {
            tracing::warn!(%path, %error, "parts of an object stay in the bucket");
        }
        done
    }

    async fn send_parts(
        &self,
        upload: &mut Box<dyn MultipartUpload>,
        (mut opened, file, size): (File, &FilePath, u64),
        path: &Path,
    ) -> Result<(), BlobError> {
        let length = PART.max(size.div_ceil(MOST_PARTS));
        let mut left = size;
        let mut sending = JoinSet::new();
        while left > 0 {
            let permit = self.parts.clone().acquire_owned().await.map_err(|_| BlobError::Cancelled)?;
            let content;
            (opened, content) = part(opened, file, length.min(left)).await?;
            left -= content.len() as u64;
            let sent = upload.put_part(PutPayload::from_bytes(content));
            sending.spawn(async move {
                let sent = sent.await;
                drop(permit);
                sent
            });
            while let Some(sent) = sending.try_join_next() {
                sent.map_err(|_| BlobError::Cancelled)?.map_err(|error| failed("storing", path, error))?;
            }
        }
        while let Some(sent) = sending.join_next().await {
            sent.map_err(|_| BlobError::Cancelled)?.map_err(|error| failed("storing", path, error))?;
        }
        Ok(())
    }

    pub(crate) async fn delete(&self, digest: &Digest) -> Result<(), BlobError> {
        let path = self.path_of(digest);
        match self.objects.delete(&path).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed("removing", &path, error)),
        }
    }

    pub(crate) async fn set_aside(&self, digest: &Digest) -> Result<(), BlobError> {
        let path = self.path_of(digest);
        let name = format!("{}-{}", digest.algorithm().as_str(), digest.hex());
        let target = self.prefix.clone().join("damaged").join(name);
        let moved = self.objects.rename(&path, &target).await;
        moved.map_err(|error| failed("setting aside", &path, error))
    }

    pub(crate) fn list(&self) -> BoxStream<'static, Result<Vec<StoredBlob>, BlobError>> {
        let folder = self.prefix.clone().join("blobs");
        let listed = self.objects.list(Some(&folder)).ready_chunks(LISTED);
        let describe_all = move |some: Vec<Result<ObjectMeta, Error>>| {
            some.into_iter()
                .filter_map(|meta| meta.map(describe).transpose())
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| failed("listing", &folder, error))
        };
        listed.map(describe_all).boxed()
    }

    pub(crate) async fn download_url(
        &self,
        digest: &Digest,
        life: Duration,
    ) -> Result<Option<String>, BlobError> {
        let Some(signer) = &self.signer else { return Ok(None) };
        let path = self.path_of(digest);
        let signed = signer.signed_url(http::Method::GET, &path, life).await;
        signed.map(|url| Some(url.into())).map_err(|error| failed("signing an address of", &path, error))
    }
}

fn failed(action: &'static str, path: &Path, error: Error) -> BlobError {
    BlobError::Bucket { action, path: path.to_string(), source: error.into() }
}

fn describe(meta: ObjectMeta) -> Option<StoredBlob> {
    let mut parts: Vec<_> = meta.location.parts().collect();
    let (hex, _shard, algorithm) = (parts.pop()?, parts.pop()?, parts.pop()?);
    let digest = format!("{}:{}", algorithm.as_ref(), hex.as_ref()).parse().ok()?;
    let stored_at = Timestamp::from_millis(meta.last_modified.timestamp_millis());
    Some(StoredBlob { digest, size: meta.size, stored_at })
}

/// The next bytes of a file.
async fn part(mut opened: File, file: &FilePath, length: u64) -> Result<(File, Bytes), BlobError> {
    let file = file.to_owned();
    blocking(move || {
        let mut content = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
        opened.read_exact(&mut content).map_err(|error| BlobError::io("reading", file, error))?;
        Ok((opened, content.into()))
    })
    .await
}
