//! DescribeServiceRevisions.

use crate::arns::own_resource;
use crate::errors::{Failure, invalid};
use crate::render::service as render;
use crate::shapes::{self as wire, DescribeServiceRevisionsRequest, DescribeServiceRevisionsResponse};
use aws_wire::{RequestContext, ServiceError};
use resources::ecs::ServiceRevision;
use store::Tables;

/// Most revisions of a request.
const MOST: usize = 20;

pub(crate) async fn run(
    tables: &Tables,
    context: &RequestContext,
    input: DescribeServiceRevisionsRequest,
) -> Result<DescribeServiceRevisionsResponse, ServiceError> {
    let arns = input.service_revision_arns;
    if !(1..=MOST).contains(&arns.len()) {
        return Err(invalid(format!("serviceRevisionArns must have 1 to {MOST} elements.")));
    }
    let (mut revisions, mut failures) = (Vec::new(), Vec::new());
    for arn in arns {
        let rest = own_resource(context, &arn, "service-revision")
            .filter(|rest| rest.split('/').count() == 3)
            .ok_or_else(|| invalid(format!("Invalid service revision ARN: {arn}")))?;
        let key = format!("{}/{rest}", context.account);
        match tables.get::<ServiceRevision>(&key).await.map_err(Failure::from)? {
            Some(found) => revisions.push(render::revision(context, &found)),
            None => failures.push(wire::Failure {
                arn: Some(arn),
                reason: Some("MISSING".to_owned()),
                detail: None,
            }),
        }
    }
    Ok(DescribeServiceRevisionsResponse { service_revisions: Some(revisions), failures: Some(failures) })
}
