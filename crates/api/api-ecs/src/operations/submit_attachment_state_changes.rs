//! SubmitAttachmentStateChanges: an agent has seen network interfaces. Ours makes them itself, so there is nothing to note.

use crate::operations::submit_task_state_change::ACKNOWLEDGED;
use crate::shapes::{SubmitAttachmentStateChangesRequest, SubmitAttachmentStateChangesResponse};
use aws_wire::{RequestContext, ServiceError};
use store::Tables;

pub(crate) async fn run(
    _tables: &Tables,
    _context: &RequestContext,
    _input: SubmitAttachmentStateChangesRequest,
) -> Result<SubmitAttachmentStateChangesResponse, ServiceError> {
    Ok(SubmitAttachmentStateChangesResponse { acknowledgment: Some(ACKNOWLEDGED.to_owned()) })
}
