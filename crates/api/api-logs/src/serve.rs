//! The operations of the service, each in its file below `operations`.

use crate::operations as op;
use crate::shapes::{
    CancelExportTaskRequest, CreateDeliveryRequest, CreateDeliveryResponse, CreateExportTaskRequest,
    CreateExportTaskResponse, CreateLogGroupRequest, CreateLogStreamRequest,
    DeleteDeliveryDestinationPolicyRequest, DeleteDeliveryDestinationRequest, DeleteDeliveryRequest,
    DeleteDeliverySourceRequest, DeleteDestinationRequest, DeleteLogGroupRequest, DeleteLogStreamRequest,
    DeleteMetricFilterRequest, DeleteQueryDefinitionRequest, DeleteQueryDefinitionResponse,
    DeleteResourcePolicyRequest, DeleteRetentionPolicyRequest, DeleteSubscriptionFilterRequest,
    DescribeDeliveriesRequest, DescribeDeliveriesResponse, DescribeDeliveryDestinationsRequest,
    DescribeDeliveryDestinationsResponse, DescribeDeliverySourcesRequest, DescribeDeliverySourcesResponse,
    DescribeDestinationsRequest, DescribeDestinationsResponse, DescribeExportTasksRequest,
    DescribeExportTasksResponse, DescribeLogGroupsRequest, DescribeLogGroupsResponse,
    DescribeLogStreamsRequest, DescribeLogStreamsResponse, DescribeMetricFiltersRequest,
    DescribeMetricFiltersResponse, DescribeQueriesRequest, DescribeQueriesResponse,
    DescribeQueryDefinitionsRequest, DescribeQueryDefinitionsResponse, DescribeResourcePoliciesRequest,
    DescribeResourcePoliciesResponse, DescribeSubscriptionFiltersRequest,
    DescribeSubscriptionFiltersResponse, FilterLogEventsRequest, FilterLogEventsResponse,
    GetDeliveryDestinationPolicyRequest, GetDeliveryDestinationPolicyResponse, GetDeliveryDestinationRequest,
    GetDeliveryDestinationResponse, GetDeliveryRequest, GetDeliveryResponse, GetDeliverySourceRequest,
    GetDeliverySourceResponse, GetLogEventsRequest, GetLogEventsResponse, GetLogGroupFieldsRequest,
    GetLogGroupFieldsResponse, GetLogRecordRequest, GetLogRecordResponse, GetQueryResultsRequest,
    GetQueryResultsResponse, ListTagsForResourceRequest, ListTagsForResourceResponse,
    ListTagsLogGroupRequest, ListTagsLogGroupResponse, Logs, PutDeliveryDestinationPolicyRequest,
    PutDeliveryDestinationPolicyResponse, PutDeliveryDestinationRequest, PutDeliveryDestinationResponse,
    PutDeliverySourceRequest, PutDeliverySourceResponse, PutDestinationPolicyRequest, PutDestinationRequest,
    PutDestinationResponse, PutLogEventsRequest, PutLogEventsResponse, PutMetricFilterRequest,
    PutQueryDefinitionRequest, PutQueryDefinitionResponse, PutResourcePolicyRequest,
    PutResourcePolicyResponse, PutRetentionPolicyRequest, PutSubscriptionFilterRequest, StartQueryRequest,
    StartQueryResponse, StopQueryRequest, StopQueryResponse, TagLogGroupRequest, TagResourceRequest,
    TestMetricFilterRequest, TestMetricFilterResponse, UntagLogGroupRequest, UntagResourceRequest,
};
use crate::{LogsService, permissions};
use aws_wire::{Node, Operation, Permission, RequestContext, ServiceError};

#[async_trait::async_trait]
impl Logs for LogsService {
    async fn permissions(
        &self,
        operation: &'static Operation,
        c: &RequestContext,
        input: &Node,
    ) -> Result<Vec<Permission>, ServiceError> {
        permissions::of(self, c, operation, input).await
    }

    async fn cancel_export_task(
        &self,
        c: &RequestContext,
        i: CancelExportTaskRequest,
    ) -> Result<(), ServiceError> {
        op::export_tasks::cancel(self, c, i).await
    }

    async fn create_delivery(
        &self,
        c: &RequestContext,
        i: CreateDeliveryRequest,
    ) -> Result<CreateDeliveryResponse, ServiceError> {
        op::deliveries::create(self, c, i).await
    }

