//! DeleteRole: only one that nothing hangs on.

use crate::IamService;
use crate::entities::Principal;
use crate::errors::{Failure, delete_conflict};
use crate::retry::retrying;
use crate::shapes::DeleteRoleRequest;
use crate::uses::{Usage, release};
use aws_wire::RequestContext;
use resources::iam::{Role, RoleUse, UniqueId};

pub(crate) async fn run(
    service: &IamService,
    context: &RequestContext,
    input: DeleteRoleRequest,
) -> Result<(), Failure> {
    retrying!(delete(service, context, &input.role_name))
}

async fn delete(service: &IamService, context: &RequestContext, name: &str) -> Result<(), Failure> {
    let role = service.find::<Role>(context, name).await?;
    role.modifiable()?;
    let hangs_on = [
        (!role.instance_profiles.is_empty(), "must remove roles from instance profile first"),
        (!role.policies.attached.is_empty(), "must detach all policies first"),
        (!role.policies.inline.is_empty(), "must delete policies first"),
    ];
    if let Some((_, what)) = hangs_on.iter().find(|(hangs, _)| *hangs) {
        return Err(delete_conflict(format_args!("Cannot delete entity, {what}.")));
    }
    let used = RoleUse::key_of(&context.account, &role.id);
    let mut batch = service.tables.batch().delete(&role).delete_any::<UniqueId>(&role.id);
    batch = batch.delete_any::<RoleUse>(&used);
    if let Some(boundary) = &role.boundary {
        batch = release(service, batch, &context.account, boundary, Usage::Boundary).await?;
    }
    batch.commit().await?;
    Ok(())
}
