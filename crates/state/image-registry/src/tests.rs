//! Images over a store in memory and blobs in a directory.

use super::*;
use blob_store::Digest;
use environment::{Simulation, Timestamp};
use resources::ecr::{
    Event, EventKind, ImageAction, ImagePulls, ImageTag, PullTimeExclusion, Registry, StorageClass,
    TagMutability,
};
use std::time::Duration;
use store::MemoryStore;

struct Fixture {
    images: ImageRegistry,
    repository: Repository,
    clock: Arc<Simulation>,
    _dir: tempfile::TempDir,
}

async fn fixture(mutability: TagMutability) -> Fixture {
    let (environment, clock) = Environment::simulated(Timestamp::from_seconds(1_000_000), 1);
    let tables = Tables::new(MemoryStore::new(environment.clone()), environment.clone());
    let dir = tempfile::tempdir().expect("a directory");
    let blobs = BlobStore::local(dir.path(), environment.clone()).expect("opens");
    let account = "123456789012".parse().expect("an account");
    let repository =
        Repository { tag_mutability: mutability, ..Repository::new(account, "app", environment.now()) };
    tables.create(repository.clone()).await.expect("creates");
    Fixture { images: ImageRegistry::new(tables, blobs), repository, clock, _dir: dir }
}

impl Fixture {
    /// A manifest whose blobs are there.
    async fn manifest(&self, config: &str) -> String {
        let digest = Digest::of(config.as_bytes());
        self.images.blobs().put_verified(&digest, config.to_owned().into()).await.expect("puts");
        let size = config.len() as u64;
        let Repository { account, name, .. } = &self.repository;
        self.images.add_link(account, name, &digest, size).await.expect("links");
        format!(
            r#"{{"schemaVersion":2,"config":{{"mediaType":"c","digest":"{digest}","size":{size}}},"layers":[]}}"#
        )
    }

    async fn push(&self, manifest: &str, tag: Option<&str>) -> Result<Pushed, ImageError> {
        let push = PushImage {
            manifest: manifest.to_owned(),
            media_type: None,
            digest: None,
            tag,
            complete: true,
            replicate: true,
        };
        self.images.push(&self.repository, push).await
    }

    async fn events(&self) -> Vec<EventKind> {
        let rows = self.images.tables().list_all::<Event>("").await.expect("lists");
        rows.iter().map(|row| row.kind.clone()).collect()
    }
}

#[tokio::test]
async fn a_push_is_written_once_with_its_event() {
    let f = fixture(TagMutability::Mutable).await;
    let manifest = f.manifest("{}").await;
    assert!(f.push(&manifest, Some("v1")).await.expect("pushes").changed);
    assert!(!f.push(&manifest, Some("v1")).await.expect("pushes").changed);
    assert!(f.push(&manifest, Some("v2")).await.expect("pushes").changed);
    assert_eq!(f.events().await.len(), 2);
    let missing = manifest.replace("sha256:44", "sha256:55");
    assert!(matches!(f.push(&missing, None).await, Err(ImageError::BlobsMissing(_))));
    let wrong = PushImage {
        manifest,
        media_type: None,
        digest: Some(Digest::of(b"x")),
        tag: None,
        complete: true,
        replicate: true,
    };
    let refused = f.images.push(&f.repository, wrong).await;
    assert!(matches!(refused, Err(ImageError::DigestMismatch { .. })));
}

#[tokio::test]
async fn an_immutable_tag_stays() {
    let f = fixture(TagMutability::Immutable).await;
    let (one, two) = (f.manifest("{}").await, f.manifest("{ }").await);
    f.push(&one, Some("v1")).await.expect("pushes");
    f.push(&one, Some("v1")).await.expect("the same again is no move");
    assert!(matches!(f.push(&two, Some("v1")).await, Err(ImageError::TagImmutable { .. })));
    assert!(f.push(&two, Some("v2")).await.is_ok());
}

#[tokio::test]
async fn an_archived_image_comes_back_when_it_is_pushed() {
    let f = fixture(TagMutability::Mutable).await;
    let manifest = f.manifest("{}").await;
    let image = f.push(&manifest, None).await.expect("pushes").image;
    let row = f.images.image(&f.repository, &image.digest).await.expect("reads").expect("is there");
    let archived = Image { storage_class: StorageClass::Archive, ..image };
    f.images.tables().replace(&row, archived).await.expect("archives");
    let pushed = f.push(&manifest, None).await.expect("pushes");
    assert!(pushed.changed && !pushed.image.is_archived() && pushed.image.activated_at.is_some());
}

