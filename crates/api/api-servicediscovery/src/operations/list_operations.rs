//! ListOperations.

use crate::ServiceDiscoveryService;
use crate::errors::store;
use crate::filters::Filter;
use crate::lookup::{namespace_id, service_id};
use crate::paging;
use crate::shapes::{
    FilterCondition, ListOperationsRequest, ListOperationsResponse, OperationFilter, OperationFilterName,
    OperationStatus, OperationSummary,
};
use aws_wire::{RequestContext, ServiceError};
use resources::discovery::{Operation, TargetKind};

pub(crate) async fn run(
    service: &ServiceDiscoveryService,
    context: &RequestContext,
    input: ListOperationsRequest,
) -> Result<ListOperationsResponse, ServiceError> {
    let read = |given| read(context, given);
    let filters = input.filters.unwrap_or_default().into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let page =
        paging::request(input.next_token.as_deref(), input.max_results, format!("operations {filters:?}"))?;
    let all = service.tables.list_all::<Operation>(&format!("{}/", context.account)).await.map_err(store)?;
    let passing = all.into_iter().filter(|one| filters.iter().all(|filter| passes(filter, one)));
    let (found, next_token) = paging::cut(&page, passing.collect());
    let summary = |one: &store::Versioned<Operation>| OperationSummary {
        id: Some(one.id.clone()),
        status: Some(OperationStatus::Success),
    };
    Ok(ListOperationsResponse { operations: Some(found.iter().map(summary).collect()), next_token })
}

fn read(
    context: &RequestContext,
    given: OperationFilter,
) -> Result<Filter<OperationFilterName>, ServiceError> {
    use FilterCondition::{Between, Eq, In};
    let allowed: &[FilterCondition] = match given.name {
        OperationFilterName::NamespaceId | OperationFilterName::ServiceId => &[Eq],
        OperationFilterName::Status | OperationFilterName::Type => &[Eq, In],
        OperationFilterName::UpdateDate => &[Between],
    };
    let values = given.values.into_iter().map(|value| match given.name {
        OperationFilterName::NamespaceId => namespace_id(context, &value),
        OperationFilterName::ServiceId => service_id(context, &value),
        OperationFilterName::Status | OperationFilterName::Type | OperationFilterName::UpdateDate => value,
    });
    Filter::read(given.name, given.name.as_str(), values.collect(), given.condition, allowed)
}

fn passes(filter: &Filter<OperationFilterName>, operation: &Operation) -> bool {
    let target = |kind| operation.target(kind).is_some_and(|id| filter.passes(id));
    match filter.name() {
        OperationFilterName::NamespaceId => target(TargetKind::Namespace),
        OperationFilterName::ServiceId => target(TargetKind::Service),
        OperationFilterName::Status => filter.passes(OperationStatus::Success.as_str()),
        OperationFilterName::Type => filter.passes(operation.kind.as_str()),
        OperationFilterName::UpdateDate => filter.passes(&operation.created_at.as_seconds().to_string()),
    }
}
