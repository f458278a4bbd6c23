//! CloudWatch: metrics, and alarms on them.
//!
//! Samples are in `metric_store`; here are the checks that AWS makes, the statistics, and the pages. The controller
//! `alarms` evaluates alarms; each change of a state goes to EventBridge. What AWS has beside (actions of alarms, composite
//! alarms, anomaly detection, dashboards, metric streams, math expressions) is not built or refused.

mod alarm;
mod errors;
mod metrics;
mod operations;
mod permissions;
pub mod shapes;

use environment::Environment;
use event_outbox::Outbox;
use metric_store::Metrics;
#[allow(clippy::wildcard_imports, reason = "an input and an output is named for every operation")]
use shapes::*;

/// The service behind the CloudWatch API; cheap to clone.
#[derive(Clone)]
pub struct CloudWatchService {
    metrics: Metrics,
    outbox: Outbox,
    environment: Environment,
}

impl CloudWatchService {
    /// The service over a region's metrics. Changes of alarms go to `outbox`.
    pub fn new(metrics: Metrics, outbox: Outbox) -> Self {
        Self { metrics, environment: outbox.tables().environment().clone(), outbox }
    }
}

aws_wire::operations! {
    CloudWatch for CloudWatchService;
    delete_alarms: DeleteAlarmsInput => (), alarms::delete;
    describe_alarm_history: DescribeAlarmHistoryInput => DescribeAlarmHistoryOutput, alarms::history;
    describe_alarms: DescribeAlarmsInput => DescribeAlarmsOutput, alarms::describe;
    describe_alarms_for_metric: DescribeAlarmsForMetricInput => DescribeAlarmsForMetricOutput, alarms::describe_for_metric;
    disable_alarm_actions: DisableAlarmActionsInput => (), alarms::disable;
    enable_alarm_actions: EnableAlarmActionsInput => (), alarms::enable;
    get_metric_data: GetMetricDataInput => GetMetricDataOutput, get_metric_data::run;
    get_metric_statistics: GetMetricStatisticsInput => GetMetricStatisticsOutput, get_metric_statistics::run;
    list_metrics: ListMetricsInput => ListMetricsOutput, list_metrics::run;
    list_tags_for_resource: ListTagsForResourceInput => ListTagsForResourceOutput, tags::list;
    put_metric_alarm: PutMetricAlarmInput => (), alarms::put;
    put_metric_data: PutMetricDataInput => (), put_metric_data::run;
    set_alarm_state: SetAlarmStateInput => (), alarms::set;
    tag_resource: TagResourceInput => TagResourceOutput, tags::tag;
    untag_resource: UntagResourceInput => UntagResourceOutput, tags::untag;
}
