//! What a caller must be allowed to do for each operation: its action on the parameters that the input names, with
//! their tags. A secret that is read under the name of a parameter is asked for itself, too. Documents are in
//! [`documents`].

mod documents;

use crate::SsmService;
use crate::errors::store;
use crate::{names, reference};
use aws_wire::{Node, Operation, Permission, RequestContext, ServiceError};
use identifiers::Arn;
use resources::secrets::Secret;

/// The permissions of a request.
pub(crate) async fn of(
    service: &SsmService,
    context: &RequestContext,
    operation: &'static Operation,
    input: &Node,
) -> Result<Vec<Permission>, ServiceError> {
    let named: Vec<&str> = match operation.name {
        "DescribeParameters" | "ListDocuments" => return Ok(vec![Permission::of(operation, "*")]),
        "GetParametersByPath" => {
            let path = input.text("Path").unwrap_or_default();
            let recursive = matches!(input.member("Recursive"), Some(Node::Bool(true)));
            let permission = Permission::of(operation, arn(context, path));
            return Ok(vec![permission.with("ssm:Recursive", recursive.to_string())]);
        }
        "AddTagsToResource" | "ListTagsForResource" | "RemoveTagsFromResource" => {
            match (input.text("ResourceType"), input.text("ResourceId")) {
                (Some("Parameter"), Some(id)) => vec![id],
                (Some("Document"), Some(name)) => {
                    return documents::of(service, context, operation, name, input).await;
                }
                // Refused by the operation; nothing is told of it before.
                _ => return Ok(vec![Permission::of(operation, "*")]),
            }
        }
        "ResumeSession" | "TerminateSession" => {
            let id = input.text("SessionId").unwrap_or_default();
            let session = Arn::new("ssm", &context.region, &context.account, format!("session/{id}"));
            return Ok(vec![Permission::of(operation, session.to_string())]);
        }
        name if name.contains("Document") => {
            let name = input.text("Name").unwrap_or_default();
            return documents::of(service, context, operation, name, input).await;
        }
        "GetParameters" | "DeleteParameters" => input.texts("Names").collect(),
        _ => input.text("Name").into_iter().collect(),
    };
    let mut permissions = Vec::with_capacity(named.len());
    for name in named {
        permissions.push(of_parameter(service, context, operation, name, input).await?);
        if let Some(reference) = reference::of(name).filter(|_| operation.name.starts_with("GetParameter")) {
            permissions.push(of_secret(service, context, reference).await?);
        }
    }
    if operation.name == "PutParameter" && !input.items("Tags").is_empty() {
        let resource = permissions[0].resource.clone();
        let tags = input.tags("Tags", "Key", "Value");
        permissions.push(Permission::new("ssm:AddTagsToResource", resource).with_request_tags(tags));
    }
    Ok(permissions)
}

async fn of_parameter(
    service: &SsmService,
    context: &RequestContext,
    operation: &'static Operation,
    text: &str,
    input: &Node,
) -> Result<Permission, ServiceError> {
    // What cannot be read as a name is asked for as it stands, and then not found.
    let name = names::asked(context, text).map_or(text, |asked| asked.name);
    let resource = if name.starts_with("arn:") { name.to_owned() } else { arn(context, name) };
    let overwrite = match input.member("Overwrite") {
        Some(Node::Bool(overwrite)) => Some(overwrite.to_string()),
        _ => None,
    };
    let permission = Permission::of(operation, resource)
        .with_some("ssm:Overwrite", overwrite)
        .with_some("ssm:Policies", input.text("Policies"))
        .with_request_tags(input.tags("Tags", "Key", "Value"))
        .with_tag_keys(input.texts("TagKeys").map(str::to_owned).collect());
    Ok(match service.find(context, name).await? {
        Some(found) => permission.with_resource_tags(found.tags.iter().map(|(key, value)| (key, value))),
        None => permission,
    })
}

/// The secret that a parameter refers to, as Secrets Manager would ask for it.
async fn of_secret(
    service: &SsmService,
    context: &RequestContext,
    reference: &str,
) -> Result<Permission, ServiceError> {
    let name = reference.split_once(':').map_or(reference, |(name, _)| name);
    let key = Secret::key_of(context.account.as_str(), context.region.as_str(), name);
    let action = "secretsmanager:GetSecretValue";
    let found = service.tables.get::<Secret>(&key).await.map_err(store)?;
    let permission = if let Some(secret) = found {
        Permission::new(action, secret.arn())
            .with_resource_tags(secret.tags.iter().flatten().map(|(key, value)| (key, value)))
            .with_resource_policy(secret.policy.clone())
    } else {
        let arn = Arn::new("secretsmanager", &context.region, &context.account, format!("secret:{name}"));
        Permission::new(action, arn.to_string())
    };
    Ok(permission.with("secretsmanager:SecretId", name))
}

fn arn(context: &RequestContext, name: &str) -> String {
    let name = name.trim_start_matches('/');
    Arn::new("ssm", &context.region, &context.account, format!("parameter/{name}")).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Ssm;
    use crate::shapes::DEFINITION;
    use crate::tests::{context, service};

    #[tokio::test]
    async fn every_parameter_and_secret_is_asked_for() {
        let service = service();
        let own = "arn:aws:ssm:us-east-1:123456789012:parameter";
        let secret = "arn:aws:secretsmanager:us-east-1:123456789012:secret:s";
        let reference = "/aws/reference/secretsmanager/s:AWSPREVIOUS";
        let cases = [
            ("GetParameter", r#"{"Name":"/a/b:3"}"#.to_owned(), vec![format!("ssm:GetParameter {own}/a/b")]),
            (
                "GetParameter",
                format!(r#"{{"Name":"{own}/a:prod"}}"#),
                vec![format!("ssm:GetParameter {own}/a")],
            ),
            (
                "GetParameters",
                format!(r#"{{"Names":["a","{reference}"]}}"#),
                vec![
                    format!("ssm:GetParameters {own}/a"),
                    format!("ssm:GetParameters {own}/aws/reference/secretsmanager/s"),
                    format!("secretsmanager:GetSecretValue {secret}"),
                ],
            ),
            (
                "PutParameter",
                r#"{"Name":"a","Tags":[{"Key":"k","Value":"v"}]}"#.to_owned(),
                vec![format!("ssm:PutParameter {own}/a"), format!("ssm:AddTagsToResource {own}/a")],
            ),
            (
                "GetParametersByPath",
                r#"{"Path":"/a/"}"#.to_owned(),
                vec![format!("ssm:GetParametersByPath {own}/a/")],
            ),
            ("DescribeParameters", "{}".to_owned(), vec!["ssm:DescribeParameters *".to_owned()]),
            (
                "ListTagsForResource",
                r#"{"ResourceType":"Parameter","ResourceId":"/a"}"#.to_owned(),
                vec![format!("ssm:ListTagsForResource {own}/a")],
            ),
        ];
        for (operation, input, expected) in cases {
            let operation = DEFINITION.operation(operation).expect("an operation");
            let node: Node = serde_json::from_str(&input).expect("JSON");
            let asked = service.permissions(operation, &context(), &node).await.expect("permissions");
            let asked: Vec<_> = asked.iter().map(|one| format!("{} {}", one.action, one.resource)).collect();
            assert_eq!(asked, expected, "{input}");
        }
    }
}
