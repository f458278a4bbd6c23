//! UpdateRole and UpdateRoleDescription.

use super::create_role::session_length;
use crate::entities::{Named, Principal};
use crate::errors::Failure;
use crate::shapes::{
    UpdateRoleDescriptionRequest, UpdateRoleDescriptionResponse, UpdateRoleRequest, UpdateRoleResponse,
};
use crate::{IamService, render};
use aws_wire::RequestContext;
use resources::iam::{Role, key_of};

/// What is not given goes back to what a new role has.
pub(crate) async fn update_role(
    service: &IamService,
    context: &RequestContext,
    input: UpdateRoleRequest,
) -> Result<UpdateRoleResponse, Failure> {
    let change = |role: &Role| {
        role.modifiable()?;
        Ok::<_, Failure>(Some(Role {
            description: input.description.clone(),
            max_session_seconds: session_length(input.max_session_duration),
            ..role.clone()
        }))
    };
    let updated = service.tables.update(&key_of(&context.account, &input.role_name), change).await?;
    updated.map(|_| UpdateRoleResponse {}).ok_or_else(|| Role::not_found(&input.role_name))
}

pub(crate) async fn update_role_description(
    service: &IamService,
    context: &RequestContext,
    input: UpdateRoleDescriptionRequest,
) -> Result<UpdateRoleDescriptionResponse, Failure> {
    let change = |role: &Role| {
        role.modifiable()?;
        Ok::<_, Failure>(Some(Role { description: Some(input.description.clone()), ..role.clone() }))
    };
    let updated = service.tables.update(&key_of(&context.account, &input.role_name), change).await?;
    let updated = updated.ok_or_else(|| Role::not_found(&input.role_name))?;
    let updated = service.with_trust_shown(&updated).await?;
    Ok(UpdateRoleDescriptionResponse { role: Some(render::new_role(&updated)) })
}
