//! Load balancers of services and task sets: reading them, and requiring what they name.

mod traffic;

use crate::errors::{Failure, invalid};
use crate::shapes as wire;
use aws_wire::ServiceError;
use resources::ecs::{AlternateTargets, ServiceLoadBalancer, Strategy, TaskDefinition};
use resources::elb::{Action, Listener, Rule, TargetGroup, TargetType};
use store::{Batch, Tables};

/// Most target groups of a service.
const MOST: usize = 5;

/// Reads the load balancers of a request.
pub(crate) fn read(given: Vec<wire::LoadBalancer>) -> Result<Vec<ServiceLoadBalancer>, ServiceError> {
    if given.len() > MOST {
        return Err(invalid(format!("load balancers can have at most {MOST} items.")));
    }
    check_kinds(&given)?;
    let mut all = Vec::new();
    for own in given {
        let own = read_one(own)?;
        if all.contains(&own) {
            return Err(invalid("load balancers cannot contain the same target group and container twice."));
        }
        all.push(own);
    }
    traffic::check(&all)?;
    Ok(all)
}

/// Refuses what cannot stand beside each other, whatever it names.
fn check_kinds(given: &[wire::LoadBalancer]) -> Result<(), ServiceError> {
    let is_filled = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    let classic = given.iter().any(|own| is_filled(&own.load_balancer_name));
    if classic && given.iter().any(|own| is_filled(&own.target_group_arn)) {
        return Err(invalid(
            "All loadBalancers must be strictly either ELBv1 (defining loadBalancerName) or ELBv2 (defining \
             targetGroupArn)",
        ));
    }
    let advanced = given.iter().filter(|own| own.advanced_configuration.is_some()).count();
    if classic && advanced > 0 {
        return Err(invalid("advancedConfiguration field is not allowed with ELBv1 loadBalancers"));
    }
    if advanced != 0 && advanced != given.len() {
        return Err(invalid(
            "Either all or none of the provided loadBalancers must have advancedConfiguration defined",
        ));
    }
    Ok(())
}

/// Refuses load balancers without what a deployment needs that shifts traffic.
pub(crate) fn check_strategy(strategy: Strategy, own: &[ServiceLoadBalancer]) -> Result<(), ServiceError> {
    if strategy != Strategy::Rolling && own.iter().any(|own| own.advanced.is_none()) {
        return Err(invalid(
            "advancedConfiguration field is required for all loadBalancers when using a non-ROLLING deployment \
             strategy",
        ));
    }
    Ok(())
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
        advanced: advanced_configuration.map(read_advanced).transpose()?,
    })
}

fn read_advanced(given: wire::AdvancedConfiguration) -> Result<AlternateTargets, ServiceError> {
    let wire::AdvancedConfiguration {
        alternate_target_group_arn,
        production_listener_rule,
        role_arn,
        test_listener_rule,
    } = given;
    let named = |given: Option<String>, what: &str| {
        given.filter(|text| !text.is_empty()).ok_or_else(|| invalid(format!("{what} cannot be empty.")))
    };
    let target_group_arn = named(alternate_target_group_arn, "alternateTargetGroupArn")?;
    if TargetGroup::key_in(&target_group_arn).is_none() {
        return Err(invalid(format!("Invalid alternateTargetGroupArn '{target_group_arn}'.")));
    }
    let production_rule = named(production_listener_rule, "productionListenerRule")?;
    let test_rule = test_listener_rule.filter(|rule| !rule.is_empty());
    for (name, rule) in
        [("productionListenerRule", Some(&production_rule)), ("testListenerRule", test_rule.as_ref())]
    {
        if let Some(rule) = rule.filter(|rule| !traffic::is_rule(rule)) {
            return Err(invalid(format!(
                "{name} has an invalid ARN format. Must be RuleArn for ALB or ListenerArn for NLB. Got: {rule}"
            )));
        }
    }
    Ok(AlternateTargets {
        target_group_arn,
        production_rule,
        test_rule,
        role_arn: named(role_arn, "roleArn")?,
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
        batch = require_group(tables, definition, arn, batch).await?;
        if !is_used(tables, definition.account.as_str(), arn).await? {
            return Err(invalid(format!(
                "The target group with targetGroupArn {arn} does not have an associated load balancer."
            ))
            .into());
        }
        if let Some(advanced) = &own.advanced {
            batch = require_group(tables, definition, &advanced.target_group_arn, batch).await?;
            traffic::check_rules(tables, definition, arn, advanced).await?;
        }
    }
    Ok(batch)
}

/// Requires a target group that tasks with addresses of their own can be registered in.
async fn require_group(
    tables: &Tables,
    definition: &TaskDefinition,
    arn: &str,
    batch: Batch,
) -> Result<Batch, Failure> {
    let missing = || invalid(format!("The specified target group {arn} does not exist."));
    let key = TargetGroup::key_in(arn).ok_or_else(missing)?;
    if key.split('/').next() != Some(definition.account.as_str()) {
        return Err(missing().into());
    }
    let group = tables.get::<TargetGroup>(&key).await?.filter(|group| group.arn == arn);
    let group = group.ok_or_else(missing)?;
    match group.target_type {
        TargetType::Ip => Ok(batch.require_exists(&group)),
        TargetType::Instance => Err(invalid(format!(
            "The provided target group {arn} has target type instance, which is incompatible with the awsvpc network \
             mode specified in the task definition."
        ))
        .into()),
    }
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
            advanced_configuration: own.advanced.as_ref().map(|other| wire::AdvancedConfiguration {
                alternate_target_group_arn: Some(other.target_group_arn.clone()),
                production_listener_rule: Some(other.production_rule.clone()),
                role_arn: Some(other.role_arn.clone()),
                test_listener_rule: other.test_rule.clone(),
            }),
            ..wire::LoadBalancer::default()
        })
        .collect()
}
