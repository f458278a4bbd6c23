//! Targets and target groups as they live: the same ones from one configuration to the next.

use crate::connect::CONNECT_TIME;
use crate::counters::{GroupCounts, Sharded};
use arc_swap::ArcSwap;
use environment::{Environment, Timestamp};
use load_balancing::{
    Algorithm, Candidate, Health, Outlier, Protocol, Reason, Stickiness, Target as TargetSpec, TargetGroup,
    TargetReport, TargetState, choose, choose_by_flow, slow_start_share, target_token,
};
use parking_lot::Mutex;
use rustix::net::{Shutdown, shutdown};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// A target of a group. It lives as long as a configuration names it, a request uses it or a connection to it is kept.
#[derive(Debug)]
pub(crate) struct Target {
    /// No other target of this process ever has the same.
    pub(crate) key: u64,
    pub(crate) group: Arc<str>,
    pub(crate) id: String,
    pub(crate) address: SocketAddr,
    /// Where it is reached from.
    pub(crate) source: Option<IpAddr>,
    /// Its number in cookies and for flows.
    pub(crate) token: u64,
    pub(crate) health: Mutex<Health>,
    /// What its answers say of it.
    outlier: Mutex<Outlier>,
    /// How long a connection to it may take to be made.
    pub(crate) connect_time: Duration,
    outstanding: AtomicU64,
    /// When it began to start slowly in milliseconds since the epoch, or 0.
    slow_since: AtomicI64,
    /// Since when it drains in milliseconds since the epoch, or 0.
    draining_since: AtomicI64,
    /// When this process was told so.
    draining_seen: AtomicI64,
    /// It has drained, or no configuration names it any more: connections to it are not kept.
    retired: AtomicBool,
    /// Open connections to it, to cut them.
    connections: Mutex<HashMap<u64, OwnedFd>>,
}

/// How long a target without requests is still called draining: a request may be on its way that was given to it just before.
const SETTLE: Duration = Duration::from_millis(200);

static NEXT_KEY: AtomicU64 = AtomicU64::new(1);

impl Target {
    pub(crate) fn new(group: &Arc<str>, spec: &TargetSpec, of: &TargetGroup, now: Timestamp) -> Self {
        let connect_time = of.attributes.connect_timeout_millis;
        Self {
            key: NEXT_KEY.fetch_add(1, Relaxed),
            group: group.clone(),
            id: spec.id.clone(),
            address: SocketAddr::new(spec.address, spec.port),
            source: of.source,
            token: target_token(group, &spec.id, spec.port),
            health: Mutex::new(Health::new(now)),
            outlier: Mutex::default(),
            connect_time: connect_time
                .map_or(CONNECT_TIME, |millis| Duration::from_millis(u64::from(millis))),
            outstanding: AtomicU64::new(0),
            slow_since: AtomicI64::new(0),
            draining_since: AtomicI64::new(0),
            draining_seen: AtomicI64::new(0),
            retired: AtomicBool::new(false),
            connections: Mutex::default(),
        }
    }

    /// Counts a request as in progress until what is returned is dropped.
    pub(crate) fn begin(self: &Arc<Self>) -> Outstanding {
        self.outstanding.fetch_add(1, Relaxed);
        Outstanding(self.clone())
    }

    pub(crate) fn outstanding(&self) -> u64 {
        self.outstanding.load(Relaxed)
    }

    pub(crate) fn draining_since(&self) -> Option<Timestamp> {
        match self.draining_since.load(Relaxed) {
            0 => None,
            millis => Some(Timestamp::from_millis(millis)),
        }
    }

    pub(crate) fn set_draining(&self, since: Option<Timestamp>, now: Timestamp) {
        if self.draining_since().is_none() {
            self.draining_seen.store(now.as_millis(), Relaxed);
        }
        self.draining_since.store(since.map_or(0, |at| at.as_millis().max(1)), Relaxed);
        self.retired.store(since.is_some(), Relaxed);
    }

    /// Makes connections to it end with their requests.
    pub(crate) fn retire(&self) {
        self.retired.store(true, Relaxed);
    }

    pub(crate) fn is_retired(&self) -> bool {
        self.retired.load(Relaxed)
    }

    pub(crate) fn start_slowly(&self, since: Option<Timestamp>) {
        self.slow_since.store(since.map_or(0, |at| at.as_millis().max(1)), Relaxed);
    }

