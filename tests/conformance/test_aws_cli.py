"""The aws CLI, version 2, unmodified: the walk of the README, and `aws logs tail --follow`, which only this version has."""

import json
import os
import re
import shutil
import subprocess
import threading
import time
import uuid

import pytest
from images import Registry
from tasks import Tasks
from waiting import wait_for


def version_two():
    """The CLI of version 2 on this machine, whatever comes first on the PATH."""
    for folder in [*os.environ["PATH"].split(":"), "/usr/bin"]:
        program = shutil.which("aws", path=folder)
        if program:
            shown = subprocess.run([program, "--version"], capture_output=True, text=True)
            if shown.stdout.startswith("aws-cli/2."):
                return program
    return None


@pytest.fixture(scope="module")
def program():
    found = version_two()
    if not found:
        pytest.skip("no aws CLI of version 2 is installed (Debian: apt-get install awscli)")
    return found


@pytest.fixture(scope="module")
def aws(program, region):
    """Runs the CLI and returns its answer, or its text where that is no JSON. Old versions read no AWS_ENDPOINT_URL."""

    def run(*arguments, fails=False):
        done = subprocess.run([program, "--endpoint-url", region.endpoint, *arguments], env=environment(region),
                              capture_output=True, text=True, timeout=120)
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        if fails:
            return done.stderr
        try:
            return json.loads(done.stdout or "null")
        except ValueError:
            return done.stdout

    return run


def environment(region):
    return {**region.environment(), "AWS_PAGER": "", "AWS_EC2_METADATA_DISABLED": "true", "PYTHONUNBUFFERED": "1"}


def test_the_walk_of_the_readme(aws, region, tmp_path):
    name = f"walk-{uuid.uuid4().hex[:8]}"
    assert aws("ecs", "create-cluster", "--cluster-name", name)["cluster"]["status"] == "ACTIVE"
    made = aws("ecr", "create-repository", "--repository-name", name)["repository"]
    assert made["repositoryUri"].endswith(f":{region.port}/{name}")
    password = aws("ecr", "get-login-password").strip()
    login = subprocess.run(["podman", "login", "--tls-verify=false", "-u", "AWS", "--password-stdin", "--authfile", str(tmp_path / "auth.json"),
                            region.registry], input=password, capture_output=True, text=True, timeout=60)
    assert login.returncode == 0, login.stderr
    Registry(region, name).push_image("v1", Cmd=["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"])
    containers = json.dumps([{"name": "app", "image": f"{region.registry}/{name}:v1"}])
    definition = aws("ecs", "register-task-definition", "--family", name, "--network-mode", "awsvpc", "--requires-compatibilities",
                     "FARGATE", "--cpu", "256", "--memory", "512", "--execution-role-arn", "ecsTaskExecutionRole",
                     "--container-definitions", containers)["taskDefinition"]
    assert definition["revision"] == 1
    subnets = aws("ec2", "describe-subnets", "--filters", "Name=default-for-az,Values=true", "--query", "Subnets[].SubnetId")
    assert len(subnets) == 3
    run = ("ecs", "run-task", "--cluster", name, "--task-definition", name, "--launch-type", "FARGATE")
    ran = aws(*run, "--network-configuration", f"awsvpcConfiguration={{subnets=[{subnets[0]}]}}", "--started-by", "me")
    task = ran["tasks"][0]["taskArn"]
    aws("ecs", "wait", "tasks-running", "--cluster", name, "--tasks", task)
    described = aws("ecs", "describe-tasks", "--cluster", name, "--tasks", task, "--query", "tasks[0].[lastStatus,startedBy]")
    assert described == ["RUNNING", "me"]
    aws("ecs", "stop-task", "--cluster", name, "--task", task, "--reason", "enough")
    aws("ecs", "wait", "tasks-stopped", "--cluster", name, "--tasks", task)
    [stopped] = region.client("ecs").describe_tasks(cluster=name, tasks=[task])["tasks"]
    assert (stopped["stopCode"], stopped["stoppedReason"], stopped["containers"][0]["exitCode"]) == ("UserInitiated", "enough", 0)
    assert "ClusterNotFoundException" in aws("ecs", "list-tasks", "--cluster", f"{name}-never", fails=True)


def test_logs_tail_follow(program, region):
    repository = f"tail-{uuid.uuid4().hex[:8]}"
    region.client("ecr").create_repository(repositoryName=repository)
    Registry(region, repository).push_image("latest")
    tasks = Tasks(region)
    tail = subprocess.Popen([program, "--endpoint-url", region.endpoint, "logs", "tail", tasks.group, "--follow", "--format", "short"],
                            env=environment(region), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    seen, begun = [], time.monotonic()
    reader = threading.Thread(target=lambda: seen.extend((time.monotonic() - begun, line.rstrip()) for line in tail.stdout))
    reader.daemon = True
    reader.start()
    try:
        count = "i=0; while [ $i -lt 40 ]; do echo line $i; i=$((i+1)); sleep 0.15; done"
        task = tasks.run(tasks.register([tasks.container(f"{region.registry}/{repository}:latest", ["sh", "-c", count])]))
        wait_for(lambda: len(seen) > 3 or tail.poll() is not None, "lines arrive while the task runs")
        assert tail.poll() is None, tail.stderr.read()
        assert tasks.describe(task)["lastStatus"] == "RUNNING"
        wait_for(lambda: seen and seen[-1][1].endswith("line 39"), lambda: f"the last line: {seen}")
    finally:
        tail.terminate()
        tail.wait(timeout=10)
    texts = [re.sub(r"^\S+ ", "", line) for _, line in seen]
    assert texts == [f"line {i}" for i in range(40)]
    assert seen[-1][0] - seen[0][0] > 2, "as they came, not all at once"
    # Without --follow it ends by itself and shows the same.
    once = subprocess.run([program, "--endpoint-url", region.endpoint, "logs", "tail", tasks.group, "--since", "1h", "--format", "short"],
                          env=environment(region), capture_output=True, text=True, timeout=60)
    assert [re.sub(r"^\S+ ", "", line) for line in once.stdout.splitlines()] == texts, once.stderr
