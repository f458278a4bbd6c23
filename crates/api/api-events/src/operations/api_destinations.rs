//! CreateApiDestination, UpdateApiDestination, DeleteApiDestination, DescribeApiDestination, ListApiDestinations.

use super::connections::connection_arn;
use crate::EventsService;
use crate::errors::{exists, invalid, not_found, store};
use crate::names::{arn, own};
use crate::paging::page;
use crate::shapes::{
    self as wire, ApiDestinationState, CreateApiDestinationRequest, CreateApiDestinationResponse,
    DeleteApiDestinationRequest, DeleteApiDestinationResponse, DescribeApiDestinationRequest,
    DescribeApiDestinationResponse, ListApiDestinationsRequest, ListApiDestinationsResponse,
    UpdateApiDestinationRequest, UpdateApiDestinationResponse,
};
use aws_wire::{RequestContext, ServiceError};
use resources::events::{ApiDestination, Connection};
use store::{StoreError, Versioned};

/// Calls of a second when the request does not say.
const USUAL_RATE: u32 = 300;

fn destination_arn(context: &RequestContext, destination: &ApiDestination) -> String {
    arn(context, format!("api-destination/{}/{}", destination.name, destination.id))
}

/// A URL that can be called. AWS demands https; inside of one's own machine http is good, too.
fn endpoint(text: String) -> Result<String, ServiceError> {
    let parsed: Option<http::Uri> = text.replace('*', "x").parse().ok();
    let good = parsed.is_some_and(|uri| {
        matches!(uri.scheme_str(), Some("https" | "http"))
            && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
    });
    if good {
        Ok(text)
    } else {
        Err(invalid(
            "Parameter InvocationEndpoint is not valid. Reason: Provided URL is not in a correct format.",
        ))
    }
}

fn rate(given: Option<i32>) -> u32 {
    given.and_then(|rate| u32::try_from(rate).ok()).unwrap_or(USUAL_RATE).max(1)
}

impl EventsService {
    async fn destination(
        &self,
        context: &RequestContext,
        name: &str,
    ) -> Result<Versioned<ApiDestination>, ServiceError> {
        let key = format!("{}/{name}", context.account);
        let found = self.tables().get::<ApiDestination>(&key).await.map_err(store)?;
        found.ok_or_else(|| not_found(format!("An api-destination '{name}' does not exist.")))
    }

    /// The connection of an ARN.
    async fn connection_of(&self, context: &RequestContext, given: &str) -> Result<Connection, ServiceError> {
        let missing = || not_found(format!("Connection '{given}' does not exist."));
        let path = own(context, given, "connection").ok_or_else(missing)?;
        let (name, id) = path.split_once('/').ok_or_else(missing)?;
        let found =
            self.tables().get::<Connection>(&format!("{}/{name}", context.account)).await.map_err(store)?;
        found.filter(|found| found.id == id).map(|found| (*found.value).clone()).ok_or_else(missing)
    }
}

pub(crate) async fn create(
    service: &EventsService,
    context: &RequestContext,
    input: CreateApiDestinationRequest,
) -> Result<CreateApiDestinationResponse, ServiceError> {
    let connection = service.connection_of(context, &input.connection_arn).await?;
    let destination = ApiDestination {
        account: context.account.clone(),
        name: input.name,
        id: service.tables().environment().uuid(),
        description: input.description,
        connection_arn: connection_arn(context, &connection),
        connection: connection.name,
        endpoint: endpoint(input.invocation_endpoint)?,
        method: input.http_method.as_str().to_owned(),
        rate: rate(input.invocation_rate_limit_per_second),
        created_at: context.time,
        modified_at: context.time,
    };
    match service.tables().create(destination.clone()).await {
        Ok(_) => Ok(CreateApiDestinationResponse {
            api_destination_arn: Some(destination_arn(context, &destination)),
            api_destination_state: Some(ApiDestinationState::Active),
            creation_time: Some(destination.created_at),
            last_modified_time: Some(destination.modified_at),
        }),
        Err(StoreError::AlreadyExists(_)) => {
            Err(exists(format!("An api-destination '{}' already exists.", destination.name)))
        }
        Err(error) => Err(store(error)),
    }
}

