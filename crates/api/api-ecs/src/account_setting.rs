//! Account settings: their names and values, and whose they are.

use crate::errors::{Failure, invalid};
use crate::shapes::{Setting, SettingName, SettingType, errors};
use aws_wire::{RequestContext, ServiceError};
use resources::ecs::AccountSetting;
use store::Tables;

/// Names with their defaults and the values that this region can honour.
const SETTINGS: &[(SettingName, &str, &[&str])] = &[
    (SettingName::AwsvpcTrunking, "disabled", &["disabled"]),
    (SettingName::ContainerInsights, "disabled", &["disabled"]),
    (SettingName::ContainerInstanceLongArnFormat, "enabled", &["enabled"]),
    (SettingName::DefaultLogDriverMode, "non-blocking", &["non-blocking"]),
    (SettingName::FargateEventWindows, "disabled", &["disabled"]),
    (SettingName::FargateFIPSMode, "disabled", &["disabled"]),
    (SettingName::FargateTaskRetirementWaitPeriod, "7", &["0", "7", "14"]),
    (SettingName::GuardDutyActivate, "off", &[]),
    (SettingName::ServiceLongArnFormat, "enabled", &["enabled"]),
    (SettingName::TagResourceAuthorization, "on", &["on"]),
    (SettingName::TaskLongArnFormat, "enabled", &["enabled"]),
];

/// Every name, in the order in which they are listed.
pub(crate) fn names() -> impl Iterator<Item = SettingName> {
    SETTINGS.iter().map(|(name, _, _)| *name)
}

/// The value of who has set none.
pub(crate) fn default_value(name: SettingName) -> &'static str {
    SETTINGS.iter().find(|(own, _, _)| *own == name).map_or("", |(_, value, _)| value)
}

/// Refuses values that AWS does not know, and those that would not be honoured.
pub(crate) fn check_value(name: SettingName, value: &str) -> Result<(), ServiceError> {
    if name == SettingName::GuardDutyActivate {
        return Err(invalid("The guardDutyActivate setting is read-only."));
    }
    let values = SETTINGS.iter().find(|(own, _, _)| *own == name).map_or(&[][..], |(_, _, values)| values);
    if values.contains(&value) {
        return Ok(());
    }
    Err(invalid(format!(
        "Invalid value {value:?} for the account setting {}. In this region it can be: {}.",
        name.as_str(),
        values.join(", ")
    )))
}

/// ARN of the root of the caller's account.
pub(crate) fn root(context: &RequestContext) -> String {
    format!("arn:aws:iam::{}:root", context.account)
}

/// Who a request is about: the caller, or the principal that it names, which only the root may name for another.
pub(crate) fn principal(context: &RequestContext, given: Option<String>) -> Result<String, ServiceError> {
    let caller = own_principal(context);
    let Some(given) = given else { return Ok(caller) };
    if given == caller || caller == root(context) {
        let of_account = format!("arn:aws:iam::{}:", context.account);
        let rest = given.strip_prefix(&of_account).unwrap_or_default();
        if rest == "root" || rest.starts_with("user/") || rest.starts_with("role/") {
            return Ok(given);
        }
        return Err(invalid("The principalArn must be of a user, a role or the root of the account."));
    }
    Err(ServiceError::new(
        &errors::ACCESS_DENIED_EXCEPTION,
        "Only the root user may see or change the account settings of another principal.",
    ))
}

/// The user, the role behind a session, or the root.
fn own_principal(context: &RequestContext) -> String {
    let arn = context.principal_arn.to_string();
    let session = arn.split_once(":assumed-role/").and_then(|(_, rest)| rest.split('/').next());
    session.map_or(arn.clone(), |role| format!("arn:aws:iam::{}:role/{role}", context.account))
}

/// What a principal has set.
pub(crate) async fn explicit(
    tables: &Tables,
    context: &RequestContext,
    principal: &str,
    name: SettingName,
) -> Result<Option<String>, Failure> {
    let key = AccountSetting::key_of(&context.account, principal, name.as_str());
    Ok(tables.get::<AccountSetting>(&key).await?.map(|row| row.value.value.clone()))
}

/// What holds for a principal: its own value, the account's, or the default.
pub(crate) async fn effective(
    tables: &Tables,
    context: &RequestContext,
    principal: &str,
    name: SettingName,
) -> Result<String, Failure> {
    if let Some(own) = explicit(tables, context, principal, name).await? {
        return Ok(own);
    }
    let of_account = explicit(tables, context, &root(context), name).await?;
    Ok(of_account.unwrap_or_else(|| default_value(name).to_owned()))
}

/// A setting as it is shown.
pub(crate) fn render(name: SettingName, value: String, principal: String) -> Setting {
    Setting {
        name: Some(name),
        value: Some(value),
        principal_arn: Some(principal),
        r#type: Some(if name == SettingName::GuardDutyActivate {
            SettingType::AwsManaged
        } else {
            SettingType::User
        }),
    }
}
