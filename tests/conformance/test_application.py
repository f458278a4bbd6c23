"""An application of two services as a user deploys it: a website behind a load balancer, a worker that it finds by name.

It is deployed, updated blue/green under load, broken, rolled back, scaled and looked into, with boto3 and the aws CLI.
"""

import json
import uuid

import pytest
from conftest import free_port
from images import Registry
from load_balancers import Balancers, Load, forward, get
from services import Services
from session_client import Session
from tasks import TRUST
from waiting import wait_for

CHANNELS = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "ssmmessages:*", "Resource": "*"}]}
# The website asks the worker, by its name, for each page.
WEB = ("mkdir -p /www/cgi-bin; echo ok > /www/index.html; "
       "printf '#!/bin/sh\\nprintf \"Content-Type: text/plain\\\\r\\\\n\\\\r\\\\n\"\\n"
       "echo '$VERSION' $(wget -qO- http://worker.app.internal:9000/)\\n' > /www/cgi-bin/page; "
       "chmod +x /www/cgi-bin/page; busybox httpd -p 80 -h /www; trap 'exit 0' TERM; while :; do sleep 0.2; done")
WORKER = ("mkdir /www; echo worked > /www/index.html; busybox httpd -p 9000 -h /www; "
          "trap 'exit 0' TERM; while :; do sleep 0.2; done")


