//! DeleteExpressGatewayService: the service becomes `DRAINING`. The service controller ends its tasks, and then the
//! controller of express services takes away what was made for it.

use crate::errors::{Failure, update_in_progress};
use crate::express::find::require_active;
use crate::express::render;
use crate::shapes::{DeleteExpressGatewayServiceRequest, DeleteExpressGatewayServiceResponse};
use aws_wire::{RequestContext, ServiceError};
use resources::ecs::{Service, ServiceStatus};
use store::Tables;

/// Attempts while the service controller and others write the service.
const MOST_ATTEMPTS: usize = 32;

pub(crate) async fn run(
    tables: &Tables,
    context: &RequestContext,
    input: DeleteExpressGatewayServiceRequest,
) -> Result<DeleteExpressGatewayServiceResponse, ServiceError> {
    let DeleteExpressGatewayServiceRequest { service_arn } = input;
    for _ in 0..MOST_ATTEMPTS {
        let found = require_active(tables, context, &service_arn).await?;
        let service = Service {
            status: ServiceStatus::Draining,
            desired_count: 0,
            stop_requested: None,
            ..Service::clone(&found.service)
        };
        match tables.replace(&found.service, service).await {
            Ok(service) => {
                let shown = render::described(tables, context, &service, &found.express, true).await?;
                return Ok(DeleteExpressGatewayServiceResponse { service: Some(shown) });
            }
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(Failure::from(error).into()),
        }
    }
    Err(update_in_progress())
}
