//! DeleteUser: only one that nothing hangs on.

use crate::IamService;
use crate::errors::{Failure, delete_conflict};
use crate::retry::retrying;
use crate::shapes::DeleteUserRequest;
use crate::uses::{Usage, release};
use aws_wire::RequestContext;
use resources::iam::{SigningCertificate, SshPublicKey, UniqueId, User};

pub(crate) async fn run(
    service: &IamService,
    context: &RequestContext,
    input: DeleteUserRequest,
) -> Result<(), Failure> {
    retrying!(delete(service, context, &input.user_name))
}

async fn delete(service: &IamService, context: &RequestContext, name: &str) -> Result<(), Failure> {
    let user = service.find::<User>(context, name).await?;
    let signing = service.tables.list_all::<SigningCertificate>(&SigningCertificate::rows_of(&user)).await?;
    let public_keys = service.tables.list_all::<SshPublicKey>(&SshPublicKey::rows_of(&user)).await?;
    let hangs_on = [
        (!user.groups.is_empty(), "must remove user from groups first"),
        (!user.policies.attached.is_empty(), "must detach all policies first"),
        (!user.policies.inline.is_empty(), "must delete policies first"),
        (!user.access_keys.is_empty(), "must delete access keys first"),
        (!user.mfa_devices.is_empty(), "must delete MFA device first"),
        (user.login_profile.is_some(), "must delete login profile first"),
        (!public_keys.is_empty(), "must delete SSH public keys first"),
        (!signing.is_empty(), "must delete signing certificates first"),
    ];
    if let Some((_, what)) = hangs_on.iter().find(|(hangs, _)| *hangs) {
        return Err(delete_conflict(format_args!("Cannot delete entity, {what}.")));
    }
    let mut batch = service.tables.batch().delete(&user).delete_any::<UniqueId>(&user.id);
    if let Some(boundary) = &user.boundary {
        batch = release(service, batch, &context.account, boundary, Usage::Boundary).await?;
    }
    batch.commit().await?;
    Ok(())
}
