//! CreateService.

use crate::ServiceDiscoveryService;
use crate::errors::{contended, invalid, service_exists, store};
use crate::lookup::{MOST_ATTEMPTS, namespace_id, service_arn};
use crate::render;
use crate::shapes::{CreateServiceRequest, CreateServiceResponse, ServiceTypeOption};
use crate::tags::merged;
use crate::validate::{dns_config, health_check, service_name};
use aws_wire::{RequestContext, ServiceError};
use resources::discovery::{CustomHealth, DiscoveryService, Namespace, Tags};
use std::collections::BTreeMap;
use store::StoreError;

pub(crate) async fn run(
    service: &ServiceDiscoveryService,
    context: &RequestContext,
    input: CreateServiceRequest,
) -> Result<CreateServiceResponse, ServiceError> {
    let dns_namespace = input.dns_config.as_ref().and_then(|dns| dns.namespace_id.as_deref());
    let given = match (input.namespace_id.as_deref(), dns_namespace) {
        (Some(own), Some(other)) if namespace_id(context, own) != namespace_id(context, other) => {
            return Err(invalid("NamespaceId and DnsConfig.NamespaceId name different namespaces."));
        }
        (Some(given), _) | (None, Some(given)) => given.to_owned(),
        (None, None) => return Err(invalid("NamespaceId is required.")),
    };
    for _ in 0..MOST_ATTEMPTS {
        let namespace = service.require_namespace(context, &given).await?;
        let new = read(service, context, &namespace, &input)?;
        if let Some(other) = service.service_named(context, &namespace, &new.name).await? {
            // The same request again is answered as the first time.
            if other.creator_request_id.is_none() || other.creator_request_id != new.creator_request_id {
                return Err(service_exists(&other, service_arn(context, &other.id)));
            }
            let instances = service.count_instances(&other).await?;
            return Ok(CreateServiceResponse { service: Some(render::service(context, &other, instances)) });
        }
        // The namespace is written as it is, so that it is not deleted at the same time.
        let batch = service
            .tables
            .batch()
            .replace(&namespace, &namespace)
            .create(&new.name_row(&namespace))
            .create(&new);
        match batch.commit().await {
            Ok(_) => {
                return Ok(CreateServiceResponse { service: Some(render::service(context, &new, 0)) });
            }
            Err(StoreError::Conflict(_)) => {}
            Err(error) => return Err(store(error)),
        }
    }
    Err(contended())
}

fn read(
    service: &ServiceDiscoveryService,
    context: &RequestContext,
    namespace: &Namespace,
    input: &CreateServiceRequest,
) -> Result<DiscoveryService, ServiceError> {
    service_name(namespace, &input.name)?;
    if input.health_check_config.is_some() && input.health_check_custom_config.is_some() {
        return Err(invalid("HealthCheckConfig and HealthCheckCustomConfig cannot be used together."));
    }
    health_check(input.health_check_config.as_ref())?;
    let is_http_only = input.r#type == Some(ServiceTypeOption::Http);
    if input.dns_config.is_some() && !namespace.has_dns() {
        return Err(invalid("DnsConfig cannot be used in an HTTP namespace."));
    }
    if input.dns_config.is_some() && is_http_only {
        return Err(invalid("DnsConfig cannot be used with the type HTTP."));
    }
    let id = resources::discovery::random_id(service.tables.environment(), "srv");
    let tags = merged(input.tags.clone().unwrap_or_default(), Tags::new(), &service_arn(context, &id))?;
    let threshold = |given: i32| u32::try_from(given).ok();
    Ok(DiscoveryService {
        account: context.account.clone(),
        id,
        namespace: namespace.id.clone(),
        name: input.name.clone(),
        description: input.description.clone().filter(|text| !text.is_empty()),
        dns: input.dns_config.clone().map(dns_config).transpose()?,
        is_http_only,
        custom_health: input
            .health_check_custom_config
            .as_ref()
            .map(|custom| CustomHealth { failure_threshold: custom.failure_threshold.and_then(threshold) }),
        attributes: BTreeMap::new(),
        creator_request_id: input.creator_request_id.clone(),
        owner: None,
        tags,
        created_at: context.time,
    })
}
