"""Deployments of every kind with real tasks: stages, hooks at an HTTP endpoint, task sets, spare capacity, and a server
that is killed all the time."""

import json
import os
import random
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from botocore.exceptions import ClientError
from conftest import Region
from images import Registry
from services import Services, kill
from waiting import wait_for

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:check"
ROLE = "arn:aws:iam::123456789012:role/hooks"
SLEEP = ["sleep", "3600"]


class Functions:
    """What a function would be: answers by stage, and keeps what it was asked."""

    def __init__(self):
        self.asked, self.answers = [], {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                event = json.loads(self.rfile.read(int(self.headers["content-length"])))
                outer.asked.append(event)
                answers = outer.answers.get(event["lifecycleStage"], [])
                answer = json.dumps(answers.pop(0) if answers else {"hookStatus": "SUCCEEDED"}).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/check"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(scope="module")
def functions():
    functions = Functions()
    yield functions
    functions.close()


@pytest.fixture(scope="module")
def hooked(functions):
    region = Region("--hook", f"{FUNCTION}={functions.url}")
    yield region
    region.close()


@pytest.fixture(scope="module")
def image(hooked):
    hooked.client("ecr").create_repository(repositoryName="deployments")
    Registry(hooked, "deployments").push_image("latest")
    return f"localhost:{hooked.port}/deployments:latest"


@pytest.fixture(scope="module")
def services(hooked, image):
    made = Services(hooked)
    yield made
    made.close()


@pytest.fixture(scope="module")
def definition(services, image):
    return services.register([services.container(image, SLEEP)])


def refused(call, code, **arguments):
    with pytest.raises(ClientError) as error:
        call(**arguments)
    assert error.value.response["Error"]["Code"] == code, error.value
    return error.value.response["Error"]["Message"]


def hook(*stages, **more):
    return {"hookTargetArn": FUNCTION, "roleArn": ROLE, "lifecycleStages": list(stages), **more}


def deployment(services, name):
    [arn] = [d["serviceDeploymentArn"] for d in services.ecs.list_service_deployments(
        cluster=services.cluster, service=name)["serviceDeployments"]][:1]
    return services.ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"][0]


def ended(services, name, status, deadline=60):
    return wait_for(lambda: (d := deployment(services, name))["status"] == status and d,
                    lambda: deployment(services, name), deadline)


def update(services, name, definition, **configuration):
    more = {"deploymentConfiguration": configuration} if configuration else {}
    services.ecs.update_service(cluster=services.cluster, service=name, taskDefinition=definition, **more)


def test_blue_green_asks_its_hooks_and_keeps_both_revisions_until_the_end(services, functions, image, definition):
    functions.asked.clear()
    functions.answers = {"POST_SCALE_UP": [{"hookStatus": "IN_PROGRESS", "callBackDelay": 1, "hookDetails": {"n": 1}}]}
    configuration = {
        "strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0,
        "lifecycleHooks": [hook("PRE_SCALE_UP", "POST_SCALE_UP", "TEST_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT",
                                "POST_PRODUCTION_TRAFFIC_SHIFT", hookDetails={"who": {"am": ["i"]}})],
    }
    made = services.create("green", definition, 2, deploymentConfiguration=configuration)
    shown = made["deploymentConfiguration"]
    assert (shown["strategy"], shown["bakeTimeInMinutes"]) == ("BLUE_GREEN", 0)
    assert shown["lifecycleHooks"][0]["hookDetails"] == {"who": {"am": ["i"]}}
    services.stable("green", 2)
    first = {task["taskArn"] for task in services.running("green")}
    functions.asked.clear()
    functions.answers = {"POST_PRODUCTION_TRAFFIC_SHIFT": [{"hookStatus": "IN_PROGRESS", "callBackDelay": 3}]}
    better = services.register([services.container(image, ["sleep", "7200"])])
    update(services, "green", better)
    both = wait_for(lambda: (d := deployment(services, "green")).get("lifecycleStage") == "POST_PRODUCTION_TRAFFIC_SHIFT"
                    and d, lambda: deployment(services, "green"), 60)
    assert both["status"] == "IN_PROGRESS" and both["lifecycleHookDetails"][0]["status"] == "IN_PROGRESS"
    target, [source] = both["targetServiceRevision"], both["sourceServiceRevisions"]
    assert (target["requestedProductionTrafficWeight"], source["requestedProductionTrafficWeight"]) == (100.0, 0.0)
    assert (target["runningTaskCount"], source["runningTaskCount"]) == (2, 2)
    assert first <= {task["taskArn"] for task in services.running("green")}, "blue is there until the end"
    services.stable("green", 2, better)
    done = ended(services, "green", "SUCCESSFUL")
    assert done["lifecycleStage"] == "CLEAN_UP"
    stages = [event["lifecycleStage"] for event in functions.asked]
    assert stages == ["PRE_SCALE_UP", "POST_SCALE_UP", "TEST_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT",
                      "POST_PRODUCTION_TRAFFIC_SHIFT", "POST_PRODUCTION_TRAFFIC_SHIFT"]
    event = functions.asked[3]
    assert event["resourceArn"] == done["serviceDeploymentArn"] and event["hookDetails"] == {"who": {"am": ["i"]}}
    details = event["executionDetails"]
    assert details["serviceArn"] == services.service("green")["serviceArn"] and details["testTrafficWeights"] == {}
    assert details["targetServiceRevisionArn"] == target["arn"]
    assert details["productionTrafficWeights"] == {target["arn"]: 100, source["arn"]: 0}
    services.delete("green")


def test_a_hook_that_fails_goes_back_without_a_task_of_blue_touched(
        services, functions, image, definition):
    configuration = {"strategy": "CANARY", "bakeTimeInMinutes": 0,
                     "canaryConfiguration": {"canaryPercent": 12.5, "canaryBakeTimeInMinutes": 0}}
    services.create("canary", definition, 2, deploymentConfiguration=configuration)
    services.stable("canary", 2)
    first = {task["taskArn"] for task in services.running("canary")}
    functions.asked.clear()
    functions.answers = {"PRODUCTION_TRAFFIC_SHIFT": [{"hookStatus": "FAILED"}]}
    better = services.register([services.container(image, ["sleep", "7200"])])
    update(services, "canary", better, lifecycleHooks=[hook("PRODUCTION_TRAFFIC_SHIFT")])
    done = ended(services, "canary", "ROLLBACK_SUCCESSFUL")
    assert done["rollback"]["reason"] == "The lifecycle hook returned FAILED."
    shares = [sorted(event["executionDetails"]["productionTrafficWeights"].values()) for event in functions.asked]
    assert shares == [[12.5, 87.5], [0, 100]], "asked for the step and for the way back"
    services.stable("canary", 2, definition)
    assert {task["taskArn"] for task in services.running("canary")} == first
    services.delete("canary")


def test_bad_releases_of_every_kind_are_undone_though_the_good_definition_is_deleted(services, image):
    """Every kind of deployment at once. What would be gone back to is deregistered and deleted in the meantime; it stays
    as long as it is needed, and goes then."""
    ecs, count = services.ecs, 2
    kinds = {"rolling": {"strategy": "ROLLING"}, "blue-green": {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0},
             "canary": {"strategy": "CANARY",
                        "canaryConfiguration": {"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 0}},
             "linear": {"strategy": "LINEAR",
                        "linearConfiguration": {"stepPercent": 50.0, "stepBakeTimeInMinutes": 0}}}
    names = {kind: f"bad-{kind}" for kind in kinds}
    good = services.register([services.container(image, SLEEP)])
    for kind, configuration in kinds.items():
        breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
        services.create(names[kind], good, count, deploymentConfiguration={**configuration, **breaker})
    first = {}
    for name in names.values():
        services.stable(name, count)
        first[name] = {task["taskArn"] for task in services.running(name)}
    assert ecs.deregister_task_definition(taskDefinition=good)["taskDefinition"]["status"] == "INACTIVE"
    deleted = ecs.delete_task_definitions(taskDefinitions=[good])["taskDefinitions"]
    assert [one["status"] for one in deleted] == ["DELETE_IN_PROGRESS"]
    refused(ecs.run_task, "ClientException", cluster=services.cluster, taskDefinition=good,
            networkConfiguration=services.network)
    never = {"command": ["CMD", "false"], "interval": 5, "timeout": 2, "retries": 1, "startPeriod": 0}
    for what, container in {
        "crashes": services.container(image, ["sh", "-c", "exit 3"]),
        "is no program": services.container(image, ["/no-such-program"]),
        "is never healthy": services.container(image, SLEEP, healthCheck=never),
        "cannot be pulled": services.container(image.replace(":latest", ":missing"), SLEEP),
    }.items():
        bad = services.register([container])
        for name in names.values():
            update(services, name, bad)
        for name in names.values():
            done = ended(services, name, "ROLLBACK_SUCCESSFUL", 120)
            assert done["deploymentCircuitBreaker"]["status"] == "TRIGGERED", (what, name)
            services.stable(name, count, good)
            assert {task["taskArn"] for task in services.running(name)} == first[name], f"{what}: a task of {name}"
    # Used by tasks that are killed now, too.
    kill(min(first[names["rolling"]]))
    services.stable(names["rolling"], count, good)
    better = services.register([services.container(image, ["sleep", "7200"])])
    for name in names.values():
        update(services, name, better)
    for name in names.values():
        services.stable(name, count, better)

    def is_gone():
        try:
            return ecs.describe_task_definition(taskDefinition=good)["taskDefinition"]["status"] == "gone"
        except ClientError as error:
            return error.response["Error"]["Code"] == "ClientException"

    wait_for(is_gone, "the task definition that nobody needs any more", 60)
    for name in names.values():
        services.delete(name)


def test_a_pause_waits_for_an_answer_and_a_deployment_is_stopped(services, image, definition):
    configuration = {"strategy": "LINEAR", "bakeTimeInMinutes": 0,
                     "linearConfiguration": {"stepPercent": 50.0, "stepBakeTimeInMinutes": 0},
                     "lifecycleHooks": [{"targetType": "PAUSE", "lifecycleStages": ["POST_SCALE_UP"]}]}
    services.create("linear", definition, 1)
    services.stable("linear", 1)
    better = services.register([services.container(image, ["sleep", "7200"])])

    def paused():
        shown = deployment(services, "linear")
        details = shown.get("lifecycleHookDetails") or []
        return bool(details) and details[0]["status"] == "AWAITING_ACTION" and shown

    for answer, status, after in [("ROLLBACK", "ROLLBACK_SUCCESSFUL", definition), (None, "SUCCESSFUL", better)]:
        update(services, "linear", better, **configuration)
        shown = wait_for(paused, lambda: deployment(services, "linear"), 60)
        arn, run = shown["serviceDeploymentArn"], shown["lifecycleHookDetails"][0]
        assert (run["targetType"], run["timeoutAction"]) == ("PAUSE", "ROLLBACK")
        refused(services.ecs.continue_service_deployment, "InvalidParameterException",
                serviceDeploymentArn=arn, hookId="none")
        more = {"action": answer} if answer else {}
        services.ecs.continue_service_deployment(serviceDeploymentArn=arn, hookId=run["hookId"], **more)
        ended(services, "linear", status)
        services.stable("linear", 1, after)
    update(services, "linear", definition)
    arn = wait_for(paused, lambda: deployment(services, "linear"), 60)["serviceDeploymentArn"]
    services.ecs.stop_service_deployment(serviceDeploymentArn=arn)
    ended(services, "linear", "ROLLBACK_SUCCESSFUL")
    services.stable("linear", 1, better)
    services.delete("linear")


def test_an_alarm_that_goes_off_makes_a_deployment_fail(hooked, services, image, definition):
    cloudwatch = hooked.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="too-hot", Namespace="shop", MetricName="heat", Statistic="Maximum", Period=10, EvaluationPeriods=6,
        DatapointsToAlarm=1, Threshold=30, ComparisonOperator="GreaterThanThreshold", TreatMissingData="ignore")
    alarms = {"alarmNames": ["too-hot", "not-there"], "enable": True, "rollback": True}
    services.create("warm", definition, 1)
    services.stable("warm", 1)
    better = services.register([services.container(image, ["sleep", "7300"])])
    update(services, "warm", better, alarms=alarms)
    assert services.service("warm")["deploymentConfiguration"]["alarms"] == alarms

    # All is done but the waiting for the alarm, and what would come back is still shown.
    def baking():
        [new, *old] = services.service("warm")["deployments"]
        [old_count] = [one["runningCount"] + one["pendingCount"] for one in old]
        return (new["runningCount"], new["rolloutState"], old_count) == (1, "IN_PROGRESS", 0)
    wait_for(baking, lambda: services.service("warm"), 60)
    assert deployment(services, "warm")["alarms"] == {
        "status": "MONITORING", "alarmNames": alarms["alarmNames"], "triggeredAlarmNames": []}
    cloudwatch.put_metric_data(Namespace="shop", MetricData=[
        {"MetricName": "heat", "Value": 50, "StorageResolution": 1}])
    undone = ended(services, "warm", "ROLLBACK_SUCCESSFUL")
    assert undone["alarms"] == {
        "status": "TRIGGERED", "alarmNames": alarms["alarmNames"], "triggeredAlarmNames": ["too-hot"]}
    failed = undone["targetServiceRevision"]["arn"]
    assert undone["rollback"]["serviceRevisionArn"] != failed
    services.stable("warm", 1, definition)
    told = "\n".join(services.events("warm"))
    assert ") deployment failed: alarm detected.\n(service warm) rolling back to deployment ecs-svc/" in told

    # What mends a fault is deployed while the alarm tells of it.
    update(services, "warm", better)
    assert ended(services, "warm", "SUCCESSFUL")["alarms"]["status"] == "DISABLED"
    services.stable("warm", 1, better)

    cloudwatch.put_metric_alarm(
        AlarmName="too-slow", Namespace="shop", MetricName="none", Statistic="Maximum", Period=60, EvaluationPeriods=1,
        Threshold=30, ComparisonOperator="GreaterThanThreshold", TreatMissingData="ignore")
    update(services, "warm", definition, strategy="BLUE_GREEN", bakeTimeInMinutes=5,
           alarms={**alarms, "alarmNames": ["too-slow"]})
    wait_for(lambda: deployment(services, "warm").get("lifecycleStage") == "BAKE_TIME",
             lambda: deployment(services, "warm"), 60)
    cloudwatch.set_alarm_state(AlarmName="too-slow", StateValue="ALARM", StateReason="test")
    assert ended(services, "warm", "ROLLBACK_SUCCESSFUL")["alarms"]["triggeredAlarmNames"] == ["too-slow"]
    services.stable("warm", 1, better)
    services.delete("warm")
    cloudwatch.delete_alarms(AlarmNames=["too-hot", "too-slow"])


def test_what_does_not_go_together_is_refused(services, definition):
    request = dict(cluster=services.cluster, serviceName="e", taskDefinition=definition, desiredCount=0,
                   launchType="FARGATE", networkConfiguration=services.network)
    unknown = {**hook("POST_SCALE_UP"), "hookTargetArn": FUNCTION + "-2"}
    for configuration, code in [
        ({"bakeTimeInMinutes": 5}, "InvalidParameterException"),
        ({"strategy": "BLUE_GREEN", "linearConfiguration": {"stepPercent": 10.0}}, "InvalidParameterException"),
        ({"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 2.0}}, "InvalidParameterException"),
        ({"lifecycleHooks": [hook("POST_SCALE_UP")]}, "InvalidParameterException"),
        ({"strategy": "BLUE_GREEN", "lifecycleHooks": [unknown]}, "InvalidParameterException"),
        ({"alarms": {"alarmNames": [], "enable": True, "rollback": True}}, "InvalidParameterException"),
    ]:
        refused(services.ecs.create_service, code, **request, deploymentConfiguration=configuration)
    refused(services.ecs.create_service, "InvalidParameterException", cluster=services.cluster, serviceName="e",
            desiredCount=0, deploymentController={"type": "EXTERNAL"},
            deploymentConfiguration={"alarms": {"alarmNames": ["a"], "enable": True, "rollback": True}})


def test_task_sets_are_somebody_elses_deployments(hooked, services, image, definition):
    ecs, cluster = services.ecs, services.cluster
    made = ecs.create_service(cluster=cluster, serviceName="outside", desiredCount=4,
                              deploymentController={"type": "EXTERNAL"})["service"]
    assert made["deploymentController"] == {"type": "EXTERNAL"} and made["taskSets"] == [] and made["deployments"] == []
    own = dict(cluster=cluster, service="outside")
    request = dict(own, taskDefinition=definition, launchType="FARGATE", networkConfiguration=services.network)
    first = ecs.create_task_set(**request, externalId="one", clientToken="t")["taskSet"]
    assert ecs.create_task_set(**request, externalId="one", clientToken="t")["taskSet"]["id"] == first["id"]
    assert (first["status"], first["computedDesiredCount"], first["externalId"]) == ("ACTIVE", 4, "one")

    def steady(identity, count):
        def reached():
            [found] = ecs.describe_task_sets(**own, taskSets=[identity])["taskSets"]
            return found["stabilityStatus"] == "STEADY_STATE" and found["runningCount"] == count and found
        return wait_for(reached, lambda: ecs.describe_task_sets(**own), 60)

    steady(first["id"], 4)
    ecs.update_service_primary_task_set(**own, primaryTaskSet=first["id"])
    better = services.register([services.container(image, ["sleep", "7200"])])
    second = ecs.create_task_set(**{**request, "taskDefinition": better},
                                 scale={"value": 30.0, "unit": "PERCENT"})["taskSet"]
    assert second["computedDesiredCount"] == 2
    steady(second["id"], 2)
    assert {task["startedBy"] for task in services.running("outside")} == {first["id"], second["id"]}
    ecs.update_task_set(**own, taskSet=second["taskSetArn"], scale={"value": 100.0, "unit": "PERCENT"})
    steady(second["id"], 4)
    ecs.update_service_primary_task_set(**own, primaryTaskSet=second["id"])
    shown = services.service("outside")
    assert shown["taskDefinition"] == better
    assert sorted(s["status"] for s in shown["taskSets"]) == ["ACTIVE", "PRIMARY"]
    refused(ecs.delete_task_set, "InvalidParameterException", **own, taskSet=first["id"])
    assert ecs.delete_task_set(**own, taskSet=first["id"], force=True)["taskSet"]["status"] == "DRAINING"
    wait_for(lambda: [s["id"] for s in services.service("outside")["taskSets"]] == [second["id"]], "it goes", 60)
    assert {task["startedBy"] for task in services.running("outside")} == {second["id"]}
    refused(ecs.update_task_set, "TaskSetNotFoundException", **own, taskSet=first["id"], scale={"value": 1.0})
    refused(ecs.update_service, "InvalidParameterException", **own, taskDefinition=definition)
    refused(ecs.create_service, "UnsupportedFeatureException", cluster=cluster, serviceName="e", desiredCount=0,
            deploymentController={"type": "CODE_DEPLOY"})
    services.delete("outside")


def test_spare_capacity_is_taken_back_and_the_service_replaces_its_tasks(hooked, services, image, definition):
    ecs, cluster = services.ecs, services.cluster
    spot = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    request = dict(cluster=cluster, serviceName="spot", taskDefinition=definition, desiredCount=2,
                   capacityProviderStrategy=spot, networkConfiguration=services.network)
    refused(ecs.create_service, "InvalidParameterException", **request)
    both = ["FARGATE", "FARGATE_SPOT"]
    changed = ecs.put_cluster_capacity_providers(cluster=cluster, capacityProviders=both,
                                                 defaultCapacityProviderStrategy=spot)["cluster"]
    assert changed["capacityProviders"] == both
    assert changed["defaultCapacityProviderStrategy"][0]["capacityProvider"] == "FARGATE_SPOT"
    del request["capacityProviderStrategy"]
    shown = ecs.create_service(**request)["service"]
    assert shown["capacityProviderStrategy"][0]["capacityProvider"] == "FARGATE_SPOT", "the default of the cluster"
    services.stable("spot", 2)
    refused(ecs.put_cluster_capacity_providers, "ResourceInUseException", cluster=cluster, capacityProviders=["FARGATE"],
            defaultCapacityProviderStrategy=[])
    [alone] = ecs.run_task(cluster=cluster, taskDefinition=definition, networkConfiguration=services.network)["tasks"]
    assert alone["capacityProviderName"] == "FARGATE_SPOT"
    before = {task["taskArn"] for task in services.running("spot")}
    done = hooked.cli("spot", "interrupt", "--service", "spot", "--count", "1")
    assert done.returncode == 0 and "interrupted 1 FARGATE_SPOT" in done.stdout, done
    gone = wait_for(lambda: services.tasks_of("spot", "STOPPED"), "an interrupted task", 30)[0]
    assert (gone["stopCode"], gone["stoppedReason"]) == ("SpotInterruption", "Your Spot Task was interrupted.")
    services.stable("spot", 2)
    assert len({task["taskArn"] for task in services.running("spot")} & before) == 1
    hooked.cli("spot", "interrupt", "--task", alone["taskArn"])
    services.wait(alone["taskArn"], "STOPPED")
    assert services.service("spot")["deployments"][0]["failedTasks"] == 0
    services.delete("spot")
    named = {p["name"]: p["status"] for p in ecs.describe_capacity_providers()["capacityProviders"]}
    assert named == {"FARGATE": "ACTIVE", "FARGATE_SPOT": "ACTIVE"}


def test_account_settings_hold_for_whom_they_are_set(hooked):
    ecs = hooked.client("ecs")
    own = ecs.list_account_settings()["settings"]
    assert own == []
    effective = {}
    for page in ecs.get_paginator("list_account_settings").paginate(effectiveSettings=True):
        effective.update({s["name"]: s["value"] for s in page["settings"]})
    assert effective["serviceLongArnFormat"] == "enabled" and effective["fargateTaskRetirementWaitPeriod"] == "7"
    assert len(effective) == 11
    put = ecs.put_account_setting_default(name="fargateTaskRetirementWaitPeriod", value="14")["setting"]
    assert put["principalArn"].endswith(":root") and put["type"] == "user"
    [found] = ecs.list_account_settings(name="fargateTaskRetirementWaitPeriod", value="14")["settings"]
    assert found["value"] == "14"
    ecs.delete_account_setting(name="fargateTaskRetirementWaitPeriod")
    assert ecs.list_account_settings()["settings"] == []
    refused(ecs.put_account_setting, "InvalidParameterException", name="containerInsights", value="enabled")
    refused(ecs.put_account_setting, "InvalidParameterException", name="guardDutyActivate", value="on")


def test_a_server_that_is_killed_at_any_time_gets_every_deployment_done():
    """As many deployments as a minute has room for; LONGSHORE_DEPLOYMENTS asks for a number."""
    wanted = int(os.environ.get("LONGSHORE_DEPLOYMENTS", "0"))
    seed = int(os.environ.get("LONGSHORE_SEED", time.time_ns() % 1_000_000))
    chance = random.Random(seed)
    region = Region()
    try:
        region.client("ecr").create_repository(repositoryName="killed")
        Registry(region, "killed").push_image("latest")
        image = f"localhost:{region.port}/killed:latest"
        services = Services(region)
        count = 3
        latest = services.register([services.container(image, SLEEP)])
        services.create("killed", latest, count,
                        deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": True}})
        kinds = [{"strategy": "ROLLING"}, {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0},
                 {"strategy": "CANARY", "canaryConfiguration": {"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 0}},
                 {"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 50.0, "stepBakeTimeInMinutes": 0}}]
        began, done = time.monotonic(), 0
        while done < wanted if wanted else time.monotonic() - began < 45:
            latest = services.register([services.container(image, ["sleep", str(3600 + done)])])
            count = chance.randint(1, 4)
            services.ecs.update_service(cluster=services.cluster, service="killed", taskDefinition=latest,
                                        desiredCount=count, deploymentConfiguration=chance.choice(kinds))
            time.sleep(chance.random() * 6)
            region.stop(hard=True)
            region.start()
            done += 1
        services.stable("killed", count, latest, 120)
        running = {task["taskArn"] for task in services.running("killed")}
        of_cluster = services.ecs.list_tasks(cluster=services.cluster, desiredStatus="RUNNING")["taskArns"]
        assert set(of_cluster) == running, f"seed {seed}: an orphan"
        print(f"seed {seed}: killed in {done} deployments")
        services.delete("killed", 120)
    finally:
        region.close()
