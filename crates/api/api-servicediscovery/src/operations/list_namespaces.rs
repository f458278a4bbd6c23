//! ListNamespaces.

use crate::ServiceDiscoveryService;
use crate::errors::store;
use crate::filters::Filter;
use crate::paging;
use crate::render;
use crate::shapes::{
    FilterCondition, ListNamespacesRequest, ListNamespacesResponse, NamespaceFilter, NamespaceFilterName,
};
use aws_wire::{RequestContext, ServiceError};
use resources::discovery::Namespace;

pub(crate) async fn run(
    service: &ServiceDiscoveryService,
    context: &RequestContext,
    input: ListNamespacesRequest,
) -> Result<ListNamespacesResponse, ServiceError> {
    let filters = input.filters.unwrap_or_default().into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let page =
        paging::request(input.next_token.as_deref(), input.max_results, format!("namespaces {filters:?}"))?;
    let all = service.tables.list_all::<Namespace>(&format!("{}/", context.account)).await.map_err(store)?;
    let passing = all.into_iter().filter(|one| filters.iter().all(|filter| passes(filter, one)));
    let (found, next_token) = paging::cut(&page, passing.collect());
    let mut namespaces = Vec::with_capacity(found.len());
    for one in found {
        namespaces.push(render::summary(context, &one, service.count_services(&one).await?));
    }
    Ok(ListNamespacesResponse { namespaces: Some(namespaces), next_token })
}

fn read(given: NamespaceFilter) -> Result<Filter<NamespaceFilterName>, ServiceError> {
    use FilterCondition::{BeginsWith, Eq, In};
    let allowed: &[FilterCondition] = match given.name {
        NamespaceFilterName::Type => &[Eq, In],
        NamespaceFilterName::Name | NamespaceFilterName::HttpName => &[Eq, BeginsWith],
        NamespaceFilterName::ResourceOwner => &[Eq],
    };
    Filter::read(given.name, given.name.as_str(), given.values, given.condition, allowed)
}

fn passes(filter: &Filter<NamespaceFilterName>, namespace: &Namespace) -> bool {
    match filter.name() {
        NamespaceFilterName::Type => filter.passes(render::kind(&namespace.kind).as_str()),
        NamespaceFilterName::Name | NamespaceFilterName::HttpName => filter.passes(&namespace.name),
        NamespaceFilterName::ResourceOwner => filter.passes_own(),
    }
}
