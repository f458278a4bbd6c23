//! DescribeRepositories.

use crate::EcrService;
use crate::errors::{invalid, store};
use crate::paging;
use crate::repositories::registry_account;
use crate::shapes::{DescribeRepositoriesRequest, DescribeRepositoriesResponse};
use aws_wire::{RequestContext, ServiceError};
use resources::ecr::Repository;

pub(crate) async fn run(
    service: &EcrService,
    context: &RequestContext,
    input: DescribeRepositoriesRequest,
) -> Result<DescribeRepositoriesResponse, ServiceError> {
    let registry = input.registry_id.as_deref();
    let account = registry_account(context, registry)?;
    let names = input.repository_names.unwrap_or_default();
    if !names.is_empty() {
        if input.max_results.is_some() || input.next_token.is_some() {
            return Err(invalid("maxResults and nextToken cannot be used when repositoryNames is given."));
        }
        let mut repositories = Vec::new();
        for name in &names {
            let found = service.repository(context, registry, name).await?;
            repositories.push(service.show(context, &found));
        }
        return Ok(DescribeRepositoriesResponse { next_token: None, repositories: Some(repositories) });
    }
    let page = paging::request(input.next_token.as_deref(), input.max_results, "repositories".to_owned())?;
    let mut rows = service.tables.list_all::<Repository>(&format!("{account}/")).await.map_err(store)?;
    rows.retain(|row| !row.is_public());
    let (rows, next_token) = page.cut(rows, |row| row.name.clone());
    let repositories = rows.iter().map(|row| service.show(context, row)).collect();
    Ok(DescribeRepositoriesResponse { next_token, repositories: Some(repositories) })
}
