//! SetSubnets, SetSecurityGroups and SetIpAddressType.

use crate::errors::{Failure, configuration};
use crate::operations::create_load_balancer::check_address_type;
use crate::retry::retrying;
use crate::shapes as wire;
use crate::shapes::{
    SetIpAddressTypeInput, SetIpAddressTypeOutput, SetSecurityGroupsInput, SetSecurityGroupsOutput,
    SetSubnetsInput, SetSubnetsOutput,
};
use crate::{ElbV2Service, render, subnets};
use aws_wire::RequestContext;
use resources::ec2::NetworkInterface;
use resources::elb::{LoadBalancer, LoadBalancerKind, LoadBalancerZone};

pub(crate) async fn set_subnets(
    service: &ElbV2Service,
    context: &RequestContext,
    input: SetSubnetsInput,
) -> Result<SetSubnetsOutput, Failure> {
    check_address_type(input.ip_address_type)?;
    if input.enable_prefix_for_ipv6_source_nat == Some(wire::EnablePrefixForIpv6SourceNatEnum::On) {
        return Err(configuration("IPv6 is not supported"));
    }
    let subnets = subnets::read(input.subnets, input.subnet_mappings)?;
    let (vpc, zones) = subnets::find(service, context, &subnets).await?;
    let row = retrying!(move_to(service, context, &input.load_balancer_arn, &vpc, &zones))?;
    Ok(SetSubnetsOutput {
        availability_zones: Some(render::zones(&row)),
        ip_address_type: Some(wire::IpAddressType::Ipv4),
        ..SetSubnetsOutput::default()
    })
}

/// The load balancer keeps its addresses in subnets that it stays in, and loses the others in the same transaction. The
/// controller gives it new ones.
async fn move_to(
    service: &ElbV2Service,
    context: &RequestContext,
    arn: &str,
    vpc: &str,
    zones: &[LoadBalancerZone],
) -> Result<LoadBalancer, Failure> {
    let old = service.load_balancer(context, arn).await?;
    if old.vpc != vpc {
        return Err(configuration("The subnets must belong to the VPC of the load balancer"));
    }
    if old.is_in(zones) {
        return Ok(LoadBalancer::clone(&old));
    }
    let known = |zone: &LoadBalancerZone| old.zones.iter().find(|own| own.subnet == zone.subnet).cloned();
    let new = LoadBalancer {
        zones: zones.iter().map(|zone| known(zone).unwrap_or_else(|| zone.clone())).collect(),
        ..LoadBalancer::clone(&old)
    };
    let stays = |own: &LoadBalancerZone| zones.iter().any(|zone| zone.subnet == own.subnet);
    let left: Vec<LoadBalancerZone> = old.zones.iter().filter(|own| !stays(own)).cloned().collect();
    let mut batch = service.tables.batch().replace(&old, &new);
    for interface in service.interfaces(&left, context).await? {
        batch = service.networks.detach(batch, &interface).await?;
    }
    batch.commit().await?;
    left.iter().filter_map(|zone| zone.address).for_each(|address| service.networks.released(address));
    Ok(new)
}

pub(crate) async fn set_security_groups(
    service: &ElbV2Service,
    context: &RequestContext,
    input: SetSecurityGroupsInput,
) -> Result<SetSecurityGroupsOutput, Failure> {
    let SetSecurityGroupsInput {
        load_balancer_arn,
        security_groups,
        enforce_security_group_inbound_rules_on_private_link_traffic,
    } = input;
    if enforce_security_group_inbound_rules_on_private_link_traffic.is_some() {
        return Err(configuration("PrivateLink is not supported"));
    }
    let row = service.load_balancer(context, &load_balancer_arn).await?;
    subnets::check_groups(service, context, &row.vpc, &security_groups).await?;
    if row.kind == LoadBalancerKind::Network && row.security_groups.is_empty() && !security_groups.is_empty()
    {
        return Err(configuration(
            "You cannot set security groups of a network load balancer that was created without",
        ));
    }
    if security_groups.is_empty() && !row.security_groups.is_empty() {
        return Err(configuration("A load balancer with security groups keeps at least one"));
    }
    let row = retrying!(set_groups(service, context, &load_balancer_arn, &security_groups))?;
    Ok(SetSecurityGroupsOutput {
        security_group_ids: Some(row.security_groups),
        ..SetSecurityGroupsOutput::default()
    })
}

/// The load balancer and its network interfaces change in one transaction, so that what is shown is what is enforced.
async fn set_groups(
    service: &ElbV2Service,
    context: &RequestContext,
    arn: &str,
    ids: &[String],
) -> Result<LoadBalancer, Failure> {
    let old = service.load_balancer(context, arn).await?;
    let new = LoadBalancer { security_groups: ids.to_vec(), ..LoadBalancer::clone(&old) };
    let mut batch = service.tables.batch().replace(&old, &new);
    for id in ids {
        if let Some(group) = service.networks.group(&context.account, id).await? {
            batch = batch.require_unchanged(&group);
        }
    }
    for own in service.interfaces(&old.zones, context).await? {
        let changed = NetworkInterface { groups: ids.to_vec(), ..NetworkInterface::clone(&own) };
        batch = batch.replace(&own, &changed);
    }
    batch.commit().await?;
    Ok(new)
}

pub(crate) async fn set_ip_address_type(
    service: &ElbV2Service,
    context: &RequestContext,
    input: SetIpAddressTypeInput,
) -> Result<SetIpAddressTypeOutput, Failure> {
    service.load_balancer(context, &input.load_balancer_arn).await?;
    check_address_type(Some(input.ip_address_type))?;
    Ok(SetIpAddressTypeOutput { ip_address_type: Some(wire::IpAddressType::Ipv4) })
}
