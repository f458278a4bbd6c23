//! GetInstancesHealthStatus.

use super::get_instance::require_instance;
use super::list_instances::instances;
use crate::ServiceDiscoveryService;
use crate::paging;
use crate::render;
use crate::shapes::{GetInstancesHealthStatusRequest, GetInstancesHealthStatusResponse};
use aws_wire::{RequestContext, ServiceError};

pub(crate) async fn run(
    service: &ServiceDiscoveryService,
    context: &RequestContext,
    input: GetInstancesHealthStatusRequest,
) -> Result<GetInstancesHealthStatusResponse, ServiceError> {
    let found = service.require_service(context, &input.service_id).await?;
    let scope = format!("health {} {:?}", found.id, input.instances);
    let page = paging::request(input.next_token.as_deref(), input.max_results, scope)?;
    let all = match input.instances {
        None => instances(service, &found).await?,
        Some(ids) => {
            let mut named = Vec::with_capacity(ids.len());
            for id in ids {
                named.push(require_instance(service, &found, &id).await?);
            }
            named
        }
    };
    let (shown, next_token) = paging::cut(&page, all);
    let status = shown.iter().map(|one| (one.id.clone(), render::health(one.health(&found)))).collect();
    Ok(GetInstancesHealthStatusResponse { status: Some(status), next_token })
}
