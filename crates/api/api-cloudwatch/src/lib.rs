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

use aws_wire::{Node, Operation, Permission, RequestContext, ServiceError};
use environment::Environment;
use event_outbox::Outbox;
use metric_store::Metrics;
use operations as op;
#[allow(
    clippy::wildcard_imports,
    reason = "the macro below names an input and an output for every operation"
)]
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

/// One method per operation, all alike: hand over to a function of the operation's module.
macro_rules! operations {
    ($($name:ident: $module:ident::$function:ident, $input:ident => $output:ty;)*) => {
        #[async_trait::async_trait]
        impl CloudWatch for CloudWatchService {
            async fn permissions(
                &self,
                operation: &'static Operation,
                context: &RequestContext,
                input: &Node,
            ) -> Result<Vec<Permission>, ServiceError> {
                permissions::of(self, context, operation, input).await
            }

            $(async fn $name(&self, context: &RequestContext, input: $input) -> Result<$output, ServiceError> {
                op::$module::$function(self, context, input).await
            })*
        }
    };
}

operations! {
    delete_alarms: alarms::delete, DeleteAlarmsInput => ();
    describe_alarm_history: alarms::history, DescribeAlarmHistoryInput => DescribeAlarmHistoryOutput;
    describe_alarms: alarms::describe, DescribeAlarmsInput => DescribeAlarmsOutput;
    describe_alarms_for_metric: alarms::describe_for_metric, DescribeAlarmsForMetricInput => DescribeAlarmsForMetricOutput;
    disable_alarm_actions: alarms::disable, DisableAlarmActionsInput => ();
    enable_alarm_actions: alarms::enable, EnableAlarmActionsInput => ();
    get_metric_data: get_metric_data::run, GetMetricDataInput => GetMetricDataOutput;
    get_metric_statistics: get_metric_statistics::run, GetMetricStatisticsInput => GetMetricStatisticsOutput;
    list_metrics: list_metrics::run, ListMetricsInput => ListMetricsOutput;
    list_tags_for_resource: tags::list, ListTagsForResourceInput => ListTagsForResourceOutput;
    put_metric_alarm: alarms::put, PutMetricAlarmInput => ();
    put_metric_data: put_metric_data::run, PutMetricDataInput => ();
    set_alarm_state: alarms::set, SetAlarmStateInput => ();
    tag_resource: tags::tag, TagResourceInput => TagResourceOutput;
    untag_resource: tags::untag, UntagResourceInput => UntagResourceOutput;
}
