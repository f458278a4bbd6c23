//! DescribeTaskSets.

use crate::arns::require_cluster;
use crate::errors::invalid;
use crate::shapes::{self as wire, DescribeTaskSetsRequest, DescribeTaskSetsResponse, TaskSetField};
use crate::task_set::{described, position, require_external, task_set_arn};
use aws_wire::{RequestContext, ServiceError};
use store::Tables;

/// Most task sets of a request.
const MOST: usize = 100;

pub(crate) async fn run(
    tables: &Tables,
    context: &RequestContext,
    input: DescribeTaskSetsRequest,
) -> Result<DescribeTaskSetsResponse, ServiceError> {
    let DescribeTaskSetsRequest { cluster, include, service, task_sets } = input;
    let cluster = require_cluster(tables, context, Some(&cluster)).await?;
    let service = require_external(tables, context, &cluster.name, &service).await?;
    let with_tags = include.is_some_and(|include| include.contains(&TaskSetField::Tags));
    let mut shown = described(tables, context, &service, with_tags).await?;
    let wanted = task_sets.unwrap_or_default();
    if wanted.len() > MOST {
        return Err(invalid(format!("taskSets cannot have more than {MOST} elements.")));
    }
    let mut failures = Vec::new();
    if !wanted.is_empty() {
        let mut found = Vec::new();
        for given in &wanted {
            if let Ok(index) = position(context, &service, given) {
                found.push(service.deployments[index].id.clone());
                continue;
            }
            let is_arn = given.starts_with("arn:");
            failures.push(wire::Failure {
                arn: Some(if is_arn { given.clone() } else { task_set_arn(context, &service, given) }),
                reason: Some("MISSING".to_owned()),
                detail: None,
            });
        }
        shown.retain(|set| set.id.as_ref().is_some_and(|id| found.contains(id)));
    }
    Ok(DescribeTaskSetsResponse { task_sets: Some(shown), failures: Some(failures) })
}
