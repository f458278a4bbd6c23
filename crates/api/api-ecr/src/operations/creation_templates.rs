//! CreateRepositoryCreationTemplate, DescribeRepositoryCreationTemplates, UpdateRepositoryCreationTemplate and
//! DeleteRepositoryCreationTemplate.

use super::lifecycle_policies;
use crate::errors::{invalid_at, store, validation};
use crate::operations::create_repository::{refuse_kms, store_tags};
use crate::shapes::{
    CreateRepositoryCreationTemplateRequest, CreateRepositoryCreationTemplateResponse,
    DeleteRepositoryCreationTemplateRequest, DeleteRepositoryCreationTemplateResponse,
    DescribeRepositoryCreationTemplatesRequest, DescribeRepositoryCreationTemplatesResponse,
    EncryptionConfigurationForRepositoryCreationTemplate as Encryption, EncryptionType, RCTAppliedFor,
    RepositoryCreationTemplate as Shown, Tag, UpdateRepositoryCreationTemplateRequest,
    UpdateRepositoryCreationTemplateResponse, errors,
};
use crate::{EcrService, paging, tag_mutability};
use aws_wire::{RequestContext, ServiceError};
use identifiers::Arn;
use resources::ecr::{AppliedFor, RepositoryCreationTemplate as Template};
use store::{StoreError, Versioned};

/// Most templates of a registry.
const MOST: usize = 50;

pub(crate) async fn create_repository_creation_template(
    service: &EcrService,
    context: &RequestContext,
    input: CreateRepositoryCreationTemplateRequest,
) -> Result<CreateRepositoryCreationTemplateResponse, ServiceError> {
    check_encryption(input.encryption_configuration.as_ref())?;
    let tags = store_tags(input.resource_tags.unwrap_or_default(), vec![])?;
    let setting = input.image_tag_mutability;
    let (mutability, exclusions) =
        tag_mutability::read(setting.unwrap_or_default(), input.image_tag_mutability_exclusion_filters)?;
    let mut template = Template {
        account: context.account.clone(),
        prefix: input.prefix,
        description: input.description,
        tags,
        tag_mutability: setting.map(|_| mutability),
        tag_exclusions: exclusions,
        repository_policy: None,
        lifecycle_policy: None,
        applied_for: applied_for(input.applied_for)?,
        custom_role_arn: None,
        created_at: context.time,
        updated_at: context.time,
    };
    let policies = (input.repository_policy, input.lifecycle_policy);
    set_policies(service, context, &mut template, policies).await?;
    set_role(&mut template, input.custom_role_arn)?;
    let rows = templates(service, context).await?;
    if rows.len() >= MOST {
        let text = format!("A registry has at most {MOST} repository creation templates.");
        return Err(ServiceError::new(&errors::LIMIT_EXCEEDED_EXCEPTION, text));
    }
    let prefix = template.prefix.clone();
    match service.tables.create(template).await {
        Ok(made) => Ok(CreateRepositoryCreationTemplateResponse {
            registry_id: Some(context.account.to_string()),
            repository_creation_template: Some(show(service, &made).await?),
        }),
        Err(StoreError::AlreadyExists(_)) => {
            let text = format!(
                "The template with prefix '{prefix}' already exists in the registry with id '{}'",
                context.account
            );
            Err(ServiceError::new(&errors::TEMPLATE_ALREADY_EXISTS_EXCEPTION, text))
        }
        Err(error) => Err(store(error)),
    }
}

fn check_encryption(encryption: Option<&Encryption>) -> Result<(), ServiceError> {
    let kms = |encryption: &Encryption| {
        encryption.encryption_type != EncryptionType::Aes256
            || encryption.kms_key.as_deref().is_some_and(|key| !key.is_empty())
    };
    refuse_kms(encryption.is_some_and(kms))
}

fn applied_for(given: Vec<RCTAppliedFor>) -> Result<Vec<AppliedFor>, ServiceError> {
    if given.is_empty() {
        return Err(validation(
            "appliedFor must name at least one of REPLICATION, PULL_THROUGH_CACHE and CREATE_ON_PUSH",
        ));
    }
    let one = |purpose| match purpose {
        RCTAppliedFor::Replication => AppliedFor::Replication,
        RCTAppliedFor::PullThroughCache => AppliedFor::PullThroughCache,
        RCTAppliedFor::CreateOnPush => AppliedFor::CreateOnPush,
    };
    let mut purposes: Vec<AppliedFor> = Vec::new();
    for purpose in given.into_iter().map(one) {
        if !purposes.contains(&purpose) {
            purposes.push(purpose);
        }
    }
    Ok(purposes)
}

/// Sets the policies that are given; an empty one is taken away.
async fn set_policies(
    service: &EcrService,
    context: &RequestContext,
    template: &mut Template,
    (repository, lifecycle): (Option<String>, Option<String>),
) -> Result<(), ServiceError> {
    if let Some(text) = repository {
        let empty = text.is_empty();
        template.repository_policy =
            if empty { None } else { Some(service.bound_policy(context, &text, "repository").await?) };
    }
    if let Some(text) = lifecycle {
        if !text.is_empty() {
            lifecycle_policies::read(&text)?;
        }
        template.lifecycle_policy = Some(text).filter(|text| !text.is_empty());
    }
    Ok(())
}

