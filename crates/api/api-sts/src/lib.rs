//! The AWS Security Token Service. Built so far: GetCallerIdentity.

mod operations;
pub mod shapes;

use aws_wire::{RequestContext, ServiceError};
use shapes::{GetCallerIdentityRequest, GetCallerIdentityResponse, Sts};

/// The service. It keeps nothing.
pub struct StsService;

#[async_trait::async_trait]
impl Sts for StsService {
    async fn get_caller_identity(
        &self,
        context: &RequestContext,
        _input: GetCallerIdentityRequest,
    ) -> Result<GetCallerIdentityResponse, ServiceError> {
        Ok(operations::get_caller_identity::run(context))
    }
}
