//! DeleteSubnet: of a subnet that has no interface.

use crate::Ec2Service;
use crate::errors::{DEPENDENCY_VIOLATION, dry_run, error, store};
use crate::shapes::DeleteSubnetRequest;
use crate::tags;
use aws_wire::{RequestContext, ServiceError};
use resources::ec2::{NetworkInterface, Subnet};

pub(crate) async fn run(
    service: &Ec2Service,
    context: &RequestContext,
    input: DeleteSubnetRequest,
) -> Result<(), ServiceError> {
    let subnet = service.subnet(context, &input.subnet_id).await?;
    if input.dry_run == Some(true) {
        refuse_used(service, context, &subnet).await?;
    }
    dry_run(input.dry_run)?;
    // First nothing new may be in it any more; then what was there before is seen.
    let closing = Subnet { closing: true, ..Subnet::clone(&subnet) };
    let subnet = service.tables.replace(&subnet, closing).await.map_err(store)?;
    if let Err(used) = refuse_used(service, context, &subnet).await {
        let open = Subnet { closing: false, ..Subnet::clone(&subnet) };
        service.tables.replace(&subnet, open).await.map_err(store)?;
        return Err(used);
    }
    tags::commit(tags::delete(service.tables.batch().delete(&subnet), context, &subnet.id)).await
}

async fn refuse_used(
    service: &Ec2Service,
    context: &RequestContext,
    subnet: &Subnet,
) -> Result<(), ServiceError> {
    let interfaces = service.all::<NetworkInterface>(context).await?;
    if interfaces.iter().any(|own| own.subnet == subnet.id) {
        let text = format!("The subnet '{}' has dependencies and cannot be deleted.", subnet.id);
        return Err(error(&DEPENDENCY_VIOLATION, text));
    }
    Ok(())
}
