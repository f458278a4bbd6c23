//! What load balancers have counted, as metrics of CloudWatch: differences of reports, written every few seconds.

use super::observe::Rows;
use super::{DataPlane, LoadBalancerController};
use environment::Timestamp;
use load_balancing::{LoadBalancerCounters, Report, TargetGroupCounters};
use metric_store::{Distribution, Sample, Series};
use resources::elb::{LoadBalancer, LoadBalancerKind, TargetGroup, TargetState};
use std::collections::BTreeMap;
use std::time::Duration;

/// Time between two samples.
const EVERY: Duration = Duration::from_secs(10);

/// What was counted when it was last written.
#[derive(Default)]
pub(super) struct Counters {
    process: String,
    written_at: Option<Timestamp>,
    balancers: BTreeMap<String, LoadBalancerCounters>,
    groups: BTreeMap<String, TargetGroupCounters>,
}

impl<D: DataPlane> LoadBalancerController<D> {
    /// Writes what has been counted since the last time, when it is time to.
    pub(super) async fn count(&self, rows: &Rows, report: &Report, counters: &mut Counters) {
        let Some(metrics) = &self.metrics else { return };
        let now = self.tables.environment().now();
        let is_new = counters.process != report.process;
        if !is_new && counters.written_at.is_some_and(|at| now >= at && now.since(at) < EVERY) {
            return;
        }
        // What was counted before this process looked for the first time is nobody's of now.
        let is_first = counters.written_at.is_none();
        let samples = if is_first { Vec::new() } else { samples(rows, report, counters, is_new, now) };
        counters.process.clone_from(&report.process);
        counters.written_at = Some(now);
        counters.balancers = report.load_balancers.iter().map(|own| (own.arn.clone(), own.clone())).collect();
        counters.groups = report.target_groups.iter().map(|own| (own.arn.clone(), own.clone())).collect();
        if !samples.is_empty()
            && let Err(error) = metrics.put(&samples).await
        {
            tracing::warn!(%error, "metrics of load balancers are lost");
        }
    }
}

/// The part of an ARN that is a dimension.
fn dimension(arn: &str, kind: &str) -> String {
    arn.split_once(kind).map_or(arn, |(_, rest)| rest).to_owned()
}

/// Writes samples with the same dimensions.
pub(crate) struct Writer<'a> {
    pub(crate) account: &'a str,
    pub(crate) namespace: &'static str,
    pub(crate) dimensions: BTreeMap<String, String>,
    pub(crate) now: Timestamp,
    pub(crate) samples: &'a mut Vec<Sample>,
}

impl Writer<'_> {
    pub(crate) fn put(&mut self, name: &str, unit: &str, values: Distribution) {
        let series = Series {
            account: self.account.to_owned(),
            namespace: self.namespace.to_owned(),
            name: name.to_owned(),
            dimensions: self.dimensions.clone(),
        };
        let second = self.now.as_millis().div_euclid(1000);
        self.samples.push(Sample { series, unit: unit.to_owned(), second, values });
    }

    /// A number of events; none is no sample, as on AWS.
    pub(crate) fn events(&mut self, name: &str, new: u64, old: u64) {
        let count = new.saturating_sub(old);
        if count > 0
            && let Ok(values) = Distribution::of_summary(count as f64, count as f64, 1.0, 1.0)
        {
            self.put(name, "Count", values);
        }
    }

    pub(crate) fn value(&mut self, name: &str, unit: &str, value: f64) {
        if let Ok(values) = Distribution::of_value(value, 1.0) {
            self.put(name, unit, values);
        }
    }
}

fn samples(rows: &Rows, report: &Report, before: &Counters, is_new: bool, now: Timestamp) -> Vec<Sample> {
    let mut samples = Vec::new();
    let users = users(rows);
    for row in &rows.balancers {
        let Some(new) = report.load_balancers.iter().find(|own| own.arn == row.arn) else { continue };
        let none = LoadBalancerCounters::default();
        let old = before.balancers.get(&row.arn).filter(|_| !is_new).unwrap_or(&none);
        of_load_balancer(row, new, old, now, &mut samples);
    }
    for row in &rows.groups {
        let Some(user) = users.get(row.arn.as_str()) else { continue };
        let none = TargetGroupCounters::default();
        let new = report.target_groups.iter().find(|own| own.arn == row.arn).unwrap_or(&none);
        let old = before.groups.get(&row.arn).filter(|_| !is_new).unwrap_or(&none);
        of_target_group(rows, row, user, (new, old), now, &mut samples);
    }
    samples
}

/// The load balancer that uses each target group.
fn users(rows: &Rows) -> BTreeMap<&str, &LoadBalancer> {
    let mut users = BTreeMap::new();
    for balancer in &rows.balancers {
        let listeners = rows.listeners.iter().filter(|own| own.load_balancer_arn == balancer.arn);
        let rules = rows
            .rules
            .iter()
            .filter(|own| own.account == balancer.account && own.load_balancer == balancer.name);
        let actions =
            listeners.flat_map(|own| &own.default_actions).chain(rules.flat_map(|own| &own.actions));
        for arn in actions.flat_map(resources::elb::Action::target_groups) {
            users.insert(arn, &*balancer.value);
        }
    }
    users
}

fn namespace(kind: LoadBalancerKind) -> &'static str {
    match kind {
        LoadBalancerKind::Application => "AWS/ApplicationELB",
        LoadBalancerKind::Network => "AWS/NetworkELB",
    }
}

