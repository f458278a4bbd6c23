//! UpdateInstanceCustomHealthStatus. Counts at once: the revision of the instances stays as it is, as on AWS.

use super::get_instance::require_instance;
use crate::ServiceDiscoveryService;
use crate::errors::{contended, store};
use crate::lookup::MOST_ATTEMPTS;
use crate::shapes::{CustomHealthStatus, UpdateInstanceCustomHealthStatusRequest, errors};
use aws_wire::{RequestContext, ServiceError};
use resources::discovery::Instance;
use store::StoreError;

pub(crate) async fn run(
    service: &ServiceDiscoveryService,
    context: &RequestContext,
    input: UpdateInstanceCustomHealthStatusRequest,
) -> Result<(), ServiceError> {
    for _ in 0..MOST_ATTEMPTS {
        let found = service.require_service(context, &input.service_id).await?;
        let old = require_instance(service, &found, &input.instance_id).await?;
        if found.custom_health.is_none() {
            return Err(ServiceError::new(
                &errors::CUSTOM_HEALTH_NOT_FOUND,
                format!("The service {} has no HealthCheckCustomConfig.", found.id),
            ));
        }
        let is_healthy = input.status == CustomHealthStatus::Healthy;
        if old.is_healthy == is_healthy {
            return Ok(());
        }
        match service.tables.replace(&old, Instance { is_healthy, ..Instance::clone(&old) }).await {
            Ok(_) => return Ok(()),
            Err(StoreError::Conflict(_)) => {}
            Err(error) => return Err(store(error)),
        }
    }
    Err(contended())
}
