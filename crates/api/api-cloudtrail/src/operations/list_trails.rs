//! ListTrails.

use crate::CloudTrailService;
use crate::errors::from_store;
use crate::shapes::{ListTrailsRequest, ListTrailsResponse, TrailInfo};
use aws_wire::{RequestContext, ServiceError};
use resources::cloudtrail::Trail;

/// All trails of the account; they are so few that they fit one page.
pub(crate) async fn run(
    service: &CloudTrailService,
    context: &RequestContext,
    _input: ListTrailsRequest,
) -> Result<ListTrailsResponse, ServiceError> {
    let prefix = Trail::key_of(context.account.as_str(), "");
    let trails = service.tables.list_all::<Trail>(&prefix).await.map_err(from_store)?;
    let info = |trail: &Trail| TrailInfo {
        name: Some(trail.name.clone()),
        trail_arn: Some(trail.arn()),
        home_region: Some(trail.home_region.clone()),
    };
    Ok(ListTrailsResponse {
        trails: Some(trails.iter().map(|trail| info(trail)).collect()),
        next_token: None,
    })
}
