//! PutQueryDefinition, DescribeQueryDefinitions and DeleteQueryDefinition: queries that are kept under a name.

use super::queries::check_language;
use crate::LogsService;
use crate::errors::{from_store, invalid};
use crate::shapes::errors::{LIMIT_EXCEEDED_EXCEPTION, RESOURCE_NOT_FOUND_EXCEPTION};
use crate::shapes::{
    self, DeleteQueryDefinitionRequest, DeleteQueryDefinitionResponse, DescribeQueryDefinitionsRequest,
    DescribeQueryDefinitionsResponse, PutQueryDefinitionRequest, PutQueryDefinitionResponse, QueryLanguage,
};
use crate::token;
use aws_wire::{RequestContext, ServiceError};
use resources::logs::QueryDefinition;
use store::Versioned;

/// Definitions of an account.
const MOST_DEFINITIONS: usize = 1000;
/// Definitions of an answer when the request does not say.
const USUAL_LIMIT: usize = 1000;

/// Keeps a query, or changes one that is kept.
pub async fn put(
    service: &LogsService,
    context: &RequestContext,
    input: PutQueryDefinitionRequest,
) -> Result<PutQueryDefinitionResponse, ServiceError> {
    check_language(input.query_language)?;
    if input.parameters.as_ref().is_some_and(|parameters| !parameters.is_empty()) {
        return Err(invalid("Parameters of query definitions are not supported by this region."));
    }
    let _one_at_a_time = service.limits.lock().await;
    let all = list(service, context).await?;
    let id = match &input.query_definition_id {
        Some(id) if all.iter().any(|row| row.id == *id) => id.clone(),
        Some(_) => return Err(no_definition()),
        None => {
            let again =
                all.iter().find(|row| input.client_token.is_some() && row.token == input.client_token);
            if let Some(row) = again {
                return Ok(PutQueryDefinitionResponse { query_definition_id: Some(row.id.clone()) });
            }
            if all.len() >= MOST_DEFINITIONS {
                return Err(ServiceError::new(&LIMIT_EXCEEDED_EXCEPTION, "Resource limit exceeded."));
            }
            service.tables.environment().uuid()
        }
    };
    let row = QueryDefinition {
        account: context.account.to_string(),
        id: id.clone(),
        name: input.name,
        text: input.query_string,
        groups: input.log_group_names.unwrap_or_default(),
        token: input.client_token,
        updated_at: service.tables.environment().now(),
    };
    service.tables.batch().put_any(&row).commit().await.map_err(from_store)?;
    Ok(PutQueryDefinitionResponse { query_definition_id: Some(id) })
}

/// Lists definitions by name.
pub async fn describe(
    service: &LogsService,
    context: &RequestContext,
    input: DescribeQueryDefinitionsRequest,
) -> Result<DescribeQueryDefinitionsResponse, ServiceError> {
    if input.query_language.is_some_and(|language| language != QueryLanguage::Cwli) {
        return Ok(DescribeQueryDefinitionsResponse { query_definitions: Some(vec![]), next_token: None });
    }
    let after = input.next_token.as_deref().map(token::decode).transpose()?;
    let prefix = input.query_definition_name_prefix.unwrap_or_default();
    let mut found = list(service, context).await?;
    found.sort_by_key(order);
    found.retain(|row| {
        row.name.starts_with(&prefix) && after.as_ref().is_none_or(|after| order(row) > *after)
    });
    let most = input.max_results.and_then(|most| usize::try_from(most).ok()).unwrap_or(USUAL_LIMIT);
    let more = found.len() > most;
    found.truncate(most);
    let next_token = found.last().filter(|_| more).map(|row| token::encode(&order(row)));
    let rendered = found.iter().map(|row| render(row)).collect();
    Ok(DescribeQueryDefinitionsResponse { query_definitions: Some(rendered), next_token })
}

/// Removes a definition.
pub async fn delete(
    service: &LogsService,
    context: &RequestContext,
    input: DeleteQueryDefinitionRequest,
) -> Result<DeleteQueryDefinitionResponse, ServiceError> {
    let key = QueryDefinition::key_of(context.account.as_str(), &input.query_definition_id);
    let row = service.tables.get::<QueryDefinition>(&key).await.map_err(from_store)?;
    service.tables.delete(&row.ok_or_else(no_definition)?).await.map_err(from_store)?;
    Ok(DeleteQueryDefinitionResponse { success: Some(true) })
}

async fn list(
    service: &LogsService,
    context: &RequestContext,
) -> Result<Vec<Versioned<QueryDefinition>>, ServiceError> {
    let prefix = QueryDefinition::key_of(context.account.as_str(), "");
    service.tables.list_all::<QueryDefinition>(&prefix).await.map_err(from_store)
}

fn order(row: &Versioned<QueryDefinition>) -> String {
    format!("{}\n{}", row.name, row.id)
}

fn render(row: &QueryDefinition) -> shapes::QueryDefinition {
    shapes::QueryDefinition {
        query_language: Some(QueryLanguage::Cwli),
        query_definition_id: Some(row.id.clone()),
        name: Some(row.name.clone()),
        query_string: Some(row.text.clone()),
        last_modified: Some(row.updated_at.as_millis()),
        log_group_names: Some(row.groups.clone()),
        parameters: None,
    }
}

fn no_definition() -> ServiceError {
    ServiceError::new(&RESOURCE_NOT_FOUND_EXCEPTION, "The specified query definition does not exist.")
}
