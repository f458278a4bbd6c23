//! CreateUser.

use crate::entities::now;
use crate::errors::{Failure, already_exists};
use crate::shapes::{CreateUserRequest, CreateUserResponse};
use crate::{IamService, ids, quotas, render, tags};
use aws_wire::RequestContext;
use resources::iam::{PrincipalPolicies, User};

pub(crate) async fn run(
    service: &IamService,
    context: &RequestContext,
    input: CreateUserRequest,
) -> Result<CreateUserResponse, Failure> {
    let CreateUserRequest { path, permissions_boundary, tags, user_name } = input;
    let user = User {
        account: context.account.clone(),
        path: path.unwrap_or_else(|| "/".to_owned()),
        id: ids::unique(service.environment(), "AIDA"),
        groups: Vec::new(),
        policies: PrincipalPolicies::default(),
        boundary: None,
        access_keys: Vec::new(),
        mfa_devices: Vec::new(),
        login_profile: None,
        tags: tags::new(tags)?,
        created_at: now(context),
        name: user_name,
    };
    let name = user.name.clone();
    let quota = ("UsersPerAccount", quotas::USERS);
    let made = service.create_bounded(context, user, permissions_boundary, quota).await?;
    let user = made.ok_or_else(|| already_exists(format_args!("User with name {name} already exists.")))?;
    Ok(CreateUserResponse { user: Some(render::user(&user)) })
}
