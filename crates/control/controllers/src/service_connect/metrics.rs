//! What proxies have counted, as metrics of CloudWatch: differences of reports, written every few seconds.
//!
//! Everything is counted where clients reach an endpoint. Traffic that comes to a task by no proxy of a client is not in it.

use super::{Proxies, ServiceConnectController, plan, ways};
use crate::load_balancer::metrics::{Writer, response_times};
use environment::Timestamp;
use load_balancing::{LoadBalancerCounters, Report, TargetGroupCounters};
use metric_store::Sample;
use resources::ecs::{ConnectEndpoint, Task};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Time between two samples.
const EVERY: Duration = Duration::from_secs(5);
/// The namespace of the metrics.
const NAMESPACE: &str = "AWS/ECS";

/// What the proxies had counted when it was last written, by the keys of their tasks.
type Before = HashMap<String, Report>;

/// Dimensions of a metric, by name.
type Dimensions = BTreeMap<String, String>;

/// What is counted of all traffic with the same dimensions.
#[derive(Default)]
struct Sum {
    balancers: LoadBalancerCounters,
    groups: Vec<(TargetGroupCounters, TargetGroupCounters)>,
}

impl<P: Proxies> ServiceConnectController<P> {
    /// Writes metrics until `stop`.
    pub(crate) async fn count(&self, stop: CancellationToken) {
        let mut before = Before::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.tables.environment().sleep(EVERY) => {}
            }
            let samples = self.samples(&mut before).await;
            if !samples.is_empty()
                && let Err(error) = self.metrics.put(&samples).await
            {
                tracing::warn!(%error, "metrics of Service Connect are lost");
            }
        }
    }

    async fn samples(&self, before: &mut Before) -> Vec<Sample> {
        let keys: Vec<(String, String)> =
            self.memory.lock().keys.iter().map(|(id, key)| (id.clone(), key.clone())).collect();
        before.retain(|old, _| keys.iter().any(|(_, key)| key == old));
        let mut sums = BTreeMap::new();
        for (id, key) in keys {
            let Ok(Some(report)) = self.proxies.report(&id).await else { continue };
            // The counters of a task that cannot be read now are in the next report, too.
            let Ok(Some(task)) = self.tables.get::<Task>(&key).await else { continue };
            let old = before.get(&key).filter(|old| old.process == report.process);
            let is_first = !before.contains_key(&key) && task.created_at < self.began;
            if !is_first {
                let none = Report::default();
                add(&task, &report, old.unwrap_or(&none), &mut sums);
            }
            before.insert(key, report);
        }
        let now = self.tables.environment().now();
        written(&sums, now)
    }
}

/// Adds what a task's proxy has counted since its last report.
fn add(task: &Task, new: &Report, old: &Report, sums: &mut BTreeMap<(String, Dimensions), Sum>) {
    for endpoint in task.connect.iter().flat_map(|connect| &connect.endpoints) {
        let name = plan::endpoint_name(endpoint);
        let balancer = |report: &Report| report.load_balancers.iter().find(|own| own.arn == name).cloned();
        let Some(new_balancer) = balancer(new) else { continue };
        let old_balancer = balancer(old).unwrap_or_default();
        let groups: Vec<_> = ways::group_names(endpoint)
            .into_iter()
            .filter_map(|name| {
                let group =
                    |report: &Report| report.target_groups.iter().find(|own| own.arn == name).cloned();
                Some((group(new)?, group(old).unwrap_or_default()))
            })
            .collect();
        let account = task.account.to_string();
        for dimensions in inbound(endpoint) {
            let sum = sums.entry((account.clone(), dimensions)).or_default();
            let (own, before) = (&new_balancer, &old_balancer);
            sum.balancers.requests += own.requests.saturating_sub(before.requests);
            sum.balancers.grpc_requests += own.grpc_requests.saturating_sub(before.grpc_requests);
            sum.balancers.new_connections += own.new_connections.saturating_sub(before.new_connections);
            sum.balancers.processed_bytes += own.processed_bytes.saturating_sub(before.processed_bytes);
            sum.balancers.active_connections += own.active_connections;
        }
        for dimensions in outbound(endpoint, task) {
            let sum = sums.entry((account.clone(), dimensions)).or_default();
            sum.groups.extend(groups.iter().cloned());
        }
    }
}

fn dimensions(pairs: &[(&str, &str)]) -> Dimensions {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// The dimensions of what comes to an endpoint: its name, and the service that offers it.
fn inbound(endpoint: &ConnectEndpoint) -> [Dimensions; 2] {
    let name = ("DiscoveryName", endpoint.discovery_name.as_str());
    let service = [("ServiceName", endpoint.offered_by.as_str()), ("ClusterName", endpoint.cluster.as_str())];
    [dimensions(&[name]), dimensions(&[name, service[0], service[1]])]
}

/// The dimensions of what targets answer: the name of the endpoint, and the service whose tasks ask.
fn outbound(endpoint: &ConnectEndpoint, task: &Task) -> [Dimensions; 2] {
    let name = ("TargetDiscoveryName", endpoint.discovery_name.as_str());
    let service = task.service.as_deref().unwrap_or_default();
    let service = [("ServiceName", service), ("ClusterName", task.cluster.as_str())];
    [dimensions(&[name]), dimensions(&[name, service[0], service[1]])]
}

fn written(sums: &BTreeMap<(String, Dimensions), Sum>, now: Timestamp) -> Vec<Sample> {
    let mut samples = Vec::new();
    for ((account, dimensions), sum) in sums {
        let dimensions = dimensions.clone();
        let is_inbound = dimensions.contains_key("DiscoveryName");
        let mut writer = Writer { account, namespace: NAMESPACE, dimensions, now, samples: &mut samples };
        if is_inbound {
            let own = &sum.balancers;
            writer.events("RequestCount", own.requests, 0);
            writer.events("GrpcRequestCount", own.grpc_requests, 0);
            writer.events("NewConnectionCount", own.new_connections, 0);
            writer.value("ActiveConnectionCount", "Count", own.active_connections as f64);
            if own.processed_bytes > 0 {
                writer.value("ProcessedBytes", "Bytes", own.processed_bytes as f64);
            }
            continue;
        }
        let total = |of: fn(&TargetGroupCounters) -> u64| {
            sum.groups.iter().map(|(new, old)| of(new).saturating_sub(of(old))).sum::<u64>()
        };
        writer.events("HTTPCode_Target_2XX_Count", total(|own| own.target_2xx), 0);
        writer.events("HTTPCode_Target_3XX_Count", total(|own| own.target_3xx), 0);
        writer.events("HTTPCode_Target_4XX_Count", total(|own| own.target_4xx), 0);
        writer.events("HTTPCode_Target_5XX_Count", total(|own| own.target_5xx), 0);
        for times in sum.groups.iter().filter_map(|(new, old)| response_times(new, old)) {
            writer.put("TargetResponseTime", "Seconds", times);
        }
    }
    samples
}
