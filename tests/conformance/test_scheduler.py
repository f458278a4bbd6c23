"""EventBridge Scheduler: schedules that call once, again and again, and over restarts."""

import datetime
import json
import uuid

import pytest
from botocore.exceptions import ClientError
from conftest import Region
from images import Registry
from tasks import Tasks
from test_eventbridge import Group, allow, role, rule
from waiting import wait_for

OWN = "123456789012"
BUS = f"arn:aws:events:us-east-1:{OWN}:event-bus/default"


@pytest.fixture(scope="module")
def server():
    region = Region("--no-host")
    yield region
    region.close()


def at(seconds):
    time = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)
    return f"at({time:%Y-%m-%dT%H:%M:%S})"


def event_target(role_arn, **more):
    return {"Arn": BUS, "RoleArn": role_arn, "Input": json.dumps({"time": "<aws.scheduler.scheduled-time>"}),
            "EventBridgeParameters": {"Source": "my.schedule", "DetailType": "tick"}, **more}


OFF = {"Mode": "OFF"}


def test_a_schedule_puts_an_event_once_and_goes(server):
    scheduler, group = server.client("scheduler"), Group(server)
    rule(server.client("events"), {"source": ["my.schedule"]}, group.arn)
    caller = role(server, f"s-{uuid.uuid4().hex[:8]}", "scheduler.amazonaws.com", "events:PutEvents")
    name, when = f"once-{uuid.uuid4().hex[:8]}", at(3)
    arn = scheduler.create_schedule(Name=name, ScheduleExpression=when, FlexibleTimeWindow=OFF,
                                    ActionAfterCompletion="DELETE", Target=event_target(caller))["ScheduleArn"]
    assert arn == f"arn:aws:scheduler:us-east-1:{OWN}:schedule/default/{name}"
    shown = scheduler.get_schedule(Name=name)
    assert (shown["ScheduleExpression"], shown["State"], shown["ActionAfterCompletion"]) == (when, "ENABLED", "DELETE")
    wait_for(lambda: group.lines(), "the event")
    event = group.events()[0]
    assert event["detail-type"] == "tick" and event["resources"] == [arn]
    assert event["detail"]["time"] == when[3:-1] + "Z"
    with pytest.raises(scheduler.exceptions.ResourceNotFoundException):
        scheduler.get_schedule(Name=name)
    assert len(group.lines()) == 1


def test_a_schedule_that_came_due_while_the_region_was_down_comes_late(own_region):
    scheduler, group = own_region.client("scheduler"), Group(own_region)
    rule(own_region.client("events"), {"source": ["my.schedule"]}, group.arn)
    caller = role(own_region, "s", "scheduler.amazonaws.com", "events:PutEvents")
    scheduler.create_schedule(Name="late", ScheduleExpression=at(4), FlexibleTimeWindow=OFF, Target=event_target(caller))
    due = datetime.datetime.now() + datetime.timedelta(seconds=5)
    own_region.stop(hard=True)
    wait_for(lambda: datetime.datetime.now() > due, "the time passes")
    own_region.start()
    wait_for(lambda: group.lines(), "the event")
    own_region.stop(hard=True)
    own_region.start()
    assert len(group.lines()) == 1


