//! A clock that is moved by hand, and repeatable randomness.

use crate::Timestamp;
use parking_lot::Mutex;
use std::time::Duration;
use tokio::sync::watch;

/// The hand on the clock of a simulated environment.
#[derive(Debug)]
pub struct Simulation {
    clock: watch::Sender<Clock>,
    random: Mutex<u64>,
}

/// What the clock shows, and how long it has gone. Sleepers go by the latter, as on a real machine.
#[derive(Clone, Copy, Debug)]
struct Clock {
    now: Timestamp,
    elapsed: Duration,
}

impl Simulation {
    pub(crate) fn new(start: Timestamp, seed: u64) -> Self {
        let clock = Clock { now: start, elapsed: Duration::ZERO };
        Self { clock: watch::Sender::new(clock), random: Mutex::new(seed) }
    }

    /// Time goes by: moves the clock forward and wakes every sleeper whose time has come.
    pub fn advance(&self, duration: Duration) {
        self.clock.send_modify(|clock| {
            clock.now = clock.now + duration;
            clock.elapsed += duration;
        });
    }

    /// Sets the clock, as somebody does who finds it wrong. No time goes by, and nobody wakes.
    pub fn set(&self, now: Timestamp) {
        self.clock.send_modify(|clock| clock.now = now);
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.borrow().now
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.clock.borrow().elapsed
    }

    pub(crate) async fn sleep_until(&self, deadline: Timestamp) {
        let begun = *self.clock.borrow();
        let until = begun.elapsed + deadline.since(begun.now);
        // Waiting fails only when the sender is gone, and `self` holds it.
        let _ = self.clock.subscribe().wait_for(|clock| clock.elapsed >= until).await;
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
