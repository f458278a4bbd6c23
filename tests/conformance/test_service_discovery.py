"""Cloud Map through boto3 and the aws CLI, its names in DNS, and tasks that find each other by them."""

import ipaddress
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from conftest import Region, program
from images import Registry
from leftovers import daemons, gone, plan
from resolver import ask
from services import Services, kill, processes
from waiting import wait_for

# As `longshore env` has it: without it SDKs look for the host `data-127.0.0.1`.
PLAIN_HOSTS = Config(retries={"max_attempts": 1}, inject_host_prefix=False)
WORKER = ["sh", "-c", "while true; do hostname | nc -l -p 8080; done"]


def cloud_map(region):
    return region.client("servicediscovery", config=PLAIN_HOSTS)


def name_server(region):
    return str(next(ipaddress.ip_network(plan(region)["subnet"]).hosts()))


def refused(call, code, **arguments):
    with pytest.raises(ClientError) as error:
        call(**arguments)
    assert error.value.response["Error"]["Code"] == code, error.value
    return error.value


class Discovery:
    """A private namespace of its own."""

    def __init__(self, region):
        self.region = region
        self.api = cloud_map(region)
        self.name = f"{uuid.uuid4().hex[:8]}.local"
        operation = self.api.create_private_dns_namespace(Name=self.name, Vpc=self.vpc())["OperationId"]
        self.id = self.api.get_operation(OperationId=operation)["Operation"]["Targets"]["NAMESPACE"]

    def vpc(self):
        return self.region.vpc()

    def service(self, name, *types, ttl=1, **more):
        records = [{"Type": kind, "TTL": ttl} for kind in types]
        answer = self.api.create_service(Name=name, NamespaceId=self.id, DnsConfig={"DnsRecords": records}, **more)
        return answer["Service"]

    def ask(self, name, kind="A", **more):
        whole = f"{name}.{self.name}" if name else self.name
        return ask(name_server(self.region), whole, kind, **more)

    def found(self, name):
        return sorted(self.ask(name).texts())

    def answered(self, name):
        """As `found`; nothing when nobody answers at once."""
        try:
            return sorted(self.ask(name, deadline=0.2).texts())
        except OSError:
            return []


@pytest.fixture(scope="module")
def image(region):
    region.client("ecr").create_repository(repositoryName="discovery")
    Registry(region, "discovery").push_image("latest")
    return f"localhost:{region.port}/discovery:latest"


@pytest.fixture(scope="module")
def services(region, image):
    made = Services(region)
    yield made
    made.close()


@pytest.fixture
def discovery(region, image):
    # The image is there, so the host has joined and its name server answers.
    wait_for(lambda: plan(region), "the host")
    return Discovery(region)


def address(task):
    details = {own["name"]: own["value"] for own in task["attachments"][0]["details"]}
    return details["privateIPv4Address"]


def test_the_api_with_the_cli(region):
    def cli(*arguments):
        return region.aws("servicediscovery", *arguments)

    name = f"cli-{uuid.uuid4().hex[:8]}"
    operation = cli("create-http-namespace", "--name", name, "--tags", "Key=team,Value=blue")["OperationId"]
    shown = cli("get-operation", "--operation-id", operation)["Operation"]
    assert (shown["Status"], shown["Type"]) == ("SUCCESS", "CREATE_NAMESPACE")
    namespace = shown["Targets"]["NAMESPACE"]
    service = cli("create-service", "--name", "worker", "--namespace-id", namespace)["Service"]
    assert service["Type"] == "HTTP" and service["Arn"].endswith(f":service/{service['Id']}")
    for at in range(3):
        cli("register-instance", "--service-id", service["Id"], "--instance-id", f"i-{at}",
            "--attributes", f"AWS_INSTANCE_IPV4=10.0.0.{at},color={'red' if at else 'blue'}")
    listed = cli("list-instances", "--service-id", service["Id"], "--page-size", "1")["Instances"]
    assert [one["Id"] for one in listed] == ["i-0", "i-1", "i-2"]
    found = cli("discover-instances", "--namespace-name", name, "--service-name", "worker",
                "--query-parameters", "color=red")
    assert sorted(one["InstanceId"] for one in found["Instances"]) == ["i-1", "i-2"]
    assert {one["HealthStatus"] for one in found["Instances"]} == {"UNKNOWN"}
    tags = cli("list-tags-for-resource", "--resource-arn", service["Arn"].replace(f"service/{service['Id']}", f"namespace/{namespace}"))
    assert tags["Tags"] == [{"Key": "team", "Value": "blue"}]
    for at in range(3):
        cli("deregister-instance", "--service-id", service["Id"], "--instance-id", f"i-{at}")
    cli("delete-service", "--id", service["Id"])
    cli("delete-namespace", "--id", namespace)
    refused(cloud_map(region).get_namespace, "NamespaceNotFound", Id=namespace)


