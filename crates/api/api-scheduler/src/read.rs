//! Schedules from the wire: checked, and refused where this region does not honour them.

use crate::errors::{invalid, refuse};
use crate::shapes as wire;
use aws_wire::{RequestContext, ServiceError};
use environment::Timestamp;
use identifiers::Arn;
use resources::events::{EcsParameters, Input, RetryPolicy, StrategyItem, Target, TaskNetwork};
use resources::scheduler::{DEFAULT_GROUP, Schedule};
use schedule_expressions::{Expression, Zone};
use serde_json::Value;

/// Minutes of a flexible window when the request does not say.
const USUAL_WINDOW: u32 = 15;

/// What CreateSchedule and UpdateSchedule say alike.
pub(crate) struct Given {
    pub(crate) action_after_completion: Option<wire::ActionAfterCompletion>,
    pub(crate) client_token: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) end_date: Option<Timestamp>,
    pub(crate) flexible_time_window: wire::FlexibleTimeWindow,
    pub(crate) group_name: Option<String>,
    pub(crate) kms_key_arn: Option<String>,
    pub(crate) name: String,
    pub(crate) schedule_expression: String,
    pub(crate) schedule_expression_timezone: Option<String>,
    pub(crate) start_date: Option<Timestamp>,
    pub(crate) state: Option<wire::ScheduleState>,
    pub(crate) target: wire::Target,
}

/// A schedule that counts from now on.
pub(crate) fn schedule(context: &RequestContext, given: Given) -> Result<Schedule, ServiceError> {
    refuse(given.kms_key_arn.is_some(), "KmsKeyArn")?;
    if Expression::of_schedule(&given.schedule_expression).is_err() {
        return Err(invalid(format!("Invalid Schedule Expression {}.", given.schedule_expression)));
    }
    if let Some(zone) = &given.schedule_expression_timezone
        && Zone::named(zone).is_none()
    {
        return Err(invalid(format!("Invalid Schedule Expression Timezone {zone}.")));
    }
    if let (Some(start), Some(end)) = (given.start_date, given.end_date)
        && start >= end
    {
        return Err(invalid("The StartDate must be before the EndDate."));
    }
    Ok(Schedule {
        account: context.account.clone(),
        group: given.group_name.unwrap_or_else(|| DEFAULT_GROUP.to_owned()),
        name: given.name,
        expression: given.schedule_expression,
        zone: given.schedule_expression_timezone,
        start: given.start_date,
        end: given.end_date,
        window: window(&given.flexible_time_window)?,
        delete_after: given.action_after_completion == Some(wire::ActionAfterCompletion::Delete),
        enabled: given.state != Some(wire::ScheduleState::Disabled),
        description: given.description,
        target: target(context, given.target)?,
        client_token: given.client_token,
        created_at: context.time,
        modified_at: context.time,
        scheduled_from: context.time,
        fired: None,
    })
}

fn window(given: &wire::FlexibleTimeWindow) -> Result<Option<u32>, ServiceError> {
    let minutes = given.maximum_window_in_minutes.and_then(|minutes| u32::try_from(minutes).ok());
    match (given.mode, minutes) {
        (wire::FlexibleTimeWindowMode::Off, None) => Ok(None),
        (wire::FlexibleTimeWindowMode::Off, Some(_)) => Err(invalid(
            "MaximumWindowInMinutes must not be set when the mode of the FlexibleTimeWindow is OFF.",
        )),
        (wire::FlexibleTimeWindowMode::Flexible, minutes) => Ok(Some(minutes.unwrap_or(USUAL_WINDOW))),
    }
}

fn target(context: &RequestContext, input: wire::Target) -> Result<Target, ServiceError> {
    let wire::Target {
        arn,
        dead_letter_config,
        ecs_parameters,
        event_bridge_parameters,
        input,
        kinesis_parameters,
        retry_policy,
        role_arn,
        sage_maker_pipeline_parameters,
        sqs_parameters,
    } = input;
    refuse(dead_letter_config.is_some_and(|config| config.arn.is_some()), "DeadLetterConfig")?;
    refuse(kinesis_parameters.is_some(), "KinesisParameters")?;
    refuse(sage_maker_pipeline_parameters.is_some(), "SageMakerPipelineParameters")?;
    refuse(sqs_parameters.is_some(), "SqsParameters")?;
    let parsed: Arn =
        arn.parse().map_err(|_| invalid(format!("Provided Arn is not in correct format: {arn}")))?;
    let own = parsed.account == context.account.as_str() && parsed.region == context.region.as_str();
    let is_cluster = parsed.service == "ecs" && parsed.resource.starts_with("cluster/");
    let is_bus = parsed.service == "events" && parsed.resource.starts_with("event-bus/");
    if !is_cluster && !is_bus {
        return Err(invalid(format!(
            "The target {arn} is not supported by this region: it has RunTask of ECS clusters and PutEvents of event buses."
        )));
    }
    refuse(!own, "A target in another account or region")?;
    if parse_role(context, &role_arn).is_none() {
        return Err(invalid(format!("The role {role_arn} is not one of this account.")));
    }
    if is_cluster != ecs_parameters.is_some() {
        return Err(invalid(
            "EcsParameters go with a cluster of ECS as the target, and are required for it.",
        ));
    }
    if is_bus != event_bridge_parameters.is_some() {
        return Err(invalid(
            "EventBridgeParameters go with an event bus as the target, and are required for it.",
        ));
    }
    check_input(is_bus, input.as_deref())?;
    Ok(Target {
        id: "target".to_owned(),
        arn,
        role_arn: Some(role_arn),
        input: input.map_or(Input::Event, Input::Constant),
        ecs: ecs_parameters.map(ecs).transpose()?,
        http: None,
        event: event_bridge_parameters.map(|given| (given.source, given.detail_type)),
        retry: retry(retry_policy.as_ref()),
    })
}

