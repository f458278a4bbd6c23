//! DiscoverPollEndpoint: where an agent opens its sessions. The agent adds `/ws` for ACS.

use crate::shapes::{DiscoverPollEndpointRequest, DiscoverPollEndpointResponse};
use aws_wire::{RequestContext, ServiceError};
use store::Tables;

pub(crate) async fn run(
    _tables: &Tables,
    context: &RequestContext,
    _input: DiscoverPollEndpointRequest,
) -> Result<DiscoverPollEndpointResponse, ServiceError> {
    Ok(DiscoverPollEndpointResponse {
        endpoint: Some(format!("http://{}/_agent/acs", context.host)),
        telemetry_endpoint: Some(format!("http://{}/_agent/tcs", context.host)),
        service_connect_endpoint: None,
    })
}