def test_errors_as_aws_has_them(region, discovery):
    api = discovery.api
    other = refused(api.create_private_dns_namespace, "NamespaceAlreadyExists", Name=discovery.name, Vpc=region.vpc())
    assert other.response["NamespaceId"] == discovery.id
    refused(api.create_public_dns_namespace, "InvalidInput", Name="example.com")
    service = discovery.service("worker", "A")
    again = refused(api.create_service, "ServiceAlreadyExists", Name="worker", NamespaceId=discovery.id)
    assert again.response["ServiceId"] == service["Id"]
    refused(api.delete_namespace, "ResourceInUse", Id=discovery.id)
    refused(api.register_instance, "InvalidInput", ServiceId=service["Id"], InstanceId="a", Attributes={})
    refused(api.get_instance, "InstanceNotFound", ServiceId=service["Id"], InstanceId="a")
    refused(api.get_service, "ServiceNotFound", Id="srv-none")
    refused(api.get_operation, "OperationNotFound", OperationId="none")
    refused(api.discover_instances, "NamespaceNotFound", NamespaceName="none", ServiceName="worker")
    api.register_instance(ServiceId=service["Id"], InstanceId="a", Attributes={"AWS_INSTANCE_IPV4": "10.0.0.1"})
    refused(api.delete_service, "ResourceInUse", Id=service["Id"])
    refused(api.update_instance_custom_health_status, "CustomHealthNotFound", ServiceId=service["Id"], InstanceId="a",
            Status="HEALTHY")
    assert api.get_namespace(Id=discovery.id)["Namespace"]["ServiceCount"] == 1
    pages = api.get_paginator("list_services").paginate(
        Filters=[{"Name": "NAMESPACE_ID", "Values": [discovery.id], "Condition": "EQ"}])
    assert [own["Id"] for page in pages for own in page["Services"]] == [service["Id"]]


