//! Documents: versions, their default, sharing, and what is refused.

use super::{context, refusal, service};
use crate::shapes::*;
use crate::{Ssm, SsmService};
use aws_wire::RequestContext;

const NAME: &str = "SayHello";

fn content(text: &str) -> String {
    format!(
        r#"{{"schemaVersion": "2.2", "description": "{text}", "mainSteps": [{{"action": "aws:runShellScript", "name": "a"}}]}}"#
    )
}

async fn create(service: &SsmService, name: &str) -> Result<DocumentDescription, aws_wire::ServiceError> {
    let input = CreateDocumentRequest {
        name: name.to_owned(),
        content: content("first"),
        document_type: Some(DocumentType::Command),
        version_name: Some("First".to_owned()),
        tags: Some(vec![Tag { key: "team".to_owned(), value: "web".to_owned() }]),
        ..CreateDocumentRequest::default()
    };
    Ok(service.create_document(&context(), input).await?.document_description.expect("described"))
}

async fn update(
    service: &SsmService,
    text: &str,
    base: Option<&str>,
) -> Result<DocumentDescription, aws_wire::ServiceError> {
    let input = UpdateDocumentRequest {
        name: NAME.to_owned(),
        content: content(text),
        document_version: base.map(str::to_owned),
        ..UpdateDocumentRequest::default()
    };
    Ok(service.update_document(&context(), input).await?.document_description.expect("described"))
}

fn version(number: Option<&str>) -> GetDocumentRequest {
    GetDocumentRequest {
        name: NAME.to_owned(),
        document_version: number.map(str::to_owned),
        document_format: None,
        version_name: None,
    }
}

async fn delete(
    service: &SsmService,
    number: Option<&str>,
) -> Result<DeleteDocumentResult, aws_wire::ServiceError> {
    let input = DeleteDocumentRequest {
        name: NAME.to_owned(),
        document_version: number.map(str::to_owned),
        ..DeleteDocumentRequest::default()
    };
    service.delete_document(&context(), input).await
}

async fn share(
    service: &SsmService,
    add: &[&str],
    remove: &[&str],
) -> Result<ModifyDocumentPermissionResponse, aws_wire::ServiceError> {
    let names = |accounts: &[&str]| Some(accounts.iter().map(|account| (*account).to_owned()).collect());
    let input = ModifyDocumentPermissionRequest {
        name: NAME.to_owned(),
        permission_type: DocumentPermissionType::Share,
        account_ids_to_add: names(add),
        account_ids_to_remove: names(remove),
        shared_document_version: None,
    };
    service.modify_document_permission(&context(), input).await
}

#[tokio::test]
async fn versions_are_added_and_one_is_the_default() {
    let service = service();
    let made = create(&service, NAME).await.expect("creates");
    assert_eq!((made.document_version.as_deref(), made.latest_version.as_deref()), (Some("1"), Some("1")));
    assert_eq!(made.schema_version.as_deref(), Some("2.2"));
    assert_eq!(refusal(create(&service, NAME).await).1, "Document with same name SayHello already exists");
    let (code, _) = refusal(update(&service, "first", None).await);
    assert_eq!(code, "DuplicateDocumentContent");
    let second = update(&service, "second", Some("$LATEST")).await.expect("updates");
    assert_eq!(
        (second.document_version.as_deref(), second.default_version.as_deref()),
        (Some("2"), Some("1"))
    );
    assert_eq!(
        refusal(update(&service, "third", Some("1")).await).0,
        "InvalidDocumentVersion",
        "not the newest"
    );
    let got = service.get_document(&context(), version(None)).await.expect("gets");
    assert_eq!(got.content, Some(content("first")));
    let latest = service.get_document(&context(), version(Some("$LATEST"))).await.expect("gets");
    assert_eq!(latest.content, Some(content("second")));
    assert_eq!(
        refusal(service.get_document(&context(), version(Some("3"))).await).0,
        "InvalidDocumentVersion"
    );
    let input =
        UpdateDocumentDefaultVersionRequest { name: NAME.to_owned(), document_version: "2".to_owned() };
    service.update_document_default_version(&context(), input).await.expect("changes the default");
    let got = service.get_document(&context(), version(None)).await.expect("gets");
    assert_eq!(got.document_version.as_deref(), Some("2"));
    let input =
        ListDocumentVersionsRequest { name: NAME.to_owned(), ..ListDocumentVersionsRequest::default() };
    let listed = service.list_document_versions(&context(), input).await.expect("lists");
    let listed = listed.document_versions.expect("versions");
    let shown: Vec<_> =
        listed.iter().map(|one| (one.document_version.as_deref(), one.is_default_version)).collect();
    assert_eq!(shown, [(Some("2"), Some(true)), (Some("1"), Some(false))]);
}

