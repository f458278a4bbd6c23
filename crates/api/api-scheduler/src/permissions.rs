//! What a caller must be allowed to do for each operation: its action on the schedule or the group that the input names,
//! and to pass the role of a target to Scheduler.

use crate::SchedulerService;
use crate::names::{group_arn, group_name, schedule_arn};
use aws_wire::{Node, Operation, Permission, RequestContext, ServiceError};
use resources::scheduler::DEFAULT_GROUP;

/// The service that roles are passed to.
const PASSED_TO: &str = "scheduler.amazonaws.com";

/// The permissions of a request.
pub(crate) async fn of(
    service: &SchedulerService,
    context: &RequestContext,
    operation: &'static Operation,
    input: &Node,
) -> Result<Vec<Permission>, ServiceError> {
    let name = input.text("Name").unwrap_or_default();
    Ok(match operation.name {
        "CreateSchedule" | "UpdateSchedule" | "DeleteSchedule" | "GetSchedule" => {
            let group = input.text("GroupName").unwrap_or(DEFAULT_GROUP);
            let permission = Permission::of(operation, schedule_arn(context, group, name));
            let tags =
                service.group_row(context, group).await?.map(|group| group.tags.clone()).unwrap_or_default();
            let permission = permission.with_resource_tags(tags.iter().map(|(key, value)| (key, value)));
            let role = input.member("Target").and_then(|target| target.text("RoleArn"));
            let pass =
                role.map(|role| Permission::new("iam:PassRole", role).with("iam:PassedToService", PASSED_TO));
            std::iter::once(permission).chain(pass).collect()
        }
        "CreateScheduleGroup" | "DeleteScheduleGroup" | "GetScheduleGroup" => {
            vec![on_group(service, context, operation, (name, input)).await?]
        }
        "TagResource" | "UntagResource" | "ListTagsForResource" => {
            let given = input.text("ResourceArn").unwrap_or("*");
            match group_name(context, given) {
                Some(name) => vec![on_group(service, context, operation, (&name, input)).await?],
                None => vec![Permission::of(operation, given)],
            }
        }
        _ => vec![Permission::of(operation, "*")],
    })
}

async fn on_group(
    service: &SchedulerService,
    context: &RequestContext,
    operation: &'static Operation,
    (name, input): (&str, &Node),
) -> Result<Permission, ServiceError> {
    let tags = service.group_row(context, name).await?.map(|group| group.tags.clone()).unwrap_or_default();
    Ok(Permission::of(operation, group_arn(context, name))
        .with_request_tags(input.tags("Tags", "Key", "Value"))
        .with_tag_keys(input.texts("TagKeys").map(str::to_owned).collect())
        .with_resource_tags(tags.iter().map(|(key, value)| (key, value))))
}
