//! Load balancers of services: reading them, and requiring what they name.

use crate::errors::{Failure, invalid};
use crate::service::not_built;
use crate::shapes as wire;
use aws_wire::ServiceError;
use resources::ecs::{ServiceLoadBalancer, TaskDefinition};
use resources::elb::{Action, Listener, Rule, TargetGroup};
use store::{Batch, Tables};

/// Most target groups of a service.
const MOST: usize = 5;

/// Reads the load balancers of a request.
pub(crate) fn read(given: Vec<wire::LoadBalancer>) -> Result<Vec<ServiceLoadBalancer>, ServiceError> {
    if given.len() > MOST {
        return Err(invalid(format!("load balancers can have at most {MOST} items.")));
    }
    let mut all = Vec::new();
    for own in given {
        let own = read_one(own)?;
        if all.contains(&own) {
            return Err(invalid("load balancers cannot contain the same target group and container twice."));
        }
        all.push(own);
    }
    Ok(all)
}

fn read_one(given: wire::LoadBalancer) -> Result<ServiceLoadBalancer, ServiceError> {
    let wire::LoadBalancer {
        advanced_configuration,
        container_name,
        container_port,
        load_balancer_name,
        target_group_arn,
    } = given;
    if load_balancer_name.is_some_and(|name| !name.is_empty()) {
        return Err(invalid(
            "Classic Load Balancers are not supported with the awsvpc network mode; specify a targetGroupArn.",
        ));
    }
    not_built(advanced_configuration.is_some(), "loadBalancers.advancedConfiguration")?;
    let named = |given: Option<String>, what: &str| {
        given.filter(|text| !text.is_empty()).ok_or_else(|| invalid(format!("{what} cannot be empty.")))
    };
    let target_group_arn = named(target_group_arn, "targetGroupArn")?;
    if TargetGroup::key_in(&target_group_arn).is_none() {
        return Err(invalid(format!("Invalid targetGroupArn '{target_group_arn}'.")));
    }
    let port = container_port.and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0);
    Ok(ServiceLoadBalancer {
        target_group_arn,
        container_name: named(container_name, "container name")?,
        container_port: port.ok_or_else(|| invalid("Container port must be between 1 and 65535."))?,
    })
}

/// Lets a service be written only while its target groups are there and in use, and its containers have the ports.
pub(crate) async fn require(
    tables: &Tables,
    definition: &TaskDefinition,
    own: &[ServiceLoadBalancer],
    mut batch: Batch,
) -> Result<Batch, Failure> {
    for own in own {
        check_port(definition, own)?;
        let arn = &own.target_group_arn;
        let missing = || invalid(format!("The specified target group {arn} does not exist."));
        let key = TargetGroup::key_in(arn).ok_or_else(missing)?;
        let account = key.split('/').next().unwrap_or_default();
        if account != definition.account.as_str() {
            return Err(missing().into());
        }
        let group = tables.get::<TargetGroup>(&key).await?.filter(|group| group.arn == *arn);
        batch = batch.require_exists(&group.ok_or_else(missing)?);
        if !is_used(tables, account, arn).await? {
            return Err(invalid(format!(
                "The target group with targetGroupArn {arn} does not have an associated load balancer."
            ))
            .into());
        }
    }
    Ok(batch)
}

fn check_port(definition: &TaskDefinition, own: &ServiceLoadBalancer) -> Result<(), ServiceError> {
    let (name, port) = (&own.container_name, own.container_port);
    let container = definition.containers.iter().find(|container| container.name == *name);
    let container = container
        .ok_or_else(|| invalid(format!("The container {name} does not exist in the task definition.")))?;
    if container.port_mappings.iter().any(|mapping| mapping.container_port == port) {
        return Ok(());
    }
    Err(invalid(format!("The container {name} did not have a container port {port} defined.")))
}

/// Whether a listener or a rule sends requests to a target group.
async fn is_used(tables: &Tables, account: &str, arn: &str) -> Result<bool, Failure> {
    let names = |actions: &[Action]| actions.iter().flat_map(Action::target_groups).any(|own| own == arn);
    let prefix = format!("{account}/");
    let listeners = tables.list_all::<Listener>(&prefix).await?;
    if listeners.iter().any(|own| names(&own.default_actions)) {
        return Ok(true);
    }
    Ok(tables.list_all::<Rule>(&prefix).await?.iter().any(|own| names(&own.actions)))
}

/// As answers show them.
pub(crate) fn shown(own: &[ServiceLoadBalancer]) -> Vec<wire::LoadBalancer> {
    own.iter()
        .map(|own| wire::LoadBalancer {
            target_group_arn: Some(own.target_group_arn.clone()),
            container_name: Some(own.container_name.clone()),
            container_port: Some(i32::from(own.container_port)),
            ..wire::LoadBalancer::default()
        })
        .collect()
}
