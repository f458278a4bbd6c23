//! Growing pauses between attempts.

use environment::Environment;
use std::time::Duration;

/// Pauses that grow by half from `first` to `most`, each up to a fifth longer or shorter by chance.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    first: Duration,
    most: Duration,
    next: Duration,
}

impl Backoff {
    /// Begins with `first`.
    pub(crate) fn new(first: Duration, most: Duration) -> Self {
        Self { first, most, next: first }
    }

    /// The next pause.
    pub(crate) fn next(&mut self, environment: &Environment) -> Duration {
        let mut byte = [0u8; 1];
        environment.fill_random(&mut byte);
        let jitter = 0.8 + f64::from(byte[0]) / 255.0 * 0.4;
        let pause = self.next.mul_f64(jitter);
        self.next = self.next.mul_f64(1.5).min(self.most);
        pause
    }

    /// Begins anew after a success.
    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_bound() {
        let environment = Environment::real();
        let mut backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(120));
        let first = backoff.next(&environment);
        assert!(first >= Duration::from_millis(200) && first <= Duration::from_millis(300));
        let last = (0..40).map(|_| backoff.next(&environment)).last().expect("has one");
        assert!(last >= Duration::from_secs(96) && last <= Duration::from_secs(144));
        backoff.reset();
        assert!(backoff.next(&environment) < Duration::from_secs(1));
    }
}
