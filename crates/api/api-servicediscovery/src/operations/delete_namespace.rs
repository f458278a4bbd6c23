//! DeleteNamespace.

use crate::ServiceDiscoveryService;
use crate::errors::{contended, in_use, store};
use crate::lookup::MOST_ATTEMPTS;
use crate::records::operation;
use crate::shapes::{DeleteNamespaceRequest, DeleteNamespaceResponse};
use aws_wire::{RequestContext, ServiceError};
use resources::Stored;
use resources::discovery::{NamespaceName, OperationKind, TargetKind};
use store::StoreError;

pub(crate) async fn run(
    service: &ServiceDiscoveryService,
    context: &RequestContext,
    input: DeleteNamespaceRequest,
) -> Result<DeleteNamespaceResponse, ServiceError> {
    for _ in 0..MOST_ATTEMPTS {
        // Whoever makes a service writes its namespace too, so none comes between this look and the deletion.
        let namespace = service.require_namespace(context, &input.id).await?;
        if service.count_services(&namespace).await? > 0 {
            return Err(in_use(
                "Namespace has associated services; delete the services before deleting the namespace",
            ));
        }
        let targets = [(TargetKind::Namespace, namespace.id.as_str())];
        let record =
            operation(service.tables.environment(), context, OperationKind::DeleteNamespace, &targets);
        let batch = service
            .tables
            .batch()
            .delete(&namespace)
            .delete_any::<NamespaceName>(&namespace.name_row().key())
            .create(&record);
        match batch.commit().await {
            Ok(_) => return Ok(DeleteNamespaceResponse { operation_id: Some(record.id) }),
            Err(StoreError::Conflict(_)) => {}
            Err(error) => return Err(store(error)),
        }
    }
    Err(contended())
}
