//! CreateDocument.

use crate::documents::content::{self, Content};
use crate::documents::{MOST_DOCUMENTS, render};
use crate::errors::{document_exists, invalid, store};
use crate::shapes::{
    CreateDocumentRequest, CreateDocumentResult, DocumentType, errors::DOCUMENT_LIMIT_EXCEEDED,
    errors::INVALID_DOCUMENT_SCHEMA_VERSION,
};
use crate::{SsmService, tags};
use aws_wire::{RequestContext, ServiceError};
use resources::ssm::{Document, DocumentContent, DocumentKind, DocumentVersion};
use std::collections::BTreeMap;
use store::StoreError;

/// Beginnings of names that AWS keeps for itself, in any case.
const RESERVED: &[&str] = &["aws", "amazon", "amzn"];

pub(crate) async fn run(
    service: &SsmService,
    context: &RequestContext,
    input: CreateDocumentRequest,
) -> Result<CreateDocumentResult, ServiceError> {
    let name = input.name.to_ascii_lowercase();
    if RESERVED.iter().any(|reserved| name.starts_with(reserved)) {
        return Err(invalid(format!(
            "Document name {} is not valid: names that begin with aws, amazon or amzn are reserved.",
            input.name
        )));
    }
    refuse_attached(input.attachments.as_deref().unwrap_or_default().len())?;
    if input.requires.as_ref().is_some_and(|requires| !requires.is_empty()) {
        return Err(invalid("Requires is for document types of AppConfig, which this region does not keep."));
    }
    let kind = kind(input.document_type, &input)?;
    let content = content::check(input.content, content::format(input.document_format)?, kind)?;
    if count(service, context).await? >= MOST_DOCUMENTS {
        let text = format!("You can have at most {MOST_DOCUMENTS} active SSM documents.");
        return Err(ServiceError::new(&DOCUMENT_LIMIT_EXCEEDED, text));
    }
    let version = DocumentVersion {
        name: input.version_name,
        display_name: input.display_name,
        target_type: input.target_type,
        ..version(context, &content)
    };
    let document = Document {
        account: context.account.to_string(),
        region: context.region.to_string(),
        name: input.name,
        id: service.tables.environment().random_hex(16),
        kind,
        created_at: context.time,
        tags: tags::merged(input.tags.unwrap_or_default(), vec![])?,
        shared: BTreeMap::new(),
        default: 1,
        next: 2,
        versions: BTreeMap::from([(1, version)]),
    };
    let row = row(&document, 1, content);
    match service.tables.batch().create(&document).create(&row).commit().await {
        Ok(_) => {}
        Err(StoreError::Conflict(_)) => return Err(document_exists(&document.name)),
        Err(error) => return Err(store(error)),
    }
    let shown = render::description(service, &document, 1).await?;
    Ok(CreateDocumentResult { document_description: Some(shown) })
}

/// The type that a request names, or what documents were before there were types.
fn kind(given: Option<DocumentType>, input: &CreateDocumentRequest) -> Result<DocumentKind, ServiceError> {
    match given {
        Some(DocumentType::Command) => Ok(DocumentKind::Command),
        Some(DocumentType::Policy) => Ok(DocumentKind::Policy),
        Some(DocumentType::Automation) => Ok(DocumentKind::Automation),
        Some(DocumentType::Session) => Ok(DocumentKind::Session),
        Some(other) => Err(invalid(format!(
            "This region keeps documents of the types Command, Policy, Automation and Session, and none of the type {}.",
            other.as_str()
        ))),
        None => {
            let value = content::read(&input.content, content::format(input.document_format)?)?;
            match value["schemaVersion"].as_str() {
                Some(version) if version != "1.2" => Err(ServiceError::new(
                    &INVALID_DOCUMENT_SCHEMA_VERSION,
                    format!("Document type is required for schema version {version}"),
                )),
                _ => Ok(DocumentKind::Command),
            }
        }
    }
}

async fn count(service: &SsmService, context: &RequestContext) -> Result<usize, ServiceError> {
    let prefix = Document::key_of(context.account.as_str(), context.region.as_str(), "");
    Ok(service.tables.list_all::<Document>(&prefix).await.map_err(store)?.len())
}

/// Attachments are files in S3.
pub(super) fn refuse_attached(attachments: usize) -> Result<(), ServiceError> {
    if attachments == 0 {
        return Ok(());
    }
    Err(invalid("This region keeps no attachments of documents."))
}

/// A version that has nothing but its content.
pub(super) fn version(context: &RequestContext, content: &Content) -> DocumentVersion {
    DocumentVersion {
        name: None,
        display_name: None,
        format: content.format,
        created_at: context.time,
        hash: content.hash.clone(),
        description: content.description.clone(),
        schema_version: content.schema_version.clone(),
        platforms: content.platforms.clone(),
        target_type: None,
    }
}

/// The row of a version's content.
pub(super) fn row(document: &Document, number: i64, content: Content) -> DocumentContent {
    DocumentContent {
        account: document.account.clone(),
        document_id: document.id.clone(),
        version: number,
        text: content.text,
    }
}
