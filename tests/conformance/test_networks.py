"""Security groups and VPCs: what reaches a task and what it reaches, through boto3 and the aws CLI."""

import ipaddress
import socket
import time

import pytest
from botocore.exceptions import ClientError
from images import Registry
from tasks import Tasks
from waiting import wait_for

# A server that answers every connection, at two ports.
SERVE = ["sh", "-c", "nc -ll -p 81 -e echo other & exec nc -ll -p 80 -e echo hello"]
ANYWHERE = "0.0.0.0/0"
# What a client in a task says of what is dropped.
TIMED_OUT = "nc: timed out"


@pytest.fixture(scope="module")
def image(region):
    region.client("ecr").create_repository(repositoryName="networks")
    Registry(region, "networks").push_image("latest")
    return f"localhost:{region.port}/networks:latest"


@pytest.fixture(scope="module")
def tasks(region, image):
    made = Tasks(region)
    yield made
    made.close()


@pytest.fixture(scope="module")
def ec2(region):
    return region.client("ec2")


@pytest.fixture(scope="module")
def server(tasks, image):
    return tasks.register([tasks.container(image, SERVE)])


def group(ec2, name, vpc=None):
    more = {"VpcId": vpc} if vpc else {}
    return ec2.create_security_group(GroupName=name, Description="of a test", **more)["GroupId"]


def tcp(port, **peer):
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **peer}


def cidr(text):
    return {"IpRanges": [{"CidrIp": text}]}


def of_group(id):
    return {"UserIdGroupPairs": [{"GroupId": id}]}


def details(task):
    return {detail["name"]: detail["value"] for detail in task["attachments"][0]["details"]}


def run(tasks, definition, groups, subnets=None, **more):
    network = {"subnets": subnets or tasks.region.subnets()[:1], "securityGroups": groups}
    task = tasks.wait(tasks.run(definition, networkConfiguration={"awsvpcConfiguration": network}, **more), "RUNNING")
    return task, details(task)["privateIPv4Address"]


def answers(address, port=80, timeout=1.0):
    """What a task says to this machine; nothing when it is out of reach."""
    try:
        with socket.create_connection((address, port), timeout=timeout) as connection:
            connection.settimeout(timeout)
            return connection.recv(100).decode().strip()
    except OSError:
        return None


def says(tasks, image, groups, command):
    """The last line of a task that runs a command, and its exit code."""
    definition = tasks.register([tasks.container(image, ["sh", "-c", command])])
    network = {"subnets": tasks.region.subnets()[:1], "securityGroups": groups}
    ended = tasks.run_to_end(None, definition=definition, networkConfiguration={"awsvpcConfiguration": network})
    lines = tasks.lines(ended["taskArn"])
    return (lines[-1] if lines else None), tasks.exit_code(ended)


def refused(call, code, **parameters):
    with pytest.raises(ClientError) as error:
        call(**parameters)
    assert error.value.response["Error"]["Code"] == code, error.value
    return error.value.response["Error"]["Message"]


def test_an_account_has_a_default_network(region, ec2):
    [vpc] = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc["VpcId"]]}])["Subnets"]
    assert sorted(subnet["AvailabilityZone"] for subnet in subnets) == ["us-east-1a", "us-east-1b", "us-east-1c"]
    whole = ipaddress.ip_network(vpc["CidrBlock"])
    parts = [ipaddress.ip_network(subnet["CidrBlock"]) for subnet in subnets]
    assert all(part.subnet_of(whole) for part in parts) and not parts[0].overlaps(parts[1])
    zones = ec2.describe_availability_zones()["AvailabilityZones"]
    assert [zone["ZoneId"] for zone in zones] == ["use1-az1", "use1-az2", "use1-az3"]
    assert ec2.describe_account_attributes(AttributeNames=["default-vpc"])["AccountAttributes"][0]["AttributeValues"] == [
        {"AttributeValue": vpc["VpcId"]}]
    [table] = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc["VpcId"]]}])["RouteTables"]
    assert [route["DestinationCidrBlock"] for route in table["Routes"]] == [vpc["CidrBlock"], ANYWHERE]
    assert region.aws("ec2", "describe-security-groups", "--group-names", "default", "--query",
                      "SecurityGroups[0].VpcId") == vpc["VpcId"]
    assert len(list(ec2.get_paginator("describe_subnets").paginate(PaginationConfig={"PageSize": 5}))) == 1


