//! Use of CPU and memory, measured between two reports.

use super::{MOST_TASKS, seconds};
use crate::agent::Shared;
use crate::engine::Usage;
use crate::task::TaskHandle;
use crate::task::record::Life;
use agent_wire::tcs;
use environment::Timestamp;
use std::collections::HashMap;

/// Remembers the last measurement, from which use of CPU follows.
#[derive(Default)]
pub(super) struct Meter {
    last: HashMap<(String, String), (Timestamp, Usage)>,
}

impl Meter {
    /// Measures every running container; at least one report, an idle one if need be.
    pub(super) async fn reports(&mut self, shared: &Shared) -> Vec<tcs::PublishMetricsRequest> {
        let mut measured = HashMap::new();
        let mut tasks = Vec::new();
        for task in shared.supervisor.tasks() {
            let containers = self.measure(shared, &task, &mut measured).await;
            if !containers.is_empty() {
                tasks.push(tcs::TaskMetric {
                    cluster_arn: task.definition.cluster.clone(),
                    task_arn: task.definition.arn.clone(),
                    task_definition_family: task.definition.family.clone(),
                    task_definition_version: task.definition.version.clone(),
                    container_metrics: containers,
                    ..tcs::TaskMetric::default()
                });
            }
        }
        self.last = measured;
        let idle = tasks.is_empty();
        let mut chunks: Vec<Vec<tcs::TaskMetric>> = tasks.chunks(MOST_TASKS).map(<[_]>::to_vec).collect();
        if idle {
            chunks.push(Vec::new());
        }
        let count = chunks.len();
        let message_id = shared.environment.uuid();
        let report = |(index, task_metrics)| tcs::PublishMetricsRequest {
            metadata: Some(tcs::MetricsMetadata {
                cluster: shared.cluster.clone(),
                container_instance: shared.instance.clone(),
                message_id: message_id.clone(),
                idle,
                fin: index + 1 == count,
            }),
            task_metrics,
            timestamp: seconds(shared.environment.now()),
            ..tcs::PublishMetricsRequest::default()
        };
        chunks.into_iter().enumerate().map(report).collect()
    }

    async fn measure(
        &self,
        shared: &Shared,
        task: &TaskHandle,
        measured: &mut HashMap<(String, String), (Timestamp, Usage)>,
    ) -> Vec<tcs::ContainerMetric> {
        let record = task.record.borrow().clone();
        let mut metrics = Vec::new();
        for state in record.containers.iter().filter(|state| state.life == Life::Running) {
            // One that ends meanwhile has no figures.
            let Ok(usage) = shared.host.engine.usage(&task.definition.id, &state.name).await else {
                continue;
            };
            let now = shared.environment.now();
            let key = (task.definition.id.clone(), state.name.clone());
            let cpu =
                self.last.get(&key).and_then(|(then, before)| percent(now.since(*then), *before, usage));
            measured.insert(key, (now, usage));
            metrics.push(tcs::ContainerMetric {
                container_name: state.name.clone(),
                cpu_stats_set: cpu.map(one_sample),
                memory_stats_set: Some(one_sample(usage.memory_bytes as f64 / f64::from(1 << 20))),
                ..tcs::ContainerMetric::default()
            });
        }
        metrics
    }
}

/// Per cent of one core.
fn percent(passed: std::time::Duration, before: Usage, now: Usage) -> Option<f64> {
    let used = now.cpu_nanos.checked_sub(before.cpu_nanos)?;
    (!passed.is_zero()).then(|| used as f64 / passed.as_nanos() as f64 * 100.0)
}

fn one_sample(value: f64) -> tcs::CWStatsSet {
    tcs::CWStatsSet { min: value, max: value, sum: value, sample_count: 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn cpu_is_per_cent_of_a_core() {
        let usage = |cpu_nanos| Usage { cpu_nanos, memory_bytes: 0 };
        let ten = percent(Duration::from_secs(10), usage(0), usage(5_000_000_000)).expect("has one");
        assert!((ten - 50.0).abs() < 0.001);
        assert_eq!(percent(Duration::ZERO, usage(0), usage(1)), None);
        assert_eq!(percent(Duration::from_secs(1), usage(2), usage(1)), None);
    }
}
