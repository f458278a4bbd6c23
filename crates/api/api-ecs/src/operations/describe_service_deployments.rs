//! DescribeServiceDeployments.

use crate::arns::own_resource;
use crate::errors::{Failure, invalid};
use crate::render::service as render;
use crate::shapes::{self as wire, DescribeServiceDeploymentsRequest, DescribeServiceDeploymentsResponse};
use aws_wire::{RequestContext, ServiceError};
use resources::ecs::ServiceDeployment;
use store::Tables;

/// Most service deployments of a request.
const MOST: usize = 20;

pub(crate) async fn run(
    tables: &Tables,
    context: &RequestContext,
    input: DescribeServiceDeploymentsRequest,
) -> Result<DescribeServiceDeploymentsResponse, ServiceError> {
    let arns = input.service_deployment_arns;
    if !(1..=MOST).contains(&arns.len()) {
        return Err(invalid(format!("serviceDeploymentArns must have 1 to {MOST} elements.")));
    }
    let (mut deployments, mut failures) = (Vec::new(), Vec::new());
    for arn in arns {
        let key = deployment_key(context, &arn)?;
        match tables.get::<ServiceDeployment>(&key).await.map_err(Failure::from)? {
            Some(found) => deployments.push(render::service_deployment(tables, context, &found).await?),
            None => failures.push(wire::Failure {
                arn: Some(arn),
                reason: Some("MISSING".to_owned()),
                detail: None,
            }),
        }
    }
    Ok(DescribeServiceDeploymentsResponse {
        service_deployments: Some(deployments),
        failures: Some(failures),
    })
}

/// The key of the service deployment that an ARN names.
pub(crate) fn deployment_key(context: &RequestContext, arn: &str) -> Result<String, ServiceError> {
    let rest = own_resource(context, arn, "service-deployment").filter(|rest| rest.split('/').count() == 3);
    let rest = rest.ok_or_else(|| invalid(format!("Invalid service deployment ARN: {arn}")))?;
    Ok(format!("{}/{rest}", context.account))
}
