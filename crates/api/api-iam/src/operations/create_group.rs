//! CreateGroup.

use crate::entities::now;
use crate::errors::{Failure, already_exists};
use crate::shapes::{CreateGroupRequest, CreateGroupResponse};
use crate::{IamService, ids, quotas, render};
use aws_wire::RequestContext;
use resources::iam::{Group, PrincipalPolicies};
use store::StoreError;

pub(crate) async fn run(
    service: &IamService,
    context: &RequestContext,
    input: CreateGroupRequest,
) -> Result<CreateGroupResponse, Failure> {
    service.room_for::<Group>(&context.account, "GroupsPerAccount", quotas::GROUPS).await?;
    let group = Group {
        account: context.account.clone(),
        name: input.group_name.clone(),
        path: input.path.unwrap_or_else(|| "/".to_owned()),
        id: ids::unique(service.environment(), "AGPA"),
        policies: PrincipalPolicies::default(),
        members: 0,
        created_at: now(context),
    };
    match service.tables.create(group).await {
        Ok(group) => Ok(CreateGroupResponse { group: render::group(&group) }),
        Err(StoreError::AlreadyExists(_)) => {
            Err(already_exists(format_args!("Group with name {} already exists.", input.group_name)))
        }
        Err(error) => Err(error.into()),
    }
}
