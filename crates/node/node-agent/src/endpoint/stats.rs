//! Figures of containers in the shape of the Docker Engine API's `stats`.

use super::Endpoint;
use super::answer::Version;
use crate::engine::EngineError;
use crate::engine::stats::{CpuStats, NetworkStats, Stats};
use crate::task::record::{Life, TaskRecord};
use environment::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// Least time between two measurements that rates are taken from.
const LEAST_INTERVAL: Duration = Duration::from_secs(1);

/// The measurements before, by container. Rates follow from two.
#[derive(Default)]
pub(crate) struct Samples(HashMap<usize, Sample>);

#[derive(Clone)]
struct Sample {
    at: Timestamp,
    cpu: CpuStats,
    networks: BTreeMap<String, NetworkStats>,
}

impl Endpoint {
    /// Every container by its id; those that do not run have no figures.
    pub(super) async fn task_stats(&self, version: Version, record: &TaskRecord) -> Value {
        let mut all = Map::new();
        for (index, state) in record.containers.iter().enumerate() {
            let Some(id) = &state.runtime_id else { continue };
            let stats = self.container_stats(version, record, index).await;
            all.insert(id.clone(), stats.unwrap_or(Value::Null));
        }
        all.into()
    }

    pub(super) async fn container_stats(
        &self,
        version: Version,
        record: &TaskRecord,
        index: usize,
    ) -> Result<Value, EngineError> {
        let state = &record.containers[index];
        if state.life != Life::Running {
            return Err(EngineError(format!("container {} does not run", state.name)));
        }
        let stats = self.engine.stats(&self.task.id, &state.name).await?;
        let now = self.environment.now();
        let sample = Sample { at: now, cpu: stats.cpu.clone(), networks: stats.networks.clone() };
        let before = {
            let mut samples = self.samples.lock();
            let before = samples.0.get(&index).cloned();
            if before.as_ref().is_none_or(|before| now.since(before.at) >= LEAST_INTERVAL) {
                samples.0.insert(index, sample.clone());
            }
            before
        };
        let mut value = render(&stats, &sample, before.as_ref());
        value["name"] = state.name.as_str().into();
        value["id"] = state.runtime_id.clone().into();
        if version == Version::V4
            && let Some(rates) = before.and_then(|before| rates(&before, &sample))
        {
            value["network_rate_stats"] = rates;
        }
        Ok(value)
    }
}

fn render(stats: &Stats, now: &Sample, before: Option<&Sample>) -> Value {
    json!({
        "read": now.at.to_rfc3339(),
        // The first measurement follows none, which Docker writes with the first day of its calendar.
        "preread": before.map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), |before| before.at.to_rfc3339()),
        "pids_stats": stats.pids,
        "blkio_stats": stats.block_io,
        "cpu_stats": stats.cpu,
        "precpu_stats": before.map(|before| before.cpu.clone()).unwrap_or_default(),
        "memory_stats": stats.memory,
        "networks": stats.networks,
    })
}

/// Bytes a second of all interfaces.
fn rates(before: &Sample, now: &Sample) -> Option<Value> {
    let seconds = now.at.since(before.at).as_secs_f64();
    if seconds <= 0.0 {
        return None;
    }
    let rate = |figure: fn(&NetworkStats) -> u64| {
        let sum = |sample: &Sample| sample.networks.values().map(figure).sum::<u64>();
        sum(now).saturating_sub(sum(before)) as f64 / seconds
    };
    Some(json!({
        "rx_bytes_per_sec": rate(|stats| stats.rx_bytes),
        "tx_bytes_per_sec": rate(|stats| stats.tx_bytes),
    }))
}