#[tokio::test]
async fn deletion_takes_all_rows_of_an_image() {
    let f = fixture(TagMutability::Mutable).await;
    let manifest = f.manifest("{}").await;
    let image = f.push(&manifest, Some("v1")).await.expect("pushes").image;
    let row = f.images.image(&f.repository, &image.digest).await.expect("reads").expect("is there");
    f.images.pulls().record(&row.value, &"arn:aws:iam::123456789012:root".into());
    f.images.pulls().write().await.expect("writes");
    let tables = f.images.tables();
    let tags = tables.list_all::<ImageTag>("").await.expect("lists");
    assert_eq!(f.images.delete(&f.repository, &row, &tags, true).await.expect("deletes"), Deleted::Gone);
    assert_eq!(f.images.delete(&f.repository, &row, &tags, true).await.expect("answers"), Deleted::Changed);
    assert!(tables.list_all::<Image>("").await.expect("lists").is_empty());
    assert!(tables.list_all::<ImagePulls>("").await.expect("lists").is_empty());
    let deletions = f.events().await.into_iter();
    let deletions =
        deletions.filter(|kind| matches!(kind, EventKind::Image { action: ImageAction::Delete, .. }));
    assert_eq!(deletions.count(), 1);
    // A pull that was counted before the image went leaves nothing.
    f.images.pulls().record(&row.value, &"arn:aws:iam::123456789012:root".into());
    f.images.pulls().write().await.expect("writes");
    assert!(tables.list_all::<ImagePulls>("").await.expect("lists").is_empty());
}

#[tokio::test]
async fn pulls_are_counted_but_those_of_excluded_principals() {
    let f = fixture(TagMutability::Mutable).await;
    let manifest = f.manifest("{}").await;
    let image = f.push(&manifest, Some("v1")).await.expect("pushes").image;
    let row = f.images.image(&f.repository, &image.digest).await.expect("reads").expect("is there");
    let tables = f.images.tables();
    let scanner: Arc<str> = "arn:aws:iam::123456789012:role/scanner".into();
    let mut registry = Registry::new(f.repository.account.clone());
    registry.pull_time_exclusions = vec![PullTimeExclusion {
        principal_arn: scanner.to_string(),
        created_at: Timestamp::from_seconds(0),
    }];
    tables.create(registry).await.expect("creates");
    let user: Arc<str> = "arn:aws:iam::123456789012:user/u".into();
    for _ in 0..3 {
        f.images.pulls().record(&row.value, &user);
    }
    let last = f.images.environment().now();
    f.clock.advance(Duration::from_secs(60));
    f.images.pulls().record(&row.value, &scanner);
    for _ in 0..2 {
        f.images.pulls().write().await.expect("writes");
    }
    let pulls = tables.list_all::<ImagePulls>("").await.expect("lists");
    assert_eq!((pulls.len(), pulls[0].count, pulls[0].last_pulled_at), (1, 3, last));
}

#[tokio::test]
async fn events_are_bounded() {
    let f = fixture(TagMutability::Mutable).await;
    let tables = f.images.tables();
    let kind = |n: u64| {
        if n.is_multiple_of(2) {
            EventKind::Pull { count: n }
        } else {
            EventKind::Scan { status: "COMPLETE".to_owned(), findings: vec![] }
        }
    };
    for some in (0..5_000_u64).collect::<Vec<_>>().chunks(500) {
        let batch = some.iter().fold(tables.batch(), |batch, n| {
            batch.create(&Event {
                account: f.repository.account.clone(),
                id: format!("{n:05}"),
                time: Timestamp::from_seconds(i64::try_from(*n).unwrap_or_default()),
                repository: "app".to_owned(),
                digest: "sha256:aa".to_owned(),
                tag: None,
                kind: kind(*n),
            })
        });
        batch.commit().await.expect("writes");
    }
    assert_eq!(crate::events::trim(tables).await.expect("trims"), 500, "pulls beyond 2,000");
    let left = f.events().await;
    assert_eq!(left.len(), 4_500);
    assert!(!left.contains(&EventKind::Pull { count: 0 }));
}
