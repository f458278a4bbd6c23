//! CreateSubnet: a part of a VPC that overlaps no other.

use crate::errors::{SUBNET_CONFLICT, SUBNET_RANGE, dry_run, error, missing, refuse, store, value};
use crate::ids::SUBNET;
use crate::shapes::{CreateSubnetRequest, CreateSubnetResult};
use crate::tags::{self, AllTags};
use crate::{Ec2Service, render, zones};
use aws_wire::{RequestContext, ServiceError};
use ipnet::Ipv4Net;
use resources::ec2::{Address, Subnet, TakenRanges, Vpc};
use std::net::Ipv4Addr;

/// Attempts while others make networks.
const MOST_ATTEMPTS: usize = 16;

pub(crate) async fn run(
    service: &Ec2Service,
    context: &RequestContext,
    input: CreateSubnetRequest,
) -> Result<CreateSubnetResult, ServiceError> {
    refuse(input.ipv6_cidr_block.is_some() || input.ipv6_native == Some(true), "ipv6CidrBlock")?;
    refuse(input.outpost_arn.is_some(), "outpostArn")?;
    refuse(input.ipv4_ipam_pool_id.is_some() || input.ipv6_ipam_pool_id.is_some(), "ipamPoolId")?;
    let tags = tags::specified(input.tag_specifications, &SUBNET)?;
    let text = input.cidr_block.ok_or_else(|| missing("cidrBlock"))?;
    let cidr = read_cidr(&text)?;
    let zone = zone(context, input.availability_zone.or(input.availability_zone_id))?;
    for _ in 0..MOST_ATTEMPTS {
        let vpc = service.vpc(context, &input.vpc_id).await?;
        let ranges = service.tables.get::<TakenRanges>(TakenRanges::KEY).await.map_err(store)?;
        check(service, &vpc, cidr).await?;
        dry_run(input.dry_run)?;
        let subnet = service.networks.new_subnet(&vpc, cidr, zone, false);
        // Both are written anew, so that whoever makes a network at the same time looks again.
        let batch = service.tables.batch().replace(&vpc, &Vpc::clone(&vpc)).create(&subnet);
        let batch = match &ranges {
            Some(ranges) => batch.replace(ranges, &TakenRanges::clone(ranges)),
            None => batch.create(&TakenRanges::default()),
        };
        match tags::write(batch, context, &subnet.id, &tags).commit().await {
            Ok(_) => {
                let tags = AllTags::only(&subnet.id, &tags);
                let subnet = render::subnet(context, &subnet, subnet.size(), &tags);
                return Ok(CreateSubnetResult { subnet: Some(subnet) });
            }
            Err(failure) if failure.is_conflict() => {}
            Err(failure) => return Err(store(failure)),
        }
    }
    Err(store(store::StoreError::Conflict(String::new())))
}

/// A block of addresses, cut to its network as EC2 does.
pub(crate) fn read_cidr(text: &str) -> Result<Ipv4Net, ServiceError> {
    text.parse::<Ipv4Net>().map(|cidr| cidr.trunc()).map_err(|_| {
        value(format!("Value ({text}) for parameter cidrBlock is invalid. This is not a valid CIDR block."))
    })
}

fn zone(context: &RequestContext, given: Option<String>) -> Result<&'static str, ServiceError> {
    let Some(given) = given else { return Ok(zones::ZONES[0]) };
    zones::letter(&context.region, &given).ok_or_else(|| {
        let all = zones::ZONES.map(|zone| zones::name(&context.region, zone)).join(", ");
        value(format!(
            "Value ({given}) for parameter availabilityZone is invalid. Subnets can currently only be created in the \
             following availability zones: {all}."
        ))
    })
}

async fn check(service: &Ec2Service, vpc: &Vpc, cidr: Ipv4Net) -> Result<(), ServiceError> {
    if !(16..=28).contains(&cidr.prefix_len()) || !vpc.cidr.contains(&cidr) {
        return Err(error(&SUBNET_RANGE, format!("The CIDR '{cidr}' is invalid.")));
    }
    let overlap = |other: &Ipv4Net| other.contains(&cidr) || cidr.contains(other);
    for other in service.tables.list_all::<Subnet>("").await.map_err(store)? {
        if other.vpc == vpc.id && overlap(&other.cidr) {
            let text = format!("The CIDR '{cidr}' conflicts with another subnet");
            return Err(error(&SUBNET_CONFLICT, text));
        }
        // Default VPCs of several accounts have the same addresses, which may be divided in one way only.
        if overlap(&other.cidr) && other.cidr != cidr {
            return Err(shared(cidr));
        }
    }
    let gateway = Ipv4Addr::from_bits(cidr.network().to_bits() | 1);
    match service.tables.get::<Address>(&gateway.to_string()).await.map_err(store)? {
        Some(_) => Err(shared(cidr)),
        None => Ok(()),
    }
}

fn shared(cidr: Ipv4Net) -> ServiceError {
    let text = format!(
        "The CIDR '{cidr}' conflicts with another subnet: the default VPCs of all accounts of this region share its \
         addresses, and another account has divided them otherwise"
    );
    error(&SUBNET_CONFLICT, text)
}