    /// Remembers an open connection until what is returned is dropped.
    pub(crate) fn remember(self: &Arc<Self>, connection: OwnedFd) -> Remembered {
        let key = NEXT_KEY.fetch_add(1, Relaxed);
        self.connections.lock().insert(key, connection);
        Remembered { target: self.clone(), key }
    }

    /// Ends all connections to it, whatever they carry.
    pub(crate) fn cut(&self) {
        for connection in self.connections.lock().values() {
            // It may have ended by itself.
            let _ = shutdown(connection, Shutdown::Both);
        }
    }

    fn share(&self, slow_start: Duration, now: impl Fn() -> Timestamp) -> f32 {
        if slow_start.is_zero() {
            return 1.0;
        }
        match self.slow_since.load(Relaxed) {
            0 => 1.0,
            since => {
                let share = slow_start_share(now().since(Timestamp::from_millis(since)), slow_start);
                if share >= 1.0 {
                    self.slow_since.store(0, Relaxed);
                }
                share
            }
        }
    }

    fn starts_slowly(&self) -> bool {
        self.slow_since.load(Relaxed) != 0
    }
}

/// A request in progress.
#[derive(Debug)]
pub(crate) struct Outstanding(Arc<Target>);

impl Drop for Outstanding {
    fn drop(&mut self) {
        self.0.outstanding.fetch_sub(1, Relaxed);
    }
}

/// An open connection.
#[derive(Debug)]
pub(crate) struct Remembered {
    target: Arc<Target>,
    key: u64,
}

impl Drop for Remembered {
    fn drop(&mut self) {
        self.target.connections.lock().remove(&self.key);
    }
}

/// A target group as it lives.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) arn: Arc<str>,
    view: ArcSwap<View>,
    /// One more at each new description.
    changes: watch::Sender<u64>,
    turn: AtomicU64,
    /// From when on the times of ejections are counted.
    began: Instant,
    pub(crate) counts: Sharded<GroupCounts>,
    pub(crate) environment: Environment,
}

/// What requests see of a group.
#[derive(Debug)]
pub(crate) struct View {
    /// Its description; the targets are not there.
    pub(crate) spec: TargetGroup,
    /// Whether a load balancer uses it.
    pub(crate) used: bool,
    /// All its targets.
    pub(crate) targets: Vec<Arc<Target>>,
    /// Those that get requests.
    pub(crate) routable: Vec<Arc<Target>>,
}

impl Group {
    pub(crate) fn new(spec: &TargetGroup, used: bool, environment: &Environment) -> Self {
        let arn: Arc<str> = spec.arn.as_str().into();
        let view = View { spec: without_targets(spec), used, targets: Vec::new(), routable: Vec::new() };
        Self {
            arn,
            view: ArcSwap::from_pointee(view),
            changes: watch::Sender::new(0),
            turn: AtomicU64::new(0),
            began: Instant::now(),
            counts: Sharded::default(),
            environment: environment.clone(),
        }
    }

    pub(crate) fn view(&self) -> Arc<View> {
        self.view.load_full()
    }

    /// Takes a new description. Targets that stay are the same ones as before. Returns those that are new.
    pub(crate) fn update(&self, spec: &TargetGroup, used: bool) -> Vec<Arc<Target>> {
        let now = self.environment.now();
        let before = self.view();
        let mut new = Vec::new();
        let mut targets = Vec::with_capacity(spec.targets.len());
        for wanted in &spec.targets {
            let address = SocketAddr::new(wanted.address, wanted.port);
            let known = before.targets.iter().find(|target| {
                target.id == wanted.id && target.address == address && target.source == spec.source
            });
            let target = known.cloned().unwrap_or_else(|| {
                let target = Arc::new(Target::new(&self.arn, wanted, spec, now));
                new.push(target.clone());
                target
            });
            if target.draining_since().is_some() && wanted.draining_since.is_none() {
                // Registered anew: what its checks said before is of no matter.
                *target.health.lock() = Health::new(now);
            }
            target.set_draining(wanted.draining_since, now);
            targets.push(target);
        }
        for gone in before.targets.iter().filter(|old| !targets.iter().any(|target| target.key == old.key)) {
            gone.retire();
        }
        self.publish(View { spec: without_targets(spec), used, targets, routable: Vec::new() });
        self.changes.send_modify(|changes| *changes += 1);
        new
    }

