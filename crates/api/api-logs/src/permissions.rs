//! What a caller must be allowed to do for each operation: the groups and streams that its input names.
//!
//! As on AWS everything but tags is checked on an ARN that goes on after the name of the group, so policies name a
//! group as `log-group:NAME:*`.

use crate::LogsService;
use crate::errors::from_store;
use crate::lookup::group_arn;
use crate::queries::pointed;
use aws_wire::{Node, Operation, Permission, RequestContext, ServiceError};
use identifiers::Arn;
use resources::logs::{LogGroup, LogStream};

/// The permissions of a request.
pub(crate) async fn of(
    service: &LogsService,
    context: &RequestContext,
    operation: &'static Operation,
    input: &Node,
) -> Result<Vec<Permission>, ServiceError> {
    let on_tags = matches!(operation.name, "ListTagsForResource" | "TagResource" | "UntagResource");
    // What names no group, by the service authorization reference, is allowed on everything.
    if operation.action().resources.is_empty() {
        return Ok(vec![Permission::of(operation, "*")]);
    }
    if matches!(operation.name, "StartQuery" | "GetQueryResults") {
        return of_query(service, context, operation, input).await;
    }
    if operation.name == "GetLogRecord" {
        let group = pointed_group(service, context, input).await?;
        let permission = Permission::of(operation, format!("{group}:log-stream:"));
        return Ok(vec![with_tags(service, &group, permission).await?]);
    }
    if let Some(resource) = other_resource(context, operation, input) {
        return Ok(vec![Permission::of(operation, resource)]);
    }
    let group = if on_tags {
        input.text("resourceArn").unwrap_or("*").to_owned()
    } else {
        match input.text("logGroupIdentifier").or_else(|| input.text("logGroupName")) {
            Some(arn) if arn.starts_with("arn:") => arn.strip_suffix(":*").unwrap_or(arn).to_owned(),
            name => group_arn(context, name.unwrap_or_default()),
        }
    };
    let stream = input.text("logStreamName").unwrap_or_default();
    let resource = match operation.name {
        _ if on_tags => group.clone(),
        "DescribeLogGroups" => format!("{}:log-stream:", group_arn(context, "")),
        "FilterLogEvents" | "DescribeLogStreams" => format!("{group}:log-stream:"),
        _ => format!("{group}:log-stream:{stream}"),
    };
    let tags = || input.entries("tags").iter().filter_map(|(key, value)| Some((key, value.as_text()?)));
    let permission = Permission::of(operation, resource)
        .with_request_tags(tags())
        .with_tag_keys(input.texts("tagKeys").map(str::to_owned).collect());
    let mut permissions = vec![with_tags(service, &group, permission).await?];
    if operation.name == "CreateLogGroup" && tags().next().is_some() {
        permissions.push(Permission::new("logs:TagResource", group).with_request_tags(tags()));
    }
    Ok(permissions)
}

/// A query, and who sees its results, may look at every group that it names.
async fn of_query(
    service: &LogsService,
    context: &RequestContext,
    operation: &'static Operation,
    input: &Node,
) -> Result<Vec<Permission>, ServiceError> {
    let named = input.text("logGroupName").into_iter();
    let named = named.chain(input.texts("logGroupNames")).chain(input.texts("logGroupIdentifiers"));
    let mut named: Vec<String> = named.map(str::to_owned).collect();
    let started = input.text("queryId").and_then(|id| service.queries.get(context.account.as_str(), id));
    if let Some(query) = started {
        for group in &query.asked.groups {
            named.push(group.name.clone());
        }
    }
    let mut permissions = Vec::new();
    for name in named {
        let group = match name.strip_prefix("arn:") {
            Some(_) => name.strip_suffix(":*").unwrap_or(&name).to_owned(),
            None => group_arn(context, &name),
        };
        let permission = Permission::of(operation, format!("{group}:log-stream:"));
        permissions.push(with_tags(service, &group, permission).await?);
    }
    if permissions.is_empty() {
        permissions.push(Permission::of(operation, group_arn(context, "")));
    }
    Ok(permissions)
}

/// The group of the event that a pointer points to.
async fn pointed_group(
    service: &LogsService,
    context: &RequestContext,
    input: &Node,
) -> Result<String, ServiceError> {
    let pointer = input.text("logRecordPointer").unwrap_or_default();
    let Some((key, _)) = pointed(pointer) else { return Ok(group_arn(context, "")) };
    let stream = service.tables.get::<LogStream>(&key).await.map_err(from_store)?;
    let stream = stream.filter(|stream| stream.account == context.account.as_str());
    Ok(group_arn(context, stream.as_ref().map_or("", |stream| &stream.group_name)))
}

/// The ARN of what is no group: destinations, and what deliveries are made of.
fn other_resource(context: &RequestContext, operation: &Operation, input: &Node) -> Option<String> {
    let (kind, name) = match operation.name {
        "PutDestination" | "PutDestinationPolicy" | "DeleteDestination" => ("destination", "destinationName"),
        "DescribeDestinations" => ("destination", "DestinationNamePrefix"),
        "CreateDelivery" => ("delivery-source", "deliverySourceName"),
        "GetDelivery" | "DeleteDelivery" | "DescribeDeliveries" => ("delivery", "id"),
        name if name.contains("DeliverySource") => ("delivery-source", "name"),
        name if name.contains("DeliveryDestinationPolicy") => {
            ("delivery-destination", "deliveryDestinationName")
        }
        name if name.contains("DeliveryDestination") => ("delivery-destination", "name"),
        _ => return None,
    };
    let name = input.text(name).unwrap_or("*");
    Some(Arn::new("logs", &context.region, &context.account, format!("{kind}:{name}")).to_string())
}

/// Adds the tags of the group, if there is one.
async fn with_tags(
    service: &LogsService,
    group: &str,
    permission: Permission,
) -> Result<Permission, ServiceError> {
    let Ok(arn) = group.parse::<Arn>() else { return Ok(permission) };
    let Some(name) = arn.resource.strip_prefix("log-group:") else { return Ok(permission) };
    let key = LogGroup::key_of(&arn.account, name.strip_suffix(":*").unwrap_or(name));
    let found = service.tables.get::<LogGroup>(&key).await.map_err(from_store)?;
    Ok(match found {
        Some(found) => permission.with_resource_tags(&found.tags),
        None => permission,
    })
}
