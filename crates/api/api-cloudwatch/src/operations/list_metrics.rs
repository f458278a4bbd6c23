//! ListMetrics.

use crate::CloudWatchService;
use crate::errors::invalid_token;
use crate::shapes::{Dimension, ListMetricsInput, ListMetricsOutput, Metric};
use aws_wire::{RequestContext, ServiceError};
use metric_store::Series;
use std::sync::Arc;
use std::time::Duration;

/// Metrics of an answer.
const PAGE: usize = 500;
/// Metrics without a sample for as long are not listed.
const LISTED: Duration = Duration::from_secs(14 * 24 * 3600);
const RECENT: Duration = Duration::from_secs(3 * 3600);

/// Lists the account's metrics.
pub async fn run(
    service: &CloudWatchService,
    context: &RequestContext,
    input: ListMetricsInput,
) -> Result<ListMetricsOutput, ServiceError> {
    let after = match &input.next_token {
        Some(text) => text.parse::<usize>().map_err(|_| invalid_token())?,
        None => 0,
    };
    let other = input.owning_account.as_ref().is_some_and(|account| account != context.account.as_str());
    let age = if input.recently_active.is_some() { RECENT } else { LISTED };
    let mut found = service.metrics.list(context.account.as_str(), service.environment.now() - age);
    found.retain(|series| !other && wanted(series, &input));
    let rest = &found[after.min(found.len())..];
    let shown = &rest[..rest.len().min(PAGE)];
    Ok(ListMetricsOutput {
        metrics: Some(shown.iter().map(render).collect()),
        next_token: (shown.len() < rest.len()).then(|| (after + shown.len()).to_string()),
        owning_accounts: input
            .include_linked_accounts
            .filter(|include| *include)
            .map(|_| shown.iter().map(|series| series.account.clone()).collect()),
    })
}

fn wanted(series: &Series, input: &ListMetricsInput) -> bool {
    input.namespace.as_ref().is_none_or(|namespace| *namespace == series.namespace)
        && input.metric_name.as_ref().is_none_or(|name| *name == series.name)
        && input.dimensions.iter().flatten().all(|filter| {
            let value = series.dimensions.get(&filter.name);
            value.is_some_and(|value| filter.value.as_ref().is_none_or(|wanted| wanted == value))
        })
}

fn render(series: &Arc<Series>) -> Metric {
    let dimension =
        |(name, value): (&String, &String)| Dimension { name: name.clone(), value: value.clone() };
    Metric {
        namespace: Some(series.namespace.clone()),
        metric_name: Some(series.name.clone()),
        dimensions: Some(series.dimensions.iter().map(dimension).collect()),
    }
}
