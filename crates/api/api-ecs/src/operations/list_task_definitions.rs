//! ListTaskDefinitions.

use crate::arns::definition_arn;
use crate::errors::Failure;
use crate::paging;
use crate::shapes::{
    ListTaskDefinitionsRequest, ListTaskDefinitionsResponse, SortOrder, TaskDefinitionStatus,
};
use aws_wire::{RequestContext, ServiceError};
use resources::Stored;
use resources::ecs::{DefinitionStatus, TaskDefinition};
use store::Tables;

pub(crate) async fn run(
    tables: &Tables,
    context: &RequestContext,
    input: ListTaskDefinitionsRequest,
) -> Result<ListTaskDefinitionsResponse, ServiceError> {
    let status = match input.status.unwrap_or(TaskDefinitionStatus::Active) {
        TaskDefinitionStatus::Active => DefinitionStatus::Active,
        TaskDefinitionStatus::Inactive => DefinitionStatus::Inactive,
        TaskDefinitionStatus::DeleteInProgress => DefinitionStatus::DeleteInProgress,
    };
    let descending = input.sort == Some(SortOrder::Desc);
    let family = input.family_prefix.unwrap_or_default();
    let scope = format!("definitions {family} {status:?} {descending}");
    let page = paging::request(input.next_token.as_deref(), input.max_results, scope)?;
    // Here the parameter called prefix is a whole family name, as on AWS.
    let prefix = if family.is_empty() {
        format!("{}/", context.account)
    } else {
        format!("{}/{family}/", context.account)
    };
    let mut rows = tables.list_all::<TaskDefinition>(&prefix).await.map_err(Failure::from)?;
    rows.retain(|row| row.status == status);
    if descending {
        rows.reverse();
    }
    let begin = page.after.as_ref().map_or(0, |after| {
        rows.iter()
            .position(|row| if descending { row.value.key() < *after } else { row.value.key() > *after })
            .unwrap_or(rows.len())
    });
    let shown = &rows[begin..(begin + page.limit).min(rows.len())];
    let more = begin + shown.len() < rows.len();
    let next_token = shown.last().filter(|_| more).map(|last| page.token(&last.value.key()));
    let arns = shown.iter().map(|row| definition_arn(context, &row.family, row.value.revision)).collect();
    Ok(ListTaskDefinitionsResponse { task_definition_arns: Some(arns), next_token })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shapes::Ecs as _;
    use crate::testing::{container, fixture, registration};

    #[tokio::test]
    async fn pages_in_both_orders() {
        let f = fixture();
        for _ in 0..12 {
            let request = registration(vec![container("main")]);
            f.service.register_task_definition(&f.context, request).await.expect("registers");
        }
        for (sort, expected) in
            [(SortOrder::Asc, (1..=12).collect::<Vec<_>>()), (SortOrder::Desc, (1..=12).rev().collect())]
        {
            let (mut seen, mut token) = (Vec::new(), None);
            loop {
                let request = ListTaskDefinitionsRequest {
                    max_results: Some(5),
                    sort: Some(sort),
                    next_token: token,
                    ..ListTaskDefinitionsRequest::default()
                };
                let page = run(&f.tables, &f.context, request).await.expect("lists");
                seen.extend(page.task_definition_arns.unwrap_or_default());
                token = page.next_token;
                if token.is_none() {
                    break;
                }
            }
            let numbers: Vec<i32> =
                seen.iter().filter_map(|arn| arn.rsplit(':').next()?.parse().ok()).collect();
            assert_eq!(numbers, expected);
        }
    }
}
