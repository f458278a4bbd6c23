//! DeregisterInstance.

use super::get_instance::require_instance;
use crate::ServiceDiscoveryService;
use crate::errors::{contended, store};
use crate::lookup::MOST_ATTEMPTS;
use crate::records::operation;
use crate::shapes::{DeregisterInstanceRequest, DeregisterInstanceResponse};
use aws_wire::{RequestContext, ServiceError};
use resources::discovery::{OperationKind, TargetKind};
use store::StoreError;

pub(crate) async fn run(
    service: &ServiceDiscoveryService,
    context: &RequestContext,
    input: DeregisterInstanceRequest,
) -> Result<DeregisterInstanceResponse, ServiceError> {
    for _ in 0..MOST_ATTEMPTS {
        let found = service.require_service(context, &input.service_id).await?;
        let instance = require_instance(service, &found, &input.instance_id).await?;
        let targets =
            [(TargetKind::Service, found.id.as_str()), (TargetKind::Instance, instance.id.as_str())];
        let record =
            operation(service.tables.environment(), context, OperationKind::DeregisterInstance, &targets);
        let batch = service
            .tables
            .batch()
            .require_exists(&found)
            .delete(&instance)
            .put_any(&instance.change())
            .create(&record);
        match batch.commit().await {
            Ok(_) => return Ok(DeregisterInstanceResponse { operation_id: Some(record.id) }),
            Err(StoreError::Conflict(_)) => {}
            Err(error) => return Err(store(error)),
        }
    }
    Err(contended())
}