#[tokio::test]
async fn numbers_are_never_used_again_and_the_default_stays() {
    let service = service();
    create(&service, NAME).await.expect("creates");
    update(&service, "second", None).await.expect("updates");
    assert_eq!(
        refusal(delete(&service, Some("1")).await).1,
        "Default version of the document can't be deleted."
    );
    delete(&service, Some("2")).await.expect("deletes");
    let third = update(&service, "third", None).await.expect("updates");
    assert_eq!(third.document_version.as_deref(), Some("3"));
    delete(&service, None).await.expect("deletes all");
    assert_eq!(
        refusal(service.get_document(&context(), version(None)).await),
        ("InvalidDocument", "Document with name SayHello does not exist.".to_owned())
    );
    assert_eq!(refusal(delete(&service, None).await).0, "InvalidDocument");
}

#[tokio::test]
async fn sharing_lets_other_accounts_read_the_default_version() {
    let service = service();
    create(&service, NAME).await.expect("creates");
    update(&service, "second", None).await.expect("updates");
    let other = RequestContext { account: "210987654321".parse().expect("an account"), ..context() };
    let by_arn = |number: Option<&str>| GetDocumentRequest {
        name: format!("arn:aws:ssm:us-east-1:123456789012:document/{NAME}"),
        ..version(number)
    };
    assert_eq!(refusal(service.get_document(&other, by_arn(None)).await).0, "InvalidDocument");
    share(&service, &["210987654321"], &[]).await.expect("shares");
    let got = service.get_document(&other, by_arn(None)).await.expect("is shared");
    assert_eq!(got.content, Some(content("first")));
    assert_eq!(refusal(service.get_document(&other, by_arn(Some("2"))).await).0, "InvalidDocument");
    let listed = service.list_documents(&other, ListDocumentsRequest::default()).await.expect("lists");
    assert_eq!(listed.document_identifiers.expect("documents")[0].owner.as_deref(), Some("123456789012"));
    assert_eq!(refusal(share(&service, &["all", "111111111111"], &[]).await).0, "DocumentPermissionLimit");
    assert_eq!(refusal(delete(&service, None).await).0, "InvalidDocumentOperation", "still shared");
    share(&service, &[], &["210987654321"]).await.expect("shares no more");
    assert_eq!(refusal(service.get_document(&other, by_arn(None)).await).0, "InvalidDocument");
    delete(&service, None).await.expect("deletes");
}

#[tokio::test]
async fn lists_are_filtered_and_tags_are_kept() {
    let service = service();
    for name in ["One", "Other", "Third"] {
        create(&service, name).await.expect("creates");
    }
    let list = async |key: &str, value: &str| {
        let filter =
            DocumentKeyValuesFilter { key: Some(key.to_owned()), values: Some(vec![value.to_owned()]) };
        let input = ListDocumentsRequest { filters: Some(vec![filter]), ..ListDocumentsRequest::default() };
        service
            .list_documents(&context(), input)
            .await
            .map(|listed| listed.document_identifiers.unwrap_or_default().len())
    };
    let cases = [
        ("Name", "O", 2),
        ("Owner", "Self", 3),
        ("Owner", "Public", 0),
        ("Owner", "Amazon", 0),
        ("DocumentType", "Session", 0),
        ("PlatformTypes", "Linux", 3),
        ("PlatformTypes", "Windows", 0),
        ("SearchKeyword", "first", 3),
        ("tag:team", "web", 3),
        ("tag:team", "other", 0),
    ];
    for (key, value, expected) in cases {
        assert_eq!(list(key, value).await.expect("lists"), expected, "{key} {value}");
    }
    assert_eq!(refusal(list("Colour", "red").await).0, "InvalidFilterKey");
    let kind = ResourceTypeForTagging::Document;
    let input = RemoveTagsFromResourceRequest {
        resource_id: "One".to_owned(),
        resource_type: kind,
        tag_keys: vec!["team".to_owned()],
    };
    service.remove_tags_from_resource(&context(), input).await.expect("untags");
    let input = ListTagsForResourceRequest { resource_id: "One".to_owned(), resource_type: kind };
    assert_eq!(
        service.list_tags_for_resource(&context(), input).await.expect("lists").tag_list,
        Some(vec![])
    );
    assert_eq!(list("tag:team", "web").await.expect("lists"), 2);
}

#[tokio::test]
async fn what_is_not_kept_is_refused() {
    let service = service();
    assert_eq!(refusal(create(&service, "AWS-RunShellScript").await).0, "ValidationException");
    let input = |kind| CreateDocumentRequest {
        name: "Package".to_owned(),
        content: r#"{"schemaVersion": "2.0"}"#.to_owned(),
        document_type: kind,
        ..CreateDocumentRequest::default()
    };
    let package = service.create_document(&context(), input(Some(DocumentType::Package))).await;
    assert_eq!(refusal(package).0, "ValidationException");
    assert_eq!(
        refusal(service.create_document(&context(), input(None)).await),
        ("InvalidDocumentSchemaVersion", "Document type is required for schema version 2.0".to_owned())
    );
}
