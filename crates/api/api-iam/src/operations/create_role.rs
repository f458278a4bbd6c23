//! CreateRole.

use crate::entities::now;
use crate::errors::{Failure, already_exists, validation};
use crate::quotas::Quota;
use crate::shapes::{CreateRoleRequest, CreateRoleResponse};
use crate::{IamService, ids, quotas, render, tags};
use aws_wire::RequestContext;
use resources::iam::{PrincipalPolicies, Role};

/// How many roles an account may have.
pub(super) const ROLES: Quota = ("RolesPerAccount", quotas::ROLES);
/// Longest session of a role that does not say, in seconds.
pub(super) const USUAL_SESSION: u32 = 3_600;

pub(crate) async fn run(
    service: &IamService,
    context: &RequestContext,
    input: CreateRoleRequest,
) -> Result<CreateRoleResponse, Failure> {
    let path = input.path.unwrap_or_else(|| "/".to_owned());
    if path.starts_with("/aws-service-role/") {
        return Err(validation(
            "Roles in the path /aws-service-role/ are made with CreateServiceLinkedRole only.",
        ));
    }
    let trust_policy = service.bound_trust(context, &input.assume_role_policy_document).await?;
    let role = Role {
        account: context.account.clone(),
        name: input.role_name,
        path,
        id: ids::unique(service.environment(), "AROA"),
        description: input.description,
        trust_policy,
        max_session_seconds: session_length(input.max_session_duration),
        policies: PrincipalPolicies::default(),
        boundary: None,
        instance_profiles: Vec::new(),
        linked_service: None,
        tags: tags::new(input.tags)?,
        created_at: now(context),
    };
    let name = role.name.clone();
    let made = service.create_bounded(context, role, input.permissions_boundary, ROLES).await?;
    let role = made.ok_or_else(|| already_exists(format_args!("Role with name {name} already exists.")))?;
    Ok(CreateRoleResponse { role: render::new_role(&service.with_trust_shown(&role).await?) })
}

/// The model bounds it from an hour to twelve.
pub(super) fn session_length(given: Option<i32>) -> u32 {
    given.and_then(|seconds| u32::try_from(seconds).ok()).unwrap_or(USUAL_SESSION)
}