class Application:
    def __init__(self, region):
        region.client("ecr").create_repository(repositoryName="application")
        Registry(region, "application").push_image("latest")
        self.region, self.image = region, f"localhost:{region.port}/application:latest"
        self.services, self.balancers = Services(region), Balancers(region)
        iam = region.client("iam")
        self.task_role = iam.create_role(RoleName="web", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
        iam.put_role_policy(RoleName="web", PolicyName="exec", PolicyDocument=json.dumps(CHANNELS))
        trust = json.loads(json.dumps(TRUST).replace("ecs-tasks.amazonaws.com", "ecs.amazonaws.com"))
        self.shifting = iam.create_role(RoleName="shifting", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        iam.attach_role_policy(
            RoleName="shifting",
            PolicyArn="arn:aws:iam::aws:policy/AmazonECSInfrastructureRolePolicyForLoadBalancers")

    def worker(self):
        """The worker, which registers itself in a private namespace."""
        sd = self.region.client("servicediscovery")
        vpc = self.region.client("ec2").describe_vpcs()["Vpcs"][0]["VpcId"]
        operation = sd.create_private_dns_namespace(Name="app.internal", Vpc=vpc)["OperationId"]
        done = wait_for(lambda: (o := sd.get_operation(OperationId=operation)["Operation"])["Status"] == "SUCCESS" and o,
                        lambda: sd.get_operation(OperationId=operation))
        name = sd.create_service(Name="worker", NamespaceId=done["Targets"]["NAMESPACE"], DnsConfig={
            "DnsRecords": [{"Type": "A", "TTL": 5}]}, HealthCheckCustomConfig={"FailureThreshold": 1})["Service"]
        definition = self.services.register([self.services.container(self.image, ["sh", "-c", WORKER])])
        self.services.create("worker", definition, 2, serviceRegistries=[{"registryArn": name["Arn"]}])
        self.services.stable("worker", 2)

    def definition(self, version, **more):
        container = self.services.container(self.image, ["sh", "-c", WEB], name="web", portMappings=[{"containerPort": 80}],
                                            environment=[{"name": "VERSION", "value": version}])
        return self.services.register([{**container, **more}], taskRoleArn=self.task_role)

    def web(self):
        """The website with two target groups, for blue/green deployments."""
        self.balancer, self.port = self.balancers.create("web"), free_port()
        groups = [self.balancers.group(name) for name in ("web-blue", "web-green")]
        listener = self.balancers.listen(self.balancer, self.port, forward((groups[0], 1), (groups[1], 0)))
        rule = self.balancers.rule(listener, 1, [{"Field": "path-pattern", "Values": ["/*"]}],
                                   forward((groups[0], 1), (groups[1], 0)))
        self.groups = groups
        self.services.create(
            "web", self.definition("one"), 2, enableExecuteCommand=True,
            loadBalancers=[{
                "targetGroupArn": groups[0], "containerName": "web", "containerPort": 80,
                "advancedConfiguration": {"alternateTargetGroupArn": groups[1], "productionListenerRule": rule,
                                          "roleArn": self.shifting}}],
            deploymentConfiguration={"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0,
                                     "deploymentCircuitBreaker": {"enable": True, "rollback": True}})
        self.services.stable("web", 2, deadline=120)
        self.balancers.active(self.balancer)
        self.address = self.balancers.address("web")

    def page(self):
        return get(self.address, self.port, "/cgi-bin/page")[2].strip()

    def update(self, definition, **more):
        self.services.ecs.update_service(cluster=self.services.cluster, service="web", taskDefinition=definition, **more)

    def deployment(self):
        ecs = self.services.ecs
        [newest, *_] = ecs.list_service_deployments(cluster=self.services.cluster, service="web")["serviceDeployments"]
        return ecs.describe_service_deployments(serviceDeploymentArns=[newest["serviceDeploymentArn"]])["serviceDeployments"][0]

    def ended(self, *statuses, deadline=180):
        return wait_for(lambda: (d := self.deployment())["status"] in statuses and d, self.deployment, deadline)


@pytest.fixture
def application(own_region):
    return Application(own_region)


def test_an_application_is_deployed_updated_broken_rolled_back_scaled_and_looked_into(own_region, application):
    app, services = application, application.services
    app.worker()
    app.web()
    wait_for(lambda: app.page() == "one worked", app.page)

    with Load(app.address, app.port, path="/cgi-bin/page") as load:
        wait_for(lambda: load.count > 50, "load")
        app.update(app.definition("two"))
        assert app.ended("SUCCESSFUL", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED")["status"] == "SUCCESSFUL"
        wait_for(lambda: app.page() == "two worked", app.page)
        # A release that never comes up gets no request, and what was there stays.
        app.update(app.definition("three", command=["sh", "-c", "exit 1"]))
        assert app.ended("ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED", "SUCCESSFUL")["status"] == "ROLLBACK_SUCCESSFUL"
        # One that a person takes back.
        app.update(app.definition("four"), deploymentConfiguration={"bakeTimeInMinutes": 60})
        wait_for(lambda: app.page() == "four worked", app.page, 120)
        arn = app.deployment()["serviceDeploymentArn"]
        services.ecs.stop_service_deployment(serviceDeploymentArn=arn, stopType="ROLLBACK")
        assert app.ended("ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED")["status"] == "ROLLBACK_SUCCESSFUL"
        wait_for(lambda: app.page() == "two worked", app.page)
        own_region.aws("ecs", "update-service", "--cluster", services.cluster, "--service", "web", "--desired-count", "3")
        services.stable("web", 3, deadline=120)
        own_region.aws("ecs", "wait", "services-stable", "--cluster", services.cluster, "--services", "web", "worker")
    print(f"{load.count} requests: {load.answers}")
    assert load.failures == [], load.failures[:5]
    assert set(load.answers) == {"one worked", "two worked", "four worked"}

    task = services.running("web")[0]["taskArn"]
    wait_for(lambda: services.describe(task)["containers"][0]["managedAgents"][0]["lastStatus"] == "RUNNING", "its agent")
    answer = services.ecs.execute_command(cluster=services.cluster, task=task, container="web", interactive=True,
                                          command="busybox wget -qO- http://127.0.0.1/cgi-bin/page")
    session = Session(answer["session"], ("SessionType", "ExitCode"))
    session.wait_for_end()
    assert b"two worked" in bytes(session.seen), (session.over, session.exit_code, bytes(session.seen), bytes(session.errors))

    for name in ("web", "worker"):
        services.delete(name, deadline=90)
    assert [app.balancers.health(group) for group in app.groups] == [[], []]
    instances = own_region.client("servicediscovery")
    [service] = instances.list_services()["Services"]
    assert instances.list_instances(ServiceId=service["Id"])["Instances"] == []
    app.balancers.delete(app.balancer, *app.groups)
