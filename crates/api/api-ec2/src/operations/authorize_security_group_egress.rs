//! AuthorizeSecurityGroupEgress: rules for what members send.

use crate::security_groups::Change;
use crate::shapes::{AuthorizeSecurityGroupEgressRequest, AuthorizeSecurityGroupEgressResult};
use crate::{Ec2Service, rules};
use aws_wire::{RequestContext, ServiceError};

pub(crate) async fn run(
    service: &Ec2Service,
    context: &RequestContext,
    input: AuthorizeSecurityGroupEgressRequest,
) -> Result<AuthorizeSecurityGroupEgressResult, ServiceError> {
    let change = Change {
        egress: true,
        dry_run: input.dry_run,
        group_id: Some(input.group_id),
        group_name: None,
        permissions: input.ip_permissions,
        plain: rules::plain(
            input.ip_protocol,
            (input.from_port, input.to_port),
            input.cidr_ip,
            input.source_security_group_name,
        ),
    };
    let rules = service.authorize(context, change, input.tag_specifications).await?;
    Ok(AuthorizeSecurityGroupEgressResult { r#return: Some(true), security_group_rules: Some(rules) })
}
