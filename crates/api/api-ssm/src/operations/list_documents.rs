//! ListDocuments.

use crate::documents::filters::Filters;
use crate::documents::render;
use crate::shapes::{ListDocumentsRequest, ListDocumentsResult};
use crate::{SsmService, paging};
use aws_wire::{RequestContext, ServiceError};

/// Documents of a page when the request does not say.
const USUAL: usize = 50;

pub(crate) async fn run(
    service: &SsmService,
    context: &RequestContext,
    input: ListDocumentsRequest,
) -> Result<ListDocumentsResult, ServiceError> {
    let filters = Filters::read(&input)?;
    let mut documents = service.documents(context).await?;
    documents.retain(|document| filters.let_through(document, context.account.as_str()));
    let (page, next) = paging::cut_exactly(documents, input.next_token.as_deref(), input.max_results, USUAL)?;
    let shown = page.iter().map(|document| render::identifier(document)).collect();
    // The last page says so with an empty token.
    Ok(ListDocumentsResult { document_identifiers: Some(shown), next_token: Some(next.unwrap_or_default()) })
}