def test_rules_open_and_close_a_running_task(region, ec2, tasks, server):
    own = group(ec2, "opened")
    task, address = run(tasks, server, [own])
    assert answers(address) is None, "a new group lets nothing in"
    region.aws("ec2", "authorize-security-group-ingress", "--group-id", own, "--protocol", "tcp", "--port", "80",
               "--cidr", ANYWHERE)
    begun = time.monotonic()
    wait_for(lambda: answers(address, timeout=0.2) == "hello", "the opened port")
    assert time.monotonic() - begun < 1, "within a second"
    assert answers(address, 81) is None
    refused(ec2.authorize_security_group_ingress, "InvalidPermission.Duplicate", GroupId=own,
            IpPermissions=[tcp(80, **cidr(ANYWHERE))])
    ec2.revoke_security_group_ingress(GroupId=own, IpPermissions=[tcp(80, **cidr(ANYWHERE))])
    wait_for(lambda: answers(address, timeout=0.2) is None, "the closed port", deadline=2)
    tasks.stop(task["taskArn"])
    ec2.delete_security_group(GroupId=own)


def test_groups_let_each_other_in(ec2, tasks, image, server):
    front, back = group(ec2, "front"), group(ec2, "back")
    ec2.authorize_security_group_ingress(GroupId=back, IpPermissions=[tcp(80, **of_group(front))])
    task, address = run(tasks, server, [back])
    ask = f"nc -w 2 {address} 80 </dev/null"
    assert says(tasks, image, [front], ask) == ("hello", 0)
    assert says(tasks, image, [back], ask)[0] == TIMED_OUT, "the group itself is not let in"
    assert answers(address) is None, "nor is the machine"
    assert says(tasks, image, [front], f"nc -w 2 {address} 81 </dev/null")[0] == TIMED_OUT
    # What is not let out does not arrive, whatever the other side lets in.
    ec2.revoke_security_group_egress(GroupId=front, IpPermissions=[{"IpProtocol": "-1", **cidr(ANYWHERE)}])
    assert says(tasks, image, [front], ask)[0] == TIMED_OUT
    ec2.authorize_security_group_egress(GroupId=front, IpPermissions=[tcp(80, **of_group(back))])
    assert says(tasks, image, [front], ask) == ("hello", 0)
    refused(ec2.delete_security_group, "DependencyViolation", GroupId=front)
    refused(ec2.delete_security_group, "DependencyViolation", GroupId=back)
    tasks.stop(task["taskArn"])
    ec2.revoke_security_group_ingress(GroupId=back, IpPermissions=[tcp(80, **of_group(front))])
    ec2.revoke_security_group_egress(GroupId=front, IpPermissions=[tcp(80, **of_group(back))])
    for id in (front, back):
        ec2.delete_security_group(GroupId=id)


