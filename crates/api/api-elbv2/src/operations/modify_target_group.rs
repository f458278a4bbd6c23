//! ModifyTargetGroup.

use crate::errors::Failure;
use crate::operations::create_target_group::{GivenCheck, always_checked, changed_check};
use crate::retry::retrying;
use crate::shapes::{ModifyTargetGroupInput, ModifyTargetGroupOutput};
use crate::{ElbV2Service, render};
use aws_wire::RequestContext;
use resources::elb::TargetGroup;

pub(crate) async fn run(
    service: &ElbV2Service,
    context: &RequestContext,
    input: ModifyTargetGroupInput,
) -> Result<ModifyTargetGroupOutput, Failure> {
    let row = retrying!(attempt(service, context, &input))?;
    let users = service.users(context).await?;
    Ok(ModifyTargetGroupOutput { target_groups: Some(vec![render::target_group(&row, &users)]) })
}

async fn attempt(
    service: &ElbV2Service,
    context: &RequestContext,
    input: &ModifyTargetGroupInput,
) -> Result<TargetGroup, Failure> {
    let old = service.target_group(context, &input.target_group_arn).await?;
    let given = GivenCheck {
        enabled: input.health_check_enabled,
        protocol: input.health_check_protocol,
        port: input.health_check_port.clone(),
        path: input.health_check_path.clone(),
        interval: input.health_check_interval_seconds,
        timeout: input.health_check_timeout_seconds,
        healthy_threshold: input.healthy_threshold_count,
        unhealthy_threshold: input.unhealthy_threshold_count,
        matcher: input.matcher.clone(),
    };
    if given.enabled == Some(false) {
        return Err(always_checked(old.target_type));
    }
    let mut new = TargetGroup::clone(&old);
    new.health_check = changed_check(new.health_check, old.protocol, old.protocol_version, given)?;
    service.tables.replace(&old, new.clone()).await?;
    Ok(new)
}
