//! DescribeRegions: this one, at the address it was asked at.

use crate::Ec2Service;
use crate::errors::{dry_run, value};
use crate::filters::filter;
use crate::shapes::{DescribeRegionsRequest, DescribeRegionsResult, Region};
use aws_wire::{RequestContext, ServiceError};

pub(crate) async fn run(
    _service: &Ec2Service,
    context: &RequestContext,
    input: DescribeRegionsRequest,
) -> Result<DescribeRegionsResult, ServiceError> {
    dry_run(input.dry_run)?;
    if let Some(name) = input.region_names.iter().flatten().find(|name| *name != context.region.as_str()) {
        return Err(value(format!("Invalid region name provided: {name}")));
    }
    let mut shown = vec![Region {
        endpoint: Some(context.host.to_string()),
        opt_in_status: Some("opt-in-not-required".to_owned()),
        region_name: Some(context.region.to_string()),
        ..Region::default()
    }];
    filter(&mut shown, input.filters.as_ref())?;
    Ok(DescribeRegionsResult { regions: Some(shown) })
}
