//! GetAccountSetting and PutAccountSetting.

use crate::EcrService;
use crate::errors::validation;
use crate::shapes::{
    GetAccountSettingRequest, GetAccountSettingResponse, PutAccountSettingRequest, PutAccountSettingResponse,
};
use aws_wire::{RequestContext, ServiceError};

/// Which actions a registry policy may be about.
pub(crate) const POLICY_SCOPE: &str = "REGISTRY_POLICY_SCOPE";
/// The first scope: replication and pull-through cache only.
pub(crate) const V1: &str = "V1";

/// A setting: its name, its values, and the one that is usual.
struct Setting {
    name: &'static str,
    values: &'static [&'static str],
    usual: &'static str,
}

const SETTINGS: &[Setting] = &[
    Setting { name: "BASIC_SCAN_TYPE_VERSION", values: &["AWS_NATIVE"], usual: "AWS_NATIVE" },
    Setting { name: POLICY_SCOPE, values: &[V1, "V2"], usual: "V2" },
    Setting { name: "BLOB_MOUNTING", values: &["ENABLED", "DISABLED"], usual: "ENABLED" },
];

fn find(name: &str) -> Result<&'static Setting, ServiceError> {
    SETTINGS.iter().find(|setting| setting.name == name).ok_or_else(|| {
        let names: Vec<&str> = SETTINGS.iter().map(|setting| setting.name).collect();
        validation(format!("Invalid account setting name '{name}'. Valid names: {}", names.join(", ")))
    })
}

pub(crate) async fn get_account_setting(
    service: &EcrService,
    context: &RequestContext,
    input: GetAccountSettingRequest,
) -> Result<GetAccountSettingResponse, ServiceError> {
    let setting = find(&input.name)?;
    let mut registry = service.registry_of(&context.account).await?;
    let value = registry.settings.remove(setting.name).unwrap_or_else(|| setting.usual.to_owned());
    Ok(GetAccountSettingResponse { name: Some(input.name), value: Some(value) })
}

pub(crate) async fn put_account_setting(
    service: &EcrService,
    context: &RequestContext,
    input: PutAccountSettingRequest,
) -> Result<PutAccountSettingResponse, ServiceError> {
    let setting = find(&input.name)?;
    if !setting.values.contains(&input.value.as_str()) {
        return Err(validation(format!(
            "Invalid value '{}' for account setting '{}'. Valid values: {}",
            input.value,
            input.name,
            setting.values.join(", ")
        )));
    }
    let changed = service.change_registry(&context.account, |registry| {
        registry.settings.insert(input.name.clone(), input.value.clone());
        Ok(())
    });
    changed.await?;
    Ok(PutAccountSettingResponse { name: Some(input.name), value: Some(input.value) })
}