/// A region makes the repositories itself; a role would have nothing to do.
fn set_role(template: &mut Template, role: Option<String>) -> Result<(), ServiceError> {
    if let Some(role) = role {
        let own = |arn: Arn| {
            arn.service == "iam"
                && arn.account == template.account.as_str()
                && arn.resource.starts_with("role/")
        };
        if !role.is_empty() && !role.parse::<Arn>().is_ok_and(own) {
            return Err(invalid_at(
                "customRoleArn",
                "must be the ARN of a role in the account of the registry",
            ));
        }
        template.custom_role_arn = Some(role).filter(|role| !role.is_empty());
    }
    Ok(())
}

async fn templates(
    service: &EcrService,
    context: &RequestContext,
) -> Result<Vec<Versioned<Template>>, ServiceError> {
    service.tables.list_all(&format!("{}/", context.account)).await.map_err(store)
}

async fn template(
    service: &EcrService,
    context: &RequestContext,
    prefix: &str,
) -> Result<Versioned<Template>, ServiceError> {
    let found = service.tables.get(&format!("{}/{prefix}", context.account)).await.map_err(store)?;
    found.ok_or_else(|| {
        let text = format!(
            "The template with prefix '{prefix}' does not exist in the registry with id '{}'",
            context.account
        );
        ServiceError::new(&errors::TEMPLATE_NOT_FOUND_EXCEPTION, text)
    })
}

async fn show(service: &EcrService, template: &Template) -> Result<Shown, ServiceError> {
    let policy = match &template.repository_policy {
        Some(policy) => Some(service.shown_policy(policy).await?),
        None => None,
    };
    let purpose = |purpose: &AppliedFor| match purpose {
        AppliedFor::Replication => RCTAppliedFor::Replication,
        AppliedFor::PullThroughCache => RCTAppliedFor::PullThroughCache,
        AppliedFor::CreateOnPush => RCTAppliedFor::CreateOnPush,
    };
    let tag = |(key, value): &(String, String)| Tag { key: key.clone(), value: value.clone() };
    Ok(Shown {
        prefix: Some(template.prefix.clone()),
        description: template.description.clone(),
        encryption_configuration: Some(Encryption::default()),
        resource_tags: (!template.tags.is_empty()).then(|| template.tags.iter().map(tag).collect()),
        image_tag_mutability: Some(tag_mutability::show(template.tag_mutability.unwrap_or_default())),
        image_tag_mutability_exclusion_filters: tag_mutability::show_filters(&template.tag_exclusions),
        repository_policy: policy,
        lifecycle_policy: template.lifecycle_policy.clone(),
        applied_for: Some(template.applied_for.iter().map(purpose).collect()),
        custom_role_arn: template.custom_role_arn.clone(),
        created_at: Some(template.created_at),
        updated_at: Some(template.updated_at),
    })
}

pub(crate) async fn describe_repository_creation_templates(
    service: &EcrService,
    context: &RequestContext,
    input: DescribeRepositoryCreationTemplatesRequest,
) -> Result<DescribeRepositoryCreationTemplatesResponse, ServiceError> {
    let mut rows = templates(service, context).await?;
    let wanted = input.prefixes.unwrap_or_default();
    rows.retain(|row| wanted.is_empty() || wanted.contains(&row.prefix));
    let scope = format!("templates {wanted:?}");
    let page = paging::request(input.next_token.as_deref(), input.max_results, scope)?;
    let (rows, next_token) = page.cut(rows, |row| row.prefix.clone());
    let mut shown = Vec::with_capacity(rows.len());
    for row in &rows {
        shown.push(show(service, row).await?);
    }
    Ok(DescribeRepositoryCreationTemplatesResponse {
        registry_id: Some(context.account.to_string()),
        repository_creation_templates: Some(shown),
        next_token,
    })
}

pub(crate) async fn update_repository_creation_template(
    service: &EcrService,
    context: &RequestContext,
    input: UpdateRepositoryCreationTemplateRequest,
) -> Result<UpdateRepositoryCreationTemplateResponse, ServiceError> {
    let old = template(service, context, &input.prefix).await?;
    check_encryption(input.encryption_configuration.as_ref())?;
    let mut new = (*old.value).clone();
    if let Some(description) = input.description {
        new.description = Some(description);
    }
    if let Some(tags) = input.resource_tags {
        new.tags = store_tags(tags, vec![])?;
    }
    if let Some(setting) = input.image_tag_mutability {
        let read = tag_mutability::read(setting, input.image_tag_mutability_exclusion_filters)?;
        (new.tag_mutability, new.tag_exclusions) = (Some(read.0), read.1);
    }
    if let Some(purposes) = input.applied_for {
        new.applied_for = applied_for(purposes)?;
    }
    let policies = (input.repository_policy, input.lifecycle_policy);
    set_policies(service, context, &mut new, policies).await?;
    set_role(&mut new, input.custom_role_arn)?;
    new.updated_at = context.time;
    let new = service.tables.replace(&old, new).await.map_err(store)?;
    Ok(UpdateRepositoryCreationTemplateResponse {
        registry_id: Some(context.account.to_string()),
        repository_creation_template: Some(show(service, &new).await?),
    })
}

pub(crate) async fn delete_repository_creation_template(
    service: &EcrService,
    context: &RequestContext,
    input: DeleteRepositoryCreationTemplateRequest,
) -> Result<DeleteRepositoryCreationTemplateResponse, ServiceError> {
    let old = template(service, context, &input.prefix).await?;
    service.tables.delete(&old).await.map_err(store)?;
    Ok(DeleteRepositoryCreationTemplateResponse {
        registry_id: Some(context.account.to_string()),
        repository_creation_template: Some(show(service, &old).await?),
    })
}
