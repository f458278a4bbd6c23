//! CreateConnection, UpdateConnection, DeleteConnection, DescribeConnection, ListConnections.

use crate::EventsService;
use crate::connection::{Given, header, parameters, refuse_extras, shown_parameters};
use crate::errors::{exists, invalid, not_found, store};
use crate::names::arn;
use crate::paging::page;
use crate::shapes::{
    self as wire, ConnectionAuthorizationType as Kind, ConnectionState, CreateConnectionRequest,
    CreateConnectionResponse, DeleteConnectionRequest, DeleteConnectionResponse, DescribeConnectionRequest,
    DescribeConnectionResponse, ListConnectionsRequest, ListConnectionsResponse, UpdateConnectionRequest,
    UpdateConnectionResponse,
};
use aws_wire::{RequestContext, ServiceError};
use resources::events::{ApiDestination, Authorization, Connection};
use resources::sealed::SealedText;
use store::{StoreError, Versioned};
use zeroize::Zeroizing;

pub(crate) fn connection_arn(context: &RequestContext, connection: &Connection) -> String {
    arn(context, format!("connection/{}/{}", connection.name, connection.id))
}

fn kind(connection: &Connection) -> Kind {
    match connection.authorization {
        Authorization::ApiKey { .. } => Kind::ApiKey,
        Authorization::Basic { .. } => Kind::Basic,
    }
}

impl EventsService {
    async fn connection(
        &self,
        context: &RequestContext,
        name: &str,
    ) -> Result<Versioned<Connection>, ServiceError> {
        let found =
            self.tables().get::<Connection>(&format!("{}/{name}", context.account)).await.map_err(store)?;
        found.ok_or_else(|| not_found(format!("Connection '{name}' does not exist.")))
    }
}

fn read(kind: Kind, input: &wire::CreateConnectionAuthRequestParameters) -> Result<Given, ServiceError> {
    let mismatch =
        || invalid(format!("AuthParameters do not go with the authorization type {}.", kind.as_str()));
    match kind {
        Kind::ApiKey => {
            let given = input.api_key_auth_parameters.as_ref().ok_or_else(mismatch)?;
            let name = header(given.api_key_name.clone())?;
            let secret = Zeroizing::new(given.api_key_value.clone());
            Ok(Given { authorization: Authorization::ApiKey { name }, secret })
        }
        Kind::Basic => {
            let given = input.basic_auth_parameters.as_ref().ok_or_else(mismatch)?;
            let secret = Zeroizing::new(given.password.clone());
            Ok(Given { authorization: Authorization::Basic { username: given.username.clone() }, secret })
        }
        Kind::OauthClientCredentials => Err(mismatch()),
    }
}

pub(crate) async fn create(
    service: &EventsService,
    context: &RequestContext,
    input: CreateConnectionRequest,
) -> Result<CreateConnectionResponse, ServiceError> {
    let CreateConnectionRequest {
        auth_parameters,
        authorization_type,
        description,
        invocation_connectivity_parameters,
        kms_key_identifier,
        name,
    } = input;
    let private =
        invocation_connectivity_parameters.is_some() || auth_parameters.connectivity_parameters.is_some();
    refuse_extras(Some(authorization_type), kms_key_identifier.as_ref(), private)?;
    let given = read(authorization_type, &auth_parameters)?;
    let read = parameters(auth_parameters.invocation_http_parameters)?;
    let mut connection = Connection {
        account: context.account.clone(),
        name,
        id: service.tables().environment().uuid(),
        description,
        authorization: given.authorization,
        parameters: read.shown,
        sealed: SealedText::new(String::new()),
        created_at: context.time,
        modified_at: context.time,
        authorized_at: context.time,
    };
    service.seal(&mut connection, &given.secret, &read.secrets)?;
    match service.tables().create(connection.clone()).await {
        Ok(_) => Ok(CreateConnectionResponse {
            connection_arn: Some(connection_arn(context, &connection)),
            connection_state: Some(ConnectionState::Authorized),
            creation_time: Some(connection.created_at),
            last_modified_time: Some(connection.modified_at),
        }),
        Err(StoreError::AlreadyExists(_)) => {
            Err(exists(format!("Connection '{}' already exists.", connection.name)))
        }
        Err(error) => Err(store(error)),
    }
}

pub(crate) async fn update(
    service: &EventsService,
    context: &RequestContext,
    input: UpdateConnectionRequest,
) -> Result<UpdateConnectionResponse, ServiceError> {
    let UpdateConnectionRequest {
        auth_parameters,
        authorization_type,
        description,
        invocation_connectivity_parameters,
        kms_key_identifier,
        name,
    } = input;
    let given = auth_parameters.unwrap_or_default();
    let private = invocation_connectivity_parameters.is_some() || given.connectivity_parameters.is_some();
    let oauth = given.o_auth_parameters.is_some().then_some(Kind::OauthClientCredentials);
    refuse_extras(authorization_type.or(oauth), kms_key_identifier.as_ref(), private)?;
    let old = service.connection(context, &name).await?;
    let mut secrets = service.open(&old)?;
    let mut new = (*old.value).clone();
    let mut secret = if secrets.is_empty() { Zeroizing::default() } else { secrets.remove(0) };
    let changed = changed(authorization_type.unwrap_or(kind(&old)), &old.authorization, &given)?;
    new.authorization = changed.authorization;
    match changed.secret {
        Some(given) => secret = given,
        None if kind(&new) != kind(&old) => {
            return Err(invalid("The new authorization type needs its secret."));
        }
        None => {}
    }
    if given.invocation_http_parameters.is_some() {
        let read = parameters(given.invocation_http_parameters)?;
        (new.parameters, secrets) = (read.shown, read.secrets);
    }
    new.description = description.or(new.description);
    (new.modified_at, new.authorized_at) = (context.time, context.time);
    service.seal(&mut new, &secret, &secrets)?;
    service.tables().replace(&old, new.clone()).await.map_err(store)?;
    Ok(UpdateConnectionResponse {
        connection_arn: Some(connection_arn(context, &new)),
        connection_state: Some(ConnectionState::Authorized),
        creation_time: Some(new.created_at),
        last_authorized_time: Some(new.authorized_at),
        last_modified_time: Some(new.modified_at),
    })
}

