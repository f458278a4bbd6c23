//! CloudWatch Logs: groups, streams, events and finding them again.
//!
//! Rows of groups and streams are in the store, events are in [`Events`]. Old events are dropped by the controller
//! `logs_retention`; until it comes by, reading hides them. What this region has no machinery for (KMS keys, classes
//! other than STANDARD, deletion protection) is refused.

mod errors;
mod events;
mod lookup;
mod operations;
pub mod pattern;
mod permissions;
pub mod shapes;
mod token;

pub use events::{Events, EventsError};

use aws_wire::{Node, Operation, Permission, RequestContext, ServiceError};
use blob_store::BlobStore;
use operations as op;
use shapes::{
    CreateLogGroupRequest, CreateLogStreamRequest, DeleteLogGroupRequest, DeleteLogStreamRequest,
    DeleteRetentionPolicyRequest, DescribeLogGroupsRequest, DescribeLogGroupsResponse,
    DescribeLogStreamsRequest, DescribeLogStreamsResponse, FilterLogEventsRequest, FilterLogEventsResponse,
    GetLogEventsRequest, GetLogEventsResponse, ListTagsForResourceRequest, ListTagsForResourceResponse, Logs,
    PutLogEventsRequest, PutLogEventsResponse, PutRetentionPolicyRequest, TagResourceRequest,
    UntagResourceRequest,
};
use store::Tables;

/// The service behind the logs API; cheap to clone.
#[derive(Clone)]
pub struct LogsService {
    tables: Tables,
    events: Events,
}

impl LogsService {
    /// Opens the region's log events; they may be open only once.
    pub async fn open(tables: Tables, blobs: BlobStore) -> Result<Self, EventsError> {
        let events = Events::open(tables.clone(), blobs).await?;
        Ok(Self { tables, events })
    }

    /// Waits until no event is being moved. Every answered put is on disk without this, too.
    pub async fn close(&self) {
        self.events.close().await;
    }
}

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

    async fn put_retention_policy(
        &self,
        c: &RequestContext,
        i: PutRetentionPolicyRequest,
    ) -> Result<(), ServiceError> {
        op::retention::put(self, c, i).await
    }

    async fn delete_retention_policy(
        &self,
        c: &RequestContext,
        i: DeleteRetentionPolicyRequest,
    ) -> Result<(), ServiceError> {
        op::retention::delete(self, c, i).await
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

    async fn put_log_events(
        &self,
        c: &RequestContext,
        i: PutLogEventsRequest,
    ) -> Result<PutLogEventsResponse, ServiceError> {
        op::put_log_events::run(self, c, i).await
    }

    async fn get_log_events(
        &self,
        c: &RequestContext,
        i: GetLogEventsRequest,
    ) -> Result<GetLogEventsResponse, ServiceError> {
        op::get_log_events::run(self, c, i).await
    }

    async fn filter_log_events(
        &self,
        c: &RequestContext,
        i: FilterLogEventsRequest,
    ) -> Result<FilterLogEventsResponse, ServiceError> {
        op::filter_log_events::run(self, c, i).await
    }

    async fn tag_resource(&self, c: &RequestContext, i: TagResourceRequest) -> Result<(), ServiceError> {
        op::tags::tag(self, c, i).await
    }

    async fn untag_resource(&self, c: &RequestContext, i: UntagResourceRequest) -> Result<(), ServiceError> {
        op::tags::untag(self, c, i).await
    }

    async fn list_tags_for_resource(
        &self,
        c: &RequestContext,
        i: ListTagsForResourceRequest,
    ) -> Result<ListTagsForResourceResponse, ServiceError> {
        op::tags::list(self, c, i).await
    }
}
