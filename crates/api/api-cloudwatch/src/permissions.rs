//! What a caller must be allowed to do for each operation: its action on the alarms that the input names.

use crate::CloudWatchService;
use crate::operations::tags::alarm_name;
use aws_wire::{Node, Operation, Permission, RequestContext, ServiceError};
use identifiers::Arn;

/// The permissions of a request.
pub async fn of(
    service: &CloudWatchService,
    context: &RequestContext,
    operation: &'static Operation,
    input: &Node,
) -> Result<Vec<Permission>, ServiceError> {
    let named = |name: &str| {
        Arn::new("cloudwatch", &context.region, &context.account, format!("alarm:{name}")).to_string()
    };
    let names: Vec<&str> = match operation.name {
        "PutMetricData" => {
            let permission = Permission::of(operation, "*");
            return Ok(vec![permission.with_some("cloudwatch:namespace", input.text("Namespace"))]);
        }
        "PutMetricAlarm" | "SetAlarmState" => input.text("AlarmName").into_iter().collect(),
        "DescribeAlarmHistory" => vec![input.text("AlarmName").unwrap_or("*")],
        "DeleteAlarms" | "EnableAlarmActions" | "DisableAlarmActions" => input.texts("AlarmNames").collect(),
        "DescribeAlarms" => {
            let names: Vec<&str> = input.texts("AlarmNames").collect();
            if names.is_empty() { vec!["*"] } else { names }
        }
        "DescribeAlarmsForMetric" => vec!["*"],
        "TagResource" | "UntagResource" | "ListTagsForResource" => {
            let arn = input.text("ResourceARN").unwrap_or("*");
            let name = alarm_name(context, arn);
            let found = match &name {
                Some(name) => service.alarm(context, name).await?,
                None => None,
            };
            let tags = found.map(|alarm| alarm.tags.clone()).unwrap_or_default();
            return Ok(vec![
                Permission::of(operation, arn)
                    .with_request_tags(input.tags("Tags", "Key", "Value"))
                    .with_tag_keys(input.texts("TagKeys").map(str::to_owned).collect())
                    .with_resource_tags(tags.iter().map(|(key, value)| (key, value))),
            ]);
        }
        _ => return Ok(vec![Permission::of(operation, "*")]),
    };
    let mut permissions = Vec::new();
    for name in names {
        let found = service.alarm(context, name).await?;
        let tags = found.map(|alarm| alarm.tags.clone()).unwrap_or_default();
        permissions.push(
            Permission::of(operation, named(name))
                .with_request_tags(input.tags("Tags", "Key", "Value"))
                .with_resource_tags(tags.iter().map(|(key, value)| (key, value))),
        );
    }
    Ok(permissions)
}
