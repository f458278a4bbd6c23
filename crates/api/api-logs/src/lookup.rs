//! Finds the rows that a request names.

use crate::LogsService;
use crate::errors::{from_store, invalid, no_group, no_stream};
use aws_wire::{RequestContext, ServiceError};
use identifiers::Arn;
use resources::logs::{LogGroup, LogStream};
use store::Versioned;

impl LogsService {
    /// The group called `name`.
    pub(crate) async fn require_group(
        &self,
        context: &RequestContext,
        name: &str,
    ) -> Result<Versioned<LogGroup>, ServiceError> {
        let key = LogGroup::key_of(context.account.as_str(), name);
        self.tables.get(&key).await.map_err(from_store)?.ok_or_else(no_group)
    }

    /// The group that a request names in one of two ways, of which exactly one must be used.
    pub(crate) async fn require_group_of(
        &self,
        context: &RequestContext,
        name: Option<&str>,
        identifier: Option<&str>,
    ) -> Result<Versioned<LogGroup>, ServiceError> {
        match (name, identifier) {
            (Some(_), Some(_)) => {
                Err(invalid("LogGroup name and LogGroup identifier are mutually exclusive parameters."))
            }
            (None, None) => Err(invalid("Exactly one of logGroupName and logGroupIdentifier is required.")),
            (Some(name), None) => self.require_group(context, name).await,
            (None, Some(identifier)) => self.require_group(context, group_name(context, identifier)?).await,
        }
    }

    /// The stream called `name` in a group.
    pub(crate) async fn require_stream(
        &self,
        group: &LogGroup,
        name: &str,
    ) -> Result<Versioned<LogStream>, ServiceError> {
        let key = LogStream::key_of(&group.account, &group.id, name);
        self.tables.get(&key).await.map_err(from_store)?.ok_or_else(no_stream)
    }
}

/// The name in an identifier, which is a name or an ARN of this account and region.
pub fn group_name<'a>(context: &RequestContext, identifier: &'a str) -> Result<&'a str, ServiceError> {
    if !identifier.starts_with("arn:") {
        return Ok(identifier);
    }
    let arn: Arn = identifier.parse().map_err(|_| invalid("The specified ARN is invalid."))?;
    if arn.service != "logs" || !arn.resource.starts_with("log-group:") {
        return Err(invalid("The specified ARN is invalid."));
    }
    if arn.account != context.account.as_str() || arn.region != context.region.as_str() {
        return Err(no_group());
    }
    // The resource is the sixth part of the text, and names hold no colon.
    let name = identifier.splitn(7, ':').nth(6).unwrap_or_default();
    Ok(name.strip_suffix(":*").unwrap_or(name))
}

/// ARN of a group, without the `:*` that some answers add.
pub fn group_arn(context: &RequestContext, name: &str) -> String {
    Arn::new("logs", &context.region, &context.account, format!("log-group:{name}")).to_string()
}
