//! Finds free addresses. The store decides who has which; this only remembers, so that looking is quick.

use crate::subnet::Subnet;
use parking_lot::Mutex;
use resources::ecs::Address;
use std::collections::HashSet;
use std::net::Ipv4Addr;
use store::{StoreError, Tables};

/// The addresses of a subnet.
pub struct Addresses {
    subnet: Subnet,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Those that had a row when it was last looked at, and those handed out since.
    used: HashSet<u32>,
    /// Handed out, and not yet known to have a row.
    on_their_way: HashSet<u32>,
    /// The search goes on from here, so that an address rests before it is used again.
    last: u32,
    listed: bool,
}

impl Addresses {
    /// Of a subnet.
    pub fn new(subnet: Subnet) -> Self {
        Self { subnet, state: Mutex::default() }
    }

    /// The subnet.
    pub fn subnet(&self) -> &Subnet {
        &self.subnet
    }

    /// An address that seems free; `None` when there is none. Follow it with [`Addresses::keep`] or
    /// [`Addresses::give_back`].
    pub async fn take(&self, tables: &Tables) -> Result<Option<Ipv4Addr>, StoreError> {
        if self.state.lock().listed
            && let Some(address) = self.next_free()
        {
            return Ok(Some(address));
        }
        // The first time, or all seem used: others may have given some back.
        let rows = tables.list_all::<Address>("").await?;
        {
            let mut state = self.state.lock();
            state.used = rows.iter().map(|row| row.address.to_bits()).collect();
            let State { used, on_their_way, .. } = &mut *state;
            used.extend(on_their_way.iter());
            state.listed = true;
        }
        Ok(self.next_free())
    }

    /// The address has a row now, of whatever task.
    pub fn keep(&self, address: Ipv4Addr) {
        self.state.lock().on_their_way.remove(&address.to_bits());
    }

    /// The address has no row.
    pub fn give_back(&self, address: Ipv4Addr) {
        let mut state = self.state.lock();
        state.on_their_way.remove(&address.to_bits());
        state.used.remove(&address.to_bits());
    }

    fn next_free(&self) -> Option<Ipv4Addr> {
        let machines = self.subnet.machines();
        let mut state = self.state.lock();
        let after = state.last.clamp(machines.start() - 1, *machines.end());
        let gateway = self.subnet.gateway().to_bits();
        let free = (after + 1..=*machines.end())
            .chain(*machines.start()..=after)
            .find(|address| *address != gateway && !state.used.contains(address))?;
        state.last = free;
        state.used.insert(free);
        state.on_their_way.insert(free);
        Some(Ipv4Addr::from_bits(free))
    }
}
