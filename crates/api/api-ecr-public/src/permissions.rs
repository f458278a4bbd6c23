//! What a caller must be allowed to do for each operation: the repositories that its input names, tags and all.

use crate::EcrPublicService;
use crate::errors::store;
use crate::repositories::registry_account;
use aws_wire::{Node, Operation, Permission, RequestContext, ServiceError};
use identifiers::Arn;
use resources::ecr::{Repository, public_name};
use std::sync::Arc;

/// The permissions of a request.
pub(crate) async fn of(
    service: &EcrPublicService,
    context: &RequestContext,
    operation: &'static Operation,
    input: &Node,
) -> Result<Vec<Permission>, ServiceError> {
    match operation.name {
        // As on AWS a token of the public registry is a bearer token of STS, too.
        "GetAuthorizationToken" => {
            let bearer = Permission::new("sts:GetServiceBearerToken", "*");
            return Ok(vec![Permission::of(operation, "*"), bearer]);
        }
        "DescribeRegistries" => return Ok(vec![Permission::of(operation, "*")]),
        "GetRegistryCatalogData" | "PutRegistryCatalogData" => {
            let account = &context.account;
            let registry = Arn::new("ecr-public", "", account, format!("registry/{account}"));
            return Ok(vec![Permission::of(operation, registry.to_string())]);
        }
        _ => {}
    }
    let account = registry_account(context, input.text("registryId"))?;
    let repository =
        |name: &str| Arn::new("ecr-public", "", &account, format!("repository/{name}")).to_string();
    let resources: Vec<String> = match operation.name {
        "DescribeRepositories" if !input.items("repositoryNames").is_empty() => {
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
        permissions.push(Permission::new("ecr-public:TagResource", resource).with_request_tags(tags));
    }
    Ok(permissions)
}

/// Adds the tags of the repository, if there is one, and its policy.
async fn with_facts(
    service: &EcrPublicService,
    resource: &str,
    permission: Permission,
) -> Result<Permission, ServiceError> {
    let Ok(arn) = resource.parse::<Arn>() else { return Ok(permission) };
    let Some(name) = arn.resource.strip_prefix("repository/") else { return Ok(permission) };
    let key = format!("{}/{}", arn.account, public_name(name));
    let Some(found) = service.tables.get::<Repository>(&key).await.map_err(store)? else {
        return Ok(permission);
    };
    let tags = found.tags.iter().map(|(key, value)| (key, value));
    let policy = found.policy.as_deref().map(Arc::<str>::from);
    Ok(permission.with_resource_tags(tags).with_resource_policy(policy))
}
