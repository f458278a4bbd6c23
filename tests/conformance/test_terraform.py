"""The calls that Terraform's AWS provider makes for a service behind a load balancer, in its order: create, read, destroy.

Terraform itself cannot be installed where there is no way to its registry, so what its provider sends is sent here. What
counts is that every read gives back what was asked for: a difference is what Terraform shows as a change at each plan.
"""

import json
import uuid

import pytest
from botocore.exceptions import ClientError
from images import Registry
from tasks import TRUST
from waiting import wait_for

TAGS = {"Terraform": "true", "Environment": "test"}
UPPER = [{"Key": key, "Value": value} for key, value in TAGS.items()]
LOWER = [{"key": key, "value": value} for key, value in TAGS.items()]


class Provider:
    """Resources as the provider makes them; destroyed in the opposite order."""

    def __init__(self, region):
        names = ["ec2", "ecr", "ecs", "elbv2", "iam", "logs", "servicediscovery", "sts"]
        self.of = {name: region.client(name) for name in names}
        self.destroy = []

    def __getattr__(self, name):
        return self.of[name]

    def close(self):
        while self.destroy:
            self.destroy.pop()()


@pytest.fixture
def aws(own_region):
    provider = Provider(own_region)
    yield provider
    provider.close()


def tags(found):
    return {tag.get("Key") or tag.get("key"): tag.get("Value", tag.get("value")) for tag in found}


def gone(call, code, **arguments):
    try:
        call(**arguments)
        return False
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        return True


def default_network(aws):
    """data.aws_vpc with default = true, data.aws_subnets of it."""
    aws.sts.get_caller_identity()
    aws.ec2.describe_account_attributes(AttributeNames=["supported-platforms"])
    [vpc] = aws.ec2.describe_vpcs(Filters=[{"Name": "isDefault", "Values": ["true"]}])["Vpcs"]
    for attribute in ["enableDnsHostnames", "enableDnsSupport"]:
        aws.ec2.describe_vpc_attribute(VpcId=vpc["VpcId"], Attribute=attribute)
    filters = [{"Name": "association.main", "Values": ["true"]}, {"Name": "vpc-id", "Values": [vpc["VpcId"]]}]
    assert len(aws.ec2.describe_route_tables(Filters=filters)["RouteTables"]) == 1
    subnets = aws.ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc["VpcId"]]}])["Subnets"]
    assert len({subnet["AvailabilityZone"] for subnet in subnets}) == 3
    return vpc, [subnet["SubnetId"] for subnet in subnets]


