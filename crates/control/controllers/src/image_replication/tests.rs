//! Copies between two accounts over a store in memory.

use super::*;
use blob_store::{BlobStore, Digest};
use environment::Environment;
use resources::ecr::{Event, ReplicationDestination, ReplicationRule, TagMutability};
use store::{MemoryStore, Tables};

/// No other region is known.
struct Nowhere;

#[async_trait::async_trait]
impl OtherRegions for Nowhere {
    async fn reach(&self, _region: &str, _refused: bool) -> Result<Option<Reached>, Unreachable> {
        Ok(None)
    }
}

struct Fixture {
    images: ImageRegistry,
    source: Repository,
    other: AccountId,
    _dir: tempfile::TempDir,
}

async fn fixture(policy: Option<&str>) -> Fixture {
    let environment = Environment::real();
    let tables = Tables::new(MemoryStore::new(environment.clone()), environment.clone());
    let dir = tempfile::tempdir().expect("a directory");
    let images =
        ImageRegistry::new(tables.clone(), BlobStore::local(dir.path(), environment.clone()).expect("opens"));
    let account: AccountId = "111111111111".parse().expect("an account");
    let other: AccountId = "222222222222".parse().expect("an account");
    let source = Repository::new(account.clone(), "app", environment.now());
    let to = ReplicationDestination { region: "us-east-1".to_owned(), account: other.clone() };
    let mut registry = Registry::new(account);
    registry.replication = vec![ReplicationRule { destinations: vec![to], prefixes: vec!["app".to_owned()] }];
    let target = Registry { policy: policy.map(str::to_owned), ..Registry::new(other.clone()) };
    tables.batch().create(&source).create(&registry).create(&target).commit().await.expect("writes");
    Fixture { images, source, other, _dir: dir }
}

impl Fixture {
    async fn push(&self, config: &str, tag: &str) -> Image {
        let digest = Digest::of(config.as_bytes());
        self.images.blobs().put_verified(&digest, config.to_owned().into()).await.expect("puts");
        self.images.add_link(&self.source.account, &self.source.name, &digest, 2).await.expect("links");
        let manifest = format!(
            r#"{{"schemaVersion":2,"config":{{"mediaType":"c","digest":"{digest}","size":2}},"layers":[]}}"#
        );
        let push = PushImage {
            manifest,
            media_type: None,
            digest: None,
            tag: Some(tag),
            complete: true,
            replicate: true,
        };
        self.images.push(&self.source, push).await.expect("pushes").image
    }

    async fn run(&self) -> Vec<(ReplicationState, Option<String>)> {
        let region = "us-east-1".parse().expect("a region");
        let controller =
            ImageReplicationController::new(self.images.clone(), region, Arc::new(Nowhere), Queue::new());
        for key in controller.keys().await.expect("lists") {
            controller.reconcile(&key).await.expect("copies");
        }
        let all = self.images.tables().list_all::<ImageReplication>("").await.expect("lists");
        all.iter().map(|copy| (copy.state, copy.failure.clone())).collect()
    }

    async fn tags(&self) -> Vec<(String, String)> {
        let rows = rows_of(&self.other, "app");
        let tags = self.images.tables().list_all::<ImageTag>(&rows).await.expect("lists");
        tags.iter().map(|tag| (tag.tag.clone(), tag.digest.clone())).collect()
    }
}

const ALLOWED: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow",
    "Principal":{"AWS":"arn:aws:iam::111111111111:root"},"Action":["ecr:ReplicateImage","ecr:CreateRepository"],
    "Resource":"arn:aws:ecr:us-east-1:222222222222:repository/*"}}"#;

#[tokio::test]
async fn an_image_is_copied_with_its_tags() {
    let f = fixture(Some(ALLOWED)).await;
    let one = f.push("{}", "v1").await;
    assert_eq!(f.run().await, [(ReplicationState::Complete, None)]);
    assert_eq!(f.tags().await, [("v1".to_owned(), one.digest.clone())]);
    // A further tag goes on too, and one that is moved.
    f.push("{}", "v2").await;
    let two = f.push("[]", "v1").await;
    f.run().await;
    assert_eq!(
        f.tags().await,
        [("v1".to_owned(), two.digest.clone()), ("v2".to_owned(), one.digest.clone())]
    );
    let events = f.images.tables().list_all::<Event>("").await.expect("lists");
    let copies = events.iter().filter(|event| matches!(event.kind, EventKind::Replication { .. }));
    assert_eq!(copies.count(), 3);
}

#[tokio::test]
async fn a_registry_that_does_not_allow_it_gets_nothing() {
    for policy in [None, Some(ALLOWED.replace("ecr:CreateRepository", "ecr:PutImage"))] {
        let f = fixture(policy.as_deref()).await;
        f.push("{}", "v1").await;
        assert_eq!(f.run().await, [(ReplicationState::Failed, Some("AccessDenied".to_owned()))]);
        assert!(f.tags().await.is_empty());
    }
}

#[tokio::test]
async fn an_immutable_tag_of_the_copy_stays() {
    let f = fixture(Some(ALLOWED)).await;
    let fixed = Repository {
        tag_mutability: TagMutability::Immutable,
        ..Repository::new(f.other.clone(), "app", f.source.created_at)
    };
    f.images.tables().create(fixed).await.expect("creates");
    let one = f.push("{}", "v1").await;
    f.run().await;
    f.push("[]", "v1").await;
    assert!(f.run().await.contains(&(ReplicationState::Failed, Some("ImageTagAlreadyExists".to_owned()))));
    assert_eq!(f.tags().await, [("v1".to_owned(), one.digest)]);
}
