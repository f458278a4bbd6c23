//! Schedules and groups as the API shows them.

use crate::names::{group_arn, schedule_arn};
use crate::shapes as wire;
use aws_wire::RequestContext;
use environment::Timestamp;
use resources::events::{EcsParameters, Input, Target};
use resources::scheduler::{Schedule, ScheduleGroup};

/// The default group has no time until it has a row.
pub(crate) fn time(time: Timestamp) -> Option<Timestamp> {
    (time != Timestamp::default()).then_some(time)
}

fn group_state(group: &ScheduleGroup) -> wire::ScheduleGroupState {
    if group.deleting { wire::ScheduleGroupState::Deleting } else { wire::ScheduleGroupState::Active }
}

pub(crate) fn group(context: &RequestContext, group: &ScheduleGroup) -> wire::GetScheduleGroupOutput {
    wire::GetScheduleGroupOutput {
        arn: Some(group_arn(context, &group.name)),
        creation_date: time(group.created_at),
        last_modification_date: time(group.modified_at),
        name: Some(group.name.clone()),
        state: Some(group_state(group)),
    }
}

pub(crate) fn group_summary(context: &RequestContext, group: &ScheduleGroup) -> wire::ScheduleGroupSummary {
    wire::ScheduleGroupSummary {
        arn: Some(group_arn(context, &group.name)),
        creation_date: time(group.created_at),
        last_modification_date: time(group.modified_at),
        name: Some(group.name.clone()),
        state: Some(group_state(group)),
    }
}

fn state(schedule: &Schedule) -> wire::ScheduleState {
    if schedule.enabled { wire::ScheduleState::Enabled } else { wire::ScheduleState::Disabled }
}

pub(crate) fn schedule(context: &RequestContext, schedule: &Schedule) -> wire::GetScheduleOutput {
    let window = match schedule.window {
        Some(minutes) => wire::FlexibleTimeWindow {
            maximum_window_in_minutes: i32::try_from(minutes).ok(),
            mode: wire::FlexibleTimeWindowMode::Flexible,
        },
        None => wire::FlexibleTimeWindow {
            maximum_window_in_minutes: None,
            mode: wire::FlexibleTimeWindowMode::Off,
        },
    };
    let delete = schedule.delete_after;
    wire::GetScheduleOutput {
        action_after_completion: Some(if delete {
            wire::ActionAfterCompletion::Delete
        } else {
            wire::ActionAfterCompletion::None
        }),
        arn: Some(schedule_arn(context, &schedule.group, &schedule.name)),
        creation_date: Some(schedule.created_at),
        description: schedule.description.clone(),
        end_date: schedule.end,
        flexible_time_window: Some(window),
        group_name: Some(schedule.group.clone()),
        kms_key_arn: None,
        last_modification_date: Some(schedule.modified_at),
        name: Some(schedule.name.clone()),
        schedule_expression: Some(schedule.expression.clone()),
        schedule_expression_timezone: Some(schedule.zone.clone().unwrap_or_else(|| "UTC".to_owned())),
        start_date: schedule.start,
        state: Some(state(schedule)),
        target: Some(target(&schedule.target)),
    }
}

pub(crate) fn schedule_summary(context: &RequestContext, schedule: &Schedule) -> wire::ScheduleSummary {
    wire::ScheduleSummary {
        arn: Some(schedule_arn(context, &schedule.group, &schedule.name)),
        creation_date: Some(schedule.created_at),
        group_name: Some(schedule.group.clone()),
        last_modification_date: Some(schedule.modified_at),
        name: Some(schedule.name.clone()),
        state: Some(state(schedule)),
        target: Some(wire::TargetSummary { arn: schedule.target.arn.clone() }),
    }
}

fn target(target: &Target) -> wire::Target {
    wire::Target {
        arn: target.arn.clone(),
        ecs_parameters: target.ecs.as_ref().map(ecs),
        event_bridge_parameters: target.event.as_ref().map(|(source, detail_type)| {
            wire::EventBridgeParameters { detail_type: detail_type.clone(), source: source.clone() }
        }),
        input: match &target.input {
            Input::Constant(text) => Some(text.clone()),
            Input::Event | Input::Path(_) | Input::Transformer { .. } => None,
        },
        retry_policy: Some(wire::RetryPolicy {
            maximum_event_age_in_seconds: i32::try_from(target.retry.age).ok(),
            maximum_retry_attempts: i32::try_from(target.retry.attempts).ok(),
        }),
        role_arn: target.role_arn.clone().unwrap_or_default(),
        ..wire::Target::default()
    }
}

fn ecs(ecs: &EcsParameters) -> wire::EcsParameters {
    let network = ecs.network.as_ref().map(|network| wire::NetworkConfiguration {
        awsvpc_configuration: Some(wire::AwsVpcConfiguration {
            assign_public_ip: network.assign_public_ip.as_ref().and_then(|text| text.parse().ok()),
            security_groups: (!network.security_groups.is_empty()).then(|| network.security_groups.clone()),
            subnets: network.subnets.clone(),
        }),
    });
    let strategy = ecs.strategy.iter().map(|item| wire::CapacityProviderStrategyItem {
        base: Some(item.base),
        capacity_provider: item.provider.clone(),
        weight: Some(item.weight),
    });
    let tags = ecs.tags.iter().map(|(key, value)| {
        [("key".to_owned(), key.clone()), ("value".to_owned(), value.clone())].into_iter().collect()
    });
    wire::EcsParameters {
        capacity_provider_strategy: (!ecs.strategy.is_empty()).then(|| strategy.collect()),
        enable_ecs_managed_tags: Some(ecs.managed_tags),
        enable_execute_command: Some(ecs.execute_command),
        group: ecs.group.clone(),
        launch_type: ecs.launch_type.as_ref().and_then(|text| text.parse().ok()),
        network_configuration: network,
        platform_version: ecs.platform_version.clone(),
        propagate_tags: ecs.propagate_tags.then_some(wire::PropagateTags::TaskDefinition),
        reference_id: ecs.reference_id.clone(),
        tags: (!ecs.tags.is_empty()).then(|| tags.collect()),
        task_count: i32::try_from(ecs.count).ok(),
        task_definition_arn: ecs.task_definition_arn.clone(),
        ..wire::EcsParameters::default()
    }
}
