//! CreateRepository.

use crate::errors::{invalid, store};
use crate::repositories::own_registry;
use crate::shapes::{
    CreateRepositoryRequest, CreateRepositoryResponse, EncryptionConfiguration, EncryptionType, Tag, errors,
};
use crate::{EcrService, tag_mutability};
use aws_wire::{RequestContext, ServiceError};
use resources::ecr::Repository;
use store::StoreError;

/// Most tags of a repository.
const MOST_TAGS: usize = 50;

pub(crate) async fn run(
    service: &EcrService,
    context: &RequestContext,
    input: CreateRepositoryRequest,
) -> Result<CreateRepositoryResponse, ServiceError> {
    let CreateRepositoryRequest {
        encryption_configuration,
        image_scanning_configuration,
        image_tag_mutability,
        image_tag_mutability_exclusion_filters,
        registry_id,
        repository_name,
        tags,
    } = input;
    own_registry(context, registry_id.as_deref())?;
    let kms = |e: EncryptionConfiguration| e.encryption_type != EncryptionType::Aes256 || e.kms_key.is_some();
    refuse_kms(encryption_configuration.is_some_and(kms))?;
    let (tag_mutability, tag_exclusions) = tag_mutability::read(
        image_tag_mutability.unwrap_or_default(),
        image_tag_mutability_exclusion_filters,
    )?;
    let repository = Repository {
        tag_mutability,
        tag_exclusions,
        scan_on_push: image_scanning_configuration
            .and_then(|scanning| scanning.scan_on_push)
            .unwrap_or_default(),
        tags: store_tags(tags.unwrap_or_default(), vec![])?,
        ..Repository::new(context.account.clone(), repository_name, context.time)
    };
    let name = repository.name.clone();
    match service.tables.create(repository).await {
        Ok(made) => Ok(CreateRepositoryResponse { repository: Some(service.show(context, &made)) }),
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

/// There is no KMS: what is encrypted with its keys cannot be promised.
pub(crate) fn refuse_kms(asked: bool) -> Result<(), ServiceError> {
    if asked {
        return Err(invalid("This region encrypts repositories with AES256 only; there is no KMS."));
    }
    Ok(())
}

/// Tags with those given put over those there were.
pub(crate) fn store_tags(
    given: Vec<Tag>,
    mut tags: Vec<(String, String)>,
) -> Result<Vec<(String, String)>, ServiceError> {
    for tag in given {
        if tag.key.is_empty() || tag.key.chars().count() > 128 || tag.value.chars().count() > 256 {
            return Err(ServiceError::new(
                &errors::INVALID_TAG_PARAMETER_EXCEPTION,
                "Invalid tag key or value.",
            ));
        }
        tags.retain(|(key, _)| *key != tag.key);
        tags.push((tag.key, tag.value));
    }
    if tags.len() > MOST_TAGS {
        return Err(ServiceError::new(
            &errors::TOO_MANY_TAGS_EXCEPTION,
            format!("A repository has at most {MOST_TAGS} tags."),
        ));
    }
    Ok(tags)
}
