//! DescribeCapacityProviders: the two of Fargate.

use crate::arns::{arn, own_resource, require_cluster};
use crate::capacity::{PROVIDERS, render_provider};
use crate::paging;
use crate::shapes::{self as wire, DescribeCapacityProvidersRequest, DescribeCapacityProvidersResponse};
use aws_wire::{RequestContext, ServiceError};
use store::Tables;

pub(crate) async fn run(
    tables: &Tables,
    context: &RequestContext,
    input: DescribeCapacityProvidersRequest,
) -> Result<DescribeCapacityProvidersResponse, ServiceError> {
    // They have no tags that could be asked for.
    let DescribeCapacityProvidersRequest { capacity_providers, cluster, include: _, max_results, next_token } =
        input;
    if cluster.is_some() {
        // Only the providers of managed instances belong to one cluster, and there are none.
        require_cluster(tables, context, cluster.as_deref()).await?;
        let none = Some(Vec::new());
        return Ok(DescribeCapacityProvidersResponse {
            capacity_providers: none,
            failures: Some(vec![]),
            next_token: None,
        });
    }
    let given = capacity_providers.unwrap_or_default();
    let page = paging::request(next_token.as_deref(), max_results, format!("capacity-providers {given:?}"))?;
    let name_of = |given: &str| match own_resource(context, given, "capacity-provider") {
        Some(name) => name,
        None => given.to_owned(),
    };
    let wanted: Vec<String> = given.iter().map(|given| name_of(given)).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
    let after = |name: &str| page.after.as_ref().is_none_or(|after| name > after.as_str());
    let mut names = PROVIDERS.iter().copied().filter(|name| is_wanted(name) && after(name));
    let shown: Vec<&str> = names.by_ref().take(page.limit).collect();
    let next_token = names.next().and_then(|_| shown.last()).map(|last| page.token(last));
    let unknown = wanted.iter().filter(|name| !PROVIDERS.contains(&name.as_str()));
    let failures = unknown.map(|name| wire::Failure {
        arn: Some(arn(context, format!("capacity-provider/{name}"))),
        reason: Some("MISSING".to_owned()),
        detail: None,
    });
    Ok(DescribeCapacityProvidersResponse {
        failures: Some(failures.collect()),
        capacity_providers: Some(shown.iter().map(|name| render_provider(context, name)).collect()),
        next_token,
    })
}