    /// Tells when there is a new description.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// No configuration has it any more.
    pub(crate) fn retire(&self) {
        for target in &self.view().targets {
            target.retire();
        }
        self.publish(View { targets: Vec::new(), used: false, ..self.view().copy() });
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// Looks anew at which targets get requests; after the health of one has changed.
    pub(crate) fn refresh(&self) {
        self.publish(self.view().copy());
    }

    fn publish(&self, mut view: View) {
        view.routable = routable(&view);
        self.view.store(Arc::new(view));
    }

    /// A target that has become healthy starts slowly if another healthy one does not.
    pub(crate) fn became_healthy(&self, target: &Target) {
        let view = self.view();
        let others = view.routable.iter().any(|other| other.key != target.key && !other.starts_slowly());
        let slowly = view.spec.attributes.slow_start_seconds > 0 && others;
        target.start_slowly(slowly.then(|| self.environment.now()));
    }

    /// Chooses the target of a request; not one of `refused`.
    pub(crate) fn choose(&self, view: &View, refused: &[u64]) -> Option<Arc<Target>> {
        let turn = self.turn.fetch_add(1, Relaxed);
        let slow_start = Duration::from_secs(u64::from(view.spec.attributes.slow_start_seconds));
        let algorithm = view.spec.attributes.algorithm;
        let candidate = |index: usize| {
            let target = &view.routable[index];
            (!refused.contains(&target.key)).then(|| Candidate {
                share: target.share(slow_start, || self.environment.now()),
                outstanding: if algorithm == Algorithm::LeastOutstandingRequests {
                    target.outstanding()
                } else {
                    0
                },
            })
        };
        choose(algorithm, turn, view.routable.len(), candidate).map(|index| view.routable[index].clone())
    }

    /// Takes note of how a target did; one that fails again and again gets nothing for a while.
    pub(crate) fn observe(&self, target: &Target, is_good: bool) {
        let view = self.view();
        let Some(detection) = &view.spec.attributes.outlier_detection else { return };
        if !target.outlier.lock().observe(is_good, detection) {
            return;
        }
        let live = view.targets.iter().filter(|own| own.draining_since().is_none());
        let ejected = live.clone().filter(|own| own.outlier.lock().is_ejected()).count();
        if detection.may_eject(ejected, live.count()) {
            tracing::info!(
                target = target.id,
                group = &*self.arn,
                "a target that fails gets nothing for a while"
            );
            target.outlier.lock().eject(detection, self.began.elapsed());
            self.refresh();
        }
    }

    /// Lets targets come back whose ejections are over.
    pub(crate) fn end_of_ejections(&self) {
        let view = self.view();
        if view.spec.attributes.outlier_detection.is_none() {
            return;
        }
        let now = self.began.elapsed();
        // Each is asked: an ejection that is over is ended by it.
        let ended = view.targets.iter().filter(|target| target.outlier.lock().end(now)).count();
        if ended > 0 {
            self.refresh();
        }
    }

    pub(crate) fn report(&self, now: Timestamp) -> Vec<TargetReport> {
        let view = self.view();
        view.targets.iter().map(|target| view.report(target, now)).collect()
    }

    /// Ends the connections of draining targets whose time is over.
    pub(crate) fn end_of_drains(&self, now: Timestamp) {
        let view = self.view();
        let attributes = &view.spec.attributes;
        if view.spec.is_network() && !attributes.connection_termination {
            return;
        }
        let delay = Duration::from_secs(u64::from(attributes.deregistration_delay_seconds));
        for target in &view.targets {
            if target.draining_since().is_some_and(|since| now.since(since) >= delay) {
                target.cut();
            }
        }
    }
}

impl View {
    fn copy(&self) -> Self {
        Self { spec: self.spec.clone(), used: self.used, targets: self.targets.clone(), routable: Vec::new() }
    }

    /// The target that a cookie names, if it gets requests.
    pub(crate) fn by_token(&self, token: u64) -> Option<&Arc<Target>> {
        self.routable.iter().find(|target| target.token == token)
    }

    /// Chooses the target of a flow; not one of `refused`.
    pub(crate) fn choose_for_flow(&self, flow: u64, refused: &[u64]) -> Option<Arc<Target>> {
        let left: Vec<&Arc<Target>> =
            self.routable.iter().filter(|target| !refused.contains(&target.key)).collect();
        choose_by_flow(flow, left.iter().map(|target| target.token)).map(|index| left[index].clone())
    }

