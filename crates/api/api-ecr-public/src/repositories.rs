//! Public repositories: found, named, shown.

use crate::EcrPublicService;
use crate::errors::{invalid_at, no_repository, store};
use crate::shapes::{self as wire, Tag, errors};
use aws_wire::{RequestContext, ServiceError};
use identifiers::{AccountId, Arn};
use resources::Stored;
use resources::ecr::{PUBLIC_PATH, Repository, account_of_alias, given_name, public_alias, public_name};
use std::net::IpAddr;
use store::{StoreError, Versioned};

/// Most tags of a repository.
const MOST_TAGS: usize = 50;

impl EcrPublicService {
    /// A repository of a registry: the caller's own where none is named.
    pub(crate) async fn repository(
        &self,
        context: &RequestContext,
        registry: Option<&str>,
        name: &str,
    ) -> Result<Versioned<Repository>, ServiceError> {
        let account = registry_account(context, registry)?;
        let found = self.tables.get(&format!("{account}/{}", public_name(name))).await.map_err(store)?;
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
        let changed = changed.await.map_err(store)?;
        changed.ok_or_else(|| no_repository(&found.account, given_name(&found.name)))
    }

    /// A repository by its ARN.
    pub(crate) async fn repository_of_arn(
        &self,
        context: &RequestContext,
        arn: &str,
    ) -> Result<Versioned<Repository>, ServiceError> {
        let refused = || invalid_at("resourceArn", "Invalid ARN");
        let parsed: Arn = arn.parse().map_err(|_| refused())?;
        let name = parsed.resource.strip_prefix("repository/").filter(|_| parsed.service == "ecr-public");
        self.repository(context, Some(&parsed.account), name.ok_or_else(refused)?).await
    }

    pub(crate) fn show(&self, context: &RequestContext, repository: &Repository) -> wire::Repository {
        let registry = self.registry_uri(context, &repository.account);
        wire::Repository {
            repository_arn: Some(repository_arn(repository)),
            registry_id: Some(repository.account.to_string()),
            repository_name: Some(repository.given_name().to_owned()),
            repository_uri: Some(format!("{registry}/{}", repository.given_name())),
            created_at: Some(repository.created_at),
        }
    }

    /// What images of an account's public registry are named by, in a way that works where the caller is.
    pub(crate) fn registry_uri(&self, context: &RequestContext, account: &AccountId) -> String {
        let (alias, port) = (public_alias(account), self.port);
        let called = &*context.host;
        let name = called.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok());
        let name = name.map_or(called, |(name, _)| name);
        if name.starts_with("public.ecr.") {
            return format!("{called}/{alias}");
        }
        if !is_of_this_machine(name) {
            return format!("{called}/{PUBLIC_PATH}/{alias}");
        }
        if self.resolves_localhost {
            format!("public.ecr.localhost:{port}/{alias}")
        } else {
            format!("localhost:{port}/{PUBLIC_PATH}/{alias}")
        }
    }
}

fn is_of_this_machine(name: &str) -> bool {
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    name.is_empty()
        || name == "localhost"
        || name.ends_with(".localhost")
        || address.is_ok_and(|address| address.is_loopback())
}

/// The ARN of a public repository, which has no region.
pub(crate) fn repository_arn(repository: &Repository) -> String {
    let resource = format!("repository/{}", repository.given_name());
    Arn::new("ecr-public", "", &repository.account, resource).to_string()
}

/// The account whose registry is meant, by its number or its alias.
pub(crate) fn registry_account(
    context: &RequestContext,
    registry: Option<&str>,
) -> Result<AccountId, ServiceError> {
    let Some(registry) = registry else { return Ok(context.account.clone()) };
    if let Some(account) = account_of_alias(registry) {
        return Ok(account);
    }
    registry.parse().map_err(|_| {
        let text = format!("The registry with name '{registry}' does not exist");
        ServiceError::new(&errors::REGISTRY_NOT_FOUND_EXCEPTION, text)
    })
}

/// Tags with those given put over those there were.
pub(crate) fn store_tags(
    given: Vec<Tag>,
    mut tags: Vec<(String, String)>,
) -> Result<Vec<(String, String)>, ServiceError> {
    for tag in given {
        let (key, value) = (tag.key.unwrap_or_default(), tag.value.unwrap_or_default());
        if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
            return Err(ServiceError::new(
                &errors::INVALID_TAG_PARAMETER_EXCEPTION,
                "Invalid tag key or value.",
            ));
        }
        tags.retain(|(known, _)| *known != key);
        tags.push((key, value));
    }
    if tags.len() > MOST_TAGS {
        return Err(ServiceError::new(
            &errors::TOO_MANY_TAGS_EXCEPTION,
            format!("A repository has at most {MOST_TAGS} tags."),
        ));
    }
    Ok(tags)
}
