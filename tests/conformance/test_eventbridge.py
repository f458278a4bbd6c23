"""EventBridge: what happens in the region reaches log groups, HTTP endpoints and tasks through rules."""

import http.server
import json
import threading
import time
import uuid

import pytest
from botocore.exceptions import ClientError
from conftest import Region
from images import Registry
from services import Services
from tasks import Tasks
from waiting import wait_for

OWN = "123456789012"


@pytest.fixture(scope="module")
def server():
    region = Region("--no-host")
    yield region
    region.close()


@pytest.fixture(scope="module")
def image(region):
    region.client("ecr").create_repository(repositoryName="eventful")
    Registry(region, "eventful").push_image("latest")
    return f"localhost:{region.port}/eventful:latest"


def role(region, name, service, *actions):
    """A role that the service may assume and that may do these things."""
    iam = region.client("iam")
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({
        "Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": service}}]}))["Role"]["Arn"]
    allow(region, name, *actions)
    return made


def allow(region, name, *actions):
    region.client("iam").put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps({
        "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]}))


class Group:
    """A log group that EventBridge may write to."""

    def __init__(self, region, allowed=True):
        self.logs = region.client("logs")
        self.name = f"/aws/events/{uuid.uuid4().hex[:8]}"
        self.logs.create_log_group(logGroupName=self.name)
        self.arn = f"arn:aws:logs:us-east-1:{OWN}:log-group:{self.name}"
        if allowed:
            self.logs.put_resource_policy(policyName="events", policyDocument=json.dumps({
                "Version": "2012-10-17", "Statement": [{
                    "Effect": "Allow", "Principal": {"Service": ["events.amazonaws.com", "delivery.logs.amazonaws.com"]},
                    "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                    "Resource": f"arn:aws:logs:us-east-1:{OWN}:log-group:/aws/events/*:*"}]}))

    def lines(self):
        return [event["message"] for event in self.logs.filter_log_events(logGroupName=self.name)["events"]]

    def events(self):
        return [json.loads(line) for line in self.lines()]


def rule(events, pattern, arn, **target):
    name = f"r-{uuid.uuid4().hex[:8]}"
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    answer = events.put_targets(Rule=name, Targets=[{"Id": "t", "Arn": arn, **target}])
    assert answer["FailedEntryCount"] == 0
    return name


def entry(detail, source="my.app"):
    return {"Source": source, "DetailType": "happened", "Detail": json.dumps(detail)}


def test_events_of_ones_own_reach_a_log_group(server):
    events, group = server.client("events"), Group(server)
    rule(events, {"source": ["my.app"], "detail": {"n": [{"numeric": [">", 1]}]}}, group.arn)
    other = rule(events, {"source": ["my.app"]}, group.arn, InputTransformer={
        "InputPathsMap": {"n": "$.detail.n"}, "InputTemplate": '{"number": <n>, "rule": <aws.events.rule-name>}'})
    answer = events.put_events(Entries=[entry({"n": 1}), entry({"n": 2}), entry({}, "aws.ecs")])
    assert answer["FailedEntryCount"] == 1
    assert answer["Entries"][2]["ErrorCode"] == "NotAuthorizedForSourceException"
    wait_for(lambda: len(group.lines()) == 3, lambda: group.lines())
    whole = [event for event in group.events() if "detail" in event]
    assert [event["id"] for event in whole] == [answer["Entries"][1]["EventId"]]
    assert whole[0]["account"] == OWN and whole[0]["detail"] == {"n": 2}
    made = sorted((event["number"], event["rule"]) for event in group.events() if "rule" in event)
    assert made == [(1, other), (2, other)]


def test_the_cli_puts_and_shows_rules(server):
    group = Group(server)
    arn = server.aws("events", "put-rule", "--name", "cli", "--event-pattern", '{"source":["cli.app"]}')["RuleArn"]
    assert arn == f"arn:aws:events:us-east-1:{OWN}:rule/cli"
    server.aws("events", "put-targets", "--rule", "cli", "--targets", f"Id=1,Arn={group.arn}")
    assert server.aws("events", "list-targets-by-rule", "--rule", "cli")["Targets"] == [{"Id": "1", "Arn": group.arn}]
    result = server.aws("events", "test-event-pattern", "--event-pattern", '{"source":[{"prefix":"cli"}]}', "--event", json.dumps({
        "id": "1", "account": OWN, "source": "cli.app", "time": "2024-01-01T00:00:00Z", "region": "us-east-1",
        "resources": [], "detail-type": "x", "detail": {}}))
    assert result["Result"] is True
    server.aws("events", "put-events", "--entries", json.dumps([entry({"a": "b"}, "cli.app")]))
    wait_for(lambda: [event["detail"] for event in group.events()] == [{"a": "b"}], lambda: group.lines())


def test_images_tell_of_themselves(server):
    events, group = server.client("events"), Group(server)
    rule(events, {"source": ["aws.ecr"], "detail": {"action-type": ["PUSH"]}}, group.arn)
    server.client("ecr").create_repository(repositoryName="told/app")
    digest = Registry(server, "told/app").push_image("v1")
    wait_for(lambda: group.lines(), "the event of the push")
    event = group.events()[0]
    assert event["detail-type"] == "ECR Image Action"
    assert (event["detail"]["image-digest"], event["detail"]["image-tag"]) == (digest, "v1")


def test_a_group_without_a_policy_gets_nothing(own_region):
    events, group = own_region.client("events"), Group(own_region, allowed=False)
    rule(events, {"source": ["my.app"]}, group.arn)
    events.put_events(Entries=[entry({})])
    wait_for(lambda: "no resource policy" in own_region.log_text(), lambda: own_region.log_text())
    assert group.lines() == []


def test_what_is_not_there_is_refused(server):
    events = server.client("events")
    name = rule(events, {"source": ["x"]}, Group(server).arn)

    def refused(call, **arguments):
        with pytest.raises(ClientError) as error:
            call(**arguments)
        return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]

    target = {"Id": "1", "Arn": f"arn:aws:lambda:us-east-1:{OWN}:function:f"}
    assert "no targets of this kind of lambda" in refused(events.put_targets, Rule=name, Targets=[target])[1]
    assert refused(events.put_rule, Name="r", EventPattern="{")[0] == "InvalidEventPatternException"
    assert refused(events.delete_rule, Name=name)[0] == "ValidationException"
    assert refused(events.create_archive, ArchiveName="a", EventSourceArn=f"arn:aws:events:us-east-1:{OWN}:event-bus/default"
                   )[0] == "UnknownOperationException"


class Endpoint:
    """An HTTP server that remembers what it got, and answers with these codes before it answers 200."""

    def __init__(self, *codes):
        self.got, codes = [], list(codes)
        got = self.got

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                got.append((self.path, dict(self.headers.items()), json.loads(body)))
                self.send_response(codes.pop(0) if codes else 200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}"

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def destination(region, url, **more):
    events, name = region.client("events"), f"d-{uuid.uuid4().hex[:8]}"
    connection = events.create_connection(Name=name, AuthorizationType="API_KEY", AuthParameters={
        "ApiKeyAuthParameters": {"ApiKeyName": "x-api-key", "ApiKeyValue": "swordfish"},
        "InvocationHttpParameters": {"BodyParameters": [{"Key": "extra", "Value": "yes", "IsValueSecret": True}]}})
    return events.create_api_destination(Name=name, ConnectionArn=connection["ConnectionArn"], InvocationEndpoint=url,
                                         HttpMethod="POST", **more)["ApiDestinationArn"]


def test_an_api_destination_gets_a_post_and_is_tried_again(server):
    events, endpoint = server.client("events"), Endpoint(503)
    try:
        arn = destination(server, endpoint.url + "/hook/*")
        caller = role(server, f"http-{uuid.uuid4().hex[:8]}", "events.amazonaws.com", "events:InvokeApiDestination")
        rule(events, {"source": ["http.app"]}, arn, RoleArn=caller,
             HttpParameters={"PathParameterValues": ["a b"], "QueryStringParameters": {"q": "1"}})
        events.put_events(Entries=[entry({"n": 7}, "http.app")])
        wait_for(lambda: len(endpoint.got) == 2, lambda: endpoint.got)
        for path, headers, body in endpoint.got:
            assert path == "/hook/a%20b?q=1"
            lower = {name.lower(): value for name, value in headers.items()}
            assert lower["x-api-key"] == "swordfish" and lower["user-agent"].startswith("Amazon/EventBridge")
            assert body["detail"] == {"n": 7} and body["extra"] == "yes"
    finally:
        endpoint.close()
    assert "swordfish" not in server.log_text()


def test_a_role_that_may_not_call_calls_nothing(server):
    events, endpoint = server.client("events"), Endpoint()
    try:
        arn = destination(server, endpoint.url)
        name = f"weak-{uuid.uuid4().hex[:8]}"
        rule(events, {"source": ["weak.app"]}, arn, RoleArn=role(server, name, "events.amazonaws.com", "ecs:RunTask"))
        events.put_events(Entries=[entry({}, "weak.app")])
        wait_for(lambda: "events:InvokeApiDestination" in server.log_text(), lambda: server.log_text())
        assert endpoint.got == []
    finally:
        endpoint.close()


def test_accepted_events_survive_kills(own_region):
    events = own_region.client("events")
    endpoint = Endpoint()
    try:
        arn = destination(own_region, endpoint.url)
        caller = role(own_region, "caller", "events.amazonaws.com", "events:InvokeApiDestination")
        rule(events, {"source": ["kill.app"]}, arn, RoleArn=caller)
        accepted = set()
        for round in range(5):
            for index in range(8):
                number = round * 100 + index
                answer = events.put_events(Entries=[entry({"n": number}, "kill.app")])
                assert answer["FailedEntryCount"] == 0
                accepted.add(number)
            own_region.stop(hard=True)
            own_region.start()
        delivered = lambda: {body["detail"]["n"] for _, _, body in endpoint.got}
        wait_for(lambda: delivered() == accepted, lambda: accepted - delivered(), 60)
    finally:
        endpoint.close()


def test_tasks_and_services_tell_of_themselves(region, image):
    events, group, tasks = region.client("events"), Group(region), Services(region)
    name = rule(events, {"source": ["aws.ecs"], "detail": {"clusterArn": [{"suffix": f"cluster/{tasks.cluster}"}]}}, group.arn)
    deployments = rule(events, {"source": ["aws.ecs"], "detail-type": ["ECS Deployment State Change"]}, group.arn)
    definition = tasks.register([tasks.container(image, ["sh", "-c", "exit 3"])])
    task = tasks.run(definition)

    def of(task):
        found = [event for event in group.events() if event["detail"].get("taskArn") == task]
        return sorted(found, key=lambda event: event["detail"]["version"])

    wait_for(lambda: of(task) and of(task)[-1]["detail"]["lastStatus"] == "STOPPED", lambda: of(task), 60)
    statuses = [event["detail"]["lastStatus"] for event in of(task)]
    assert statuses[0] == "PROVISIONING" and "RUNNING" in statuses, statuses
    last = of(task)[-1]
    assert last["detail-type"] == "ECS Task State Change" and last["resources"] == [task]
    assert last["detail"]["stopCode"] == "EssentialContainerExited"
    assert last["detail"]["containers"][0]["exitCode"] == 3
    described = tasks.describe(task)
    assert last["detail"]["version"] == described["version"]
    versions = [event["detail"]["version"] for event in of(task)]
    assert versions == sorted(set(versions)), "each version once"

    tasks.create("web", tasks.register([tasks.container(image, ["sleep", "600"])]), 1)
    tasks.stable("web", 1)
    service = f"arn:aws:ecs:us-east-1:{OWN}:service/{tasks.cluster}/web"

    def names():
        return {event["detail"].get("eventName") for event in group.events() if event["resources"] == [service]}

    expected = {"SERVICE_DEPLOYMENT_IN_PROGRESS", "SERVICE_DEPLOYMENT_COMPLETED", "SERVICE_STEADY_STATE"}
    wait_for(lambda: names() == expected, lambda: names())
    tasks.delete("web")
    for each in (name, deployments):
        events.remove_targets(Rule=each, Ids=["t"])
        events.delete_rule(Name=each)


def test_a_rule_runs_tasks(region, image):
    events, tasks = region.client("events"), Tasks(region)
    definition = tasks.register([tasks.container(image, ["sh", "-c", "echo $WHO"])])
    runner = f"runner-{uuid.uuid4().hex[:8]}"
    cluster = f"arn:aws:ecs:us-east-1:{OWN}:cluster/{tasks.cluster}"
    target = {
        "RoleArn": role(region, runner, "events.amazonaws.com", "ecs:RunTask"),
        "EcsParameters": {"TaskDefinitionArn": definition, "LaunchType": "FARGATE", "NetworkConfiguration": {
            "awsvpcConfiguration": {"Subnets": tasks.network["awsvpcConfiguration"]["subnets"], "AssignPublicIp": "ENABLED"}}},
        "Input": json.dumps({"containerOverrides": [
            {"name": "main", "environment": [{"name": "WHO", "value": "rule"}]}]}),
    }
    name = rule(events, {"source": ["run.app"]}, cluster, **target)

    def arns():
        found = []
        for status in ("RUNNING", "STOPPED"):
            found += tasks.ecs.list_tasks(cluster=tasks.cluster, desiredStatus=status)["taskArns"]
        return found

    # The role may not pass the execution role yet.
    events.put_events(Entries=[entry({}, "run.app")])
    wait_for(lambda: "iam:PassRole" in region.log_text(), lambda: region.log_text())
    assert arns() == []
    allow(region, runner, "ecs:RunTask", "iam:PassRole")
    events.put_events(Entries=[entry({}, "run.app")])
    wait_for(arns, "a task")
    stopped = tasks.wait(arns()[0], "STOPPED")
    assert stopped["startedBy"] == f"events-rule/{name}"
    wait_for(lambda: "rule" in [event["message"].strip() for event in
                                tasks.logs.filter_log_events(logGroupName=tasks.group)["events"]], "the task's line")
    # The call is on record as one of the role.
    trail = region.client("cloudtrail")

    def recorded():
        found = trail.lookup_events(LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "RunTask"}])["Events"]
        return [event for event in found if runner in event["CloudTrailEvent"]]

    wait_for(recorded, "the call on record")
    # The same on a schedule.
    before = len(arns())
    begun = time.monotonic()
    events.put_rule(Name=name, ScheduleExpression="rate(1 minute)")
    wait_for(lambda: len(arns()) == before + 1, lambda: arns(), 80)
    assert time.monotonic() - begun > 55
    events.disable_rule(Name=name)
    assert events.describe_rule(Name=name)["State"] == "DISABLED"
