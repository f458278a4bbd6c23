"""The ecs-deploy tool from PyPI, unmodified, against services of a region."""

import subprocess
import sys
from pathlib import Path

import pytest
from images import Registry
from services import Services

FAILS = "exit 3"
WORKS = "sleep 3600"


@pytest.fixture(scope="module")
def services(region):
    region.client("ecr").create_repository(repositoryName="deployed")
    for tag in ("v1", "v2"):
        Registry(region, "deployed").push_image(tag)
    made = Services(region)
    yield made
    made.close()


@pytest.fixture(scope="module")
def web(region, services):
    """A service of two tasks, each a shell that does what the variable DO says."""
    container = services.container(f"localhost:{region.port}/deployed:v1", ["sh", "-c", "eval $DO"],
                                   environment=[{"name": "DO", "value": WORKS}])
    services.create("web", services.register([container]), 2)
    return services.stable("web", 2)


def deploy(region, *arguments):
    program = Path(sys.executable).with_name("ecs")
    done = subprocess.run([str(program), *arguments], env=region.environment(), capture_output=True, text=True, timeout=180)
    return done.returncode, done.stdout + done.stderr


def containers(services, definition):
    return services.ecs.describe_task_definition(taskDefinition=definition)["taskDefinition"]["containerDefinitions"][0]


def test_deploy_scale_and_run(region, services, web):
    code, said = deploy(region, "deploy", services.cluster, "web", "--tag", "v2", "--env", "main", "COLOUR", "green",
                        "--timeout", "120")
    assert code == 0 and "Deployment successful" in said, said
    service = services.stable("web", 2)
    assert service["taskDefinition"] != web["taskDefinition"]
    shown = containers(services, service["taskDefinition"])
    assert shown["image"].endswith("/deployed:v2") and {"name": "COLOUR", "value": "green"} in shown["environment"]
    assert {task["taskDefinitionArn"] for task in services.running("web")} == {service["taskDefinition"]}
    old = services.ecs.describe_task_definition(taskDefinition=web["taskDefinition"])["taskDefinition"]
    assert old["status"] == "INACTIVE", "the tool deregisters what it replaces"

    code, said = deploy(region, "scale", services.cluster, "web", "3", "--timeout", "120")
    assert code == 0 and "Scaling successful" in said, said
    services.stable("web", 3)

    family = service["taskDefinition"].rsplit("/", 1)[1].split(":")[0]
    [subnet] = service["networkConfiguration"]["awsvpcConfiguration"]["subnets"][:1]
    filters = [{"Name": "group-name", "Values": ["default"]}]
    group = region.client("ec2").describe_security_groups(Filters=filters)["SecurityGroups"][0]["GroupId"]
    code, said = deploy(region, "run", services.cluster, family, "1", "--launchtype", "FARGATE", "--subnet", subnet,
                        "--securitygroup", group)
    assert code == 0 and "Successfully started" in said, said


def test_a_bad_release_is_noticed_and_taken_back(region, services, web):
    before = services.service("web")["taskDefinition"]
    code, said = deploy(region, "deploy", services.cluster, "web", "--env", "main", "DO", FAILS, "--timeout", "15",
                        "--no-deregister", "--rollback")
    assert code == 1 and "Deployment failed" in said and "Rollback successful" in said, said
    service = services.stable("web", services.service("web")["desiredCount"])
    assert containers(services, service["taskDefinition"]) == containers(services, before)
    code, said = deploy(region, "deploy", services.cluster, "none", "--tag", "v2")
    assert code == 1 and "An error occurred" in said, said
