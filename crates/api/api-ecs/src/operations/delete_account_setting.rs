//! DeleteAccountSetting: a principal has the account's value again, and the account the default.

use crate::account_setting::{default_value, principal, render};
use crate::shapes::{DeleteAccountSettingRequest, DeleteAccountSettingResponse};
use aws_wire::{RequestContext, ServiceError};
use resources::ecs::AccountSetting;
use store::Tables;

pub(crate) async fn run(
    tables: &Tables,
    context: &RequestContext,
    input: DeleteAccountSettingRequest,
) -> Result<DeleteAccountSettingResponse, ServiceError> {
    let DeleteAccountSettingRequest { name, principal_arn } = input;
    let principal = principal(context, principal_arn)?;
    let key = AccountSetting::key_of(&context.account, &principal, name.as_str());
    let batch = tables.batch().delete_any::<AccountSetting>(&key);
    batch.commit().await.map_err(crate::errors::store)?;
    let setting = render(name, default_value(name).to_owned(), principal);
    Ok(DeleteAccountSettingResponse { setting: Some(setting) })
}
