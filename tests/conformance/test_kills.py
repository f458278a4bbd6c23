"""SIGKILL of the server at every stage of a task's life: after the next start the task goes on to the right end, a
container that ran is the same one, no line is lost or doubled, and nothing is left behind."""

import time
from pathlib import Path

import pytest
from conftest import Region
from images import Registry
from leftovers import leaves_nothing, shims
from services import processes
from other_registry import OtherRegistry
from tasks import Tasks
from waiting import wait_for


def prepared(region):
    region.client("ecr").create_repository(repositoryName="busybox")
    Registry(region, "busybox").push_image("latest")
    return Tasks(region), f"localhost:{region.port}/busybox:latest"


@pytest.fixture
def killed():
    """Regions that this test kills; each ends clean."""
    regions = []

    def start(*flags):
        regions.append(Region(*flags))
        return regions[-1]

    yield start
    for region in regions:
        try:
            leaves_nothing(region)
        finally:
            region.close()


def kill(region, *flags):
    """Kills the server and starts it again, with these flags."""
    region.stop(hard=True)
    region.flags = list(flags)
    region.start()


def runtime_ids(task):
    return {container["name"]: container.get("runtimeId") for container in task["containers"]}


def test_provisioning(killed):
    # Without a host a task stays PROVISIONING until one comes.
    region = killed("--no-host")
    tasks, image = prepared(region)
    task = tasks.run(tasks.register([tasks.container(image, ["echo", "ran"])]))
    assert tasks.describe(task)["lastStatus"] == "PROVISIONING"
    kill(region, "--no-host")
    assert tasks.describe(task)["lastStatus"] == "PROVISIONING"
    kill(region)
    ended = tasks.wait(task, "STOPPED")
    assert tasks.exit_code(ended) == 0 and tasks.lines(task) == ["ran"]


def test_pending(killed):
    region, other = killed(), OtherRegistry()
    try:
        tasks, _ = prepared(region)
        image, _ = other.add("slow")
        other.gate.clear()
        task = tasks.run(tasks.register([tasks.container(image, ["sh", "-c", "echo ran; sleep 600"])]))
        other.waiting.wait(20)
        assert tasks.describe(task)["lastStatus"] == "PENDING"
        kill(region)
        assert tasks.describe(task)["lastStatus"] == "PENDING"
        other.gate.set()
        tasks.wait(task, "RUNNING")
        wait_for(lambda: tasks.lines(task) == ["ran"], "its line")
        tasks.stop(task)
    finally:
        other.close()


def test_pending_and_stopped_while_the_server_is_away(killed):
    """A task whose pull never ends is stopped right after the restart."""
    region, other = killed(), OtherRegistry()
    try:
        tasks, _ = prepared(region)
        image, _ = other.add("slow")
        other.gate.clear()
        task = tasks.run(tasks.register([tasks.container(image, ["true"])]))
        other.waiting.wait(20)
        kill(region)
        stopped = tasks.stop(task, "never mind")
        assert stopped["stopCode"] == "UserInitiated" and stopped["stoppedReason"] == "never mind"
        assert tasks.exit_code(stopped) is None
    finally:
        other.close()


def test_activating(killed):
    region = killed()
    tasks, image = prepared(region)
    first = tasks.container(image, ["sh", "-c", "echo first; until test -e /data/go; do sleep 0.1; done; touch /tmp/ok; sleep 600"],
                            name="first", mountPoints=[{"sourceVolume": "data", "containerPath": "/data"}],
                            healthCheck={"command": ["CMD-SHELL", "test -e /tmp/ok"], "interval": 5, "retries": 10})
    second = tasks.container(image, ["sh", "-c", "echo second; sleep 600"],
                             dependsOn=[{"containerName": "first", "condition": "HEALTHY"}])
    task = tasks.run(tasks.register([first, second], volumes=[{"name": "data"}]))
    before = tasks.wait(task, "ACTIVATING")
    wait_for(lambda: runtime_ids(tasks.describe(task))["first"], "the first container runs")
    before = tasks.describe(task)
    assert before["lastStatus"] == "ACTIVATING" and runtime_ids(before)["main"] is None
    region.stop(hard=True)
    # The volume is mounted where its containers are and nowhere else.
    Path(f"/proc/{processes(task)[0]}/root/data/go").touch()
    region.start()
    after = tasks.wait(task, "RUNNING")
    assert runtime_ids(after)["first"] == runtime_ids(before)["first"]
    wait_for(lambda: tasks.lines(task) == ["second"], "the second's line")
    assert tasks.lines(task, "first") == ["first"]
    tasks.stop(task)


def test_running_and_killed_again_and_again(killed):
    region = killed()
    tasks, image = prepared(region)
    count = "i=0; while [ $i -lt 400 ]; do echo line $i; i=$((i+1)); sleep 0.01; done; sleep 600"
    task = tasks.run(tasks.register([tasks.container(image, ["sh", "-c", count])]))
    before = tasks.wait(task, "RUNNING")
    for pause in [0, 0.05, 0.2, 0.4]:
        time.sleep(pause)
        kill(region)
    wait_for(lambda: tasks.lines(task)[-1:] == ["line 399"], "the last line")
    assert tasks.lines(task) == [f"line {i}" for i in range(400)]
    after = tasks.describe(task)
    assert after["lastStatus"] == "RUNNING" and runtime_ids(after) == runtime_ids(before)
    assert after["startedAt"] == before["startedAt"]
    tasks.stop(task)


