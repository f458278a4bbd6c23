//! ModifyRule.

use crate::errors::{Failure, other};
use crate::operations::create_rule::refuse_transforms;
use crate::retry::retrying;
use crate::shapes::{ModifyRuleInput, ModifyRuleOutput, errors};
use crate::{ElbV2Service, actions, conditions, render};
use aws_wire::RequestContext;
use resources::elb::{Listener, Rule};

pub(crate) async fn run(
    service: &ElbV2Service,
    context: &RequestContext,
    input: ModifyRuleInput,
) -> Result<ModifyRuleOutput, Failure> {
    refuse_transforms(input.transforms.as_deref())?;
    let row = retrying!(attempt(service, context, &input))?;
    Ok(ModifyRuleOutput { rules: Some(vec![render::rule(&row)]) })
}

async fn attempt(
    service: &ElbV2Service,
    context: &RequestContext,
    input: &ModifyRuleInput,
) -> Result<Rule, Failure> {
    if service.listener_of_default_rule(context, &input.rule_arn).await?.is_some() {
        return Err(other(
            &errors::OPERATION_NOT_PERMITTED_EXCEPTION,
            format_args!("Default rule '{}' cannot be modified", input.rule_arn),
        ));
    }
    let old = service.rule(context, &input.rule_arn).await?;
    let listener_key = format!("{}/{}/{}", old.account, old.load_balancer, old.listener);
    let listener = service.tables.get::<Listener>(&listener_key).await?;
    let listener = listener.ok_or_else(|| crate::errors::rule_not_found(&input.rule_arn))?;
    let balancer = service.load_balancer(context, &listener.load_balancer_arn).await?;
    let mut new = Rule::clone(&old);
    if let Some(given) = &input.conditions {
        new.conditions = conditions::read(given.clone())?;
    }
    let mut batch = service.tables.batch();
    if let Some(given) = &input.actions {
        new.actions = actions::read(balancer.kind, given.clone())?;
        batch = service.require_groups(context, &balancer, listener.protocol, &new.actions, batch).await?;
    }
    batch.replace(&old, &new).commit().await?;
    Ok(new)
}
