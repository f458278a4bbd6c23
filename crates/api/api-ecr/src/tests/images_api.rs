//! Layers and images through the API alone.

use super::{code, create, fixture_with_blobs, id};
use crate::EcrService;
use crate::shapes::*;
use aws_wire::RequestContext;
use blob_store::Digest;

async fn upload(service: &EcrService, context: &RequestContext, content: &[u8]) -> String {
    let start = InitiateLayerUploadRequest { repository_name: "app".into(), registry_id: None };
    let upload_id =
        service.initiate_layer_upload(context, start).await.expect("starts").upload_id.expect("an id");
    let part = |first: usize, content: &[u8]| UploadLayerPartRequest {
        repository_name: "app".into(),
        upload_id: upload_id.clone(),
        part_first_byte: i64::try_from(first).expect("small"),
        part_last_byte: i64::try_from(first + content.len()).expect("small") - 1,
        layer_part_blob: content.to_vec(),
        registry_id: None,
    };
    let (one, two) = content.split_at(1);
    service.upload_layer_part(context, part(0, one)).await.expect("uploads");
    let refused = service.upload_layer_part(context, part(7, two)).await.expect_err("out of order");
    assert_eq!(refused.shape.name, "InvalidLayerPartException");
    assert!(refused.members.iter().any(|(name, _)| *name == "lastValidByteReceived"));
    service.upload_layer_part(context, part(1, two)).await.expect("uploads");
    let digest = Digest::of(content).to_string();
    let complete = |digest: &str| CompleteLayerUploadRequest {
        repository_name: "app".into(),
        upload_id: upload_id.clone(),
        layer_digests: vec![digest.to_owned()],
        registry_id: None,
    };
    service.complete_layer_upload(context, complete(&digest)).await.expect("completes");
    assert_eq!(
        code(service.complete_layer_upload(context, complete(&Digest::of(b"x").to_string())).await),
        "UploadNotFoundException"
    );
    digest
}

fn put(manifest: &str, tag: &str) -> PutImageRequest {
    PutImageRequest {
        repository_name: "app".into(),
        image_manifest: manifest.into(),
        image_manifest_media_type: Some("application/vnd.oci.image.manifest.v1+json".into()),
        image_tag: Some(tag.into()),
        ..Default::default()
    }
}

fn manifest(config: &str, more: &str) -> String {
    format!(
        r#"{{"schemaVersion":2,"config":{{"mediaType":"c","digest":"{config}","size":2}},"layers":[]{more}}}"#
    )
}

