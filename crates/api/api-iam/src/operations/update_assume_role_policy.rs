//! UpdateAssumeRolePolicy.

use crate::IamService;
use crate::entities::{Named, Principal};
use crate::errors::Failure;
use crate::shapes::UpdateAssumeRolePolicyRequest;
use aws_wire::RequestContext;
use resources::iam::{Role, key_of};

pub(crate) async fn run(
    service: &IamService,
    context: &RequestContext,
    input: UpdateAssumeRolePolicyRequest,
) -> Result<(), Failure> {
    service.find::<Role>(context, &input.role_name).await?;
    let trust_policy = service.bound_trust(context, &input.policy_document).await?;
    let change = |role: &Role| {
        role.modifiable()?;
        Ok::<_, Failure>(Some(Role { trust_policy: trust_policy.clone(), ..role.clone() }))
    };
    let updated = service.tables.update(&key_of(&context.account, &input.role_name), change).await?;
    updated.map(|_| ()).ok_or_else(|| Role::not_found(&input.role_name))
}
