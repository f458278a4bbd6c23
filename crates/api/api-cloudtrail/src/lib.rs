//! CloudTrail: looking up events, and trails that deliver them as files.
//!
//! Events are in the audit log, where the request pipeline puts them; trails are rows. A trail's bucket is a directory
//! of the region's trails directory, because this region has no S3: the files in it have the names and the content
//! they would have in a bucket. Event data stores, channels, queries, dashboards, Insights, digest files, encryption
//! with KMS keys, SNS notices and delivery to CloudWatch Logs are not built, and requests for them are refused.

mod delivery;
mod errors;
mod operations;
mod record;
mod selectors;
pub mod shapes;
mod token;
mod trails;

pub use delivery::{Delivery, DeliveryError};

use audit_log::AuditLog;
use aws_wire::{RequestContext, ServiceError};
use operations as op;
use shapes::{
    AddTagsRequest, AddTagsResponse, CloudTrail, CreateTrailRequest, CreateTrailResponse, DeleteTrailRequest,
    DeleteTrailResponse, DescribeTrailsRequest, DescribeTrailsResponse, GetEventSelectorsRequest,
    GetEventSelectorsResponse, GetInsightSelectorsRequest, GetInsightSelectorsResponse, GetTrailRequest,
    GetTrailResponse, GetTrailStatusRequest, GetTrailStatusResponse, ListTagsRequest, ListTagsResponse,
    ListTrailsRequest, ListTrailsResponse, LookupEventsRequest, LookupEventsResponse,
    PutEventSelectorsRequest, PutEventSelectorsResponse, RemoveTagsRequest, RemoveTagsResponse,
    StartLoggingRequest, StartLoggingResponse, StopLoggingRequest, StopLoggingResponse, UpdateTrailRequest,
    UpdateTrailResponse,
};
use store::Tables;

/// The service behind the CloudTrail API; cheap to clone.
#[derive(Clone)]
pub struct CloudTrailService {
    tables: Tables,
    log: AuditLog,
    delivery: Delivery,
}

impl CloudTrailService {
    /// A service over the region's audit log.
    pub fn new(tables: Tables, log: AuditLog, delivery: Delivery) -> Self {
        Self { tables, log, delivery }
    }
}

#[async_trait::async_trait]
impl CloudTrail for CloudTrailService {
    async fn lookup_events(
        &self,
        c: &RequestContext,
        i: LookupEventsRequest,
    ) -> Result<LookupEventsResponse, ServiceError> {
        op::lookup_events::run(self, c, i).await
    }

    async fn create_trail(
        &self,
        c: &RequestContext,
        i: CreateTrailRequest,
    ) -> Result<CreateTrailResponse, ServiceError> {
        op::create_trail::run(self, c, i).await
    }

    async fn update_trail(
        &self,
        c: &RequestContext,
        i: UpdateTrailRequest,
    ) -> Result<UpdateTrailResponse, ServiceError> {
        op::update_trail::run(self, c, i).await
    }

    async fn delete_trail(
        &self,
        c: &RequestContext,
        i: DeleteTrailRequest,
    ) -> Result<DeleteTrailResponse, ServiceError> {
        op::delete_trail::run(self, c, i).await
    }

    async fn describe_trails(
        &self,
        c: &RequestContext,
        i: DescribeTrailsRequest,
    ) -> Result<DescribeTrailsResponse, ServiceError> {
        op::describe_trails::run(self, c, i).await
    }

    async fn get_trail(
        &self,
        c: &RequestContext,
        i: GetTrailRequest,
    ) -> Result<GetTrailResponse, ServiceError> {
        op::get_trail::run(self, c, i).await
    }

    async fn get_trail_status(
        &self,
        c: &RequestContext,
        i: GetTrailStatusRequest,
    ) -> Result<GetTrailStatusResponse, ServiceError> {
        op::get_trail_status::run(self, c, i).await
    }

    async fn list_trails(
        &self,
        c: &RequestContext,
        i: ListTrailsRequest,
    ) -> Result<ListTrailsResponse, ServiceError> {
        op::list_trails::run(self, c, i).await
    }

    async fn start_logging(
        &self,
        c: &RequestContext,
        i: StartLoggingRequest,
    ) -> Result<StartLoggingResponse, ServiceError> {
        op::start_logging::run(self, c, i).await
    }

    async fn stop_logging(
        &self,
        c: &RequestContext,
        i: StopLoggingRequest,
    ) -> Result<StopLoggingResponse, ServiceError> {
        op::stop_logging::run(self, c, i).await
    }

    async fn put_event_selectors(
        &self,
        c: &RequestContext,
        i: PutEventSelectorsRequest,
    ) -> Result<PutEventSelectorsResponse, ServiceError> {
        op::put_event_selectors::run(self, c, i).await
    }

    async fn get_event_selectors(
        &self,
        c: &RequestContext,
        i: GetEventSelectorsRequest,
    ) -> Result<GetEventSelectorsResponse, ServiceError> {
        op::get_event_selectors::run(self, c, i).await
    }

    async fn get_insight_selectors(
        &self,
        c: &RequestContext,
        i: GetInsightSelectorsRequest,
    ) -> Result<GetInsightSelectorsResponse, ServiceError> {
        op::get_insight_selectors::run(self, c, i).await
    }

    async fn add_tags(&self, c: &RequestContext, i: AddTagsRequest) -> Result<AddTagsResponse, ServiceError> {
        op::tags::add(self, c, i).await
    }

    async fn remove_tags(
        &self,
        c: &RequestContext,
        i: RemoveTagsRequest,
    ) -> Result<RemoveTagsResponse, ServiceError> {
        op::tags::remove(self, c, i).await
    }

    async fn list_tags(
        &self,
        c: &RequestContext,
        i: ListTagsRequest,
    ) -> Result<ListTagsResponse, ServiceError> {
        op::tags::list(self, c, i).await
    }
}
