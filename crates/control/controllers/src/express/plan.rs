//! The next step of an express service. Pure.

use super::calls::ALL;
use super::observe::{Observed, PORT};
use environment::Timestamp;
use resources::ec2::{Peer, PortRange, Protocol, SecurityGroup, SecurityGroupRule};
use resources::ecs::{Deployment, ExpressConfiguration};
use resources::elb::{Action, Rule, TargetGroup};
use resources::iam::ServerCertificate;
use std::collections::BTreeSet;
use std::time::Duration;

/// A certificate is made anew when it is valid for no longer than this.
const RENEW: Duration = Duration::from_secs(30 * 24 * 3600);

/// Whose certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CertificateOf {
    Gateway,
    Service,
}

/// Target groups of a rule by their ARNs, with weights.
pub(super) type Weights = Vec<(String, u32)>;

/// What to do next.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    CreateLogGroup,
    /// Have a load balancer of one's own or of others.
    JoinGateway,
    CreateGatewayGroup,
    OpenGateway,
    CreateLoadBalancer,
    MakeCertificate(CertificateOf),
    CreateListener,
    AddCertificate,
    CreateTasksGroup,
    /// Let the load balancer reach this port of the tasks.
    OpenTasks(u16),
    CreateTargetGroup(String),
    CreateRule {
        priority: u32,
        groups: Weights,
    },
    /// The target group of the coming deployment is checked by another path, so another takes its place; true for the
    /// alternate one.
    ReplaceTargetGroup(bool),
    ModifyRule(Weights),
    Begin,
    DeleteTargetGroup(String),
    /// A target group that was replaced is not there any more.
    ForgetTargetGroup(String),
    /// Let nobody reach a port any more that no deployment has, by the id of the rule.
    CloseTasks(String),
    DeleteRule,
    RemoveCertificate,
    DeleteCertificate(CertificateOf),
    DeleteTasksGroup,
    /// The load balancer has no other service, so it goes.
    CloseGateway,
    DeleteListener,
    DeleteLoadBalancer,
    DeleteGatewayGroup,
    LeaveGateway,
    Forget,
}

/// The next step; `None` when there is nothing to do until something changes.
pub(super) fn next(seen: &Observed, now: Timestamp) -> Option<Step> {
    if seen.is_active() {
        return seen.express.configurations.first().and_then(|wanted| make(seen, wanted, now));
    }
    if seen.express.is_gone {
        return seen.service.is_none().then_some(Step::Forget);
    }
    if seen.is_draining() {
        return None;
    }
    Some(take_away(seen))
}

/// What is missing, in the order in which one needs the other.
fn make(seen: &Observed, wanted: &ExpressConfiguration, now: Timestamp) -> Option<Step> {
    if !seen.has_log_group {
        return Some(Step::CreateLogGroup);
    }
    if seen.gateway.is_none() {
        return Some(Step::JoinGateway);
    }
    let Some(group) = &seen.gateway_group else { return Some(Step::CreateGatewayGroup) };
    if !group.rules.iter().any(|rule| is_open(rule, PORT)) {
        return Some(Step::OpenGateway);
    }
    if seen.balancer.is_none() {
        return Some(Step::CreateLoadBalancer);
    }
    if is_due(seen.gateway_certificate.as_deref(), now) {
        return Some(Step::MakeCertificate(CertificateOf::Gateway));
    }
    let Some(listener) = &seen.listener else { return Some(Step::CreateListener) };
    if is_due(seen.certificate.as_deref(), now) {
        return Some(Step::MakeCertificate(CertificateOf::Service));
    }
    let arn = seen.certificate.as_ref().map(|own| own.arn())?;
    if !listener.certificates.iter().any(|own| own.arn == arn) {
        return Some(Step::AddCertificate);
    }
    let Some(tasks) = &seen.tasks_group else { return Some(Step::CreateTasksGroup) };
    if !tasks.rules.iter().any(|rule| port_from(rule, group) == Some(wanted.port)) {
        return Some(Step::OpenTasks(wanted.port));
    }
    target_groups(seen, wanted).or_else(|| tidy(seen, wanted, group, tasks))
}

/// Target groups, their rule, and the deployment that they are for.
fn target_groups(seen: &Observed, wanted: &ExpressConfiguration) -> Option<Step> {
    let (main, alternate) = &seen.express.target_groups;
    let there = |name: &String| seen.target_groups.get(name);
    let Some(main_group) = there(main) else { return Some(Step::CreateTargetGroup(main.clone())) };
    let Some(alternate_group) = there(alternate) else {
        return Some(Step::CreateTargetGroup(alternate.clone()));
    };
    let (main, alternate) = (main_group.arn.as_str(), alternate_group.arn.as_str());
    let Some(rule) = seen.rule() else {
        return Some(Step::CreateRule {
            priority: free_priority(seen),
            groups: weights(main, alternate, &[], serving_side(seen)),
        });
    };
    let coming = if coming_side(seen) { alternate_group } else { main_group };
    if seen.express.is_pending && !is_checked_by(coming, wanted) {
        return Some(Step::ReplaceTargetGroup(coming_side(seen)));
    }
    let old = weighted(rule);
    let has_both = old.len() == 2 && [main, alternate].iter().all(|arn| old.iter().any(|own| own.0 == *arn));
    if !has_both {
        return Some(Step::ModifyRule(weights(main, alternate, &old, serving_side(seen))));
    }
    seen.express.is_pending.then_some(Step::Begin)
}

