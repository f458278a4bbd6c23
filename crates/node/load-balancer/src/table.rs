//! What the process does at present, and how a configuration changes it.

use crate::checks;
use crate::counters::{BalancerCounts, Sharded};
use crate::listen::Listening;
use crate::live::{Balancer, Compiled, ListenerState};
use crate::log::Log;
use crate::target::{Group, Target};
use crate::worker::Workers;
use daemon::SocketPlace;
use environment::{Environment, Timestamp};
use load_balancing::{
    Action, Configuration, Forward, Health, Kind, Listener, ListenerReport, LoadBalancer, Protocol, Report,
    TargetState,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// Targets that were healthy when the process last looked, for the one that comes after it.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct Remembered(Vec<HealthyTarget>);

#[derive(Debug, Deserialize, Serialize)]
struct HealthyTarget {
    group: String,
    id: String,
    port: u16,
    since: Timestamp,
}

/// What the process does.
pub(crate) struct Table {
    environment: Environment,
    workers: Arc<Workers>,
    most_connections: usize,
    process: String,
    configuration: Configuration,
    groups: HashMap<String, Arc<Group>>,
    counts: HashMap<String, Arc<Sharded<BalancerCounts>>>,
    logs: HashMap<String, Arc<Log>>,
    listeners: HashMap<String, Arc<ListenerState>>,
    sockets: BTreeMap<SocketPlace, Listening>,
    /// Sockets of the process before this one, until their places are configured.
    inherited: BTreeMap<SocketPlace, OwnedFd>,
    /// What keeps listeners from working.
    faults: HashMap<String, String>,
    /// The same of the attempt before.
    told: HashMap<String, String>,
    checks: JoinSet<()>,
    /// Told when the health of a target has changed.
    pub(crate) health_changed: Arc<Notify>,
}

impl Table {
    pub(crate) fn new(
        environment: &Environment,
        workers: Arc<Workers>,
        most_connections: usize,
        inherited: BTreeMap<SocketPlace, OwnedFd>,
    ) -> Self {
        Self {
            process: environment.uuid(),
            environment: environment.clone(),
            workers,
            most_connections,
            configuration: Configuration::default(),
            groups: HashMap::new(),
            counts: HashMap::new(),
            logs: HashMap::new(),
            listeners: HashMap::new(),
            sockets: BTreeMap::new(),
            inherited,
            faults: HashMap::new(),
            told: HashMap::new(),
            checks: JoinSet::new(),
            health_changed: Arc::default(),
        }
    }

    /// Does from now on what `configuration` says.
    pub(crate) async fn apply(&mut self, configuration: Configuration, remembered: &Remembered) {
        // Checks of targets that have gone have ended.
        while self.checks.try_join_next().is_some() {}
        self.apply_groups(&configuration, remembered);
        self.apply_logs(&configuration);
        let listeners = self.apply_listeners(&configuration);
        self.configuration = configuration;
        self.apply_sockets(&listeners).await;
    }

    fn apply_groups(&mut self, configuration: &Configuration, remembered: &Remembered) {
        let used = used_groups(configuration);
        let mut groups = HashMap::new();
        for spec in &configuration.target_groups {
            let used = used.contains(spec.arn.as_str());
            let known = self.groups.remove(&spec.arn);
            let group = known.unwrap_or_else(|| Arc::new(Group::new(spec, used, &self.environment)));
            for target in group.update(spec, used) {
                if let Some(since) = remembered.of(&target) {
                    *target.health.lock() = Health::healthy_since(since);
                }
                let changed = self.health_changed.clone();
                self.checks.spawn(checks::check(group.clone(), target, move || changed.notify_one()));
            }
            group.refresh();
            groups.insert(spec.arn.clone(), group);
        }
        for gone in std::mem::replace(&mut self.groups, groups).into_values() {
            gone.retire();
        }
    }

    fn apply_logs(&mut self, configuration: &Configuration) {
        let mut logs = HashMap::new();
        for balancer in &configuration.load_balancers {
            let known = self.logs.remove(&balancer.arn).filter(|log| log.is_of(balancer));
            let log = known.or_else(|| Log::of(balancer, &self.environment).map(Arc::new));
            logs.extend(log.map(|log| (balancer.arn.clone(), log)));
        }
        for gone in std::mem::replace(&mut self.logs, logs).into_values() {
            gone.flush();
        }
    }

    /// Compiles all listeners; returns the state of each place that one listens at.
    fn apply_listeners(
        &mut self,
        configuration: &Configuration,
    ) -> BTreeMap<SocketPlace, (String, Arc<ListenerState>)> {
        let mut faults = HashMap::new();
        let mut places = BTreeMap::new();
        let mut listeners = HashMap::new();
        let mut counts = HashMap::new();
        for balancer in &configuration.load_balancers {
            let known = self.counts.remove(&balancer.arn).unwrap_or_default();
            counts.insert(balancer.arn.clone(), known.clone());
            let shared = Arc::new(Balancer {
                arn: balancer.arn.clone(),
                kind: balancer.kind,
                attributes: balancer.http.clone(),
                counts: known,
                log: self.logs.get(&balancer.arn).cloned(),
            });
            for listener in &balancer.listeners {
                let known = self.listeners.remove(&listener.arn);
                let state = known.unwrap_or_else(|| Arc::new(ListenerState::new()));
                match self.compile(&shared, listener) {
                    Ok(compiled) => state.replace(Arc::new(compiled)),
                    Err(fault) => {
                        self.tell(&listener.arn, &fault);
                        faults.insert(listener.arn.clone(), fault);
                    }
                }
                if state.compiled().is_some() {
                    for place in places_of(balancer, listener) {
                        places.insert(place, (listener.arn.clone(), state.clone()));
                    }
                }
                listeners.insert(listener.arn.clone(), state);
            }
        }
        self.counts = counts;
        self.told = std::mem::replace(&mut self.faults, faults);
        for gone in std::mem::replace(&mut self.listeners, listeners).into_values() {
            gone.retire();
        }
        places
    }

    /// Says what is wrong with a listener, but not each time that it is tried again.
    fn tell(&self, listener: &str, fault: &str) {
        if self.faults.get(listener).is_none_or(|before| before != fault) {
            tracing::warn!(listener, fault, "a listener cannot do what it is told");
        }
    }

    fn compile(&self, balancer: &Arc<Balancer>, listener: &Listener) -> Result<Compiled, String> {
        let fits = match balancer.kind {
            Kind::Application => matches!(listener.protocol, Protocol::Http | Protocol::Https),
            Kind::Network => !matches!(listener.protocol, Protocol::Http | Protocol::Https),
        };
        if !fits {
            return Err(format!("a load balancer of this kind has no {:?} listeners", listener.protocol));
        }
        Compiled::new(balancer, listener, &self.groups).map_err(|error| error.to_string())
    }

    async fn apply_sockets(&mut self, wanted: &BTreeMap<SocketPlace, (String, Arc<ListenerState>)>) {
        let places: Vec<SocketPlace> = self.sockets.keys().copied().collect();
        for place in places {
            let stays = wanted.get(&place).is_some_and(|(_, state)| {
                self.sockets.get(&place).is_some_and(|at| Arc::ptr_eq(&at.state, state))
            });
            if stays {
                continue;
            }
            if let Some(mut listening) = self.sockets.remove(&place) {
                listening.stop().await;
                if wanted.contains_key(&place) {
                    // Another listener at the same place: who waits there is not turned away.
                    self.inherited.insert(place, listening.socket);
                }
            }
        }
        for (place, (arn, state)) in wanted {
            if self.sockets.contains_key(place) {
                continue;
            }
            let socket = match self.inherited.remove(place) {
                Some(socket) => Ok(socket),
                None => place.open(),
            };
            let started = socket.and_then(|socket| {
                Listening::start(*place, socket, state, &self.workers, self.most_connections)
            });
            match started {
                Ok(listening) => {
                    self.sockets.insert(*place, listening);
                }
                Err(error) => {
                    let fault = format!("cannot listen on {}: {error}", place.address);
                    if self.told.get(arn) != Some(&fault) {
                        tracing::warn!(listener = arn, fault, "a listener cannot do what it is told");
                    }
                    self.faults.insert(arn.clone(), fault);
                }
            }
        }
        self.inherited.clear();
    }

    /// Tries again what could not be done.
    pub(crate) async fn retry(&mut self) {
        if !self.faults.is_empty() {
            let configuration = self.configuration.clone();
            let listeners = self.apply_listeners(&configuration);
            self.apply_sockets(&listeners).await;
        }
    }

    /// Ends connections of targets whose deregistration delay is over, and ejections whose time is.
    pub(crate) fn end_of_drains(&self) {
        let now = self.environment.now();
        for group in self.groups.values() {
            group.end_of_drains(now);
            group.end_of_ejections();
        }
    }

    /// The logs, to be flushed.
    pub(crate) fn logs(&self) -> Vec<Arc<Log>> {
        self.logs.values().cloned().collect()
    }

    /// The listening sockets.
    pub(crate) fn sockets(&self) -> impl Iterator<Item = (SocketPlace, &OwnedFd)> {
        self.sockets.iter().map(|(place, listening)| (*place, &listening.socket))
    }

    /// Accepts nothing any more, and checks nothing.
    pub(crate) async fn stop(&mut self) {
        for listening in self.sockets.values_mut() {
            listening.stop().await;
        }
        self.sockets.clear();
        self.checks.abort_all();
    }

    pub(crate) fn report(&self) -> Report {
        let now = self.environment.now();
        let mut listeners: Vec<ListenerReport> = self
            .listeners
            .keys()
            .map(|arn| ListenerReport { arn: arn.clone(), error: self.faults.get(arn).cloned() })
            .collect();
        listeners.sort_by(|one, other| one.arn.cmp(&other.arn));
        let mut groups: Vec<&Arc<Group>> = self.groups.values().collect();
        groups.sort_by(|one, other| one.arn.cmp(&other.arn));
        let mut balancers: Vec<_> = self.counts.iter().map(|(arn, counts)| counts.report(arn)).collect();
        balancers.sort_by(|one, other| one.arn.cmp(&other.arn));
        Report {
            revision: self.configuration.revision,
            process: self.process.clone(),
            at: now,
            listeners,
            targets: groups.iter().flat_map(|group| group.report(now)).collect(),
            load_balancers: balancers,
            target_groups: groups.iter().map(|group| group.counts.report(&group.arn)).collect(),
        }
    }

    /// Which targets are healthy.
    pub(crate) fn remembered(&self) -> Remembered {
        let mut healthy = Vec::new();
        for group in self.groups.values() {
            for target in &group.view().targets {
                let health = target.health.lock();
                if health.state() == TargetState::Healthy {
                    healthy.push(HealthyTarget {
                        group: group.arn.to_string(),
                        id: target.id.clone(),
                        port: target.address.port(),
                        since: health.since(),
                    });
                }
            }
        }
        Remembered(healthy)
    }
}

impl Remembered {
    fn of(&self, target: &Target) -> Option<Timestamp> {
        let same = |known: &&HealthyTarget| {
            known.group == *target.group && known.id == target.id && known.port == target.address.port()
        };
        self.0.iter().find(same).map(|known| known.since)
    }
}

/// Groups that an action of a load balancer names.
fn used_groups(configuration: &Configuration) -> HashSet<&str> {
    let listeners = configuration.load_balancers.iter().flat_map(|balancer| &balancer.listeners);
    let actions = listeners.flat_map(|listener| {
        listener.rules.iter().map(|rule| &rule.action).chain([&listener.default_action])
    });
    let forwards = actions.filter_map(|action| match action {
        Action::Forward(Forward { target_groups, .. }) => Some(target_groups),
        Action::Redirect(_) | Action::FixedResponse(_) => None,
    });
    forwards.flatten().map(|group| group.arn.as_str()).collect()
}

fn places_of(balancer: &LoadBalancer, listener: &Listener) -> Vec<SocketPlace> {
    let kinds: &[bool] = match listener.protocol {
        Protocol::Udp => &[true],
        Protocol::TcpUdp => &[false, true],
        _ => &[false],
    };
    let places = balancer.addresses.iter().flat_map(|address| {
        kinds
            .iter()
            .map(|datagrams| SocketPlace { address: (*address, listener.port).into(), datagrams: *datagrams })
    });
    places.collect()
}
