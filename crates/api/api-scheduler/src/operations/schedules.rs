//! CreateSchedule, UpdateSchedule, DeleteSchedule, GetSchedule, ListSchedules.

use crate::SchedulerService;
use crate::errors::{conflict, not_found, store};
use crate::names::schedule_arn;
use crate::paging::page;
use crate::read::{self, Given};
use crate::render;
use crate::shapes::{
    CreateScheduleInput, CreateScheduleOutput, DeleteScheduleInput, DeleteScheduleOutput, GetScheduleInput,
    GetScheduleOutput, ListSchedulesInput, ListSchedulesOutput, ScheduleState, UpdateScheduleInput,
    UpdateScheduleOutput,
};
use aws_wire::{RequestContext, ServiceError};
use resources::Stored;
use resources::scheduler::{Schedule, ScheduleGroup};
use store::{Batch, StoreError};

impl SchedulerService {
    /// Demands that a group is there and stays while a schedule is written into it.
    async fn in_group(
        &self,
        context: &RequestContext,
        batch: Batch,
        name: &str,
    ) -> Result<Batch, ServiceError> {
        let group = self.group(context, name).await?;
        if group.deleting {
            return Err(conflict(format!("Schedule group {name} is being deleted.")));
        }
        Ok(match self.group_row(context, name).await? {
            Some(row) => batch.require_unchanged(&row),
            None => batch.require_absent::<ScheduleGroup>(&group.key()),
        })
    }
}

pub(crate) async fn create(
    service: &SchedulerService,
    context: &RequestContext,
    input: CreateScheduleInput,
) -> Result<CreateScheduleOutput, ServiceError> {
    let schedule = read::schedule(
        context,
        Given {
            action_after_completion: input.action_after_completion,
            client_token: input.client_token,
            description: input.description,
            end_date: input.end_date,
            flexible_time_window: input.flexible_time_window,
            group_name: input.group_name,
            kms_key_arn: input.kms_key_arn,
            name: input.name,
            schedule_expression: input.schedule_expression,
            schedule_expression_timezone: input.schedule_expression_timezone,
            start_date: input.start_date,
            state: input.state,
            target: input.target,
        },
    )?;
    let arn = schedule_arn(context, &schedule.group, &schedule.name);
    if let Some(found) = service.tables.get::<Schedule>(&schedule.key()).await.map_err(store)? {
        let repeated = schedule.client_token.is_some() && found.client_token == schedule.client_token;
        return if repeated {
            Ok(CreateScheduleOutput { schedule_arn: arn })
        } else {
            Err(conflict(format!("Schedule {} already exists.", schedule.name)))
        };
    }
    let batch = service.in_group(context, service.tables.batch(), &schedule.group).await?;
    batch.create(&schedule).commit().await.map_err(store)?;
    Ok(CreateScheduleOutput { schedule_arn: arn })
}

pub(crate) async fn update(
    service: &SchedulerService,
    context: &RequestContext,
    input: UpdateScheduleInput,
) -> Result<UpdateScheduleOutput, ServiceError> {
    let new = read::schedule(
        context,
        Given {
            action_after_completion: input.action_after_completion,
            client_token: input.client_token,
            description: input.description,
            end_date: input.end_date,
            flexible_time_window: input.flexible_time_window,
            group_name: input.group_name,
            kms_key_arn: input.kms_key_arn,
            name: input.name,
            schedule_expression: input.schedule_expression,
            schedule_expression_timezone: input.schedule_expression_timezone,
            start_date: input.start_date,
            state: input.state,
            target: input.target,
        },
    )?;
    let arn = schedule_arn(context, &new.group, &new.name);
    // The controller may write the row at the same time.
    let change = |old: &Schedule| {
        let token = old.client_token.clone();
        Ok::<_, StoreError>(Some(Schedule { created_at: old.created_at, client_token: token, ..new.clone() }))
    };
    let found = service.tables.update::<Schedule, StoreError>(&new.key(), change).await.map_err(store)?;
    found.ok_or_else(|| not_found(format!("Schedule {} does not exist.", new.name)))?;
    Ok(UpdateScheduleOutput { schedule_arn: arn })
}

pub(crate) async fn delete(
    service: &SchedulerService,
    context: &RequestContext,
    input: DeleteScheduleInput,
) -> Result<DeleteScheduleOutput, ServiceError> {
    let schedule = service.schedule(context, input.group_name.as_deref(), &input.name).await?;
    service.tables.batch().delete_any::<Schedule>(&schedule.key()).commit().await.map_err(store)?;
    Ok(DeleteScheduleOutput::default())
}

pub(crate) async fn get(
    service: &SchedulerService,
    context: &RequestContext,
    input: GetScheduleInput,
) -> Result<GetScheduleOutput, ServiceError> {
    let schedule = service.schedule(context, input.group_name.as_deref(), &input.name).await?;
    Ok(render::schedule(context, &schedule))
}

pub(crate) async fn list(
    service: &SchedulerService,
    context: &RequestContext,
    input: ListSchedulesInput,
) -> Result<ListSchedulesOutput, ServiceError> {
    let prefix = match &input.group_name {
        Some(group) => {
            service.group(context, group).await?;
            format!("{}/{group}/", context.account)
        }
        None => format!("{}/", context.account),
    };
    let rows = service.tables.list_all::<Schedule>(&prefix).await.map_err(store)?;
    let begins = input.name_prefix.clone().unwrap_or_default();
    let wanted = |row: &Schedule| {
        row.name.starts_with(&begins)
            && input.state.is_none_or(|state| (state == ScheduleState::Enabled) == row.enabled)
    };
    let shown = rows.iter().filter(|row| wanted(row));
    let shown = shown.map(|row| (row.key(), render::schedule_summary(context, row))).collect();
    let scope = format!("schedules {prefix} {begins} {:?}", input.state);
    let (schedules, next_token) = page(shown, input.next_token.as_deref(), input.max_results, &scope)?;
    Ok(ListSchedulesOutput { next_token, schedules })
}
