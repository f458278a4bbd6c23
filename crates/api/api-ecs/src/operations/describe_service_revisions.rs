//! DescribeServiceRevisions.

use crate::arns::own_resource;
use crate::errors::{Failure, invalid};
use crate::express::managed;
use crate::render::service as render;
use crate::shapes::{self as wire, DescribeServiceRevisionsRequest, DescribeServiceRevisionsResponse};
use aws_wire::{RequestContext, ServiceError};
use resources::ecs::{ExpressService, Service, ServiceRevision};
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
        match describe(tables, context, &key).await? {
            Some(found) => revisions.push(found),
            None => failures.push(wire::Failure {
                arn: Some(arn),
                reason: Some("MISSING".to_owned()),
                detail: None,
            }),
        }
    }
    Ok(DescribeServiceRevisionsResponse { service_revisions: Some(revisions), failures: Some(failures) })
}

/// A service revision. That of an express service is known before its deployment begins.
async fn describe(
    tables: &Tables,
    context: &RequestContext,
    key: &str,
) -> Result<Option<wire::ServiceRevision>, Failure> {
    let found = tables.get::<ServiceRevision>(key).await?;
    let mut shown = found.as_ref().map(|found| render::revision(context, found));
    let Some((service_key, id)) = key.rsplit_once('/') else { return Ok(shown) };
    let Some(express) = tables.get::<ExpressService>(service_key).await? else { return Ok(shown) };
    let Some(service) = tables.get::<Service>(service_key).await? else { return Ok(shown) };
    if !service.express || service.created_at != express.service_created_at {
        return Ok(shown);
    }
    if shown.is_none() {
        let told = express.configurations.iter().find(|own| own.service_revision == id);
        shown = told.map(|own| render::told_revision(context, &express, own));
    }
    if let Some(shown) = &mut shown {
        shown.ecs_managed_resources = managed::resources(tables, context, &service, &express, id).await?;
    }
    Ok(shown)
}
