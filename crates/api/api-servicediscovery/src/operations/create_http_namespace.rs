//! CreateHttpNamespace, and what the creation of every namespace has in common.

use crate::ServiceDiscoveryService;
use crate::errors::{contended, namespace_exists, store};
use crate::lookup::{MOST_ATTEMPTS, namespace_arn};
use crate::records::operation;
use crate::shapes::{CreateHttpNamespaceRequest, CreateHttpNamespaceResponse, Tag};
use crate::tags::merged;
use crate::validate::http_name;
use aws_wire::{RequestContext, ServiceError};
use resources::discovery::{Namespace, NamespaceKind, OperationKind, Tags, TargetKind};
use store::StoreError;

/// What a new namespace is asked to be.
pub(crate) struct Wanted {
    pub(crate) name: String,
    pub(crate) kind: NamespaceKind,
    pub(crate) description: Option<String>,
    pub(crate) creator_request_id: Option<String>,
    pub(crate) tags: Option<Vec<Tag>>,
}

pub(crate) async fn run(
    service: &ServiceDiscoveryService,
    context: &RequestContext,
    input: CreateHttpNamespaceRequest,
) -> Result<CreateHttpNamespaceResponse, ServiceError> {
    http_name(&input.name)?;
    let wanted = Wanted {
        name: input.name,
        kind: NamespaceKind::Http,
        description: input.description,
        creator_request_id: input.creator_request_id,
        tags: input.tags,
    };
    let operation = create(service, context, wanted).await?;
    Ok(CreateHttpNamespaceResponse { operation_id: Some(operation) })
}

/// Writes a namespace and answers the id of the operation. The same request again is answered as the first time.
pub(crate) async fn create(
    service: &ServiceDiscoveryService,
    context: &RequestContext,
    wanted: Wanted,
) -> Result<String, ServiceError> {
    let random = service.tables.environment();
    let id = resources::discovery::random_id(random, "ns");
    let record = operation(random, context, OperationKind::CreateNamespace, &[(TargetKind::Namespace, &id)]);
    let tags = merged(wanted.tags.unwrap_or_default(), Tags::new(), &namespace_arn(context, &id))?;
    let namespace = Namespace {
        account: context.account.clone(),
        id,
        name: wanted.name,
        kind: wanted.kind,
        description: wanted.description.filter(|text| !text.is_empty()),
        creator_request_id: wanted.creator_request_id,
        operation: record.id.clone(),
        tags,
        created_at: context.time,
    };
    for _ in 0..MOST_ATTEMPTS {
        if let Some(other) = service.namespace_named(context, &namespace.name).await? {
            let is_again = other.creator_request_id.is_some()
                && other.creator_request_id == namespace.creator_request_id
                && other.name == namespace.name;
            return if is_again { Ok(other.operation.clone()) } else { Err(namespace_exists(&other)) };
        }
        let batch = service.tables.batch().create(&namespace).create(&namespace.name_row()).create(&record);
        match batch.commit().await {
            Ok(_) => return Ok(record.id),
            Err(StoreError::Conflict(_)) => {}
            Err(error) => return Err(store(error)),
        }
    }
    Err(contended())
}
