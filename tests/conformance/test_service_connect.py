"""Service Connect: a client reaches the tasks of other services by names, whatever becomes of the tasks and of the region."""

import datetime
import json
import os
import re
import signal
import uuid
from pathlib import Path

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from conftest import free_port
from images import Registry
from leftovers import leaves_nothing, plan, process_ids, read
from load_balancers import Balancers, forward, get, web
from services import Services, kill
from waiting import wait_for

# What counts is whether each request is answered; the pause keeps the log short.
ASK = ("n=0; while :; do n=$((n+1)); for url in backend:8080 raw.inside:9100; do "
       "busybox wget -q -O - http://$url/ > /tmp/$$ 2>&1 && echo \"$n $url $(cat /tmp/$$)\" || echo \"$n $url failed $(cat /tmp/$$)\"; "
       "done; sleep 0.05; done")

# Two clients that ask all the time: as everybody, and with the header of test traffic.
SHIFTING = ("ask() { n=0; while :; do n=$((n+1)); for kind in plain test; do header='X-Test: no'; [ $kind = test ] && header='X-Test: green'; "
            "page=$(busybox wget -q -O - --header \"$header\" http://backend:8080/ 2>&1) && echo \"$n $kind $page\" || "
            "echo \"$n $kind failed $page\"; done; sleep 0.05; done; }; ask & ask & wait")
TESTED = [{"portName": "web", "clientAliases": [{"port": 8080, "dnsName": "backend", "testTrafficRules": {
    "header": {"name": "X-Test", "value": {"exact": "green"}}}}]}]


class Connected(Services):
    """Services of a cluster with a namespace of its own."""

    def __init__(self, region):
        super().__init__(region)
        self.namespace = f"ns-{uuid.uuid4().hex[:8]}"
        self.map = region.client("servicediscovery", config=Config(retries={"max_attempts": 1}, inject_host_prefix=False))
        region.client("ecr").create_repository(repositoryName="connect")
        Registry(region, "connect").push_image("latest")
        self.image = f"localhost:{region.port}/connect:latest"

    def backend(self, **more):
        ports = [{"name": "web", "containerPort": 80, "appProtocol": "http"}, {"name": "raw", "containerPort": 81}]
        server = web("page", 80, more="busybox httpd -p 81 -h /www;")
        return self.register([self.container(self.image, server, portMappings=ports, **more)])

    def page(self, text, **more):
        ports = [{"name": "web", "containerPort": 80, "appProtocol": "http"}]
        return self.register([self.container(self.image, web(text, 80), portMappings=ports, **more)])

    def shift(self, name, definition, *stages, **configuration):
        """Deploys, and pauses in these stages."""
        hooks = [{"targetType": "PAUSE", "lifecycleStages": list(stages)}] if stages else []
        self.ecs.update_service(cluster=self.cluster, service=name, taskDefinition=definition,
                                deploymentConfiguration={"lifecycleHooks": hooks, **configuration})

    def deployment(self, name):
        arn = self.ecs.list_service_deployments(cluster=self.cluster, service=name)["serviceDeployments"][0]["serviceDeploymentArn"]
        return self.ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"][0]

    def paused(self, name, stage):
        """Waits until the deployment waits in a stage; returns what lets it go on."""
        def waits():
            shown = self.deployment(name)
            runs = shown.get("lifecycleHookDetails") or []
            return shown.get("lifecycleStage") == stage and runs and runs[0]["status"] == "AWAITING_ACTION" and (shown, runs[0])
        shown, run = wait_for(waits, lambda: f"{stage}: {self.deployment(name)}", 90)
        return lambda **more: self.ecs.continue_service_deployment(
            serviceDeploymentArn=shown["serviceDeploymentArn"], hookId=run["hookId"], **more)

    def ended(self, name, status):
        wait_for(lambda: self.deployment(name)["status"] == status, lambda: f"{status}: {self.deployment(name)}", 120)

    def connect(self, *offered, **more):
        return {"serviceConnectConfiguration": {"enabled": True, "services": list(offered), **more}}

    def found(self, name):
        answer = self.map.discover_instances(NamespaceName=self.namespace, ServiceName=name)
        return {one["InstanceId"] for one in answer["Instances"] if one["HealthStatus"] == "HEALTHY"}

    def names(self):
        return {own["Name"] for own in self.map.list_services()["Services"]}

    def total(self, metric, **dimensions):
        now = datetime.datetime.now(datetime.timezone.utc)
        answer = self.region.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/ECS", MetricName=metric, Dimensions=[{"Name": key, "Value": own} for key, own in dimensions.items()],
            StartTime=now - datetime.timedelta(minutes=15), EndTime=now + datetime.timedelta(minutes=1), Period=60,
            Statistics=["Sum"])
        return sum(point["Sum"] for point in answer["Datapoints"])


