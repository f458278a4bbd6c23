//! DescribeRouteTables: the main route table of each VPC.

use crate::errors::dry_run;
use crate::ids::ROUTE_TABLE;
use crate::paging::Asked;
use crate::shapes::{DescribeRouteTablesRequest, DescribeRouteTablesResult};
use crate::{Ec2Service, render};
use aws_wire::{RequestContext, ServiceError};
use resources::ec2::Vpc;

pub(crate) async fn run(
    service: &Ec2Service,
    context: &RequestContext,
    input: DescribeRouteTablesRequest,
) -> Result<DescribeRouteTablesResult, ServiceError> {
    dry_run(input.dry_run)?;
    let tags = service.tags(context).await?;
    let all = service.all::<Vpc>(context).await?;
    let all = all.iter().map(|vpc| render::route_table(context, vpc, &tags)).collect();
    let asked = Asked {
        ids: input.route_table_ids,
        filters: input.filters,
        max_results: input.max_results,
        next_token: input.next_token,
    };
    let (shown, next_token) =
        asked.of(all, &ROUTE_TABLE, |own| own.route_table_id.as_deref().unwrap_or_default())?;
    Ok(DescribeRouteTablesResult { route_tables: Some(shown), next_token })
}
