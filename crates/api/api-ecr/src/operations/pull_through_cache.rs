//! CreatePullThroughCacheRule, DescribePullThroughCacheRules, UpdatePullThroughCacheRule, DeletePullThroughCacheRule
//! and ValidatePullThroughCacheRule.

use crate::errors::{invalid_at, store, validation};
use crate::repositories::own_registry;
use crate::shapes::{
    CreatePullThroughCacheRuleRequest, CreatePullThroughCacheRuleResponse, DeletePullThroughCacheRuleRequest,
    DeletePullThroughCacheRuleResponse, DescribePullThroughCacheRulesRequest,
    DescribePullThroughCacheRulesResponse, PullThroughCacheRule as Shown, UpdatePullThroughCacheRuleRequest,
    UpdatePullThroughCacheRuleResponse, UpstreamRegistry, ValidatePullThroughCacheRuleRequest,
    ValidatePullThroughCacheRuleResponse, errors,
};
use crate::{EcrService, paging};
use aws_wire::{RequestContext, ServiceError};
use identifiers::{AccountId, Arn};
use resources::ecr::PullThroughCacheRule;
use resources::secrets::Secret;
use store::{StoreError, Versioned};

/// Most rules of a registry.
const MOST: usize = 50;

/// Registries that hand nothing out without credentials.
const NEED_CREDENTIALS: &[UpstreamRegistry] = &[
    UpstreamRegistry::DockerHub,
    UpstreamRegistry::GithubContainerRegistry,
    UpstreamRegistry::AzureContainerRegistry,
    UpstreamRegistry::GitlabContainerRegistry,
    UpstreamRegistry::Chainguard,
];

pub(crate) async fn create_pull_through_cache_rule(
    service: &EcrService,
    context: &RequestContext,
    input: CreatePullThroughCacheRuleRequest,
) -> Result<CreatePullThroughCacheRuleResponse, ServiceError> {
    own_registry(context, input.registry_id.as_deref())?;
    let url = input.upstream_registry_url.trim_start_matches("https://").trim_end_matches('/').to_owned();
    check_host(&url)?;
    let upstream = input.upstream_registry.or_else(|| known(&url));
    let needs = upstream.is_some_and(|upstream| NEED_CREDENTIALS.contains(&upstream));
    if needs && input.credential_arn.is_none() {
        return Err(invalid_at("credentialArn", "is required for this upstream registry"));
    }
    if let Some(arn) = &input.credential_arn {
        require_secret(service, arn).await?;
    }
    if let Some(role) = &input.custom_role_arn {
        check_role(context, role, &url)?;
    }
    let rows = rules(service, context).await?;
    if rows.len() >= MOST {
        let text = format!("A registry has at most {MOST} pull through cache rules.");
        return Err(ServiceError::new(&errors::LIMIT_EXCEEDED_EXCEPTION, text));
    }
    let rule = PullThroughCacheRule {
        account: context.account.clone(),
        prefix: input.ecr_repository_prefix,
        upstream_url: url,
        upstream_registry: upstream.map(|upstream| upstream.as_str().to_owned()),
        upstream_prefix: input.upstream_repository_prefix,
        credential_arn: input.credential_arn,
        custom_role_arn: input.custom_role_arn,
        created_at: context.time,
        updated_at: context.time,
    };
    let made = match service.tables.create(rule).await {
        Ok(made) => made,
        Err(StoreError::AlreadyExists(_)) => {
            let text = format!(
                "Pull through cache rule already exists in the registry with id '{}'",
                context.account
            );
            return Err(ServiceError::new(&errors::PULL_THROUGH_CACHE_RULE_ALREADY_EXISTS_EXCEPTION, text));
        }
        Err(error) => return Err(store(error)),
    };
    Ok(CreatePullThroughCacheRuleResponse {
        ecr_repository_prefix: Some(made.prefix.clone()),
        upstream_registry_url: Some(made.upstream_url.clone()),
        created_at: Some(made.created_at),
        registry_id: Some(made.account.to_string()),
        upstream_registry: upstream,
        credential_arn: made.credential_arn.clone(),
        custom_role_arn: made.custom_role_arn.clone(),
        upstream_repository_prefix: upstream_prefix(&made),
    })
}

/// Any registry is good as an upstream, by its host and maybe a port.
fn check_host(url: &str) -> Result<(), ServiceError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-.:".contains(&b);
    let fits =
        !url.is_empty() && url.len() <= 255 && url.bytes().all(plain) && !url.starts_with(['.', '-', ':']);
    if fits {
        return Ok(());
    }
    let text = format!("The upstream registry URL '{url}' is not the host of a registry.");
    Err(ServiceError::new(&errors::UNSUPPORTED_UPSTREAM_REGISTRY_EXCEPTION, text))
}

