//! Finds free addresses.

use parking_lot::Mutex;
use resources::ec2::{Address, Subnet};
use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;
use std::sync::Arc;
use store::{StoreError, Tables};

/// Which addresses are used, as far as is known.
#[derive(Default)]
pub(crate) struct Addresses(Mutex<State>);

#[derive(Default)]
struct State {
    /// Those that had a row when it was last looked at, and those handed out since.
    used: HashSet<u32>,
    /// Handed out, and not yet known to have a row.
    on_their_way: HashSet<u32>,
    /// By subnet: the search goes on from here, so that an address rests before it is used again.
    last: HashMap<String, u32>,
    listed: bool,
}

/// An address that is about to get a row. It is free again when this is dropped and not kept.
#[must_use = "the address is given back when this is dropped"]
pub struct Reserved {
    address: Ipv4Addr,
    addresses: Arc<Addresses>,
    has_row: bool,
}

impl Reserved {
    /// The address.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// The address has a row now.
    pub fn keep(mut self) {
        self.has_row = true;
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let mut state = self.addresses.0.lock();
        state.on_their_way.remove(&self.address.to_bits());
        if !self.has_row {
            // Whether there is a row is not known: a write that failed may have taken effect, or somebody else may have the
            // address. The next search begins with the rows.
            state.listed = false;
        }
    }
}

impl Addresses {
    pub(crate) async fn take(
        own: &Arc<Self>,
        tables: &Tables,
        subnet: &Subnet,
    ) -> Result<Option<Reserved>, StoreError> {
        let is_listed = own.0.lock().listed;
        if is_listed && let Some(address) = own.next_free(subnet) {
            return Ok(Some(Self::reserved(own, address)));
        }
        // The first time, or all seem used: others may have given some back.
        let rows = tables.list_all::<Address>("").await?;
        {
            let mut state = own.0.lock();
            state.used = rows.iter().map(|row| row.address.to_bits()).collect();
            let State { used, on_their_way, .. } = &mut *state;
            used.extend(on_their_way.iter());
            state.listed = true;
        }
        Ok(own.next_free(subnet).map(|address| Self::reserved(own, address)))
    }

    /// This address, unless somebody is about to have it.
    pub(crate) fn take_this(own: &Arc<Self>, address: Ipv4Addr) -> Option<Reserved> {
        let mut state = own.0.lock();
        let is_free = state.on_their_way.insert(address.to_bits());
        state.used.insert(address.to_bits());
        drop(state);
        is_free.then(|| Self::reserved(own, address.to_bits()))
    }

    pub(crate) fn give_back(&self, address: Ipv4Addr) {
        self.0.lock().used.remove(&address.to_bits());
    }

    fn reserved(own: &Arc<Self>, address: u32) -> Reserved {
        Reserved { address: Ipv4Addr::from_bits(address), addresses: own.clone(), has_row: false }
    }

    fn next_free(&self, subnet: &Subnet) -> Option<u32> {
        let all = subnet.addresses();
        let mut state = self.0.lock();
        let last = state.last.get(&subnet.id).copied().unwrap_or_default();
        let after = last.clamp(all.start() - 1, *all.end());
        let free = (after + 1..=*all.end())
            .chain(*all.start()..=after)
            .find(|address| !state.used.contains(address))?;
        state.last.insert(subnet.id.clone(), free);
        state.used.insert(free);
        state.on_their_way.insert(free);
        Some(free)
    }
}
