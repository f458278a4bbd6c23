//! UpdateAssumeRolePolicy.

use crate::documents::{check_trust, size};
use crate::entities::{Named, Principal};
use crate::errors::{Failure, over_quota};
use crate::shapes::UpdateAssumeRolePolicyRequest;
use crate::{IamService, quotas};
use aws_wire::RequestContext;
use resources::iam::{Role, key_of};

pub(crate) async fn run(
    service: &IamService,
    context: &RequestContext,
    input: UpdateAssumeRolePolicyRequest,
) -> Result<(), Failure> {
    let change = |role: &Role| {
        role.modifiable()?;
        check_trust(&input.policy_document)?;
        if size(&input.policy_document) > quotas::TRUST_POLICY_SIZE {
            return Err(over_quota("ACLSizePerRole", quotas::TRUST_POLICY_SIZE));
        }
        Ok(Some(Role { trust_policy: input.policy_document.clone(), ..role.clone() }))
    };
    let updated = service.tables.update(&key_of(&context.account, &input.role_name), change).await?;
    updated.map(|_| ()).ok_or_else(|| Role::not_found(&input.role_name))
}
