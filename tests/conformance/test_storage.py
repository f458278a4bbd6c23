"""What tasks may write and where: ephemeral storage, volumes of EBS and EFS; and what else a container may have."""

import os
import tempfile
import uuid
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from conftest import Region
from images import Registry
from leftovers import leaves_nothing
from tasks import Tasks
from waiting import wait_for

ROLE = "arn:aws:iam::123456789012:role/ecsInfrastructureRole"
FILE_SYSTEM = "fs-0123456789abcdef0"
ACCESS_POINT = "fsap-0123456789abcdef0"


@pytest.fixture(scope="module")
def shared():
    with tempfile.TemporaryDirectory(prefix="longshore-efs-") as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def storage(shared):
    (shared / "point").mkdir()
    region = Region(f"--efs={FILE_SYSTEM}={shared}", f"--efs={ACCESS_POINT}={shared}/point")
    region.client("ecr").create_repository(repositoryName="busybox")
    Registry(region, "busybox").push_image("latest")
    yield region
    region.close()


@pytest.fixture(scope="module")
def image(storage):
    return f"localhost:{storage.port}/busybox:latest"


@pytest.fixture(scope="module")
def tasks(storage, image):
    made = Tasks(storage)
    yield made
    made.close()


def sh(script):
    return ["sh", "-c", script]


def backing_files(region):
    """Files of this region that loop devices are over."""
    found = []
    for path in Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            found.append(path.read_text().strip())
        except OSError:
            pass  # gone meanwhile
    return [path for path in found if region.data_dir in path]


def test_layers_and_volumes_share_the_ephemeral_storage(tasks, image, storage):
    script = """
        fallocate -l 12G /in-the-layer || exit 10
        fallocate -l 5G /data/in-the-volume || exit 11
        fallocate -l 5G /data/too-much 2>&1 | grep -i 'no space left' || exit 12
        rm /in-the-layer && fallocate -l 10G /data/fits-again || exit 13
        echo fine"""
    definition = tasks.register(
        [tasks.container(image, sh(script), mountPoints=[{"sourceVolume": "scratch", "containerPath": "/data"}])],
        volumes=[{"name": "scratch"}])
    task = tasks.wait(tasks.run(definition), "STOPPED")
    assert tasks.exit_code(task) == 0, tasks.lines(task["taskArn"])
    assert task["ephemeralStorage"] == {"sizeInGiB": 20}
    task = tasks.wait(tasks.run(definition, overrides={"ephemeralStorage": {"sizeInGiB": 30}}), "STOPPED")
    assert tasks.exit_code(task) == 12, "a larger storage holds more"
    leaves_nothing(storage)
    wait_for(lambda: not backing_files(storage), lambda: f"no loop devices: {backing_files(storage)}")


def test_what_is_written_takes_room_and_gives_it_back(tasks, image, storage):
    task = tasks.run(tasks.register([tasks.container(image, sh("dd if=/dev/zero of=/f bs=1M count=64 && sync; sleep 600"))]))
    tasks.wait(task, "RUNNING")
    disk = Path(storage.data_dir) / "tasks" / task.rsplit("/", 1)[1] / "disks/scratch.img"
    wait_for(lambda: disk.stat().st_blocks * 512 > 64 << 20, "the host sees what was written")
    assert disk.stat().st_size == 20 << 30
    tasks.stop(task)
    leaves_nothing(storage)
    assert not disk.exists()


def managed(size=1, **more):
    return [{"name": "disk", "managedEBSVolume": {"roleArn": ROLE, "sizeInGiB": size, "filesystemType": "ext4", **more}}]


def test_a_volume_of_ebs_has_its_size_lives_with_its_task_and_goes_with_it(tasks, image, storage):
    mounts = [{"sourceVolume": "disk", "containerPath": "/disk"}]
    first = tasks.container(image, sh("""
        grep ' /disk ' /proc/mounts | grep ext4 || exit 10
        fallocate -l 700M /disk/kept || exit 11
        fallocate -l 700M /disk/more 2>&1 | grep -i 'no space left' || exit 12
        fallocate -l 2G /not-on-the-disk"""), name="first", essential=False, mountPoints=mounts)
    second = tasks.container(image, sh("test -s /disk/kept && sleep 600"), name="second", mountPoints=mounts,
                             dependsOn=[{"containerName": "first", "condition": "SUCCESS"}])
    definition = tasks.register([first, second], volumes=[{"name": "disk", "configuredAtLaunch": True}])
    task = tasks.run(definition, volumeConfigurations=managed(
        tagSpecifications=[{"resourceType": "volume", "tags": [{"key": "k", "value": "v"}]}]))
    running = tasks.wait(task, "RUNNING")
    assert tasks.exit_code(running, "first") == 0
    attached = next(a for a in running["attachments"] if a["type"] == "AmazonElasticBlockStorage")
    details = {d["name"]: d["value"] for d in attached["details"]}
    assert attached["status"] == "ATTACHED" and details["volumeId"].startswith("vol-")
    assert (details["volumeSize"], details["volumeName"], details["deleteOnTermination"]) == ("1", "disk", "true")
    assert any("volume-disk" in path for path in backing_files(storage))
    # The region's end and its next start change nothing.
    storage.stop(hard=True)
    storage.start()
    assert tasks.exit_code(tasks.wait(task, "RUNNING"), "second") is None
    stopped = tasks.stop(task)
    assert next(a for a in stopped["attachments"] if a["id"] == attached["id"])["status"] == "DELETED"
    leaves_nothing(storage)
    wait_for(lambda: not backing_files(storage), lambda: f"no loop devices: {backing_files(storage)}")


