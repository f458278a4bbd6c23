//! ListDocumentVersions, the newest first.

use crate::documents::{Wanted, render};
use crate::shapes::{ListDocumentVersionsRequest, ListDocumentVersionsResult};
use crate::{SsmService, paging};
use aws_wire::{RequestContext, ServiceError};

/// Versions of a page when the request does not say.
const USUAL: usize = 50;

pub(crate) async fn run(
    service: &SsmService,
    context: &RequestContext,
    input: ListDocumentVersionsRequest,
) -> Result<ListDocumentVersionsResult, ServiceError> {
    let (document, _) = service.document_version(context, &input.name, Wanted::default()).await?;
    let usable = |number: i64| document.is_usable(context.account.as_str(), number);
    let versions = document.versions.iter().rev().filter(|(number, _)| usable(**number));
    let shown = versions.map(|(number, version)| render::version(&document, *number, version)).collect();
    let (page, next) = paging::cut_exactly(shown, input.next_token.as_deref(), input.max_results, USUAL)?;
    Ok(ListDocumentVersionsResult {
        document_versions: Some(page),
        next_token: Some(next.unwrap_or_default()),
    })
}
