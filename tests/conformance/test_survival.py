"""The server is stopped and killed; tasks go on, nothing is lost, nothing is left over."""

import json
import os
import signal
import subprocess
import time
import tomllib
from pathlib import Path

import pytest
from conftest import Region, program
from images import Registry
from leftovers import leaves_nothing, of_tasks, shims
from tasks import Tasks
from waiting import wait_for


def prepared(region):
    region.client("ecr").create_repository(repositoryName="busybox")
    Registry(region, "busybox").push_image("latest")
    return Tasks(region), f"localhost:{region.port}/busybox:latest"


COUNT = ["sh", "-c", "i=0; while [ $i -lt 200 ]; do echo line $i; i=$((i+1)); sleep 0.02; done"]


@pytest.mark.parametrize("hard", [False, True])
def test_tasks_outlive_the_server_and_lose_no_line(own_region, hard):
    region = own_region
    tasks, image = prepared(region)
    counting = tasks.run(tasks.register([tasks.container(image, COUNT)]))
    sleeping = tasks.run(tasks.register([tasks.container(image, ["sleep", "600"])]))
    tasks.wait(counting, "RUNNING")
    runtime_id = tasks.wait(sleeping, "RUNNING")["containers"][0]["runtimeId"]
    region.stop(hard=hard)
    time.sleep(5)  # the counting container ends by itself in the meantime
    region.start()
    ended = wait_for(lambda: (t := tasks.describe(counting))["lastStatus"] == "STOPPED" and t, "the exit seen", 30)
    assert tasks.exit_code(ended) == 0
    assert tasks.lines(counting) == [f"line {i}" for i in range(200)]
    again = tasks.describe(sleeping)
    assert again["lastStatus"] == "RUNNING" and again["containers"][0]["runtimeId"] == runtime_id
    tasks.stop(sleeping)


def test_state_survives_a_kill(own_region):
    region = own_region
    ecs = region.client("ecs")
    made = [ecs.create_cluster(clusterName=f"kill-{i}")["cluster"]["clusterArn"] for i in range(20)]
    region.stop(hard=True)
    region.start()
    assert set(made) <= set(region.client("ecs").list_clusters()["clusterArns"])


def test_nothing_is_left_after_tasks_end(own_region):
    region = own_region
    tasks, image = prepared(region)
    ended = tasks.run_to_end([tasks.container(image, ["true"])])
    assert tasks.exit_code(ended) == 0
    running = tasks.run(tasks.register([tasks.container(image, ["sleep", "600"])]))
    tasks.wait(running, "RUNNING")
    there = of_tasks(region)
    assert {"shims", "processes", "mounts", "cgroups", "interfaces", "namespaces"} <= set(there), there
    tasks.stop(running)
    leaves_nothing(region)


def test_killed_shim_ends_the_task(own_region):
    region = own_region
    tasks, image = prepared(region)
    task = tasks.run(tasks.register([tasks.container(image, ["sleep", "600"])]))
    tasks.wait(task, "RUNNING")
    [(pid, _)] = shims(region)
    os.kill(pid, signal.SIGKILL)
    stopped = tasks.wait(task, "STOPPED")
    assert "its shim" in stopped["containers"][0]["reason"], stopped
    assert stopped["stopCode"] == "EssentialContainerExited" and stopped["stoppedReason"]
    leaves_nothing(region)


def test_env_status_and_a_second_server(region):
    lines = subprocess.run([program(), "env", "--data-dir", region.data_dir], check=True, capture_output=True, text=True).stdout
    assert f"export AWS_ENDPOINT_URL={region.endpoint}" in lines and region.key[0] in lines
    status = subprocess.run([program(), "status", "--data-dir", region.data_dir], check=True, capture_output=True, text=True)
    assert "clusters" in status.stdout.lower()
    second = subprocess.run([program(), "up", "--listen", "127.0.0.1:0", "--data-dir", region.data_dir], capture_output=True,
                            text=True, timeout=20)
    assert second.returncode != 0 and "already" in second.stderr
    mode = os.stat(Path(region.data_dir) / "root-access-key.toml").st_mode & 0o777
    assert mode == 0o600


def test_stop_tasks_flag():
    region = Region("--stop-tasks")
    try:
        tasks, image = prepared(region)
        task = tasks.run(tasks.register([tasks.container(image, ["sleep", "600"])]))
        tasks.wait(task, "RUNNING")
        region.stop()
        leaves_nothing(region, deadline=0)
    finally:
        region.close()


def test_stop_tasks_removes_what_an_adopted_region_was_left():
    region = Region("--stop-tasks")
    try:
        tasks, image = prepared(region)
        task = tasks.run(tasks.register([tasks.container(image, ["sleep", "600"])]))
        tasks.wait(task, "RUNNING")
        region.stop(hard=True)
        region.start()
        # The agent has taken over what there was before it takes anything new.
        tasks.wait(tasks.run(tasks.register([tasks.container(image, ["sleep", "600"])])), "RUNNING")
        bridge = tomllib.loads((Path(region.data_dir) / "host.toml").read_text())["bridge"]
        # What a race between a task's end and a kill would leave: a network and a sandbox that no task has.
        (Path("/run/longshore/netns") / bridge / "ghost").touch()
        (Path(region.data_dir) / "tasks" / "ghost").mkdir()
        region.stop()
        leaves_nothing(region)
        assert not Path("/sys/class/net", bridge).exists()
        assert not (Path(region.data_dir) / "tasks" / "ghost").exists()
    finally:
        region.close()


def test_demo_shows_the_whole_way_and_leaves_nothing():
    done = subprocess.run([program(), "demo"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "RUNNING" in done.stdout and "STOPPED" in done.stdout


def test_help_and_bad_configuration(tmp_path):
    text = subprocess.run([program(), "up", "--help"], check=True, capture_output=True, text=True).stdout
    for flag in ["--listen", "--data-dir", "--region", "--account", "--stop-tasks", "LONGSHORE_LISTEN"]:
        assert flag in text
    config = tmp_path / "c.toml"
    config.write_text('lisen = "x"\n')
    bad = subprocess.run([program(), "check-config", "--config", str(config)], capture_output=True, text=True)
    assert bad.returncode != 0 and "lisen" in bad.stderr
    config.write_text('region = "eu-west-1"\n')
    good = subprocess.run([program(), "check-config", "--config", str(config)], capture_output=True, text=True, check=True)
    assert 'region = "eu-west-1"' in good.stdout
