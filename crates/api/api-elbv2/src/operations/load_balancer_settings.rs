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
use resources::elb::{LoadBalancer, LoadBalancerKind};

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
    let row = service.load_balancer(context, &input.load_balancer_arn).await?;
    if row.vpc != vpc {
        return Err(configuration("The subnets must belong to the VPC of the load balancer"));
    }
    // Its address is in the first one, and stays.
    if row.zones.first().is_some_and(|own| !subnets.contains(&own.subnet)) {
        return Err(configuration("The subnet of the load balancer's address cannot be taken from it"));
    }
    // The first one stays the first.
    let mut zones = zones;
    zones.sort_by_key(|zone| row.zones.first().is_none_or(|own| own.subnet != zone.subnet));
    let row =
        retrying!(change(service, context, &input.load_balancer_arn, |row| row.zones.clone_from(&zones)))?;
    Ok(SetSubnetsOutput {
        availability_zones: Some(render::zones(&row)),
        ip_address_type: Some(wire::IpAddressType::Ipv4),
        ..SetSubnetsOutput::default()
    })
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

/// The load balancer and its network interface change in one transaction, so that what is shown is what is enforced.
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
    if let Some(id) = &old.interface
        && let Some(own) =
            service.tables.get::<NetworkInterface>(&format!("{}/{id}", context.account)).await?
    {
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

async fn change(
    service: &ElbV2Service,
    context: &RequestContext,
    arn: &str,
    change: impl Fn(&mut LoadBalancer),
) -> Result<LoadBalancer, Failure> {
    let old = service.load_balancer(context, arn).await?;
    let mut new = LoadBalancer::clone(&old);
    change(&mut new);
    if new != *old.value {
        service.tables.replace(&old, new.clone()).await?;
    }
    Ok(new)
}