    pub(crate) fn by_source_alone(&self) -> bool {
        matches!(self.spec.attributes.stickiness, Some(Stickiness::SourceIp))
    }

    fn report(&self, target: &Target, now: Timestamp) -> TargetReport {
        let (state, reason, since) = self.state(target, now);
        let description = match reason {
            Some(_) if matches!(state, TargetState::Initial | TargetState::Unhealthy) => {
                target.health.lock().reason().map(|(_, text)| text)
            }
            other => other.map(|reason| reason.description().to_owned()),
        };
        TargetReport {
            target_group: self.spec.arn.clone(),
            id: target.id.clone(),
            port: target.address.port(),
            state,
            reason,
            description,
            since,
            outstanding: target.outstanding(),
        }
    }

    fn state(&self, target: &Target, now: Timestamp) -> (TargetState, Option<Reason>, Timestamp) {
        let attributes = &self.spec.attributes;
        if let Some(since) = target.draining_since() {
            let delay = Duration::from_secs(u64::from(attributes.deregistration_delay_seconds));
            let seen = Timestamp::from_millis(target.draining_seen.load(Relaxed));
            let idle = target.outstanding() == 0 && now.since(seen) >= SETTLE;
            return if now.since(since) >= delay || idle {
                (TargetState::Unused, Some(Reason::NotRegistered), since)
            } else {
                (TargetState::Draining, Some(Reason::DeregistrationInProgress), since)
            };
        }
        let health = target.health.lock();
        if !self.used {
            return (TargetState::Unused, Some(Reason::NotInUse), health.since());
        }
        if !self.spec.health_check.enabled {
            return (TargetState::Unavailable, Some(Reason::HealthCheckDisabled), health.since());
        }
        (health.state(), health.reason().map(|(reason, _)| reason), health.since())
    }
}

/// Whether a group is one of network load balancers.
pub(crate) trait OfNetwork {
    fn is_network(&self) -> bool;
}

impl OfNetwork for TargetGroup {
    fn is_network(&self) -> bool {
        !matches!(self.protocol, Protocol::Http | Protocol::Https)
    }
}

fn without_targets(spec: &TargetGroup) -> TargetGroup {
    TargetGroup { targets: Vec::new(), ..spec.clone() }
}

/// The healthy targets; all but draining ones when too few are healthy and any has been found unhealthy, since a target that
/// may fail is better than none.
fn routable(view: &View) -> Vec<Arc<Target>> {
    let mut live: Vec<&Arc<Target>> =
        view.targets.iter().filter(|target| target.draining_since().is_none()).collect();
    if view.spec.attributes.outlier_detection.is_some() {
        let is_ejected = |target: &Arc<Target>| target.outlier.lock().is_ejected();
        // One that fails is better than none.
        if !live.iter().all(|target| is_ejected(target)) {
            live.retain(|target| !is_ejected(target));
        }
    }
    if !view.spec.health_check.enabled {
        return live.into_iter().cloned().collect();
    }
    let (mut good, mut bad) = (Vec::new(), 0);
    for target in &live {
        match target.health.lock().state() {
            TargetState::Healthy => good.push((*target).clone()),
            TargetState::Unhealthy => bad += 1,
            _ => {}
        }
    }
    let attributes = &view.spec.attributes;
    let by_percentage = (live.len() * attributes.minimum_healthy_percentage as usize).div_ceil(100);
    let least = (attributes.minimum_healthy_count as usize).max(by_percentage).max(1);
    if bad > 0 && good.len() < least {
        return live.into_iter().cloned().collect();
    }
    good
}

#[cfg(test)]
mod tests {
    use super::*;
    use load_balancing::{
        CheckFailure, HealthCheck, HealthCheckPort, HealthCheckProtocol, ProtocolVersion,
        TargetGroupAttributes,
    };

