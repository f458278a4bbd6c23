//! ListServiceDeployments: the newest first.

use crate::arns::require_cluster;
use crate::errors::Failure;
use crate::paging;
use crate::render::service as render;
use crate::service::require_service;
use crate::shapes::{ListServiceDeploymentsRequest, ListServiceDeploymentsResponse};
use aws_wire::{RequestContext, ServiceError};
use resources::Stored;
use resources::ecs::ServiceDeployment;
use std::cmp::Reverse;
use store::{Tables, Versioned};

/// Service deployments of a page when the request does not say.
const USUAL: i32 = 20;

pub(crate) async fn run(
    tables: &Tables,
    context: &RequestContext,
    input: ListServiceDeploymentsRequest,
) -> Result<ListServiceDeploymentsResponse, ServiceError> {
    let ListServiceDeploymentsRequest { cluster, created_at, max_results, next_token, service, status } =
        input;
    let cluster = require_cluster(tables, context, cluster.as_deref()).await?;
    let service = require_service(tables, context, &cluster.name, &service).await?;
    let scope = format!("service-deployments {} {created_at:?} {status:?}", service.key());
    let page = paging::request(next_token.as_deref(), max_results.or(Some(USUAL)), scope)?;
    let prefix = format!("{}/", service.key());
    let mut rows = tables.list_all::<ServiceDeployment>(&prefix).await.map_err(Failure::from)?;
    rows.retain(|row| {
        let created = row.created_at;
        let wanted = created_at.as_ref();
        status.as_ref().is_none_or(|status| status.is_empty() || status.contains(&render::status(row.status)))
            && wanted.and_then(|wanted| wanted.after).is_none_or(|after| created >= after)
            && wanted.and_then(|wanted| wanted.before).is_none_or(|before| created <= before)
    });
    // The order of a page's token is that of the list.
    let place = |row: &Versioned<ServiceDeployment>| (Reverse(row.created_at.as_millis()), row.id.clone());
    rows.sort_by_cached_key(place);
    let after = page.after.as_deref().and_then(|after| after.split_once('/'));
    let after = after.and_then(|(time, id)| Some((Reverse(time.parse::<i64>().ok()?), id.to_owned())));
    let mut rows = rows.iter().filter(|row| after.as_ref().is_none_or(|after| place(row) > *after));
    let shown: Vec<_> = rows.by_ref().take(page.limit).collect();
    let last = rows.next().and_then(|_| shown.last());
    let next_token = last.map(|last| page.token(&format!("{}/{}", last.created_at.as_millis(), last.id)));
    let shown = shown.iter().map(|row| render::deployment_brief(context, row)).collect();
    Ok(ListServiceDeploymentsResponse { service_deployments: Some(shown), next_token })
}
