"""The unmodified docker client and engine against a region's registry: login, push, pull, and what they pushed runs."""

import uuid

import pytest
from docker_engine import DockerEngine, NoEngine
from images import Registry, basic, busybox_layer
from tasks import Tasks

ECR = "123456789012.dkr.ecr.us-east-1.localhost"


@pytest.fixture(scope="module")
def docker():
    try:
        engine = DockerEngine(hosts=[ECR])
    except NoEngine as reason:
        pytest.skip(f"no Docker engine can run here: {reason}")
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def image(docker):
    """An image of two layers that only this engine has."""
    layer = docker.dir / "layer.tar"
    layer.write_bytes(busybox_layer())
    docker.run("import", str(layer), "base:latest")
    folder = docker.dir / "build"
    folder.mkdir()
    (folder / "Dockerfile").write_text('FROM base:latest\nENV PATH=/bin\nRUN ["/bin/sh", "-c", "echo built > /built"]\nCMD ["cat", "/built"]\n')
    docker.run("build", "--network=none", "-t", "app:latest", str(folder))
    return "app:latest"


@pytest.mark.parametrize("host", ["localhost", ECR])
def test_login_push_pull_and_run(docker, image, region, ecr, host):
    repository = f"docker/{uuid.uuid4().hex[:8]}"
    ecr.create_repository(repositoryName=repository)
    registry = f"{host}:{region.port}"
    user, password = basic(ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"])
    refused = docker.run("login", "-u", user, "--password-stdin", registry, input="wrong", check=False)
    assert refused.returncode != 0
    done = docker.run("login", "-u", user, "--password-stdin", registry, input=password)
    assert "Login Succeeded" in done.stdout
    name = f"{registry}/{repository}:v1"
    docker.run("tag", image, name)
    pushed = docker.run("push", name)
    [line] = [line for line in pushed.stdout.splitlines() if "digest: " in line]
    digest = line.split("digest: ")[1].split()[0]
    [detail] = ecr.describe_images(repositoryName=repository)["imageDetails"]
    assert (detail["imageDigest"], detail["imageTags"]) == (digest, ["v1"])
    again = docker.run("push", name)
    assert "Layer already exists" in again.stdout
    before = docker.run("image", "inspect", "-f", "{{.Id}}", image).stdout
    # Nothing of it stays, so that the layers really come over the wire.
    docker.run("rmi", "-f", before.strip())
    docker.run("rmi", "-f", "base:latest")
    pulled = docker.run("pull", f"{registry}/{repository}@{digest}")
    assert digest in pulled.stdout and pulled.stdout.count("Pull complete") == 2
    docker.run("pull", name)
    assert docker.run("image", "inspect", "-f", "{{.Id}}", name).stdout == before
    docker.run("tag", name, image)
    docker.run("tag", name, "base:latest")
    missing = docker.run("pull", f"{registry}/{repository}:none", check=False)
    assert missing.returncode != 0 and "manifest" in missing.stderr, missing.stderr
    tasks = Tasks(region)
    task = tasks.run_to_end([tasks.container(name)])
    assert tasks.lines(task["taskArn"]) == ["built"]
    docker.run("logout", registry)


def test_the_engine_pulls_what_other_clients_pushed(docker, region, ecr):
    repository = f"docker/{uuid.uuid4().hex[:8]}"
    ecr.create_repository(repositoryName=repository)
    Registry(region, repository).push_image("v1", Cmd=["echo", "hello"])
    registry = f"localhost:{region.port}"
    user, password = basic(ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"])
    docker.run("login", "-u", user, "--password-stdin", registry, input=password)
    docker.run("pull", f"{registry}/{repository}:v1")
    ran = docker.run("run", "--rm", "--network=none", f"{registry}/{repository}:v1")
    assert ran.stdout == "hello\n"