/// The kind of a registry that can be told by its host.
fn known(url: &str) -> Option<UpstreamRegistry> {
    Some(match url {
        "public.ecr.aws" => UpstreamRegistry::EcrPublic,
        "quay.io" => UpstreamRegistry::Quay,
        "registry.k8s.io" => UpstreamRegistry::K8s,
        "registry-1.docker.io" => UpstreamRegistry::DockerHub,
        "ghcr.io" => UpstreamRegistry::GithubContainerRegistry,
        "registry.gitlab.com" => UpstreamRegistry::GitlabContainerRegistry,
        "cgr.dev" => UpstreamRegistry::Chainguard,
        url if url.ends_with(".azurecr.io") => UpstreamRegistry::AzureContainerRegistry,
        url if url.contains(".dkr.ecr.") => UpstreamRegistry::Ecr,
        _ => return None,
    })
}

/// A role is assumed for registries of this region only, and it is the rule's own account's.
fn check_role(context: &RequestContext, role: &str, url: &str) -> Result<(), ServiceError> {
    let (account, rest) = url.split_once('.').unwrap_or((url, ""));
    let of_region = rest.starts_with(&format!("dkr.ecr.{}.", context.region));
    if account.parse::<AccountId>().is_err() || !of_region {
        return Err(invalid_at("customRoleArn", "is for upstream registries of ECR in this region"));
    }
    let own = |arn: Arn| {
        arn.service == "iam" && arn.account == context.account.as_str() && arn.resource.starts_with("role/")
    };
    if role.parse::<Arn>().is_ok_and(own) {
        return Ok(());
    }
    Err(invalid_at("customRoleArn", "must be the ARN of a role in the account of the registry"))
}

async fn require_secret(service: &EcrService, arn: &str) -> Result<(), ServiceError> {
    if secret(service, arn).await?.is_some() {
        return Ok(());
    }
    let text = format!("The secret '{arn}' does not exist.");
    Err(ServiceError::new(&errors::SECRET_NOT_FOUND_EXCEPTION, text))
}

/// A secret by its ARN, with or without the six characters at the end, unless it is to be deleted.
async fn secret(service: &EcrService, arn: &str) -> Result<Option<Versioned<Secret>>, ServiceError> {
    let Ok(parsed) = arn.parse::<Arn>() else { return Ok(None) };
    let Some(name) = parsed.resource.strip_prefix("secret:") else { return Ok(None) };
    let rows = service.tables.list_all::<Secret>(&format!("{}/", parsed.account)).await.map_err(store)?;
    let named = |secret: &Versioned<Secret>| {
        secret.deletion.is_none() && (secret.arn() == arn || secret.name == name)
    };
    Ok(rows.into_iter().find(named))
}

async fn rules(
    service: &EcrService,
    context: &RequestContext,
) -> Result<Vec<Versioned<PullThroughCacheRule>>, ServiceError> {
    service.tables.list_all(&format!("{}/", context.account)).await.map_err(store)
}

async fn rule(
    service: &EcrService,
    context: &RequestContext,
    prefix: &str,
) -> Result<Versioned<PullThroughCacheRule>, ServiceError> {
    let found = service.tables.get(&format!("{}/{prefix}", context.account)).await.map_err(store)?;
    found.ok_or_else(|| no_rule(context, prefix))
}

fn no_rule(context: &RequestContext, prefix: &str) -> ServiceError {
    let text = format!(
        "Pull through cache rule with prefix '{prefix}' does not exist in the registry with id '{}'",
        context.account
    );
    ServiceError::new(&errors::PULL_THROUGH_CACHE_RULE_NOT_FOUND_EXCEPTION, text)
}

fn upstream_prefix(rule: &PullThroughCacheRule) -> Option<String> {
    rule.upstream_prefix.clone()
}

pub(crate) async fn describe_pull_through_cache_rules(
    service: &EcrService,
    context: &RequestContext,
    input: DescribePullThroughCacheRulesRequest,
) -> Result<DescribePullThroughCacheRulesResponse, ServiceError> {
    own_registry(context, input.registry_id.as_deref())?;
    let mut rows = rules(service, context).await?;
    let wanted = input.ecr_repository_prefixes.unwrap_or_default();
    if let Some(missing) = wanted.iter().find(|prefix| !rows.iter().any(|row| row.prefix == **prefix)) {
        return Err(no_rule(context, missing));
    }
    rows.retain(|row| wanted.is_empty() || wanted.contains(&row.prefix));
    let page = paging::request(input.next_token.as_deref(), input.max_results, format!("rules {wanted:?}"))?;
    let (rows, next_token) = page.cut(rows, |row| row.prefix.clone());
    let shown = rows.iter().map(|row| show(row)).collect();
    Ok(DescribePullThroughCacheRulesResponse { pull_through_cache_rules: Some(shown), next_token })
}

