//! GetParameter.

use crate::shapes::{self as wire, GetParameterRequest, GetParameterResult};
use crate::{SsmService, names, reference, render};
use aws_wire::{RequestContext, ServiceError};

pub(crate) async fn run(
    service: &SsmService,
    context: &RequestContext,
    input: GetParameterRequest,
) -> Result<GetParameterResult, ServiceError> {
    let decrypt = input.with_decryption == Some(true);
    Ok(GetParameterResult { parameter: Some(get(service, context, &input.name, decrypt).await?) })
}

/// The parameter, or secret, that a name with or without a selector asks for.
pub(crate) async fn get(
    service: &SsmService,
    context: &RequestContext,
    name: &str,
    decrypt: bool,
) -> Result<wire::Parameter, ServiceError> {
    if let Some(reference) = reference::of(name) {
        return service.referenced(context, reference, decrypt).await;
    }
    let asked = names::asked(context, name)?;
    let (parameter, version) = service.version(context, &asked, name).await?;
    let value = service.shown(&parameter, &version, decrypt)?;
    Ok(render::with_value(&parameter, &version, &asked.selector, value))
}
