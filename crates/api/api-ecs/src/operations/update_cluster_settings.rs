//! UpdateClusterSettings: what UpdateCluster does, for the settings alone.

use super::update_cluster;
use crate::shapes::{UpdateClusterRequest, UpdateClusterSettingsRequest, UpdateClusterSettingsResponse};
use aws_wire::{RequestContext, ServiceError};
use store::Tables;

pub(crate) async fn run(
    tables: &Tables,
    context: &RequestContext,
    input: UpdateClusterSettingsRequest,
) -> Result<UpdateClusterSettingsResponse, ServiceError> {
    let UpdateClusterSettingsRequest { cluster, settings } = input;
    let request =
        UpdateClusterRequest { cluster, settings: Some(settings), ..UpdateClusterRequest::default() };
    let updated = update_cluster::run(tables, context, request).await?;
    Ok(UpdateClusterSettingsResponse { cluster: updated.cluster })
}
