//! DeleteRepository: empty ones, or with force all that is in it.

use crate::EcrService;
use crate::errors::{images_failed, store};
use crate::shapes::{DeleteRepositoryRequest, DeleteRepositoryResponse, errors};
use aws_wire::{RequestContext, ServiceError};
use resources::ecr::{Image, rows_of};
use store::Page;

pub(crate) async fn run(
    service: &EcrService,
    context: &RequestContext,
    input: DeleteRepositoryRequest,
) -> Result<DeleteRepositoryResponse, ServiceError> {
    let repository =
        service.repository(context, input.registry_id.as_deref(), &input.repository_name).await?;
    let rows = rows_of(&repository.account, &repository.name);
    let one = Page { after: None, limit: 1 };
    let (images, _) = service.tables.keys::<Image>(&rows, one).await.map_err(store)?;
    if !images.is_empty() && input.force != Some(true) {
        let text = format!(
            "The repository with name '{}' in registry with id '{}' cannot be deleted because it still contains images",
            repository.name, repository.account
        );
        return Err(ServiceError::new(&errors::REPOSITORY_NOT_EMPTY_EXCEPTION, text));
    }
    service.registry.delete_repository(&repository).await.map_err(images_failed)?;
    Ok(DeleteRepositoryResponse { repository: Some(service.show(context, &repository)) })
}
