//! DeleteLogGroup.

use crate::LogsService;
use crate::errors::{from_events, from_store};
use crate::shapes::DeleteLogGroupRequest;
use aws_wire::{RequestContext, ServiceError};
use resources::Stored;
use resources::logs::{LogGroup, LogStream, MetricFilter};

/// Removes a group with its streams and events. The group goes first: what a crash leaves of the rest is out of
/// reach, and the controller `logs_retention` removes it.
pub async fn run(
    service: &LogsService,
    context: &RequestContext,
    input: DeleteLogGroupRequest,
) -> Result<(), ServiceError> {
    let group = service.require_group(context, &input.log_group_name).await?;
    let mut batch = service.tables.batch().delete_any::<LogGroup>(&group.key());
    for filter in service.filters.of_group(&group).await.map_err(from_store)? {
        batch = batch.delete_any::<MetricFilter>(&filter.key());
    }
    batch.commit().await.map_err(from_store)?;
    let streams = format!("{}/{}/", group.account, group.id);
    for stream in service.tables.list_all::<LogStream>(&streams).await.map_err(from_store)? {
        service.tables.batch().delete_any::<LogStream>(&stream.key()).commit().await.map_err(from_store)?;
        service.events.delete(&stream).await.map_err(from_events)?;
    }
    Ok(())
}
