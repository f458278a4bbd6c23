//! DeleteRule.

use crate::ElbV2Service;
use crate::errors::{Failure, other};
use crate::retry::retrying;
use crate::shapes::{DeleteRuleInput, DeleteRuleOutput, errors};
use aws_wire::RequestContext;

pub(crate) async fn run(
    service: &ElbV2Service,
    context: &RequestContext,
    input: DeleteRuleInput,
) -> Result<DeleteRuleOutput, Failure> {
    retrying!(attempt(service, context, &input.rule_arn))?;
    Ok(DeleteRuleOutput::default())
}

async fn attempt(service: &ElbV2Service, context: &RequestContext, arn: &str) -> Result<(), Failure> {
    if service.listener_of_default_rule(context, arn).await?.is_some() {
        return Err(other(
            &errors::OPERATION_NOT_PERMITTED_EXCEPTION,
            format_args!("Default rule '{arn}' cannot be deleted"),
        ));
    }
    let rule = service.rule(context, arn).await?;
    service.tables.delete(&rule).await?;
    Ok(())
}
