//! DescribeLoadBalancers.

use crate::errors::{Failure, in_list, load_balancer_not_found, validation};
use crate::shapes::{DescribeLoadBalancersInput, DescribeLoadBalancersOutput};
use crate::{ElbV2Service, paging, render};
use aws_wire::RequestContext;
use resources::elb::LoadBalancer;

pub(crate) async fn run(
    service: &ElbV2Service,
    context: &RequestContext,
    input: DescribeLoadBalancersInput,
) -> Result<DescribeLoadBalancersOutput, Failure> {
    let arns = input.load_balancer_arns.unwrap_or_default();
    let names = input.names.unwrap_or_default();
    if !arns.is_empty() && !names.is_empty() {
        return Err(validation(
            "Load balancer names and load balancer ARNs cannot be specified at the same time",
        ));
    }
    let mut rows = Vec::new();
    for arn in &arns {
        rows.push(service.load_balancer(context, arn).await.map_err(in_list)?);
    }
    for name in &names {
        let row = service.tables.get::<LoadBalancer>(&format!("{}/{name}", context.account)).await?;
        rows.push(row.ok_or_else(|| in_list(load_balancer_not_found(name)))?);
    }
    if arns.is_empty() && names.is_empty() {
        rows = service.tables.list_all::<LoadBalancer>(&format!("{}/", context.account)).await?;
    }
    let (rows, next_marker) =
        paging::cut(rows, input.marker.as_deref(), input.page_size, |row| row.arn.clone())?;
    let load_balancers = Some(rows.iter().map(|row| render::load_balancer(row)).collect());
    Ok(DescribeLoadBalancersOutput { load_balancers, next_marker })
}
