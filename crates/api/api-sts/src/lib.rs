//! The AWS Security Token Service: who calls, and temporary credentials.
//!
//! Credentials are issued by `access`, which seals their facts in the session token; nothing is stored. Whether a role
//! may be assumed is decided before the operation runs, by the caller's policies and the role's trust policy; only for
//! web identities, who have no credentials yet, the operation itself asks the trust policy. SAML is not built.

mod errors;
mod operations;
mod permissions;
mod session;
pub mod shapes;
mod web_identity;

pub use web_identity::ProviderKeys;

use access::{Access, Caller};
use aws_wire::{Node, Operation, Permission, RequestContext, ServiceError};
use operations as op;
#[allow(
    clippy::wildcard_imports,
    reason = "the macro below names an input and an output for every operation"
)]
use shapes::*;
use store::Tables;

/// The service.
pub struct StsService {
    pub(crate) tables: Tables,
    pub(crate) access: Access,
    pub(crate) keys: ProviderKeys,
}

impl StsService {
    /// The service; `keys` are those of the identity providers whose tokens are taken.
    pub fn new(tables: Tables, access: Access, keys: ProviderKeys) -> Self {
        Self { tables, access, keys }
    }
}

/// The caller of a request, with the facts of its session.
pub(crate) fn caller(context: &RequestContext) -> Result<&Caller, ServiceError> {
    context.extensions.get::<Caller>().ok_or_else(|| errors::internal("a request without a caller"))
}

/// One method per operation, all alike: hand over to the operation's own file.
macro_rules! operations {
    ($($name:ident, $input:ident => $output:ident;)*) => {
        #[async_trait::async_trait]
        impl Sts for StsService {
            async fn permissions(
                &self,
                operation: &'static Operation,
                context: &RequestContext,
                input: &Node,
            ) -> Result<Vec<Permission>, ServiceError> {
                permissions::of(self, context, operation, input).await
            }

            $(async fn $name(&self, context: &RequestContext, input: $input) -> Result<$output, ServiceError> {
                op::$name::run(self, context, input).await
            })*
        }
    };
}

operations! {
    assume_role, AssumeRoleRequest => AssumeRoleResponse;
    assume_role_with_web_identity, AssumeRoleWithWebIdentityRequest => AssumeRoleWithWebIdentityResponse;
    decode_authorization_message, DecodeAuthorizationMessageRequest => DecodeAuthorizationMessageResponse;
    get_access_key_info, GetAccessKeyInfoRequest => GetAccessKeyInfoResponse;
    get_caller_identity, GetCallerIdentityRequest => GetCallerIdentityResponse;
    get_federation_token, GetFederationTokenRequest => GetFederationTokenResponse;
    get_session_token, GetSessionTokenRequest => GetSessionTokenResponse;
}
