//! DeleteTargetGroup: the group goes with its targets, unless a listener or a rule uses it. Deleting one that is not there is
//! fine.

use crate::ElbV2Service;
use crate::errors::{Failure, other};
use crate::retry::retrying;
use crate::shapes::{DeleteTargetGroupInput, DeleteTargetGroupOutput, errors};
use aws_wire::{RequestContext, ServiceError};
use resources::Stored;
use resources::elb::Target;

pub(crate) async fn run(
    service: &ElbV2Service,
    context: &RequestContext,
    input: DeleteTargetGroupInput,
) -> Result<DeleteTargetGroupOutput, Failure> {
    retrying!(attempt(service, context, &input.target_group_arn))?;
    Ok(DeleteTargetGroupOutput::default())
}

async fn attempt(service: &ElbV2Service, context: &RequestContext, arn: &str) -> Result<(), Failure> {
    let row = match service.target_group(context, arn).await {
        Ok(row) => row,
        Err(Failure::Answer(ServiceError { shape, .. }))
            if *shape == errors::TARGET_GROUP_NOT_FOUND_EXCEPTION =>
        {
            return Ok(());
        }
        Err(failure) => return Err(failure),
    };
    if service.users(context).await?.contains_key(arn) {
        return Err(other(
            &errors::RESOURCE_IN_USE_EXCEPTION,
            format_args!("Target group '{arn}' is currently in use by a listener or a rule"),
        ));
    }
    let mut batch = service.tables.batch();
    for target in service.tables.list_all::<Target>(&format!("{}/", row.key())).await? {
        batch = batch.delete(&target);
    }
    batch.delete(&row).commit().await?;
    Ok(())
}