def test_volumes_at_launch_are_asked_for_and_given(tasks, image):
    open_ended = tasks.register([tasks.container(image, sh("true"))], volumes=[{"name": "disk", "configuredAtLaunch": True}])
    plain = tasks.register([tasks.container(image, sh("true"))])
    for definition, volumes, words in [
        (open_ended, [], "no volume configuration was provided"),
        (plain, managed(), "no matching configuredAtLaunch volume found in task definition"),
        (open_ended, managed(0), "sizeInGiB"),
        (open_ended, managed(iops=3000), "iops"),
        (open_ended, managed(terminationPolicy={"deleteOnTermination": False}), "deleteOnTermination"),
    ]:
        with pytest.raises(ClientError, match=words):
            tasks.run(definition, **({"volumeConfigurations": volumes} if volumes else {}))


def test_tasks_of_a_service_have_volumes_too(tasks, image, storage):
    mounts = [{"sourceVolume": "disk", "containerPath": "/disk"}]
    definition = tasks.register([tasks.container(image, sh("grep ' /disk ' /proc/mounts && sleep 600"), mountPoints=mounts)],
                                volumes=[{"name": "disk", "configuredAtLaunch": True}])
    name = f"s-{uuid.uuid4().hex[:8]}"
    service = tasks.ecs.create_service(
        cluster=tasks.cluster, serviceName=name, taskDefinition=definition, desiredCount=1, launchType="FARGATE",
        networkConfiguration=tasks.network, volumeConfigurations=managed(2))["service"]
    assert service["deployments"][0]["volumeConfigurations"][0]["managedEBSVolume"]["sizeInGiB"] == 2

    def running():
        found = tasks.ecs.describe_services(cluster=tasks.cluster, services=[name])["services"][0]
        return found["runningCount"] == 1

    wait_for(running, "the service runs")
    task = tasks.ecs.list_tasks(cluster=tasks.cluster, serviceName=name)["taskArns"][0]
    attached = [a for a in tasks.describe(task)["attachments"] if a["type"] == "AmazonElasticBlockStorage"]
    assert len(attached) == 1
    tasks.ecs.delete_service(cluster=tasks.cluster, service=name, force=True)
    leaves_nothing(storage)


def efs(**more):
    return [{"name": "shared", "efsVolumeConfiguration": {"fileSystemId": FILE_SYSTEM, **more}}]


def test_a_file_system_of_efs_is_a_directory_of_the_host(tasks, image, shared):
    mounts = [{"sourceVolume": "shared", "containerPath": "/shared"}]
    (shared / "sub").mkdir()
    written = tasks.register([tasks.container(image, sh("echo hello > /shared/from-the-task"), mountPoints=mounts)],
                             volumes=efs(rootDirectory="/sub", transitEncryption="ENABLED"))
    task = tasks.wait(tasks.run(written), "STOPPED")
    assert tasks.exit_code(task) == 0
    assert (shared / "sub/from-the-task").read_text() == "hello\n", "it outlives the task"
    point = {"accessPointId": ACCESS_POINT, "iam": "DISABLED"}
    through = tasks.register([tasks.container(image, sh("touch /shared/x && ! touch /shared/sub"), mountPoints=[
        {**mounts[0], "readOnly": True}])], volumes=efs(transitEncryption="ENABLED", authorizationConfig=point))
    task = tasks.wait(tasks.run(through), "STOPPED")
    assert tasks.exit_code(task) != 0 and not (shared / "point/x").exists(), "it is mounted read-only"


@pytest.mark.parametrize("root, words", [("/missing", "No such file"), ("/out", "")])
def test_nothing_outside_of_a_file_system_is_mounted(tasks, image, shared, root, words):
    if not (shared / "out").is_symlink():
        os.symlink("/etc", shared / "out")
    definition = tasks.register([tasks.container(image, sh("ls /shared/shadow"),
                                                 mountPoints=[{"sourceVolume": "shared", "containerPath": "/shared"}])],
                                volumes=efs(rootDirectory=root))
    task = tasks.run(definition)
    stopped = wait_for(lambda: (t := tasks.describe(task))["lastStatus"] == "STOPPED" and t, "it stops")
    assert stopped["stopCode"] == "TaskFailedToStart"
    assert stopped["stoppedReason"].startswith("ResourceInitializationError") and words in stopped["stoppedReason"]


