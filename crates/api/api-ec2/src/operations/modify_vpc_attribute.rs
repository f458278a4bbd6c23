//! ModifyVpcAttribute: one attribute of a VPC.

use crate::Ec2Service;
use crate::errors::{COMBINATION, error, missing, refuse, store};
use crate::ids::VPC;
use crate::shapes::{AttributeBooleanValue, ModifyVpcAttributeRequest};
use aws_wire::{RequestContext, ServiceError};
use resources::ec2::Vpc;

pub(crate) async fn run(
    service: &Ec2Service,
    context: &RequestContext,
    input: ModifyVpcAttributeRequest,
) -> Result<(), ServiceError> {
    let value = |given: &Option<AttributeBooleanValue>| given.as_ref().and_then(|given| given.value);
    let support = value(&input.enable_dns_support);
    let hostnames = value(&input.enable_dns_hostnames);
    let metrics = value(&input.enable_network_address_usage_metrics);
    match [support, hostnames, metrics].iter().flatten().count() {
        0 => return Err(missing("attribute")),
        1 => {}
        _ => return Err(error(&COMBINATION, "Fields for multiple attribute types specified")),
    }
    // Names are resolved in every VPC here.
    refuse(support == Some(false), "enableDnsSupport=false")?;
    refuse(metrics == Some(true), "enableNetworkAddressUsageMetrics")?;
    let key = format!("{}/{}", context.account, input.vpc_id);
    let change = |old: &Vpc| {
        let mut new = old.clone();
        new.dns_hostnames = hostnames.unwrap_or(new.dns_hostnames);
        Ok::<_, store::StoreError>(Some(new))
    };
    let changed = service.tables.update::<Vpc, _>(&key, change).await.map_err(store)?;
    changed.map(|_| ()).ok_or_else(|| VPC.not_found(&input.vpc_id))
}
