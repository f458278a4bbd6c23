//! Repositories: found, shown, and their own tags.

use crate::errors::{invalid, invalid_at, no_repository, store};
use crate::shapes as wire;
use crate::{EcrService, tag_mutability};
use aws_wire::{RequestContext, ServiceError};
use identifiers::{AccountId, Arn};
use resources::Stored;
use resources::ecr::Repository;
use store::{StoreError, Versioned};

impl EcrService {
    /// A repository of a registry: the caller's own where none is named.
    pub(crate) async fn repository(
        &self,
        context: &RequestContext,
        registry: Option<&str>,
        name: &str,
    ) -> Result<Versioned<Repository>, ServiceError> {
        let account = registry_account(context, registry)?;
        let found = self.tables.get(&format!("{account}/{name}")).await.map_err(store)?;
        found.ok_or_else(|| no_repository(&account, name))
    }

    /// Changes a repository that was found, again when somebody else does at the same time.
    pub(crate) async fn change(
        &self,
        found: &Repository,
        change: impl Fn(&mut Repository),
    ) -> Result<Versioned<Repository>, ServiceError> {
        let key = found.key();
        let changed = self.tables.update::<Repository, StoreError>(&key, |old| {
            let mut new = old.clone();
            change(&mut new);
            Ok(Some(new))
        });
        changed.await.map_err(store)?.ok_or_else(|| no_repository(&found.account, &found.name))
    }

    /// A repository by its ARN.
    pub(crate) async fn repository_of_arn(
        &self,
        context: &RequestContext,
        arn: &str,
    ) -> Result<Versioned<Repository>, ServiceError> {
        let refused = || invalid_at("resourceArn", "Invalid ARN");
        let parsed: Arn = arn.parse().map_err(|_| refused())?;
        let name = parsed.resource.strip_prefix("repository/").filter(|_| parsed.service == "ecr");
        self.repository(context, Some(&parsed.account), name.ok_or_else(refused)?).await
    }

    pub(crate) fn show(&self, context: &RequestContext, repository: &Repository) -> wire::Repository {
        let arn =
            Arn::new("ecr", &context.region, &repository.account, format!("repository/{}", repository.name));
        wire::Repository {
            repository_arn: Some(arn.to_string()),
            registry_id: Some(repository.account.to_string()),
            repository_name: Some(repository.name.clone()),
            repository_uri: Some(format!(
                "{}.dkr.ecr.{}.localhost:{}/{}",
                repository.account, context.region, self.port, repository.name
            )),
            created_at: Some(repository.created_at),
            image_tag_mutability: Some(tag_mutability::show(repository.tag_mutability)),
            image_tag_mutability_exclusion_filters: tag_mutability::show_filters(&repository.tag_exclusions),
            image_scanning_configuration: Some(wire::ImageScanningConfiguration {
                scan_on_push: Some(repository.scan_on_push),
            }),
            encryption_configuration: Some(wire::EncryptionConfiguration::default()),
        }
    }
}

/// The account whose registry is meant.
pub(crate) fn registry_account(
    context: &RequestContext,
    registry: Option<&str>,
) -> Result<AccountId, ServiceError> {
    let Some(registry) = registry else { return Ok(context.account.clone()) };
    registry.parse().map_err(|_| invalid_at("registryId", "must satisfy regular expression '[0-9]{12}'"))
}

/// Refuses the registry of another account where nothing can be shared.
pub(crate) fn own_registry(context: &RequestContext, registry: Option<&str>) -> Result<(), ServiceError> {
    match registry {
        Some(id) if id != context.account.as_str() => {
            Err(invalid(format!("The registry with id '{id}' is not the caller's own.")))
        }
        _ => Ok(()),
    }
}
