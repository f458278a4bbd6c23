"""The life of Fargate tasks: what runs, what stops, and why."""

import concurrent.futures
import uuid

import pytest
from botocore.exceptions import ClientError
from images import Registry
from tasks import Tasks
from waiting import wait_for


@pytest.fixture(scope="module")
def image(region):
    region.client("ecr").create_repository(repositoryName="busybox")
    Registry(region, "busybox").push_image("latest")
    return f"localhost:{region.port}/busybox:latest"


@pytest.fixture(scope="module")
def tasks(region, image):
    made = Tasks(region)
    yield made
    made.close()


def test_a_task_runs_and_its_lines_arrive(tasks, image):
    command = ["sh", "-c", "echo one; echo two >&2; printf three; exit 3"]
    task = tasks.run_to_end([tasks.container(image, command)])
    assert tasks.exit_code(task) == 3
    assert task["stopCode"] == "EssentialContainerExited"
    assert task["stoppedReason"] == "Essential container in task exited"
    assert sorted(tasks.lines(task["taskArn"])) == ["one", "three", "two"]
    stamps = ["createdAt", "pullStartedAt", "pullStoppedAt", "startedAt", "stoppingAt", "executionStoppedAt", "stoppedAt"]
    moments = [task[stamp] for stamp in stamps]
    assert moments[0] <= moments[1] <= moments[2] <= moments[3] <= moments[-1]
    container = task["containers"][0]
    assert container["imageDigest"].startswith("sha256:") and container["runtimeId"]
    assert container["lastStatus"] == "STOPPED"


def test_running_task_shows_its_address(tasks, image):
    task = tasks.run(tasks.register([tasks.container(image, ["sleep", "600"])]), startedBy="me",
                     tags=[{"key": "k", "value": "v"}], group="family:mine")
    running = tasks.wait(task, "RUNNING")
    details = {d["name"]: d["value"] for d in running["attachments"][0]["details"]}
    address = running["containers"][0]["networkInterfaces"][0]["privateIpv4Address"]
    assert details["privateIPv4Address"] == address and details["networkInterfaceId"].startswith("eni-")
    assert running["tags"] == [{"key": "k", "value": "v"}]
    assert (running["startedBy"], running["group"], running["launchType"]) == ("me", "family:mine", "FARGATE")
    listed = tasks.ecs.list_tasks(cluster=tasks.cluster, startedBy="me")["taskArns"]
    assert listed == [task]
    stopped = tasks.stop(task, "enough")
    assert stopped["stopCode"] == "UserInitiated" and stopped["stoppedReason"] == "enough"
    assert tasks.exit_code(stopped) in (137, 143)


def test_containers_of_a_task_share_localhost_and_volumes(tasks, image):
    server = tasks.container(image, ["sh", "-c", "echo shared > /data/file; nc -l -p 9000 -e echo hello"], name="server",
                             mountPoints=[{"sourceVolume": "scratch", "containerPath": "/data"}])
    client = tasks.container(
        image, ["sh", "-c", "until nc 127.0.0.1 9000 </dev/null > /tmp/x; do sleep 0.1; done; cat /tmp/x /in/file"],
        mountPoints=[{"sourceVolume": "scratch", "containerPath": "/in", "readOnly": True}],
        dependsOn=[{"containerName": "server", "condition": "START"}])
    server["essential"] = False
    definition = tasks.register([server, client], volumes=[{"name": "scratch"}])
    task = tasks.wait(tasks.run(definition), "STOPPED")
    assert tasks.exit_code(task) == 0
    assert tasks.lines(task["taskArn"]) == ["hello", "shared"]


def test_overrides(tasks, image):
    definition = tasks.register([tasks.container(image, ["false"], environment=[{"name": "A", "value": "1"}])])
    overrides = {"containerOverrides": [{"name": "main", "command": ["sh", "-c", "echo $A $B"],
                                         "environment": [{"name": "B", "value": "2"}]}]}
    task = tasks.wait(tasks.run(definition, overrides=overrides), "STOPPED")
    assert tasks.exit_code(task) == 0 and tasks.lines(task["taskArn"]) == ["1 2"]


def test_user_directory_and_entry_point(tasks, image):
    container = tasks.container(image, ["id -u; pwd; hostname >/dev/null"], entryPoint=["sh", "-c"], user="app",
                                workingDirectory="/var/work")
    task = tasks.run_to_end([container])
    assert tasks.lines(task["taskArn"]) == ["1000", "/var/work"]


def test_read_only_root_tmpfs_limits_and_init(tasks, image):
    script = "touch /x 2>/dev/null && echo bad; touch /tmpfs/x && echo good; ulimit -n; cat /proc/1/cmdline | head -c 20"
    container = tasks.container(
        image, ["sh", "-c", script], readonlyRootFilesystem=True,
        ulimits=[{"name": "nofile", "softLimit": 1234, "hardLimit": 2345}],
        linuxParameters={"initProcessEnabled": True})
    # Fargate has no tmpfs; what it does not take is refused, so a volume stands in for the writable place.
    container["mountPoints"] = [{"sourceVolume": "w", "containerPath": "/tmpfs"}]
    task = tasks.wait(tasks.run(tasks.register([container], volumes=[{"name": "w"}])), "STOPPED")
    lines = tasks.lines(task["taskArn"])
    assert lines[0] == "good" and lines[1] == "1234"


