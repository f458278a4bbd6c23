//! ListServices.

use crate::ServiceDiscoveryService;
use crate::errors::store;
use crate::filters::Filter;
use crate::lookup::namespace_id;
use crate::paging;
use crate::render;
use crate::shapes::{
    FilterCondition, ListServicesRequest, ListServicesResponse, ServiceFilter, ServiceFilterName,
};
use aws_wire::{RequestContext, ServiceError};
use resources::discovery::DiscoveryService;

pub(crate) async fn run(
    service: &ServiceDiscoveryService,
    context: &RequestContext,
    input: ListServicesRequest,
) -> Result<ListServicesResponse, ServiceError> {
    let read = |given| read(context, given);
    let filters = input.filters.unwrap_or_default().into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let page =
        paging::request(input.next_token.as_deref(), input.max_results, format!("services {filters:?}"))?;
    let prefix = format!("{}/", context.account);
    let all = service.tables.list_all::<DiscoveryService>(&prefix).await.map_err(store)?;
    let passing = all.into_iter().filter(|one| filters.iter().all(|filter| passes(filter, one)));
    let (found, next_token) = paging::cut(&page, passing.collect());
    let mut services = Vec::with_capacity(found.len());
    for one in found {
        services.push(render::service_summary(context, &one, service.count_instances(&one).await?));
    }
    Ok(ListServicesResponse { services: Some(services), next_token })
}

fn read(context: &RequestContext, given: ServiceFilter) -> Result<Filter<ServiceFilterName>, ServiceError> {
    let mut values = given.values;
    if given.name == ServiceFilterName::NamespaceId {
        values = values.iter().map(|value| namespace_id(context, value)).collect();
    }
    let allowed = [FilterCondition::Eq, FilterCondition::In];
    Filter::read(given.name, given.name.as_str(), values, given.condition, &allowed)
}

fn passes(filter: &Filter<ServiceFilterName>, service: &DiscoveryService) -> bool {
    match filter.name() {
        ServiceFilterName::NamespaceId => filter.passes(&service.namespace),
        ServiceFilterName::ResourceOwner => filter.passes_own(),
    }
}
