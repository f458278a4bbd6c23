"""Express services: one call makes a service with a load balancer, a name, a certificate and all else, and takes it away."""

import json
import subprocess
import uuid

import pytest
from botocore.exceptions import ClientError
from images import Registry
from load_balancers import Load, SecureConnection, web
from tasks import Tasks
from waiting import wait_for

POLICY = "arn:aws:iam::aws:policy/service-role/AmazonECSInfrastructureRoleforExpressGatewayServices"
TRUST = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "ecs.amazonaws.com"}, "Action": "sts:AssumeRole"}]}


def refused(code, call, **arguments):
    with pytest.raises(ClientError) as error:
        call(**arguments)
    assert error.value.response["Error"]["Code"] == code, error.value
    return error.value.response["Error"]["Message"]


def answers(text, host, address, *options):
    """Waits until a name at an address answers with a text."""
    command = ["curl", "-sS", *options, "--resolve", f"{host}:443:{address}", f"https://{host}/"]
    ask = lambda: subprocess.run(command, capture_output=True, text=True, timeout=20)
    wait_for(lambda: ask().stdout.strip() == text, lambda: f"{text}: {ask()}", 60)


@pytest.fixture(scope="module")
def express(region):
    return Express(region)


class Express(Tasks):
    """Express services of one cluster."""

    def __init__(self, region):
        super().__init__(region)
        self.elb, self.ec2, self.iam = (region.client(name) for name in ("elbv2", "ec2", "iam"))
        self.ecr = f"express-{uuid.uuid4().hex[:8]}"
        region.client("ecr").create_repository(repositoryName=self.ecr)
        self.role = self.make_role(f"infrastructure-{self.cluster}")
        self.iam.attach_role_policy(RoleName=f"infrastructure-{self.cluster}", PolicyArn=POLICY)

    def make_role(self, name):
        return self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]

    def image(self, text):
        Registry(self.region, self.ecr).push_image(text, Cmd=web(text))
        return f"{self.region.registry}/{self.ecr}:{text}"

    def create(self, name, image, **more):
        return self.ecs.create_express_gateway_service(
            cluster=self.cluster, serviceName=name, primaryContainer={"image": image}, healthCheckPath="/",
            executionRoleArn=self.execution_role, **{"infrastructureRoleArn": self.role, **more})["service"]

    def shown(self, arn):
        return self.ecs.describe_express_gateway_service(serviceArn=arn, include=["TAGS"])["service"]

    def managed(self, arn):
        revision = self.shown(arn)["activeConfigurations"][0]["serviceRevisionArn"]
        answer = self.ecs.describe_service_revisions(serviceRevisionArns=[revision])
        return answer["serviceRevisions"][0]["ecsManagedResources"]

    def made(self, arn):
        """How a service is reached, once every part of that is there."""
        parts = ("certificate", "listener", "loadBalancer", "rule")

        def is_made():
            path = self.managed(arn)["ingressPaths"][0]
            return all(path[part]["status"] == "ACTIVE" for part in parts) and path
        return wait_for(is_made, lambda: f"made: {self.managed(arn)}; {self.region.log_text()}", 60)

    def completed(self, arn):
        """Waits until the newest deployment is completed."""
        name = arn.rsplit("/", 1)[1]

        def is_completed():
            service = self.ecs.describe_services(cluster=self.cluster, services=[name])["services"][0]
            own = service["deployments"]
            return len(own) == 1 and own[0]["rolloutState"] == "COMPLETED" and service
        return wait_for(is_completed, lambda: f"completed: {self.shown(arn)}; {self.region.log_text()}", 90)

    def address(self, arn):
        """Address of the load balancer of a service."""
        balancer = self.managed(arn)["ingressPaths"][0]["loadBalancer"]["arn"]
        own = [one["PrivateIpAddress"] for one in self.ec2.describe_network_interfaces()["NetworkInterfaces"]
               if one["Description"] == f"ELB {balancer.split(':loadbalancer/')[1]}"]
        return own[0]

    def inactive(self, arn):
        code = lambda: self.shown(arn)["status"]
        wait_for(lambda: code()["statusCode"] == "INACTIVE", lambda: f"inactive: {code()}; {self.region.log_text()}", 60)

    def left(self):
        """What express services have made and what is there."""
        balancers = [one["LoadBalancerName"] for one in self.elb.describe_load_balancers()["LoadBalancers"]]
        groups = [one["TargetGroupName"] for one in self.elb.describe_target_groups()["TargetGroups"]]
        own = [{"Name": "tag:AmazonECSManaged", "Values": ["true"]}]
        certificates = self.iam.list_server_certificates(PathPrefix="/ecs-express-gateway/")
        return ([name for name in balancers if name.startswith("ecs-express-")]
                + [name for name in groups if name.startswith("ecs-gateway-tg-")]
                + [one["GroupName"] for one in self.ec2.describe_security_groups(Filters=own)["SecurityGroups"]]
                + [one["ServerCertificateName"] for one in certificates["ServerCertificateMetadataList"]])


