//! GetGroup: a group and who is in it.

use crate::errors::Failure;
use crate::paging::Paging;
use crate::shapes::{GetGroupRequest, GetGroupResponse};
use crate::{IamService, render};
use aws_wire::RequestContext;
use resources::Stored;
use resources::iam::{Group, User, rows_of};

pub(crate) async fn run(
    service: &IamService,
    context: &RequestContext,
    input: GetGroupRequest,
) -> Result<GetGroupResponse, Failure> {
    let paging = Paging::new(input.marker.as_deref(), input.max_items)?;
    let group = service.find::<Group>(context, &input.group_name).await?;
    let users = service.tables.list_all::<User>(&rows_of(&context.account)).await?;
    let members = users.into_iter().filter(|user| user.groups.contains(&group.name));
    let part = paging.cut(members, |user| user.key()).map(|user| render::user_in_list(&user));
    Ok(GetGroupResponse {
        group: render::group(&group),
        users: part.items,
        is_truncated: part.is_truncated,
        marker: part.marker,
    })
}