    fn spec(count: u8) -> TargetGroup {
        TargetGroup {
            arn: "group".into(),
            protocol: Protocol::Http,
            protocol_version: ProtocolVersion::Http1,
            health_check: HealthCheck {
                enabled: true,
                protocol: HealthCheckProtocol::Http,
                port: HealthCheckPort::TrafficPort,
                path: "/".into(),
                interval_seconds: 10,
                timeout_seconds: 5,
                healthy_threshold: 2,
                unhealthy_threshold: 1,
                matcher: "200".parse().expect("is one"),
            },
            attributes: TargetGroupAttributes { slow_start_seconds: 100, ..TargetGroupAttributes::default() },
            source: None,
            targets: (1..=count)
                .map(|number| TargetSpec {
                    id: format!("10.0.0.{number}"),
                    address: [10, 0, 0, number].into(),
                    port: 80,
                    draining_since: None,
                })
                .collect(),
        }
    }

    fn group(count: u8) -> (Group, std::sync::Arc<environment::Simulation>, TargetGroup) {
        let (environment, simulation) = Environment::simulated(Timestamp::from_seconds(1_000), 1);
        let spec = spec(count);
        let group = Group::new(&spec, true, &environment);
        group.update(&spec, true);
        (group, simulation, spec)
    }

    fn check(group: &Group, index: usize, good: bool) {
        let view = group.view();
        let outcome = if good { Ok(()) } else { Err(CheckFailure::Failed) };
        let changed = view.targets[index].health.lock().observe(
            outcome,
            &view.spec.health_check,
            group.environment.now(),
        );
        if changed && good {
            group.became_healthy(&view.targets[index]);
        }
        group.refresh();
    }

    fn routable_ids(group: &Group) -> Vec<String> {
        group.view().routable.iter().map(|target| target.id.clone()).collect()
    }

    #[test]
    fn only_healthy_targets_get_requests_unless_none_is() {
        let (group, _, _) = group(3);
        assert!(routable_ids(&group).is_empty(), "nothing is known of them");
        check(&group, 0, true);
        assert_eq!(routable_ids(&group), ["10.0.0.1"]);
        check(&group, 1, false);
        assert_eq!(routable_ids(&group), ["10.0.0.1"]);
        check(&group, 0, false);
        assert_eq!(routable_ids(&group).len(), 3, "it fails open");
    }

    #[test]
    fn a_target_drains_until_its_last_request_or_its_delay_ends() {
        let (group, simulation, mut spec) = group(2);
        check(&group, 0, true);
        check(&group, 1, true);
        let view = group.view();
        let request = group.choose(&view, &[view.targets[1].key]).expect("is one").begin();
        spec.targets[0].draining_since = Some(group.environment.now());
        assert!(group.update(&spec, true).is_empty());
        assert_eq!(routable_ids(&group), ["10.0.0.2"]);
        let state = |group: &Group| group.report(group.environment.now())[0].state;
        assert_eq!(state(&group), TargetState::Draining);
        assert_eq!(group.report(group.environment.now())[0].outstanding, 1);
        simulation.advance(Duration::from_secs(300));
        assert_eq!(state(&group), TargetState::Unused);
        drop(request);
        // Registered anew, it is checked anew.
        spec.targets[0].draining_since = None;
        assert!(group.update(&spec, true).is_empty());
        assert_eq!(state(&group), TargetState::Initial);
        assert!(!group.view().targets[0].is_retired());
    }

    #[test]
    fn a_target_starts_slowly_beside_others_that_do_not() {
        let (group, simulation, _) = group(2);
        check(&group, 0, true);
        assert!(!group.view().targets[0].starts_slowly(), "the first one of a group does not");
        check(&group, 1, true);
        simulation.advance(Duration::from_secs(10));
        let view = group.view();
        let mut slow = 0;
        for _ in 0..1_000 {
            slow += u32::from(group.choose(&view, &[]).expect("is one").key == view.targets[1].key);
        }
        assert!((20..90).contains(&slow), "a tenth of a half: {slow}");
        simulation.advance(Duration::from_secs(100));
        assert!(group.choose(&view, &[view.targets[0].key]).is_some());
        assert!(!view.targets[1].starts_slowly());
    }

    #[test]
    fn what_is_not_used_or_not_checked_says_so() {
        let (group, _, mut spec) = group(1);
        group.update(&spec, false);
        let report = group.report(group.environment.now()).remove(0);
        assert_eq!((report.state, report.reason), (TargetState::Unused, Some(Reason::NotInUse)));
        spec.health_check.enabled = false;
        group.update(&spec, true);
        let report = group.report(group.environment.now()).remove(0);
        assert_eq!(report.state, TargetState::Unavailable);
        assert_eq!(routable_ids(&group).len(), 1);
    }
}