def test_depends_on_conditions(tasks, image):
    first = tasks.container(image, ["sh", "-c", "echo first"], name="first", essential=False)
    second = tasks.container(image, ["sh", "-c", "exit 0"], name="second", essential=False,
                             dependsOn=[{"containerName": "first", "condition": "COMPLETE"}])
    healthy = tasks.container(image, ["sh", "-c", "touch /tmp/ok; sleep 600"], name="healthy",
                              dependsOn=[{"containerName": "second", "condition": "SUCCESS"}],
                              healthCheck={"command": ["CMD-SHELL", "test -e /tmp/ok"], "interval": 5, "retries": 1})
    main = tasks.container(image, ["sh", "-c", "echo last"],
                           dependsOn=[{"containerName": "healthy", "condition": "HEALTHY"}])
    task = tasks.run_to_end([first, second, healthy, main])
    assert tasks.exit_code(task) == 0 and tasks.lines(task["taskArn"]) == ["last"]
    assert tasks.exit_code(task, "first") == 0 and tasks.exit_code(task, "second") == 0


def test_dependency_that_fails_stops_the_task(tasks, image):
    first = tasks.container(image, ["false"], name="first", essential=False)
    main = tasks.container(image, ["echo", "never"], dependsOn=[{"containerName": "first", "condition": "SUCCESS"}])
    task = tasks.run_to_end([first, main])
    assert tasks.exit_code(task) is None and task["stopCode"] == "TaskFailedToStart"


def test_health_is_reported(tasks, image):
    container = tasks.container(image, ["sh", "-c", "touch /tmp/ok; sleep 600"],
                                healthCheck={"command": ["CMD-SHELL", "test -e /tmp/ok"], "interval": 5})
    task = tasks.run(tasks.register([container]))
    wait_for(lambda: tasks.describe(task)["healthStatus"] == "HEALTHY", "HEALTHY")
    tasks.stop(task)


def test_ten_at_once_and_client_token(tasks, image):
    definition = tasks.register([tasks.container(image, ["sleep", "600"])])
    token = uuid.uuid4().hex
    run = lambda count: tasks.ecs.run_task(cluster=tasks.cluster, taskDefinition=definition, count=count, clientToken=token,
                                           launchType="FARGATE", networkConfiguration=tasks.network)["tasks"]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = [sorted(task["taskArn"] for task in answer) for answer in pool.map(run, [10] * 8)]
    made = answers[0]
    assert len(set(made)) == 10
    assert all(answer == made for answer in answers), "one request sent eight times at once starts its tasks once"
    assert sorted(task["taskArn"] for task in run(10)) == sorted(made)
    with pytest.raises(ClientError) as error:
        run(9)
    assert error.value.response["Error"]["Code"] == "ConflictException"
    for task in made:
        tasks.wait(task, "RUNNING")
    listed = []
    for page in tasks.ecs.get_paginator("list_tasks").paginate(cluster=tasks.cluster, PaginationConfig={"PageSize": 3}):
        listed += page["taskArns"]
    assert set(made) <= set(listed)
    for task in made:
        tasks.ecs.stop_task(cluster=tasks.cluster, task=task)
    for task in made:
        tasks.wait(task, "STOPPED")


def test_no_line_of_a_short_life_is_lost(tasks, image):
    """Containers that end sooner than their start is told, as happens when many start at once."""
    definition = tasks.register([tasks.container(image, ["echo", "short"])])
    made = []
    for _ in range(4):
        answer = tasks.ecs.run_task(cluster=tasks.cluster, taskDefinition=definition, count=10, launchType="FARGATE",
                                    networkConfiguration=tasks.network)
        made += [task["taskArn"] for task in answer["tasks"]]
    for task in made:
        ended = tasks.wait(task, "STOPPED")
        assert tasks.exit_code(ended) == 0 and ended["containers"][0]["runtimeId"]
        assert tasks.lines(task) == ["short"]


def test_layer_whose_content_lies(tasks, region):
    Registry(region, "busybox").push_image("liar", diff_id="sha256:" + "0" * 64)
    task = tasks.run_to_end([tasks.container(f"localhost:{region.port}/busybox:liar", ["true"])])
    assert "CannotPullContainerError" in task["stoppedReason"]


def test_cluster_with_tasks_is_not_deleted(tasks, image):
    task = tasks.run(tasks.register([tasks.container(image, ["sleep", "600"])]))
    with pytest.raises(ClientError) as error:
        tasks.ecs.delete_cluster(cluster=tasks.cluster)
    assert error.value.response["Error"]["Code"] == "ClusterContainsTasksException"
    tasks.stop(task)
