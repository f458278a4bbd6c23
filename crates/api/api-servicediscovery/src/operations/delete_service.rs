//! DeleteService.

use crate::ServiceDiscoveryService;
use crate::errors::{contended, in_use, store};
use crate::lookup::MOST_ATTEMPTS;
use crate::shapes::{DeleteServiceRequest, DeleteServiceResponse};
use aws_wire::{RequestContext, ServiceError};
use resources::discovery::{InstancesChange, ServiceName};
use store::StoreError;

pub(crate) async fn run(
    service: &ServiceDiscoveryService,
    context: &RequestContext,
    input: DeleteServiceRequest,
) -> Result<DeleteServiceResponse, ServiceError> {
    for _ in 0..MOST_ATTEMPTS {
        let found = service.require_service(context, &input.id).await?;
        // Read before its instances: one that is registered meanwhile has written it, and the deletion is refused.
        let change_key = InstancesChange::key_of(&found.account, &found.id);
        let change = service.tables.get::<InstancesChange>(&change_key).await.map_err(store)?;
        if service.count_instances(&found).await? > 0 {
            return Err(in_use(
                "Service contains registered instances; delete the instances before deleting the service",
            ));
        }
        let batch = service.tables.batch().delete(&found);
        let batch = match &change {
            Some(change) => batch.delete(change),
            None => batch.require_absent::<InstancesChange>(&change_key),
        };
        let batch = match service.find_namespace(context, &found.namespace).await? {
            Some(namespace) => {
                let name = found.name_row(&namespace);
                batch.delete_any::<ServiceName>(&resources::Stored::key(&name))
            }
            // Namespaces with services stay, so this is an old loss; the service can go all the same.
            None => batch,
        };
        match batch.commit().await {
            Ok(_) => return Ok(DeleteServiceResponse {}),
            Err(StoreError::Conflict(_)) => {}
            Err(error) => return Err(store(error)),
        }
    }
    Err(contended())
}
