//! Amazon EventBridge Scheduler: schedule groups and schedules.
//!
//! Operations write rows; the controller `schedule` makes a delivery when a schedule is due, and the controller
//! `event_delivery` calls the target with the schedule's role. Targets are RunTask of ECS and PutEvents of EventBridge;
//! universal targets, queues for dead letters and KMS keys are refused.

mod errors;
mod names;
mod operations;
mod paging;
mod permissions;
mod read;
mod render;
pub mod shapes;
#[cfg(test)]
mod tests;

#[allow(
    clippy::wildcard_imports,
    reason = "the list below names an input and an output for every operation"
)]
use shapes::*;
use store::Tables;

/// The service.
pub struct SchedulerService {
    tables: Tables,
}

impl SchedulerService {
    /// The service over a region's tables.
    pub fn new(tables: Tables) -> Self {
        Self { tables }
    }
}

aws_wire::operations! {
    Scheduler for SchedulerService;
    create_schedule: CreateScheduleInput => CreateScheduleOutput, schedules::create;
    create_schedule_group: CreateScheduleGroupInput => CreateScheduleGroupOutput, groups::create;
    delete_schedule: DeleteScheduleInput => DeleteScheduleOutput, schedules::delete;
    delete_schedule_group: DeleteScheduleGroupInput => DeleteScheduleGroupOutput, groups::delete;
    get_schedule: GetScheduleInput => GetScheduleOutput, schedules::get;
    get_schedule_group: GetScheduleGroupInput => GetScheduleGroupOutput, groups::get;
    list_schedule_groups: ListScheduleGroupsInput => ListScheduleGroupsOutput, groups::list;
    list_schedules: ListSchedulesInput => ListSchedulesOutput, schedules::list;
    list_tags_for_resource: ListTagsForResourceInput => ListTagsForResourceOutput, tags::list;
    tag_resource: TagResourceInput => TagResourceOutput, tags::tag;
    untag_resource: UntagResourceInput => UntagResourceOutput, tags::untag;
    update_schedule: UpdateScheduleInput => UpdateScheduleOutput, schedules::update;
}
