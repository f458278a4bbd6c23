//! CloudWatch: metrics and nothing else of it yet.
//!
//! Samples are in `metric_store`; here are the checks that AWS makes, the statistics, and the pages. What AWS has beside
//! metrics (alarms, dashboards, metric streams, math expressions) is not built or refused.

mod errors;
mod metrics;
mod operations;
pub mod shapes;
mod statistic;

use aws_wire::{Node, Operation, Permission, RequestContext, ServiceError};
use environment::Environment;
use metric_store::Metrics;
use operations as op;
use shapes::{
    CloudWatch, GetMetricDataInput, GetMetricDataOutput, GetMetricStatisticsInput, GetMetricStatisticsOutput,
    ListMetricsInput, ListMetricsOutput, PutMetricDataInput,
};

/// The service behind the CloudWatch API; cheap to clone.
#[derive(Clone)]
pub struct CloudWatchService {
    metrics: Metrics,
    environment: Environment,
}

impl CloudWatchService {
    /// The service over a region's metrics.
    pub fn new(metrics: Metrics, environment: Environment) -> Self {
        Self { metrics, environment }
    }
}

#[async_trait::async_trait]
impl CloudWatch for CloudWatchService {
    async fn permissions(
        &self,
        operation: &'static Operation,
        _: &RequestContext,
        input: &Node,
    ) -> Result<Vec<Permission>, ServiceError> {
        let permission = Permission::of(operation, "*");
        Ok(vec![match operation.name {
            "PutMetricData" => permission.with_some("cloudwatch:namespace", input.text("Namespace")),
            _ => permission,
        }])
    }

    async fn put_metric_data(&self, c: &RequestContext, i: PutMetricDataInput) -> Result<(), ServiceError> {
        op::put_metric_data::run(self, c, i).await
    }

    async fn get_metric_statistics(
        &self,
        c: &RequestContext,
        i: GetMetricStatisticsInput,
    ) -> Result<GetMetricStatisticsOutput, ServiceError> {
        op::get_metric_statistics::run(self, c, i).await
    }

    async fn get_metric_data(
        &self,
        c: &RequestContext,
        i: GetMetricDataInput,
    ) -> Result<GetMetricDataOutput, ServiceError> {
        op::get_metric_data::run(self, c, i).await
    }

    async fn list_metrics(
        &self,
        c: &RequestContext,
        i: ListMetricsInput,
    ) -> Result<ListMetricsOutput, ServiceError> {
        op::list_metrics::run(self, c, i).await
    }
}
