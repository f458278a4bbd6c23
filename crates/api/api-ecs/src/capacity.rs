//! Capacity providers of clusters, and strategies over them.

use crate::arns::arn;
use crate::errors::invalid;
use crate::service::strategy;
use crate::shapes as wire;
use aws_wire::{RequestContext, ServiceError};
use resources::ecs::{Cluster, StrategyItem};

/// Capacity providers that exist without being made.
pub(crate) const PROVIDERS: &[&str] = &["FARGATE", "FARGATE_SPOT"];

/// The providers of a request, each once.
pub(crate) fn providers(given: Vec<String>) -> Result<Vec<String>, ServiceError> {
    let mut names: Vec<String> = Vec::with_capacity(given.len());
    for name in given {
        if !PROVIDERS.contains(&name.as_str()) {
            return Err(invalid(format!(
                "The specified capacity provider '{name}' was not found. Specify a valid name or ARN and try again."
            )));
        }
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

/// The strategy of a request over the providers of a cluster.
pub(crate) fn strategy_of(
    given: Vec<wire::CapacityProviderStrategyItem>,
    providers: &[String],
) -> Result<Vec<StrategyItem>, ServiceError> {
    let items = strategy(given)?;
    require_associated(&items, providers)?;
    Ok(items)
}

/// Refuses a strategy over providers that a cluster does not have.
pub(crate) fn require_associated(items: &[StrategyItem], providers: &[String]) -> Result<(), ServiceError> {
    if items.iter().all(|item| providers.contains(&item.provider)) {
        return Ok(());
    }
    Err(invalid(
        "The specified capacity provider strategy cannot contain a capacity provider that is not associated with \
         the cluster. Associate the specified capacity provider with the cluster and try again.",
    ))
}

/// The strategy that tasks of a cluster are started with: the one asked for, else, without a launch type, the cluster's.
pub(crate) fn effective(
    given: Vec<StrategyItem>,
    launch_type: Option<wire::LaunchType>,
    cluster: &Cluster,
) -> Result<Vec<StrategyItem>, ServiceError> {
    if given.is_empty() && launch_type.is_none() {
        return Ok(cluster.default_strategy.clone());
    }
    require_associated(&given, &cluster.capacity_providers)?;
    Ok(given)
}

/// A strategy as it is shown.
pub(crate) fn render_strategy(items: &[StrategyItem]) -> Vec<wire::CapacityProviderStrategyItem> {
    let item = |item: &StrategyItem| wire::CapacityProviderStrategyItem {
        capacity_provider: item.provider.clone(),
        weight: i32::try_from(item.weight).ok(),
        base: i32::try_from(item.base).ok(),
    };
    items.iter().map(item).collect()
}

/// A provider as it is shown.
pub(crate) fn render_provider(context: &RequestContext, name: &str) -> wire::CapacityProvider {
    wire::CapacityProvider {
        capacity_provider_arn: Some(arn(context, format!("capacity-provider/{name}"))),
        name: Some(name.to_owned()),
        r#type: name.parse().ok(),
        status: Some(wire::CapacityProviderStatus::Active),
        tags: Some(vec![]),
        ..wire::CapacityProvider::default()
    }
}
