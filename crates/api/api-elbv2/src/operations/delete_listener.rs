//! DeleteListener: the listener goes with its rules.

use crate::ElbV2Service;
use crate::errors::Failure;
use crate::retry::retrying;
use crate::shapes::{DeleteListenerInput, DeleteListenerOutput};
use aws_wire::RequestContext;

pub(crate) async fn run(
    service: &ElbV2Service,
    context: &RequestContext,
    input: DeleteListenerInput,
) -> Result<DeleteListenerOutput, Failure> {
    retrying!(attempt(service, context, &input.listener_arn))?;
    Ok(DeleteListenerOutput::default())
}

async fn attempt(service: &ElbV2Service, context: &RequestContext, arn: &str) -> Result<(), Failure> {
    let listener = service.listener(context, arn).await?;
    let mut batch = service.tables.batch();
    for rule in service.rules_of(&listener).await? {
        batch = batch.delete(&rule);
    }
    batch.delete(&listener).commit().await?;
    Ok(())
}
