//! DescribeSecurityGroups: the security groups of the account.

use crate::errors::dry_run;
use crate::ids::GROUP;
use crate::paging::Asked;
use crate::shapes::{DescribeSecurityGroupsRequest, DescribeSecurityGroupsResult};
use crate::{Ec2Service, render};
use aws_wire::{RequestContext, ServiceError};
use resources::ec2::SecurityGroup;

pub(crate) async fn run(
    service: &Ec2Service,
    context: &RequestContext,
    input: DescribeSecurityGroupsRequest,
) -> Result<DescribeSecurityGroupsResult, ServiceError> {
    dry_run(input.dry_run)?;
    let tags = service.tags(context).await?;
    let names = input.group_names.unwrap_or_default();
    for name in &names {
        service.named_group(context, None, Some(name)).await?;
    }
    let default = service.default_vpc(context).await?;
    let mut rows = service.all::<SecurityGroup>(context).await?;
    // Names are looked for in the default VPC.
    rows.retain(|own| {
        names.is_empty() || names.contains(&own.name) && default.as_ref().is_some_and(|vpc| vpc.id == own.vpc)
    });
    let all = rows.iter().map(|own| render::group(context, own, &tags)).collect();
    let asked = Asked {
        ids: input.group_ids,
        filters: input.filters,
        max_results: input.max_results,
        next_token: input.next_token,
    };
    let (shown, next_token) = asked.of(all, &GROUP, |own| own.group_id.as_deref().unwrap_or_default())?;
    Ok(DescribeSecurityGroupsResult { security_groups: Some(shown), next_token })
}
