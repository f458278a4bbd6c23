//! Where the connections of an endpoint go: how they are shared out to the deployments of the service that offers it. Pure.
//!
//! The tasks of a service are on two sides, as with load balancers, and the shares of both come out of its lifecycle. A side is
//! a target group of its own. One without a task that can be reached gets nothing: what is known here of tasks may be older
//! than the shares are.

use super::observe::{Behind, Offering};
use super::plan::endpoint_name;
use load_balancing::{Action, Condition, Forward, Rule, Target, WeightedTargetGroup};
use resources::discovery::Instance;
use resources::ecs::{ConnectEndpoint, Task, TestHeader, weights};

/// The ways of what comes to an endpoint.
pub(super) struct Ways {
    /// Target groups by name.
    pub(super) groups: Vec<(String, Vec<Target>)>,
    /// Where requests go.
    pub(super) production: Action,
    /// Where those go that test what comes, when they go elsewhere.
    pub(super) test: Option<Rule>,
}

/// The target groups of an endpoint: that of its main side, and that of the other.
pub(super) fn group_names(endpoint: &ConnectEndpoint) -> [String; 2] {
    let main = endpoint_name(endpoint);
    let alternate = format!("{main}/alternate");
    [main, alternate]
}

impl Ways {
    /// All to these targets.
    pub(super) fn to_one(name: String, targets: Vec<Target>) -> Self {
        let production = Action::Forward(Forward::to(name.clone()));
        Self { groups: vec![(name, targets)], production, test: None }
    }

    /// What comes to an endpoint goes to the tasks behind it.
    pub(super) fn to(task: &Task, endpoint: &ConnectEndpoint, behind: &Behind) -> Self {
        let instances = behind.instances.get(&endpoint.service).into_iter().flatten();
        let offering = behind.offerings.get(&endpoint.offered_by_key(&task.account));
        let Some(offering) = offering else {
            let targets = instances.filter_map(|row| target(row)).collect();
            return Self::to_one(endpoint_name(endpoint), targets);
        };
        let mut sides = [Vec::new(), Vec::new()];
        for instance in instances {
            if let (Some(target), Some(side)) = (target(instance), offering.side(instance)) {
                sides[usize::from(side)].push(target);
            }
        }
        shared(endpoint, offering, sides)
    }
}

fn shared(endpoint: &ConnectEndpoint, offering: &Offering, sides: [Vec<Target>; 2]) -> Ways {
    let is_empty = [sides[0].is_empty(), sides[1].is_empty()];
    let weights = |share: u32| match (is_empty, weights(share)) {
        ([true, false], _) => [0, 1],
        ([false, true], _) => [1, 0],
        (_, (main, alternate)) => [main, alternate],
    };
    let share = offering.service.alternate_share();
    let (production, test) = (weights(share.production), weights(share.test));
    let names = group_names(endpoint);
    let forward = |weights: [u32; 2]| {
        let groups = names.iter().zip(weights).filter(|(_, weight)| *weight > 0);
        let groups = groups.map(|(name, weight)| WeightedTargetGroup { arn: name.clone(), weight });
        Action::Forward(Forward { target_groups: groups.collect(), stickiness_seconds: None })
    };
    let rule = (test != production).then(|| Rule {
        arn: format!("{}/test", names[0]),
        priority: 1,
        conditions: vec![condition(offering.service.test_header(endpoint))],
        action: forward(test),
    });
    let to_production = forward(production);
    let groups = names.into_iter().zip(sides).zip(production.into_iter().zip(test));
    let groups = groups.filter_map(|((name, targets), (production, test))| {
        (production + test > 0 || !targets.is_empty()).then_some((name, targets))
    });
    Ways { groups: groups.collect(), production: to_production, test: rule }
}

fn condition(header: TestHeader) -> Condition {
    Condition::HeaderIs { name: header.name, value: header.value }
}

fn target(instance: &Instance) -> Option<Target> {
    if !instance.is_healthy {
        return None;
    }
    let (address, port) = (instance.ipv4()?, instance.port()?);
    Some(Target { id: instance.id.clone(), address: address.into(), port, draining_since: None })
}
