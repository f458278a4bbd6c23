//! CreateVpc: addresses of one's own, which no other VPC of the region has, and no way out.

use super::create_subnet::read_cidr;
use crate::errors::{VPC_RANGE, dry_run, error, missing, refuse, store};
use crate::ids::VPC;
use crate::shapes::{CreateVpcRequest, CreateVpcResult, Tenancy};
use crate::tags::{self, AllTags};
use crate::{Ec2Service, render};
use aws_wire::{RequestContext, ServiceError};
use ipnet::Ipv4Net;
use resources::Stored;
use resources::ec2::TakenRanges;

/// Attempts while others make VPCs.
const MOST_ATTEMPTS: usize = 16;

pub(crate) async fn run(
    service: &Ec2Service,
    context: &RequestContext,
    input: CreateVpcRequest,
) -> Result<CreateVpcResult, ServiceError> {
    let ipv6 = input.amazon_provided_ipv6_cidr_block == Some(true)
        || input.ipv6_cidr_block.is_some()
        || input.ipv6_pool.is_some();
    refuse(ipv6, "ipv6CidrBlock")?;
    refuse(input.ipv4_ipam_pool_id.is_some() || input.ipv6_ipam_pool_id.is_some(), "ipamPoolId")?;
    refuse(input.vpc_encryption_control.is_some(), "vpcEncryptionControl")?;
    let is_shared = input.instance_tenancy.is_none_or(|tenancy| tenancy == Tenancy::Default);
    refuse(!is_shared, "instanceTenancy")?;
    let tags = tags::specified(input.tag_specifications, &VPC)?;
    let cidr = read_cidr(&input.cidr_block.ok_or_else(|| missing("cidrBlock"))?)?;
    for _ in 0..MOST_ATTEMPTS {
        let old = service.tables.get::<TakenRanges>(TakenRanges::KEY).await.map_err(store)?;
        let mut ranges = old.as_ref().map(|old| (*old.value).clone()).unwrap_or_default();
        check(service, &ranges, cidr)?;
        dry_run(input.dry_run)?;
        let (vpc, group) = service.networks.vpc(&context.account, cidr, false);
        ranges.ranges.push((cidr, vpc.key()));
        let batch = service.tables.batch().create(&vpc).create(&group);
        let batch = match &old {
            Some(old) => batch.replace(old, &ranges),
            None => batch.create(&ranges),
        };
        match tags::write(batch, context, &vpc.id, &tags).commit().await {
            Ok(_) => {
                let tags = AllTags::only(&vpc.id, &tags);
                return Ok(CreateVpcResult { vpc: Some(render::vpc(context, &vpc, &tags)) });
            }
            Err(failure) if failure.is_conflict() => {}
            Err(failure) => return Err(store(failure)),
        }
    }
    Err(store(store::StoreError::Conflict(String::new())))
}

fn check(service: &Ec2Service, taken: &TakenRanges, cidr: Ipv4Net) -> Result<(), ServiceError> {
    if !(16..=28).contains(&cidr.prefix_len()) {
        return Err(error(&VPC_RANGE, format!("The CIDR '{cidr}' is invalid.")));
    }
    let special = [
        Ipv4Net::new_assert([0, 0, 0, 0].into(), 8),
        Ipv4Net::new_assert([127, 0, 0, 0].into(), 8),
        Ipv4Net::new_assert([169, 254, 0, 0].into(), 16),
        Ipv4Net::new_assert([224, 0, 0, 0].into(), 3),
    ];
    if special.iter().any(|special| special.contains(&cidr)) {
        return Err(error(&VPC_RANGE, format!("The CIDR '{cidr}' is invalid.")));
    }
    let overlap = |other: &Ipv4Net| other.contains(&cidr) || cidr.contains(other);
    let all = [service.networks.range()];
    let mut others = all.iter().chain(taken.ranges.iter().map(|(range, _)| range));
    let overlapped = others.find(|other| overlap(other)).copied();
    if let Some(other) = overlapped.or_else(|| service.machine.overlapping(cidr)) {
        let text = format!(
            "The CIDR '{cidr}' overlaps {other}, which this machine uses already. The VPCs of this region are on one \
             machine, so their addresses may overlap neither each other's nor those of its networks. See \
             docs/guides/networking.md."
        );
        return Err(error(&VPC_RANGE, text));
    }
    Ok(())
}
