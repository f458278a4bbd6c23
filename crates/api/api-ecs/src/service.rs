//! What the operations of services share: finding one, and reading what is asked for.

mod configuration;
mod hooks;

pub(crate) use configuration::deployment_configuration;
pub(crate) use hooks::check_hooks;

use crate::arns::own_resource;
use crate::capacity::PROVIDERS;
use crate::errors::{Failure, invalid, service_not_found, unsupported};
use crate::shapes as wire;
use aws_wire::{RequestContext, ServiceError};
use resources::ecs::{Service, StrategyItem};
use store::{Tables, Versioned};

/// Most tasks of a service, as AWS's quota is.
const MOST_TASKS: i32 = 5_000;

/// The name in a service's name or ARN.
pub(crate) fn service_name(context: &RequestContext, given: &str) -> Result<String, ServiceError> {
    if !given.starts_with("arn:") {
        return Ok(given.to_owned());
    }
    own_resource(context, given, "service")
        .and_then(|rest| rest.rsplit('/').next().map(str::to_owned))
        .ok_or_else(|| invalid(format!("Invalid identifier: Identifier is for {given}. Your accountId or region differ, or it is no service.")))
}

/// A service of a cluster, whatever its status.
pub(crate) async fn find_service(
    tables: &Tables,
    context: &RequestContext,
    cluster: &str,
    given: &str,
) -> Result<Option<Versioned<Service>>, Failure> {
    let name = service_name(context, given)?;
    Ok(tables.get(&format!("{}/{cluster}/{name}", context.account)).await?)
}

/// A service that is there, whatever its status.
pub(crate) async fn require_service(
    tables: &Tables,
    context: &RequestContext,
    cluster: &str,
    given: &str,
) -> Result<Versioned<Service>, Failure> {
    Ok(find_service(tables, context, cluster, given).await?.ok_or_else(service_not_found)?)
}

/// Refuses what is given and not built, by name.
pub(crate) fn not_built(given: bool, parameter: &str) -> Result<(), ServiceError> {
    if given { Err(unsupported(&format!("The parameter '{parameter}'"))) } else { Ok(()) }
}

/// The parts of a request that are for what is not built.
pub(crate) struct Unbuilt {
    pub(crate) lattice: bool,
    pub(crate) constraints: bool,
    pub(crate) strategy: bool,
}

impl Unbuilt {
    pub(crate) fn refuse(&self) -> Result<(), ServiceError> {
        not_built(self.lattice, "vpcLatticeConfigurations")?;
        if self.constraints {
            return Err(invalid("Placement constraints are not supported with FARGATE launch type."));
        }
        if self.strategy {
            return Err(invalid("Placement strategies are not supported with FARGATE launch type."));
        }
        Ok(())
    }
}

/// How many tasks are wanted.
pub(crate) fn desired_count(given: i32) -> Result<u32, ServiceError> {
    u32::try_from(given)
        .ok()
        .filter(|_| given <= MOST_TASKS)
        .ok_or_else(|| invalid(format!("desiredCount must be between 0 and {MOST_TASKS}.")))
}

/// Seconds in which failing health checks do not count.
pub(crate) fn grace_period(given: i32) -> Result<u32, ServiceError> {
    u32::try_from(given).map_err(|_| invalid("healthCheckGracePeriodSeconds must not be negative."))
}

/// Capacity providers and their shares.
pub(crate) fn strategy(
    given: Vec<wire::CapacityProviderStrategyItem>,
) -> Result<Vec<StrategyItem>, ServiceError> {
    let mut items: Vec<StrategyItem> = Vec::with_capacity(given.len());
    for item in given {
        let wire::CapacityProviderStrategyItem { base, capacity_provider, weight } = item;
        if !PROVIDERS.contains(&capacity_provider.as_str()) {
            return Err(invalid(format!(
                "The specified capacity provider '{capacity_provider}' was not found. Specify a valid name or ARN \
                 and try again."
            )));
        }
        if items.iter().any(|own| own.provider == capacity_provider) {
            return Err(invalid(
                "The specified capacity provider strategy cannot contain a capacity provider twice.",
            ));
        }
        let number = |given: Option<i32>, most: u32, name: &str| {
            u32::try_from(given.unwrap_or_default()).ok().filter(|number| *number <= most).ok_or_else(|| {
                invalid(format!("The {name} of a capacity provider must be between 0 and {most}."))
            })
        };
        items.push(StrategyItem {
            provider: capacity_provider,
            weight: number(weight, 1_000, "weight")?,
            base: number(base, 100_000, "base")?,
        });
    }
    if !items.is_empty() && items.iter().all(|item| item.weight == 0) && items.len() > 1 {
        return Err(invalid(
            "The specified capacity provider strategy must contain at least one capacity provider with a weight \
             greater than 0.",
        ));
    }
    if items.iter().filter(|item| item.base > 0).count() > 1 {
        return Err(invalid(
            "The specified capacity provider strategy can have one capacity provider with a base.",
        ));
    }
    Ok(items)
}
