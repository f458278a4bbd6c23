//! What a caller must be allowed to do for each operation.
//!
//! A role's trust policy is the policy of the resource; tags and a source identity need permissions of their own on it.

use crate::session::inherited_tags;
use crate::shapes::actions;
use crate::{StsService, caller};
use aws_wire::{Node, Operation, Permission, RequestContext, ServiceError};

/// The permissions of a request.
pub(crate) async fn of(
    service: &StsService,
    context: &RequestContext,
    operation: &'static Operation,
    input: &Node,
) -> Result<Vec<Permission>, ServiceError> {
    match operation.name {
        "AssumeRole" => assume_role(service, context, input).await,
        "GetFederationToken" => {
            let name = input.text("Name").unwrap_or("*");
            let user = format!("arn:aws:sts::{}:federated-user/{name}", context.account);
            let tags = || input.tags("Tags", "Key", "Value");
            let mut permissions = vec![Permission::of(operation, user.clone()).with_request_tags(tags())];
            if tags().next().is_some() {
                permissions.push(Permission::new("sts:TagSession", user).with_request_tags(tags()));
            }
            Ok(permissions)
        }
        // Whoever has credentials may ask whose they are, and for a session of its own; a web identity has none, and
        // its operation asks the trust policy itself.
        "GetCallerIdentity" | "GetSessionToken" | "AssumeRoleWithWebIdentity" => Ok(vec![]),
        _ => Ok(vec![Permission::of(operation, "*")]),
    }
}

async fn assume_role(
    service: &StsService,
    context: &RequestContext,
    input: &Node,
) -> Result<Vec<Permission>, ServiceError> {
    let role_arn = input.text("RoleArn").unwrap_or("*");
    let role = service.access.find_role(role_arn).await.map_err(crate::errors::store)?;
    let caller = caller(context)?;
    let inherited = inherited_tags(caller);
    let mut tags: Vec<(&str, &str)> = input.tags("Tags", "Key", "Value").collect();
    tags.extend(inherited.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    let transitive: Vec<String> = input.texts("TransitiveTagKeys").map(str::to_owned).collect();
    let source_identity = input.text("SourceIdentity");
    let on_role = |action: &'static str| {
        let mut permission = Permission::new(action, role_arn)
            .with_some("sts:RoleSessionName", input.text("RoleSessionName"))
            .with_some("sts:ExternalId", input.text("ExternalId"))
            .with_some("sts:SourceIdentity", source_identity)
            .with_request_tags(tags.iter().copied());
        if input.text("SerialNumber").is_some() && input.text("TokenCode").is_some() {
            // The operation takes the code and gives nothing for a wrong one; what is asked here holds if it is right.
            permission = permission.with("aws:MultiFactorAuthPresent", "true");
            permission = permission.with("aws:MultiFactorAuthAge", "0");
        }
        if !transitive.is_empty() {
            permission = permission.with_all("sts:TransitiveTagKeys", transitive.clone());
        }
        for (key, value) in role.iter().flat_map(|role| &role.tags) {
            permission = permission.with(format!("aws:ResourceTag/{key}"), value.as_str());
            permission = permission.with(format!("iam:ResourceTag/{key}"), value.as_str());
        }
        permission.with_resource_policy(role.as_ref().map(|role| role.trust_policy.as_str()))
    };
    let mut permissions = vec![on_role(actions::STS_ASSUME_ROLE.name)];
    if !tags.is_empty() {
        permissions.push(on_role("sts:TagSession"));
    }
    if source_identity.is_some() {
        permissions.push(on_role("sts:SetSourceIdentity"));
    }
    Ok(permissions)
}
