//! ListRoles.

use crate::errors::Failure;
use crate::paging::Paging;
use crate::shapes::{ListRolesRequest, ListRolesResponse};
use crate::{IamService, render};
use aws_wire::RequestContext;
use resources::Stored;
use resources::iam::{Role, rows_of};

pub(crate) async fn run(
    service: &IamService,
    context: &RequestContext,
    input: ListRolesRequest,
) -> Result<ListRolesResponse, Failure> {
    let paging = Paging::new(input.marker.as_deref(), input.max_items)?;
    let prefix = input.path_prefix.unwrap_or_default();
    let rows = service.tables.list_all::<Role>(&rows_of(&context.account)).await?;
    let rows = rows.into_iter().filter(|role| role.path.starts_with(&prefix));
    let part = paging.cut(rows, |role| role.key());
    let mut roles = Vec::with_capacity(part.items.len());
    for role in part.items {
        roles.push(render::role_in_list(&service.with_trust_shown(&role).await?));
    }
    Ok(ListRolesResponse { roles, is_truncated: part.is_truncated, marker: part.marker })
}
