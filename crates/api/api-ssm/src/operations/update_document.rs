//! UpdateDocument: a new version, which is not the default one.

use super::create_document::{refuse_attached, row, version};
use crate::SsmService;
use crate::documents::{MOST_VERSIONS, Wanted, content, info, render, version_of};
use crate::errors::{bad_schema_version, invalid_document_version, store, too_many_updates};
use crate::shapes::{UpdateDocumentRequest, UpdateDocumentResult, errors};
use aws_wire::{RequestContext, ServiceError};
use resources::ssm::DocumentVersion;
use store::StoreError;

pub(crate) async fn run(
    service: &SsmService,
    context: &RequestContext,
    input: UpdateDocumentRequest,
) -> Result<UpdateDocumentResult, ServiceError> {
    let old = service.require_document(context, &input.name).await?;
    refuse_attached(input.attachments.as_deref().unwrap_or_default().len())?;
    let latest = old.latest();
    let base = version_of(
        &old,
        Wanted { number: Some(input.document_version.as_deref().unwrap_or("$LATEST")), name: None },
    )?;
    if base != latest {
        return Err(invalid_document_version());
    }
    let before = info(&old, latest)?;
    let content = content::check(input.content, content::format(input.document_format)?, old.kind)?;
    if content.schema_version == "1.2" || before.schema_version == "1.2" {
        return Err(bad_schema_version("1.2", old.kind));
    }
    if content.hash == before.hash {
        return Err(ServiceError::new(
            &errors::DUPLICATE_DOCUMENT_CONTENT,
            "The content of the association document matches another document. Change the content of the document and \
             try again.",
        ));
    }
    if input.version_name.as_deref().is_some_and(|name| old.named(name).is_some()) {
        return Err(ServiceError::new(
            &errors::DUPLICATE_DOCUMENT_VERSION_NAME,
            "The version name has already been used in this document. Specify a different version name, and then try \
             again.",
        ));
    }
    if old.versions.len() >= MOST_VERSIONS {
        return Err(ServiceError::new(
            &errors::DOCUMENT_VERSION_LIMIT_EXCEEDED,
            "The document has too many versions. Delete one or more document versions and try again.",
        ));
    }
    let added = DocumentVersion {
        name: input.version_name,
        display_name: input.display_name.or_else(|| before.display_name.clone()),
        target_type: input.target_type.or_else(|| before.target_type.clone()),
        ..version(context, &content)
    };
    let mut new = (*old.value).clone();
    let number = new.next;
    new.next += 1;
    new.versions.insert(number, added);
    let row = row(&new, number, content);
    match service.tables.batch().replace(&old, &new).create(&row).commit().await {
        Ok(_) => {}
        Err(StoreError::Conflict(_)) => return Err(too_many_updates()),
        Err(error) => return Err(store(error)),
    }
    let shown = render::description(service, &new, number).await?;
    Ok(UpdateDocumentResult { document_description: Some(shown) })
}
