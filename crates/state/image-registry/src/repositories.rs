//! Repositories that are made without CreateRepository.

use crate::{ImageError, ImageRegistry};
use identifiers::AccountId;
use resources::ecr::{AppliedFor, Registry, Repository, RepositoryCreationTemplate, template_for};
use store::StoreError;

/// The account setting that says whether blobs may be mounted from one repository into another.
const BLOB_MOUNTING: &str = "BLOB_MOUNTING";

/// Assumes the roles of creation templates, as ECR does for repositories that it makes.
#[async_trait::async_trait]
pub trait TemplateRoles: Send + Sync {
    /// Whether a role may make a repository, or why not.
    async fn may_create(&self, role_arn: &str, planned: &Repository) -> Result<(), String>;
}

impl ImageRegistry {
    /// Whether blobs of this account may be mounted from one repository into another.
    pub async fn mounts_blobs(&self, account: &AccountId) -> Result<bool, StoreError> {
        let registry = self.tables.get::<Registry>(account.as_str()).await?;
        let setting = registry.as_ref().and_then(|registry| registry.settings.get(BLOB_MOUNTING));
        Ok(setting.is_none_or(|setting| setting != "DISABLED"))
    }

    /// A repository as its template has it, or as usual where there is none, and the role that is to make it; not yet
    /// written.
    async fn planned_repository(
        &self,
        account: &AccountId,
        name: &str,
        purpose: AppliedFor,
    ) -> Result<(Repository, Option<String>), StoreError> {
        let templates = self.tables.list_all::<RepositoryCreationTemplate>(&format!("{account}/")).await?;
        let now = self.environment().now();
        let template = template_for(templates.iter().map(|row| &*row.value), name, purpose);
        Ok(template.map_or_else(
            || (Repository::new(account.clone(), name, now), None),
            |template| (template.repository(name, now), template.custom_role_arn.clone()),
        ))
    }

    /// The repository of a name, made by its template if it is not there.
    pub async fn ensure_repository(
        &self,
        account: &AccountId,
        name: &str,
        purpose: AppliedFor,
    ) -> Result<Repository, ImageError> {
        let key = format!("{account}/{name}");
        if let Some(found) = self.tables.get::<Repository>(&key).await? {
            return Ok((*found.value).clone());
        }
        let (planned, role) = self.planned_repository(account, name, purpose).await?;
        if let Some(role) = role {
            let roles = self.roles.as_ref();
            let roles =
                roles.ok_or_else(|| ImageError::TemplateRole(format!("nobody assumes {role} here")))?;
            roles.may_create(&role, &planned).await.map_err(ImageError::TemplateRole)?;
        }
        match self.tables.create(planned.clone()).await {
            Ok(_) => Ok(planned),
            Err(StoreError::AlreadyExists(key)) => {
                let found = self.tables.get::<Repository>(&format!("{account}/{name}")).await?;
                // Made and deleted again by others in between.
                Ok(found.map(|found| (*found.value).clone()).ok_or(StoreError::Conflict(key))?)
            }
            Err(error) => Err(error.into()),
        }
    }
}
