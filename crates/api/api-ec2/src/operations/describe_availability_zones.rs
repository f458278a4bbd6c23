//! DescribeAvailabilityZones: the three of this region, all on its one machine.

use crate::Ec2Service;
use crate::errors::{dry_run, value};
use crate::filters::filter;
use crate::shapes::{
    AvailabilityZone, AvailabilityZoneOptInStatus, AvailabilityZoneState, DescribeAvailabilityZonesRequest,
    DescribeAvailabilityZonesResult,
};
use crate::zones;
use aws_wire::{RequestContext, ServiceError};

pub(crate) async fn run(
    _service: &Ec2Service,
    context: &RequestContext,
    input: DescribeAvailabilityZonesRequest,
) -> Result<DescribeAvailabilityZonesResult, ServiceError> {
    dry_run(input.dry_run)?;
    let region = &context.region;
    let named = input.zone_names.iter().flatten().chain(input.zone_ids.iter().flatten());
    let mut wanted = Vec::new();
    for name in named {
        wanted.push(
            zones::letter(region, name)
                .ok_or_else(|| value(format!("Invalid availability zone: [{name}]")))?,
        );
    }
    let shown = zones::ZONES.into_iter().filter(|zone| wanted.is_empty() || wanted.contains(zone));
    let mut shown: Vec<AvailabilityZone> = shown
        .map(|zone| AvailabilityZone {
            group_name: Some(format!("{region}-zg-1")),
            messages: Some(vec![]),
            network_border_group: Some(region.to_string()),
            opt_in_status: Some(AvailabilityZoneOptInStatus::OptInNotRequired),
            region_name: Some(region.to_string()),
            state: Some(AvailabilityZoneState::Available),
            zone_id: Some(zones::id(region, zone)),
            zone_name: Some(zones::name(region, zone)),
            zone_type: Some("availability-zone".to_owned()),
            ..AvailabilityZone::default()
        })
        .collect();
    filter(&mut shown, input.filters.as_ref())?;
    Ok(DescribeAvailabilityZonesResult { availability_zones: Some(shown) })
}
