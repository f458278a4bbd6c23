//! ARNs of this service's resources, and rows by name.

use crate::SchedulerService;
use crate::errors::{not_found, store};
use aws_wire::{RequestContext, ServiceError};
use environment::Timestamp;
use identifiers::Arn;
use resources::scheduler::{DEFAULT_GROUP, Schedule, ScheduleGroup};
use store::Versioned;

pub(crate) fn arn(context: &RequestContext, resource: impl Into<String>) -> String {
    Arn::new("scheduler", &context.region, &context.account, resource).to_string()
}

pub(crate) fn group_arn(context: &RequestContext, name: &str) -> String {
    arn(context, format!("schedule-group/{name}"))
}

pub(crate) fn schedule_arn(context: &RequestContext, group: &str, name: &str) -> String {
    arn(context, format!("schedule/{group}/{name}"))
}

/// The name in the ARN of a group.
pub(crate) fn group_name(context: &RequestContext, given: &str) -> Option<String> {
    let arn: Arn = given.parse().ok()?;
    let own = arn.service == "scheduler"
        && arn.region == context.region.as_str()
        && arn.account == context.account.as_str();
    arn.resource.strip_prefix("schedule-group/").filter(|_| own).map(str::to_owned)
}

impl SchedulerService {
    /// The row of a group, where it has one.
    pub(crate) async fn group_row(
        &self,
        context: &RequestContext,
        name: &str,
    ) -> Result<Option<Versioned<ScheduleGroup>>, ServiceError> {
        self.tables.get::<ScheduleGroup>(&format!("{}/{name}", context.account)).await.map_err(store)
    }

    /// A group; the default one always is there.
    pub(crate) async fn group(
        &self,
        context: &RequestContext,
        name: &str,
    ) -> Result<ScheduleGroup, ServiceError> {
        match self.group_row(context, name).await? {
            Some(found) => Ok((*found.value).clone()),
            None if name == DEFAULT_GROUP => Ok(ScheduleGroup {
                account: context.account.clone(),
                name: name.to_owned(),
                tags: vec![],
                deleting: false,
                client_token: None,
                created_at: Timestamp::default(),
                modified_at: Timestamp::default(),
            }),
            None => Err(not_found(format!("Schedule group {name} does not exist."))),
        }
    }

    /// The schedule that a request names.
    pub(crate) async fn schedule(
        &self,
        context: &RequestContext,
        group: Option<&str>,
        name: &str,
    ) -> Result<Versioned<Schedule>, ServiceError> {
        let group = group.unwrap_or(DEFAULT_GROUP);
        let key = Schedule::key_of(&context.account, group, name);
        let found = self.tables.get::<Schedule>(&key).await.map_err(store)?;
        found.ok_or_else(|| not_found(format!("Schedule {name} does not exist.")))
    }
}
