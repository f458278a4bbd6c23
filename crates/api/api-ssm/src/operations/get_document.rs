//! GetDocument: the content of a version, in JSON unless YAML is asked for.

use crate::SsmService;
use crate::documents::{Wanted, content, info, render};
use crate::shapes::{DocumentStatus, GetDocumentRequest, GetDocumentResult};
use aws_wire::{RequestContext, ServiceError};

pub(crate) async fn run(
    service: &SsmService,
    context: &RequestContext,
    input: GetDocumentRequest,
) -> Result<GetDocumentResult, ServiceError> {
    let wanted = Wanted { number: input.document_version.as_deref(), name: input.version_name.as_deref() };
    let (document, number) = service.document_version(context, &input.name, wanted).await?;
    let format = content::format(input.document_format)?;
    let version = info(&document, number)?;
    let text = service.document_text(&document, number).await?;
    Ok(GetDocumentResult {
        content: Some(content::shown(text, version.format, format)?),
        created_date: Some(version.created_at),
        display_name: version.display_name.clone(),
        document_format: Some(render::format(format)),
        document_type: Some(render::kind(document.kind)),
        document_version: Some(number.to_string()),
        name: Some(input.name),
        status: Some(DocumentStatus::Active),
        version_name: version.name.clone(),
        ..GetDocumentResult::default()
    })
}