fn show(rule: &PullThroughCacheRule) -> Shown {
    Shown {
        ecr_repository_prefix: Some(rule.prefix.clone()),
        upstream_registry_url: Some(rule.upstream_url.clone()),
        created_at: Some(rule.created_at),
        updated_at: Some(rule.updated_at),
        registry_id: Some(rule.account.to_string()),
        credential_arn: rule.credential_arn.clone(),
        custom_role_arn: rule.custom_role_arn.clone(),
        upstream_repository_prefix: upstream_prefix(rule),
        upstream_registry: rule.upstream_registry.as_deref().and_then(|upstream| upstream.parse().ok()),
    }
}

pub(crate) async fn update_pull_through_cache_rule(
    service: &EcrService,
    context: &RequestContext,
    input: UpdatePullThroughCacheRuleRequest,
) -> Result<UpdatePullThroughCacheRuleResponse, ServiceError> {
    own_registry(context, input.registry_id.as_deref())?;
    let old = rule(service, context, &input.ecr_repository_prefix).await?;
    if input.credential_arn.is_none() && input.custom_role_arn.is_none() {
        return Err(validation("One of credentialArn and customRoleArn is required."));
    }
    if let Some(arn) = &input.credential_arn {
        require_secret(service, arn).await?;
    }
    if let Some(role) = &input.custom_role_arn {
        check_role(context, role, &old.upstream_url)?;
    }
    let mut new = (*old.value).clone();
    new.credential_arn = input.credential_arn.or(new.credential_arn);
    new.custom_role_arn = input.custom_role_arn.or(new.custom_role_arn);
    new.updated_at = context.time;
    let new = service.tables.replace(&old, new).await.map_err(store)?;
    Ok(UpdatePullThroughCacheRuleResponse {
        ecr_repository_prefix: Some(new.prefix.clone()),
        registry_id: Some(new.account.to_string()),
        updated_at: Some(new.updated_at),
        credential_arn: new.credential_arn.clone(),
        custom_role_arn: new.custom_role_arn.clone(),
        upstream_repository_prefix: upstream_prefix(&new),
    })
}

pub(crate) async fn delete_pull_through_cache_rule(
    service: &EcrService,
    context: &RequestContext,
    input: DeletePullThroughCacheRuleRequest,
) -> Result<DeletePullThroughCacheRuleResponse, ServiceError> {
    own_registry(context, input.registry_id.as_deref())?;
    let old = rule(service, context, &input.ecr_repository_prefix).await?;
    service.tables.delete(&old).await.map_err(store)?;
    Ok(DeletePullThroughCacheRuleResponse {
        ecr_repository_prefix: Some(old.prefix.clone()),
        upstream_registry_url: Some(old.upstream_url.clone()),
        created_at: Some(old.created_at),
        registry_id: Some(old.account.to_string()),
        credential_arn: old.credential_arn.clone(),
        custom_role_arn: old.custom_role_arn.clone(),
        upstream_repository_prefix: upstream_prefix(&old),
    })
}

/// Says whether the upstream answers and takes the credentials of the rule.
pub(crate) async fn validate_pull_through_cache_rule(
    service: &EcrService,
    context: &RequestContext,
    input: ValidatePullThroughCacheRuleRequest,
) -> Result<ValidatePullThroughCacheRuleResponse, ServiceError> {
    own_registry(context, input.registry_id.as_deref())?;
    let rule = rule(service, context, &input.ecr_repository_prefix).await?;
    let failure = match &rule.credential_arn {
        Some(arn) if secret(service, arn).await?.is_none() => {
            Some(format!("The secret '{arn}' does not exist."))
        }
        _ => match &service.upstreams {
            Some(upstreams) => upstreams.check(&rule).await.err(),
            None => None,
        },
    };
    Ok(ValidatePullThroughCacheRuleResponse {
        ecr_repository_prefix: Some(rule.prefix.clone()),
        registry_id: Some(rule.account.to_string()),
        upstream_registry_url: Some(rule.upstream_url.clone()),
        credential_arn: rule.credential_arn.clone(),
        custom_role_arn: rule.custom_role_arn.clone(),
        upstream_repository_prefix: upstream_prefix(&rule),
        is_valid: Some(failure.is_none()),
        failure,
    })
}
