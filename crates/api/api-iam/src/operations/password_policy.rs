//! UpdateAccountPasswordPolicy, GetAccountPasswordPolicy and DeleteAccountPasswordPolicy.

use crate::IamService;
use crate::errors::{Failure, no_such_entity};
use crate::retry::retrying;
use crate::shapes::{
    GetAccountPasswordPolicyResponse, PasswordPolicy as Shown, UpdateAccountPasswordPolicyRequest,
};
use aws_wire::RequestContext;
use resources::iam::PasswordPolicy;

/// Fewest characters when the caller does not say.
const USUAL_LENGTH: u32 = 6;

/// What is not given goes to its default; nothing of the former policy stays.
pub(crate) async fn update_account_password_policy(
    service: &IamService,
    context: &RequestContext,
    input: UpdateAccountPasswordPolicyRequest,
) -> Result<(), Failure> {
    let number = |value: Option<i32>| value.and_then(|value| u32::try_from(value).ok());
    let policy = PasswordPolicy {
        minimum_length: number(input.minimum_password_length).unwrap_or(USUAL_LENGTH),
        require_symbols: input.require_symbols.unwrap_or(false),
        require_numbers: input.require_numbers.unwrap_or(false),
        require_uppercase: input.require_uppercase_characters.unwrap_or(false),
        require_lowercase: input.require_lowercase_characters.unwrap_or(false),
        users_may_change: input.allow_users_to_change_password.unwrap_or(false),
        max_age_days: number(input.max_password_age),
        reuse_prevention: number(input.password_reuse_prevention),
        hard_expiry: input.hard_expiry,
    };
    retrying!(set(service, context, Some(&policy)))
}

pub(crate) async fn get_account_password_policy(
    service: &IamService,
    context: &RequestContext,
    _input: (),
) -> Result<GetAccountPasswordPolicyResponse, Failure> {
    let (_, settings) = service.settings(&context.account).await?;
    let policy = settings.password_policy.ok_or_else(|| {
        no_such_entity(format_args!(
            "The Password Policy with domain name {} cannot be found.",
            context.account
        ))
    })?;
    let number = |value: u32| i32::try_from(value).ok();
    let password_policy = Shown {
        allow_users_to_change_password: Some(policy.users_may_change),
        expire_passwords: Some(policy.max_age_days.is_some_and(|days| days > 0)),
        hard_expiry: Some(policy.hard_expiry.unwrap_or(false)),
        max_password_age: number(policy.max_age_days.unwrap_or(0)),
        minimum_password_length: number(policy.minimum_length),
        password_reuse_prevention: policy.reuse_prevention.and_then(number),
        require_lowercase_characters: Some(policy.require_lowercase),
        require_numbers: Some(policy.require_numbers),
        require_symbols: Some(policy.require_symbols),
        require_uppercase_characters: Some(policy.require_uppercase),
    };
    Ok(GetAccountPasswordPolicyResponse { password_policy })
}

pub(crate) async fn delete_account_password_policy(
    service: &IamService,
    context: &RequestContext,
    _input: (),
) -> Result<(), Failure> {
    retrying!(set(service, context, None))
}

async fn set(
    service: &IamService,
    context: &RequestContext,
    policy: Option<&PasswordPolicy>,
) -> Result<(), Failure> {
    let (old, mut settings) = service.settings(&context.account).await?;
    if policy.is_none() && settings.password_policy.is_none() {
        return Err(no_such_entity("The account policy with name PasswordPolicy cannot be found."));
    }
    settings.password_policy = policy.cloned();
    match &old {
        Some(old) => service.tables.replace(old, settings).await?,
        None => service.tables.create(settings).await?,
    };
    Ok(())
}
