//! CreateLoadBalancer: writes the row; the controller of load balancers gives it an address and makes it active.

use crate::errors::{Failure, configuration, other, validation};
use crate::retry::retrying;
use crate::shapes as wire;
use crate::shapes::{CreateLoadBalancerInput, CreateLoadBalancerOutput, errors};
use crate::{ElbV2Service, limits, names, render, subnets, tags};
use aws_wire::RequestContext;
use resources::Stored;
use resources::elb::{LoadBalancer, LoadBalancerKind, LoadBalancerState};
use std::collections::BTreeMap;

pub(crate) async fn run(
    service: &ElbV2Service,
    context: &RequestContext,
    input: CreateLoadBalancerInput,
) -> Result<CreateLoadBalancerOutput, Failure> {
    let wanted = read(service, context, input).await?;
    let row = retrying!(attempt(service, context, &wanted))?;
    Ok(CreateLoadBalancerOutput { load_balancers: Some(vec![render::load_balancer(&row)]) })
}

async fn attempt(
    service: &ElbV2Service,
    context: &RequestContext,
    wanted: &LoadBalancer,
) -> Result<LoadBalancer, Failure> {
    let tables = &service.tables;
    if let Some(old) = tables.get::<LoadBalancer>(&wanted.key()).await? {
        let is_same = old.kind == wanted.kind
            && old.internet_facing == wanted.internet_facing
            && old.is_in(&wanted.zones)
            && old.security_groups == wanted.security_groups
            && old.tags == wanted.tags;
        return if is_same { Ok(LoadBalancer::clone(&old)) } else { Err(duplicate(&wanted.name)) };
    }
    let all = tables.list_all::<LoadBalancer>(&format!("{}/", context.account)).await?;
    if all.iter().filter(|row| row.kind == wanted.kind).count() >= limits::LOAD_BALANCERS {
        return Err(other(
            &errors::TOO_MANY_LOAD_BALANCERS_EXCEPTION,
            format_args!(
                "The maximum number of load balancers, {}, has been reached",
                limits::LOAD_BALANCERS
            ),
        ));
    }
    Ok(LoadBalancer::clone(&*tables.create(wanted.clone()).await?))
}

fn duplicate(name: &str) -> Failure {
    other(
        &errors::DUPLICATE_LOAD_BALANCER_NAME_EXCEPTION,
        format_args!("A load balancer with the same name '{name}' exists, but with different settings"),
    )
}

async fn read(
    service: &ElbV2Service,
    context: &RequestContext,
    input: CreateLoadBalancerInput,
) -> Result<LoadBalancer, Failure> {
    let CreateLoadBalancerInput {
        name,
        subnets: given_subnets,
        subnet_mappings,
        security_groups,
        scheme,
        tags: given_tags,
        r#type,
        ip_address_type,
        customer_owned_ipv4_pool,
        enable_prefix_for_ipv6_source_nat,
        ipam_pools,
    } = input;
    names::check("Load balancer", &name)?;
    if name.to_ascii_lowercase().starts_with("internal-") {
        return Err(validation(format_args!("Load balancer name '{name}' cannot begin with 'internal-'")));
    }
    let kind = match r#type {
        None | Some(wire::LoadBalancerTypeEnum::Application) => LoadBalancerKind::Application,
        Some(wire::LoadBalancerTypeEnum::Network) => LoadBalancerKind::Network,
        Some(wire::LoadBalancerTypeEnum::Gateway) => {
            return Err(configuration("Gateway load balancers are not supported"));
        }
    };
    check_address_type(ip_address_type)?;
    if customer_owned_ipv4_pool.is_some() || ipam_pools.is_some() {
        return Err(configuration("Pools of addresses are not supported"));
    }
    if enable_prefix_for_ipv6_source_nat == Some(wire::EnablePrefixForIpv6SourceNatEnum::On) {
        return Err(configuration("IPv6 is not supported"));
    }
    let subnets = subnets::read(given_subnets, subnet_mappings)?;
    let (vpc, zones) = subnets::find(service, context, &subnets).await?;
    let id = service.environment().random_hex(16);
    let (region, account, in_arn) = (&context.region, &context.account, kind.in_arn());
    let mut security_groups = security_groups.unwrap_or_default();
    subnets::check_groups(service, context, &vpc, &security_groups).await?;
    if security_groups.is_empty() && kind == LoadBalancerKind::Application {
        let default = service.networks.default_group(account, &vpc).await?;
        security_groups.extend(default.map(|group| group.id.clone()));
    }
    Ok(LoadBalancer {
        account: account.clone(),
        arn: format!("arn:aws:elasticloadbalancing:{region}:{account}:loadbalancer/{in_arn}/{name}/{id}"),
        // Names are not case-sensitive where they are looked up.
        dns_name: format!("{}-{id}.{region}.elb.localhost", name.to_ascii_lowercase()),
        name,
        kind,
        internet_facing: scheme != Some(wire::LoadBalancerSchemeEnum::Internal),
        vpc,
        zones,
        security_groups,
        attributes: BTreeMap::new(),
        tags: tags::new(given_tags)?,
        created_at: context.time,
        state: LoadBalancerState::Provisioning,
    })
}

/// Load balancers have IPv4 addresses.
pub(crate) fn check_address_type(given: Option<wire::IpAddressType>) -> Result<(), Failure> {
    match given {
        None | Some(wire::IpAddressType::Ipv4) => Ok(()),
        Some(other) => {
            Err(configuration(format_args!("The IP address type '{}' is not supported", other.as_str())))
        }
    }
}
