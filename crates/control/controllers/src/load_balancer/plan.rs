//! What the report of the data plane says of rows. Pure.

use super::observe::Rows;
use load_balancing::{Report, TargetReport};
use resources::elb::{Listener, LoadBalancer, LoadBalancerState, Target, TargetHealth, TargetState};
use std::collections::{BTreeMap, BTreeSet};
use store::Versioned;

/// Most rows that one plan writes.
const MOST_WRITES: usize = 200;

/// What to write.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) balancers: Vec<(Versioned<LoadBalancer>, LoadBalancerState)>,
    pub(super) healths: Vec<(Versioned<Target>, TargetHealth)>,
    /// Targets that have drained and that no task lists.
    pub(super) gone: Vec<Versioned<Target>>,
    /// Something is about to change: a target drains or is checked for the first time.
    pub(super) is_moving: bool,
}

/// What to write when the data plane, told `revision`, reports this.
pub(super) fn plan(rows: &Rows, report: &Report, revision: u64) -> Plan {
    let mut plan = Plan::default();
    let is_current = report.revision == revision;
    if is_current {
        let errors: BTreeMap<&str, Option<&str>> =
            report.listeners.iter().map(|own| (own.arn.as_str(), own.error.as_deref())).collect();
        for row in &rows.balancers {
            let state = state(row, &rows.listeners, &errors);
            if state != row.state {
                plan.balancers.push((row.clone(), state));
            }
        }
    }
    let used = rows.used_groups();
    let known: BTreeSet<&str> = rows.groups.iter().map(|group| group.arn.as_str()).collect();
    let mut seen: BTreeMap<(&str, &str, u16), &TargetReport> = BTreeMap::new();
    for target in &report.targets {
        seen.insert((&target.target_group, &target.id, target.port), target);
    }
    for row in &rows.targets {
        if plan.healths.len() + plan.gone.len() >= MOST_WRITES {
            plan.is_moving = true;
            break;
        }
        let id = row.address.to_string();
        let group = row.target_group_arn.as_str();
        let health = if !used.contains(group) {
            Some(unused(row))
        } else if is_current {
            seen.get(&(group, id.as_str(), row.port)).map(|own| health(row, own))
        } else {
            None
        };
        let state = health.as_ref().map_or(row.health.state, |health| health.state);
        plan.is_moving |= matches!(state, TargetState::Draining | TargetState::Initial) || !is_current;
        let is_over = state == TargetState::Drained && row.task.is_none();
        if is_over || !known.contains(group) && row.task.is_none() {
            plan.gone.push(row.clone());
        } else if let Some(health) = health.filter(|health| *health != row.health) {
            plan.healths.push((row.clone(), health));
        }
    }
    plan
}

fn state(
    row: &LoadBalancer,
    listeners: &[Versioned<Listener>],
    errors: &BTreeMap<&str, Option<&str>>,
) -> LoadBalancerState {
    if row.zones.iter().any(|zone| zone.address.is_none() && zone.fault.is_none()) {
        return row.state.clone();
    }
    let faults = row.zones.iter().filter_map(|zone| Some(format!("{}: {}", zone.zone, zone.fault.as_ref()?)));
    let faults: Vec<String> = faults.collect();
    let own: Vec<_> = listeners.iter().filter(|own| own.load_balancer_arn == row.arn).collect();
    let failing: Vec<String> = own
        .iter()
        .filter_map(|own| {
            let error = errors.get(own.arn.as_str()).copied().flatten()?;
            Some(format!("{}:{}: {error}", own.protocol.as_str(), own.port))
        })
        .collect();
    let works_nowhere = row.addresses().next().is_none() || (!own.is_empty() && failing.len() == own.len());
    let reason = faults.into_iter().chain(failing).collect::<Vec<_>>().join("; ");
    match (reason.is_empty(), works_nowhere) {
        (true, _) => LoadBalancerState::Active,
        (false, true) => LoadBalancerState::Failed(reason),
        (false, false) => LoadBalancerState::Impaired(reason),
    }
}

fn health(row: &Target, seen: &TargetReport) -> TargetHealth {
    use load_balancing::TargetState as Seen;
    let state = match seen.state {
        Seen::Unused if row.draining_since.is_some() => TargetState::Drained,
        Seen::Initial => TargetState::Initial,
        Seen::Healthy => TargetState::Healthy,
        Seen::Unhealthy => TargetState::Unhealthy,
        Seen::Unused => TargetState::Unused,
        Seen::Draining => TargetState::Draining,
        Seen::Unavailable => TargetState::Unavailable,
    };
    if state == TargetState::Drained {
        return TargetHealth { state, ..TargetHealth::draining() };
    }
    TargetHealth {
        state,
        reason: seen.reason.map(|reason| reason.as_str().to_owned()),
        description: seen.description.clone(),
    }
}

/// Nothing goes to a target whose group no load balancer uses.
fn unused(row: &Target) -> TargetHealth {
    if row.draining_since.is_some() {
        return TargetHealth { state: TargetState::Drained, ..TargetHealth::draining() };
    }
    TargetHealth {
        state: TargetState::Unused,
        reason: Some("Target.NotInUse".to_owned()),
        description: Some(
            "Target group is not configured to receive traffic from the load balancer".to_owned(),
        ),
    }
}
