//! DescribeVpcs: the VPCs of the account.

use crate::errors::dry_run;
use crate::ids::VPC;
use crate::paging::Asked;
use crate::shapes::{DescribeVpcsRequest, DescribeVpcsResult};
use crate::{Ec2Service, render};
use aws_wire::{RequestContext, ServiceError};
use resources::ec2::Vpc;

pub(crate) async fn run(
    service: &Ec2Service,
    context: &RequestContext,
    input: DescribeVpcsRequest,
) -> Result<DescribeVpcsResult, ServiceError> {
    dry_run(input.dry_run)?;
    let tags = service.tags(context).await?;
    let all = service.all::<Vpc>(context).await?;
    let all = all.iter().map(|vpc| render::vpc(context, vpc, &tags)).collect();
    let asked = Asked {
        ids: input.vpc_ids,
        filters: input.filters,
        max_results: input.max_results,
        next_token: input.next_token,
    };
    let (shown, next_token) = asked.of(all, &VPC, |own| own.vpc_id.as_deref().unwrap_or_default())?;
    Ok(DescribeVpcsResult { vpcs: Some(shown), next_token })
}
