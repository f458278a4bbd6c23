//! ListServicesByNamespace. There are no Cloud Map namespaces, so none is found.

use crate::shapes::{ListServicesByNamespaceRequest, ListServicesByNamespaceResponse, errors};
use aws_wire::{RequestContext, ServiceError};
use store::Tables;

#[expect(clippy::unused_async, reason = "every operation is called alike")]
pub(crate) async fn run(
    _tables: &Tables,
    _context: &RequestContext,
    input: ListServicesByNamespaceRequest,
) -> Result<ListServicesByNamespaceResponse, ServiceError> {
    Err(ServiceError::new(
        &errors::NAMESPACE_NOT_FOUND_EXCEPTION,
        format!("The namespace {} was not found.", input.namespace),
    ))
}
