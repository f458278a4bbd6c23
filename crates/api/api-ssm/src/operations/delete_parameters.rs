//! DeleteParameters.

use crate::SsmService;
use crate::operations::delete_parameter::delete;
use crate::shapes::{DeleteParametersRequest, DeleteParametersResult};
use aws_wire::{RequestContext, ServiceError};

pub(crate) async fn run(
    service: &SsmService,
    context: &RequestContext,
    input: DeleteParametersRequest,
) -> Result<DeleteParametersResult, ServiceError> {
    let (mut deleted, mut invalid) = (Vec::new(), Vec::new());
    for name in input.names {
        if delete(service, context, &name).await? {
            deleted.push(name);
        } else {
            invalid.push(name);
        }
    }
    Ok(DeleteParametersResult { deleted_parameters: Some(deleted), invalid_parameters: Some(invalid) })
}
