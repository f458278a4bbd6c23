//! DescribeDocumentPermission.

use crate::shapes::{
    AccountSharingInfo, DescribeDocumentPermissionRequest, DescribeDocumentPermissionResponse,
};
use crate::{SsmService, paging};
use aws_wire::{RequestContext, ServiceError};

/// Accounts of a page when the request does not say.
const USUAL: usize = 200;

pub(crate) async fn run(
    service: &SsmService,
    context: &RequestContext,
    input: DescribeDocumentPermissionRequest,
) -> Result<DescribeDocumentPermissionResponse, ServiceError> {
    let document = service.require_document(context, &input.name).await?;
    let shared = document.shared.iter().map(|(account, versions)| AccountSharingInfo {
        account_id: Some(account.clone()),
        shared_document_version: Some(versions.clone()),
    });
    let (page, next_token) =
        paging::cut_exactly(shared.collect(), input.next_token.as_deref(), input.max_results, USUAL)?;
    Ok(DescribeDocumentPermissionResponse {
        account_ids: Some(page.iter().filter_map(|info| info.account_id.clone()).collect()),
        account_sharing_info_list: Some(page),
        next_token,
    })
}