def proxies(region):
    found = [(pid, read(f"/proc/{pid}/cmdline")) for pid in process_ids()]
    return [pid for pid, command in found if "--network-namespace" in command and region.data_dir in command]


@pytest.fixture
def connected(own_region):
    wait_for(lambda: plan(own_region), "the host")
    return Connected(own_region)


def ids(tasks):
    return {task["taskArn"].rsplit("/", 1)[1] for task in tasks}


def test_names_of_services_lead_to_their_tasks(own_region, connected):
    region, own = own_region, connected
    shown = own.ecs.update_cluster(cluster=own.cluster, serviceConnectDefaults={"namespace": own.namespace})["cluster"]
    namespace = shown["serviceConnectDefaults"]["namespace"]
    assert own.map.get_namespace(Id=namespace.rsplit("/", 1)[1])["Namespace"]["Type"] == "HTTP", "it was made"

    offered = [{"portName": "web", "clientAliases": [{"port": 8080, "dnsName": "backend"}]},
               {"portName": "raw", "discoveryName": "raw-port", "ingressPortOverride": 9000, "timeout": {"idleTimeoutSeconds": 60},
                "clientAliases": [{"port": 9100, "dnsName": "raw.inside"}]}]
    made = own.create("backend", own.backend(), 2, **own.connect(*offered))["deployments"][0]
    assert made["serviceConnectConfiguration"]["services"] == offered
    assert [one["discoveryName"] for one in made["serviceConnectResources"]] == ["web", "raw-port"]
    client = own.register([own.container(own.image, ["sh", "-c", ASK])])
    own.create("front", client, 1, **own.connect())
    own.stable("backend", 2)
    own.stable("front", 1)
    revision = own.service("front")["currentServiceRevisions"][0]["arn"]
    revision = own.ecs.describe_service_revisions(serviceRevisionArns=[revision])["serviceRevisions"][0]
    assert revision["serviceConnectConfiguration"]["enabled"]
    assert own.found("web") == own.found("raw-port") == ids(own.running("backend"))
    by_name = own.ecs.list_services_by_namespace(namespace=own.namespace)["serviceArns"]
    assert {arn.rsplit("/", 1)[1] for arn in by_name} == {"backend", "front"}
    assert len(proxies(region)) == 3

    task = own.running("front")[0]["taskArn"]
    answered = lambda more, what: wait_for(lambda: len(own.lines(task)) >= more, lambda: f"{what}: {own.lines(task)[-4:]}")
    # The first requests may come before the first task of the backend runs.
    wait_for(lambda: [line for line in own.lines(task) if "backend:8080 page" in line], lambda: f"the page: {own.lines(task)[-4:]}")
    wait_for(lambda: [line for line in own.lines(task) if "raw.inside:9100 page" in line], lambda: f"the port: {own.lines(task)[-4:]}")
    well = len(own.lines(task))

    # A task dies, the region dies, and all the time each request is answered.
    kill(own.running("backend")[0]["taskArn"])
    answered(well + 40, "requests after a kill")
    region.stop(hard=True)
    region.start()
    own.stable("backend", 2)
    answered(well + 100, "requests after the region was away")
    lines = own.lines(task)[well:]
    assert all(line.endswith(" page") for line in lines), [line for line in lines if not line.endswith(" page")][:6]
    wait_for(lambda: own.found("web") == ids(own.running("backend")), "Cloud Map follows")

    # Proxies that die are started again, and know what to do.
    dead = proxies(region)
    for pid in dead:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: len(set(proxies(region)) - set(dead)) == 3, "three others")
    came = len(own.lines(task))
    wait_for(lambda: [line for line in own.lines(task)[came:] if "8080 page" in line], lambda: f"again: {own.lines(task)[-4:]}")

    server = {"ServiceName": "backend", "ClusterName": own.cluster}
    asker = {"ServiceName": "front", "ClusterName": own.cluster}
    wait_for(lambda: own.total("RequestCount", DiscoveryName="web", **server) > 0, "requests are counted")
    wait_for(lambda: own.total("HTTPCode_Target_2XX_Count", TargetDiscoveryName="web", **asker) > 0, "answers are counted")
    for metric in ("NewConnectionCount", "ProcessedBytes"):
        assert own.total(metric, DiscoveryName="raw-port") > 0, metric
    assert own.total("TargetResponseTime", TargetDiscoveryName="web") > 0

    own.delete("front")
    own.delete("backend")
    wait_for(lambda: not own.names() & {"web", "raw-port"}, lambda: f"no name: {own.names()}")
    own.map.delete_namespace(Id=namespace.rsplit("/", 1)[1])
    leaves_nothing(region)
    assert proxies(region) == [] and not (Path(region.data_dir) / "connect").exists()