def test_hosts_that_sdks_put_a_prefix_before(region, discovery, monkeypatch):
    """Where `data-HOST` leads here, unchanged clients work: the host is part of the signature and of nothing else."""
    real = socket.getaddrinfo

    def here(host, *more, **named):
        return real("127.0.0.1" if host == "data-localhost" else host, *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", here)
    discovery.service("worker", "A")
    api = region.client("servicediscovery", endpoint_url=f"http://localhost:{region.port}")
    assert api.discover_instances(NamespaceName=discovery.name, ServiceName="worker")["Instances"] == []


def test_names_follow_instances_within_a_second(discovery):
    api = discovery.api
    service = discovery.service("worker", "A", "SRV", HealthCheckCustomConfig={})
    assert discovery.ask("worker").code == "NXDOMAIN"
    assert discovery.ask("worker").authority[0][0] == "SOA"
    assert discovery.ask("").code == "NOERROR"
    took = []
    for at in range(10):
        attributes = {"AWS_INSTANCE_IPV4": f"10.0.0.{at}", "AWS_INSTANCE_PORT": "8080"}
        began = time.monotonic()
        api.register_instance(ServiceId=service["Id"], InstanceId=f"i-{at}", Attributes=attributes)
        wait_for(lambda: discovery.ask(f"i-{at}.worker").texts() == [f"10.0.0.{at}"], "the name", 5, step=0.002)
        took.append(time.monotonic() - began)
    print(f"registered and answered in {max(took) * 1000:.0f} ms at most")
    assert max(took) < 1
    answers = [discovery.ask("worker").texts() for _ in range(20)]
    assert all(len(set(answer)) == 8 for answer in answers), "up to eight"
    assert len({tuple(answer) for answer in answers}) > 10, "in changing order"
    places = discovery.ask("worker", "SRV", connected=True).texts("SRV")
    assert len(places) == 8 and all(place.startswith("1 1 8080 i-") for place in places), places
    short = discovery.ask("worker", "SRV")
    assert short.size <= 512 and (short.truncated or len(short.records) == 8)
    nothing = discovery.ask("worker", "AAAA")
    assert (nothing.code, nothing.records) == ("NOERROR", [])
    for at in range(1, 10):
        api.update_instance_custom_health_status(ServiceId=service["Id"], InstanceId=f"i-{at}", Status="UNHEALTHY")
    wait_for(lambda: discovery.found("worker") == ["10.0.0.0"], lambda: f"one healthy: {discovery.found('worker')}", 1)
    began = time.monotonic()
    for at in range(10):
        api.deregister_instance(ServiceId=service["Id"], InstanceId=f"i-{at}")
    wait_for(lambda: discovery.ask("worker").code == "NXDOMAIN", "no name", 5, step=0.002)
    print(f"all ten deregistered and gone in {(time.monotonic() - began) * 1000:.0f} ms")


def register(services, discovery, image, name="worker", count=2, check=None, types=("A", "SRV")):
    """A service of ECS whose tasks are instances of a service of Cloud Map; answers both and the ECS name."""
    registry = discovery.service(name, *types, HealthCheckCustomConfig={"FailureThreshold": 1})
    more = {"healthCheck": check} if check else {}
    definition = services.register([services.container(image, WORKER, portMappings=[{"containerPort": 8080}], **more)])
    own = f"{name}-{uuid.uuid4().hex[:6]}"
    place = {"containerName": "main", "containerPort": 8080} if "SRV" in types else {}
    made = services.create(own, definition, count, serviceRegistries=[{"registryArn": registry["Arn"], **place}])
    assert made["serviceRegistries"] == [{"registryArn": registry["Arn"], **place}]
    return registry, own


def addresses(services, own):
    return sorted(address(task) for task in services.running(own))


def agree(services, discovery, own, name="worker", deadline=10):
    """DNS tells of exactly the running tasks."""
    wait_for(lambda: discovery.found(name) == addresses(services, own) != [],
             lambda: f"{discovery.found(name)} is {addresses(services, own)}", deadline)


def test_a_task_finds_another_by_name(region, services, discovery, image):
    registry, own = register(services, discovery, image)
    services.stable(own, 2)
    agree(services, discovery, own)
    ids = {task["taskArn"].rsplit("/", 1)[1] for task in services.running(own)}
    instances = discovery.api.list_instances(ServiceId=registry["Id"])["Instances"]
    assert {one["Id"] for one in instances} == ids
    attributes = instances[0]["Attributes"]
    task = next(one for one in services.running(own) if one["taskArn"].endswith(instances[0]["Id"]))
    assert attributes == {
        "AWS_INSTANCE_IPV4": address(task), "AWS_INSTANCE_PORT": "8080", "AWS_INIT_HEALTH_STATUS": "HEALTHY",
        "AVAILABILITY_ZONE": task["availabilityZone"], "REGION": "us-east-1", "ECS_SERVICE_NAME": own,
        "ECS_CLUSTER_NAME": services.cluster, "ECS_TASK_DEFINITION_FAMILY": task["taskDefinitionArn"].split("/")[1].split(":")[0]}
    places = discovery.ask("worker", "SRV", connected=True).texts("SRV")
    assert {place.split()[3].split(".")[0] for place in places} == ids
    for place in places:
        target = place.split()[3].removesuffix(f".{discovery.name}")
        assert discovery.ask(target).texts()[0] in addresses(services, own)
    found = discovery.api.discover_instances(NamespaceName=discovery.name, ServiceName="worker")["Instances"]
    assert {one["HealthStatus"] for one in found} == {"HEALTHY"} and len(found) == 2

    whole = f"worker.{discovery.name}"
    web = services.run_to_end([services.container(
        image, ["sh", "-c", f"nslookup {whole}; echo met $(nc -w 5 {whole} 8080 < /dev/null)"])])
    lines = services.lines(web["taskArn"])
    met = [line.removeprefix("met ") for line in lines if line.startswith("met ")]
    assert met and met[0].strip(), lines
    assert any(spot in line for line in lines for spot in addresses(services, own)), lines

    by_name = services.ecs.list_services_by_namespace(namespace=discovery.name)["serviceArns"]
    assert [arn.rsplit("/", 1)[1] for arn in by_name] == [own]
    services.delete(own)
    assert discovery.ask("worker").code == "NXDOMAIN"
    wait_for(lambda: discovery.api.list_instances(ServiceId=registry["Id"])["Instances"] == [], "no instance", 5)
    discovery.api.delete_service(Id=registry["Id"])
    discovery.api.delete_namespace(Id=discovery.id)


def test_records_follow_replaced_and_unhealthy_tasks(services, discovery, image):
    check = {"command": ["CMD-SHELL", "test ! -e /tmp/bad"], "interval": 5, "timeout": 2, "retries": 1}
    registry, own = register(services, discovery, image, check=check, types=("A",))
    services.stable(own, 2)
    agree(services, discovery, own)
    before = discovery.found("worker")
    victim = services.running(own)[0]
    kill(victim["taskArn"])
    wait_for(lambda: address(victim) not in discovery.found("worker"), "the dead one vanishes", 10, step=0.01)
    # It is found again only when its check has passed.
    wait_for(lambda: len(discovery.found("worker")) == 2, "the replacement", 30)
    assert discovery.found("worker") != before
    services.stable(own, 2)
    sick = services.running(own)[0]
    for pid in processes(sick["taskArn"]):
        open(f"/proc/{pid}/root/tmp/bad", "w").close()
    wait_for(lambda: address(sick) not in discovery.found("worker"), "the sick one vanishes", 30)
    wait_for(lambda: len(discovery.found("worker")) == 2, "its replacement", 60)
    services.delete(own)
    assert discovery.ask("worker").code == "NXDOMAIN"


def test_tasks_of_a_vpc_of_ones_own_have_its_names_alone(region, services, discovery, image):
    ec2, api = region.client("ec2"), discovery.api
    vpc = ec2.create_vpc(CidrBlock="10.214.0.0/24")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.214.0.0/28")["Subnet"]["SubnetId"]
    zone = f"{uuid.uuid4().hex[:8]}.local"
    operation = api.create_private_dns_namespace(Name=zone, Vpc=vpc)["OperationId"]
    namespace = api.get_operation(OperationId=operation)["Operation"]["Targets"]["NAMESPACE"]
    service = api.create_service(Name="own", NamespaceId=namespace, DnsConfig={"DnsRecords": [{"Type": "A", "TTL": 1}]})["Service"]
    api.register_instance(ServiceId=service["Id"], InstanceId="i", Attributes={"AWS_INSTANCE_IPV4": "10.214.0.9"})
    follows(discovery, "other")
    look = f"nslookup own.{zone}; nslookup other.{discovery.name} || echo not there"
    network = {"awsvpcConfiguration": {"subnets": [subnet]}}
    task = services.run_to_end([services.container(image, ["sh", "-c", look])], networkConfiguration=network)
    lines = services.lines(task["taskArn"])
    assert any("10.214.0.9" in line for line in lines) and "not there" in lines, lines
    api.deregister_instance(ServiceId=service["Id"], InstanceId="i")
    api.delete_service(Id=service["Id"])
    api.delete_namespace(Id=namespace)
    wait_for(lambda: not ec2.describe_network_interfaces(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["NetworkInterfaces"],
             "its interface is gone")
    ec2.delete_subnet(SubnetId=subnet)
    ec2.delete_vpc(VpcId=vpc)


def test_what_ecs_refuses(services, discovery, image):
    definition = services.register([services.container(image, WORKER, portMappings=[{"containerPort": 8080}])])
    plain, ported = discovery.service("plain", "A")["Arn"], discovery.service("ported", "SRV")["Arn"]
    message = "InvalidParameterException"

    def refusal(**registry):
        return str(refused(services.create, message, name="x", definition=definition, count=1, serviceRegistries=[registry]))

    assert "do not require a value for 'containerPort'" in refusal(registryArn=plain, containerName="main", containerPort=8080)
    assert "do not require a value for 'port'" in refusal(registryArn=plain, port=8080)
    assert "but not both" in refusal(registryArn=ported, containerName="main", containerPort=8080, port=8080)
    assert "SRV" in refusal(registryArn=ported)
    assert "does not exist" in refusal(registryArn=ported, containerName="other", containerPort=8080)
    assert "container port 9" in refusal(registryArn=ported, containerName="main", containerPort=9)
    assert "not found" in refusal(registryArn=plain + "x")
    two = [{"registryArn": plain}, {"registryArn": ported, "port": 1}]
    refused(services.create, message, name="x", definition=definition, count=1, serviceRegistries=two)


def test_registries_change_with_a_deployment(services, discovery, image):
    registry, own = register(services, discovery, image, count=1, types=("A",))
    services.stable(own, 1)
    agree(services, discovery, own)
    other = discovery.service("other", "A")
    services.ecs.update_service(cluster=services.cluster, service=own, serviceRegistries=[{"registryArn": other["Arn"]}])
    services.stable(own, 1)
    agree(services, discovery, own, "other")
    assert discovery.ask("worker").code == "NXDOMAIN"
    services.ecs.update_service(cluster=services.cluster, service=own, serviceRegistries=[])
    services.stable(own, 1)
    wait_for(lambda: discovery.ask("other").code == "NXDOMAIN", "no name", 10)
    assert services.service(own)["serviceRegistries"] == []
    services.delete(own)


def prepared(region):
    region.client("ecr").create_repository(repositoryName="discovery")
    Registry(region, "discovery").push_image("latest")
    wait_for(lambda: plan(region), "the host")
    return Services(region), Discovery(region), f"localhost:{region.port}/discovery:latest"


def test_records_are_right_after_a_kill(own_region):
    region = own_region
    services, discovery, image = prepared(region)
    registry, own = register(services, discovery, image, count=3, types=("A",))
    services.stable(own, 3)
    agree(services, discovery, own)
    before = discovery.found("worker")
    victim = services.running(own)[0]
    region.stop(hard=True)
    kill(victim["taskArn"])
    region.start()
    began = time.monotonic()
    first = wait_for(lambda: discovery.answered("worker"), "the name server", 20, step=0.01)
    print(f"answered {(time.monotonic() - began) * 1000:.0f} ms after the region did")
    assert len(first) >= 2, f"names are whole from the first answer: {before}"
    def instances():
        return [one["Id"] for one in discovery.api.list_instances(ServiceId=registry["Id"])["Instances"]]

    # Its address may be that of the task in its place.
    wait_for(lambda: victim["taskArn"].rsplit("/", 1)[1] not in instances(), "the one that died meanwhile vanishes", 20)
    services.stable(own, 3)
    agree(services, discovery, own)
    services.delete(own)
    wait_for(lambda: discovery.ask("worker").code == "NXDOMAIN", "no name", 5)


ASK = """
import json, select, sys
sys.path.insert(0, sys.argv[1])
from resolver import ask
counts = {}
while not select.select([sys.stdin], [], [], 0.005)[0]:
    try:
        said = " ".join(sorted(ask(sys.argv[2], sys.argv[3], deadline=1).texts())) or "nothing"
    except OSError as error:
        said = type(error).__name__
    counts[said] = counts.get(said, 0) + 1
print(json.dumps(counts))
"""


class Asking:
    """Asks for a name in the network of a task, each question once, until `answers` counts what was said."""

    def __init__(self, region, task, name):
        inside = ["nsenter", "--net", "--target", str(processes(task)[0])]
        command = [*inside, sys.executable, "-c", ASK, str(Path(__file__).parent), name_server(region), name]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def answers(self):
        return json.loads(self.process.communicate(timeout=10)[0])


def follows(discovery, name):
    """Waits until the name server has been told of a change."""
    service = discovery.service(name, "A")
    discovery.api.register_instance(ServiceId=service["Id"], InstanceId="i", Attributes={"AWS_INSTANCE_IPV4": "10.0.0.1"})
    wait_for(lambda: discovery.answered(name) == ["10.0.0.1"], "a change is seen", 20)


def name_server_process(region):
    [(pid, _)] = daemons(region, "name-server")
    return pid


def test_a_task_goes_on_resolving_while_the_region_is_killed_and_upgraded(own_region, tmp_path, monkeypatch):
    region = own_region
    services, discovery, image = prepared(region)
    registry, own = register(services, discovery, image, count=2, types=("A",))
    services.stable(own, 2)
    agree(services, discovery, own)
    whole = f"worker.{discovery.name}"
    script = f"while true; do if nslookup {whole} > /dev/null; then echo good; else echo bad; fi; sleep 0.1; done"
    task = services.run(services.register([services.container(image, ["sh", "-c", script])]))
    services.wait(task, "RUNNING")
    asking = Asking(region, task, whole)
    try:
        wait_for(lambda: "good" in services.lines(task), "the task resolves", 20)
        both, first = " ".join(discovery.found("worker")), name_server_process(region)
        region.stop(hard=True)
        time.sleep(2)
        assert " ".join(discovery.found("worker")) == both
        region.start()
        follows(discovery, "again")
        assert name_server_process(region) == first, "it is found again"
        region.stop(hard=True)
        newer = shutil.copy(program(), tmp_path / "longshore")
        monkeypatch.setenv("LONGSHORE_BIN", str(newer))
        region.start()
        follows(discovery, "newer")
        wait_for(lambda: len(daemons(region, "name-server")) == 1, "the one before ends", 20)
        assert name_server_process(region) != first, "a newer program takes over"
        services.ecs.update_service(cluster=services.cluster, service=own, desiredCount=1)
        services.stable(own, 1)
        agree(services, discovery, own)
        one = discovery.found("worker")[0]
        time.sleep(1)
    finally:
        answers = asking.answers()
    print(f"answers: {answers}")
    assert set(answers) == {both, one} and answers[both] > 300 and answers[one] > 20, answers
    lines = services.lines(task)
    assert "bad" not in lines and len(lines) > 20, lines
    services.stop(task)
    services.delete(own)


def test_a_name_server_that_dies_is_started_again_and_missed(own_region):
    region = own_region
    services, discovery, image = prepared(region)
    follows(discovery, "worker")
    # A task keeps the network, and with it the name server, when the region goes.
    task = services.run(services.register([services.container(image, ["sleep", "600"])]))
    services.wait(task, "RUNNING")
    first = name_server_process(region)
    assert f"names     process {first}: " in region.cli("status").stdout

    os.kill(first, signal.SIGKILL)
    began = time.monotonic()
    wait_for(lambda: discovery.answered("worker") == ["10.0.0.1"], "another one", 5, step=0.01)
    print(f"names are answered again {(time.monotonic() - began) * 1000:.0f} ms after a kill")
    second = name_server_process(region)
    assert second != first
    region.stop()
    assert discovery.answered("worker") == ["10.0.0.1"], "it goes on after the region has ended in order"
    free = ["--listen", "127.0.0.1:0"]
    assert f"ok    name server  process {second}: " in region.cli("doctor", *free).stdout
    os.kill(second, signal.SIGKILL)
    said = region.cli("doctor", *free)
    assert said.returncode == 1 and "FAIL  name server  tasks resolve no names" in said.stdout, said.stdout
    region.start()
    wait_for(lambda: discovery.answered("worker") == ["10.0.0.1"], "the next start starts it", 20)
    services.stop(task)


def test_a_start_without_the_port_of_name_queries_leaves_nothing():
    region = Region("--no-host", "--task-subnet", "10.213.0.0/24")
    region.stop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        # The address need not be there.
        taken.setsockopt(socket.IPPROTO_IP, 15, 1)
        taken.bind(("10.213.0.1", 53))
        said = subprocess.run([program(), "up", "--listen", "127.0.0.1:0", "--data-dir", region.data_dir], capture_output=True,
                              text=True, timeout=60)
        assert said.returncode == 1 and "name queries on 10.213.0.1:53 (UDP)" in said.stderr, said.stderr
        gone(region)
    region.flags.remove("--no-host")
    region.close()
