//! The subnets of a load balancer and the zones that they are in.

use crate::errors::{Failure, configuration, other, validation};
use crate::shapes::{SubnetMapping, errors};
use aws_wire::RequestContext;
use resources::elb::LoadBalancerZone;

/// Most subnets.
const MOST: usize = 10;

/// Reads the subnets of a request: plain, or as mappings without addresses of their own.
pub(crate) fn read(
    context: &RequestContext,
    subnets: Option<Vec<String>>,
    mappings: Option<Vec<SubnetMapping>>,
) -> Result<Vec<LoadBalancerZone>, Failure> {
    let mut ids = subnets.unwrap_or_default();
    let mappings = mappings.unwrap_or_default();
    if !ids.is_empty() && !mappings.is_empty() {
        return Err(validation("Only one of Subnets or SubnetMappings can be specified"));
    }
    for mapping in mappings {
        let subnet_id = mapping.subnet_id.clone();
        // Whatever else it says is about addresses.
        if (SubnetMapping { subnet_id: None, ..mapping }) != SubnetMapping::default() {
            return Err(configuration("The address of a load balancer cannot be chosen"));
        }
        ids.push(subnet_id.unwrap_or_default());
    }
    if ids.is_empty() {
        return Err(validation("At least one subnet must be specified"));
    }
    if ids.len() > MOST {
        return Err(validation(format_args!("A load balancer cannot have more than {MOST} subnets")));
    }
    for (index, id) in ids.iter().enumerate() {
        if !id.starts_with("subnet-") {
            return Err(other(
                &errors::SUBNET_NOT_FOUND_EXCEPTION,
                format_args!("The subnet ID '{id}' does not exist"),
            ));
        }
        if ids[..index].contains(id) {
            return Err(configuration(format_args!("The subnet '{id}' cannot be specified more than once")));
        }
    }
    let zone = |index: usize| {
        // One machine has no zones; their names are given out in order.
        let letter = char::from(b'a' + u8::try_from(index % 3).unwrap_or_default());
        format!("{}{letter}", context.region)
    };
    Ok(ids
        .into_iter()
        .enumerate()
        .map(|(index, subnet)| LoadBalancerZone { zone: zone(index), subnet })
        .collect())
}
