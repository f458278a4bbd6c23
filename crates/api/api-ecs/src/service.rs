//! What the operations of services share: finding one, and reading what is asked for.

use crate::arns::own_resource;
use crate::errors::{Failure, invalid, service_not_found, unsupported};
use crate::operations::create_cluster::PROVIDERS;
use crate::refuse::filled;
use crate::shapes as wire;
use aws_wire::{RequestContext, ServiceError};
use resources::ecs::{DeploymentConfiguration, Service, StrategyItem};
use store::{Tables, Versioned};

/// Most tasks of a service, as AWS's quota is.
const MOST_TASKS: i32 = 5_000;
/// Largest maximum percent.
const MOST_PERCENT: i32 = 100_000;

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

/// The parts of a request that are for what is not built: Service Connect.
pub(crate) struct Unbuilt {
    pub(crate) controller: Option<wire::DeploymentController>,
    pub(crate) execute: bool,
    pub(crate) connect: Option<wire::ServiceConnectConfiguration>,
    pub(crate) lattice: bool,
    pub(crate) constraints: bool,
    pub(crate) strategy: bool,
}

impl Unbuilt {
    pub(crate) fn refuse(&self) -> Result<(), ServiceError> {
        if let Some(controller) = &self.controller
            && controller.r#type != wire::DeploymentControllerType::Ecs
        {
            return Err(unsupported(&format!("The deployment controller {}", controller.r#type.as_str())));
        }
        not_built(self.execute, "enableExecuteCommand")?;
        not_built(
            self.connect.as_ref().is_some_and(|connect| connect.enabled),
            "serviceConnectConfiguration",
        )?;
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

/// What a request changes of how deployments go.
pub(crate) fn deployment_configuration(
    given: Option<wire::DeploymentConfiguration>,
    old: DeploymentConfiguration,
) -> Result<DeploymentConfiguration, ServiceError> {
    let Some(given) = given else { return Ok(old) };
    let wire::DeploymentConfiguration {
        alarms,
        bake_time_in_minutes,
        canary_configuration,
        deployment_circuit_breaker,
        lifecycle_hooks,
        linear_configuration,
        maximum_percent,
        minimum_healthy_percent,
        strategy,
    } = given;
    let alarms = alarms.is_some_and(|alarms| alarms.enable || !alarms.alarm_names.is_empty());
    not_built(alarms, "deploymentConfiguration.alarms")?;
    not_built(
        bake_time_in_minutes.is_some_and(|time| time > 0),
        "deploymentConfiguration.bakeTimeInMinutes",
    )?;
    not_built(canary_configuration.is_some(), "deploymentConfiguration.canaryConfiguration")?;
    not_built(filled(lifecycle_hooks.as_ref()), "deploymentConfiguration.lifecycleHooks")?;
    not_built(linear_configuration.is_some(), "deploymentConfiguration.linearConfiguration")?;
    if let Some(strategy) = strategy.filter(|strategy| *strategy != wire::DeploymentStrategy::Rolling) {
        return Err(unsupported(&format!("The deployment strategy {}", strategy.as_str())));
    }
    let percent = |given: Option<i32>, old: u32, least: i32, most: i32, name: &str| match given {
        None => Ok(old),
        Some(given) => u32::try_from(given)
            .ok()
            .filter(|_| (least..=most).contains(&given))
            .ok_or_else(|| invalid(format!("{name} must be between {least} and {most}."))),
    };
    let (breaker, rollback) = deployment_circuit_breaker
        .map_or((old.breaker, old.rollback), |breaker| (breaker.enable, breaker.rollback));
    if rollback && !breaker {
        return Err(invalid("A circuit breaker that is not enabled cannot roll back."));
    }
    Ok(DeploymentConfiguration {
        minimum_healthy_percent: percent(
            minimum_healthy_percent,
            old.minimum_healthy_percent,
            0,
            100,
            "minimumHealthyPercent",
        )?,
        maximum_percent: percent(maximum_percent, old.maximum_percent, 100, MOST_PERCENT, "maximumPercent")?,
        breaker,
        rollback,
    })
}
