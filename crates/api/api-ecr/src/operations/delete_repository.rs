//! DeleteRepository: empty ones, or with force all that is in it.

use crate::EcrService;
use crate::errors::store;
use crate::shapes::{DeleteRepositoryRequest, DeleteRepositoryResponse, errors};
use aws_wire::{RequestContext, ServiceError};
use resources::Stored;
use resources::ecr::{BlobLink, Image, ImageTag, rows_of};

/// Rows deleted in one transaction.
const BATCH: usize = 500;

pub(crate) async fn run(
    service: &EcrService,
    context: &RequestContext,
    input: DeleteRepositoryRequest,
) -> Result<DeleteRepositoryResponse, ServiceError> {
    let repository =
        service.repository(context, input.registry_id.as_deref(), &input.repository_name).await?;
    let images = service.images(&repository).await?;
    if !images.images.is_empty() && input.force != Some(true) {
        let text = format!(
            "The repository with name '{}' in registry with id '{}' cannot be deleted because it still contains images",
            repository.name, context.account
        );
        return Err(ServiceError::new(&errors::REPOSITORY_NOT_EMPTY_EXCEPTION, text));
    }
    // The repository goes first, so that nothing is pushed into what is being cleared; what a crash leaves behind is
    // seen by nobody and goes when a repository of that name is deleted again.
    service.tables.delete(&repository).await.map_err(store)?;
    clear::<ImageTag>(service, &rows_of(&repository.account, &repository.name)).await?;
    clear::<Image>(service, &rows_of(&repository.account, &repository.name)).await?;
    clear::<BlobLink>(service, &rows_of(&repository.account, &repository.name)).await?;
    Ok(DeleteRepositoryResponse { repository: Some(service.show(context, &repository)) })
}

async fn clear<T: Stored>(service: &EcrService, prefix: &str) -> Result<(), ServiceError> {
    let rows = service.tables.list_all::<T>(prefix).await.map_err(store)?;
    for some in rows.chunks(BATCH) {
        let mut batch = service.tables.batch();
        for row in some {
            batch = batch.delete_any::<T>(&row.key());
        }
        batch.commit().await.map_err(store)?;
    }
    Ok(())
}