def test_the_interface_of_a_task_is_real(region, ec2, tasks, server):
    own = group(ec2, "shown")
    subnets = region.subnets()
    task, address = run(tasks, server, [own], subnets=subnets[1:2])
    shown = details(task)
    [interface] = ec2.describe_network_interfaces(NetworkInterfaceIds=[shown["networkInterfaceId"]])["NetworkInterfaces"]
    assert (interface["PrivateIpAddress"], interface["MacAddress"]) == (address, shown["macAddress"])
    assert (interface["SubnetId"], interface["Status"]) == (subnets[1], "in-use") and interface["RequesterManaged"]
    assert shown["subnetId"] == subnets[1] and shown["privateDnsName"] == interface["PrivateDnsName"]
    assert interface["Description"].endswith(f"attachment/{task['attachments'][0]['id']}")
    assert interface["Groups"] == [{"GroupId": own, "GroupName": "shown"}]
    assert task["availabilityZone"] == interface["AvailabilityZone"] == "us-east-1b"
    free = lambda: ec2.describe_subnets(SubnetIds=[subnets[1]])["Subnets"][0]["AvailableIpAddressCount"]
    before = free()
    refused(ec2.delete_subnet, "DependencyViolation", SubnetId=subnets[1])
    refused(ec2.delete_network_interface, "InvalidParameterValue", NetworkInterfaceId=shown["networkInterfaceId"])
    tasks.stop(task["taskArn"])
    assert free() == before + 1
    refused(ec2.describe_network_interfaces, "InvalidNetworkInterfaceID.NotFound",
            NetworkInterfaceIds=[shown["networkInterfaceId"]])
    ec2.delete_security_group(GroupId=own)


def test_tasks_are_spread_over_zones(region, tasks, server):
    network = {"awsvpcConfiguration": {"subnets": region.subnets()}}
    started = [tasks.run(server, group="family:spread", networkConfiguration=network) for _ in range(6)]
    zones = sorted(tasks.wait(task, "RUNNING")["availabilityZone"] for task in started)
    assert zones == sorted(f"us-east-1{zone}" for zone in "abc" * 2)
    for task in started:
        tasks.stop(task)


def test_networks_that_are_none_are_refused(region, ec2, tasks, server):
    def asked(**vpc):
        return dict(cluster=tasks.cluster, taskDefinition=server, launchType="FARGATE",
                    networkConfiguration={"awsvpcConfiguration": {"subnets": region.subnets()[:1], **vpc}})

    for call in (tasks.ecs.run_task,
                 lambda **more: tasks.ecs.create_service(serviceName="none", desiredCount=1, **more)):
        said = refused(call, "InvalidParameterException", **asked(subnets=["subnet-12345678"]))
        assert said == ("Error retrieving subnet information for [subnet-12345678]: The subnet ID 'subnet-12345678' does "
                        "not exist (ErrorCode: InvalidSubnetID.NotFound)")
        said = refused(call, "InvalidParameterException", **asked(securityGroups=["sg-12345678"]))
        assert "The security group 'sg-12345678' does not exist (ErrorCode: InvalidGroup.NotFound)" in said
        refused(call, "InvalidParameterException", **asked(securityGroups=["sg-1"] * 6))
        refused(call, "InvalidParameterException", **asked(subnets=region.subnets() * 6))
    vpc = ec2.create_vpc(CidrBlock="10.210.0.0/24")["Vpc"]["VpcId"]
    other = group(ec2, "elsewhere", vpc)
    said = refused(tasks.ecs.run_task, "InvalidParameterException", **asked(securityGroups=[other]))
    assert said == f"Security group {other} does not appear to belong to the same VPC as the input subnets."
    ec2.delete_security_group(GroupId=other)
    ec2.delete_vpc(VpcId=vpc)


