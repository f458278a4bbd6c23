//! AddUserToGroup and RemoveUserFromGroup.

use crate::errors::{Failure, no_such_entity, over_quota};
use crate::retry::retrying;
use crate::shapes::{AddUserToGroupRequest, RemoveUserFromGroupRequest};
use crate::{IamService, quotas};
use aws_wire::RequestContext;
use resources::iam::{Group, User};

pub(crate) async fn add_user_to_group(
    service: &IamService,
    context: &RequestContext,
    input: AddUserToGroupRequest,
) -> Result<(), Failure> {
    retrying!(add(service, context, &input))
}

pub(crate) async fn remove_user_from_group(
    service: &IamService,
    context: &RequestContext,
    input: RemoveUserFromGroupRequest,
) -> Result<(), Failure> {
    retrying!(remove(service, context, &input))
}

async fn add(
    service: &IamService,
    context: &RequestContext,
    input: &AddUserToGroupRequest,
) -> Result<(), Failure> {
    let user = service.find::<User>(context, &input.user_name).await?;
    let group = service.find::<Group>(context, &input.group_name).await?;
    if user.groups.contains(&group.name) {
        return Ok(());
    }
    if user.groups.len() >= quotas::GROUPS_PER_USER {
        return Err(over_quota("GroupsPerUser", quotas::GROUPS_PER_USER));
    }
    let mut joined = User::clone(&user);
    joined.groups.push(group.name.clone());
    let grown = Group { members: group.members + 1, ..Group::clone(&group) };
    service.tables.batch().replace(&user, &joined).replace(&group, &grown).commit().await?;
    Ok(())
}

async fn remove(
    service: &IamService,
    context: &RequestContext,
    input: &RemoveUserFromGroupRequest,
) -> Result<(), Failure> {
    let group = service.find::<Group>(context, &input.group_name).await?;
    let user = service.find::<User>(context, &input.user_name).await?;
    if !user.groups.contains(&group.name) {
        return Err(no_such_entity(format_args!("User {} not in group {}", user.name, group.name)));
    }
    let mut left = User::clone(&user);
    left.groups.retain(|name| *name != group.name);
    let shrunk = Group { members: group.members.saturating_sub(1), ..Group::clone(&group) };
    service.tables.batch().replace(&user, &left).replace(&group, &shrunk).commit().await?;
    Ok(())
}
