//! UpdateHttpNamespace, and what the change of every namespace has in common.

use crate::ServiceDiscoveryService;
use crate::errors::{contended, invalid, store};
use crate::lookup::MOST_ATTEMPTS;
use crate::records::operation;
use crate::shapes::{UpdateHttpNamespaceRequest, UpdateHttpNamespaceResponse};
use aws_wire::{RequestContext, ServiceError};
use resources::discovery::{Namespace, OperationKind, TargetKind};
use store::StoreError;

pub(crate) async fn run(
    service: &ServiceDiscoveryService,
    context: &RequestContext,
    input: UpdateHttpNamespaceRequest,
) -> Result<UpdateHttpNamespaceResponse, ServiceError> {
    let edit = |namespace: &mut Namespace| {
        if namespace.has_dns() {
            return Err(invalid(format!("The namespace {} is not an HTTP namespace.", input.id)));
        }
        namespace.description = Some(input.namespace.description.clone()).filter(|text| !text.is_empty());
        Ok(())
    };
    let operation = change(service, context, &input.id, edit).await?;
    Ok(UpdateHttpNamespaceResponse { operation_id: Some(operation) })
}

/// Changes a namespace and answers the id of the operation.
pub(crate) async fn change(
    service: &ServiceDiscoveryService,
    context: &RequestContext,
    given: &str,
    edit: impl Fn(&mut Namespace) -> Result<(), ServiceError>,
) -> Result<String, ServiceError> {
    for _ in 0..MOST_ATTEMPTS {
        let old = service.require_namespace(context, given).await?;
        let mut new = Namespace::clone(&old);
        edit(&mut new)?;
        let targets = [(TargetKind::Namespace, old.id.as_str())];
        let record =
            operation(service.tables.environment(), context, OperationKind::UpdateNamespace, &targets);
        match service.tables.batch().replace(&old, &new).create(&record).commit().await {
            Ok(_) => return Ok(record.id),
            Err(StoreError::Conflict(_)) => {}
            Err(error) => return Err(store(error)),
        }
    }
    Err(contended())
}
