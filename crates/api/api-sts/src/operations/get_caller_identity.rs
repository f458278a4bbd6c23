//! GetCallerIdentity: who signed the request.

use crate::shapes::GetCallerIdentityResponse;
use aws_wire::RequestContext;

pub(crate) fn run(context: &RequestContext) -> GetCallerIdentityResponse {
    GetCallerIdentityResponse {
        account: Some(context.account.to_string()),
        arn: Some(context.principal_arn.to_string()),
        user_id: Some(context.principal_id.to_string()),
    }
}
