//! DescribeExpressGatewayService.

use crate::express::{find::find, render};
use crate::shapes::{
    DescribeExpressGatewayServiceRequest, DescribeExpressGatewayServiceResponse,
    ExpressGatewayServiceInclude, errors,
};
use aws_wire::{RequestContext, ServiceError};
use store::Tables;

pub(crate) async fn run(
    tables: &Tables,
    context: &RequestContext,
    input: DescribeExpressGatewayServiceRequest,
) -> Result<DescribeExpressGatewayServiceResponse, ServiceError> {
    let DescribeExpressGatewayServiceRequest { include, service_arn } = input;
    let found = find(tables, context, &service_arn).await?;
    let found = found
        .ok_or_else(|| ServiceError::new(&errors::RESOURCE_NOT_FOUND_EXCEPTION, "Resource not found."))?;
    let with_tags = include.is_some_and(|include| include.contains(&ExpressGatewayServiceInclude::Tags));
    let service = render::described(tables, context, &found.service, &found.express, with_tags).await?;
    Ok(DescribeExpressGatewayServiceResponse { service: Some(service) })
}