    async fn create_export_task(
        &self,
        c: &RequestContext,
        i: CreateExportTaskRequest,
    ) -> Result<CreateExportTaskResponse, ServiceError> {
        op::export_tasks::create(self, c, i).await
    }

    async fn create_log_group(
        &self,
        c: &RequestContext,
        i: CreateLogGroupRequest,
    ) -> Result<(), ServiceError> {
        op::create_log_group::run(self, c, i).await
    }

    async fn create_log_stream(
        &self,
        c: &RequestContext,
        i: CreateLogStreamRequest,
    ) -> Result<(), ServiceError> {
        op::create_log_stream::run(self, c, i).await
    }

    async fn delete_delivery(
        &self,
        c: &RequestContext,
        i: DeleteDeliveryRequest,
    ) -> Result<(), ServiceError> {
        op::deliveries::delete(self, c, i).await
    }

    async fn delete_delivery_destination(
        &self,
        c: &RequestContext,
        i: DeleteDeliveryDestinationRequest,
    ) -> Result<(), ServiceError> {
        op::delivery_destinations::delete(self, c, i).await
    }

    async fn delete_delivery_destination_policy(
        &self,
        c: &RequestContext,
        i: DeleteDeliveryDestinationPolicyRequest,
    ) -> Result<(), ServiceError> {
        op::delivery_destinations::delete_policy(self, c, i).await
    }

    async fn delete_delivery_source(
        &self,
        c: &RequestContext,
        i: DeleteDeliverySourceRequest,
    ) -> Result<(), ServiceError> {
        op::delivery_sources::delete(self, c, i).await
    }

    async fn delete_destination(
        &self,
        c: &RequestContext,
        i: DeleteDestinationRequest,
    ) -> Result<(), ServiceError> {
        op::destinations::delete(self, c, i).await
    }

    async fn delete_log_group(
        &self,
        c: &RequestContext,
        i: DeleteLogGroupRequest,
    ) -> Result<(), ServiceError> {
        op::delete_log_group::run(self, c, i).await
    }

    async fn delete_log_stream(
        &self,
        c: &RequestContext,
        i: DeleteLogStreamRequest,
    ) -> Result<(), ServiceError> {
        op::delete_log_stream::run(self, c, i).await
    }

    async fn delete_metric_filter(
        &self,
        c: &RequestContext,
        i: DeleteMetricFilterRequest,
    ) -> Result<(), ServiceError> {
        op::metric_filters::delete(self, c, i).await
    }

    async fn delete_query_definition(
        &self,
        c: &RequestContext,
        i: DeleteQueryDefinitionRequest,
    ) -> Result<DeleteQueryDefinitionResponse, ServiceError> {
        op::query_definitions::delete(self, c, i).await
    }

    async fn delete_resource_policy(
        &self,
        c: &RequestContext,
        i: DeleteResourcePolicyRequest,
    ) -> Result<(), ServiceError> {
        op::resource_policies::delete(self, c, i).await
    }

    async fn delete_retention_policy(
        &self,
        c: &RequestContext,
        i: DeleteRetentionPolicyRequest,
    ) -> Result<(), ServiceError> {
        op::retention::delete(self, c, i).await
    }

    async fn delete_subscription_filter(
        &self,
        c: &RequestContext,
        i: DeleteSubscriptionFilterRequest,
    ) -> Result<(), ServiceError> {
        op::subscription_filters::delete(self, c, i).await
    }

    async fn describe_deliveries(
        &self,
        c: &RequestContext,
        i: DescribeDeliveriesRequest,
    ) -> Result<DescribeDeliveriesResponse, ServiceError> {
        op::deliveries::describe(self, c, i).await
    }

    async fn describe_delivery_destinations(
        &self,
        c: &RequestContext,
        i: DescribeDeliveryDestinationsRequest,
    ) -> Result<DescribeDeliveryDestinationsResponse, ServiceError> {
        op::delivery_destinations::describe(self, c, i).await
    }

    async fn describe_delivery_sources(
        &self,
        c: &RequestContext,
        i: DescribeDeliverySourcesRequest,
    ) -> Result<DescribeDeliverySourcesResponse, ServiceError> {
        op::delivery_sources::describe(self, c, i).await
    }

    async fn describe_destinations(
        &self,
        c: &RequestContext,
        i: DescribeDestinationsRequest,
    ) -> Result<DescribeDestinationsResponse, ServiceError> {
        op::destinations::describe(self, c, i).await
    }

