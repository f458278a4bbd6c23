//! DeleteTrail.

use crate::CloudTrailService;
use crate::errors::from_store;
use crate::shapes::{DeleteTrailRequest, DeleteTrailResponse};
use aws_wire::{RequestContext, ServiceError};

/// Delivers what is recorded, and deletes the trail. Its files stay.
pub(crate) async fn run(
    service: &CloudTrailService,
    context: &RequestContext,
    input: DeleteTrailRequest,
) -> Result<DeleteTrailResponse, ServiceError> {
    let trail = service.require_trail(context, &input.name).await?;
    service.delivery.deliver_before_change(&trail).await;
    // Delivery has changed the row.
    let trail = service.require_trail(context, &input.name).await?;
    service.tables.delete(&trail).await.map_err(from_store)?;
    Ok(DeleteTrailResponse {})
}