#[tokio::test]
async fn an_image_is_put_and_got() {
    let (service, context, _dir) = fixture_with_blobs().await;
    service.create_repository(&context, create("app")).await.expect("creates");
    let config = upload(&service, &context, b"{}").await;
    let text = manifest(&config, "");
    let made = service.put_image(&context, put(&text, "v1")).await.expect("puts").image.expect("one");
    let digest = made.image_id.and_then(|id| id.image_digest).expect("a digest");
    assert_eq!(code(service.put_image(&context, put(&text, "v1")).await), "ImageAlreadyExistsException");
    let missing = manifest(&Digest::of(b"none").to_string(), "");
    assert_eq!(code(service.put_image(&context, put(&missing, "v2")).await), "LayersNotFoundException");
    let wrong = PutImageRequest { image_digest: Some(config.clone()), ..put(&text, "v2") };
    assert_eq!(code(service.put_image(&context, wrong).await), "ImageDigestDoesNotMatchException");
    let bare = PutImageRequest { image_manifest_media_type: None, ..put(&text, "v2") };
    assert_eq!(
        service.put_image(&context, bare).await.expect_err("refused").message,
        "image manifest mediatype not provided in manifest or parameter"
    );
    let immutable = PutImageTagMutabilityRequest {
        repository_name: "app".into(),
        image_tag_mutability: ImageTagMutability::Immutable,
        ..Default::default()
    };
    service.put_image_tag_mutability(&context, immutable).await.expect("puts");
    let other = manifest(&config, r#","annotations":{"a":"b"}"#);
    assert_eq!(code(service.put_image(&context, put(&other, "v1")).await), "ImageTagAlreadyExistsException");
    let get = |digest: &str| BatchGetImageRequest {
        repository_name: "app".into(),
        image_ids: vec![id(Some(digest), None)],
        ..Default::default()
    };
    let got = service.batch_get_image(&context, get(&digest)).await.expect("gets").images.expect("images");
    assert_eq!(got[0].image_manifest.as_deref(), Some(text.as_str()));
    let class = |class| UpdateImageStorageClassRequest {
        repository_name: "app".into(),
        image_id: id(Some(&digest), None),
        target_storage_class: class,
        registry_id: None,
    };
    let archived = service.update_image_storage_class(&context, class(TargetStorageClass::Archive)).await;
    assert_eq!(archived.expect("archives").image_status, Some(ImageStatus::Archived));
    let got = service.batch_get_image(&context, get(&digest)).await.expect("answers");
    assert_eq!(got.failures.expect("failures")[0].failure_code, Some(ImageFailureCode::ImageInaccessible));
    service
        .update_image_storage_class(&context, class(TargetStorageClass::Standard))
        .await
        .expect("restores");
    assert_eq!(
        code(service.update_image_storage_class(&context, class(TargetStorageClass::Standard)).await),
        "ImageStorageClassUpdateNotSupportedException"
    );
}

#[tokio::test]
async fn layers_and_referrers() {
    let (service, context, _dir) = fixture_with_blobs().await;
    service.create_repository(&context, create("app")).await.expect("creates");
    let config = upload(&service, &context, b"{}").await;
    let check = BatchCheckLayerAvailabilityRequest {
        repository_name: "app".into(),
        layer_digests: vec![config.clone(), Digest::of(b"none").to_string(), "bad".into()],
        registry_id: None,
    };
    let checked = service.batch_check_layer_availability(&context, check).await.expect("checks");
    let layers = checked.layers.expect("layers");
    assert_eq!(
        (layers[0].layer_availability, layers[0].layer_size, layers[1].layer_availability),
        (Some(LayerAvailability::Available), Some(2), Some(LayerAvailability::Unavailable))
    );
    assert_eq!(
        checked.failures.expect("failures")[0].failure_code,
        Some(LayerFailureCode::InvalidLayerDigest)
    );
    let url = |digest: &str| GetDownloadUrlForLayerRequest {
        repository_name: "app".into(),
        layer_digest: digest.into(),
        registry_id: None,
    };
    let link = service.get_download_url_for_layer(&context, url(&config)).await.expect("a link");
    assert!(link.download_url.is_some_and(|url| url.starts_with("http://localhost:4566/v2/_layers/")));
    assert_eq!(
        code(service.get_download_url_for_layer(&context, url("sha256:00")).await),
        "LayersNotFoundException"
    );
    let text = manifest(&config, "");
    let subject = Digest::of(text.as_bytes()).to_string();
    service.put_image(&context, put(&text, "v1")).await.expect("puts");
    let more = format!(
        r#","artifactType":"sbom","annotations":{{"a":"b"}},"subject":{{"mediaType":"m","digest":"{subject}","size":1}}"#
    );
    service.put_image(&context, put(&manifest(&config, &more), "sbom")).await.expect("puts");
    for (types, count) in [(None, 1), (Some(vec!["sbom".to_owned()]), 1), (Some(vec!["other".to_owned()]), 0)]
    {
        let list = ListImageReferrersRequest {
            repository_name: "app".into(),
            subject_id: SubjectIdentifier { image_digest: subject.clone() },
            filter: Some(ListImageReferrersFilter { artifact_types: types, artifact_status: None }),
            ..Default::default()
        };
        let listed = service.list_image_referrers(&context, list).await.expect("lists");
        assert_eq!(listed.referrers.map(|referrers| referrers.len()), Some(count));
    }
}
