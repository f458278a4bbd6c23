//! What a caller must be allowed to do for each operation: the trails that its input names.

use crate::CloudTrailService;
use crate::errors::from_store;
use crate::trails::{arn, key};
use aws_wire::{Node, Operation, Permission, RequestContext, ServiceError};
use resources::cloudtrail::Trail;

/// The permissions of a request.
pub(crate) async fn of(
    service: &CloudTrailService,
    context: &RequestContext,
    operation: &'static Operation,
    input: &Node,
) -> Result<Vec<Permission>, ServiceError> {
    match operation.name {
        // They look at everything, whatever they name.
        "DescribeTrails" | "ListTrails" | "LookupEvents" => Ok(vec![Permission::of(operation, "*")]),
        "ListTags" => {
            let mut permissions = Vec::new();
            for arn in input.texts("ResourceIdList") {
                permissions.push(on(service, context, operation, arn).await?);
            }
            Ok(permissions)
        }
        _ => {
            let name = ["Name", "TrailName", "ResourceId"].into_iter().find_map(|name| input.text(name));
            let mut permission = on(service, context, operation, name.unwrap_or("*")).await?;
            let tags = input.items("TagsList");
            if operation.name == "RemoveTags" {
                let keys = tags.iter().filter_map(|tag| tag.text("Key")).map(str::to_owned);
                permission = permission.with_tag_keys(keys.collect());
            } else {
                let pair = |tag: &Node| {
                    Some((tag.text("Key")?.to_owned(), tag.text("Value").unwrap_or("").to_owned()))
                };
                permission = permission.with_request_tags(tags.iter().filter_map(pair));
            }
            Ok(vec![permission])
        }
    }
}

/// The operation on the trail with a name or an ARN, with the tags that the trail has.
async fn on(
    service: &CloudTrailService,
    context: &RequestContext,
    operation: &'static Operation,
    name: &str,
) -> Result<Permission, ServiceError> {
    let arn = if name == "*" { name.to_owned() } else { arn(context, name) };
    let permission = Permission::of(operation, arn);
    // A name that no trail can have is refused by the operation.
    let Ok(key) = key(context, name) else { return Ok(permission) };
    let trail = service.tables.get::<Trail>(&key).await.map_err(from_store)?;
    let tags = trail.iter().flat_map(|trail| &trail.tags);
    let tags = tags.map(|(key, value)| (key.as_str(), value.as_deref().unwrap_or_default()));
    Ok(permission.with_resource_tags(tags))
}
