//! GetRegistryScanningConfiguration.

use crate::shapes::{GetRegistryScanningConfigurationRequest, GetRegistryScanningConfigurationResponse};
use crate::{EcrService, scanning};
use aws_wire::{RequestContext, ServiceError};

pub(crate) async fn run(
    service: &EcrService,
    context: &RequestContext,
    _: GetRegistryScanningConfigurationRequest,
) -> Result<GetRegistryScanningConfigurationResponse, ServiceError> {
    let registry = service.registry_row(context).await?;
    Ok(GetRegistryScanningConfigurationResponse {
        registry_id: Some(context.account.to_string()),
        scanning_configuration: Some(scanning::show(registry.as_ref().map(|row| row.value.as_ref()))),
    })
}
