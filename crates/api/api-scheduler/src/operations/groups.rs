//! CreateScheduleGroup, DeleteScheduleGroup, GetScheduleGroup, ListScheduleGroups.

use super::tags;
use crate::SchedulerService;
use crate::errors::{conflict, invalid, quota, store};
use crate::names::group_arn;
use crate::paging::page;
use crate::render;
use crate::shapes::{
    CreateScheduleGroupInput, CreateScheduleGroupOutput, DeleteScheduleGroupInput, DeleteScheduleGroupOutput,
    GetScheduleGroupInput, GetScheduleGroupOutput, ListScheduleGroupsInput, ListScheduleGroupsOutput,
};
use aws_wire::{RequestContext, ServiceError};
use resources::Stored;
use resources::scheduler::{DEFAULT_GROUP, ScheduleGroup};
use store::StoreError;

/// Most groups of an account.
const MOST: usize = 500;

pub(crate) async fn create(
    service: &SchedulerService,
    context: &RequestContext,
    input: CreateScheduleGroupInput,
) -> Result<CreateScheduleGroupOutput, ServiceError> {
    let answer = || CreateScheduleGroupOutput { schedule_group_arn: group_arn(context, &input.name) };
    let exists = || conflict(format!("Schedule group {} already exists.", input.name));
    if input.name == DEFAULT_GROUP {
        return Err(exists());
    }
    if let Some(found) = service.group_row(context, &input.name).await? {
        let repeated = input.client_token.is_some() && found.client_token == input.client_token;
        return if repeated { Ok(answer()) } else { Err(exists()) };
    }
    let prefix = format!("{}/", context.account);
    if service.tables.list_all::<ScheduleGroup>(&prefix).await.map_err(store)?.len() >= MOST {
        return Err(quota("The account has as many schedule groups as it may have."));
    }
    let group = ScheduleGroup {
        account: context.account.clone(),
        name: input.name.clone(),
        tags: tags::read(input.tags.clone().unwrap_or_default(), vec![])?,
        deleting: false,
        client_token: input.client_token.clone(),
        created_at: context.time,
        modified_at: context.time,
    };
    match service.tables.create(group).await {
        Ok(_) => Ok(answer()),
        Err(StoreError::AlreadyExists(_)) => Err(exists()),
        Err(error) => Err(store(error)),
    }
}

/// Marks a group; the controller `schedule` removes its schedules and then the group.
pub(crate) async fn delete(
    service: &SchedulerService,
    context: &RequestContext,
    input: DeleteScheduleGroupInput,
) -> Result<DeleteScheduleGroupOutput, ServiceError> {
    if input.name == DEFAULT_GROUP {
        return Err(invalid("The default schedule group cannot be deleted."));
    }
    service.group(context, &input.name).await?;
    if let Some(old) = service.group_row(context, &input.name).await? {
        let new = ScheduleGroup { deleting: true, modified_at: context.time, ..(*old.value).clone() };
        service.tables.replace(&old, new).await.map_err(store)?;
    }
    Ok(DeleteScheduleGroupOutput::default())
}

pub(crate) async fn get(
    service: &SchedulerService,
    context: &RequestContext,
    input: GetScheduleGroupInput,
) -> Result<GetScheduleGroupOutput, ServiceError> {
    Ok(render::group(context, &service.group(context, &input.name).await?))
}

pub(crate) async fn list(
    service: &SchedulerService,
    context: &RequestContext,
    input: ListScheduleGroupsInput,
) -> Result<ListScheduleGroupsOutput, ServiceError> {
    let rows =
        service.tables.list_all::<ScheduleGroup>(&format!("{}/", context.account)).await.map_err(store)?;
    let mut groups: Vec<ScheduleGroup> = rows.iter().map(|row| (*row.value).clone()).collect();
    if !groups.iter().any(|group| group.name == DEFAULT_GROUP) {
        groups.push(service.group(context, DEFAULT_GROUP).await?);
    }
    groups.sort_by_key(Stored::key);
    let prefix = input.name_prefix.unwrap_or_default();
    let shown = groups.iter().filter(|group| group.name.starts_with(&prefix));
    let shown = shown.map(|group| (group.name.clone(), render::group_summary(context, group))).collect();
    let scope = format!("groups {prefix}");
    let (groups, next_token) = page(shown, input.next_token.as_deref(), input.max_results, &scope)?;
    Ok(ListScheduleGroupsOutput { next_token, schedule_groups: groups })
}
