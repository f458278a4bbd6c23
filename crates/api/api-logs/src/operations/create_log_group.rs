//! CreateLogGroup.

use crate::LogsService;
use crate::errors::{exists, from_store, invalid};
use crate::shapes::{CreateLogGroupRequest, LogGroupClass};
use aws_wire::{RequestContext, ServiceError};
use resources::logs::LogGroup;
use store::StoreError;

/// Makes an empty group that keeps its events for ever.
pub async fn run(
    service: &LogsService,
    context: &RequestContext,
    input: CreateLogGroupRequest,
) -> Result<(), ServiceError> {
    refuse_what_is_not_honoured(&input)?;
    let environment = service.tables.environment();
    let group = LogGroup {
        account: context.account.to_string(),
        name: input.log_group_name,
        id: environment.random_hex(16),
        created_at: environment.now(),
        retention_in_days: None,
        tags: input.tags.unwrap_or_default(),
        stored_bytes: 0,
    };
    match service.tables.create(group).await {
        Ok(_) => Ok(()),
        Err(StoreError::AlreadyExists(_)) => Err(exists("log group")),
        Err(error) => Err(from_store(error)),
    }
}

fn refuse_what_is_not_honoured(input: &CreateLogGroupRequest) -> Result<(), ServiceError> {
    if input.log_group_name.to_ascii_lowercase().starts_with("aws/") {
        return Err(invalid("Log groups starting with AWS/ are reserved for AWS."));
    }
    if input.kms_key_id.is_some() {
        return Err(invalid("The specified KMS key cannot be used: this region encrypts no log groups."));
    }
    if input.log_group_class.is_some_and(|class| class != LogGroupClass::Standard) {
        return Err(invalid("This region offers the log group class STANDARD only."));
    }
    if input.deletion_protection_enabled == Some(true) {
        return Err(invalid("This region offers no deletion protection of log groups."));
    }
    Ok(())
}
