//! A store and a bucket in memory whose calls take turns by a seed, and fail when they are told to.

use async_trait::async_trait;
use blob_store::{BlobStore, Bucket, Digest};
use bytes::Bytes;
use environment::{Environment, Simulation, Timestamp};
use futures::StreamExt;
use futures::stream::BoxStream;
use image_registry::{Damage, ImageError, ImageRegistry, PushImage};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult,
};
use resources::ecr::Repository;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use store::{
    LeaseId, MemoryStore, RangeRequest, RangeResponse, Revision, Store, StoreError, StoreStatus, Tables,
    Transaction, TransactionResponse, Watch, WatchRequest,
};

/// Decides how long each call waits for others, and which one fails.
pub struct Turns {
    random: Environment,
    calls: AtomicU64,
    /// The call that fails; none when it is zero.
    fails: AtomicU64,
}

impl Turns {
    /// A number below `most`.
    pub fn random(&self, most: u64) -> u64 {
        let mut bytes = [0; 8];
        self.random.fill_random(&mut bytes);
        u64::from_le_bytes(bytes) % most
    }

    /// Lets others go first, and says whether this call fails.
    async fn turn(&self) -> bool {
        for _ in 0..self.random(4) {
            tokio::task::yield_now().await;
        }
        let call = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        call == self.fails.load(Ordering::Relaxed)
    }

    /// Lets the call after `calls` more fail.
    pub fn fail_after(&self, calls: u64) {
        self.calls.store(0, Ordering::Relaxed);
        self.fails.store(calls + 1, Ordering::Relaxed);
    }

    /// Nothing fails any more; says whether something has.
    pub fn heal(&self) -> bool {
        let planned = self.fails.swap(0, Ordering::Relaxed);
        self.calls.load(Ordering::Relaxed) >= planned
    }
}

pub struct World {
    pub images: ImageRegistry,
    pub turns: Arc<Turns>,
    pub clock: Arc<Simulation>,
    pub repositories: Vec<Repository>,
    _dir: tempfile::TempDir,
}

impl World {
    pub async fn new(seed: u64) -> Self {
        // Objects have the time of this machine; the region lives later, so that nothing is too young to go.
        let (environment, clock) = Environment::simulated(Timestamp::from_seconds(4_000_000_000), seed);
        let turns = Arc::new(Turns {
            random: Environment::simulated(Timestamp::from_seconds(0), seed ^ 0x5eed).0,
            calls: AtomicU64::new(0),
            fails: AtomicU64::new(0),
        });
        let store = MemoryStore::new(environment.clone());
        let tables = Tables::new(Arc::new(Slow { store, turns: turns.clone() }), environment.clone());
        let objects = Objects { inner: InMemory::new(), turns: turns.clone() };
        let dir = tempfile::tempdir().expect("a directory");
        let bucket = Bucket::new(Arc::new(objects), None, "");
        let blobs = BlobStore::in_bucket(dir.path(), environment.clone(), bucket).expect("opens");
        let account: identifiers::AccountId = "123456789012".parse().expect("an account");
        let repositories: Vec<Repository> =
            ["one", "two"].map(|name| Repository::new(account.clone(), name, environment.now())).into();
        for repository in &repositories {
            tables.create(repository.clone()).await.expect("creates");
        }
        Self { images: ImageRegistry::new(tables, blobs), turns, clock, repositories, _dir: dir }
    }

    /// Prefix of the keys of a repository's rows.
    pub fn rows(&self, repository: usize) -> String {
        let repository = &self.repositories[repository];
        resources::ecr::rows_of(&repository.account, &repository.name)
    }

    pub async fn has(&self, repository: usize, content: &str) -> Result<bool, ImageError> {
        let Repository { account, name, .. } = &self.repositories[repository];
        Ok(self.images.link(account, name, &Digest::of(content.as_bytes())).await?.is_some())
    }

    pub async fn push_blob(&self, repository: usize, content: &'static str) -> Result<Digest, ImageError> {
        let digest = Digest::of(content.as_bytes());
        let Repository { account, name, .. } = &self.repositories[repository];
        self.images.put_blob(account, name, &digest, Bytes::from_static(content.as_bytes())).await?;
        Ok(digest)
    }

