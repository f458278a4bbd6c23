//! DescribeListeners.

use crate::errors::{Failure, in_list, validation};
use crate::shapes::{DescribeListenersInput, DescribeListenersOutput};
use crate::{ElbV2Service, paging, render};
use aws_wire::RequestContext;

pub(crate) async fn run(
    service: &ElbV2Service,
    context: &RequestContext,
    input: DescribeListenersInput,
) -> Result<DescribeListenersOutput, Failure> {
    let arns = input.listener_arns.unwrap_or_default();
    let mut rows = Vec::new();
    match &input.load_balancer_arn {
        Some(_) if !arns.is_empty() => {
            return Err(validation(
                "A load balancer ARN and listener ARNs cannot be specified at the same time",
            ));
        }
        Some(arn) => {
            let balancer = service.load_balancer(context, arn).await?;
            rows = service.listeners_of(&balancer).await?;
            rows.sort_by_key(|row| row.port);
        }
        None if arns.is_empty() => {
            return Err(validation("You must specify either listener ARNs or a load balancer ARN"));
        }
        None => {
            for arn in &arns {
                rows.push(service.listener(context, arn).await.map_err(in_list)?);
            }
        }
    }
    let (rows, next_marker) =
        paging::cut(rows, input.marker.as_deref(), input.page_size, |row| row.arn.clone())?;
    let listeners = Some(rows.iter().map(|row| render::listener(row)).collect());
    Ok(DescribeListenersOutput { listeners, next_marker })
}
