//! DeleteVpc: of a VPC that has no subnet and no security group but its default one.

use crate::Ec2Service;
use crate::errors::{DEPENDENCY_VIOLATION, dry_run, error, store};
use crate::shapes::DeleteVpcRequest;
use crate::tags;
use aws_wire::{RequestContext, ServiceError};
use resources::Stored;
use resources::ec2::{SecurityGroup, Subnet, TakenRanges, Vpc};

pub(crate) async fn run(
    service: &Ec2Service,
    context: &RequestContext,
    input: DeleteVpcRequest,
) -> Result<(), ServiceError> {
    // Whatever is made in it writes its row anew, so that what is seen here holds until it is deleted.
    let vpc = service.vpc(context, &input.vpc_id).await?;
    let subnets = service.all::<Subnet>(context).await?;
    let groups = service.all::<SecurityGroup>(context).await?;
    let is_used = subnets.iter().any(|own| own.vpc == vpc.id)
        || groups.iter().any(|own| own.vpc == vpc.id && !own.is_default());
    if is_used {
        let text = format!("The vpc '{}' has dependencies and cannot be deleted.", vpc.id);
        return Err(error(&DEPENDENCY_VIOLATION, text));
    }
    dry_run(input.dry_run)?;
    let mut batch = service.tables.batch().delete(&vpc);
    for group in groups.iter().filter(|own| own.vpc == vpc.id) {
        batch = tags::delete(batch.delete(group), context, &group.id);
        for rule in &group.rules {
            batch = tags::delete(batch, context, &rule.id);
        }
    }
    let own = [Some(&vpc.id), Some(&vpc.route_table), vpc.internet_gateway.as_ref()];
    for id in own.into_iter().flatten() {
        batch = tags::delete(batch, context, id);
    }
    if let Some(ranges) = service.tables.get::<TakenRanges>(TakenRanges::KEY).await.map_err(store)? {
        let mut rest = TakenRanges::clone(&ranges);
        rest.ranges.retain(|(_, key)| *key != Vpc::key(&vpc));
        batch = batch.replace(&ranges, &rest);
    }
    batch.commit().await.map(|_| ()).map_err(store)
}
