//! PutDestination, PutDestinationPolicy, DescribeDestinations and DeleteDestination.
//!
//! A destination stands for a Kinesis or Firehose stream, which a region has not: AWS sends a stream a message before it
//! takes the destination, and refuses it when that does not arrive.

use crate::LogsService;
use crate::errors::invalid;
use crate::shapes::errors::RESOURCE_NOT_FOUND_EXCEPTION;
use crate::shapes::{
    DeleteDestinationRequest, DescribeDestinationsRequest, DescribeDestinationsResponse,
    PutDestinationPolicyRequest, PutDestinationRequest, PutDestinationResponse,
};
use aws_wire::{RequestContext, ServiceError};

/// Refuses the destination as AWS does when its stream takes no message.
pub async fn put(
    _: &LogsService,
    _: &RequestContext,
    _: PutDestinationRequest,
) -> Result<PutDestinationResponse, ServiceError> {
    Err(invalid(
        "Could not deliver test message to specified destination. Check if the destination is valid.",
    ))
}

/// There is no destination to protect.
pub async fn put_policy(
    _: &LogsService,
    _: &RequestContext,
    _: PutDestinationPolicyRequest,
) -> Result<(), ServiceError> {
    Err(no_destination())
}

/// There is none.
pub async fn describe(
    _: &LogsService,
    _: &RequestContext,
    _: DescribeDestinationsRequest,
) -> Result<DescribeDestinationsResponse, ServiceError> {
    Ok(DescribeDestinationsResponse { destinations: Some(vec![]), next_token: None })
}

/// There is none to delete.
pub async fn delete(
    _: &LogsService,
    _: &RequestContext,
    _: DeleteDestinationRequest,
) -> Result<(), ServiceError> {
    Err(no_destination())
}

pub(super) fn no_destination() -> ServiceError {
    ServiceError::new(&RESOURCE_NOT_FOUND_EXCEPTION, "The specified destination does not exist.")
}
