//! GetOperation.

use crate::ServiceDiscoveryService;
use crate::errors::store;
use crate::render;
use crate::shapes::{GetOperationRequest, GetOperationResponse, errors};
use aws_wire::{RequestContext, ServiceError};
use resources::discovery::Operation;

pub(crate) async fn run(
    service: &ServiceDiscoveryService,
    context: &RequestContext,
    input: GetOperationRequest,
) -> Result<GetOperationResponse, ServiceError> {
    let key = Operation::key_of(&context.account, &input.operation_id);
    let found = service.tables.get::<Operation>(&key).await.map_err(store)?;
    let found = found.ok_or_else(|| {
        ServiceError::new(
            &errors::OPERATION_NOT_FOUND,
            format!("Operation {} not found.", input.operation_id),
        )
    })?;
    Ok(GetOperationResponse { operation: Some(render::operation(&found)) })
}
