//! DescribeSecret.

use crate::SecretsManagerService;
use crate::render;
use crate::shapes::{DescribeSecretRequest, DescribeSecretResponse};
use aws_wire::{RequestContext, ServiceError};

pub(crate) async fn run(
    service: &SecretsManagerService,
    context: &RequestContext,
    input: DescribeSecretRequest,
) -> Result<DescribeSecretResponse, ServiceError> {
    let secret = service.require(context, &input.secret_id).await?;
    Ok(render::described(&secret))
}
