//! PutDeliverySource, GetDeliverySource, DescribeDeliverySources and DeleteDeliverySource.
//!
//! A delivery source is a resource whose service vends logs of its own, such as a CloudFront distribution. No service of
//! a region vends logs: tasks write theirs into groups themselves.

use crate::LogsService;
use crate::shapes::errors::RESOURCE_NOT_FOUND_EXCEPTION;
use crate::shapes::{
    DeleteDeliverySourceRequest, DescribeDeliverySourcesRequest, DescribeDeliverySourcesResponse,
    GetDeliverySourceRequest, GetDeliverySourceResponse, PutDeliverySourceRequest, PutDeliverySourceResponse,
};
use aws_wire::{RequestContext, ServiceError};

/// Refuses the source: nothing here vends logs.
pub async fn put(
    _: &LogsService,
    _: &RequestContext,
    _: PutDeliverySourceRequest,
) -> Result<PutDeliverySourceResponse, ServiceError> {
    let text = "Cannot access provided service or resource: no resource of this region vends logs.";
    Err(ServiceError::new(&RESOURCE_NOT_FOUND_EXCEPTION, text))
}

/// There is none.
pub async fn get(
    _: &LogsService,
    _: &RequestContext,
    _: GetDeliverySourceRequest,
) -> Result<GetDeliverySourceResponse, ServiceError> {
    Err(no_source())
}

/// There is none.
pub async fn describe(
    _: &LogsService,
    _: &RequestContext,
    _: DescribeDeliverySourcesRequest,
) -> Result<DescribeDeliverySourcesResponse, ServiceError> {
    Ok(DescribeDeliverySourcesResponse { delivery_sources: Some(vec![]), next_token: None })
}

/// There is none to delete.
pub async fn delete(
    _: &LogsService,
    _: &RequestContext,
    _: DeleteDeliverySourceRequest,
) -> Result<(), ServiceError> {
    Err(no_source())
}

pub(super) fn no_source() -> ServiceError {
    ServiceError::new(&RESOURCE_NOT_FOUND_EXCEPTION, "Delivery source does not exist in this account.")
}
