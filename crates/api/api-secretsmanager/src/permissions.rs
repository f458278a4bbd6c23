//! What a caller must be allowed to do for each operation: its action on the secrets that the input names, with their
//! tags and policies.
//!
//! A secret that does not exist is asked for by the name that the request gives, without the six characters that end an
//! ARN, as AWS does; whoever may not use it does not learn whether it is there.

use crate::SecretsManagerService;
use crate::errors::invalid_parameter;
use crate::filters::Filters;
use crate::operations::list_secrets::all;
use crate::shapes::Filter;
use aws_wire::{FromNode, Node, Operation, Permission, RequestContext, ServiceError};
use identifiers::Arn;
use resources::secrets::Secret;

const GET: &str = "secretsmanager:GetSecretValue";

/// The permissions of a request.
pub(crate) async fn of(
    service: &SecretsManagerService,
    context: &RequestContext,
    operation: &'static Operation,
    input: &Node,
) -> Result<Vec<Permission>, ServiceError> {
    match operation.name {
        "BatchGetSecretValue" => batch(service, context, operation, input).await,
        "CreateSecret" => Ok(create(context, operation, input)),
        _ => {
            let Some(id) = input.text("SecretId") else { return Ok(vec![Permission::of(operation, "*")]) };
            Ok(vec![of_secret(service, context, operation.action().name, id, input).await?])
        }
    }
}

fn create(context: &RequestContext, operation: &'static Operation, input: &Node) -> Vec<Permission> {
    let resource = unknown(context, input.text("Name").unwrap_or_default());
    let tags = || input.tags("Tags", "Key", "Value");
    let permission = Permission::of(operation, resource.clone())
        .with_some("secretsmanager:Name", input.text("Name"))
        .with_some("secretsmanager:Description", input.text("Description"))
        .with_some("secretsmanager:KmsKeyId", input.text("KmsKeyId"))
        .with_request_tags(tags());
    let tagging = tags().next().is_some();
    let tagging =
        tagging.then(|| Permission::new("secretsmanager:TagResource", resource).with_request_tags(tags()));
    std::iter::once(permission).chain(tagging).collect()
}

/// Every secret that may be in the answer, whether it is named or found by filters.
async fn batch(
    service: &SecretsManagerService,
    context: &RequestContext,
    operation: &'static Operation,
    input: &Node,
) -> Result<Vec<Permission>, ServiceError> {
    let mut permissions = vec![Permission::of(operation, "*")];
    for id in input.texts("SecretIdList") {
        permissions.push(of_secret(service, context, GET, id, &Node::Null).await?);
    }
    if let Some(filters) = input.member("Filters") {
        permissions.push(Permission::new("secretsmanager:ListSecrets", "*"));
        let filters =
            Vec::<Filter>::from_node(filters.clone()).map_err(|_| invalid_parameter("Invalid filter key"))?;
        let filters = Filters::read(Some(filters))?;
        for secret in all(service, context).await? {
            if secret.deletion.is_none() && filters.let_through(&secret) {
                permissions.push(known(GET, &secret));
            }
        }
    }
    Ok(permissions)
}

async fn of_secret(
    service: &SecretsManagerService,
    context: &RequestContext,
    action: &'static str,
    id: &str,
    input: &Node,
) -> Result<Permission, ServiceError> {
    let permission = match service.find(context, id).await? {
        Some(secret) => known(action, &secret),
        None if id.starts_with("arn:") => Permission::new(action, id),
        None => Permission::new(action, unknown(context, id)),
    };
    let flag = |name: &str| match input.member(name) {
        Some(Node::Bool(value)) => Some(value.to_string()),
        _ => None,
    };
    let days = match input.member("RecoveryWindowInDays") {
        Some(Node::Integer(days)) => Some(days.to_string()),
        _ => None,
    };
    Ok(permission
        .with("secretsmanager:SecretId", id)
        .with_some("secretsmanager:VersionId", input.text("VersionId"))
        .with_some("secretsmanager:VersionStage", input.text("VersionStage"))
        .with_some("secretsmanager:Description", input.text("Description"))
        .with_some("secretsmanager:KmsKeyId", input.text("KmsKeyId"))
        .with_some("secretsmanager:RotationLambdaARN", input.text("RotationLambdaARN"))
        .with_some("secretsmanager:RotateImmediately", flag("RotateImmediately"))
        .with_some("secretsmanager:BlockPublicPolicy", flag("BlockPublicPolicy"))
        .with_some("secretsmanager:ForceDeleteWithoutRecovery", flag("ForceDeleteWithoutRecovery"))
        .with_some("secretsmanager:RecoveryWindowInDays", days)
        .with_request_tags(input.tags("Tags", "Key", "Value"))
        .with_tag_keys(input.texts("TagKeys").map(str::to_owned).collect()))
}

fn known(action: &'static str, secret: &Secret) -> Permission {
    let lambda = secret.rotation.as_ref().and_then(|rotation| rotation.lambda_arn.clone());
    Permission::new(action, secret.arn())
        .with_resource_tags(secret.tags.iter().flatten().map(|(key, value)| (key, value)))
        .with_some("secretsmanager:resource/AllowRotationLambdaArn", lambda)
        .with_resource_policy(secret.policy.clone())
}

fn unknown(context: &RequestContext, name: &str) -> String {
    Arn::new("secretsmanager", &context.region, &context.account, format!("secret:{name}")).to_string()
}
