//! DescribeSubnets: the subnets of the account, with how many addresses are free.

use crate::errors::dry_run;
use crate::errors::store;
use crate::ids::SUBNET;
use crate::paging::Asked;
use crate::shapes::{DescribeSubnetsRequest, DescribeSubnetsResult};
use crate::{Ec2Service, render};
use aws_wire::{RequestContext, ServiceError};
use resources::ec2::Subnet;

pub(crate) async fn run(
    service: &Ec2Service,
    context: &RequestContext,
    input: DescribeSubnetsRequest,
) -> Result<DescribeSubnetsResult, ServiceError> {
    dry_run(input.dry_run)?;
    let tags = service.tags(context).await?;
    let rows = service.all::<Subnet>(context).await?;
    let free = service.networks.available(&rows).await.map_err(store)?;
    let all =
        rows.iter().zip(free).map(|(subnet, free)| render::subnet(context, subnet, free, &tags)).collect();
    let asked = Asked {
        ids: input.subnet_ids,
        filters: input.filters,
        max_results: input.max_results,
        next_token: input.next_token,
    };
    let (shown, next_token) = asked.of(all, &SUBNET, |own| own.subnet_id.as_deref().unwrap_or_default())?;
    Ok(DescribeSubnetsResult { subnets: Some(shown), next_token })
}
