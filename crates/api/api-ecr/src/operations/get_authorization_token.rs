//! GetAuthorizationToken: a password for docker login.

use crate::EcrService;
use crate::shapes::{AuthorizationData, GetAuthorizationTokenRequest, GetAuthorizationTokenResponse, errors};
use access::Caller;
use aws_wire::{RequestContext, ServiceError};
use base64::Engine;

pub(crate) async fn run(
    service: &EcrService,
    context: &RequestContext,
    input: GetAuthorizationTokenRequest,
) -> Result<GetAuthorizationTokenResponse, ServiceError> {
    let caller = context.extensions.get::<Caller>();
    let token = caller.and_then(|caller| service.access.registry_token(caller));
    let token = token.ok_or_else(|| {
        tracing::error!("a caller without credentials asks for a registry token");
        ServiceError::new(&errors::SERVER_EXCEPTION, "The caller has no credentials.")
    })?;
    let text = base64::engine::general_purpose::STANDARD.encode(format!("AWS:{}", token.password));
    // The password is good for every registry; who names some gets one answer for each, under its own host.
    let own = format!("http://localhost:{}", service.port);
    let host = |id: &String| format!("http://{id}.dkr.ecr.{}.localhost:{}", context.region, service.port);
    let endpoints = input.registry_ids.map_or_else(|| vec![own], |ids| ids.iter().map(host).collect());
    let data = endpoints.into_iter().map(|endpoint| AuthorizationData {
        authorization_token: Some(text.clone()),
        expires_at: Some(token.expires_at),
        proxy_endpoint: Some(endpoint),
    });
    Ok(GetAuthorizationTokenResponse { authorization_data: Some(data.collect()) })
}
