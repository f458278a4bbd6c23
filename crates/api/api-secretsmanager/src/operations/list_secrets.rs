//! ListSecrets.

use crate::SecretsManagerService;
use crate::errors::store;
use crate::filters::Filters;
use crate::lookup::is_over;
use crate::paging;
use crate::render;
use crate::shapes::{ListSecretsRequest, ListSecretsResponse, SortByType, SortOrderType};
use aws_wire::{RequestContext, ServiceError};
use resources::secrets::Secret;
use store::Versioned;

pub(crate) async fn run(
    service: &SecretsManagerService,
    context: &RequestContext,
    input: ListSecretsRequest,
) -> Result<ListSecretsResponse, ServiceError> {
    let filters = Filters::read(input.filters)?;
    let planned = input.include_planned_deletion == Some(true);
    let descending = input.sort_order == Some(SortOrderType::Desc);
    let scope = format!("secrets {planned} {descending} {:?} {}", input.sort_by, filters.scope());
    let page = paging::request(input.next_token.as_deref(), input.max_results, scope)?;
    let mut secrets = all(service, context).await?;
    secrets.retain(|secret| (planned || secret.deletion.is_none()) && filters.let_through(secret));
    let mut placed: Vec<_> =
        secrets.into_iter().map(|secret| (place(&secret, input.sort_by, descending), secret)).collect();
    placed.sort_by(|(a, _), (b, _)| a.cmp(b));
    let (secrets, next_token) = page.cut_placed(placed);
    Ok(ListSecretsResponse {
        secret_list: Some(secrets.iter().map(|secret| render::listed(secret)).collect()),
        next_token,
    })
}

/// Every secret of the account in this region, in the order they were made.
pub(crate) async fn all(
    service: &SecretsManagerService,
    context: &RequestContext,
) -> Result<Vec<Versioned<Secret>>, ServiceError> {
    let prefix = Secret::key_of(context.account.as_str(), context.region.as_str(), "");
    let mut secrets = service.tables.list_all::<Secret>(&prefix).await.map_err(store)?;
    secrets.retain(|secret| !is_over(secret, context));
    secrets.sort_by_key(|secret| secret.create_revision);
    Ok(secrets)
}

/// Where a secret stands in a list: a text that sorts as asked for, and is another for every secret.
fn place(secret: &Versioned<Secret>, by: Option<SortByType>, descending: bool) -> String {
    let made = secret.create_revision;
    let number = |time: i64| if descending { u64::MAX - time.unsigned_abs() } else { time.unsigned_abs() };
    match by {
        Some(SortByType::Name) if descending => {
            // Upside down, byte by byte, and a longer name before its beginning.
            let upside_down: Vec<u8> = secret.name.bytes().map(|byte| u8::MAX - byte).collect();
            hex::encode(upside_down) + "~"
        }
        Some(SortByType::Name) => hex::encode(&secret.name),
        Some(SortByType::LastChangedDate) => {
            format!("{:020} {made:020}", number(secret.changed_at.as_millis()))
        }
        None | Some(SortByType::CreatedDate | SortByType::LastAccessedDate) => {
            let made = i64::try_from(made).unwrap_or(i64::MAX);
            format!("{:020} {:020}", number(secret.created_at.as_millis()), number(made))
        }
    }
}
