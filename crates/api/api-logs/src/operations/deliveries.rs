//! CreateDelivery, GetDelivery, DescribeDeliveries and DeleteDelivery.
//!
//! A delivery joins a delivery source with a delivery destination, and a region has neither.

use super::delivery_sources::no_source;
use crate::LogsService;
use crate::shapes::errors::RESOURCE_NOT_FOUND_EXCEPTION;
use crate::shapes::{
    CreateDeliveryRequest, CreateDeliveryResponse, DeleteDeliveryRequest, DescribeDeliveriesRequest,
    DescribeDeliveriesResponse, GetDeliveryRequest, GetDeliveryResponse,
};
use aws_wire::{RequestContext, ServiceError};

/// Its source does not exist.
pub async fn create(
    _: &LogsService,
    _: &RequestContext,
    _: CreateDeliveryRequest,
) -> Result<CreateDeliveryResponse, ServiceError> {
    Err(no_source())
}

/// There is none.
pub async fn get(
    _: &LogsService,
    _: &RequestContext,
    _: GetDeliveryRequest,
) -> Result<GetDeliveryResponse, ServiceError> {
    Err(no_delivery())
}

/// There is none.
pub async fn describe(
    _: &LogsService,
    _: &RequestContext,
    _: DescribeDeliveriesRequest,
) -> Result<DescribeDeliveriesResponse, ServiceError> {
    Ok(DescribeDeliveriesResponse { deliveries: Some(vec![]), next_token: None })
}

/// There is none to delete.
pub async fn delete(
    _: &LogsService,
    _: &RequestContext,
    _: DeleteDeliveryRequest,
) -> Result<(), ServiceError> {
    Err(no_delivery())
}

fn no_delivery() -> ServiceError {
    ServiceError::new(&RESOURCE_NOT_FOUND_EXCEPTION, "Delivery does not exist in this account.")
}
