//! ListAccountSettings: what a principal has set, or what holds for it.

use crate::account_setting::{effective, explicit, names, principal, render};
use crate::errors::invalid;
use crate::paging;
use crate::shapes::{ListAccountSettingsRequest, ListAccountSettingsResponse};
use aws_wire::{RequestContext, ServiceError};
use store::Tables;

/// Most settings of a page.
const MOST: i32 = 10;

pub(crate) async fn run(
    tables: &Tables,
    context: &RequestContext,
    input: ListAccountSettingsRequest,
) -> Result<ListAccountSettingsResponse, ServiceError> {
    let ListAccountSettingsRequest {
        effective_settings,
        max_results,
        name,
        next_token,
        principal_arn,
        value,
    } = input;
    if value.is_some() && name.is_none() {
        return Err(invalid("You must specify an account setting name to use the value parameter."));
    }
    if max_results.is_some_and(|most| most > MOST) {
        return Err(invalid(format!("maxResults must be between 1 and {MOST}.")));
    }
    let principal = principal(context, principal_arn)?;
    let is_effective = effective_settings == Some(true);
    let scope = format!("account-settings {principal} {name:?} {value:?} {is_effective}");
    let page = paging::request(next_token.as_deref(), max_results.or(Some(MOST)), scope)?;
    let mut settings = Vec::new();
    let mut next = None;
    for own in names().filter(|own| name.is_none_or(|name| name == *own)) {
        if page.after.as_ref().is_some_and(|after| own.as_str() <= after.as_str()) {
            continue;
        }
        let found = if is_effective {
            Some(effective(tables, context, &principal, own).await?)
        } else {
            explicit(tables, context, &principal, own).await?
        };
        let Some(found) = found.filter(|found| value.as_ref().is_none_or(|value| value == found)) else {
            continue;
        };
        if settings.len() == page.limit {
            next = settings.last().and_then(|last: &crate::shapes::Setting| last.name);
            break;
        }
        settings.push(render(own, found, principal.clone()));
    }
    let next_token = next.map(|name| page.token(name.as_str()));
    Ok(ListAccountSettingsResponse { settings: Some(settings), next_token })
}
