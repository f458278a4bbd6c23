//! GetSigningConfiguration, PutSigningConfiguration, DeleteSigningConfiguration and DescribeImageSigningStatus.
//!
//! Images are signed by AWS Signer, which no region has. So there never is a configuration, no image is ever signed by
//! one, and putting one is refused. Signatures that clients make, with notation or cosign, are pushed as any artifact.

use crate::EcrService;
use crate::errors::validation;
use crate::shapes::{
    DeleteSigningConfigurationRequest, DeleteSigningConfigurationResponse, DescribeImageSigningStatusRequest,
    DescribeImageSigningStatusResponse, GetSigningConfigurationRequest, GetSigningConfigurationResponse,
    PutSigningConfigurationRequest, PutSigningConfigurationResponse, errors,
};
use aws_wire::{RequestContext, ServiceError};

pub(crate) async fn get_signing_configuration(
    _service: &EcrService,
    context: &RequestContext,
    _input: GetSigningConfigurationRequest,
) -> Result<GetSigningConfigurationResponse, ServiceError> {
    Err(no_configuration(context))
}

pub(crate) async fn put_signing_configuration(
    _service: &EcrService,
    _context: &RequestContext,
    input: PutSigningConfigurationRequest,
) -> Result<PutSigningConfigurationResponse, ServiceError> {
    let configuration = input.signing_configuration;
    if configuration.rules.is_empty() {
        return Ok(PutSigningConfigurationResponse { signing_configuration: Some(configuration) });
    }
    Err(validation("This region has no AWS Signer, so images cannot be signed when they are pushed."))
}

pub(crate) async fn delete_signing_configuration(
    _service: &EcrService,
    context: &RequestContext,
    _input: DeleteSigningConfigurationRequest,
) -> Result<DeleteSigningConfigurationResponse, ServiceError> {
    Err(no_configuration(context))
}

pub(crate) async fn describe_image_signing_status(
    service: &EcrService,
    context: &RequestContext,
    input: DescribeImageSigningStatusRequest,
) -> Result<DescribeImageSigningStatusResponse, ServiceError> {
    let repository =
        service.repository(context, input.registry_id.as_deref(), &input.repository_name).await?;
    service.find_or_fail(&repository, &input.image_id).await?;
    Ok(DescribeImageSigningStatusResponse {
        registry_id: Some(repository.account.to_string()),
        repository_name: Some(repository.name.clone()),
        image_id: Some(input.image_id),
        signing_statuses: Some(vec![]),
    })
}

fn no_configuration(context: &RequestContext) -> ServiceError {
    let text = format!("Signing configuration does not exist in the registry with id '{}'", context.account);
    ServiceError::new(&errors::SIGNING_CONFIGURATION_NOT_FOUND_EXCEPTION, text)
}
