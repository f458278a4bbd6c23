//! The only door to the clock and to randomness.
//!
//! Everything that needs the time, a timer or a random name takes an [`Environment`]. Production code makes one
//! with [`Environment::real`]; tests make one with [`Environment::simulated`] and move its clock by hand, so
//! that expiry, schedules and back-off are tested without sleeping. Nothing else in the workspace reads a clock.

mod simulated;
mod timestamp;

pub use simulated::Simulation;
pub use timestamp::Timestamp;

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

/// Where the counting of [`Environment::elapsed`] begins.
static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Clock and randomness; cheap to clone.
#[derive(Clone)]
pub struct Environment(Source);

#[derive(Clone)]
enum Source {
    Real,
    Simulated(Arc<Simulation>),
}

impl Environment {
    /// The clock and randomness of the operating system.
    pub fn real() -> Self {
        Self(Source::Real)
    }

    /// A clock that stands still at `start` until the [`Simulation`] moves it, and randomness from `seed`.
    pub fn simulated(start: Timestamp, seed: u64) -> (Self, Arc<Simulation>) {
        let simulation = Arc::new(Simulation::new(start, seed));
        (Self(Source::Simulated(simulation.clone())), simulation)
    }

    /// The current time.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::Real => Timestamp::from_system(std::time::SystemTime::now()),
            Source::Simulated(simulation) => simulation.now(),
        }
    }

    /// How long it has gone since some moment in the life of this process: what lasts in memory is measured with it,
    /// since setting the clock does not change it.
    pub fn elapsed(&self) -> Duration {
        match &self.0 {
            Source::Real => BEGIN.elapsed(),
            Source::Simulated(simulation) => simulation.elapsed(),
        }
    }

    /// Waits for `duration` on this clock.
    pub async fn sleep(&self, duration: Duration) {
        match &self.0 {
            Source::Real => tokio::time::sleep(duration).await,
            Source::Simulated(simulation) => simulation.sleep_until(simulation.now() + duration).await,
        }
    }

    /// Waits until the clock shows `deadline`; returns at once when it is past.
    pub async fn sleep_until(&self, deadline: Timestamp) {
        match &self.0 {
            Source::Real => tokio::time::sleep(deadline.since(self.now())).await,
            Source::Simulated(simulation) => simulation.sleep_until(deadline).await,
        }
    }

    /// Fills `bytes` with randomness fit for keys.
    pub fn fill_random(&self, bytes: &mut [u8]) {
        match &self.0 {
            // The kernel's generator fails only before it is seeded at boot; no program can go on without it.
            Source::Real => getrandom::fill(bytes).expect("the kernel's random generator works"),
            Source::Simulated(simulation) => simulation.fill_random(bytes),
        }
    }

    /// `length` random lower-case hexadecimal digits, as in ECS task ids.
    pub fn random_hex(&self, length: usize) -> String {
        self.random_text(length, b"0123456789abcdef")
    }

    /// `length` random characters of `alphabet`, which holds 1 to 256 ASCII characters.
    pub fn random_text(&self, length: usize, alphabet: &[u8]) -> String {
        let mut bytes = vec![0u8; length * 2];
        self.fill_random(&mut bytes);
        bytes
            .chunks_exact(2)
            .map(|pair| {
                char::from(alphabet[usize::from(u16::from_le_bytes([pair[0], pair[1]])) % alphabet.len()])
            })
            .collect()
    }

    /// A random version 4 UUID in its usual text form.
    pub fn uuid(&self) -> String {
        let mut b = [0u8; 16];
        self.fill_random(&mut b);
        b[6] = (b[6] & 0x0f) | 0x40;
        b[8] = (b[8] & 0x3f) | 0x80;
        let hex: String = b.iter().fold(String::with_capacity(36), |mut text, byte| {
            use std::fmt::Write;
            if [8, 13, 18, 23].contains(&text.len()) {
                text.push('-');
            }
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        });
        hex
    }
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.0 {
            Source::Real => "Environment::Real",
            Source::Simulated(_) => "Environment::Simulated",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuid_has_its_form() {
        let uuid = Environment::real().uuid();
        let lengths: Vec<usize> = uuid.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_eq!(uuid.as_bytes()[14], b'4');
    }

    #[tokio::test]
    async fn simulated_time_moves_only_by_hand() {
        let (environment, simulation) = Environment::simulated(Timestamp::from_seconds(1_000), 1);
        let sleeper = tokio::spawn({
            let environment = environment.clone();
            async move {
                environment.sleep(Duration::from_secs(60)).await;
                environment.now()
            }
        });
        tokio::task::yield_now().await;
        simulation.advance(Duration::from_secs(59));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        simulation.advance(Duration::from_secs(1));
        assert_eq!(sleeper.await.expect("joins"), Timestamp::from_seconds(1_060));
    }

    #[tokio::test]
    async fn setting_the_clock_neither_wakes_nor_delays_a_sleeper() {
        let (environment, simulation) = Environment::simulated(Timestamp::from_seconds(1_000), 1);
        let sleeper = tokio::spawn({
            let environment = environment.clone();
            async move { environment.sleep(Duration::from_secs(60)).await }
        });
        tokio::task::yield_now().await;
        for now in [9_000, 0] {
            simulation.set(Timestamp::from_seconds(now));
            tokio::task::yield_now().await;
            assert!(!sleeper.is_finished());
        }
        simulation.advance(Duration::from_secs(60));
        sleeper.await.expect("joins");
        assert_eq!((environment.now(), environment.elapsed().as_secs()), (Timestamp::from_seconds(60), 60));
    }

    #[test]
    fn simulated_randomness_repeats_with_its_seed() {
        let make = || Environment::simulated(Timestamp::from_seconds(0), 7).0.random_hex(32);
        assert_eq!(make(), make());
    }
}