def test_a_vpc_of_ones_own_is_apart(region, ec2, tasks, image, server):
    default = ec2.describe_vpcs()["Vpcs"][0]["CidrBlock"]
    said = refused(ec2.create_vpc, "InvalidVpcRange", CidrBlock=str(ipaddress.ip_network(default)[0]) + "/24")
    assert default in said and "docs/guides/networking.md" in said
    vpc = ec2.create_vpc(CidrBlock="10.211.0.0/20", TagSpecifications=[
        {"ResourceType": "vpc", "Tags": [{"Key": "Name", "Value": "own"}]}])["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.211.1.0/28", AvailabilityZone="us-east-1c")["Subnet"]
    open_group = group(ec2, "open", vpc)
    ec2.authorize_security_group_ingress(GroupId=open_group, IpPermissions=[{"IpProtocol": "-1", **cidr(ANYWHERE)}])
    own, address = run(tasks, server, [open_group], subnets=[subnet["SubnetId"]])
    assert ipaddress.ip_address(address) in ipaddress.ip_network("10.211.1.0/28")
    assert answers(address) == "hello", "the machine is its gateway, too"
    default_open = group(ec2, "default-open")
    ec2.authorize_security_group_ingress(GroupId=default_open, IpPermissions=[{"IpProtocol": "-1", **cidr(ANYWHERE)}])
    assert says(tasks, image, [default_open], f"nc -w 2 {address} 80 </dev/null")[0] == TIMED_OUT, "no way between VPCs"
    refused(ec2.delete_vpc, "DependencyViolation", VpcId=vpc)
    # All eleven addresses of a small subnet.
    network = {"awsvpcConfiguration": {"subnets": [subnet["SubnetId"]], "securityGroups": [open_group]}}
    more = [tasks.run(server, networkConfiguration=network) for _ in range(11)]
    ended = wait_for(lambda: [task for task in map(tasks.describe, more) if task["lastStatus"] == "STOPPED"],
                     "the one that finds no address", 60)
    assert len(ended) == 1
    assert ended[0]["stoppedReason"].endswith(f"in subnet '{subnet['SubnetId']}': InsufficientFreeAddressesInSubnet")
    for task in [own["taskArn"], *more]:
        if task != ended[0]["taskArn"]:
            tasks.stop(task)
    ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    for id in (open_group, default_open):
        ec2.delete_security_group(GroupId=id)
    ec2.delete_vpc(VpcId=vpc)
    refused(ec2.describe_vpcs, "InvalidVpcID.NotFound", VpcIds=[vpc])


@pytest.mark.parametrize("hard", [True, False])
def test_a_restart_opens_nothing(own_region, hard):
    own_region.client("ecr").create_repository(repositoryName="app")
    Registry(own_region, "app").push_image("latest")
    tasks, ec2 = Tasks(own_region), own_region.client("ec2")
    server = tasks.register([tasks.container(f"localhost:{own_region.port}/app:latest", SERVE)])
    closed = group(ec2, "closed")
    opened = group(ec2, "opened")
    ec2.authorize_security_group_ingress(GroupId=opened, IpPermissions=[tcp(80, **cidr(ANYWHERE))])
    first, second = run(tasks, server, [closed]), run(tasks, server, [opened])
    assert answers(first[1]) is None and answers(second[1]) == "hello"
    own_region.stop(hard=hard)
    assert answers(first[1], timeout=0.3) is None and answers(second[1]) == "hello", "while nobody is there"
    own_region.start()
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        assert answers(first[1], timeout=0.1) is None
        assert answers(second[1]) == "hello"
    ec2.authorize_security_group_ingress(GroupId=closed, IpPermissions=[tcp(80, **cidr(ANYWHERE))])
    wait_for(lambda: answers(first[1], timeout=0.3) == "hello", "a change after the restart")
    for task, _ in (first, second):
        tasks.stop(task["taskArn"])


def test_callers_need_permission(region, ec2):
    iam = region.client("iam")
    iam.create_user(UserName="network-reader")
    key = iam.create_access_key(UserName="network-reader")["AccessKey"]
    own = region.client("ec2", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
    said = refused(own.describe_vpcs, "UnauthorizedOperation")
    assert said.startswith("You are not authorized to perform this operation. User: ") and "ec2:DescribeVpcs" in said
    policy = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ec2:Describe*","Resource":"*"}]}'
    iam.put_user_policy(UserName="network-reader", PolicyName="read", PolicyDocument=policy)
    assert own.describe_vpcs()["Vpcs"]
    refused(own.create_security_group, "UnauthorizedOperation", GroupName="x", Description="x", DryRun=True)
    refused(ec2.create_security_group, "DryRunOperation", GroupName="x", Description="x", DryRun=True)