class Asked:
    """What the clients of a task that asks all the time are answered."""

    def __init__(self, own, task):
        self.own, self.task = own, task

    def lines(self):
        return [line.split(" ", 2) for line in self.own.lines(self.task)]

    def next(self, count=60):
        """The pages of the next requests, as everybody and as test traffic."""
        begin = len(self.lines())
        wait_for(lambda: len(self.lines()) >= begin + count, lambda: f"{count} requests after {self.lines()[-2:]}", 60)
        lines = self.lines()[begin:]
        return tuple([page for _, own, page in lines if own == kind] for kind in ("plain", "test"))

    def get(self, plain, test):
        """Waits until all get these pages, each kind one."""
        seen = []

        def do():
            seen[:] = [set(pages) for pages in self.next(20)]
            return seen == [{plain}, {test}]
        wait_for(do, lambda: f"{plain} and {test}: {seen}", 40)

    def failures(self):
        return [line for line in self.lines() if line[2].startswith("failed")]


def test_deployments_shift_the_traffic_of_endpoints(own_region, connected):
    own = connected
    own.ecs.update_cluster(cluster=own.cluster, serviceConnectDefaults={"namespace": own.namespace})
    breaker = {"enable": True, "rollback": True}
    made = own.create("backend", own.page("one"), 2, **own.connect(*TESTED), deploymentConfiguration={
        "strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0, "deploymentCircuitBreaker": breaker})
    assert made["deployments"][0]["serviceConnectConfiguration"]["services"] == TESTED
    own.stable("backend", 2)
    own.create("front", own.register([own.container(own.image, ["sh", "-c", SHIFTING])]), 1, **own.connect())
    own.stable("front", 1)
    asked = Asked(own, own.running("front")[0]["taskArn"])
    asked.get("one", "one")

    stages = ("POST_SCALE_UP", "POST_TEST_TRAFFIC_SHIFT", "POST_PRODUCTION_TRAFFIC_SHIFT")
    own.shift("backend", own.page("two"), *stages)
    go_on = own.paused("backend", "POST_SCALE_UP")
    wait_for(lambda: len(own.running("backend")) == 4, "green runs")
    assert [set(pages) for pages in asked.next()] == [{"one"}, {"one"}], "before its traffic green gets nothing"
    go_on()
    go_on = own.paused("backend", "POST_TEST_TRAFFIC_SHIFT")
    asked.get("one", "two")
    own_region.stop(hard=True)
    own_region.start()
    asked.get("one", "two")
    go_on()
    go_on = own.paused("backend", "POST_PRODUCTION_TRAFFIC_SHIFT")
    asked.get("two", "two")
    assert len(own.running("backend")) == 4, "blue is there until the end"
    go_on()
    own.ended("backend", "SUCCESSFUL")
    own.stable("backend", 2)

    # A release that never works, and one that is undone when it has the traffic.
    broken = own.register([own.container(own.image, ["sh", "-c", "exit 1"], portMappings=[
        {"name": "web", "containerPort": 80, "appProtocol": "http"}])])
    own.shift("backend", broken)
    own.ended("backend", "ROLLBACK_SUCCESSFUL")
    assert [set(pages) for pages in asked.next()] == [{"two"}, {"two"}]
    three = own.page("three")
    own.shift("backend", three, "POST_PRODUCTION_TRAFFIC_SHIFT")
    go_on = own.paused("backend", "POST_PRODUCTION_TRAFFIC_SHIFT")
    asked.get("three", "three")
    go_on(action="ROLLBACK")
    own.ended("backend", "ROLLBACK_SUCCESSFUL")
    asked.get("two", "two")
    own.stable("backend", 2)

    own.shift("backend", three, strategy="CANARY", canaryConfiguration={"canaryPercent": 25.0, "canaryBakeTimeInMinutes": 1})
    wait_for(lambda: "three" in asked.next(20)[0], "the canary gets traffic", 60)
    plain, test = asked.next(400)
    assert 0.1 < plain.count("three") / len(plain) < 0.45 and set(test) == {"three"}, (plain.count("three"), len(plain))
    own.ended("backend", "SUCCESSFUL")
    own.stable("backend", 2)
    # What is left is one revision, whatever side it is on: and after a kill of the region, too.
    own_region.stop(hard=True)
    own_region.start()
    asked.get("three", "three")
    assert asked.failures() == [], asked.failures()[:6]
    own.delete("front")
    own.delete("backend")
    leaves_nothing(own_region)


def test_endpoints_and_load_balancers_shift_together(own_region, connected):
    own, balancers = connected, Balancers(own_region)
    own.ecs.update_cluster(cluster=own.cluster, serviceConnectDefaults={"namespace": own.namespace})
    arn, port = balancers.create("both"), free_port()
    groups = [balancers.group(name) for name in ("both-blue", "both-green")]
    listener = balancers.listen(arn, port, forward((groups[0], 1), (groups[1], 0)))
    paths = [{"Field": "path-pattern", "Values": ["/*"]}]
    rule = balancers.rule(listener, 1, paths, forward((groups[0], 1), (groups[1], 0)))
    behind = {"targetGroupArn": groups[0], "containerName": "main", "containerPort": 80, "advancedConfiguration": {
        "alternateTargetGroupArn": groups[1], "productionListenerRule": rule, "roleArn": own.execution_role}}
    own.create("backend", own.page("one"), 1, loadBalancers=[behind], **own.connect(*TESTED), deploymentConfiguration={
        "strategy": "LINEAR", "bakeTimeInMinutes": 0,
        "linearConfiguration": {"stepPercent": 50.0, "stepBakeTimeInMinutes": 1}})
    own.stable("backend", 1, deadline=120)
    own.create("front", own.register([own.container(own.image, ["sh", "-c", SHIFTING])]), 1, **own.connect())
    own.stable("front", 1)
    balancers.active(arn)
    address = balancers.address("both")
    asked = Asked(own, own.running("front")[0]["taskArn"])
    pages = lambda: {get(address, port)[2].strip() for _ in range(30)}
    asked.get("one", "one")
    assert pages() == {"one"}

    own.shift("backend", own.page("two"))
    wait_for(lambda: pages() == {"one", "two"}, pages, 60)
    # The lines of clients come a little later.
    wait_for(lambda: tuple(map(set, asked.next())) == ({"one", "two"}, {"two"}), asked.next)
    own.ended("backend", "SUCCESSFUL")
    asked.get("two", "two")
    assert pages() == {"two"} and asked.failures() == []
    own.delete("front")
    own.delete("backend")
    balancers.delete(arn, *groups)
    leaves_nothing(own_region)


def test_proxies_tell_what_they_carry(own_region, connected):
    own = connected
    own.ecs.update_cluster(cluster=own.cluster, serviceConnectDefaults={"namespace": own.namespace})
    offered = [{"portName": "web", "clientAliases": [{"port": 8080, "dnsName": "backend"}]},
               {"portName": "raw", "clientAliases": [{"port": 9100, "dnsName": "raw.inside"}]}]
    own.create("backend", own.backend(), 1, **own.connect(*offered))
    own.stable("backend", 1)
    ask = own.register([own.container(own.image, ["sh", "-c", (
        "trap 'exit 0' TERM; n=0; while :; do n=$((n+1)); busybox wget -q -O - \"http://backend:8080/?n=$n\" && echo \"asked $n\"; "
        "[ $n = 1 ] && busybox wget -q -O - http://raw.inside:9100/; sleep 0.1; done")])])
    log = {"logDriver": "awslogs", "options": {"awslogs-group": own.group, "awslogs-region": "us-east-1", "awslogs-stream-prefix": "proxy"}}
    tasks = {}
    for name, access in (("objects", {"format": "JSON", "includeQueryParameters": "ENABLED"}), ("texts", {"format": "TEXT"})):
        made = own.create(name, ask, 1, **own.connect(logConfiguration=log, accessLogConfiguration=access))
        shown = made["deployments"][0]["serviceConnectConfiguration"]
        assert shown["accessLogConfiguration"] == access and shown["logConfiguration"]["options"] == log["options"]
        own.stable(name, 1)
        tasks[name] = own.running(name)[0]["taskArn"]

    def told(name):
        stream = f"proxy/ecs-service-connect/{tasks[name].rsplit('/', 1)[1]}"
        pages = own.logs.get_paginator("filter_log_events").paginate(logGroupName=own.group, logStreamNames=[stream])
        return [event["message"] for page in pages for event in page["events"]]
    objects = lambda: [json.loads(line) for line in told("objects") if line.startswith("{")]
    requests = lambda: [line for line in objects() if "method" in line]
    wait_for(lambda: len(requests()) > 20, lambda: told("objects")[-3:], 60)
    own_region.stop(hard=True)
    own_region.start()
    well = len(requests())
    wait_for(lambda: len(requests()) > well + 20, lambda: told("objects")[-3:], 60)
    one = requests()[0]
    assert (one["method"], one["path"], one["protocol"], one["response_code"]) == ("GET", "/?n=1", "HTTP/1.1", 200)
    assert one["authority"] == "backend:8080" and one["upstream_host"].endswith(":80") and one["bytes_sent"] == len("page\n")
    [connection] = [line for line in objects() if "method" not in line]
    assert connection["downstream_remote_address"].startswith("127.") and connection["bytes_sent"] > 0

    texts = [line for line in told("texts") if line.startswith("[")]
    assert any(re.fullmatch(r'\[[0-9T:.Z-]+\] "GET / HTTP/1.1" 200 0 5 \d+ \d+ "-" "Wget" "-" "backend:8080" "[0-9.]+:80"', line)
               for line in texts), texts[:3]
    assert any(re.fullmatch(r"\[[0-9T:.Z-]+\] 127\.[0-9.]+ \d+ \d+ \d+ \d+ - \d+", line) for line in texts), texts[:3]

    # Whatever was asked is told once, through the kill and to the end of the task.
    own.delete("objects")
    asked = [f"/?n={line.split()[1]}" for line in own.lines(tasks["objects"]) if line.startswith("asked")]
    paths = [line["path"] for line in requests()]
    assert set(asked) <= set(paths) and len(paths) == len(set(paths)), (len(asked), len(paths))
    own.delete("texts")
    own.delete("backend")
    leaves_nothing(own_region)


def test_what_is_refused_and_what_changes(region):
    ecs = region.client("ecs")
    services = Services(region)
    definition = services.register([services.container("busybox", ["true"], portMappings=[
        {"name": "web", "containerPort": 80, "appProtocol": "http"}, {"name": "raw", "containerPort": 81}])])
    namespace = f"ns-{uuid.uuid4().hex[:8]}"
    ecs.create_cluster(clusterName=f"d-{uuid.uuid4().hex[:8]}", serviceConnectDefaults={"namespace": namespace})

    def refusal(*offered, code="InvalidParameterException", name="refused", **more):
        more = {"namespace": namespace, **more}
        with pytest.raises(ClientError) as error:
            services.create(name, definition, 0, serviceConnectConfiguration={"enabled": True, "services": list(offered), **more})
        assert error.value.response["Error"]["Code"] == code, error.value
        return error.value.response["Error"]["Message"]

    assert "none" in refusal(namespace="none", code="NamespaceNotFoundException")
    assert "other" in refusal({"portName": "other"})
    assert "ingressPortOverride" in refusal({"portName": "web", "ingressPortOverride": 81})
    assert "perRequestTimeoutSeconds" in refusal({"portName": "raw", "timeout": {"perRequestTimeoutSeconds": 1}})
    assert "discoveryName" in refusal({"portName": "web"}, {"portName": "raw", "discoveryName": "web"})
    rules = {"testTrafficRules": {"header": {"name": "X-Test"}}}
    assert "testTrafficRules" in refusal({"portName": "raw", "clientAliases": [{"port": 81, **rules}]})
    refusal({"portName": "web", "discoveryName": "Upper"})
    refusal({"portName": "web", "clientAliases": [{"port": 80}, {"port": 81}]})
    refusal({"portName": "web", "tls": {"issuerCertificateAuthority": {}}}, code="UnsupportedFeatureException")
    refusal(code="ClientException", logConfiguration={"logDriver": "awslogs"})
    refusal(code="UnsupportedFeatureException", logConfiguration={"logDriver": "awsfirelens"})
    assert "logConfiguration" in refusal(accessLogConfiguration={"format": "TEXT"})

    mine = {"enabled": True, "namespace": namespace, "services": [{"portName": "web"}]}
    services.create("mine", definition, 0, serviceConnectConfiguration=mine)
    assert "already in use" in refusal({"portName": "web"})
    alias = {"port": 80, "dnsName": f"web.{namespace}"}
    assert "already in use" in refusal({"portName": "web", "discoveryName": "again", "clientAliases": [alias]})
    services.stable("mine", 0)
    before = services.service("mine")["deployments"][0]
    again = ecs.update_service(cluster=services.cluster, service="mine", serviceConnectConfiguration=mine)["service"]
    assert again["deployments"][0]["id"] == before["id"], "nothing changes"
    off = ecs.update_service(cluster=services.cluster, service="mine", serviceConnectConfiguration={"enabled": False})["service"]
    assert "serviceConnectConfiguration" not in off["deployments"][0] and off["deployments"][0]["id"] != before["id"]
    services.stable("mine", 0)
    services.delete("mine")
    api = region.client("servicediscovery", config=Config(inject_host_prefix=False))
    mapped = next(own["Id"] for own in api.list_namespaces()["Namespaces"] if own["Name"] == namespace)
    wait_for(lambda: api.get_namespace(Id=mapped)["Namespace"].get("ServiceCount", 0) == 0, "the name goes")
    api.delete_namespace(Id=mapped)
