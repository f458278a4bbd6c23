//! RevokeSecurityGroupIngress: fewer rules for what members receive.

use crate::security_groups::Change;
use crate::shapes::{RevokeSecurityGroupIngressRequest, RevokeSecurityGroupIngressResult};
use crate::{Ec2Service, rules};
use aws_wire::{RequestContext, ServiceError};

pub(crate) async fn run(
    service: &Ec2Service,
    context: &RequestContext,
    input: RevokeSecurityGroupIngressRequest,
) -> Result<RevokeSecurityGroupIngressResult, ServiceError> {
    let change = Change {
        egress: false,
        dry_run: input.dry_run,
        group_id: input.group_id,
        group_name: input.group_name,
        permissions: input.ip_permissions,
        plain: rules::plain(
            input.ip_protocol,
            (input.from_port, input.to_port),
            input.cidr_ip,
            input.source_security_group_name,
        ),
    };
    let revoked = service.revoke(context, change, input.security_group_rule_ids).await?;
    Ok(RevokeSecurityGroupIngressResult {
        r#return: Some(true),
        revoked_security_group_rules: Some(revoked),
        unknown_ip_permissions: None,
    })
}
