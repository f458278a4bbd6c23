//! GetAuthorizationToken: a password for docker login.

use crate::EcrService;
use crate::shapes::{AuthorizationData, GetAuthorizationTokenRequest, GetAuthorizationTokenResponse};
use access::Caller;
use aws_wire::{RequestContext, ServiceError};
use base64::Engine;

pub(crate) async fn run(
    service: &EcrService,
    context: &RequestContext,
    _input: GetAuthorizationTokenRequest,
) -> Result<GetAuthorizationTokenResponse, ServiceError> {
    let caller = Caller {
        account: context.account.clone(),
        principal_arn: context.principal_arn.clone(),
        principal_id: context.principal_id.clone(),
    };
    let token = service.access.registry_token(&caller);
    let text = base64::engine::general_purpose::STANDARD.encode(format!("AWS:{}", token.password));
    let data = AuthorizationData {
        authorization_token: Some(text),
        expires_at: Some(token.expires_at),
        proxy_endpoint: Some(format!("http://localhost:{}", service.port)),
    };
    Ok(GetAuthorizationTokenResponse { authorization_data: Some(vec![data]) })
}
