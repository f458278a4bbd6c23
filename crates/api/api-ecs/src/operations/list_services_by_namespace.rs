//! ListServicesByNamespace: the services, of all clusters, whose tasks are registered in a namespace of Cloud Map or use it for
//! Service Connect.

use crate::connect::find_namespace;
use crate::errors::Failure;
use crate::paging;
use crate::render::service as render;
use crate::shapes::{ListServicesByNamespaceRequest, ListServicesByNamespaceResponse, errors};
use aws_wire::{RequestContext, ServiceError};
use resources::Stored;
use resources::discovery::ServiceName;
use resources::ecs::{Controller, Deployment, Service, ServiceStatus};
use std::collections::BTreeSet;
use store::Tables;

/// Services of a page when the request does not say.
const USUAL: i32 = 10;

pub(crate) async fn run(
    tables: &Tables,
    context: &RequestContext,
    input: ListServicesByNamespaceRequest,
) -> Result<ListServicesByNamespaceResponse, ServiceError> {
    let ListServicesByNamespaceRequest { max_results, namespace: given, next_token } = input;
    let namespace = find_namespace(tables, context, &given).await?.ok_or_else(|| {
        ServiceError::new(
            &errors::NAMESPACE_NOT_FOUND_EXCEPTION,
            format!("The namespace {given} was not found."),
        )
    })?;
    let namespace = namespace.id.as_str();
    let scope = format!("services of {namespace}");
    let page = paging::request(next_token.as_deref(), max_results.or(Some(USUAL)), scope)?;
    let names = ServiceName::keys_of(&context.account, namespace);
    let names = tables.list_all::<ServiceName>(&names).await.map_err(Failure::from)?;
    let registries: BTreeSet<&str> = names.iter().map(|name| name.value.id.as_str()).collect();
    let uses = |own: &Deployment| {
        let own = &own.workload;
        own.connect.as_ref().is_some_and(|connect| connect.namespace == namespace)
            || own.registries.iter().any(|registry| registries.contains(registry.service.as_str()))
    };
    let matches = |service: &Service| {
        service.status != ServiceStatus::Inactive
            && match service.controller {
                Controller::Ecs => service.primary().is_some_and(uses),
                Controller::External => service.deployments.iter().any(uses),
            }
    };
    let rows = tables.list_all::<Service>(&format!("{}/", context.account)).await.map_err(Failure::from)?;
    let mut rows = rows
        .iter()
        .filter(|service| page.after.as_ref().is_none_or(|after| service.key() > *after))
        .filter(|service| matches(service));
    let shown: Vec<_> = rows.by_ref().take(page.limit).collect();
    let next_token = rows.next().and_then(|_| shown.last()).map(|last| page.token(&last.key()));
    let arns = shown.iter().map(|own| render::service_arn(context, &own.cluster, &own.name)).collect();
    Ok(ListServicesByNamespaceResponse { service_arns: Some(arns), next_token })
}
