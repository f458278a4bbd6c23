//! Carries rules to the firewall: one change at a time, and what comes meanwhile together.

use crate::error::NetworkError;
use crate::firewall::Firewall;
use crate::rules::Rules;
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How long a new task waits for its rules; without them it reaches nothing and nobody reaches it.
const WAIT: Duration = Duration::from_secs(5);

/// Ports to be tied to addresses, or to be forgotten, with the next change.
type Ports = Vec<(String, Option<Ipv4Addr>)>;

/// The firewall of a network and what is in it.
pub(crate) struct Guard {
    firewall: Firewall,
    pending: Arc<Mutex<Ports>>,
    state: Arc<tokio::sync::Mutex<State>>,
    /// Addresses that rules are there for.
    members: watch::Sender<BTreeSet<Ipv4Addr>>,
}

/// What the kernel has.
struct State {
    /// Unknown after a start, until the first ones are set.
    rules: Option<Rules>,
    ports: BTreeMap<String, Ipv4Addr>,
    /// Everything is removed, and nothing comes any more.
    removed: bool,
}

impl Guard {
    /// Over a firewall that was begun with these ports.
    pub(crate) fn new(firewall: Firewall, ports: BTreeMap<String, Ipv4Addr>) -> Self {
        Self {
            firewall,
            pending: Arc::default(),
            state: Arc::new(tokio::sync::Mutex::new(State { rules: None, ports, removed: false })),
            members: watch::Sender::default(),
        }
    }

    /// Puts rules in place of those that are there, in one moment.
    pub(crate) async fn set(&self, rules: Rules) -> Result<(), NetworkError> {
        let members = self.members.clone();
        self.alone(move |firewall, state| {
            // What is there after a failure is not known.
            match state.rules.take() {
                Some(old) => firewall.change(&old, &rules)?,
                None => firewall.replace(&rules)?,
            }
            members.send_replace(rules.members.keys().copied().collect());
            state.rules = Some(rules);
            Ok(())
        })
        .await
    }

    /// Ties a port to the only address that may send from it.
    pub(crate) async fn tie(&self, port: String, address: Ipv4Addr) -> Result<(), NetworkError> {
        self.pending.lock().push((port, Some(address)));
        let waiting = self.pending.clone();
        self.alone(move |firewall, state| {
            let pending = std::mem::take(&mut *waiting.lock());
            if pending.is_empty() {
                // Somebody else has taken it along.
                return Ok(());
            }
            let mut ports = state.ports.clone();
            for (port, address) in &pending {
                match address {
                    Some(address) => drop(ports.insert(port.clone(), *address)),
                    None => drop(ports.remove(port)),
                }
            }
            if let Err(error) = firewall.change_ports(&state.ports, &ports) {
                waiting.lock().extend(pending);
                return Err(error);
            }
            state.ports = ports;
            Ok(())
        })
        .await
    }

    /// Forgets a port that is gone, with the next change.
    pub(crate) fn untie(&self, port: String) {
        self.pending.lock().push((port, None));
    }

    /// Waits until there are rules for an address.
    pub(crate) async fn admitted(&self, address: Ipv4Addr) {
        let mut members = self.members.subscribe();
        let known = members.wait_for(|members| members.contains(&address));
        if tokio::time::timeout(WAIT, known).await.is_err() {
            tracing::warn!(%address, "there are no rules for a new task yet: nothing reaches it");
        }
    }

    /// Removes every rule; none is set after that.
    pub(crate) async fn remove(&self) -> Result<(), NetworkError> {
        self.alone(|firewall, state| {
            firewall.remove()?;
            state.removed = true;
            Ok(())
        })
        .await
    }

    /// Does one change after the other. The lock goes with the work and not with who waits for it, who may be gone before
    /// the work is.
    async fn alone(
        &self,
        change: impl FnOnce(&Firewall, &mut State) -> Result<(), NetworkError> + Send + 'static,
    ) -> Result<(), NetworkError> {
        let firewall = self.firewall.clone();
        let mut state = self.state.clone().lock_owned().await;
        let work = move || if state.removed { Ok(()) } else { change(&firewall, &mut state) };
        tokio::task::spawn_blocking(work).await.map_err(|_| NetworkError::Worker)?
    }
}
