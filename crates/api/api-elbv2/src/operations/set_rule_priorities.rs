//! SetRulePriorities: all of them, or none.

use crate::errors::{Failure, other, validation};
use crate::operations::create_rule::{in_use, priority};
use crate::retry::retrying;
use crate::shapes::{SetRulePrioritiesInput, SetRulePrioritiesOutput, errors};
use crate::{ElbV2Service, render};
use aws_wire::RequestContext;
use resources::elb::{Listener, Rule};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) async fn run(
    service: &ElbV2Service,
    context: &RequestContext,
    input: SetRulePrioritiesInput,
) -> Result<SetRulePrioritiesOutput, Failure> {
    let rules = retrying!(attempt(service, context, &input))?;
    Ok(SetRulePrioritiesOutput { rules: Some(rules.iter().map(render::rule).collect()) })
}

async fn attempt(
    service: &ElbV2Service,
    context: &RequestContext,
    input: &SetRulePrioritiesInput,
) -> Result<Vec<Rule>, Failure> {
    let mut wanted = BTreeMap::new();
    let mut rows = Vec::new();
    for pair in &input.rule_priorities {
        let arn = pair.rule_arn.as_deref().unwrap_or_default();
        let given = pair.priority.ok_or_else(|| validation("A priority must be specified"))?;
        if service.listener_of_default_rule(context, arn).await?.is_some() {
            return Err(other(
                &errors::OPERATION_NOT_PERMITTED_EXCEPTION,
                format_args!("Default rule '{arn}' priority cannot be modified"),
            ));
        }
        let row = service.rule(context, arn).await?;
        if wanted.insert(row.arn.clone(), priority(given)?).is_some() {
            return Err(validation(format_args!("The rule '{arn}' is specified more than once")));
        }
        rows.push(row);
    }
    let Some(first) = rows.first() else { return Err(validation("A rule priority must be specified")) };
    if rows.iter().any(|row| row.listener != first.listener || row.load_balancer != first.load_balancer) {
        return Err(validation("The rules must be of the same listener"));
    }
    let key = format!("{}/{}/{}", first.account, first.load_balancer, first.listener);
    let listener = service.tables.get::<Listener>(&key).await?;
    let listener = listener.ok_or_else(|| crate::errors::rule_not_found(&first.arn))?;
    let mut given_out = BTreeSet::new();
    for rule in service.rules_of(&listener).await? {
        let own = wanted.get(&rule.arn).copied().unwrap_or(rule.priority);
        if !given_out.insert(own) {
            return Err(in_use(own));
        }
    }
    let mut batch = service.tables.batch().replace(&listener, &Listener::clone(&listener));
    let mut changed = Vec::new();
    for row in &rows {
        let new = Rule { priority: wanted[&row.arn], ..Rule::clone(row) };
        batch = batch.replace(row, &new);
        changed.push(new);
    }
    batch.commit().await?;
    Ok(changed)
}
