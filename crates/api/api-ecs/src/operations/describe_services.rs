//! DescribeServices.

use crate::arns::require_cluster;
use crate::errors::invalid;
use crate::render::service as render;
use crate::service::{find_service, service_name};
use crate::shapes::{self as wire, DescribeServicesRequest, DescribeServicesResponse, ServiceField};
use aws_wire::{RequestContext, ServiceError};
use store::Tables;

/// Most services of a request.
const MOST: usize = 10;

pub(crate) async fn run(
    tables: &Tables,
    context: &RequestContext,
    input: DescribeServicesRequest,
) -> Result<DescribeServicesResponse, ServiceError> {
    let cluster = require_cluster(tables, context, input.cluster.as_deref()).await?;
    if input.services.is_empty() {
        return Err(invalid("Services cannot be empty."));
    }
    if input.services.len() > MOST {
        return Err(invalid(format!("Services cannot have more than {MOST} elements.")));
    }
    let with_tags = input.include.is_some_and(|include| include.contains(&ServiceField::Tags));
    let (mut services, mut failures) = (Vec::new(), Vec::new());
    for given in &input.services {
        match find_service(tables, context, &cluster.name, given).await? {
            Some(found) => services.push(render::described(tables, context, &found, with_tags).await?),
            None => failures.push(wire::Failure {
                arn: Some(render::service_arn(context, &cluster.name, &service_name(context, given)?)),
                reason: Some("MISSING".to_owned()),
                detail: None,
            }),
        }
    }
    Ok(DescribeServicesResponse { services: Some(services), failures: Some(failures) })
}
