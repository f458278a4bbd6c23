//! UpdateGroup: another name or path. The users in it carry its name, and follow.

use crate::IamService;
use crate::errors::{Failure, already_exists};
use crate::retry::retrying;
use crate::shapes::UpdateGroupRequest;
use aws_wire::RequestContext;
use resources::Stored;
use resources::iam::{Group, User, key_of, rows_of};

pub(crate) async fn run(
    service: &IamService,
    context: &RequestContext,
    input: UpdateGroupRequest,
) -> Result<(), Failure> {
    retrying!(update(service, context, &input))
}

async fn update(
    service: &IamService,
    context: &RequestContext,
    input: &UpdateGroupRequest,
) -> Result<(), Failure> {
    let old = service.find::<Group>(context, &input.group_name).await?;
    let mut new = Group::clone(&old);
    if let Some(path) = &input.new_path {
        new.path.clone_from(path);
    }
    if let Some(name) = &input.new_group_name {
        new.name.clone_from(name);
    }
    let mut batch = service.tables.batch();
    batch = if new.key() == old.key() {
        batch.replace(&old, &new)
    } else {
        let taken = service.tables.get::<Group>(&key_of(&context.account, &new.name)).await?;
        if taken.is_some() {
            return Err(already_exists(format_args!("Group with name {} already exists.", new.name)));
        }
        batch.delete(&old).create(&new)
    };
    if new.name != old.name {
        // Whoever joins meanwhile changes the group's row, so that this transaction fails and is tried again.
        for user in service.tables.list_all::<User>(&rows_of(&context.account)).await? {
            if user.groups.contains(&old.name) {
                let mut moved = User::clone(&user);
                for name in moved.groups.iter_mut().filter(|name| **name == old.name) {
                    name.clone_from(&new.name);
                }
                batch = batch.replace(&user, &moved);
            }
        }
    }
    batch.commit().await?;
    Ok(())
}
