//! GetAuthorizationToken: a password for docker login.

use crate::EcrPublicService;
use crate::shapes::{AuthorizationData, GetAuthorizationTokenRequest, GetAuthorizationTokenResponse, errors};
use access::Caller;
use aws_wire::{RequestContext, ServiceError};
use base64::Engine;

pub(crate) async fn run(
    service: &EcrPublicService,
    context: &RequestContext,
    _input: GetAuthorizationTokenRequest,
) -> Result<GetAuthorizationTokenResponse, ServiceError> {
    let caller = context.extensions.get::<Caller>();
    let token = caller.and_then(|caller| service.access.registry_token(caller));
    let token = token.ok_or_else(|| {
        tracing::error!("a caller without credentials asks for a registry token");
        ServiceError::new(&errors::SERVER_EXCEPTION, "The caller has no credentials.")
    })?;
    let text = base64::engine::general_purpose::STANDARD.encode(format!("AWS:{}", token.password));
    let data = AuthorizationData { authorization_token: Some(text), expires_at: Some(token.expires_at) };
    Ok(GetAuthorizationTokenResponse { authorization_data: Some(data) })
}