def test_a_service_with_a_url_from_one_command(region, express, tmp_path):
    image = express.image("one")
    made = region.aws(
        "ecs", "create-express-gateway-service", "--cluster", express.cluster, "--service-name", "web",
        "--primary-container", json.dumps({"image": image}), "--execution-role-arn", express.execution_role,
        "--infrastructure-role-arn", express.role, "--health-check-path", "/", "--tags", "key=team,value=a")["service"]
    arn = made["serviceArn"]
    host = made["activeConfigurations"][0]["ingressPaths"][0]["endpoint"]
    assert host.startswith("web-") and host.endswith(".ecs.us-east-1.elb.localhost")
    assert made["status"]["statusCode"] == "ACTIVE" and made["tags"] == [{"key": "team", "value": "a"}]
    # A second one shares the load balancer, and has a name and a certificate of its own.
    other = express.create("api", express.image("other"))["serviceArn"]
    service = express.ecs.describe_services(cluster=express.cluster, services=["web"])["services"][0]
    assert service["resourceManagementType"] == "ECS"
    assert service["deploymentConfiguration"]["strategy"] == "CANARY"
    listed = express.ecs.list_services(cluster=express.cluster, resourceManagementType="ECS")["serviceArns"]
    assert sorted(listed) == sorted([arn, other])
    ingress, shared = express.made(arn), express.made(other)
    assert ingress["loadBalancer"]["arn"] == shared["loadBalancer"]["arn"]
    assert ingress["certificate"]["arn"] != shared["certificate"]["arn"]
    address = express.address(arn)
    trusted = tmp_path / "certificate.pem"
    trusted.write_text(express.iam.get_server_certificate(
        ServerCertificateName=host.split(".")[0])["ServerCertificate"]["CertificateBody"])
    answers("one", host, address, "--cacert", trusted)
    answers("other", shared["endpoint"], address, "-k")
    # Tasks find it by its name; the log group is the one that was named.
    lookup = express.run_to_end([express.container(image, ["nslookup", host])])
    assert any(address in line for line in express.lines(lookup["taskArn"])), express.lines(lookup["taskArn"])
    group = express.shown(arn)["activeConfigurations"][0]["primaryContainer"]["awsLogsConfiguration"]["logGroup"]
    assert group.startswith(f"/aws/ecs/{express.cluster}/web-")
    assert region.client("logs").describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    # The infrastructure role was assumed, and what it did is on record.
    session = f":assumed-role/infrastructure-{express.cluster}/ECSGateway"
    events = region.client("cloudtrail").lookup_events(
        LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "CreateLoadBalancer"}])["Events"]
    assert any(json.loads(event["CloudTrailEvent"])["userIdentity"].get("arn", "").endswith(session) for event in events)

    # The traffic is shifted as in any canary deployment. The usual three minutes of each stage are not waited for here.
    refused("InvalidParameterException", express.ecs.update_service, cluster=express.cluster, service="web",
            deploymentConfiguration={"strategy": "ROLLING"})
    express.ecs.update_service(cluster=express.cluster, service="web", deploymentConfiguration={
        "strategy": "CANARY", "bakeTimeInMinutes": 0,
        "canaryConfiguration": {"canaryPercent": 5, "canaryBakeTimeInMinutes": 0}})
    connect = lambda: SecureConnection(host, address, trusted)
    with Load(address, 443, connect=connect) as load:
        updated = express.ecs.update_express_gateway_service(
            serviceArn=arn, primaryContainer={"image": express.image("two")}, healthCheckPath="/index.html")["service"]
        revision = updated["targetConfiguration"]["serviceRevisionArn"]
        wait_for(lambda: load.answers.get("two", 0) > 50, lambda: f"new answers: {load.answers} {load.failures}", 60)
        express.completed(arn)
    assert load.failures == [] and load.answers["one"] > 0, (load.answers, load.failures)
    active = express.shown(arn)["activeConfigurations"]
    assert [one["serviceRevisionArn"] for one in active] == [revision]
    assert active[0]["primaryContainer"]["image"].endswith(":two") and active[0]["healthCheckPath"] == "/index.html"

    # What the first one had goes with it, and the second one stays.
    gone = express.ecs.delete_express_gateway_service(serviceArn=arn)["service"]
    assert gone["status"]["statusCode"] == "DRAINING"
    express.inactive(arn)
    assert "Cannot perform this operation" in refused(
        "ServiceNotActiveException", express.ecs.update_express_gateway_service, serviceArn=arn)
    answers("other", shared["endpoint"], address, "-k")
    express.ecs.delete_express_gateway_service(serviceArn=other)
    express.inactive(other)
    assert express.left() == []


def test_a_role_without_permissions_makes_nothing(express):
    image = "busybox"
    message = refused("AccessDeniedException", express.create, name="denied", image=image,
                      infrastructureRoleArn=express.execution_role)
    assert message.startswith("Cannot assume role")
    role = express.make_role(f"nothing-{express.cluster}")
    arn = express.create("denied", image, infrastructureRoleArn=role)["serviceArn"]
    reason = lambda: express.shown(arn)["status"].get("statusReason", "")
    wait_for(lambda: "is not authorized to perform: logs:CreateLogGroup" in reason(), lambda: f"denied: {reason()}")
    assert "ECSGateway" in reason()
    assert express.managed(arn)["ingressPaths"][0]["loadBalancer"]["status"] == "PROVISIONING"
    express.ecs.delete_express_gateway_service(serviceArn=arn)
    express.inactive(arn)
    assert express.left() == []
    refused("UnsupportedFeatureException", express.create, name="scaled", image=image,
            scalingTarget={"minTaskCount": 1, "maxTaskCount": 4})
    refused("ResourceNotFoundException", express.shown, arn=arn.replace("denied", "none"))