pub(crate) async fn update(
    service: &EventsService,
    context: &RequestContext,
    input: UpdateApiDestinationRequest,
) -> Result<UpdateApiDestinationResponse, ServiceError> {
    let old = service.destination(context, &input.name).await?;
    let mut new = (*old.value).clone();
    if let Some(given) = &input.connection_arn {
        let connection = service.connection_of(context, given).await?;
        new.connection_arn = connection_arn(context, &connection);
        new.connection = connection.name;
    }
    if let Some(given) = input.invocation_endpoint {
        new.endpoint = endpoint(given)?;
    }
    if let Some(method) = input.http_method {
        method.as_str().clone_into(&mut new.method);
    }
    if input.invocation_rate_limit_per_second.is_some() {
        new.rate = rate(input.invocation_rate_limit_per_second);
    }
    new.description = input.description.or(new.description);
    new.modified_at = context.time;
    service.tables().replace(&old, new.clone()).await.map_err(store)?;
    Ok(UpdateApiDestinationResponse {
        api_destination_arn: Some(destination_arn(context, &new)),
        api_destination_state: Some(ApiDestinationState::Active),
        creation_time: Some(new.created_at),
        last_modified_time: Some(new.modified_at),
    })
}

pub(crate) async fn delete(
    service: &EventsService,
    context: &RequestContext,
    input: DeleteApiDestinationRequest,
) -> Result<DeleteApiDestinationResponse, ServiceError> {
    let destination = service.destination(context, &input.name).await?;
    service.tables().delete(&destination).await.map_err(store)?;
    Ok(DeleteApiDestinationResponse::default())
}

pub(crate) async fn describe(
    service: &EventsService,
    context: &RequestContext,
    input: DescribeApiDestinationRequest,
) -> Result<DescribeApiDestinationResponse, ServiceError> {
    let destination = service.destination(context, &input.name).await?;
    Ok(DescribeApiDestinationResponse {
        api_destination_arn: Some(destination_arn(context, &destination)),
        api_destination_state: Some(ApiDestinationState::Active),
        connection_arn: Some(destination.connection_arn.clone()),
        creation_time: Some(destination.created_at),
        description: destination.description.clone(),
        http_method: destination.method.parse().ok(),
        invocation_endpoint: Some(destination.endpoint.clone()),
        invocation_rate_limit_per_second: i32::try_from(destination.rate).ok(),
        last_modified_time: Some(destination.modified_at),
        name: Some(destination.name.clone()),
    })
}

pub(crate) async fn list(
    service: &EventsService,
    context: &RequestContext,
    input: ListApiDestinationsRequest,
) -> Result<ListApiDestinationsResponse, ServiceError> {
    let rows =
        service.tables().list_all::<ApiDestination>(&format!("{}/", context.account)).await.map_err(store)?;
    let prefix = input.name_prefix.unwrap_or_default();
    let wanted = |row: &ApiDestination| {
        row.name.starts_with(&prefix)
            && input.connection_arn.as_ref().is_none_or(|arn| *arn == row.connection_arn)
    };
    let shown = rows.iter().filter(|row| wanted(row)).map(|row| {
        let shown = wire::ApiDestination {
            api_destination_arn: Some(destination_arn(context, row)),
            api_destination_state: Some(ApiDestinationState::Active),
            connection_arn: Some(row.connection_arn.clone()),
            creation_time: Some(row.created_at),
            http_method: row.method.parse().ok(),
            invocation_endpoint: Some(row.endpoint.clone()),
            invocation_rate_limit_per_second: i32::try_from(row.rate).ok(),
            last_modified_time: Some(row.modified_at),
            name: Some(row.name.clone()),
        };
        (row.name.clone(), shown)
    });
    let scope = format!("destinations {prefix} {}", input.connection_arn.clone().unwrap_or_default());
    let (found, next_token) = page(shown.collect(), input.next_token.as_deref(), input.limit, &scope)?;
    Ok(ListApiDestinationsResponse { api_destinations: Some(found), next_token })
}
