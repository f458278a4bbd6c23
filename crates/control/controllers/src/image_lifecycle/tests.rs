//! Policies over a store in memory.

use super::*;
use blob_store::BlobStore;
use environment::{Environment, Simulation, Timestamp};
use image_registry::PushImage;
use std::sync::Arc;
use store::{MemoryStore, Tables};

const POLICY: &str = r#"{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","countType":"sinceImagePushed",
    "countUnit":"days","countNumber":1},"action":{"type":"expire"}}]}"#;

struct Fixture {
    images: ImageRegistry,
    clock: Arc<Simulation>,
    _dir: tempfile::TempDir,
}

async fn fixture(policy: &str) -> Fixture {
    let (environment, clock) = Environment::simulated(Timestamp::from_seconds(1_000_000), 1);
    let tables = Tables::new(MemoryStore::new(environment.clone()), environment.clone());
    let dir = tempfile::tempdir().expect("a directory");
    let images =
        ImageRegistry::new(tables.clone(), BlobStore::local(dir.path(), environment.clone()).expect("opens"));
    let account = "123456789012".parse().expect("an account");
    let lifecycle =
        LifecyclePolicyText { text: policy.to_owned(), put_at: environment.now(), evaluated_at: None };
    let repository =
        Repository { lifecycle: Some(lifecycle), ..Repository::new(account, "app", environment.now()) };
    tables.create(repository).await.expect("creates");
    Fixture { images, clock, _dir: dir }
}

impl Fixture {
    async fn repository(&self) -> Versioned<Repository> {
        let key = "123456789012/app";
        self.images.tables().get(key).await.expect("reads").expect("is there")
    }

    async fn push(&self, name: &str, tag: Option<&str>) -> Image {
        let manifest = format!(
            r#"{{"schemaVersion":2,"annotations":{{"name":"{name}"}},"layers":[],
               "config":{{"mediaType":"c","digest":"sha256:{}","size":2}}}}"#,
            "0".repeat(64)
        );
        let push =
            PushImage { manifest, media_type: None, digest: None, tag, complete: false, replicate: false };
        self.images.push(&self.repository().await.value, push).await.expect("pushes").image
    }

    async fn run(&self) -> Vec<String> {
        let controller = ImageLifecycle::new(self.images.clone(), true, Queue::new());
        for key in controller.keys().await.expect("lists") {
            controller.reconcile(&key).await.expect("applies");
        }
        let left = self.images.tables().list_all::<Image>("").await.expect("lists");
        left.iter().map(|image| image.digest.clone()).collect()
    }
}

#[tokio::test]
async fn what_is_old_goes_with_its_tags_and_once() {
    let f = fixture(POLICY).await;
    f.push("old", Some("v1")).await;
    f.clock.advance(Duration::from_secs(2 * 86_400));
    let young = f.push("young", Some("v2")).await;
    for _ in 0..2 {
        assert_eq!(f.run().await, std::slice::from_ref(&young.digest));
    }
    let tags = f.images.tables().list_all::<ImageTag>("").await.expect("lists");
    assert_eq!(tags.iter().map(|tag| tag.tag.as_str()).collect::<Vec<_>>(), ["v2"]);
    let noted = f.repository().await.lifecycle.clone().and_then(|policy| policy.evaluated_at);
    assert_eq!(noted, Some(f.images.tables().environment().now()));
}

#[tokio::test]
async fn what_is_archived_stays_and_cannot_be_pulled() {
    let archive = POLICY.replace(r#""expire""#, r#""transition","targetStorageClass":"archive""#);
    let f = fixture(&archive).await;
    let image = f.push("old", None).await;
    f.clock.advance(Duration::from_secs(2 * 86_400));
    assert_eq!(f.run().await, std::slice::from_ref(&image.digest));
    let row =
        f.images.image(&f.repository().await.value, &image.digest).await.expect("reads").expect("is there");
    assert!(row.is_archived() && row.archived_at.is_some());
}
