//! CreateRepository.

use crate::EcrPublicService;
use crate::errors::store;
use crate::operations::catalog_data;
use crate::repositories::store_tags;
use crate::shapes::{CreateRepositoryRequest, CreateRepositoryResponse, errors};
use aws_wire::{RequestContext, ServiceError};
use resources::ecr::{Repository, public_name};
use store::{Page, StoreError};

/// Most repositories of a registry.
const MOST: usize = 10_000;

pub(crate) async fn run(
    service: &EcrPublicService,
    context: &RequestContext,
    input: CreateRepositoryRequest,
) -> Result<CreateRepositoryResponse, ServiceError> {
    let catalog = input.catalog_data.map(catalog_data::read).transpose()?;
    let name = input.repository_name;
    let repository = Repository {
        catalog,
        tags: store_tags(input.tags.unwrap_or_default(), vec![])?,
        ..Repository::new(context.account.clone(), public_name(&name), context.time)
    };
    let prefix = format!("{}/{}", context.account, public_name(""));
    let page = Page { after: None, limit: MOST };
    let there = service.tables.list::<Repository>(&prefix, page).await.map_err(store)?;
    if there.items.len() >= MOST {
        let text = format!("A public registry has at most {MOST} repositories.");
        return Err(ServiceError::new(&errors::LIMIT_EXCEEDED_EXCEPTION, text));
    }
    match service.tables.create(repository).await {
        Ok(made) => Ok(CreateRepositoryResponse {
            catalog_data: made.catalog.as_ref().map(catalog_data::show),
            repository: Some(service.show(context, &made)),
        }),
        Err(StoreError::AlreadyExists(_)) => {
            let text = format!(
                "The repository with name '{name}' already exists in the registry with id '{}'",
                context.account
            );
            Err(ServiceError::new(&errors::REPOSITORY_ALREADY_EXISTS_EXCEPTION, text))
        }
        Err(error) => Err(store(error)),
    }
}
