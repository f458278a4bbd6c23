//! The engine under simulated time.

use super::*;
use environment::Simulation;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::task::JoinHandle;

/// Remembers its runs; fails or panics while told to.
#[derive(Default)]
struct Probe {
    runs: Mutex<Vec<(u32, Timestamp)>>,
    failures_left: AtomicUsize,
    panics_left: AtomicUsize,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
    listed: Mutex<Vec<u32>>,
    environment: Mutex<Option<Environment>>,
    again_after: Mutex<Option<Duration>>,
}

fn one_less(counter: &AtomicUsize) -> bool {
    counter.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

impl Reconciler for Probe {
    type Key = u32;
    type Error = String;

    async fn reconcile(&self, key: &u32) -> Result<Next, String> {
        let now = self.environment.lock().as_ref().map(Environment::now).unwrap_or_default();
        let at_once = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(at_once, Ordering::SeqCst);
        tokio::task::yield_now().await;
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        self.runs.lock().push((*key, now));
        assert!(!one_less(&self.panics_left), "a planned panic");
        if one_less(&self.failures_left) {
            return Err("a planned failure".to_owned());
        }
        Ok(self.again_after.lock().take().map_or(Next::Settled, Next::After))
    }

    async fn keys(&self) -> Result<Vec<u32>, String> {
        Ok(self.listed.lock().clone())
    }
}

struct Bench {
    probe: Arc<Probe>,
    queue: Queue<u32>,
    simulation: Arc<Simulation>,
    stop: CancellationToken,
    engine: JoinHandle<()>,
}

fn start(prepare: impl FnOnce(&Probe)) -> Bench {
    let (environment, simulation) = Environment::simulated(Timestamp::from_seconds(0), 1);
    let probe = Arc::new(Probe::default());
    *probe.environment.lock() = Some(environment.clone());
    prepare(&probe);
    let queue = Queue::new();
    let stop = CancellationToken::new();
    let settings =
        Settings { concurrency: 4, first_backoff: Duration::from_secs(1), ..Settings::named("probe") };
    let engine = tokio::spawn(run(probe.clone(), queue.clone(), settings, environment, stop.clone()));
    Bench { probe, queue, simulation, stop, engine }
}

impl Bench {
    /// On this single-threaded runtime, everybody has come to rest after some turns.
    async fn rest(&self) {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }

    async fn advance(&self, seconds: u64) {
        for _ in 0..seconds {
            self.simulation.advance(Duration::from_secs(1));
            self.rest().await;
        }
    }

    fn run_times(&self) -> Vec<i64> {
        self.probe.runs.lock().iter().map(|(_, at)| at.as_seconds()).collect()
    }

    async fn stop(self) {
        self.stop.cancel();
        self.engine.await.expect("the engine ends");
    }
}

#[tokio::test]
async fn failures_back_off_and_success_resets() {
    let bench = start(|probe| probe.failures_left.store(3, Ordering::SeqCst));
    bench.queue.nudge(7);
    bench.rest().await;
    bench.advance(20).await;
    assert_eq!(bench.run_times(), [0, 1, 3, 7]);
    bench.stop().await;
}

#[tokio::test]
async fn a_panic_is_a_failure_of_its_key() {
    let bench = start(|probe| probe.panics_left.store(1, Ordering::SeqCst));
    bench.queue.nudge(7);
    bench.rest().await;
    bench.advance(2).await;
    assert_eq!(bench.run_times(), [0, 1]);
    bench.stop().await;
}

#[tokio::test]
async fn a_requested_timer_fires_once() {
    let bench = start(|probe| *probe.again_after.lock() = Some(Duration::from_secs(30)));
    bench.queue.nudge(7);
    bench.rest().await;
    bench.advance(100).await;
    assert_eq!(bench.run_times(), [0, 30]);
    bench.stop().await;
}

#[tokio::test]
async fn resync_brings_every_key_at_the_start_and_again() {
    let bench = start(|probe| *probe.listed.lock() = vec![1, 2]);
    bench.rest().await;
    assert_eq!(bench.run_times(), [0, 0]);
    bench.advance(301).await;
    assert_eq!(bench.run_times(), [0, 0, 300, 300]);
    bench.stop().await;
}

#[tokio::test]
async fn a_clock_that_is_put_back_delays_neither_timers_nor_the_resync() {
    let bench = start(|probe| {
        *probe.listed.lock() = vec![1];
        *probe.again_after.lock() = Some(Duration::from_secs(30));
    });
    bench.simulation.set(Timestamp::from_seconds(1_000_000));
    bench.rest().await;
    bench.simulation.set(Timestamp::from_seconds(0));
    bench.advance(31).await;
    assert_eq!(bench.run_times(), [1_000_000, 30, 30], "the timer, and the resync");
    bench.advance(301).await;
    assert_eq!(bench.run_times(), [1_000_000, 30, 30, 330]);
    bench.stop().await;
}

#[tokio::test]
async fn concurrency_is_bounded_and_used() {
    let bench = start(|_| {});
    for key in 0..50 {
        bench.queue.nudge(key);
    }
    bench.rest().await;
    assert_eq!(bench.probe.runs.lock().len(), 50);
    assert_eq!(bench.probe.most_at_once.load(Ordering::SeqCst), 4);
    bench.stop().await;
}

#[test]
fn backoff_is_bounded() {
    let settings = Settings::named("x");
    assert_eq!(settings.backoff(1), Duration::from_millis(50));
    assert_eq!(settings.backoff(2), Duration::from_millis(100));
    assert_eq!(settings.backoff(u32::MAX), settings.longest_backoff);
}
