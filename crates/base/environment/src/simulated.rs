//! A clock that is moved by hand, and repeatable randomness.

use crate::Timestamp;
use parking_lot::Mutex;
use std::time::Duration;
use tokio::sync::watch;

/// The hand on the clock of a simulated environment.
#[derive(Debug)]
pub struct Simulation {
    now: watch::Sender<Timestamp>,
    random: Mutex<u64>,
}

impl Simulation {
    pub(crate) fn new(start: Timestamp, seed: u64) -> Self {
        Self { now: watch::Sender::new(start), random: Mutex::new(seed) }
    }

    /// Moves the clock forward and wakes every sleeper whose time has come.
    pub fn advance(&self, duration: Duration) {
        self.now.send_modify(|now| *now = *now + duration);
    }

    pub(crate) fn now(&self) -> Timestamp {
        *self.now.borrow()
    }

    pub(crate) async fn sleep_until(&self, deadline: Timestamp) {
        // Waiting fails only when the sender is gone, and `self` holds it.
        let _ = self.now.subscribe().wait_for(|now| *now >= deadline).await;
    }

    /// SplitMix64: small, repeatable and good enough for names in tests.
    pub(crate) fn fill_random(&self, bytes: &mut [u8]) {
        let mut state = self.random.lock();
        for chunk in bytes.chunks_mut(8) {
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = *state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            chunk.copy_from_slice(&(z ^ (z >> 31)).to_le_bytes()[..chunk.len()]);
        }
    }
}
