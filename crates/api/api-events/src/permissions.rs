//! What a caller must be allowed to do for each operation: its action on the bus, the rule, the connection or the API
//! destination that the input names, and to pass the roles that it gives to EventBridge.

use crate::EventsService;
use crate::names::{arn, bus_arn, bus_name, rule_arn};
use aws_wire::{Node, Operation, Permission, RequestContext, ServiceError};
use resources::events::{DEFAULT_BUS, Rule};

/// The service that roles are passed to.
const PASSED_TO: &str = "events.amazonaws.com";

/// The permissions of a request.
pub(crate) async fn of(
    service: &EventsService,
    context: &RequestContext,
    operation: &'static Operation,
    input: &Node,
) -> Result<Vec<Permission>, ServiceError> {
    let named = |kind: &str| arn(context, format!("{kind}/{}", input.text("Name").unwrap_or_default()));
    let any_id = |kind: &str| format!("{}/*", named(kind));
    Ok(match operation.name {
        "CreateEventBus" | "DeleteEventBus" | "UpdateEventBus" | "DescribeEventBus" => {
            let name = input.text("Name").unwrap_or(DEFAULT_BUS);
            let resource = bus_name(context, Some(name))
                .map_or_else(|_| name.to_owned(), |name| bus_arn(context, &name));
            vec![Permission::of(operation, resource).with_request_tags(input.tags("Tags", "Key", "Value"))]
        }
        "PutRule" | "DeleteRule" | "DescribeRule" | "EnableRule" | "DisableRule" => {
            on_rule(service, context, operation, (input, "Name")).await?
        }
        "PutTargets" | "RemoveTargets" | "ListTargetsByRule" => {
            on_rule(service, context, operation, (input, "Rule")).await?
        }
        "PutEvents" => put_events(context, operation, input),
        "CreateConnection" | "UpdateConnection" | "DeleteConnection" | "DescribeConnection" => {
            vec![Permission::of(operation, any_id("connection"))]
        }
        "CreateApiDestination"
        | "UpdateApiDestination"
        | "DeleteApiDestination"
        | "DescribeApiDestination" => {
            vec![Permission::of(operation, any_id("api-destination"))]
        }
        "TagResource" | "UntagResource" | "ListTagsForResource" => {
            on_tagged(service, context, operation, input).await?
        }
        _ => vec![Permission::of(operation, "*")],
    })
}

async fn on_rule(
    service: &EventsService,
    context: &RequestContext,
    operation: &'static Operation,
    (input, name): (&Node, &str),
) -> Result<Vec<Permission>, ServiceError> {
    let name = input.text(name).unwrap_or_default();
    let bus = bus_name(context, input.text("EventBusName")).unwrap_or_else(|_| DEFAULT_BUS.to_owned());
    let found = service.tables().get::<Rule>(&Rule::key_of(&context.account, &bus, name)).await;
    let found = found.map_err(crate::errors::store)?;
    let mut permission = Permission::of(operation, rule_arn(context, &bus, name))
        .with_request_tags(input.tags("Tags", "Key", "Value"));
    if let Some(rule) = &found {
        permission = permission
            .with_resource_tags(rule.tags.iter().map(|(key, value)| (key, value)))
            .with("events:creatorAccount", context.account.as_str());
    }
    let targets: Vec<String> =
        input.items("Targets").iter().filter_map(|target| target.text("Arn")).map(str::to_owned).collect();
    if !targets.is_empty() {
        permission = permission.with_all("events:TargetArn", targets);
    }
    let mut permissions = vec![permission];
    let roles = input.items("Targets").iter().map(|target| target.text("RoleArn"));
    let roles = std::iter::once(input.text("RoleArn")).chain(roles).flatten();
    permissions.extend(
        roles.map(|role| Permission::new("iam:PassRole", role).with("iam:PassedToService", PASSED_TO)),
    );
    Ok(permissions)
}

fn put_events(context: &RequestContext, operation: &'static Operation, input: &Node) -> Vec<Permission> {
    let entry = |entry: &Node| {
        let bus = bus_name(context, entry.text("EventBusName"));
        let resource = bus.map_or_else(|_| "*".to_owned(), |name| bus_arn(context, &name));
        Permission::of(operation, resource)
            .with_some("events:source", entry.text("Source"))
            .with_some("events:detail-type", entry.text("DetailType"))
    };
    input.items("Entries").iter().map(entry).collect()
}

async fn on_tagged(
    service: &EventsService,
    context: &RequestContext,
    operation: &'static Operation,
    input: &Node,
) -> Result<Vec<Permission>, ServiceError> {
    let resource = input.text("ResourceARN").unwrap_or("*");
    let permission = Permission::of(operation, resource)
        .with_request_tags(input.tags("Tags", "Key", "Value"))
        .with_tag_keys(input.texts("TagKeys").map(str::to_owned).collect());
    // What does not exist is asked for without tags.
    let tags = service.tags(context, resource).await.unwrap_or_default();
    Ok(vec![permission.with_resource_tags(tags.iter().map(|(key, value)| (key, value)))])
}
