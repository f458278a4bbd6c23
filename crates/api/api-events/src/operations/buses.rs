//! CreateEventBus, DeleteEventBus, DescribeEventBus, ListEventBuses, UpdateEventBus.

use super::tags;
use crate::EventsService;
use crate::errors::{exists, invalid, refuse, store};
use crate::names::{bus_arn, bus_name};
use crate::paging::page;
use crate::shapes::{
    self as wire, CreateEventBusRequest, CreateEventBusResponse, DeleteEventBusRequest,
    DescribeEventBusRequest, DescribeEventBusResponse, Level, ListEventBusesRequest, ListEventBusesResponse,
    UpdateEventBusRequest, UpdateEventBusResponse,
};
use aws_wire::{RequestContext, ServiceError};
use environment::Timestamp;
use resources::Stored;
use resources::events::{DEFAULT_BUS, EventBus, Rule};
use store::StoreError;

/// Most buses of an account beside the default one.
const MOST: usize = 100;

/// What no bus of this region has.
fn refuse_extras(
    key: Option<&String>,
    dead_letters: Option<&wire::DeadLetterConfig>,
    log: Option<&wire::LogConfig>,
) -> Result<(), ServiceError> {
    refuse(key.is_some_and(|key| !key.is_empty()), "KmsKeyIdentifier")?;
    refuse(dead_letters.is_some_and(|config| config.arn.is_some()), "DeadLetterConfig")?;
    let logs = log.is_some_and(|log| log.level.is_some_and(|level| level != Level::Off));
    refuse(logs, "LogConfig with a level other than OFF")
}

pub(crate) async fn create(
    service: &EventsService,
    context: &RequestContext,
    input: CreateEventBusRequest,
) -> Result<CreateEventBusResponse, ServiceError> {
    let CreateEventBusRequest {
        dead_letter_config,
        description,
        event_source_name,
        kms_key_identifier,
        log_config,
        name,
        tags,
    } = input;
    refuse(event_source_name.is_some(), "EventSourceName: partner event sources")?;
    refuse_extras(kms_key_identifier.as_ref(), dead_letter_config.as_ref(), log_config.as_ref())?;
    if name.contains('/') {
        return Err(invalid("Event bus name must not contain '/'."));
    }
    if name == DEFAULT_BUS {
        return Err(exists(format!("Event bus {name} already exists.")));
    }
    let prefix = format!("{}/", context.account);
    if service.tables().list_all::<EventBus>(&prefix).await.map_err(store)?.len() >= MOST {
        return Err(crate::errors::limit());
    }
    let bus = EventBus {
        account: context.account.clone(),
        name: name.clone(),
        description: description.clone(),
        tags: tags::read(tags.unwrap_or_default(), vec![])?,
        created_at: context.time,
        modified_at: context.time,
    };
    match service.tables().create(bus).await {
        Ok(_) => Ok(CreateEventBusResponse {
            event_bus_arn: Some(bus_arn(context, &name)),
            description,
            ..CreateEventBusResponse::default()
        }),
        Err(StoreError::AlreadyExists(_)) => Err(exists(format!("Event bus {name} already exists."))),
        Err(error) => Err(store(error)),
    }
}

pub(crate) async fn delete(
    service: &EventsService,
    context: &RequestContext,
    input: DeleteEventBusRequest,
) -> Result<(), ServiceError> {
    if input.name == DEFAULT_BUS {
        return Err(invalid("Cannot delete event bus default."));
    }
    let key = format!("{}/{}", context.account, input.name);
    let Some(bus) = service.tables().get::<EventBus>(&key).await.map_err(store)? else { return Ok(()) };
    let rules = service.tables().list_all::<Rule>(&format!("{key}/")).await.map_err(store)?;
    if !rules.is_empty() {
        return Err(invalid("Event bus can't be deleted since it has rules."));
    }
    service.tables().delete(&bus).await.map_err(store)
}

pub(crate) async fn describe(
    service: &EventsService,
    context: &RequestContext,
    input: DescribeEventBusRequest,
) -> Result<DescribeEventBusResponse, ServiceError> {
    let bus = service.bus(context, &bus_name(context, input.name.as_deref())?).await?;
    Ok(DescribeEventBusResponse {
        arn: Some(bus_arn(context, &bus.name)),
        creation_time: time(bus.created_at),
        description: bus.description,
        last_modified_time: time(bus.modified_at),
        name: Some(bus.name),
        ..DescribeEventBusResponse::default()
    })
}

/// The default bus has no time until something is said about it.
fn time(time: Timestamp) -> Option<Timestamp> {
    (time != Timestamp::default()).then_some(time)
}

pub(crate) async fn list(
    service: &EventsService,
    context: &RequestContext,
    input: ListEventBusesRequest,
) -> Result<ListEventBusesResponse, ServiceError> {
    let prefix = format!("{}/", context.account);
    let rows = service.tables().list_all::<EventBus>(&prefix).await.map_err(store)?;
    let mut buses: Vec<EventBus> = rows.iter().map(|row| (*row.value).clone()).collect();
    if !buses.iter().any(|bus| bus.name == DEFAULT_BUS) {
        buses.push(service.bus(context, DEFAULT_BUS).await?);
    }
    buses.sort_by_key(Stored::key);
    let wanted = input.name_prefix.clone().unwrap_or_default();
    let shown = buses.into_iter().filter(|bus| bus.name.starts_with(&wanted)).map(|bus| {
        let shown = wire::EventBus {
            arn: Some(bus_arn(context, &bus.name)),
            creation_time: time(bus.created_at),
            description: bus.description.clone(),
            last_modified_time: time(bus.modified_at),
            name: Some(bus.name.clone()),
            policy: None,
        };
        (bus.name, shown)
    });
    let scope = format!("buses {wanted}");
    let (buses, next_token) = page(shown.collect(), input.next_token.as_deref(), input.limit, &scope)?;
    Ok(ListEventBusesResponse { event_buses: Some(buses), next_token })
}

pub(crate) async fn update(
    service: &EventsService,
    context: &RequestContext,
    input: UpdateEventBusRequest,
) -> Result<UpdateEventBusResponse, ServiceError> {
    let UpdateEventBusRequest { dead_letter_config, description, kms_key_identifier, log_config, name } =
        input;
    refuse_extras(kms_key_identifier.as_ref(), dead_letter_config.as_ref(), log_config.as_ref())?;
    let name = name.unwrap_or_else(|| DEFAULT_BUS.to_owned());
    let changed = service.change_bus(context, &name, |bus| {
        if let Some(description) = &description {
            bus.description = Some(description.clone());
        }
        Ok(())
    });
    let bus = changed.await?;
    Ok(UpdateEventBusResponse {
        arn: Some(bus_arn(context, &bus.name)),
        description: bus.description,
        name: Some(bus.name),
        ..UpdateEventBusResponse::default()
    })
}

impl EventsService {
    /// Changes a bus; the default one gets its row by it.
    pub(crate) async fn change_bus(
        &self,
        context: &RequestContext,
        name: &str,
        change: impl Fn(&mut EventBus) -> Result<(), ServiceError>,
    ) -> Result<EventBus, ServiceError> {
        let mut bus = self.bus(context, name).await?;
        let old = self.tables().get::<EventBus>(&bus.key()).await.map_err(store)?;
        change(&mut bus)?;
        bus.modified_at = context.time;
        if let Some(old) = old {
            self.tables().replace(&old, bus.clone()).await.map_err(store)?;
        } else {
            bus.created_at = context.time;
            self.tables().create(bus.clone()).await.map_err(store)?;
        }
        Ok(bus)
    }
}