def test_a_file_system_that_the_host_does_not_have(tasks, image):
    definition = tasks.register([tasks.container(image, sh("true"))],
                                volumes=[{"name": "v", "efsVolumeConfiguration": {"fileSystemId": "fs-dead"}}])
    task = tasks.run(definition)
    stopped = wait_for(lambda: (t := tasks.describe(task))["lastStatus"] == "STOPPED" and t, "it stops")
    assert "failed to invoke EFS utils commands to set up EFS volumes" in stopped["stoppedReason"]


def test_containers_share_their_processes_when_they_are_told_to(tasks, image, storage):
    server = tasks.container(image, sh("exec sleep 599"), name="server")
    looking = tasks.container(image, sh("""
        until ps | grep 'sleep 59[9]'; do sleep 0.1; done
        for file in exe root cwd; do readlink /proc/1/$file && exit 3; done
        pid=$(ps | awk '/sleep 59[9]/ {print $1}'); kill -9 $pid && echo killed"""), name="looking", essential=False,
        dependsOn=[{"containerName": "server", "condition": "START"}])
    definition = tasks.register([server, looking], pidMode="task")
    task = tasks.wait(tasks.run(definition), "STOPPED")
    assert tasks.exit_code(task, "server") == 137
    assert tasks.lines(task["taskArn"], "looking")[-1] == "killed"
    alone = tasks.register([tasks.container(image, sh("ps | wc -l"))])
    task = tasks.wait(tasks.run(alone), "STOPPED")
    assert int(tasks.lines(task["taskArn"])[0]) <= 4
    leaves_nothing(storage)


def test_children_end_with_their_container_though_processes_are_shared(tasks, image, storage):
    short = tasks.container(image, sh("sleep 598 & exit 0"), name="short", essential=False)
    looking = tasks.container(image, sh("ps | grep 'sleep 59[8]' || echo gone"), name="looking",
                              dependsOn=[{"containerName": "short", "condition": "COMPLETE"}])
    task = tasks.wait(tasks.run(tasks.register([short, looking], pidMode="task")), "STOPPED")
    assert tasks.lines(task["taskArn"], "looking") == ["gone"]


def test_terminals_and_open_inputs(tasks, image):
    terminal = tasks.container(image, sh("test -t 0 && test -t 1 && echo $TERM; read x"), name="terminal", pseudoTerminal=True,
                               essential=False)
    opened = tasks.container(image, sh("read x; echo ended"), name="opened", interactive=True, essential=False)
    closed = tasks.container(image, sh("read x || echo ended; sleep 2"), name="closed")
    task = tasks.wait(tasks.run(tasks.register([terminal, opened, closed])), "STOPPED")
    arn = task["taskArn"]
    assert tasks.lines(arn, "closed") == ["ended"]
    assert tasks.lines(arn, "terminal") == ["xterm"]
    assert tasks.lines(arn, "opened") == [], "nothing ever comes, and it does not end"


def test_managed_tags_and_what_run_task_refuses(tasks, image):
    definition = tasks.register([tasks.container(image, sh("true"))], tags=[{"key": "from", "value": "definition"}])
    task = tasks.run(definition, enableECSManagedTags=True, propagateTags="TASK_DEFINITION", referenceId="mine",
                     tags=[{"key": "own", "value": "tag"}])
    tags = {tag["key"]: tag["value"] for tag in tasks.describe(task)["tags"]}
    assert tags == {"own": "tag", "from": "definition", "aws:ecs:clusterName": tasks.cluster}
    tasks.ecs.tag_resource(resourceArn=task, tags=[{"key": "later", "value": "one"}])
    tasks.ecs.untag_resource(resourceArn=task, tagKeys=["own"])
    listed = {tag["key"] for tag in tasks.ecs.list_tags_for_resource(resourceArn=task)["tags"]}
    assert listed == {"later", "from", "aws:ecs:clusterName"}
    gpu = {"containerOverrides": [{"name": "main", "resourceRequirements": [{"type": "GPU", "value": "1"}]}]}
    for more, words in [
        ({"propagateTags": "SERVICE"}, "from a service"),
        ({"placementConstraints": [{"type": "distinctInstance"}]}, "Placement constraints are not supported with FARGATE"),
        ({"placementStrategy": [{"type": "random"}]}, "Placement strategies are not supported with FARGATE"),
        ({"overrides": gpu}, "do not support GPU resource requirements"),
        ({"tags": [{"key": "aws:ecs:mine", "value": "x"}]}, "tags"),
    ]:
        with pytest.raises(ClientError, match=words):
            tasks.run(definition, **more)