    async fn describe_export_tasks(
        &self,
        c: &RequestContext,
        i: DescribeExportTasksRequest,
    ) -> Result<DescribeExportTasksResponse, ServiceError> {
        op::export_tasks::describe(self, c, i).await
    }

    async fn describe_log_groups(
        &self,
        c: &RequestContext,
        i: DescribeLogGroupsRequest,
    ) -> Result<DescribeLogGroupsResponse, ServiceError> {
        op::describe_log_groups::run(self, c, i).await
    }

    async fn describe_log_streams(
        &self,
        c: &RequestContext,
        i: DescribeLogStreamsRequest,
    ) -> Result<DescribeLogStreamsResponse, ServiceError> {
        op::describe_log_streams::run(self, c, i).await
    }

    async fn describe_metric_filters(
        &self,
        c: &RequestContext,
        i: DescribeMetricFiltersRequest,
    ) -> Result<DescribeMetricFiltersResponse, ServiceError> {
        op::metric_filters::describe(self, c, i).await
    }

    async fn describe_queries(
        &self,
        c: &RequestContext,
        i: DescribeQueriesRequest,
    ) -> Result<DescribeQueriesResponse, ServiceError> {
        op::queries::describe(self, c, i).await
    }

    async fn describe_query_definitions(
        &self,
        c: &RequestContext,
        i: DescribeQueryDefinitionsRequest,
    ) -> Result<DescribeQueryDefinitionsResponse, ServiceError> {
        op::query_definitions::describe(self, c, i).await
    }

    async fn describe_resource_policies(
        &self,
        c: &RequestContext,
        i: DescribeResourcePoliciesRequest,
    ) -> Result<DescribeResourcePoliciesResponse, ServiceError> {
        op::resource_policies::describe(self, c, i).await
    }

    async fn describe_subscription_filters(
        &self,
        c: &RequestContext,
        i: DescribeSubscriptionFiltersRequest,
    ) -> Result<DescribeSubscriptionFiltersResponse, ServiceError> {
        op::subscription_filters::describe(self, c, i).await
    }

    async fn filter_log_events(
        &self,
        c: &RequestContext,
        i: FilterLogEventsRequest,
    ) -> Result<FilterLogEventsResponse, ServiceError> {
        op::filter_log_events::run(self, c, i).await
    }

    async fn get_delivery(
        &self,
        c: &RequestContext,
        i: GetDeliveryRequest,
    ) -> Result<GetDeliveryResponse, ServiceError> {
        op::deliveries::get(self, c, i).await
    }

    async fn get_delivery_destination(
        &self,
        c: &RequestContext,
        i: GetDeliveryDestinationRequest,
    ) -> Result<GetDeliveryDestinationResponse, ServiceError> {
        op::delivery_destinations::get(self, c, i).await
    }

    async fn get_delivery_destination_policy(
        &self,
        c: &RequestContext,
        i: GetDeliveryDestinationPolicyRequest,
    ) -> Result<GetDeliveryDestinationPolicyResponse, ServiceError> {
        op::delivery_destinations::get_policy(self, c, i).await
    }

    async fn get_delivery_source(
        &self,
        c: &RequestContext,
        i: GetDeliverySourceRequest,
    ) -> Result<GetDeliverySourceResponse, ServiceError> {
        op::delivery_sources::get(self, c, i).await
    }

    async fn get_log_events(
        &self,
        c: &RequestContext,
        i: GetLogEventsRequest,
    ) -> Result<GetLogEventsResponse, ServiceError> {
        op::get_log_events::run(self, c, i).await
    }

    async fn get_log_group_fields(
        &self,
        c: &RequestContext,
        i: GetLogGroupFieldsRequest,
    ) -> Result<GetLogGroupFieldsResponse, ServiceError> {
        op::get_log_group_fields::run(self, c, i).await
    }

    async fn get_log_record(
        &self,
        c: &RequestContext,
        i: GetLogRecordRequest,
    ) -> Result<GetLogRecordResponse, ServiceError> {
        op::get_log_record::run(self, c, i).await
    }

    async fn get_query_results(
        &self,
        c: &RequestContext,
        i: GetQueryResultsRequest,
    ) -> Result<GetQueryResultsResponse, ServiceError> {
        op::queries::results(self, c, i).await
    }

