//! DescribeDocument: everything of a version but its content.

use crate::SsmService;
use crate::documents::{Wanted, render};
use crate::shapes::{DescribeDocumentRequest, DescribeDocumentResult};
use aws_wire::{RequestContext, ServiceError};

pub(crate) async fn run(
    service: &SsmService,
    context: &RequestContext,
    input: DescribeDocumentRequest,
) -> Result<DescribeDocumentResult, ServiceError> {
    let wanted = Wanted { number: input.document_version.as_deref(), name: input.version_name.as_deref() };
    let (document, number) = service.document_version(context, &input.name, wanted).await?;
    Ok(DescribeDocumentResult { document: Some(render::description(service, &document, number).await?) })
}
