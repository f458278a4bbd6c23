"""Hosts that have no room, and subnets that have no address."""

import os
import re

import pytest
from conftest import Region
from images import Registry
from services import Services
from waiting import wait_for

FULL = "Capacity is unavailable at this time. Please try again later or in a different availability zone"
SLEEP = ["sleep", "3600"]


@pytest.fixture(scope="module")
def small():
    """A region that lends one core and memory for two of the smallest tasks."""
    with open("/proc/meminfo") as text:
        mib = int(re.search(r"MemTotal: +(\d+)", text.read()).group(1)) // 1024
    cores = len(os.sched_getaffinity(0))
    region = Region("--overcommit-cpu", str(1 / cores), "--overcommit-memory", f"{1300 / mib:.6f}")
    yield region
    region.close()


@pytest.fixture(scope="module")
def services(small):
    small.client("ecr").create_repository(repositoryName="busybox")
    Registry(small, "busybox").push_image("latest")
    wait_for(lambda: host(small), "the host")
    return Services(small)


@pytest.fixture(scope="module")
def definition(services):
    return services.register([services.container(f"{services.region.registry}/busybox:latest", SLEEP)])


def host(region):
    """Tasks, and CPU units and MiB that they reserve, as `longshore status` shows them."""
    found = re.search(r"host .*: (\d+) tasks reserve (\d+) of (\d+) CPU units and (\d+) of (\d+) MiB",
                      region.cli("status").stdout)
    return found and [int(number) for number in found.groups()]


def run(services, definition, **more):
    return services.ecs.run_task(cluster=services.cluster, taskDefinition=definition, launchType="FARGATE",
                                 networkConfiguration=services.network, **more)


def test_a_full_host_takes_no_more_and_what_waits_comes_as_soon_as_there_is_room(small, services, definition):
    tasks, cpu, cpu_lent, memory, memory_lent = host(small)
    assert (tasks, cpu, memory) == (0, 0, 0) and cpu_lent in (1023, 1024) and 1290 < memory_lent <= 1300
    answer = run(services, definition, count=3, clientToken="three")
    assert len(answer["tasks"]) == 2
    failure = {"reason": FULL, "detail": "RESOURCE:MEMORY"}
    assert answer["failures"] == [failure]
    again = run(services, definition, count=3, clientToken="three")
    assert ([task["taskArn"] for task in again["tasks"]], again["failures"]) == (
        [task["taskArn"] for task in answer["tasks"]], [failure])
    first, second = [services.wait(task["taskArn"], "RUNNING")["taskArn"] for task in answer["tasks"]]
    assert host(small)[:2] == [2, 512] and host(small)[3] == 1024
    refused = run(services, definition)
    assert (refused["tasks"], refused["failures"]) == ([], [failure])
    large = services.register([services.container(f"{small.registry}/busybox:latest", SLEEP)], cpu="2048", memory="4096")
    assert run(services, large)["failures"] == [{"reason": FULL, "detail": "RESOURCE:CPU"}]

    services.create("web", definition, 1)
    told = (f"(service web) was unable to place a task. Reason: {FULL}. For more information, see the Troubleshooting "
            "section of the Amazon ECS Developer Guide.")
    wait_for(lambda: told in services.events("web"), lambda: services.events("web"))
    [waiting] = services.tasks_of("web")
    assert waiting["lastStatus"] == "PROVISIONING"
    assert services.service("web")["pendingCount"] == 1
    services.stop(first)
    services.stable("web", 1)
    assert [task["taskArn"] for task in services.running("web")] == [waiting["taskArn"]], "the very task that waited"
    assert services.events("web").count(told) == 1
    # What is known of the room survives the server.
    small.stop(hard=True)
    small.start()
    wait_for(lambda: host(small) and host(small)[0] == 2, lambda: host(small))
    services.ecs = small.client("ecs")
    assert run(services, definition)["failures"] == [failure]
    services.stop(second)
    services.delete("web")
    wait_for(lambda: host(small)[0] == 0, lambda: host(small))


def test_a_subnet_without_a_free_address_takes_no_task(small, services, definition):
    ec2 = small.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.177.0.0/24")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.177.0.0/28")["Subnet"]
    assert subnet["AvailableIpAddressCount"] == 11
    taken = [ec2.create_network_interface(SubnetId=subnet["SubnetId"])["NetworkInterface"]["NetworkInterfaceId"]
             for _ in range(11)]
    network = {"awsvpcConfiguration": {"subnets": [subnet["SubnetId"]]}}
    task = services.wait(services.run(definition, networkConfiguration=network), "STOPPED")
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"] == ("Unexpected EC2 error while attempting to Create Network Interface in subnet "
                                     f"'{subnet['SubnetId']}': InsufficientFreeAddressesInSubnet")
    ec2.delete_network_interface(NetworkInterfaceId=taken[0])
    task = services.run(definition, networkConfiguration=network)
    services.wait(task, "RUNNING")
    services.stop(task)
    for interface in taken[1:]:
        ec2.delete_network_interface(NetworkInterfaceId=interface)
    ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    ec2.delete_vpc(VpcId=vpc)
