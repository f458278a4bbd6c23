//! DeleteRepository: empty ones, or with force all that is in it.

use crate::EcrPublicService;
use crate::errors::images_failed;
use crate::shapes::{DeleteRepositoryRequest, DeleteRepositoryResponse, errors};
use aws_wire::{RequestContext, ServiceError};

pub(crate) async fn run(
    service: &EcrPublicService,
    context: &RequestContext,
    input: DeleteRepositoryRequest,
) -> Result<DeleteRepositoryResponse, ServiceError> {
    let repository =
        service.repository(context, input.registry_id.as_deref(), &input.repository_name).await?;
    let images = service.images(&repository).await?;
    if !images.images.is_empty() && input.force != Some(true) {
        let text = format!(
            "The repository with name '{}' in registry with id '{}' cannot be deleted because it still contains images",
            repository.given_name(),
            repository.account
        );
        return Err(ServiceError::new(&errors::REPOSITORY_NOT_EMPTY_EXCEPTION, text));
    }
    service.registry.delete_repository(&repository).await.map_err(images_failed)?;
    Ok(DeleteRepositoryResponse { repository: Some(service.show(context, &repository)) })
}
