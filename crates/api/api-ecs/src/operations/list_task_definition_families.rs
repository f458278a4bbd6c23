//! ListTaskDefinitionFamilies.

use crate::errors::Failure;
use crate::paging;
use crate::shapes::{
    ListTaskDefinitionFamiliesRequest, ListTaskDefinitionFamiliesResponse, TaskDefinitionFamilyStatus,
};
use aws_wire::{RequestContext, ServiceError};
use resources::ecs::{DefinitionStatus, TaskDefinition};
use std::collections::BTreeMap;
use store::Tables;

pub(crate) async fn run(
    tables: &Tables,
    context: &RequestContext,
    input: ListTaskDefinitionFamiliesRequest,
) -> Result<ListTaskDefinitionFamiliesResponse, ServiceError> {
    let status = input.status.unwrap_or(TaskDefinitionFamilyStatus::All);
    let family_prefix = input.family_prefix.unwrap_or_default();
    let scope = format!("families {family_prefix} {}", status.as_str());
    let page = paging::request(input.next_token.as_deref(), input.max_results, scope)?;
    let prefix = format!("{}/{family_prefix}", context.account);
    let mut families: BTreeMap<String, bool> = BTreeMap::new();
    for row in tables.list_all::<TaskDefinition>(&prefix).await.map_err(Failure::from)? {
        *families.entry(row.family.clone()).or_default() |= row.status == DefinitionStatus::Active;
    }
    let mut names = families
        .into_iter()
        .filter(|(_, active)| match status {
            TaskDefinitionFamilyStatus::Active => *active,
            TaskDefinitionFamilyStatus::Inactive => !*active,
            TaskDefinitionFamilyStatus::All => true,
        })
        .map(|(name, _)| name)
        .filter(|name| page.after.as_ref().is_none_or(|after| name > after));
    let shown: Vec<String> = names.by_ref().take(page.limit).collect();
    let next_token = names.next().and_then(|_| shown.last()).map(|last| page.token(last));
    Ok(ListTaskDefinitionFamiliesResponse { families: Some(shown), next_token })
}
