//! Repositories and images over a store in memory.

mod scanning;

use super::*;
use aws_wire::{RequestContext, ServiceError};
use blob_store::BlobStore;
use encryption::KeyRing;
use environment::Environment;
use resources::ecr::{Image, ImageTag};
use std::net::{IpAddr, Ipv4Addr};
use store::MemoryStore;

async fn fixture() -> (EcrService, RequestContext) {
    let (service, context, _) = fixture_with_blobs().await;
    (service, context)
}

async fn fixture_with_blobs() -> (EcrService, RequestContext, tempfile::TempDir) {
    let dir = tempfile::tempdir().expect("a directory");
    let environment = Environment::real();
    let tables = Tables::new(MemoryStore::new(environment.clone()), environment.clone());
    let access = Access::new(tables.clone(), KeyRing::in_memory(environment.clone()));
    let context = RequestContext {
        account: "123456789012".parse().expect("an account"),
        region: "us-east-1".parse().expect("a region"),
        principal_arn: "arn:aws:iam::123456789012:root".into(),
        principal_id: "123456789012".into(),
        request_id: "request".into(),
        source_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        host: "localhost:4566".into(),
        time: environment.now(),
        extensions: aws_wire::Extensions::new(),
    };
    let blobs = BlobStore::local(dir.path(), environment).expect("opens");
    (EcrService::new(ImageRegistry::new(tables, blobs), access, 4566), context, dir)
}

fn create(name: &str) -> CreateRepositoryRequest {
    CreateRepositoryRequest { repository_name: name.into(), ..CreateRepositoryRequest::default() }
}

fn code<T>(result: Result<T, ServiceError>) -> &'static str {
    result.err().expect("an error").shape.name
}

async fn add_image(
    service: &EcrService,
    context: &RequestContext,
    digest: &str,
    tags: &[&str],
    children: &[&str],
) {
    let image = Image {
        account: context.account.clone(),
        repository: "app".into(),
        digest: digest.into(),
        media_type: "application/vnd.oci.image.manifest.v1+json".into(),
        artifact_type: None,
        manifest: "{}".into(),
        size: 2,
        blobs: vec![],
        children: children.iter().map(|child| (*child).to_owned()).collect(),
        subject: None,
        pushed_at: context.time,
        storage_class: resources::ecr::StorageClass::Standard,
        archived_at: None,
        activated_at: None,
    };
    service.tables.create(image).await.expect("is written");
    // One transaction has room for so many.
    for some in tags.chunks(500) {
        let mut batch = service.tables.batch();
        for tag in some {
            batch = batch.create(&ImageTag {
                account: context.account.clone(),
                repository: "app".into(),
                tag: (*tag).to_owned(),
                digest: digest.into(),
                tagged_at: context.time,
            });
        }
        batch.commit().await.expect("commits");
    }
}

fn id(digest: Option<&str>, tag: Option<&str>) -> ImageIdentifier {
    ImageIdentifier { image_digest: digest.map(Into::into), image_tag: tag.map(Into::into) }
}

