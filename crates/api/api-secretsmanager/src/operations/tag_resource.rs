//! TagResource.

use crate::SecretsManagerService;
use crate::shapes::TagResourceRequest;
use crate::tags;
use aws_wire::{RequestContext, ServiceError};

pub(crate) async fn run(
    service: &SecretsManagerService,
    context: &RequestContext,
    input: TagResourceRequest,
) -> Result<(), ServiceError> {
    let edit = |secret: &mut resources::secrets::Secret| {
        let old = secret.tags.clone().unwrap_or_default();
        secret.tags = Some(tags::merged(input.tags.clone(), old)?);
        Ok(())
    };
    service.change(context, &input.secret_id, edit).await.map(|_| ())
}