fn parse_role(context: &RequestContext, role: &str) -> Option<Arn> {
    let arn: Arn = role.parse().ok()?;
    (arn.service == "iam" && arn.account == context.account.as_str()).then_some(arn)
}

/// The input is JSON, once what Scheduler fills in is filled in; that of an event is an object.
fn check_input(is_event: bool, input: Option<&str>) -> Result<(), ServiceError> {
    let Some(input) = input else {
        return if is_event {
            Err(invalid("Input is required for an event bus as the target."))
        } else {
            Ok(())
        };
    };
    match serde_json::from_str::<Value>(input) {
        Ok(Value::Object(_)) => Ok(()),
        Ok(_) if !is_event => Ok(()),
        _ => Err(invalid("Invalid RequestPayload: Input is not valid JSON for this target.")),
    }
}

fn retry(given: Option<&wire::RetryPolicy>) -> RetryPolicy {
    let usual = RetryPolicy::default();
    let number = |given: Option<i32>, usual: u32| given.and_then(|n| u32::try_from(n).ok()).unwrap_or(usual);
    RetryPolicy {
        attempts: number(given.and_then(|given| given.maximum_retry_attempts), usual.attempts),
        age: number(given.and_then(|given| given.maximum_event_age_in_seconds), usual.age),
    }
}

fn ecs(input: wire::EcsParameters) -> Result<EcsParameters, ServiceError> {
    let wire::EcsParameters {
        capacity_provider_strategy,
        enable_ecs_managed_tags,
        enable_execute_command,
        group,
        launch_type,
        network_configuration,
        placement_constraints,
        placement_strategy,
        platform_version,
        propagate_tags,
        reference_id,
        tags,
        task_count,
        task_definition_arn,
    } = input;
    refuse(placement_constraints.is_some_and(|list| !list.is_empty()), "EcsParameters.PlacementConstraints")?;
    refuse(placement_strategy.is_some_and(|list| !list.is_empty()), "EcsParameters.PlacementStrategy")?;
    let strategy = capacity_provider_strategy.unwrap_or_default();
    if launch_type.is_some() && !strategy.is_empty() {
        return Err(invalid("Only one of LaunchType and CapacityProviderStrategy may be specified."));
    }
    // Tags come as maps of one pair each: `key` and `value`.
    let tag = |tag: std::collections::BTreeMap<String, String>| {
        Some((tag.get("key")?.clone(), tag.get("value").cloned().unwrap_or_default()))
    };
    let read: Option<Vec<_>> = tags.unwrap_or_default().into_iter().map(tag).collect();
    Ok(EcsParameters {
        task_definition_arn,
        count: task_count.and_then(|count| u32::try_from(count).ok()).unwrap_or(1),
        launch_type: launch_type.map(|kind| kind.as_str().to_owned()),
        network: network_configuration.and_then(|network| network.awsvpc_configuration).map(|vpc| {
            TaskNetwork {
                subnets: vpc.subnets,
                security_groups: vpc.security_groups.unwrap_or_default(),
                assign_public_ip: vpc.assign_public_ip.map(|assign| assign.as_str().to_owned()),
            }
        }),
        platform_version,
        group,
        strategy: strategy
            .into_iter()
            .map(|item| StrategyItem {
                provider: item.capacity_provider,
                weight: item.weight.unwrap_or(0),
                base: item.base.unwrap_or(0),
            })
            .collect(),
        managed_tags: enable_ecs_managed_tags == Some(true),
        execute_command: enable_execute_command == Some(true),
        propagate_tags: propagate_tags.is_some(),
        reference_id,
        tags: read
            .ok_or_else(|| invalid("Every tag of EcsParameters.Tags has the entries key and value."))?,
    })
}
