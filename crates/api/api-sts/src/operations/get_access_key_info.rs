//! GetAccessKeyInfo: the account of an access key. Ids tell their account, so a key need not be there any more.

use crate::StsService;
use crate::errors::{invalid, store};
use crate::shapes::{GetAccessKeyInfoRequest, GetAccessKeyInfoResponse};
use access::account_of_key;
use aws_wire::{RequestContext, ServiceError};

pub(crate) async fn run(
    service: &StsService,
    _context: &RequestContext,
    input: GetAccessKeyInfoRequest,
) -> Result<GetAccessKeyInfoResponse, ServiceError> {
    let id = &input.access_key_id;
    let stored = service.access.any_access_key(id).await.map_err(store)?;
    let account = stored.map(|key| key.account.clone()).or_else(|| account_of_key(id));
    let account = account.ok_or_else(|| invalid(format!("{id} is not a valid access key id.")))?;
    Ok(GetAccessKeyInfoResponse { account: Some(account.to_string()) })
}
