//! May the caller do what a request asks for: the service says what that is, `access` decides.

use crate::errors::{ACCESS_DENIED, INTERNAL};
use access::{Access, Asked, Caller, NotAllowed, RequestFacts};
use aws_wire::{Node, Operation, RequestContext, Service, ServiceError};
use http::request::Parts;

/// Allows a request with everything it touches, or answers the error for its caller.
pub(crate) async fn authorize(
    access: &Access,
    service: &dyn Service,
    operation: &'static Operation,
    (caller, context): (&Caller, &RequestContext),
    (parts, input): (&Parts, &Node),
) -> Result<(), ServiceError> {
    let permissions = service.permissions(operation, context, input).await?;
    let asked: Vec<Asked<'_>> = permissions
        .iter()
        .map(|permission| Asked {
            action: &permission.action,
            resource: &permission.resource,
            conditions: &permission.conditions,
            resource_policy: permission.resource_policy.as_deref(),
        })
        .collect();
    let agent = parts.headers.get(http::header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    let facts = RequestFacts {
        time: context.time,
        source_ip: context.source_ip,
        region: context.region.as_str(),
        user_agent: agent,
        // The listener has no TLS.
        secure_transport: false,
    };
    access.authorize(caller, &asked, &facts).await.map_err(|error| match error {
        NotAllowed::Denied(denied) => ServiceError::new(&ACCESS_DENIED, denied.message),
        NotAllowed::Failed(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "cannot decide a request");
            ServiceError::new(&INTERNAL, "The request processing has failed because of an internal error.")
        }
    })
}
