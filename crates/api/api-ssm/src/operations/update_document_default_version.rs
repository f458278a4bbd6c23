//! UpdateDocumentDefaultVersion.

use crate::SsmService;
use crate::documents::{Wanted, info, version_of};
use crate::shapes::{
    DocumentDefaultVersionDescription, UpdateDocumentDefaultVersionRequest,
    UpdateDocumentDefaultVersionResult,
};
use aws_wire::{RequestContext, ServiceError};
use resources::ssm::Document;

pub(crate) async fn run(
    service: &SsmService,
    context: &RequestContext,
    input: UpdateDocumentDefaultVersionRequest,
) -> Result<UpdateDocumentDefaultVersionResult, ServiceError> {
    let old = service.require_document(context, &input.name).await?;
    let default = version_of(&old, Wanted { number: Some(&input.document_version), name: None })?;
    let name = info(&old, default)?.name.clone();
    service.replace_document(&old, Document { default, ..(*old.value).clone() }).await?;
    Ok(UpdateDocumentDefaultVersionResult {
        description: Some(DocumentDefaultVersionDescription {
            default_version: Some(default.to_string()),
            default_version_name: name,
            name: Some(input.name),
        }),
    })
}
