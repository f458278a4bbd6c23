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

/// The firewall of a network and what is in it.
pub(crate) struct Guard {
    firewall: Firewall,
    /// Ports to be tied to addresses, or to be forgotten, with the next change.
    pending: Mutex<Vec<(String, Option<Ipv4Addr>)>>,
    state: tokio::sync::Mutex<State>,
    /// Addresses that rules are there for.
    members: watch::Sender<BTreeSet<Ipv4Addr>>,
}

/// What the kernel has.
struct State {
    /// Unknown after a start, until the first ones are set.
    rules: Option<Arc<Rules>>,
    ports: Arc<BTreeMap<String, Ipv4Addr>>,
}

impl Guard {
    /// Over a firewall that was begun with these ports.
    pub(crate) fn new(firewall: Firewall, ports: BTreeMap<String, Ipv4Addr>) -> Self {
        Self {
            firewall,
            pending: Mutex::default(),
            state: tokio::sync::Mutex::new(State { rules: None, ports: Arc::new(ports) }),
            members: watch::Sender::default(),
        }
    }

    /// Puts rules in place of those that are there, in one moment.
    pub(crate) async fn set(&self, rules: Rules) -> Result<(), NetworkError> {
        let rules = Arc::new(rules);
        let mut state = self.state.lock().await;
        let (firewall, old, new) = (self.firewall.clone(), state.rules.clone(), rules.clone());
        let changed = blocking(move || match old {
            Some(old) => firewall.change(&old, &new),
            None => firewall.replace(&new),
        });
        if let Err(error) = changed.await {
            state.rules = None;
            return Err(error);
        }
        self.members.send_replace(rules.members.keys().copied().collect());
        state.rules = Some(rules);
        Ok(())
    }

    /// Ties a port to the only address that may send from it.
    pub(crate) async fn tie(&self, port: String, address: Ipv4Addr) -> Result<(), NetworkError> {
        self.pending.lock().push((port, Some(address)));
        let mut state = self.state.lock().await;
        let pending = std::mem::take(&mut *self.pending.lock());
        if pending.is_empty() {
            // Somebody else has taken it along.
            return Ok(());
        }
        let mut ports = BTreeMap::clone(&state.ports);
        for (port, address) in &pending {
            match address {
                Some(address) => drop(ports.insert(port.clone(), *address)),
                None => drop(ports.remove(port)),
            }
        }
        let (firewall, old, new) = (self.firewall.clone(), state.ports.clone(), Arc::new(ports));
        let tied = {
            let new = new.clone();
            blocking(move || firewall.change_ports(&old, &new)).await
        };
        match tied {
            Ok(()) => state.ports = new,
            Err(error) => {
                self.pending.lock().extend(pending);
                return Err(error);
            }
        }
        Ok(())
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

    /// Removes every rule.
    pub(crate) async fn remove(&self) -> Result<(), NetworkError> {
        let firewall = self.firewall.clone();
        blocking(move || firewall.remove()).await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, NetworkError> + Send + 'static,
) -> Result<T, NetworkError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| NetworkError::Worker)?
}
