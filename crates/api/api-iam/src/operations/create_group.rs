//! CreateGroup.

use crate::entities::now;
use crate::errors::{Failure, already_exists};
use crate::shapes::{CreateGroupRequest, CreateGroupResponse};
use crate::{IamService, ids, quotas, render};
use aws_wire::RequestContext;
use resources::iam::{Group, PrincipalPolicies};

pub(crate) async fn run(
    service: &IamService,
    context: &RequestContext,
    input: CreateGroupRequest,
) -> Result<CreateGroupResponse, Failure> {
    let group = Group {
        account: context.account.clone(),
        name: input.group_name.clone(),
        path: input.path.unwrap_or_else(|| "/".to_owned()),
        id: ids::unique(service.environment(), "AGPA"),
        policies: PrincipalPolicies::default(),
        members: 0,
        created_at: now(context),
    };
    let quota = ("GroupsPerAccount", quotas::GROUPS);
    if !service.create_counted(&context.account, &group, quota).await? {
        return Err(already_exists(format_args!("Group with name {} already exists.", input.group_name)));
    }
    Ok(CreateGroupResponse { group: render::group(&group) })
}
