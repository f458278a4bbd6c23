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
        self.group(context.account.as_str(), name).await
    }

    async fn group(&self, account: &str, name: &str) -> Result<Versioned<LogGroup>, ServiceError> {
        let key = LogGroup::key_of(account, name);
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
            (None, Some(identifier)) => {
                let (account, name) = named(context, identifier)?;
                self.group(account.unwrap_or(context.account.as_str()), name).await
            }
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
    match named(context, identifier)? {
        (Some(account), _) if account != context.account.as_str() => Err(no_group()),
        (_, name) => Ok(name),
    }
}

/// The account, if it is told, and the name in an identifier, which is a name or an ARN of this region. Whether the
/// caller may see another account's group is decided before an operation runs.
fn named<'a>(
    context: &RequestContext,
    identifier: &'a str,
) -> Result<(Option<&'a str>, &'a str), ServiceError> {
    if !identifier.starts_with("arn:") {
        return Ok((None, identifier));
    }
    let invalid_arn = || invalid("The specified ARN is invalid.");
    let arn: Arn = identifier.parse().map_err(|_| invalid_arn())?;
    // The account is the fifth part of the text, the name the seventh; names hold no colon.
    let mut parts = identifier.splitn(7, ':').skip(4);
    let (Some(account), Some("log-group"), Some(name)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(invalid_arn());
    };
    if arn.service != "logs" {
        return Err(invalid_arn());
    }
    if arn.region != context.region.as_str() {
        return Err(no_group());
    }
    Ok((Some(account), name.strip_suffix(":*").unwrap_or(name)))
}

/// ARN of a group, without the `:*` that some answers add.
pub fn group_arn(context: &RequestContext, name: &str) -> String {
    Arn::new("logs", &context.region, &context.account, format!("log-group:{name}")).to_string()
}