    /// Puts an image of these blobs under a tag.
    pub async fn push_image(
        &self,
        repository: usize,
        tag: &str,
        blobs: &[&'static str],
    ) -> Result<resources::ecr::Image, ImageError> {
        let descriptor = |content: &&str| {
            format!(
                r#"{{"mediaType":"x","digest":"{}","size":{}}}"#,
                Digest::of(content.as_bytes()),
                content.len()
            )
        };
        let layers: Vec<String> = blobs.iter().map(descriptor).collect();
        let content = format!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{},"layers":[{}]}}"#,
            layers[0],
            layers.join(",")
        );
        let push = PushImage {
            manifest: content,
            media_type: None,
            digest: None,
            tag: Some(tag),
            complete: true,
            replicate: false,
        };
        Ok(self.images.push(&self.repositories[repository], push).await?.image)
    }

    /// What is wrong: images without their blobs.
    pub async fn faults(&self) -> Vec<String> {
        let verified = self.images.verify(false).await.expect("reads");
        let incomplete = verified.damage.iter().filter(|damage| {
            // A link whose blob never got its place is no fault of an image, unless one needs it.
            !matches!(damage, Damage::BlobMissing { .. })
        });
        let mut faults: Vec<String> = incomplete.map(|damage| format!("{damage:?}")).collect();
        for image in self.images.tables().list_all::<resources::ecr::Image>("").await.expect("lists") {
            for blob in &image.blobs {
                let digest: Digest = blob.parse().expect("a digest");
                if self.images.blobs().stat(&digest).await.expect("stats").is_none() {
                    faults.push(format!("{} lacks {blob}", image.repository));
                }
            }
        }
        faults
    }

    /// Moves the clock as long as `work` goes on, so that who waits for a moment goes on.
    pub async fn while_time_passes<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = tokio::task::yield_now() => self.clock.advance(Duration::from_millis(1)),
            }
        }
    }
}

struct Slow {
    store: Arc<MemoryStore>,
    turns: Arc<Turns>,
}

impl Slow {
    async fn turn(&self) -> Result<(), StoreError> {
        if self.turns.turn().await { Err(StoreError::Backend("a planned fault".into())) } else { Ok(()) }
    }
}

#[async_trait]
impl Store for Slow {
    async fn range(&self, request: RangeRequest) -> Result<RangeResponse, StoreError> {
        self.turn().await?;
        self.store.range(request).await
    }

    async fn transact(&self, transaction: Transaction) -> Result<TransactionResponse, StoreError> {
        self.turn().await?;
        let answer = self.store.transact(transaction).await;
        // Between what happened and its being known there is time, too.
        tokio::task::yield_now().await;
        answer
    }

    async fn watch(&self, request: WatchRequest) -> Result<Watch, StoreError> {
        self.store.watch(request).await
    }

    async fn grant_lease(&self, ttl: Duration) -> Result<LeaseId, StoreError> {
        self.store.grant_lease(ttl).await
    }

    async fn keep_alive(&self, lease: LeaseId) -> Result<(), StoreError> {
        self.store.keep_alive(lease).await
    }

    async fn revoke_lease(&self, lease: LeaseId) -> Result<(), StoreError> {
        self.store.revoke_lease(lease).await
    }

    async fn compact(&self, revision: Revision) -> Result<(), StoreError> {
        self.store.compact(revision).await
    }

    async fn status(&self) -> Result<StoreStatus, StoreError> {
        self.store.status().await
    }
}

struct Objects {
    inner: InMemory,
    turns: Arc<Turns>,
}

impl Objects {
    async fn turn(&self) -> object_store::Result<()> {
        if self.turns.turn().await {
            return Err(object_store::Error::Generic { store: "planned", source: "a planned fault".into() });
        }
        Ok(())
    }
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Objects")
    }
}

impl fmt::Display for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Objects")
    }
}

#[async_trait]
impl ObjectStore for Objects {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> object_store::Result<PutResult> {
        self.turn().await?;
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.turn().await?;
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> object_store::Result<GetResult> {
        self.turn().await?;
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        let turns = self.turns.clone();
        let waited = locations.then(move |location| {
            let turns = turns.clone();
            async move {
                if turns.turn().await {
                    return Err(object_store::Error::Generic {
                        store: "planned",
                        source: "a planned fault".into(),
                    });
                }
                location
            }
        });
        self.inner.delete_stream(waited.boxed())
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> object_store::Result<()> {
        self.turn().await?;
        self.inner.copy_opts(from, to, options).await
    }
}
