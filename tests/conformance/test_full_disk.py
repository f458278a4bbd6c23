"""A full disk: what needs room fails with a reason, nothing acknowledged is lost, and all goes on once there is room."""

import errno
import os
import subprocess
import tempfile
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from conftest import Region
from images import Registry, busybox_layer, digest
from leftovers import leaves_nothing
from tasks import Tasks
from test_faults import entry, fails_to_start
from waiting import wait_for

MIB = 1 << 20


class SmallDisk:
    """A region whose data directory is a file system of its own with little room."""

    def __init__(self, directory, mib):
        self.directory = directory
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=700", "longshore-test", str(directory)], check=True)
        self.region = Region(data_dir=directory)

    def free(self):
        room = os.statvfs(self.directory)
        return room.f_bavail * room.f_frsize

    def fill(self, leave):
        """Takes all but `leave` bytes."""
        with open(self.directory / "ballast", "wb", buffering=0) as ballast:
            try:
                while self.free() > leave:
                    ballast.write(bytes(min(self.free() - leave, MIB)))
            except OSError as error:
                # The region has taken the rest meanwhile.
                assert error.errno == errno.ENOSPC

    def make_room(self):
        (self.directory / "ballast").unlink()

    def close(self):
        (self.directory / "ballast").unlink(missing_ok=True)
        try:
            self.region.close()
        finally:
            subprocess.run(["umount", str(self.directory)], check=True)


@pytest.fixture
def disk():
    # A short path: sockets of tasks lie below it.
    directory = Path(tempfile.mkdtemp(prefix="longshore-test-"))
    disk = SmallDisk(directory, 160)
    yield disk
    disk.close()
    directory.rmdir()


def big_layer(mib):
    return busybox_layer([(entry("big", size=mib * MIB), bytes(mib * MIB))])


def push(region, **images):
    region.client("ecr").create_repository(repositoryName="app")
    for tag, layer in images.items():
        Registry(region, "app").push_image(tag, layer)
    return Tasks(region), {tag: f"localhost:{region.port}/app:{tag}" for tag in images}


def test_a_pull_that_fills_the_disk(disk):
    region = disk.region
    tasks, images = push(region, big=big_layer(48), small=None)
    running = tasks.run(tasks.register([tasks.container(images["small"], ["sh", "-c", "echo before; sleep 600"])]))
    tasks.wait(running, "RUNNING")
    disk.fill(leave=16 * MIB)
    fails_to_start(tasks, images["big"], "no space left on device")
    assert disk.free() > 8 * MIB, "what was unpacked is removed"
    # The region and its tasks go on, before and after there is room.
    assert tasks.describe(running)["lastStatus"] == "RUNNING" and tasks.lines(running) == ["before"]
    again = tasks.run_to_end([tasks.container(images["small"], ["echo", "fits"])])
    assert tasks.lines(again["taskArn"]) == ["fits"]
    disk.make_room()
    task = tasks.run_to_end([tasks.container(images["big"], ["sh", "-c", "stat -c %s /big"])])
    assert tasks.exit_code(task) == 0 and tasks.lines(task["taskArn"]) == [str(48 * MIB)]
    tasks.stop(running)
    leaves_nothing(region)


def test_a_push_that_fills_the_disk(disk):
    region = disk.region
    region.client("ecr").create_repository(repositoryName="app")
    registry = Registry(region, "app")
    kept = registry.push_blob(b"kept")
    disk.fill(leave=4 * MIB)
    blob = os.urandom(16 * MIB)
    location = registry.call("POST", "/blobs/uploads/", b"")[1]["Location"]
    (disk.directory.parent / "blob").write_bytes(blob)
    # With curl, which reads the answer that comes before it has sent everything, as clients of registries do.
    answer = subprocess.run(["curl", "-sS", "-X", "PUT", "-T", disk.directory.parent / "blob", "-w", "\n%{http_code}", "-H",
                             f"Authorization: {registry.header['Authorization']}",
                             f"{registry.host}{location}?digest={digest(blob)}"], capture_output=True, text=True).stdout
    assert answer.endswith("\n500") or answer.endswith("\n507"), answer
    assert registry.call("HEAD", f"/blobs/{digest(blob)}")[0] == 404
    assert disk.free() > 2 * MIB, "the upload is removed"
    disk.make_room()
    assert registry.push_blob(blob) == digest(blob)
    assert registry.call("GET", f"/blobs/{kept}")[2] == b"kept"
    leaves_nothing(region)


def test_a_full_disk_of_the_store(disk):
    region = disk.region
    ecs = region.client("ecs")
    names = lambda: {arn.rsplit("/", 1)[1] for page in ecs.get_paginator("list_clusters").paginate() for arn in page["clusterArns"]}
    tags = [{"key": f"k{i}", "value": "v" * 250} for i in range(50)]
    made, refused = [], []

    def create():
        name = f"c{len(made) + len(refused)}"
        try:
            ecs.create_cluster(clusterName=name, tags=tags)
            made.append(name)
        except ClientError as error:
            assert error.response["Error"]["Code"] == "ServerException", error
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 500
            refused.append(name)
        return refused

    disk.fill(leave=0)
    wait_for(create, "the store is full", step=0)
    # Reading goes on, and shows what was acknowledged and nothing else.
    assert set(made) <= names()
    disk.make_room()
    before = len(made)
    wait_for(lambda: create() and len(made) > before, "the store takes changes again", step=0.2)
    assert set(made) <= names()
    region.stop(hard=True)
    region.start()
    ecs = region.client("ecs")
    assert set(made) <= names(), "after a restart too"
    leaves_nothing(region)


def test_a_region_is_killed_and_started_on_a_full_disk(disk):
    region = disk.region
    tasks, images = push(region, small=None)
    task = tasks.run(tasks.register([tasks.container(images["small"], ["sleep", "600"])]))
    runtime_id = tasks.wait(task, "RUNNING")["containers"][0]["runtimeId"]
    disk.fill(leave=0)
    region.stop(hard=True)
    command = [region.process.args[0], "up", "--listen", f"127.0.0.1:{region.port}", "--data-dir", region.data_dir]
    try:
        tried = subprocess.run(command, capture_output=True, text=True, timeout=2)
        assert tried.returncode != 0 and "space" in tried.stderr, tried.stderr
    except subprocess.TimeoutExpired:
        pass  # it needed no room
    disk.make_room()
    region.start()
    again = tasks.describe(task)
    assert again["lastStatus"] == "RUNNING" and again["containers"][0]["runtimeId"] == runtime_id
    tasks.stop(task)
    leaves_nothing(region)
