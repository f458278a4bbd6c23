//! UntagResource.

use crate::SecretsManagerService;
use crate::shapes::UntagResourceRequest;
use aws_wire::{RequestContext, ServiceError};

pub(crate) async fn run(
    service: &SecretsManagerService,
    context: &RequestContext,
    input: UntagResourceRequest,
) -> Result<(), ServiceError> {
    let edit = |secret: &mut resources::secrets::Secret| {
        if let Some(tags) = &mut secret.tags {
            tags.retain(|(key, _)| !input.tag_keys.contains(key));
        }
        Ok(())
    };
    service.change(context, &input.secret_id, edit).await.map(|_| ())
}
