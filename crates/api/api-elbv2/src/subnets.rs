//! The subnets of a load balancer and the zones that they are in.

use crate::ElbV2Service;
use crate::errors::{Failure, configuration, other, validation};
use crate::shapes::{SubnetMapping, errors};
use aws_wire::RequestContext;
use resources::ec2::Subnet;
use resources::elb::LoadBalancerZone;
use store::Versioned;

/// Most subnets.
const MOST: usize = 10;

/// Reads the subnets of a request: plain, or as mappings without addresses of their own.
pub(crate) fn read(
    subnets: Option<Vec<String>>,
    mappings: Option<Vec<SubnetMapping>>,
) -> Result<Vec<String>, Failure> {
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
        if ids[..index].contains(id) {
            return Err(configuration(format_args!("The subnet '{id}' cannot be specified more than once")));
        }
    }
    Ok(ids)
}

/// The VPC and the zones of subnets, which must be those of one VPC and of different zones.
pub(crate) async fn find(
    service: &ElbV2Service,
    context: &RequestContext,
    ids: &[String],
) -> Result<(String, Vec<LoadBalancerZone>), Failure> {
    let mut found: Vec<Versioned<Subnet>> = Vec::new();
    for id in ids {
        // A slash would lead into the rows of another account.
        let known =
            if id.contains('/') { None } else { service.networks.subnet(&context.account, id).await? };
        let subnet = known.ok_or_else(|| {
            other(&errors::SUBNET_NOT_FOUND_EXCEPTION, format_args!("The subnet ID '{id}' does not exist"))
        })?;
        if found.iter().any(|other| other.vpc != subnet.vpc) {
            return Err(other(&errors::INVALID_SUBNET_EXCEPTION, "All subnets must belong to the same VPC"));
        }
        if found.iter().any(|other| other.zone == subnet.zone) {
            return Err(configuration(
                "A load balancer cannot be attached to multiple subnets in the same Availability Zone",
            ));
        }
        found.push(subnet);
    }
    let vpc = found.first().map(|subnet| subnet.vpc.clone()).unwrap_or_default();
    let zone = |subnet: &Subnet| {
        LoadBalancerZone::new(format!("{}{}", context.region, subnet.zone), subnet.id.clone())
    };
    Ok((vpc, found.iter().map(|subnet| zone(subnet)).collect()))
}

/// Checks that security groups are there and of a VPC.
pub(crate) async fn check_groups(
    service: &ElbV2Service,
    context: &RequestContext,
    vpc: &str,
    ids: &[String],
) -> Result<(), Failure> {
    for id in ids {
        let known =
            if id.contains('/') { None } else { service.networks.group(&context.account, id).await? };
        if known.is_none_or(|group| group.vpc != vpc) {
            return Err(other(
                &errors::INVALID_SECURITY_GROUP_EXCEPTION,
                format_args!("The security group '{id}' does not exist in VPC '{vpc}'"),
            ));
        }
    }
    Ok(())
}
