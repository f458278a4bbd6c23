//! GetCallerIdentity: who signed the request.

use crate::StsService;
use crate::shapes::{GetCallerIdentityRequest, GetCallerIdentityResponse};
use aws_wire::{RequestContext, ServiceError};

pub(crate) async fn run(
    _service: &StsService,
    context: &RequestContext,
    _input: GetCallerIdentityRequest,
) -> Result<GetCallerIdentityResponse, ServiceError> {
    Ok(GetCallerIdentityResponse {
        account: Some(context.account.to_string()),
        arn: Some(context.principal_arn.to_string()),
        user_id: Some(context.principal_id.to_string()),
    })
}
