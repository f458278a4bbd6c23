//! PutRetentionPolicy and DeleteRetentionPolicy.

use crate::LogsService;
use crate::errors::{from_store, invalid, no_group};
use crate::shapes::{DeleteRetentionPolicyRequest, PutRetentionPolicyRequest};
use aws_wire::{RequestContext, ServiceError};
use resources::logs::LogGroup;
use store::StoreError;

/// Days that may be asked for.
const ALLOWED_DAYS: [i32; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

/// Sets how long a group keeps its events.
pub async fn put(
    service: &LogsService,
    context: &RequestContext,
    input: PutRetentionPolicyRequest,
) -> Result<(), ServiceError> {
    let days = input.retention_in_days;

    if !ALLOWED_DAYS.contains(&days) {
        return Err(invalid(format!(
            "1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy constraint: \
             Member must satisfy enum value set: {ALLOWED_DAYS:?}"
        )));
    }
    set(service, context, &input.log_group_name, Some(days)).await
}

/// Lets a group keep its events for ever.
pub async fn delete(
    service: &LogsService,
    context: &RequestContext,
    input: DeleteRetentionPolicyRequest,
) -> Result<(), ServiceError> {
    set(service, context, &input.log_group_name, None).await
}

async fn set(
    service: &LogsService,
    context: &RequestContext,
    name: &str,
    retention_in_days: Option<i32>,
) -> Result<(), ServiceError> {
    let key = LogGroup::key_of(context.account.as_str(), name);
    let change =
        |group: &LogGroup| Ok::<_, StoreError>(Some(LogGroup { retention_in_days, ..group.clone() }));
    service.tables.update(&key, change).await.map_err(from_store)?.map(|_| ()).ok_or_else(no_group)
}
