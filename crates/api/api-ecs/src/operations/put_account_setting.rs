//! PutAccountSetting: a value of the caller, or of the principal that the root names.

use crate::account_setting::{check_value, principal, render, root};
use crate::errors::Failure;
use crate::shapes::{PutAccountSettingRequest, PutAccountSettingResponse, Setting, SettingName, errors};
use aws_wire::{RequestContext, ServiceError};
use resources::ecs::AccountSetting;
use store::Tables;

pub(crate) async fn run(
    tables: &Tables,
    context: &RequestContext,
    input: PutAccountSettingRequest,
) -> Result<PutAccountSettingResponse, ServiceError> {
    let PutAccountSettingRequest { name, principal_arn, value } = input;
    let principal = principal(context, principal_arn)?;
    if name == SettingName::FargateTaskRetirementWaitPeriod && principal != root(context) {
        return Err(ServiceError::new(
            &errors::ACCESS_DENIED_EXCEPTION,
            "Only the root user can set fargateTaskRetirementWaitPeriod.",
        ));
    }
    Ok(PutAccountSettingResponse { setting: Some(put(tables, context, name, value, principal).await?) })
}

/// Writes the setting of a principal.
pub(crate) async fn put(
    tables: &Tables,
    context: &RequestContext,
    name: SettingName,
    value: String,
    principal: String,
) -> Result<Setting, ServiceError> {
    check_value(name, &value)?;
    let row = AccountSetting {
        account: context.account.clone(),
        principal_arn: principal.clone(),
        name: name.as_str().to_owned(),
        value: value.clone(),
    };
    let key = resources::Stored::key(&row);
    loop {
        let written = match tables.get::<AccountSetting>(&key).await.map_err(Failure::from)? {
            Some(old) => tables.replace(&old, row.clone()).await,
            None => tables.create(row.clone()).await,
        };
        match written {
            Ok(_) => return Ok(render(name, value, principal)),
            // Somebody else was faster; the last one wins.
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(crate::errors::store(error)),
        }
    }
}
