//! ListServices: the active services of a cluster.

use crate::arns::require_cluster;
use crate::errors::Failure;
use crate::paging;
use crate::render::service as render;
use crate::shapes::{
    LaunchType, ListServicesRequest, ListServicesResponse, ResourceManagementType, SchedulingStrategy,
};
use aws_wire::{RequestContext, ServiceError};
use resources::Stored;
use resources::ecs::{Service, ServiceStatus};
use store::Tables;

/// Services of a page when the request does not say.
const USUAL: i32 = 10;

pub(crate) async fn run(
    tables: &Tables,
    context: &RequestContext,
    input: ListServicesRequest,
) -> Result<ListServicesResponse, ServiceError> {
    let ListServicesRequest {
        cluster,
        launch_type,
        max_results,
        next_token,
        resource_management_type,
        scheduling_strategy,
    } = input;
    let cluster = require_cluster(tables, context, cluster.as_deref()).await?;
    let scope = format!(
        "services {} {launch_type:?} {resource_management_type:?} {scheduling_strategy:?}",
        cluster.name
    );
    let page = paging::request(next_token.as_deref(), max_results.or(Some(USUAL)), scope)?;
    // Every service keeps replicas.
    let none = scheduling_strategy == Some(SchedulingStrategy::Daemon);
    let matches = |service: &Service| {
        let has_strategy = service.primary().is_some_and(|primary| !primary.workload.strategy.is_empty());
        !none
            && service.status == ServiceStatus::Active
            && resource_management_type
                .is_none_or(|wanted| (wanted == ResourceManagementType::Ecs) == service.express)
            && launch_type.is_none_or(|wanted| wanted == LaunchType::Fargate && !has_strategy)
    };
    let prefix = format!("{}/{}/", context.account, cluster.name);
    let rows = tables.list_all::<Service>(&prefix).await.map_err(Failure::from)?;
    let mut rows = rows
        .iter()
        .filter(|service| page.after.as_ref().is_none_or(|after| service.key() > *after))
        .filter(|service| matches(service));
    let shown: Vec<_> = rows.by_ref().take(page.limit).collect();
    let next_token = rows.next().and_then(|_| shown.last()).map(|last| page.token(&last.key()));
    let arns = shown.iter().map(|own| render::service_arn(context, &own.cluster, &own.name)).collect();
    Ok(ListServicesResponse { service_arns: Some(arns), next_token })
}