def security_group(aws, vpc, port):
    """aws_security_group with one ingress and one egress rule, both as blocks."""
    made = aws.ec2.create_security_group(
        GroupName=f"terraform-{uuid.uuid4().hex[:8]}", Description="Managed by Terraform", VpcId=vpc["VpcId"],
        TagSpecifications=[{"ResourceType": "security-group", "Tags": UPPER}])["GroupId"]
    everything = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    aws.ec2.describe_security_groups(GroupIds=[made])
    aws.ec2.revoke_security_group_egress(GroupId=made, IpPermissions=[everything])
    ingress = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port,
               "IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "from anywhere"}]}
    aws.ec2.authorize_security_group_ingress(GroupId=made, IpPermissions=[ingress])
    aws.ec2.authorize_security_group_egress(GroupId=made, IpPermissions=[everything])
    [read] = aws.ec2.describe_security_groups(GroupIds=[made])["SecurityGroups"]
    assert (read["VpcId"], tags(read["Tags"])) == (vpc["VpcId"], TAGS)
    [rule] = read["IpPermissions"]
    assert (rule["FromPort"], rule["ToPort"], rule["IpRanges"]) == (port, port, ingress["IpRanges"])
    [rule] = read["IpPermissionsEgress"]
    assert (rule["IpProtocol"], rule["IpRanges"]) == ("-1", everything["IpRanges"])

    def destroy():
        filters = [{"Name": "group-id", "Values": [made]}]
        wait_for(lambda: not aws.ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"], "no interface")
        aws.ec2.delete_security_group(GroupId=made)
        assert gone(aws.ec2.describe_security_groups, "InvalidGroup.NotFound", GroupIds=[made])

    aws.destroy.append(destroy)
    return made


def load_balancer(aws, subnets, group):
    """aws_lb."""
    [made] = aws.elbv2.create_load_balancer(Name="tf-web", Type="application", Scheme="internal", Subnets=subnets,
                                            SecurityGroups=[group], IpAddressType="ipv4", Tags=UPPER)["LoadBalancers"]
    arn = made["LoadBalancerArn"]

    def read():
        return aws.elbv2.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"][0]

    wait_for(lambda: read()["State"]["Code"] == "active", read)
    wanted = {
        "access_logs.s3.enabled": "false", "connection_logs.s3.enabled": "false", "client_keep_alive.seconds": "3600",
        "routing.http.desync_mitigation_mode": "defensive", "routing.http.drop_invalid_header_fields.enabled": "false",
        "deletion_protection.enabled": "false", "idle_timeout.timeout_seconds": "60", "routing.http2.enabled": "true",
        "routing.http.preserve_host_header.enabled": "false", "routing.http.xff_header_processing.mode": "append",
        "routing.http.x_amzn_tls_version_and_cipher_suite.enabled": "false",
        "routing.http.xff_client_port.enabled": "false", "waf.fail_open.enabled": "false",
        "zonal_shift.config.enabled": "false",
    }
    attributes = [{"Key": key, "Value": value} for key, value in wanted.items()]
    while True:
        try:
            aws.elbv2.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=attributes)
            break
        except ClientError as error:
            # The provider leaves out what the service says it does not know.
            text = error.response["Error"]["Message"]
            unknown = [item for item in attributes if f"attribute key '{item['Key']}' is not " in text]
            assert unknown and ("recognized" in text or "supported" in text), text
            attributes.remove(unknown[0])
    shown = tags(aws.elbv2.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"])
    assert all(shown[item["Key"]] == item["Value"] for item in attributes), shown
    try:
        aws.elbv2.describe_capacity_reservation(LoadBalancerArn=arn)
    except ClientError as error:
        assert error.response["Error"]["Code"] in ("InvalidAction", "AccessDenied"), error
    assert tags(aws.elbv2.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"]) == TAGS
    found = read()
    assert (found["Scheme"], found["Type"], found["SecurityGroups"]) == ("internal", "application", [group])
    assert sorted(zone["SubnetId"] for zone in found["AvailabilityZones"]) == sorted(subnets)

    def destroy():
        aws.elbv2.delete_load_balancer(LoadBalancerArn=arn)
        owner = [{"Name": "attachment.instance-owner-id", "Values": ["amazon-elb"]}]
        aws.ec2.describe_network_interfaces(Filters=owner)
        wait_for(lambda: gone(aws.elbv2.describe_load_balancers, "LoadBalancerNotFound", LoadBalancerArns=[arn]), "gone")

    aws.destroy.append(destroy)
    return found


def target_group(aws, vpc, port):
    """aws_lb_target_group."""
    check = dict(HealthCheckEnabled=True, HealthCheckIntervalSeconds=5, HealthCheckPath="/", HealthCheckPort="traffic-port",
                 HealthCheckProtocol="HTTP", HealthCheckTimeoutSeconds=2, HealthyThresholdCount=2,
                 UnhealthyThresholdCount=2, Matcher={"HttpCode": "200"})
    [made] = aws.elbv2.create_target_group(Name="tf-web", Port=port, Protocol="HTTP", ProtocolVersion="HTTP1",
                                           TargetType="ip", IpAddressType="ipv4", VpcId=vpc["VpcId"], Tags=UPPER,
                                           **check)["TargetGroups"]
    arn = made["TargetGroupArn"]
    wanted = {"deregistration_delay.timeout_seconds": "5", "load_balancing.algorithm.type": "round_robin",
              "slow_start.duration_seconds": "0", "stickiness.enabled": "false"}
    aws.elbv2.modify_target_group_attributes(
        TargetGroupArn=arn, Attributes=[{"Key": key, "Value": value} for key, value in wanted.items()])
    [read] = aws.elbv2.describe_target_groups(TargetGroupArns=[arn])["TargetGroups"]
    assert {key: read[key] for key in check} == check
    assert (read["Port"], read["Protocol"], read["TargetType"]) == (port, "HTTP", "ip")
    shown = tags(aws.elbv2.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"])
    assert {key: shown[key] for key in wanted} == wanted
    assert tags(aws.elbv2.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"]) == TAGS

    def destroy():
        aws.elbv2.delete_target_group(TargetGroupArn=arn)
        assert gone(aws.elbv2.describe_target_groups, "TargetGroupNotFound", TargetGroupArns=[arn])

    aws.destroy.append(destroy)
    return arn


def listener(aws, balancer, target, port):
    """aws_lb_listener that forwards."""
    action = {"Type": "forward", "TargetGroupArn": target, "Order": 1}
    [made] = aws.elbv2.create_listener(LoadBalancerArn=balancer, Port=port, Protocol="HTTP", DefaultActions=[action],
                                       Tags=UPPER)["Listeners"]
    arn = made["ListenerArn"]
    [read] = aws.elbv2.describe_listeners(ListenerArns=[arn])["Listeners"]
    assert (read["Port"], read["Protocol"], read["LoadBalancerArn"]) == (port, "HTTP", balancer)
    assert (read["DefaultActions"][0]["Type"], read["DefaultActions"][0]["TargetGroupArn"]) == ("forward", target)
    aws.elbv2.describe_listener_attributes(ListenerArn=arn)
    assert tags(aws.elbv2.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"]) == TAGS

    def destroy():
        aws.elbv2.delete_listener(ListenerArn=arn)
        assert gone(aws.elbv2.describe_listeners, "ListenerNotFound", ListenerArns=[arn])

    aws.destroy.append(destroy)


def roles(aws):
    """aws_iam_role with an attached policy."""
    made = aws.iam.create_role(RoleName="tf-execution", AssumeRolePolicyDocument=json.dumps(TRUST), Path="/",
                               MaxSessionDuration=3600, Tags=UPPER)["Role"]
    policy = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
    aws.iam.get_role(RoleName="tf-execution")
    aws.iam.list_role_policies(RoleName="tf-execution")
    aws.iam.attach_role_policy(RoleName="tf-execution", PolicyArn=policy)
    attached = aws.iam.list_attached_role_policies(RoleName="tf-execution")["AttachedPolicies"]
    assert [item["PolicyArn"] for item in attached] == [policy]

    def destroy():
        aws.iam.detach_role_policy(RoleName="tf-execution", PolicyArn=policy)
        assert aws.iam.list_instance_profiles_for_role(RoleName="tf-execution")["InstanceProfiles"] == []
        aws.iam.delete_role(RoleName="tf-execution")

    aws.destroy.append(destroy)
    return made["Arn"]


def log_group(aws):
    """aws_cloudwatch_log_group."""
    name = "/tf/web"
    aws.logs.create_log_group(logGroupName=name, tags=TAGS)
    aws.logs.put_retention_policy(logGroupName=name, retentionInDays=7)
    [read] = aws.logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    assert read["retentionInDays"] == 7
    arn = read["arn"].removesuffix(":*")
    assert aws.logs.list_tags_for_resource(resourceArn=arn)["tags"] == TAGS
    aws.destroy.append(lambda: aws.logs.delete_log_group(logGroupName=name))
    return name


def namespace(aws, vpc):
    """aws_service_discovery_private_dns_namespace, and in it aws_service_discovery_service."""
    sd = aws.servicediscovery

    def done(operation):
        status = sd.get_operation(OperationId=operation)["Operation"]
        assert status["Status"] != "FAIL", status
        return status["Status"] == "SUCCESS" and status

    operation = sd.create_private_dns_namespace(Name="tf.internal", Vpc=vpc["VpcId"], CreatorRequestId=uuid.uuid4().hex,
                                                Tags=UPPER)["OperationId"]
    space = wait_for(lambda: done(operation), "a namespace")["Targets"]["NAMESPACE"]
    read = sd.get_namespace(Id=space)["Namespace"]
    assert (read["Name"], read["Type"]) == ("tf.internal", "DNS_PRIVATE")
    assert tags(sd.list_tags_for_resource(ResourceARN=read["Arn"])["Tags"]) == TAGS
    dns = {"NamespaceId": space, "RoutingPolicy": "MULTIVALUE", "DnsRecords": [{"TTL": 10, "Type": "A"}]}
    made = sd.create_service(Name="web", CreatorRequestId=uuid.uuid4().hex, DnsConfig=dns,
                             HealthCheckCustomConfig={"FailureThreshold": 1}, Tags=UPPER)["Service"]
    read = sd.get_service(Id=made["Id"])["Service"]
    assert read["DnsConfig"]["DnsRecords"] == dns["DnsRecords"]

    def destroy():
        sd.delete_service(Id=made["Id"])
        operation = sd.delete_namespace(Id=space)["OperationId"]
        wait_for(lambda: done(operation), "the end of the namespace")

    aws.destroy.append(destroy)
    return made["Arn"]


def cluster(aws):
    """aws_ecs_cluster and aws_ecs_cluster_capacity_providers."""
    setting = [{"name": "containerInsights", "value": "disabled"}]
    arn = aws.ecs.create_cluster(clusterName="tf", settings=setting, tags=LOWER)["cluster"]["clusterArn"]

    def read():
        found = aws.ecs.describe_clusters(clusters=[arn], include=["TAGS", "CONFIGURATIONS", "SETTINGS"])["clusters"]
        return found[0] if found else {"status": "INACTIVE"}

    assert read()["status"] == "ACTIVE" and read()["settings"] == setting and tags(read()["tags"]) == TAGS
    strategy = [{"capacityProvider": "FARGATE", "base": 1, "weight": 100}]
    providers = ["FARGATE", "FARGATE_SPOT"]
    aws.ecs.put_cluster_capacity_providers(cluster=arn, capacityProviders=providers,
                                           defaultCapacityProviderStrategy=strategy)
    assert sorted(read()["capacityProviders"]) == providers
    assert read()["defaultCapacityProviderStrategy"] == strategy

    def destroy():
        aws.ecs.put_cluster_capacity_providers(cluster=arn, capacityProviders=[], defaultCapacityProviderStrategy=[])

        def deleted():
            try:
                aws.ecs.delete_cluster(cluster=arn)
                return True
            except ClientError as error:
                assert error.response["Error"]["Code"] in ("ClusterContainsServicesException",
                                                           "ClusterContainsTasksException"), error
                return False

        wait_for(deleted, "the end of the cluster")
        assert read()["status"] == "INACTIVE"

    aws.destroy.append(destroy)
    return arn


def task_definition(aws, image, role, logs):
    """aws_ecs_task_definition."""
    container = {
        "name": "web", "image": image, "essential": True, "portMappings": [{"containerPort": 8080, "protocol": "tcp"}],
        "command": ["sh", "-c", "mkdir /w && echo hello > /w/index.html && exec httpd -f -p 8080 -h /w"],
        "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": logs, "awslogs-region": "us-east-1",
                                                                  "awslogs-stream-prefix": "web"}},
        "stopTimeout": 2,
    }
    made = aws.ecs.register_task_definition(
        family="tf-web", containerDefinitions=[container], cpu="256", memory="512", executionRoleArn=role,
        networkMode="awsvpc", requiresCompatibilities=["FARGATE"], placementConstraints=[], volumes=[], tags=LOWER,
        runtimePlatform={"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"})["taskDefinition"]
    answer = aws.ecs.describe_task_definition(taskDefinition=made["taskDefinitionArn"], include=["TAGS"])
    read = answer["taskDefinition"]
    assert (read["status"], read["cpu"], read["memory"], tags(answer["tags"])) == ("ACTIVE", "256", "512", TAGS)
    # Empty lists are no difference to Terraform.
    shown = {key: value for key, value in read["containerDefinitions"][0]["logConfiguration"].items() if value}
    assert shown == container["logConfiguration"]
    aws.destroy.append(lambda: aws.ecs.deregister_task_definition(taskDefinition=made["taskDefinitionArn"]))
    return made["taskDefinitionArn"]


def service(aws, cluster, definition, subnets, group, target, registry):
    """aws_ecs_service with wait_for_steady_state."""
    network = {"awsvpcConfiguration": {"subnets": subnets, "securityGroups": [group], "assignPublicIp": "DISABLED"}}
    balancers = [{"targetGroupArn": target, "containerName": "web", "containerPort": 8080}]
    arn = aws.ecs.create_service(
        clientToken=uuid.uuid4().hex, cluster=cluster, serviceName="web", taskDefinition=definition, desiredCount=2,
        launchType="FARGATE", schedulingStrategy="REPLICA", enableECSManagedTags=False, enableExecuteCommand=False,
        deploymentConfiguration={"maximumPercent": 200, "minimumHealthyPercent": 100,
                                 "deploymentCircuitBreaker": {"enable": True, "rollback": True}},
        deploymentController={"type": "ECS"}, availabilityZoneRebalancing="DISABLED", platformVersion="LATEST",
        healthCheckGracePeriodSeconds=0, placementConstraints=[], placementStrategy=[], capacityProviderStrategy=[],
        loadBalancers=balancers, serviceRegistries=[{"registryArn": registry}], networkConfiguration=network,
        tags=LOWER)["service"]["serviceArn"]

    def read():
        [found] = aws.ecs.describe_services(cluster=cluster, services=[arn], include=["TAGS"])["services"]
        return found

    wait_for(lambda: len(read()["deployments"]) == 1 and read()["runningCount"] == read()["desiredCount"] == 2, read, 90)
    found = read()
    assert {key: found["loadBalancers"][0][key] for key in balancers[0]} == balancers[0]
    assert found["serviceRegistries"] == [{"registryArn": registry}] and tags(found["tags"]) == TAGS
    assert sorted(found["networkConfiguration"]["awsvpcConfiguration"]["subnets"]) == sorted(subnets)
    assert found["launchType"] == "FARGATE" and found["schedulingStrategy"] == "REPLICA"
    assert found["enableExecuteCommand"] is False and found["enableECSManagedTags"] is False

    def destroy():
        aws.ecs.update_service(cluster=cluster, service=arn, desiredCount=0)

        def deleted():
            try:
                aws.ecs.delete_service(cluster=cluster, service=arn)
                return True
            except ClientError as error:
                assert error.response["Error"]["Code"] == "InvalidParameterException", error
                return False

        wait_for(deleted, "the end of the service")
        wait_for(lambda: read()["status"] == "INACTIVE", read)

    aws.destroy.append(destroy)


def test_a_service_behind_a_load_balancer_is_created_read_and_destroyed(own_region, aws):
    aws.ecr.create_repository(repositoryName="web", imageTagMutability="MUTABLE", tags=UPPER)
    Registry(own_region, "web").push_image("latest")
    vpc, subnets = default_network(aws)
    outside, inside = security_group(aws, vpc, 80), security_group(aws, vpc, 8080)
    balancer = load_balancer(aws, subnets, outside)
    target = target_group(aws, vpc, 8080)
    listener(aws, balancer["LoadBalancerArn"], target, 80)
    role, logs, registry, home = roles(aws), log_group(aws), namespace(aws, vpc), cluster(aws)
    definition = task_definition(aws, f"localhost:{own_region.port}/web:latest", role, logs)
    service(aws, home, definition, subnets, inside, target, registry)

    def states():
        health = aws.elbv2.describe_target_health(TargetGroupArn=target)["TargetHealthDescriptions"]
        return [one["TargetHealth"]["State"] for one in health]

    wait_for(lambda: states() == ["healthy", "healthy"], states)
    aws.close()
    assert aws.ec2.describe_network_interfaces()["NetworkInterfaces"] == []