def test_ended_while_the_server_was_away(killed):
    region = killed()
    tasks, image = prepared(region)
    task = tasks.run(tasks.register([tasks.container(image, ["sh", "-c", "echo one; sleep 1; echo two; exit 7"])]))
    before = tasks.wait(task, "RUNNING")
    region.stop(hard=True)
    time.sleep(1.5)
    region.start()
    after = tasks.wait(task, "STOPPED")
    assert tasks.exit_code(after) == 7 and after["stopCode"] == "EssentialContainerExited"
    assert runtime_ids(after) == runtime_ids(before) and tasks.lines(task) == ["one", "two"]


IGNORES = ["sh", "-c", "trap 'echo asked' TERM; echo up; while :; do sleep 0.1; done"]


def test_stopping(killed):
    """The stop goes on: the container is asked once, and killed when its time is over."""
    region = killed()
    tasks, image = prepared(region)
    task = tasks.run(tasks.register([tasks.container(image, IGNORES, stopTimeout=4)]))
    before = tasks.wait(task, "RUNNING")
    wait_for(lambda: tasks.lines(task) == ["up"], "its first line")
    begun = time.monotonic()
    tasks.ecs.stop_task(cluster=tasks.cluster, task=task, reason="enough")
    wait_for(lambda: tasks.lines(task) == ["up", "asked"], "the container was asked")
    assert tasks.describe(task)["lastStatus"] in ("DEACTIVATING", "STOPPING")
    kill(region)
    after = tasks.wait(task, "STOPPED")
    assert 3.5 < time.monotonic() - begun < 20
    assert tasks.exit_code(after) == 137 and runtime_ids(after) == runtime_ids(before)
    assert after["stopCode"] == "UserInitiated" and after["stoppedReason"] == "enough"
    assert tasks.lines(task) == ["up", "asked"]


def test_deactivating(killed):
    """Without a host nobody carries the stop out: the task stays where the request put it."""
    region = killed()
    tasks, image = prepared(region)
    task = tasks.run(tasks.register([tasks.container(image, ["sh", "-c", "trap 'echo bye; exit 0' TERM; while :; do sleep 0.1; done"])]))
    before = tasks.wait(task, "RUNNING")
    kill(region, "--no-host")
    tasks.ecs.stop_task(cluster=tasks.cluster, task=task, reason="enough")
    assert tasks.describe(task)["lastStatus"] == "DEACTIVATING"
    assert len(shims(region)) == 1
    kill(region, "--no-host")
    assert tasks.describe(task)["lastStatus"] == "DEACTIVATING"
    kill(region)
    after = tasks.wait(task, "STOPPED")
    assert tasks.exit_code(after) == 0 and tasks.lines(task) == ["bye"]
    assert after["stopCode"] == "UserInitiated" and runtime_ids(after) == runtime_ids(before)


def test_deprovisioning(killed):
    region = killed("--no-host")
    tasks, image = prepared(region)
    task = tasks.run(tasks.register([tasks.container(image, ["true"])]))
    tasks.ecs.stop_task(cluster=tasks.cluster, task=task, reason="enough")
    assert tasks.describe(task)["lastStatus"] == "DEPROVISIONING"
    kill(region, "--no-host")
    assert tasks.describe(task)["lastStatus"] == "DEPROVISIONING"
    kill(region)
    after = tasks.wait(task, "STOPPED")
    assert after["stopCode"] == "UserInitiated" and tasks.exit_code(after) is None


def test_at_any_moment_of_a_short_life(killed):
    """Tasks that come, print and go, while the server is killed at moments that differ."""
    region = killed()
    tasks, image = prepared(region)
    definition = tasks.register([tasks.container(image, ["sh", "-c", "echo hello; sleep 0.02; echo bye; exit 3"])])
    made = []
    for pause in [0, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.07, 0.1]:
        made.append(tasks.run(definition))
        time.sleep(pause)
        kill(region)
    for task in made:
        ended = tasks.wait(task, "STOPPED")
        assert (tasks.exit_code(ended), ended["stopCode"]) == (3, "EssentialContainerExited"), ended
        assert tasks.lines(task) == ["hello", "bye"]


def test_at_any_moment_of_a_stop(killed):
    region = killed()
    tasks, image = prepared(region)
    definition = tasks.register([tasks.container(image, ["sh", "-c", "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.1; done"])])
    pauses = [0, 0.01, 0.03, 0.06, 0.1, 0.15]
    made = [tasks.run(definition) for _ in pauses]
    for task in made:
        wait_for(lambda task=task: tasks.lines(task) == ["up"], "it is up")
    for task, pause in zip(made, pauses):
        tasks.ecs.stop_task(cluster=tasks.cluster, task=task, reason="enough")
        time.sleep(pause)
        kill(region)
    for task in made:
        ended = tasks.wait(task, "STOPPED")
        assert (tasks.exit_code(ended), ended["stopCode"], ended["stoppedReason"]) == (0, "UserInitiated", "enough"), ended
        assert tasks.lines(task) == ["up", "bye"]
