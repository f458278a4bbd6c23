//! How many queries are passed on: in all, and for one client.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

/// Queries being passed on at a time.
const MOST: u32 = 512;
/// Of one client.
const MOST_OF_ONE: u32 = 128;
/// Queries passed on in a second.
const MOST_IN_A_SECOND: u32 = 4096;
/// Of one client; as many as the resolver of a VPC takes from one network interface.
const MOST_OF_ONE_IN_A_SECOND: u32 = 1024;

/// Counts queries that are passed on; clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Limits(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    second: u64,
    all: Count,
    /// Those with queries on their way or in this second, so never more than the limits of all let be.
    clients: HashMap<Ipv4Addr, Count>,
}

#[derive(Default)]
struct Count {
    at_a_time: u32,
    in_second: u32,
}

/// A query on its way.
pub(crate) struct Permit {
    limits: Limits,
    client: Ipv4Addr,
}

impl Limits {
    /// Counts a query of a client on its way until what is returned is dropped; nothing when there are too many.
    pub(crate) fn pass(&self, client: Ipv4Addr, now: Duration) -> Option<Permit> {
        let mut state = self.0.lock();
        state.turn(now.as_secs());
        let State { all, clients, .. } = &mut *state;
        let is_free = all.is_below(MOST, MOST_IN_A_SECOND)
            && clients.get(&client).is_none_or(|own| own.is_below(MOST_OF_ONE, MOST_OF_ONE_IN_A_SECOND));
        if !is_free {
            return None;
        }
        all.add();
        clients.entry(client).or_default().add();
        Some(Permit { limits: self.clone(), client })
    }

    /// Queries on their way.
    pub(crate) fn under_way(&self) -> u32 {
        self.0.lock().all.at_a_time
    }
}

impl State {
    fn turn(&mut self, second: u64) {
        if self.second == second {
            return;
        }
        self.second = second;
        self.all.in_second = 0;
        self.clients.retain(|_, count| {
            count.in_second = 0;
            count.at_a_time > 0
        });
    }
}

impl Count {
    fn is_below(&self, at_a_time: u32, in_second: u32) -> bool {
        self.at_a_time < at_a_time && self.in_second < in_second
    }

    fn add(&mut self) {
        self.at_a_time += 1;
        self.in_second += 1;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.limits.0.lock();
        state.all.at_a_time -= 1;
        // It is there as long as it has queries on their way.
        if let Some(count) = state.clients.get_mut(&self.client) {
            count.at_a_time -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn one_client_leaves_room_for_others() {
        let limits = Limits::default();
        let held: Vec<Permit> = (0..MOST_OF_ONE).filter_map(|_| limits.pass(ONE, SECOND)).collect();
        assert_eq!(held.len(), MOST_OF_ONE as usize);
        assert!(limits.pass(ONE, SECOND).is_none());
        let other = limits.pass(Ipv4Addr::new(10, 0, 0, 2), SECOND);
        assert!(other.is_some());
        assert_eq!(limits.under_way(), MOST_OF_ONE + 1);
        drop(held);
        assert!(limits.pass(ONE, SECOND).is_some());
        drop(other);
        assert_eq!(limits.under_way(), 0);
    }

    #[test]
    fn all_clients_together_have_a_limit() {
        let limits = Limits::default();
        let client = |number: u32| Ipv4Addr::from_bits(ONE.to_bits() + number);
        let held: Vec<Permit> =
            (0..MOST + 9).filter_map(|number| limits.pass(client(number), SECOND)).collect();
        assert_eq!(held.len(), MOST as usize);
    }

    #[test]
    fn a_second_has_its_limit_and_forgets_who_asked_before() {
        let limits = Limits::default();
        let passed =
            |now| (0..MOST_OF_ONE_IN_A_SECOND * 2).filter(|_| limits.pass(ONE, now).is_some()).count();
        assert_eq!(passed(SECOND), MOST_OF_ONE_IN_A_SECOND as usize);
        assert_eq!(passed(SECOND * 2), MOST_OF_ONE_IN_A_SECOND as usize);
        let other = Ipv4Addr::new(10, 0, 0, 2);
        let held = limits.pass(other, SECOND * 3);
        limits.pass(ONE, SECOND * 4);
        assert_eq!(limits.0.lock().clients.len(), 2, "one has asked, one has a query on its way");
        drop(held);
        limits.pass(ONE, SECOND * 5);
        assert_eq!(limits.0.lock().clients.len(), 1);
    }
}
