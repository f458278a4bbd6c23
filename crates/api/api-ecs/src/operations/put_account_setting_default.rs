//! PutAccountSettingDefault: a value of everybody in the account without one of their own.

use crate::account_setting::root;
use crate::operations::put_account_setting::put;
use crate::shapes::{PutAccountSettingDefaultRequest, PutAccountSettingDefaultResponse};
use aws_wire::{RequestContext, ServiceError};
use store::Tables;

pub(crate) async fn run(
    tables: &Tables,
    context: &RequestContext,
    input: PutAccountSettingDefaultRequest,
) -> Result<PutAccountSettingDefaultResponse, ServiceError> {
    let PutAccountSettingDefaultRequest { name, value } = input;
    let setting = put(tables, context, name, value, root(context)).await?;
    Ok(PutAccountSettingDefaultResponse { setting: Some(setting) })
}
