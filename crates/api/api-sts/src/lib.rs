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
use aws_wire::{RequestContext, ServiceError};
#[allow(clippy::wildcard_imports, reason = "an input and an output is named for every operation")]
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

aws_wire::operations! {
    Sts for StsService;
    assume_role: AssumeRoleRequest => AssumeRoleResponse, assume_role::run;
    assume_role_with_web_identity: AssumeRoleWithWebIdentityRequest => AssumeRoleWithWebIdentityResponse, assume_role_with_web_identity::run;
    decode_authorization_message: DecodeAuthorizationMessageRequest => DecodeAuthorizationMessageResponse, decode_authorization_message::run;
    get_access_key_info: GetAccessKeyInfoRequest => GetAccessKeyInfoResponse, get_access_key_info::run;
    get_caller_identity: GetCallerIdentityRequest => GetCallerIdentityResponse, get_caller_identity::run;
    get_federation_token: GetFederationTokenRequest => GetFederationTokenResponse, get_federation_token::run;
    get_session_token: GetSessionTokenRequest => GetSessionTokenResponse, get_session_token::run;
}
