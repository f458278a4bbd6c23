//! DeleteLogStream.

use crate::LogsService;
use crate::errors::{from_events, from_store};
use crate::shapes::DeleteLogStreamRequest;
use aws_wire::{RequestContext, ServiceError};
use resources::Stored;
use resources::logs::LogStream;

/// Removes a stream with its events.
pub async fn run(
    service: &LogsService,
    context: &RequestContext,
    input: DeleteLogStreamRequest,
) -> Result<(), ServiceError> {
    let group = service.require_group(context, &input.log_group_name).await?;
    let stream = service.require_stream(&group, &input.log_stream_name).await?;
    // The row may be written at any time, when its events move to blocks; that must not fail the deletion.
    service.tables.batch().delete_any::<LogStream>(&stream.key()).commit().await.map_err(from_store)?;
    service.events.delete(&stream).await.map_err(from_events)
}
