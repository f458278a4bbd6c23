//! CreateLogStream.

use crate::LogsService;
use crate::errors::{exists, from_store};
use crate::shapes::CreateLogStreamRequest;
use aws_wire::{RequestContext, ServiceError};
use resources::logs::LogStream;
use store::StoreError;

/// Makes an empty stream.
pub async fn run(
    service: &LogsService,
    context: &RequestContext,
    input: CreateLogStreamRequest,
) -> Result<(), ServiceError> {
    let group = service.require_group(context, &input.log_group_name).await?;
    let environment = service.tables.environment();
    let stream = LogStream {
        account: group.account.clone(),
        group_id: group.id.clone(),
        group_name: group.name.clone(),
        name: input.log_stream_name,
        id: environment.random_hex(16),
        created_at: environment.now(),
        first_event: None,
        last_event: None,
        last_ingestion: None,
    };
    // A group deleted at this very moment leaves a row that nobody sees; the controller logs_retention removes it.
    match service.tables.create(stream).await {
        Ok(_) => Ok(()),
        Err(StoreError::AlreadyExists(_)) => Err(exists("log stream")),
        Err(error) => Err(from_store(error)),
    }
}
