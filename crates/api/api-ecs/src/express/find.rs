//! Finding an express service by its ARN.

use crate::arns::own_resource;
use crate::errors::{Failure, invalid};
use crate::shapes::errors;
use aws_wire::{RequestContext, ServiceError};
use resources::ecs::{ExpressService, Service, ServiceStatus};
use store::{Tables, Versioned};

/// An express service with its service.
pub(crate) struct Found {
    pub(crate) service: Versioned<Service>,
    pub(crate) express: Versioned<ExpressService>,
}

/// The key of the service that an ARN names.
fn key(context: &RequestContext, arn: &str) -> Result<String, ServiceError> {
    let own = own_resource(context, arn, "service").filter(|rest| rest.split('/').count() == 2);
    match own {
        Some(rest) => Ok(format!("{}/{rest}", context.account)),
        None => Err(invalid(format!(
            "Invalid identifier: {arn} is not the ARN of a service of this account and region."
        ))),
    }
}

/// The express service with this ARN, whatever its status. A service that is none is refused.
pub(crate) async fn find(
    tables: &Tables,
    context: &RequestContext,
    arn: &str,
) -> Result<Option<Found>, Failure> {
    let key = key(context, arn)?;
    let Some(service) = tables.get::<Service>(&key).await? else { return Ok(None) };
    let express = tables.get::<ExpressService>(&key).await?;
    let express = express.filter(|own| service.express && own.service_created_at == service.created_at);
    match express {
        Some(express) => Ok(Some(Found { service, express })),
        None => Err(invalid(format!("The service {arn} is not an Express Gateway service.")).into()),
    }
}

/// An express service that keeps tasks running.
pub(crate) async fn require_active(
    tables: &Tables,
    context: &RequestContext,
    arn: &str,
) -> Result<Found, Failure> {
    let found = find(tables, context, arn).await?.ok_or_else(crate::errors::service_not_found)?;
    let message = match found.service.status {
        ServiceStatus::Active => return Ok(found),
        ServiceStatus::Inactive if found.express.is_gone => {
            "Cannot perform this operation on a service in INACTIVE status."
        }
        ServiceStatus::Draining | ServiceStatus::Inactive => "Service is in DRAINING status.",
    };
    Err(ServiceError::new(&errors::SERVICE_NOT_ACTIVE_EXCEPTION, message).into())
}