def test_groups_tags_and_lists(server):
    scheduler = server.client("scheduler")
    group = f"g-{uuid.uuid4().hex[:8]}"
    arn = scheduler.create_schedule_group(Name=group, Tags=[{"Key": "a", "Value": "b"}])["ScheduleGroupArn"]
    assert scheduler.list_tags_for_resource(ResourceArn=arn)["Tags"] == [{"Key": "a", "Value": "b"}]
    scheduler.tag_resource(ResourceArn=arn, Tags=[{"Key": "c", "Value": "d"}])
    scheduler.untag_resource(ResourceArn=arn, TagKeys=["a"])
    assert scheduler.list_tags_for_resource(ResourceArn=arn)["Tags"] == [{"Key": "c", "Value": "d"}]
    caller = role(server, f"s-{uuid.uuid4().hex[:8]}", "scheduler.amazonaws.com", "events:PutEvents")
    for index in range(3):
        scheduler.create_schedule(Name=f"s{index}", GroupName=group, ScheduleExpression="cron(0 9 ? * MON-FRI *)",
                                  ScheduleExpressionTimezone="Europe/Zurich", State="DISABLED",
                                  FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5},
                                  Target=event_target(caller))
    pages = scheduler.get_paginator("list_schedules").paginate(GroupName=group, PaginationConfig={"PageSize": 2})
    assert [schedule["Name"] for page in pages for schedule in page["Schedules"]] == ["s0", "s1", "s2"]
    shown = scheduler.get_schedule(Name="s0", GroupName=group)
    assert shown["ScheduleExpressionTimezone"] == "Europe/Zurich" and shown["FlexibleTimeWindow"]["MaximumWindowInMinutes"] == 5
    scheduler.update_schedule(Name="s0", GroupName=group, ScheduleExpression="rate(1 day)", FlexibleTimeWindow=OFF,
                              Target=event_target(caller))
    assert scheduler.get_schedule(Name="s0", GroupName=group)["State"] == "ENABLED"
    scheduler.delete_schedule(Name="s1", GroupName=group)
    scheduler.delete_schedule_group(Name=group)
    wait_for(lambda: group not in [found["Name"] for found in scheduler.list_schedule_groups()["ScheduleGroups"]], "the group goes")
    assert server.aws("scheduler", "get-schedule-group", "--name", "default")["State"] == "ACTIVE"


def test_what_is_refused(server):
    scheduler = server.client("scheduler")
    caller = role(server, f"s-{uuid.uuid4().hex[:8]}", "scheduler.amazonaws.com", "events:PutEvents")

    def refused(**changes):
        arguments = {"Name": "no", "ScheduleExpression": "rate(1 hour)", "FlexibleTimeWindow": OFF,
                     "Target": event_target(caller), **changes}
        with pytest.raises(ClientError) as error:
            scheduler.create_schedule(**arguments)
        response = error.value.response
        return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Message"]

    assert refused(ScheduleExpression="rate(0 hours)")[:2] == ("ValidationException", 400)
    assert refused(ScheduleExpressionTimezone="Mars/Olympus")[0] == "ValidationException"
    assert refused(GroupName="none")[:2] == ("ResourceNotFoundException", 404)
    universal = {"Arn": "arn:aws:scheduler:::aws-sdk:sqs:sendMessage", "RoleArn": caller}
    assert "not supported" in refused(Target=universal)[2]
    scheduler.create_schedule(Name="twice", ScheduleExpression="rate(1 hour)", FlexibleTimeWindow=OFF, Target=event_target(caller))
    assert refused(Name="twice")[:2] == ("ConflictException", 409)


def test_a_schedule_runs_a_task_once(region):
    scheduler, tasks = region.client("scheduler"), Tasks(region)
    region.client("ecr").create_repository(repositoryName="scheduled")
    Registry(region, "scheduled").push_image("latest")
    definition = tasks.register([tasks.container(f"localhost:{region.port}/scheduled:latest", ["true"])])
    runner = f"scheduled-{uuid.uuid4().hex[:8]}"
    caller = role(region, runner, "scheduler.amazonaws.com", "ecs:RunTask", "iam:PassRole")
    name = f"run-{uuid.uuid4().hex[:8]}"
    scheduler.create_schedule(Name=name, ScheduleExpression=at(2), FlexibleTimeWindow=OFF, Target={
        "Arn": f"arn:aws:ecs:us-east-1:{OWN}:cluster/{tasks.cluster}", "RoleArn": caller, "EcsParameters": {
            "TaskDefinitionArn": definition, "LaunchType": "FARGATE", "TaskCount": 1,
            "NetworkConfiguration": {"awsvpcConfiguration": {"Subnets": tasks.network["awsvpcConfiguration"]["subnets"]}}}})

    def arns():
        found = []
        for status in ("RUNNING", "STOPPED"):
            found += tasks.ecs.list_tasks(cluster=tasks.cluster, desiredStatus=status)["taskArns"]
        return found

    wait_for(arns, "a task")
    assert tasks.wait(arns()[0], "STOPPED")["startedBy"] == f"chronos-schedule/{name}"
    assert len(arns()) == 1
