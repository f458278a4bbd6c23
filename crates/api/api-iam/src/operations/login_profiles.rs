//! CreateLoginProfile, GetLoginProfile, UpdateLoginProfile, DeleteLoginProfile and ChangePassword.

use crate::IamService;
use crate::entities::now;
use crate::errors::{Failure, already_exists, no_such_entity, validation};
use crate::passwords;
use crate::shapes::{
    ChangePasswordRequest, CreateLoginProfileRequest, CreateLoginProfileResponse, DeleteLoginProfileRequest,
    GetLoginProfileRequest, GetLoginProfileResponse, LoginProfile as Shown, UpdateLoginProfileRequest,
    errors,
};
use aws_wire::{RequestContext, ServiceError};
use resources::Stored;
use resources::access::Secret;
use resources::iam::{LoginProfile, User};

pub(crate) async fn create_login_profile(
    service: &IamService,
    context: &RequestContext,
    input: CreateLoginProfileRequest,
) -> Result<CreateLoginProfileResponse, Failure> {
    let user = service.user_or_caller(context, input.user_name.as_deref()).await?;
    if user.login_profile.is_some() {
        return Err(taken(&user.name));
    }
    let Some(password) = input.password.map(Secret::new) else {
        return Err(validation("Must specify a password; this region takes no login profiles without one."));
    };
    let (_, settings) = service.settings(&context.account).await?;
    let password_hash =
        passwords::accept(service.environment(), settings.password_policy, &password, &user.name, None)
            .await?;
    let profile = LoginProfile {
        password_hash,
        former: Vec::new(),
        reset_required: input.password_reset_required.unwrap_or(false),
        created_at: now(context),
        changed_at: now(context),
    };
    let change = |user: &User| match user.login_profile {
        Some(_) => Err(taken(&user.name)),
        None => Ok(Some(User { login_profile: Some(profile.clone()), ..user.clone() })),
    };
    service.tables.update(&user.key(), change).await?;
    Ok(CreateLoginProfileResponse { login_profile: shown(&user.name, &profile) })
}

pub(crate) async fn get_login_profile(
    service: &IamService,
    context: &RequestContext,
    input: GetLoginProfileRequest,
) -> Result<GetLoginProfileResponse, Failure> {
    let user = service.user_or_caller(context, input.user_name.as_deref()).await?;
    let profile = user.login_profile.as_ref().ok_or_else(|| no_profile(&user.name))?;
    Ok(GetLoginProfileResponse { login_profile: shown(&user.name, profile) })
}

pub(crate) async fn update_login_profile(
    service: &IamService,
    context: &RequestContext,
    input: UpdateLoginProfileRequest,
) -> Result<(), Failure> {
    let user = service.find::<User>(context, &input.user_name).await?;
    let password = input.password.map(Secret::new);
    set_password(service, context, &user, password.as_ref(), input.password_reset_required).await
}

pub(crate) async fn delete_login_profile(
    service: &IamService,
    context: &RequestContext,
    input: DeleteLoginProfileRequest,
) -> Result<(), Failure> {
    let user = service.user_or_caller(context, input.user_name.as_deref()).await?;
    let change = |user: &User| match user.login_profile {
        None => Err(no_profile(&user.name)),
        Some(_) => Ok(Some(User { login_profile: None, ..user.clone() })),
    };
    service.tables.update(&user.key(), change).await?;
    Ok(())
}

/// A user's own password, with the old one as proof.
pub(crate) async fn change_password(
    service: &IamService,
    context: &RequestContext,
    input: ChangePasswordRequest,
) -> Result<(), Failure> {
    let (old, new) = (Secret::new(input.old_password), Secret::new(input.new_password));
    let refused = |shape, message: &'static str| Failure::Answer(ServiceError::new(shape, message));
    let Ok(user) = service.user_or_caller(context, None).await else {
        return Err(refused(
            &errors::INVALID_USER_TYPE_EXCEPTION,
            "Only IAM Users can change their own password.",
        ));
    };
    let profile = user.login_profile.as_ref().ok_or_else(|| no_profile(&user.name))?;
    if !passwords::matches(&profile.password_hash, &old).await {
        return Err(crate::errors::password_policy("The old password was incorrect."));
    }
    set_password(service, context, &user, Some(&new), Some(false)).await
}

async fn set_password(
    service: &IamService,
    context: &RequestContext,
    user: &User,
    password: Option<&Secret>,
    reset_required: Option<bool>,
) -> Result<(), Failure> {
    let old = user.login_profile.as_ref().ok_or_else(|| no_profile(&user.name))?;
    let mut profile = old.clone();
    if let Some(password) = password {
        let (_, settings) = service.settings(&context.account).await?;
        let kept = settings.password_policy.as_ref().and_then(|policy| policy.reuse_prevention);
        let hash = passwords::accept(
            service.environment(),
            settings.password_policy,
            password,
            &user.name,
            Some(old),
        )
        .await?;
        profile.former.insert(0, profile.password_hash);
        profile.former.truncate(kept.and_then(|kept| usize::try_from(kept).ok()).unwrap_or(0));
        profile.password_hash = hash;
        profile.changed_at = now(context);
    }
    if let Some(reset) = reset_required {
        profile.reset_required = reset;
    }
    let change = |current: &User| match &current.login_profile {
        None => Err(no_profile(&current.name)),
        Some(_) => Ok(Some(User { login_profile: Some(profile.clone()), ..current.clone() })),
    };
    service.tables.update(&user.key(), change).await?;
    Ok(())
}

fn shown(user: &str, profile: &LoginProfile) -> Shown {
    Shown {
        create_date: profile.created_at,
        password_reset_required: Some(profile.reset_required),
        user_name: user.to_owned(),
    }
}

fn no_profile(user: &str) -> Failure {
    no_such_entity(format_args!("Login Profile for User {user} cannot be found."))
}

fn taken(user: &str) -> Failure {
    already_exists(format_args!("Login Profile for user {user} already exists."))
}
