//! Names and ARNs of this service's resources.

use crate::EventsService;
use crate::errors::{invalid, not_found, store};
use aws_wire::{RequestContext, ServiceError};
use identifiers::Arn;
use resources::events::{DEFAULT_BUS, EventBus, Rule};
use store::Versioned;

pub(crate) fn arn(context: &RequestContext, resource: impl Into<String>) -> String {
    Arn::new("events", &context.region, &context.account, resource).to_string()
}

pub(crate) fn bus_arn(context: &RequestContext, name: &str) -> String {
    arn(context, format!("event-bus/{name}"))
}

pub(crate) fn rule_arn(context: &RequestContext, bus: &str, name: &str) -> String {
    let path = if bus == DEFAULT_BUS { name.to_owned() } else { format!("{bus}/{name}") };
    arn(context, format!("rule/{path}"))
}

/// The name of the bus that a request means by a name, an ARN, or nothing.
pub(crate) fn bus_name(context: &RequestContext, given: Option<&str>) -> Result<String, ServiceError> {
    let Some(given) = given else { return Ok(DEFAULT_BUS.to_owned()) };
    if !given.starts_with("arn:") {
        return Ok(given.to_owned());
    }
    match own(context, given, "event-bus") {
        Some(name) => Ok(name),
        None => Err(invalid(format!(
            "Event bus {given} belongs to another account or region, which is not supported."
        ))),
    }
}

/// What follows `kind/` in an ARN of this service, region and account.
pub(crate) fn own(context: &RequestContext, given: &str, kind: &str) -> Option<String> {
    let arn: Arn = given.parse().ok()?;
    let own = arn.service == "events"
        && arn.region == context.region.as_str()
        && arn.account == context.account.as_str();
    let (found, rest) = arn.resource.split_once('/')?;
    (own && found == kind && !rest.is_empty()).then(|| rest.to_owned())
}

impl EventsService {
    /// A bus by its name; the default one always is there.
    pub(crate) async fn bus(&self, context: &RequestContext, name: &str) -> Result<EventBus, ServiceError> {
        let found =
            self.tables().get::<EventBus>(&format!("{}/{name}", context.account)).await.map_err(store)?;
        match found {
            Some(found) => Ok((*found.value).clone()),
            None if name == DEFAULT_BUS => Ok(EventBus {
                account: context.account.clone(),
                name: name.to_owned(),
                description: None,
                tags: vec![],
                created_at: environment::Timestamp::default(),
                modified_at: environment::Timestamp::default(),
            }),
            None => Err(not_found(format!("Event bus {name} does not exist."))),
        }
    }

    /// The rule that a request names.
    pub(crate) async fn rule(
        &self,
        context: &RequestContext,
        bus: Option<&str>,
        name: &str,
    ) -> Result<Versioned<Rule>, ServiceError> {
        let bus = bus_name(context, bus)?;
        self.bus(context, &bus).await?;
        let found =
            self.tables().get::<Rule>(&Rule::key_of(&context.account, &bus, name)).await.map_err(store)?;
        found.ok_or_else(|| not_found(format!("Rule {name} does not exist on EventBus {bus}.")))
    }
}
