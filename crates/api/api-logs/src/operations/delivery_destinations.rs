//! The operations on delivery destinations and their policies.
//!
//! A delivery destination receives what delivery sources vend, of which a region has none (`delivery_sources`): one that
//! is kept would receive nothing for ever, so none is taken.

use crate::LogsService;
use crate::shapes::errors::{RESOURCE_NOT_FOUND_EXCEPTION, VALIDATION_EXCEPTION};
use crate::shapes::{
    DeleteDeliveryDestinationPolicyRequest, DeleteDeliveryDestinationRequest,
    DescribeDeliveryDestinationsRequest, DescribeDeliveryDestinationsResponse,
    GetDeliveryDestinationPolicyRequest, GetDeliveryDestinationPolicyResponse, GetDeliveryDestinationRequest,
    GetDeliveryDestinationResponse, PutDeliveryDestinationPolicyRequest,
    PutDeliveryDestinationPolicyResponse, PutDeliveryDestinationRequest, PutDeliveryDestinationResponse,
};
use aws_wire::{RequestContext, ServiceError};

/// Refuses the destination: nothing would ever arrive there.
pub async fn put(
    _: &LogsService,
    _: &RequestContext,
    _: PutDeliveryDestinationRequest,
) -> Result<PutDeliveryDestinationResponse, ServiceError> {
    let text = "Delivery destinations are not supported by this region: none of its services vends logs.";
    Err(ServiceError::new(&VALIDATION_EXCEPTION, text))
}

/// There is none.
pub async fn get(
    _: &LogsService,
    _: &RequestContext,
    _: GetDeliveryDestinationRequest,
) -> Result<GetDeliveryDestinationResponse, ServiceError> {
    Err(no_destination())
}

/// There is none.
pub async fn describe(
    _: &LogsService,
    _: &RequestContext,
    _: DescribeDeliveryDestinationsRequest,
) -> Result<DescribeDeliveryDestinationsResponse, ServiceError> {
    Ok(DescribeDeliveryDestinationsResponse { delivery_destinations: Some(vec![]), next_token: None })
}

/// There is none to delete.
pub async fn delete(
    _: &LogsService,
    _: &RequestContext,
    _: DeleteDeliveryDestinationRequest,
) -> Result<(), ServiceError> {
    Err(no_destination())
}

/// There is none to protect.
pub async fn put_policy(
    _: &LogsService,
    _: &RequestContext,
    _: PutDeliveryDestinationPolicyRequest,
) -> Result<PutDeliveryDestinationPolicyResponse, ServiceError> {
    Err(no_destination())
}

/// There is none.
pub async fn get_policy(
    _: &LogsService,
    _: &RequestContext,
    _: GetDeliveryDestinationPolicyRequest,
) -> Result<GetDeliveryDestinationPolicyResponse, ServiceError> {
    Err(no_destination())
}

/// There is none.
pub async fn delete_policy(
    _: &LogsService,
    _: &RequestContext,
    _: DeleteDeliveryDestinationPolicyRequest,
) -> Result<(), ServiceError> {
    Err(no_destination())
}

fn no_destination() -> ServiceError {
    ServiceError::new(&RESOURCE_NOT_FOUND_EXCEPTION, "Delivery destination does not exist in this account.")
}