/// An authorization after a change of some of it.
struct Changed {
    authorization: Authorization,
    secret: Option<Zeroizing<String>>,
}

fn changed(
    kind: Kind,
    old: &Authorization,
    input: &wire::UpdateConnectionAuthRequestParameters,
) -> Result<Changed, ServiceError> {
    let required =
        |text: Option<String>| text.ok_or_else(|| invalid("The new authorization type needs its name."));
    if kind == Kind::Basic {
        let given = input.basic_auth_parameters.as_ref();
        let own = if let Authorization::Basic { username } = old { Some(username.clone()) } else { None };
        let username = required(given.and_then(|given| given.username.clone()).or(own))?;
        let secret = given.and_then(|given| given.password.clone()).map(Zeroizing::new);
        return Ok(Changed { authorization: Authorization::Basic { username }, secret });
    }
    let given = input.api_key_auth_parameters.as_ref();
    let own = if let Authorization::ApiKey { name } = old { Some(name.clone()) } else { None };
    let name = header(required(given.and_then(|given| given.api_key_name.clone()).or(own))?)?;
    let secret = given.and_then(|given| given.api_key_value.clone()).map(Zeroizing::new);
    Ok(Changed { authorization: Authorization::ApiKey { name }, secret })
}

pub(crate) async fn delete(
    service: &EventsService,
    context: &RequestContext,
    input: DeleteConnectionRequest,
) -> Result<DeleteConnectionResponse, ServiceError> {
    let connection = service.connection(context, &input.name).await?;
    let prefix = format!("{}/", context.account);
    let destinations = service.tables().list_all::<ApiDestination>(&prefix).await.map_err(store)?;
    if destinations.iter().any(|destination| destination.connection == connection.name) {
        return Err(invalid(format!("Connection '{}' is used by API destinations.", connection.name)));
    }
    service.tables().delete(&connection).await.map_err(store)?;
    Ok(DeleteConnectionResponse {
        connection_arn: Some(connection_arn(context, &connection)),
        connection_state: Some(ConnectionState::Deleting),
        creation_time: Some(connection.created_at),
        last_authorized_time: Some(connection.authorized_at),
        last_modified_time: Some(connection.modified_at),
    })
}

pub(crate) async fn describe(
    service: &EventsService,
    context: &RequestContext,
    input: DescribeConnectionRequest,
) -> Result<DescribeConnectionResponse, ServiceError> {
    let connection = service.connection(context, &input.name).await?;
    let mut shown = wire::ConnectionAuthResponseParameters {
        invocation_http_parameters: shown_parameters(&connection),
        ..wire::ConnectionAuthResponseParameters::default()
    };
    match &connection.authorization {
        Authorization::ApiKey { name } => {
            let api_key_name = Some(name.clone());
            shown.api_key_auth_parameters =
                Some(wire::ConnectionApiKeyAuthResponseParameters { api_key_name });
        }
        Authorization::Basic { username } => {
            let username = Some(username.clone());
            shown.basic_auth_parameters = Some(wire::ConnectionBasicAuthResponseParameters { username });
        }
    }
    Ok(DescribeConnectionResponse {
        auth_parameters: Some(shown),
        authorization_type: Some(kind(&connection)),
        connection_arn: Some(connection_arn(context, &connection)),
        connection_state: Some(ConnectionState::Authorized),
        creation_time: Some(connection.created_at),
        description: connection.description.clone(),
        last_authorized_time: Some(connection.authorized_at),
        last_modified_time: Some(connection.modified_at),
        name: Some(connection.name.clone()),
        ..DescribeConnectionResponse::default()
    })
}

pub(crate) async fn list(
    service: &EventsService,
    context: &RequestContext,
    input: ListConnectionsRequest,
) -> Result<ListConnectionsResponse, ServiceError> {
    let rows =
        service.tables().list_all::<Connection>(&format!("{}/", context.account)).await.map_err(store)?;
    let prefix = input.name_prefix.unwrap_or_default();
    // Every connection is authorized from the start.
    let none = input.connection_state.is_some_and(|state| state != ConnectionState::Authorized);
    let rows = rows.iter().filter(|row| !none && row.name.starts_with(&prefix));
    let shown = rows.map(|row| {
        let shown = wire::Connection {
            authorization_type: Some(kind(row)),
            connection_arn: Some(connection_arn(context, row)),
            connection_state: Some(ConnectionState::Authorized),
            creation_time: Some(row.created_at),
            last_authorized_time: Some(row.authorized_at),
            last_modified_time: Some(row.modified_at),
            name: Some(row.name.clone()),
            state_reason: None,
        };
        (row.name.clone(), shown)
    });
    let scope = format!("connections {prefix} {none}");
    let (connections, next_token) = page(shown.collect(), input.next_token.as_deref(), input.limit, &scope)?;
    Ok(ListConnectionsResponse { connections: Some(connections), next_token })
}
