"""Service Connect: a client reaches the tasks of other services by names, whatever becomes of the tasks and of the region."""

import datetime
import os
import signal
import uuid
from pathlib import Path

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from images import Registry
from leftovers import leaves_nothing, plan, process_ids, read
from load_balancers import web
from services import Services, kill
from waiting import wait_for

# What counts is whether each request is answered; the pause keeps the log short.
ASK = ("n=0; while :; do n=$((n+1)); for url in backend:8080 raw.inside:9100; do "
       "busybox wget -q -O - http://$url/ > /tmp/$$ 2>&1 && echo \"$n $url $(cat /tmp/$$)\" || echo \"$n $url failed $(cat /tmp/$$)\"; "
       "done; sleep 0.05; done")


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
    refusal({"portName": "web", "discoveryName": "Upper"})
    refusal({"portName": "web", "clientAliases": [{"port": 80}, {"port": 81}]})
    refusal({"portName": "web", "tls": {"issuerCertificateAuthority": {}}}, code="UnsupportedFeatureException")
    refusal(code="UnsupportedFeatureException", logConfiguration={"logDriver": "awslogs"})
    refusal(code="UnsupportedFeatureException", accessLogConfiguration={"format": "TEXT"})

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
