//! DescribeInternetGateways: the ways out of default VPCs.

use crate::errors::dry_run;
use crate::ids::GATEWAY;
use crate::paging::Asked;
use crate::shapes::{DescribeInternetGatewaysRequest, DescribeInternetGatewaysResult};
use crate::{Ec2Service, render};
use aws_wire::{RequestContext, ServiceError};
use resources::ec2::Vpc;

pub(crate) async fn run(
    service: &Ec2Service,
    context: &RequestContext,
    input: DescribeInternetGatewaysRequest,
) -> Result<DescribeInternetGatewaysResult, ServiceError> {
    dry_run(input.dry_run)?;
    let tags = service.tags(context).await?;
    let all = service.all::<Vpc>(context).await?;
    let all = all.iter().filter_map(|vpc| render::internet_gateway(context, vpc, &tags)).collect();
    let asked = Asked {
        ids: input.internet_gateway_ids,
        filters: input.filters,
        max_results: input.max_results,
        next_token: input.next_token,
    };
    let (shown, next_token) =
        asked.of(all, &GATEWAY, |own| own.internet_gateway_id.as_deref().unwrap_or_default())?;
    Ok(DescribeInternetGatewaysResult { internet_gateways: Some(shown), next_token })
}
