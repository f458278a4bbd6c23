//! GetRole.

use crate::errors::Failure;
use crate::shapes::{GetRoleRequest, GetRoleResponse};
use crate::{IamService, render};
use aws_wire::RequestContext;
use resources::iam::{Role, RoleUse};

pub(crate) async fn run(
    service: &IamService,
    context: &RequestContext,
    input: GetRoleRequest,
) -> Result<GetRoleResponse, Failure> {
    let role = service.find::<Role>(context, &input.role_name).await?;
    let used = service.tables.get::<RoleUse>(&RoleUse::key_of(&context.account, &role.id)).await?;
    let role = service.with_trust_shown(&role).await?;
    Ok(GetRoleResponse { role: render::role(&role, used.as_deref()) })
}
