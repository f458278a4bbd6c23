//! GetUser: the user named, else the caller.

use crate::entities::{is_root, now};
use crate::errors::Failure;
use crate::shapes::{GetUserRequest, GetUserResponse, User};
use crate::{IamService, render};
use aws_wire::RequestContext;

pub(crate) async fn run(
    service: &IamService,
    context: &RequestContext,
    input: GetUserRequest,
) -> Result<GetUserResponse, Failure> {
    if input.user_name.is_none() && is_root(context) {
        return Ok(GetUserResponse { user: root(context) });
    }
    let user = service.user_or_caller(context, input.user_name.as_deref()).await?;
    Ok(GetUserResponse { user: render::user(&user) })
}

/// The root of an account, which is shown as a user without a name. When its account was made is not known to IAM.
fn root(context: &RequestContext) -> User {
    User {
        arn: context.principal_arn.to_string(),
        create_date: now(context),
        path: "/".to_owned(),
        user_id: context.account.to_string(),
        ..User::default()
    }
}
