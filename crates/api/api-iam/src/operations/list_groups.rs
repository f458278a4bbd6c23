//! ListGroups and ListGroupsForUser.

use crate::errors::Failure;
use crate::paging::Paging;
use crate::shapes::{
    ListGroupsForUserRequest, ListGroupsForUserResponse, ListGroupsRequest, ListGroupsResponse,
};
use crate::{IamService, render};
use aws_wire::RequestContext;
use resources::Stored;
use resources::iam::{Group, User, key_of, rows_of};

pub(crate) async fn list_groups(
    service: &IamService,
    context: &RequestContext,
    input: ListGroupsRequest,
) -> Result<ListGroupsResponse, Failure> {
    let paging = Paging::new(input.marker.as_deref(), input.max_items)?;
    let prefix = input.path_prefix.unwrap_or_default();
    let rows = service.tables.list_all::<Group>(&rows_of(&context.account)).await?;
    let rows = rows.into_iter().filter(|group| group.path.starts_with(&prefix));
    let part = paging.cut(rows, |group| group.key()).map(|group| render::group(&group));
    Ok(ListGroupsResponse { groups: part.items, is_truncated: part.is_truncated, marker: part.marker })
}

pub(crate) async fn list_groups_for_user(
    service: &IamService,
    context: &RequestContext,
    input: ListGroupsForUserRequest,
) -> Result<ListGroupsForUserResponse, Failure> {
    let paging = Paging::new(input.marker.as_deref(), input.max_items)?;
    let user = service.find::<User>(context, &input.user_name).await?;
    let keys: Vec<String> = user.groups.iter().map(|name| key_of(&context.account, name)).collect();
    let mut groups: Vec<_> = service.tables.get_many::<Group>(&keys).await?.into_iter().flatten().collect();
    groups.sort_by_key(|group| group.key());
    let part = paging.cut(groups, |group| group.key()).map(|group| render::group(&group));
    Ok(ListGroupsForUserResponse { groups: part.items, is_truncated: part.is_truncated, marker: part.marker })
}
