//! DeleteLoadBalancer: the load balancer goes with its listeners, rules and address. Deleting one that is not there is fine.

use crate::ElbV2Service;
use crate::errors::{Failure, other};
use crate::retry::retrying;
use crate::shapes::{DeleteLoadBalancerInput, DeleteLoadBalancerOutput, errors};
use aws_wire::{RequestContext, ServiceError};
use resources::Stored;
use resources::elb::{Listener, Rule};

pub(crate) async fn run(
    service: &ElbV2Service,
    context: &RequestContext,
    input: DeleteLoadBalancerInput,
) -> Result<DeleteLoadBalancerOutput, Failure> {
    retrying!(attempt(service, context, &input.load_balancer_arn))?;
    Ok(DeleteLoadBalancerOutput::default())
}

async fn attempt(service: &ElbV2Service, context: &RequestContext, arn: &str) -> Result<(), Failure> {
    let row = match service.load_balancer(context, arn).await {
        Ok(row) => row,
        Err(Failure::Answer(ServiceError { shape, .. }))
            if *shape == errors::LOAD_BALANCER_NOT_FOUND_EXCEPTION =>
        {
            return Ok(());
        }
        Err(failure) => return Err(failure),
    };
    if row.attribute("deletion_protection.enabled") == Some("true") {
        return Err(other(
            &errors::OPERATION_NOT_PERMITTED_EXCEPTION,
            format_args!("Load balancer '{arn}' cannot be deleted because deletion protection is enabled"),
        ));
    }
    let prefix = format!("{}/", row.key());
    let mut batch = service.tables.batch();
    for listener in service.tables.list_all::<Listener>(&prefix).await? {
        batch = batch.delete(&listener);
    }
    for rule in service.tables.list_all::<Rule>(&prefix).await? {
        batch = batch.delete(&rule);
    }
    for interface in service.interfaces(&row.zones, context).await? {
        batch = service.networks.detach(batch, &interface).await?;
    }
    batch.delete(&row).commit().await?;
    row.addresses().for_each(|address| service.networks.released(address));
    Ok(())
}
