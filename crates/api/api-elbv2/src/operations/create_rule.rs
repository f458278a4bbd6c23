//! CreateRule.

use crate::errors::{Failure, configuration, other, validation};
use crate::retry::retrying;
use crate::shapes as wire;
use crate::shapes::{CreateRuleInput, CreateRuleOutput, errors};
use crate::{ElbV2Service, actions, conditions, limits, render, tags};
use aws_wire::RequestContext;
use resources::Stored;
use resources::elb::{Listener, LoadBalancerKind, Rule};

pub(crate) async fn run(
    service: &ElbV2Service,
    context: &RequestContext,
    input: CreateRuleInput,
) -> Result<CreateRuleOutput, Failure> {
    refuse_transforms(input.transforms.as_deref())?;
    let row = retrying!(attempt(service, context, &input))?;
    Ok(CreateRuleOutput { rules: Some(vec![render::rule(&row)]) })
}

async fn attempt(
    service: &ElbV2Service,
    context: &RequestContext,
    input: &CreateRuleInput,
) -> Result<Rule, Failure> {
    let listener = service.listener(context, &input.listener_arn).await?;
    let balancer = service.load_balancer(context, &listener.load_balancer_arn).await?;
    if balancer.kind == LoadBalancerKind::Network {
        return Err(validation("Rules are not supported for network load balancer listeners"));
    }
    let id = service.environment().random_hex(16);
    let row = Rule {
        account: context.account.clone(),
        load_balancer: balancer.name.clone(),
        listener: listener.id.clone(),
        arn: listener.rule_arn(&id),
        id,
        priority: priority(input.priority)?,
        conditions: conditions::read(input.conditions.clone())?,
        actions: actions::read(balancer.kind, input.actions.clone())?,
        tags: tags::new(input.tags.clone())?,
        created_at: context.time,
    };
    let others = service.tables.list_all::<Rule>(&format!("{}/", balancer.key())).await?;
    if others.len() >= limits::RULES {
        return Err(other(
            &errors::TOO_MANY_RULES_EXCEPTION,
            format_args!("The load balancer cannot have more than {} rules", limits::RULES),
        ));
    }
    if others.iter().any(|old| old.listener == row.listener && old.priority == row.priority) {
        return Err(in_use(row.priority));
    }
    // The listener is written as it is, so that no other rule gets the priority at the same time.
    let batch = service.tables.batch().replace(&listener, &Listener::clone(&listener));
    let batch = service.require_groups(context, &balancer, listener.protocol, &row.actions, batch).await?;
    batch.create(&row).commit().await?;
    Ok(row)
}

/// A priority of the model, which has the range already.
pub(crate) fn priority(given: i32) -> Result<u32, Failure> {
    u32::try_from(given)
        .ok()
        .filter(|priority| (1..=50_000).contains(priority))
        .ok_or_else(|| validation(format_args!("Priority '{given}' must be between 1 and 50000 inclusive")))
}

/// Another rule has the priority.
pub(crate) fn in_use(priority: u32) -> Failure {
    other(&errors::PRIORITY_IN_USE_EXCEPTION, format_args!("Priority '{priority}' is currently in use"))
}

/// Transforms are not built.
pub(crate) fn refuse_transforms(given: Option<&[wire::RuleTransform]>) -> Result<(), Failure> {
    if given.is_some_and(|given| !given.is_empty()) {
        return Err(configuration("Transforms are not supported"));
    }
    Ok(())
}
