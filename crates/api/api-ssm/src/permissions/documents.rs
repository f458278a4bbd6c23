//! What a caller must be allowed to do with documents. Sharing a document is its policy towards other accounts.

use crate::SsmService;
use crate::documents::owner_and_name;
use aws_wire::{Node, Operation, Permission, RequestContext, ServiceError};
use identifiers::Arn;
use resources::ssm::Document;
use serde_json::json;

/// The permissions of a request about one document, by its name or ARN.
pub(super) async fn of(
    service: &SsmService,
    context: &RequestContext,
    operation: &'static Operation,
    text: &str,
    input: &Node,
) -> Result<Vec<Permission>, ServiceError> {
    let resource = match owner_and_name(context, text) {
        Some((account, name)) if account == context.account.as_str() => {
            Arn::new("ssm", &context.region, &context.account, format!("document/{name}")).to_string()
        }
        // Asked for as it stands, and then not found where it is no ARN.
        _ => text.to_owned(),
    };
    let tags = || input.tags("Tags", "Key", "Value");
    let permission = Permission::of(operation, resource.clone())
        .with_request_tags(tags())
        .with_tag_keys(input.texts("TagKeys").map(str::to_owned).collect());
    let permission = match service.find_document(context, text).await? {
        Some(found) => permission
            .with_resource_tags(found.tags.iter().map(|(key, value)| (key, value)))
            .with_resource_policy(sharing(&found)),
        None => permission,
    };
    let mut permissions = vec![permission];
    if operation.name == "CreateDocument" && !input.items("Tags").is_empty() {
        permissions.push(Permission::new("ssm:AddTagsToResource", resource).with_request_tags(tags()));
    }
    Ok(permissions)
}

/// The policy that sharing amounts to.
fn sharing(document: &Document) -> Option<String> {
    if document.shared.is_empty() {
        return None;
    }
    let principals: Vec<String> = document
        .shared
        .keys()
        .map(|account| if account.eq_ignore_ascii_case("all") { "*".to_owned() } else { account.clone() })
        .collect();
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"AWS": principals},
            "Action": ["ssm:DescribeDocument", "ssm:GetDocument", "ssm:ListDocumentVersions"],
            "Resource": document.arn(),
        }],
    });
    Some(policy.to_string())
}