fn of_load_balancer(
    row: &LoadBalancer,
    new: &LoadBalancerCounters,
    old: &LoadBalancerCounters,
    now: Timestamp,
    samples: &mut Vec<Sample>,
) {
    let dimensions = BTreeMap::from([("LoadBalancer".to_owned(), dimension(&row.arn, ":loadbalancer/"))]);
    let mut writer =
        Writer { account: row.account.as_str(), namespace: namespace(row.kind), dimensions, now, samples };
    if row.kind == LoadBalancerKind::Application {
        for (name, new, old) in [
            ("RequestCount", new.requests, old.requests),
            ("HTTPCode_ELB_3XX_Count", new.elb_3xx, old.elb_3xx),
            ("HTTPCode_ELB_4XX_Count", new.elb_4xx, old.elb_4xx),
            ("HTTPCode_ELB_5XX_Count", new.elb_5xx, old.elb_5xx),
            ("HTTPCode_ELB_502_Count", new.elb_502, old.elb_502),
            ("HTTPCode_ELB_503_Count", new.elb_503, old.elb_503),
            ("HTTPCode_ELB_504_Count", new.elb_504, old.elb_504),
            ("HTTP_Redirect_Count", new.redirects, old.redirects),
            ("HTTP_Fixed_Response_Count", new.fixed_responses, old.fixed_responses),
            ("NewConnectionCount", new.new_connections, old.new_connections),
            ("RejectedConnectionCount", new.rejected_connections, old.rejected_connections),
            ("ClientTLSNegotiationErrorCount", new.client_tls_errors, old.client_tls_errors),
        ] {
            writer.events(name, new, old);
        }
        writer.value("ActiveConnectionCount", "Count", new.active_connections as f64);
    } else {
        writer.events("NewFlowCount", new.new_connections, old.new_connections);
        writer.events("ClientTLSNegotiationErrorCount", new.client_tls_errors, old.client_tls_errors);
        writer.value("ActiveFlowCount", "Count", new.active_connections as f64);
    }
    let bytes = new.processed_bytes.saturating_sub(old.processed_bytes);
    if bytes > 0 {
        writer.value("ProcessedBytes", "Bytes", bytes as f64);
    }
}

fn of_target_group(
    rows: &Rows,
    row: &TargetGroup,
    user: &LoadBalancer,
    (new, old): (&TargetGroupCounters, &TargetGroupCounters),
    now: Timestamp,
    samples: &mut Vec<Sample>,
) {
    let group = format!("targetgroup/{}", dimension(&row.arn, ":targetgroup/"));
    let dimensions = BTreeMap::from([
        ("LoadBalancer".to_owned(), dimension(&user.arn, ":loadbalancer/")),
        ("TargetGroup".to_owned(), group),
    ]);
    let targets = rows.targets.iter().filter(|own| own.target_group_arn == row.arn);
    let (mut healthy, mut unhealthy) = (0u32, 0u32);
    for target in targets {
        match target.health.state {
            TargetState::Healthy | TargetState::Unavailable => healthy += 1,
            TargetState::Unhealthy => unhealthy += 1,
            TargetState::Initial | TargetState::Unused | TargetState::Draining | TargetState::Drained => {}
        }
    }
    let mut writer =
        Writer { account: row.account.as_str(), namespace: namespace(user.kind), dimensions, now, samples };
    writer.value("HealthyHostCount", "Count", f64::from(healthy));
    writer.value("UnHealthyHostCount", "Count", f64::from(unhealthy));
    if user.kind == LoadBalancerKind::Network {
        return;
    }
    for (name, new, old) in [
        ("RequestCount", new.requests, old.requests),
        ("HTTPCode_Target_2XX_Count", new.target_2xx, old.target_2xx),
        ("HTTPCode_Target_3XX_Count", new.target_3xx, old.target_3xx),
        ("HTTPCode_Target_4XX_Count", new.target_4xx, old.target_4xx),
        ("HTTPCode_Target_5XX_Count", new.target_5xx, old.target_5xx),
        ("TargetConnectionErrorCount", new.connection_errors, old.connection_errors),
    ] {
        writer.events(name, new, old);
    }
    let requests = new.requests.saturating_sub(old.requests);
    if requests > 0 && healthy > 0 {
        writer.value("RequestCountPerTarget", "Count", requests as f64 / f64::from(healthy));
    }
    if let Some(times) = response_times(new, old) {
        writer.put("TargetResponseTime", "Seconds", times);
    }
}

/// The response times between two reports. Each counts as the middle of its bucket, so that percentiles are there.
pub(crate) fn response_times(new: &TargetGroupCounters, old: &TargetGroupCounters) -> Option<Distribution> {
    let mut times: Option<Distribution> = None;
    for (index, count) in new.response_times.buckets.iter().enumerate() {
        let count = count.saturating_sub(old.response_times.buckets.get(index).copied().unwrap_or_default());
        if count == 0 {
            continue;
        }
        let micros = 0.75 * 2f64.powi(i32::try_from(index).unwrap_or(i32::MAX));
        let some = Distribution::of_value(micros / 1e6, count as f64).ok()?;
        match &mut times {
            Some(times) => times.merge(&some),
            None => times = Some(some),
        }
    }
    times
}

#[cfg(test)]
mod tests {
    use super::*;
    use load_balancing::ResponseTimes;

    #[test]
    fn response_times_are_those_since_the_last_report() {
        let counters = |buckets: &[u64]| TargetGroupCounters {
            response_times: ResponseTimes { buckets: buckets.to_vec(), ..ResponseTimes::default() },
            ..TargetGroupCounters::default()
        };
        assert!(response_times(&counters(&[1, 2]), &counters(&[1, 2])).is_none());
        let times = response_times(&counters(&[1, 2, 5]), &counters(&[1, 2])).expect("some");
        assert!((times.count() - 5.0).abs() < 1e-9);
        assert!((times.average() - 3e-6).abs() < 1e-12);
    }
}
