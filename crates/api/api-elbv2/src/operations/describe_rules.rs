//! DescribeRules: those of a listener end with its default rule.

use crate::errors::{Failure, in_list, validation};
use crate::shapes::{DescribeRulesInput, DescribeRulesOutput};
use crate::{ElbV2Service, paging, render};
use aws_wire::RequestContext;

pub(crate) async fn run(
    service: &ElbV2Service,
    context: &RequestContext,
    input: DescribeRulesInput,
) -> Result<DescribeRulesOutput, Failure> {
    let arns = input.rule_arns.unwrap_or_default();
    let mut rules = Vec::new();
    match &input.listener_arn {
        Some(_) if !arns.is_empty() => {
            return Err(validation("A listener ARN and rule ARNs cannot be specified at the same time"));
        }
        Some(arn) => {
            let listener = service.listener(context, arn).await?;
            rules.extend(service.rules_of(&listener).await?.iter().map(|row| render::rule(row)));
            rules.push(render::default_rule(&listener));
        }
        None if arns.is_empty() => {
            return Err(validation("You must specify either listener rule ARNs or a listener ARN"));
        }
        None => {
            for arn in &arns {
                rules.push(match service.listener_of_default_rule(context, arn).await? {
                    Some(listener) => render::default_rule(&listener),
                    None => render::rule(&*service.rule(context, arn).await.map_err(in_list)?),
                });
            }
        }
    }
    let key = |rule: &crate::shapes::Rule| rule.rule_arn.clone().unwrap_or_default();
    let (rules, next_marker) = paging::cut(rules, input.marker.as_deref(), input.page_size, key)?;
    Ok(DescribeRulesOutput { rules: Some(rules), next_marker })
}
