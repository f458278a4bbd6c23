//! DescribeTargetGroups.

use crate::errors::{Failure, in_list, target_group_not_found, validation};
use crate::shapes::{DescribeTargetGroupsInput, DescribeTargetGroupsOutput};
use crate::{ElbV2Service, paging, render};
use aws_wire::RequestContext;
use resources::elb::TargetGroup;

pub(crate) async fn run(
    service: &ElbV2Service,
    context: &RequestContext,
    input: DescribeTargetGroupsInput,
) -> Result<DescribeTargetGroupsOutput, Failure> {
    let arns = input.target_group_arns.unwrap_or_default();
    let names = input.names.unwrap_or_default();
    let given = [!arns.is_empty(), !names.is_empty(), input.load_balancer_arn.is_some()];
    if given.into_iter().filter(|given| *given).count() > 1 {
        return Err(validation(
            "Target group names, target group ARNs and a load balancer ARN cannot be specified at the same time",
        ));
    }
    let users = service.users(context).await?;
    let mut rows = Vec::new();
    for arn in &arns {
        rows.push(service.target_group(context, arn).await.map_err(in_list)?);
    }
    for name in &names {
        let row = service.tables.get::<TargetGroup>(&format!("{}/{name}", context.account)).await?;
        rows.push(row.ok_or_else(|| in_list(target_group_not_found(name)))?);
    }
    if arns.is_empty() && names.is_empty() {
        rows = service.tables.list_all::<TargetGroup>(&format!("{}/", context.account)).await?;
    }
    if let Some(arn) = &input.load_balancer_arn {
        service.load_balancer(context, arn).await?;
        rows.retain(|row| users.get(&row.arn).is_some_and(|users| users.contains(arn)));
    }
    let (rows, next_marker) =
        paging::cut(rows, input.marker.as_deref(), input.page_size, |row| row.arn.clone())?;
    let target_groups = Some(rows.iter().map(|row| render::target_group(row, &users)).collect());
    Ok(DescribeTargetGroupsOutput { target_groups, next_marker })
}
