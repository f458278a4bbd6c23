//! TagResource, and what the operations of tags have in common.

use crate::ServiceDiscoveryService;
use crate::errors::{contended, store};
use crate::lookup::{MOST_ATTEMPTS, own_resource};
use crate::shapes::{TagResourceRequest, TagResourceResponse, errors};
use crate::tags::merged;
use aws_wire::{RequestContext, ServiceError};
use resources::discovery::{DiscoveryService, Namespace, Tags};
use store::{StoreError, Versioned};

pub(crate) async fn run(
    service: &ServiceDiscoveryService,
    context: &RequestContext,
    input: TagResourceRequest,
) -> Result<TagResourceResponse, ServiceError> {
    let edit = |tags: &Tags| merged(input.tags.clone(), tags.clone(), &input.resource_arn);
    change(service, context, &input.resource_arn, edit).await?;
    Ok(TagResourceResponse {})
}

/// What has tags.
pub(crate) enum Tagged {
    Namespace(Versioned<Namespace>),
    Service(Versioned<DiscoveryService>),
}

/// What an ARN names.
pub(crate) async fn require(
    service: &ServiceDiscoveryService,
    context: &RequestContext,
    arn: &str,
) -> Result<Tagged, ServiceError> {
    let found = match own_resource(context, arn) {
        Some((kind, id)) if kind == "namespace" => {
            service.find_namespace(context, &id).await?.map(Tagged::Namespace)
        }
        Some((kind, id)) if kind == "service" => {
            service.find_service(context, &id).await?.map(Tagged::Service)
        }
        Some(_) | None => None,
    };
    found.ok_or_else(|| {
        ServiceError::new(&errors::RESOURCE_NOT_FOUND_EXCEPTION, format!("Resource {arn} not found."))
    })
}

/// Changes the tags of what an ARN names.
pub(crate) async fn change(
    service: &ServiceDiscoveryService,
    context: &RequestContext,
    arn: &str,
    edit: impl Fn(&Tags) -> Result<Tags, ServiceError>,
) -> Result<(), ServiceError> {
    for _ in 0..MOST_ATTEMPTS {
        let written = match require(service, context, arn).await? {
            Tagged::Namespace(old) => {
                let new = Namespace { tags: edit(&old.tags)?, ..Namespace::clone(&old) };
                service.tables.replace(&old, new).await.map(|_| ())
            }
            Tagged::Service(old) => {
                let new = DiscoveryService { tags: edit(&old.tags)?, ..DiscoveryService::clone(&old) };
                service.tables.replace(&old, new).await.map(|_| ())
            }
        };
        match written {
            Err(StoreError::Conflict(_)) => {}
            done => return done.map_err(store),
        }
    }
    Err(contended())
}
