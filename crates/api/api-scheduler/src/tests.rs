//! Operations over an empty store.

use crate::SchedulerService;
use crate::shapes::*;
use aws_wire::{RequestContext, ServiceError};
use environment::Environment;
use std::net::{IpAddr, Ipv4Addr};
use store::{MemoryStore, Tables};

struct Fixture {
    service: SchedulerService,
    context: RequestContext,
}

fn fixture() -> Fixture {
    let environment = Environment::real();
    let context = RequestContext {
        account: "123456789012".parse().expect("an account"),
        region: "us-east-1".parse().expect("a region"),
        principal_arn: "arn:aws:iam::123456789012:root".into(),
        principal_id: "123456789012".into(),
        request_id: "request".into(),
        source_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        host: "127.0.0.1:4566".into(),
        time: environment.now(),
        extensions: aws_wire::Extensions::new(),
    };
    let tables = Tables::new(MemoryStore::new(environment.clone()), environment);
    Fixture { service: SchedulerService::new(tables), context }
}

fn code<T>(result: Result<T, ServiceError>) -> &'static str {
    result.err().expect("an error").shape.name
}

fn target() -> Target {
    Target {
        arn: "arn:aws:ecs:us-east-1:123456789012:cluster/default".into(),
        role_arn: "arn:aws:iam::123456789012:role/r".into(),
        ecs_parameters: Some(EcsParameters {
            task_definition_arn: "web".into(),
            task_count: Some(2),
            enable_ecs_managed_tags: Some(false),
            enable_execute_command: Some(false),
            tags: Some(vec![
                [("key".to_owned(), "a".to_owned()), ("value".to_owned(), "b".to_owned())].into(),
            ]),
            ..EcsParameters::default()
        }),
        retry_policy: Some(RetryPolicy {
            maximum_event_age_in_seconds: Some(60),
            maximum_retry_attempts: Some(0),
        }),
        ..Target::default()
    }
}

fn input(name: &str) -> CreateScheduleInput {
    CreateScheduleInput {
        name: name.into(),
        schedule_expression: "rate(5 minutes)".into(),
        flexible_time_window: FlexibleTimeWindow {
            mode: FlexibleTimeWindowMode::Off,
            maximum_window_in_minutes: None,
        },
        target: target(),
        ..CreateScheduleInput::default()
    }
}

#[tokio::test]
async fn schedules_come_back_as_they_were_given() {
    let f = fixture();
    let create = CreateScheduleInput { client_token: Some("t".into()), ..input("s") };
    let first = f.service.create_schedule(&f.context, create.clone()).await.expect("creates");
    // The same request again, and another one.
    assert_eq!(f.service.create_schedule(&f.context, create).await.expect("repeats"), first);
    assert_eq!(code(f.service.create_schedule(&f.context, input("s")).await), "ConflictException");
    let get = || GetScheduleInput { name: "s".into(), group_name: None };
    let shown = f.service.get_schedule(&f.context, get()).await.expect("gets");
    assert_eq!(shown.target, Some(target()));
    assert_eq!(shown.schedule_expression_timezone.as_deref(), Some("UTC"));
    let update = UpdateScheduleInput {
        name: "s".into(),
        schedule_expression: "at(2030-01-01T00:00:00)".into(),
        flexible_time_window: FlexibleTimeWindow {
            mode: FlexibleTimeWindowMode::Flexible,
            maximum_window_in_minutes: Some(3),
        },
        target: target(),
        ..UpdateScheduleInput::default()
    };
    f.service.update_schedule(&f.context, update.clone()).await.expect("updates");
    let shown = f.service.get_schedule(&f.context, get()).await.expect("gets");
    assert_eq!(shown.flexible_time_window, Some(update.flexible_time_window.clone()));
    let missing = UpdateScheduleInput { name: "none".into(), ..update };
    assert_eq!(code(f.service.update_schedule(&f.context, missing).await), "ResourceNotFoundException");
    let delete = DeleteScheduleInput { name: "s".into(), ..DeleteScheduleInput::default() };
    f.service.delete_schedule(&f.context, delete).await.expect("deletes");
    assert_eq!(code(f.service.get_schedule(&f.context, get()).await), "ResourceNotFoundException");
}

#[tokio::test]
async fn schedules_that_are_refused() {
    let f = fixture();
    let with = |change: fn(&mut CreateScheduleInput)| {
        let mut changed = input("s");
        change(&mut changed);
        changed
    };
    let cases = [
        with(|i| i.schedule_expression = "rate(1 minutes)".into()),
        with(|i| i.schedule_expression_timezone = Some("Nowhere".into())),
        with(|i| i.kms_key_arn = Some("arn:aws:kms:us-east-1:123456789012:key/a".into())),
        with(|i| i.flexible_time_window.maximum_window_in_minutes = Some(1)),
        with(|i| i.target.arn = "arn:aws:scheduler:::aws-sdk:ecs:runTask".into()),
        with(|i| i.target.arn = "arn:aws:ecs:eu-west-1:123456789012:cluster/default".into()),
        with(|i| i.target.role_arn = "arn:aws:iam::222222222222:role/r".into()),
        with(|i| i.target.ecs_parameters = None),
        with(|i| i.target.dead_letter_config = Some(DeadLetterConfig { arn: Some("x".into()) })),
        with(|i| i.target.input = Some("{".into())),
        with(|i| {
            i.start_date = Some(environment::Timestamp::from_seconds(2));
            i.end_date = Some(environment::Timestamp::from_seconds(1));
        }),
    ];
    for input in cases {
        let text = format!("{input:?}");
        assert_eq!(code(f.service.create_schedule(&f.context, input).await), "ValidationException", "{text}");
    }
    let group = with(|i| i.group_name = Some("none".into()));
    assert_eq!(code(f.service.create_schedule(&f.context, group).await), "ResourceNotFoundException");
}

#[tokio::test]
async fn a_group_that_goes_takes_no_more_schedules() {
    let f = fixture();
    let create = CreateScheduleGroupInput { name: "g".into(), ..CreateScheduleGroupInput::default() };
    f.service.create_schedule_group(&f.context, create.clone()).await.expect("creates");
    assert_eq!(code(f.service.create_schedule_group(&f.context, create).await), "ConflictException");
    let delete = DeleteScheduleGroupInput { name: "g".into(), client_token: None };
    f.service.delete_schedule_group(&f.context, delete).await.expect("deletes");
    let get = GetScheduleGroupInput { name: "g".into() };
    let shown = f.service.get_schedule_group(&f.context, get).await.expect("gets");
    assert_eq!(shown.state, Some(ScheduleGroupState::Deleting));
    let late = CreateScheduleInput { group_name: Some("g".into()), ..input("s") };
    assert_eq!(code(f.service.create_schedule(&f.context, late).await), "ConflictException");
    let default = DeleteScheduleGroupInput { name: "default".into(), client_token: None };
    assert_eq!(code(f.service.delete_schedule_group(&f.context, default).await), "ValidationException");
    let groups =
        f.service.list_schedule_groups(&f.context, ListScheduleGroupsInput::default()).await.expect("lists");
    let names: Vec<_> = groups.schedule_groups.into_iter().filter_map(|group| group.name).collect();
    assert_eq!(names, ["default", "g"]);
}