    async fn list_tags_for_resource(
        &self,
        c: &RequestContext,
        i: ListTagsForResourceRequest,
    ) -> Result<ListTagsForResourceResponse, ServiceError> {
        op::tags::list(self, c, i).await
    }

    async fn list_tags_log_group(
        &self,
        c: &RequestContext,
        i: ListTagsLogGroupRequest,
    ) -> Result<ListTagsLogGroupResponse, ServiceError> {
        op::tags::list_of_group(self, c, i).await
    }

    async fn put_delivery_destination(
        &self,
        c: &RequestContext,
        i: PutDeliveryDestinationRequest,
    ) -> Result<PutDeliveryDestinationResponse, ServiceError> {
        op::delivery_destinations::put(self, c, i).await
    }

    async fn put_delivery_destination_policy(
        &self,
        c: &RequestContext,
        i: PutDeliveryDestinationPolicyRequest,
    ) -> Result<PutDeliveryDestinationPolicyResponse, ServiceError> {
        op::delivery_destinations::put_policy(self, c, i).await
    }

    async fn put_delivery_source(
        &self,
        c: &RequestContext,
        i: PutDeliverySourceRequest,
    ) -> Result<PutDeliverySourceResponse, ServiceError> {
        op::delivery_sources::put(self, c, i).await
    }

    async fn put_destination(
        &self,
        c: &RequestContext,
        i: PutDestinationRequest,
    ) -> Result<PutDestinationResponse, ServiceError> {
        op::destinations::put(self, c, i).await
    }

    async fn put_destination_policy(
        &self,
        c: &RequestContext,
        i: PutDestinationPolicyRequest,
    ) -> Result<(), ServiceError> {
        op::destinations::put_policy(self, c, i).await
    }

    async fn put_log_events(
        &self,
        c: &RequestContext,
        i: PutLogEventsRequest,
    ) -> Result<PutLogEventsResponse, ServiceError> {
        op::put_log_events::run(self, c, i).await
    }

    async fn put_metric_filter(
        &self,
        c: &RequestContext,
        i: PutMetricFilterRequest,
    ) -> Result<(), ServiceError> {
        op::metric_filters::put(self, c, i).await
    }

    async fn put_query_definition(
        &self,
        c: &RequestContext,
        i: PutQueryDefinitionRequest,
    ) -> Result<PutQueryDefinitionResponse, ServiceError> {
        op::query_definitions::put(self, c, i).await
    }

    async fn put_resource_policy(
        &self,
        c: &RequestContext,
        i: PutResourcePolicyRequest,
    ) -> Result<PutResourcePolicyResponse, ServiceError> {
        op::resource_policies::put(self, c, i).await
    }

    async fn put_retention_policy(
        &self,
        c: &RequestContext,
        i: PutRetentionPolicyRequest,
    ) -> Result<(), ServiceError> {
        op::retention::put(self, c, i).await
    }

    async fn put_subscription_filter(
        &self,
        c: &RequestContext,
        i: PutSubscriptionFilterRequest,
    ) -> Result<(), ServiceError> {
        op::subscription_filters::put(self, c, i).await
    }

    async fn start_query(
        &self,
        c: &RequestContext,
        i: StartQueryRequest,
    ) -> Result<StartQueryResponse, ServiceError> {
        op::queries::start(self, c, i).await
    }

    async fn stop_query(
        &self,
        c: &RequestContext,
        i: StopQueryRequest,
    ) -> Result<StopQueryResponse, ServiceError> {
        op::queries::stop(self, c, i).await
    }

    async fn tag_log_group(&self, c: &RequestContext, i: TagLogGroupRequest) -> Result<(), ServiceError> {
        op::tags::tag_group(self, c, i).await
    }

    async fn tag_resource(&self, c: &RequestContext, i: TagResourceRequest) -> Result<(), ServiceError> {
        op::tags::tag(self, c, i).await
    }

    async fn test_metric_filter(
        &self,
        c: &RequestContext,
        i: TestMetricFilterRequest,
    ) -> Result<TestMetricFilterResponse, ServiceError> {
        op::metric_filters::test(self, c, i).await
    }

    async fn untag_log_group(&self, c: &RequestContext, i: UntagLogGroupRequest) -> Result<(), ServiceError> {
        op::tags::untag_group(self, c, i).await
    }

    async fn untag_resource(&self, c: &RequestContext, i: UntagResourceRequest) -> Result<(), ServiceError> {
        op::tags::untag(self, c, i).await
    }
}
