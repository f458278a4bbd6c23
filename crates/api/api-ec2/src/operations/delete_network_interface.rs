//! DeleteNetworkInterface: gives an address back that nobody uses.

use crate::Ec2Service;
use crate::errors::{dry_run, store, value};
use crate::shapes::DeleteNetworkInterfaceRequest;
use aws_wire::{RequestContext, ServiceError};
use resources::ec2::InterfaceUse;

pub(crate) async fn run(
    service: &Ec2Service,
    context: &RequestContext,
    input: DeleteNetworkInterfaceRequest,
) -> Result<(), ServiceError> {
    let id = &input.network_interface_id;
    let interface = service.network_interface(context, id).await?;
    if interface.used_by != InterfaceUse::Nobody {
        return Err(value(format!("Network interface '{id}' is currently in use.")));
    }
    dry_run(input.dry_run)?;
    let batch = service.networks.detach(service.tables.batch(), &interface).await.map_err(store)?;
    batch.commit().await.map_err(store)?;
    service.networks.released(interface.address);
    Ok(())
}
