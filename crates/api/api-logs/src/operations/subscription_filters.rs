//! PutSubscriptionFilter, DescribeSubscriptionFilters and DeleteSubscriptionFilter.
//!
//! AWS sends a group's events on to Lambda, Kinesis or Firehose. None of them is in a region, so every destination is one
//! that AWS's own check would not reach: a put is refused as AWS refuses it then, and no group has a filter.

use super::destinations::no_destination;
use crate::LogsService;
use crate::errors::invalid;
use crate::pattern::Pattern;
use crate::shapes::errors::RESOURCE_NOT_FOUND_EXCEPTION;
use crate::shapes::{
    DeleteSubscriptionFilterRequest, DescribeSubscriptionFiltersRequest, DescribeSubscriptionFiltersResponse,
    PutSubscriptionFilterRequest,
};
use aws_wire::{RequestContext, ServiceError};
use identifiers::Arn;

/// Refuses the filter with what AWS says of a destination that it cannot reach.
pub async fn put(
    service: &LogsService,
    context: &RequestContext,
    input: PutSubscriptionFilterRequest,
) -> Result<(), ServiceError> {
    service.require_group(context, &input.log_group_name).await?;
    Pattern::parse(&input.filter_pattern)
        .map_err(|error| invalid(format!("Invalid filter pattern: {error}")))?;
    let Ok(arn) = input.destination_arn.parse::<Arn>() else {
        return Err(invalid("Invalid destinationArn"));
    };
    Err(match arn.service.as_str() {
        "lambda" => invalid(
            "Could not execute the lambda function. Make sure you have given CloudWatch Logs permission to \
             execute your function.",
        ),
        vendor @ ("kinesis" | "firehose") if input.role_arn.is_none() => {
            invalid(format!("destinationArn for vendor {vendor} cannot be used without roleArn"))
        }
        "kinesis" => invalid(
            "Could not deliver test message to specified Kinesis stream. Check if the given kinesis stream is in \
             ACTIVE state.",
        ),
        "firehose" => invalid(
            "Could not deliver test message to specified Firehose stream. Check if the given Firehose stream is in \
             ACTIVE state.",
        ),
        "logs" if arn.resource.starts_with("destination:") => no_destination(),
        vendor => invalid(format!(
            "PutSubscriptionFilter operation cannot work with destinationArn for vendor {vendor}"
        )),
    })
}

/// No group has any.
pub async fn describe(
    service: &LogsService,
    context: &RequestContext,
    input: DescribeSubscriptionFiltersRequest,
) -> Result<DescribeSubscriptionFiltersResponse, ServiceError> {
    service.require_group(context, &input.log_group_name).await?;
    Ok(DescribeSubscriptionFiltersResponse { subscription_filters: Some(vec![]), next_token: None })
}

/// There is none to delete.
pub async fn delete(
    service: &LogsService,
    context: &RequestContext,
    input: DeleteSubscriptionFilterRequest,
) -> Result<(), ServiceError> {
    service.require_group(context, &input.log_group_name).await?;
    Err(ServiceError::new(&RESOURCE_NOT_FOUND_EXCEPTION, "The specified subscription filter does not exist."))
}
