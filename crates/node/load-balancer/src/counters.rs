//! Counters of the request path. Each worker counts for itself; a report adds up.

use load_balancing::{LoadBalancerCounters, ResponseTimes, TargetGroupCounters};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

thread_local! {
    /// Which shard this thread counts in. Threads that are no workers count in the first.
    static SHARD: Cell<usize> = const { Cell::new(0) };
}

/// Shards of all counters; more workers than this share some.
const SHARDS: usize = 16;
/// Buckets of response times: the last one holds what took longer than about a minute.
const BUCKETS: usize = 28;

/// Makes this thread count in the shard of its worker.
pub(crate) fn count_as(worker: usize) {
    SHARD.set(worker % SHARDS);
}

/// A number that only grows, or goes up and down and is never below nothing as a whole.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, number: u64) {
        self.0.fetch_add(number, Relaxed);
    }

    pub(crate) fn subtract(&self, number: u64) {
        self.0.fetch_sub(number, Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// One `T` for each shard, each on cache lines of its own.
#[derive(Debug)]
pub(crate) struct Sharded<T>(Box<[Padded<T>]>);

#[derive(Debug, Default)]
#[repr(align(128))]
struct Padded<T>(T);

impl<T: Default> Default for Sharded<T> {
    fn default() -> Self {
        Self((0..SHARDS).map(|_| Padded::default()).collect())
    }
}

impl<T> Sharded<T> {
    /// The one of this thread.
    pub(crate) fn here(&self) -> &T {
        &self.0[SHARD.get()].0
    }

    fn sum(&self, of: impl Fn(&T) -> &Count) -> u64 {
        // One that goes up on one worker and down on another wraps in both, and comes out right in their sum.
        self.0.iter().fold(0, |sum: u64, shard| sum.wrapping_add(of(&shard.0).get()))
    }
}

/// What is counted of a load balancer.
#[derive(Debug, Default)]
pub(crate) struct BalancerCounts {
    pub(crate) requests: Count,
    pub(crate) grpc_requests: Count,
    pub(crate) elb_3xx: Count,
    pub(crate) elb_4xx: Count,
    pub(crate) elb_5xx: Count,
    pub(crate) elb_502: Count,
    pub(crate) elb_503: Count,
    pub(crate) elb_504: Count,
    pub(crate) redirects: Count,
    pub(crate) fixed_responses: Count,
    pub(crate) active_connections: Count,
    pub(crate) new_connections: Count,
    pub(crate) rejected_connections: Count,
    pub(crate) client_tls_errors: Count,
    pub(crate) processed_bytes: Count,
}

impl BalancerCounts {
    /// Counts an answer that the load balancer gave by itself.
    pub(crate) fn own_answer(&self, status: u16) {
        match status {
            300..=399 => self.elb_3xx.add(1),
            400..=499 => self.elb_4xx.add(1),
            500..=599 => self.elb_5xx.add(1),
            _ => {}
        }
        match status {
            502 => self.elb_502.add(1),
            503 => self.elb_503.add(1),
            504 => self.elb_504.add(1),
            _ => {}
        }
    }
}

impl Sharded<BalancerCounts> {
    pub(crate) fn report(&self, arn: &str) -> LoadBalancerCounters {
        LoadBalancerCounters {
            arn: arn.to_owned(),
            requests: self.sum(|shard| &shard.requests),
            grpc_requests: self.sum(|shard| &shard.grpc_requests),
            elb_3xx: self.sum(|shard| &shard.elb_3xx),
            elb_4xx: self.sum(|shard| &shard.elb_4xx),
            elb_5xx: self.sum(|shard| &shard.elb_5xx),
            elb_502: self.sum(|shard| &shard.elb_502),
            elb_503: self.sum(|shard| &shard.elb_503),
            elb_504: self.sum(|shard| &shard.elb_504),
            redirects: self.sum(|shard| &shard.redirects),
            fixed_responses: self.sum(|shard| &shard.fixed_responses),
            active_connections: self.sum(|shard| &shard.active_connections),
            new_connections: self.sum(|shard| &shard.new_connections),
            rejected_connections: self.sum(|shard| &shard.rejected_connections),
            client_tls_errors: self.sum(|shard| &shard.client_tls_errors),
            processed_bytes: self.sum(|shard| &shard.processed_bytes),
        }
    }
}

/// What is counted of a target group.
#[derive(Debug, Default)]
pub(crate) struct GroupCounts {
    pub(crate) requests: Count,
    pub(crate) target_2xx: Count,
    pub(crate) target_3xx: Count,
    pub(crate) target_4xx: Count,
    pub(crate) target_5xx: Count,
    pub(crate) connection_errors: Count,
    times: Count,
    micros: Count,
    buckets: [Count; BUCKETS],
}

impl GroupCounts {
    /// Counts the answer of a target, and how long it took.
    pub(crate) fn answer(&self, status: u16, took: Duration) {
        match status {
            200..=299 => self.target_2xx.add(1),
            300..=399 => self.target_3xx.add(1),
            400..=499 => self.target_4xx.add(1),
            500..=599 => self.target_5xx.add(1),
            _ => {}
        }
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.times.add(1);
        self.micros.add(micros);
        let bucket = (u64::BITS - micros.leading_zeros()) as usize;
        self.buckets[bucket.min(BUCKETS - 1)].add(1);
    }
}

impl Sharded<GroupCounts> {
    pub(crate) fn report(&self, arn: &str) -> TargetGroupCounters {
        TargetGroupCounters {
            arn: arn.to_owned(),
            requests: self.sum(|shard| &shard.requests),
            target_2xx: self.sum(|shard| &shard.target_2xx),
            target_3xx: self.sum(|shard| &shard.target_3xx),
            target_4xx: self.sum(|shard| &shard.target_4xx),
            target_5xx: self.sum(|shard| &shard.target_5xx),
            connection_errors: self.sum(|shard| &shard.connection_errors),
            response_times: ResponseTimes {
                count: self.sum(|shard| &shard.times),
                sum_micros: self.sum(|shard| &shard.micros),
                buckets: (0..BUCKETS).map(|index| self.sum(|shard| &shard.buckets[index])).collect(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_workers_count_adds_up() {
        let counts: Sharded<BalancerCounts> = Sharded::default();
        std::thread::scope(|scope| {
            for worker in 0..3 {
                let counts = &counts;
                scope.spawn(move || {
                    count_as(worker);
                    counts.here().active_connections.add(2);
                    counts.here().own_answer(502);
                });
            }
        });
        count_as(5);
        counts.here().active_connections.subtract(5);
        let report = counts.report("arn");
        assert_eq!((report.active_connections, report.elb_5xx, report.elb_502), (1, 3, 3));
    }

    #[test]
    fn response_times_have_buckets() {
        let counts: Sharded<GroupCounts> = Sharded::default();
        for micros in [0, 1, 3, 1000, u64::MAX] {
            counts.here().answer(200, Duration::from_micros(micros));
        }
        let times = counts.report("arn").response_times;
        let filled: Vec<usize> = times
            .buckets
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0)
            .map(|(index, _)| index)
            .collect();
        assert_eq!(filled, [0, 1, 2, 10, BUCKETS - 1]);
        assert_eq!(times.count, 5);
    }
}
