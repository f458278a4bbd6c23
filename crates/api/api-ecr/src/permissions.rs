//! What a caller must be allowed to do for each operation: the repositories that its input names, tags and all.

use crate::EcrService;
use crate::errors::store;
use aws_wire::{Node, Operation, Permission, RequestContext, ServiceError};
use identifiers::Arn;
use resources::ecr::Repository;

/// Operations on the registry and not on one of its repositories.
const OF_REGISTRY: &[&str] = &[
    "CreatePullThroughCacheRule",
    "CreateRepositoryCreationTemplate",
    "DeletePullThroughCacheRule",
    "DeleteRegistryPolicy",
    "DeleteRepositoryCreationTemplate",
    "DeleteSigningConfiguration",
    "DeregisterPullTimeUpdateExclusion",
    "DescribePullThroughCacheRules",
    "DescribeRegistry",
    "DescribeRepositoryCreationTemplates",
    "GetAccountSetting",
    "GetAuthorizationToken",
    "GetRegistryPolicy",
    "GetRegistryScanningConfiguration",
    "GetSigningConfiguration",
    "ListPullTimeUpdateExclusions",
    "PutAccountSetting",
    "PutRegistryPolicy",
    "PutRegistryScanningConfiguration",
    "PutReplicationConfiguration",
    "PutSigningConfiguration",
    "RegisterPullTimeUpdateExclusion",
    "UpdatePullThroughCacheRule",
    "UpdateRepositoryCreationTemplate",
    "ValidatePullThroughCacheRule",
];

/// The permissions of a request.
pub(crate) async fn of(
    service: &EcrService,
    context: &RequestContext,
    operation: &'static Operation,
    input: &Node,
) -> Result<Vec<Permission>, ServiceError> {
    if OF_REGISTRY.contains(&operation.name) {
        let setting = input.text("name").filter(|_| operation.name.ends_with("AccountSetting"));
        return Ok(vec![Permission::of(operation, "*").with_some("ecr:AccountSetting", setting)]);
    }
    let account = input.text("registryId").unwrap_or(context.account.as_str());
    let repository =
        |name: &str| Arn::new("ecr", &context.region, account, format!("repository/{name}")).to_string();
    let resources = match operation.name {
        "BatchGetRepositoryScanningConfiguration" | "DescribeRepositories"
            if !input.items("repositoryNames").is_empty() =>
        {
            input.texts("repositoryNames").map(repository).collect()
        }
        "ListTagsForResource" | "TagResource" | "UntagResource" => {
            vec![input.text("resourceArn").unwrap_or("*").to_owned()]
        }
        // DescribeRepositories without names is about all of them.
        _ => vec![repository(input.text("repositoryName").unwrap_or("*"))],
    };
    let mut permissions = Vec::with_capacity(resources.len());
    for resource in resources {
        let permission = Permission::of(operation, resource.clone())
            .with_request_tags(input.tags("tags", "Key", "Value"))
            .with_tag_keys(input.texts("tagKeys").map(str::to_owned).collect());
        permissions.push(with_facts(service, &resource, permission).await?);
    }
    if operation.name == "CreateRepository" && !input.items("tags").is_empty() {
        let tags = input.tags("tags", "Key", "Value");
        let resource = permissions[0].resource.clone();
        permissions.push(Permission::new("ecr:TagResource", resource).with_request_tags(tags));
    }
    Ok(permissions)
}

/// Adds the tags of the repository, if there is one, and the policy that holds for it.
async fn with_facts(
    service: &EcrService,
    resource: &str,
    permission: Permission,
) -> Result<Permission, ServiceError> {
    let Ok(arn) = resource.parse::<Arn>() else { return Ok(permission) };
    let Some(name) = arn.resource.strip_prefix("repository/") else { return Ok(permission) };
    let Ok(account) = arn.account.parse() else { return Ok(permission) };
    let found = service.tables.get::<Repository>(&format!("{account}/{name}")).await.map_err(store)?;
    let repository = found.as_ref().map(|found| &*found.value);
    let policy = service.registry.policy_of(&account, repository).await.map_err(store)?;
    let tags =
        repository.into_iter().flat_map(|repository| &repository.tags).map(|(key, value)| (key, value));
    Ok(permission.with_resource_tags(tags).with_resource_policy(policy))
}