/// What nothing needs any more.
fn tidy(
    seen: &Observed,
    wanted: &ExpressConfiguration,
    gateway: &SecurityGroup,
    tasks: &SecurityGroup,
) -> Option<Step> {
    let deployments = || seen.service.iter().flat_map(|service| &service.deployments);
    let balancers = || deployments().flat_map(|own| &own.workload.load_balancers);
    for name in &seen.express.old_target_groups {
        let Some(group) = seen.target_groups.get(name) else {
            return Some(Step::ForgetTargetGroup(name.clone()));
        };
        let alternate = balancers().filter_map(|own| own.advanced.as_ref()).map(|own| &own.target_group_arn);
        if !balancers().map(|own| &own.target_group_arn).chain(alternate).any(|arn| *arn == group.arn) {
            return Some(Step::DeleteTargetGroup(group.arn.clone()));
        }
    }
    let mut ports: BTreeSet<u16> = balancers().map(|own| own.container_port).collect();
    ports.insert(wanted.port);
    let idle = tasks.rules.iter().find(|rule| port_from(rule, gateway).is_some_and(|p| !ports.contains(&p)));
    idle.map(|rule| Step::CloseTasks(rule.id.clone()))
}

/// Everything that was made, what others need last.
fn take_away(seen: &Observed) -> Step {
    if seen.rule().is_some() {
        return Step::DeleteRule;
    }
    if let (Some(listener), Some(own)) = (&seen.listener, &seen.certificate)
        && listener.certificates.iter().any(|one| one.arn == own.arn())
    {
        return Step::RemoveCertificate;
    }
    if seen.certificate.is_some() {
        return Step::DeleteCertificate(CertificateOf::Service);
    }
    if let Some(group) = seen.target_groups.values().next() {
        return Step::DeleteTargetGroup(group.arn.clone());
    }
    if seen.tasks_group.is_some() {
        return Step::DeleteTasksGroup;
    }
    match &seen.gateway {
        Some(gateway) if gateway.closing => take_gateway_away(seen),
        Some(gateway) if gateway.services.len() <= 1 => Step::CloseGateway,
        Some(_) | None => Step::LeaveGateway,
    }
}

fn take_gateway_away(seen: &Observed) -> Step {
    if seen.listener.is_some() {
        return Step::DeleteListener;
    }
    if seen.balancer.is_some() {
        return Step::DeleteLoadBalancer;
    }
    if seen.gateway_group.is_some() {
        return Step::DeleteGatewayGroup;
    }
    if seen.gateway_certificate.is_some() {
        return Step::DeleteCertificate(CertificateOf::Gateway);
    }
    Step::LeaveGateway
}

fn is_due(certificate: Option<&ServerCertificate>, now: Timestamp) -> bool {
    certificate.is_none_or(|own| own.expires_at < now + RENEW)
}

/// Whether a rule lets everybody reach a port.
fn is_open(rule: &SecurityGroupRule, port: u16) -> bool {
    let everybody = matches!(rule.peer, Peer::Range(range) if range.prefix_len() == 0);
    !rule.egress && everybody && rule.protocol == Protocol::Tcp(PortRange { from: port, to: port })
}

/// The one port that a rule lets the members of a group reach.
fn port_from(rule: &SecurityGroupRule, group: &SecurityGroup) -> Option<u16> {
    match (rule.protocol, &rule.peer) {
        (Protocol::Tcp(ports), Peer::Group(id)) if ports.from == ports.to && *id == group.id => {
            (!rule.egress).then_some(ports.from)
        }
        _ => None,
    }
}

fn is_checked_by(group: &TargetGroup, wanted: &ExpressConfiguration) -> bool {
    group.health_check.path.as_ref() == Some(&wanted.health_check_path)
}

/// The deployment that the next one replaces: what was completed last, or else the newest. The planner of services decides
/// alike.
fn replaced(seen: &Observed) -> Option<&Deployment> {
    let service = seen.service.as_ref()?;
    let completed = service.last_completed.as_ref().map(|own| &own.deployment);
    let is_completed = |own: &&Deployment| Some(&own.id) == completed;
    service.deployments.iter().find(is_completed).or(service.deployments.first())
}

/// Whether the next deployment goes to the alternate target group, the other side of the one that it replaces.
fn coming_side(seen: &Observed) -> bool {
    replaced(seen).is_some_and(|own| !own.alternate)
}

/// Whether the alternate target group has what serves now.
fn serving_side(seen: &Observed) -> bool {
    replaced(seen).is_some_and(|own| own.alternate)
}

/// The lowest priority that no rule has.
fn free_priority(seen: &Observed) -> u32 {
    let taken: BTreeSet<u32> = seen.rules.iter().map(|rule| rule.priority).collect();
    (1..=50_000).find(|priority| !taken.contains(priority)).unwrap_or(50_000)
}

/// The groups of a rule with their weights.
fn weighted(rule: &Rule) -> Weights {
    let forwards = rule.actions.iter().filter_map(|action| match action {
        Action::Forward(forward) => Some(&forward.target_groups),
        Action::Redirect(_) | Action::FixedResponse(_) => None,
    });
    forwards.flatten().map(|group| (group.arn.clone(), group.weight)).collect()
}

/// The two groups with the weights that they have. Where neither has any, the side that serves gets all: the deployment that
/// comes moves the traffic itself.
fn weights(main: &str, alternate: &str, old: &[(String, u32)], serving: bool) -> Weights {
    let has = |arn: &str| old.iter().find(|own| own.0 == arn).map_or(0, |own| own.1);
    let (mut first, mut second) = (has(main), has(alternate));
    if first + second == 0 {
        (first, second) = if serving { (0, ALL) } else { (ALL, 0) };
    }
    vec![(main.to_owned(), first), (alternate.to_owned(), second)]
}
