//! ListUsers.

use crate::errors::Failure;
use crate::paging::Paging;
use crate::shapes::{ListUsersRequest, ListUsersResponse};
use crate::{IamService, render};
use aws_wire::RequestContext;
use resources::Stored;
use resources::iam::{User, rows_of};

pub(crate) async fn run(
    service: &IamService,
    context: &RequestContext,
    input: ListUsersRequest,
) -> Result<ListUsersResponse, Failure> {
    let paging = Paging::new(input.marker.as_deref(), input.max_items)?;
    let prefix = input.path_prefix.unwrap_or_default();
    let rows = service.tables.list_all::<User>(&rows_of(&context.account)).await?;
    let rows = rows.into_iter().filter(|user| user.path.starts_with(&prefix));
    let part = paging.cut(rows, |user| user.key()).map(|user| render::user_in_list(&user));
    Ok(ListUsersResponse { users: part.items, is_truncated: part.is_truncated, marker: part.marker })
}