#[tokio::test]
async fn repositories() {
    let (service, context) = fixture().await;
    let made =
        service.create_repository(&context, create("app")).await.expect("creates").repository.expect("one");
    assert_eq!(made.repository_uri.as_deref(), Some("123456789012.dkr.ecr.us-east-1.localhost:4566/app"));
    assert_eq!(
        code(service.create_repository(&context, create("app")).await),
        "RepositoryAlreadyExistsException"
    );
    let kms = CreateRepositoryRequest {
        encryption_configuration: Some(EncryptionConfiguration {
            encryption_type: EncryptionType::Kms,
            kms_key: None,
        }),
        ..create("kms")
    };
    assert_eq!(code(service.create_repository(&context, kms).await), "InvalidParameterException");
    for name in ["b", "c"] {
        service.create_repository(&context, create(name)).await.expect("creates");
    }
    let page =
        |token| DescribeRepositoriesRequest { max_results: Some(2), next_token: token, ..Default::default() };
    let first = service.describe_repositories(&context, page(None)).await.expect("describes");
    assert_eq!(first.repositories.as_ref().map(Vec::len), Some(2));
    let second = service.describe_repositories(&context, page(first.next_token)).await.expect("describes");
    assert_eq!((second.repositories.map(|r| r.len()), second.next_token), (Some(1), None));
    assert_eq!(
        code(service.describe_repositories(&context, page(Some("x".into()))).await),
        "InvalidParameterException"
    );
    add_image(&service, &context, "sha256:aa", &["v1"], &[]).await;
    let delete = |force| DeleteRepositoryRequest { repository_name: "app".into(), force, registry_id: None };
    assert_eq!(code(service.delete_repository(&context, delete(None)).await), "RepositoryNotEmptyException");
    service.delete_repository(&context, delete(Some(true))).await.expect("deletes");
    assert_eq!(
        code(service.delete_repository(&context, delete(Some(true))).await),
        "RepositoryNotFoundException"
    );
    assert!(service.tables.list_all::<Image>("").await.expect("lists").is_empty());
}

#[tokio::test]
async fn images() {
    let (service, context) = fixture().await;
    service.create_repository(&context, create("app")).await.expect("creates");
    add_image(&service, &context, "sha256:aa", &["v1", "v2"], &[]).await;
    add_image(&service, &context, "sha256:bb", &[], &[]).await;
    add_image(&service, &context, "sha256:cc", &["all"], &["sha256:bb"]).await;
    let list = |status| ListImagesRequest {
        repository_name: "app".into(),
        filter: Some(ListImagesFilter { tag_status: status, image_status: None }),
        ..Default::default()
    };
    for (status, count) in [(None, 4), (Some(TagStatus::Tagged), 3), (Some(TagStatus::Untagged), 1)] {
        let listed = service.list_images(&context, list(status)).await.expect("lists");
        assert_eq!(listed.image_ids.map(|ids| ids.len()), Some(count), "{status:?}");
    }
    let get = BatchGetImageRequest {
        repository_name: "app".into(),
        image_ids: vec![id(None, Some("v1")), id(None, Some("no")), id(Some("bad"), None), id(None, None)],
        ..Default::default()
    };
    let got = service.batch_get_image(&context, get).await.expect("gets");
    assert_eq!(got.images.map(|images| images.len()), Some(1));
    let codes: Vec<_> =
        got.failures.into_iter().flatten().filter_map(|failure| failure.failure_code).collect();
    assert_eq!(
        codes,
        [
            ImageFailureCode::ImageNotFound,
            ImageFailureCode::InvalidImageDigest,
            ImageFailureCode::MissingDigestAndTag
        ]
    );
    let delete =
        |image_ids| BatchDeleteImageRequest { repository_name: "app".into(), image_ids, registry_id: None };
    let ids = vec![
        id(None, Some("v1")),
        id(Some("sha256:bb"), None),
        id(Some("sha256:cc"), None),
        id(Some("sha256:bb"), None),
    ];
    let deleted = service.batch_delete_image(&context, delete(ids)).await.expect("deletes");
    assert_eq!(deleted.image_ids.map(|ids| ids.len()), Some(3));
    let failed = deleted.failures.expect("failures");
    assert_eq!(failed[0].failure_code, Some(ImageFailureCode::ImageReferencedByManifestList));
    let describe =
        DescribeImagesRequest { repository_name: "app".into(), ..DescribeImagesRequest::default() };
    let left =
        service.describe_images(&context, describe).await.expect("reads").image_details.expect("a list");
    let [left] = left.as_slice() else { panic!("one image is left, not {left:?}") };
    assert_eq!(left.image_tags, Some(vec!["v2".to_owned()]));
}

mod images_api;
mod many;
mod settings;
