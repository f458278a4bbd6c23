//! GetParameters.

use crate::SsmService;
use crate::operations::get_parameter::get;
use crate::shapes::{GetParametersRequest, GetParametersResult, errors};
use aws_wire::{RequestContext, ServiceError};

pub(crate) async fn run(
    service: &SsmService,
    context: &RequestContext,
    input: GetParametersRequest,
) -> Result<GetParametersResult, ServiceError> {
    let decrypt = input.with_decryption == Some(true);
    let (mut found, mut invalid) = (Vec::new(), Vec::new());
    for (index, name) in input.names.iter().enumerate() {
        if input.names[..index].contains(name) {
            continue;
        }
        match get(service, context, name, decrypt).await {
            Ok(parameter) => found.push(parameter),
            Err(error) if is_missing(&error) => invalid.push(name.clone()),
            Err(error) => return Err(error),
        }
    }
    Ok(GetParametersResult { parameters: Some(found), invalid_parameters: Some(invalid) })
}

fn is_missing(error: &ServiceError) -> bool {
    [&errors::PARAMETER_NOT_FOUND, &errors::PARAMETER_VERSION_NOT_FOUND].contains(&error.shape)
}
