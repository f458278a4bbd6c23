//! UpdateUser: another name or path. Its access keys follow, because they carry its name and ARN.

use crate::IamService;
use crate::errors::{Failure, already_exists};
use crate::retry::retrying;
use crate::shapes::UpdateUserRequest;
use aws_wire::RequestContext;
use resources::Stored;
use resources::access::AccessKey;
use resources::iam::{SigningCertificate, SshPublicKey, UniqueId, User, key_of};

pub(crate) async fn run(
    service: &IamService,
    context: &RequestContext,
    input: UpdateUserRequest,
) -> Result<(), Failure> {
    retrying!(update(service, context, &input))
}

async fn update(
    service: &IamService,
    context: &RequestContext,
    input: &UpdateUserRequest,
) -> Result<(), Failure> {
    let old = service.find::<User>(context, &input.user_name).await?;
    let mut new = User::clone(&old);
    if let Some(path) = &input.new_path {
        new.path.clone_from(path);
    }
    if let Some(name) = &input.new_user_name {
        new.name.clone_from(name);
    }
    let mut batch = service.tables.batch().put_any(&UniqueId::from(&new));
    batch = if new.key() == old.key() {
        batch.replace(&old, &new)
    } else {
        let taken = service.tables.get::<User>(&key_of(&context.account, &new.name)).await?;
        if taken.is_some() {
            return Err(already_exists(format_args!("User with name {} already exists.", new.name)));
        }
        batch.delete(&old).create(&new)
    };
    for key in service.tables.get_many::<AccessKey>(&old.access_keys).await?.into_iter().flatten() {
        let renamed =
            AccessKey { principal_arn: new.arn(), user: Some(new.name.clone()), ..AccessKey::clone(&key) };
        batch = batch.replace(&key, &renamed);
    }
    for row in service.tables.list_all::<SigningCertificate>(&SigningCertificate::rows_of(&old)).await? {
        let moved = SigningCertificate { user: new.name.clone(), ..SigningCertificate::clone(&row) };
        batch = batch.delete(&row).put_any(&moved);
    }
    for row in service.tables.list_all::<SshPublicKey>(&SshPublicKey::rows_of(&old)).await? {
        let moved = SshPublicKey { user: new.name.clone(), ..SshPublicKey::clone(&row) };
        batch = batch.delete(&row).put_any(&moved);
    }
    batch.commit().await?;
    Ok(())
}
