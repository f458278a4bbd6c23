//! DescribeNetworkInterfaces: the interfaces of the account, those of its tasks among them.

use crate::errors::dry_run;
use crate::ids::INTERFACE;
use crate::paging::Asked;
use crate::shapes::{DescribeNetworkInterfacesRequest, DescribeNetworkInterfacesResult};
use crate::{Ec2Service, render};
use aws_wire::{RequestContext, ServiceError};
use resources::ec2::{NetworkInterface, SecurityGroup};

pub(crate) async fn run(
    service: &Ec2Service,
    context: &RequestContext,
    input: DescribeNetworkInterfacesRequest,
) -> Result<DescribeNetworkInterfacesResult, ServiceError> {
    dry_run(input.dry_run)?;
    let tags = service.tags(context).await?;
    let groups = service.all::<SecurityGroup>(context).await?;
    let names = groups.iter().map(|own| (own.id.clone(), own.name.clone())).collect();
    let rows = service.all::<NetworkInterface>(context).await?;
    let all = rows.iter().map(|own| render::interface(context, own, &names, &tags)).collect();
    let asked = Asked {
        ids: input.network_interface_ids,
        filters: input.filters,
        max_results: input.max_results,
        next_token: input.next_token,
    };
    let (shown, next_token) =
        asked.of(all, &INTERFACE, |own| own.network_interface_id.as_deref().unwrap_or_default())?;
    Ok(DescribeNetworkInterfacesResult { network_interfaces: Some(shown), next_token })
}
