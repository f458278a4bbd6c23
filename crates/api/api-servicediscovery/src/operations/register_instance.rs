//! RegisterInstance. An instance that is there already is replaced.

use crate::ServiceDiscoveryService;
use crate::errors::{contended, no_namespace, store};
use crate::lookup::MOST_ATTEMPTS;
use crate::records::operation;
use crate::shapes::{RegisterInstanceRequest, RegisterInstanceResponse};
use crate::validate::instance as validate;
use aws_wire::{RequestContext, ServiceError};
use resources::discovery::{ATTRIBUTE_INIT_HEALTH, Instance, OperationKind, TargetKind};
use store::StoreError;

pub(crate) async fn run(
    service: &ServiceDiscoveryService,
    context: &RequestContext,
    input: RegisterInstanceRequest,
) -> Result<RegisterInstanceResponse, ServiceError> {
    for _ in 0..MOST_ATTEMPTS {
        let found = service.require_service(context, &input.service_id).await?;
        let namespace = service.find_namespace(context, &found.namespace).await?;
        let namespace = namespace.ok_or_else(|| no_namespace(&found.namespace))?;
        validate(&found, &namespace, &input.instance_id, &input.attributes)?;
        let key = Instance::key_of(&found.account, &found.id, &input.instance_id);
        let old = service.tables.get::<Instance>(&key).await.map_err(store)?;
        let instance = Instance {
            account: found.account.clone(),
            service: found.id.clone(),
            id: input.instance_id.clone(),
            attributes: input.attributes.clone(),
            creator_request_id: input.creator_request_id.clone(),
            is_healthy: input.attributes.get(ATTRIBUTE_INIT_HEALTH).is_none_or(|given| given == "HEALTHY"),
            // One that ECS registered ends with its task, whatever is said of it meanwhile.
            task: old.as_ref().and_then(|old| old.task.clone()),
            registered_at: context.time,
        };
        let targets =
            [(TargetKind::Service, found.id.as_str()), (TargetKind::Instance, instance.id.as_str())];
        let record =
            operation(service.tables.environment(), context, OperationKind::RegisterInstance, &targets);
        let batch = service.tables.batch().require_exists(&found).put_any(&instance.change()).create(&record);
        let batch = match &old {
            Some(old) => batch.replace(old, &instance),
            None => batch.create(&instance),
        };
        match batch.commit().await {
            Ok(_) => return Ok(RegisterInstanceResponse { operation_id: Some(record.id) }),
            Err(StoreError::Conflict(_)) => {}
            Err(error) => return Err(store(error)),
        }
    }
    Err(contended())
}
