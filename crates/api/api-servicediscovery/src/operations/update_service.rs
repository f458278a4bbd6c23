//! UpdateService: the description and the TTLs of records. Records and configurations that are left out are deleted, as
//! the API reference says; custom health stays.

use crate::ServiceDiscoveryService;
use crate::errors::{contended, invalid, store};
use crate::lookup::MOST_ATTEMPTS;
use crate::records::operation;
use crate::shapes::{ServiceChange, UpdateServiceRequest, UpdateServiceResponse};
use crate::validate::{dns_records, health_check};
use aws_wire::{RequestContext, ServiceError};
use resources::discovery::{DiscoveryService, DnsConfig, OperationKind, TargetKind};
use store::StoreError;

pub(crate) async fn run(
    service: &ServiceDiscoveryService,
    context: &RequestContext,
    input: UpdateServiceRequest,
) -> Result<UpdateServiceResponse, ServiceError> {
    health_check(input.service.health_check_config.as_ref())?;
    for _ in 0..MOST_ATTEMPTS {
        let old = service.require_service(context, &input.id).await?;
        let new = changed(&old, &input.service)?;
        let targets = [(TargetKind::Service, old.id.as_str())];
        let record = operation(service.tables.environment(), context, OperationKind::UpdateService, &targets);
        match service.tables.batch().replace(&old, &new).create(&record).commit().await {
            Ok(_) => return Ok(UpdateServiceResponse { operation_id: Some(record.id) }),
            Err(StoreError::Conflict(_)) => {}
            Err(error) => return Err(store(error)),
        }
    }
    Err(contended())
}

fn changed(old: &DiscoveryService, change: &ServiceChange) -> Result<DiscoveryService, ServiceError> {
    let mut new = old.clone();
    if let Some(description) = &change.description {
        new.description = Some(description.clone()).filter(|text| !text.is_empty());
    }
    new.dns = match (&old.dns, &change.dns_config) {
        (_, None) => None,
        (None, Some(_)) => {
            return Err(invalid("A service without DnsConfig cannot get one; create a new service."));
        }
        (Some(dns), Some(given)) => {
            let records = dns_records(given.dns_records.clone())?;
            if records.iter().any(|record| old.record(record.kind).is_none()) {
                return Err(invalid(
                    "The types of records cannot be changed; delete the service and create it with a new DnsConfig.",
                ));
            }
            Some(DnsConfig { routing: dns.routing, records })
        }
    };
    Ok(new)
}
