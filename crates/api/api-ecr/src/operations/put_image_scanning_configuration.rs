//! PutImageScanningConfiguration.

use crate::EcrService;
use crate::shapes::{
    ImageScanningConfiguration, PutImageScanningConfigurationRequest, PutImageScanningConfigurationResponse,
};
use aws_wire::{RequestContext, ServiceError};

pub(crate) async fn run(
    service: &EcrService,
    context: &RequestContext,
    input: PutImageScanningConfigurationRequest,
) -> Result<PutImageScanningConfigurationResponse, ServiceError> {
    let found = service.repository(context, input.registry_id.as_deref(), &input.repository_name).await?;
    let scan_on_push = input.image_scanning_configuration.scan_on_push.unwrap_or(false);
    let changed = service.change(&found, |repository| repository.scan_on_push = scan_on_push).await?;
    Ok(PutImageScanningConfigurationResponse {
        registry_id: Some(changed.account.to_string()),
        repository_name: Some(changed.name.clone()),
        image_scanning_configuration: Some(ImageScanningConfiguration {
            scan_on_push: Some(changed.scan_on_push),
        }),
    })
}
