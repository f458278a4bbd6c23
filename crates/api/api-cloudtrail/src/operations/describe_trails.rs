//! DescribeTrails.

use crate::CloudTrailService;
use crate::errors::from_store;
use crate::shapes::{DescribeTrailsRequest, DescribeTrailsResponse};
use crate::trails::{key, shown};
use aws_wire::{RequestContext, ServiceError};
use resources::cloudtrail::Trail;

/// The trails that are named, or all. Names of none are no error.
pub(crate) async fn run(
    service: &CloudTrailService,
    context: &RequestContext,
    input: DescribeTrailsRequest,
) -> Result<DescribeTrailsResponse, ServiceError> {
    let names = input.trail_name_list.unwrap_or_default();
    let mut trails = Vec::new();
    if names.is_empty() {
        let prefix = Trail::key_of(context.account.as_str(), "");
        trails = service.tables.list_all::<Trail>(&prefix).await.map_err(from_store)?;
    } else {
        // An ARN of another account or region names none, like a name that nobody has.
        for key in names.iter().map(|name| key(context, name)) {
            match key {
                Ok(key) => trails.extend(service.tables.get::<Trail>(&key).await.map_err(from_store)?),
                Err(error) if error.shape == &crate::shapes::errors::TRAIL_NOT_FOUND_EXCEPTION => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(DescribeTrailsResponse { trail_list: Some(trails.iter().map(|trail| shown(trail)).collect()) })
}
