//! DescribeSecurityGroupRules: the rules of security groups one by one.

use crate::errors::dry_run;
use crate::ids::RULE;
use crate::paging::Asked;
use crate::shapes::{DescribeSecurityGroupRulesRequest, DescribeSecurityGroupRulesResult};
use crate::{Ec2Service, render};
use aws_wire::{RequestContext, ServiceError};
use resources::ec2::SecurityGroup;

pub(crate) async fn run(
    service: &Ec2Service,
    context: &RequestContext,
    input: DescribeSecurityGroupRulesRequest,
) -> Result<DescribeSecurityGroupRulesResult, ServiceError> {
    dry_run(input.dry_run)?;
    let tags = service.tags(context).await?;
    let groups = service.all::<SecurityGroup>(context).await?;
    let all = groups
        .iter()
        .flat_map(|group| group.rules.iter().map(|rule| render::rule(context, group, rule, &tags)))
        .collect();
    let asked = Asked {
        ids: input.security_group_rule_ids,
        filters: input.filters,
        max_results: input.max_results,
        next_token: input.next_token,
    };
    let (shown, next_token) =
        asked.of(all, &RULE, |own| own.security_group_rule_id.as_deref().unwrap_or_default())?;
    Ok(DescribeSecurityGroupRulesResult { security_group_rules: Some(shown), next_token })
}
