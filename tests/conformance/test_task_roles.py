"""The endpoint of a task: its metadata, the credentials of its role, and who does not get at them."""

import base64
import io
import ipaddress
import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import time
import tomllib
import urllib.error
import urllib.request
import uuid
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from conftest import Region, program, wait_for
from images import Registry
from tasks import TRUST, Tasks

# A whole request with busybox; the answer's head ends with an empty line.
GET = r"""get() { printf 'GET %s HTTP/1.0\r\nHost: x\r\n\r\n' "$1" | nc 169.254.170.2 80; echo; }; """


@pytest.fixture(scope="module")
def image(region):
    region.client("ecr").create_repository(repositoryName="roles")
    Registry(region, "roles").push_image("latest")
    return f"localhost:{region.port}/roles:latest"


@pytest.fixture(scope="module")
def tasks(region, image):
    made = Tasks(region)
    yield made
    made.close()


def bodies(lines):
    """The JSON documents among the lines that a container printed."""
    return [json.loads(line) for line in lines if line.startswith(("{", '"'))]


def test_metadata_of_version_4_and_3(tasks, image):
    script = GET + """for uri in $ECS_CONTAINER_METADATA_URI_V4 $ECS_CONTAINER_METADATA_URI; do
        path=/${uri#http://*/}; get $path; get $path/task; get $path/stats; get $path/task/stats; done"""
    container = tasks.container(image, ["sh", "-c", script], dockerLabels={"team": "sea"})
    task = tasks.run_to_end([container])
    assert tasks.exit_code(task) == 0
    v4, v4_task, v4_stats, v4_all, v3, v3_task, v3_stats, v3_all = bodies(tasks.lines(task["taskArn"]))
    shown = task["containers"][0]
    address = shown["networkInterfaces"][0]["privateIpv4Address"]
    assert (v4["Name"], v4["DockerId"], v4["ContainerARN"]) == ("main", shown["runtimeId"], shown["containerArn"])
    assert (v4["KnownStatus"], v4["Type"], v4["LogDriver"]) == ("RUNNING", "NORMAL", "awslogs")
    assert v4["ImageID"] == shown["imageDigest"] and v4["Image"] == image
    assert v4["Labels"]["team"] == "sea" and v4["Labels"]["com.amazonaws.ecs.task-arn"] == task["taskArn"]
    network = v4["Networks"][0]
    assert network["IPv4Addresses"] == [address] and network["NetworkMode"] == "awsvpc"
    block = ipaddress.ip_network(network["IPv4SubnetCIDRBlock"])
    assert ipaddress.ip_address(address) in block
    assert ipaddress.ip_interface(network["SubnetGatewayIpv4Address"]).network == block
    details = {d["name"]: d["value"] for d in task["attachments"][0]["details"]}
    assert network["MACAddress"] == details["macAddress"]
    assert v3["Networks"] == [{"NetworkMode": "awsvpc", "IPv4Addresses": [address]}]
    for seen in (v4_task, v3_task):
        assert (seen["TaskARN"], seen["Cluster"], seen["LaunchType"]) == (task["taskArn"], task["clusterArn"], "FARGATE")
        assert seen["Limits"] == {"CPU": 0.25, "Memory": 512} and seen["AvailabilityZone"] == task["availabilityZone"]
    for stats in (v4_stats, v3_stats):
        assert stats["cpu_stats"]["cpu_usage"]["total_usage"] > 0 and stats["cpu_stats"]["online_cpus"] > 0
        assert 0 < stats["memory_stats"]["usage"] <= stats["memory_stats"]["limit"] <= 512 << 20
        assert stats["pids_stats"]["current"] >= 1
        assert set(stats["networks"]) == {"eth0"}
    assert set(v4_all) == set(v3_all) == {shown["runtimeId"]}
    assert v4_all[shown["runtimeId"]]["cpu_stats"]["cpu_usage"]["total_usage"] > 0


def test_a_read_only_container_of_another_user_reaches_it_and_port_80_is_its_own(tasks, image):
    script = GET + """(nc -l -p 80 -e echo mine > /dev/null &) ; id -u; get /${ECS_CONTAINER_METADATA_URI_V4#http://*/}
        until nc 127.0.0.1 80 < /dev/null; do :; done; echo $AWS_EXECUTION_ENV $AWS_REGION"""
    container = tasks.container(image, ["sh", "-c", script], user="app", readonlyRootFilesystem=True)
    task = tasks.run_to_end([container])
    lines = tasks.lines(task["taskArn"])
    assert lines[0] == "1000" and bodies(lines)[0]["Name"] == "main"
    assert "mine" in lines and lines[-1] == "AWS_ECS_FARGATE us-east-1"


def test_nobody_else_reaches_it(tasks, image):
    running = tasks.run(tasks.register([tasks.container(image, ["sleep", "600"])]))
    address = tasks.wait(running, "RUNNING")["containers"][0]["networkInterfaces"][0]["privateIpv4Address"]
    # Not from the machine, and not by way of the task's own address from another task; nor does a task without a
    # role find credentials, its own or the machine's.
    assert subprocess.run(["busybox", "nc", "-w", "1", address, "80"], stdin=subprocess.DEVNULL).returncode != 0
    script = GET + f"""nc -w 1 {address} 80 < /dev/null && echo bad
        nc -w 1 169.254.169.254 80 < /dev/null && echo bad
        echo "uri: $AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
        get /v2/credentials/; get /v2/credentials/00000000-0000-4000-8000-000000000000"""
    lines = tasks.lines(tasks.run_to_end([tasks.container(image, ["sh", "-c", script])])["taskArn"])
    assert "bad" not in lines and "uri: " in lines
    assert [body["code"] for body in bodies(lines)] == ["NoIdInRequest", "InvalidIdInRequest"]
    tasks.stop(running)


def test_it_is_there_again_after_a_restart_of_the_region(own_region):
    own_region.client("ecr").create_repository(repositoryName="busybox")
    Registry(own_region, "busybox").push_image("latest")
    tasks = Tasks(own_region)
    script = GET + """while sleep 0.2; do get /${ECS_CONTAINER_METADATA_URI_V4#http://*/}; done"""
    container = tasks.container(f"localhost:{own_region.port}/busybox:latest", ["sh", "-c", script])
    task = tasks.run(tasks.register([container]))
    tasks.wait(task, "RUNNING")
    wait_for(lambda: bodies(tasks.lines(task)), "metadata before")
    own_region.stop(hard=True)
    own_region.start()
    before = len(bodies(tasks.lines(task)))
    wait_for(lambda: len(bodies(tasks.lines(task))) > before + 2, "metadata after the restart")


@pytest.fixture(scope="module")
def iam(region):
    return region.client("iam")


def make_role(iam, name, *statements, trust=TRUST):
    name = f"{name}-{uuid.uuid4().hex[:8]}"
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]
    if statements:
        document = {"Version": "2012-10-17", "Statement": list(statements)}
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps(document))
    return role["Arn"]


def allow(*actions, resource="*"):
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource}


LOGS = allow("logs:CreateLogStream", "logs:PutLogEvents")
PULL = allow("ecr:GetAuthorizationToken", "ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer",
             "ecr:BatchGetImage")


def test_credentials_of_the_task_role(region, iam, tasks, image):
    role = make_role(iam, "task")
    container = tasks.container(image, ["sh", "-c", GET + "get $AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"])
    task = tasks.run_to_end(None, definition=tasks.register([container], taskRoleArn=role))
    answer = bodies(tasks.lines(task["taskArn"]))[0]
    assert answer["RoleArn"] == role and answer["AccessKeyId"].startswith("ASIA")
    sts = region.client("sts", aws_access_key_id=answer["AccessKeyId"],
                        aws_secret_access_key=answer["SecretAccessKey"], aws_session_token=answer["Token"])
    identity = sts.get_caller_identity()
    name, session = role.rsplit("/", 1)[1], task["taskArn"].rsplit("/", 1)[1]
    assert identity["Arn"] == f"arn:aws:sts::{identity['Account']}:assumed-role/{name}/{session}"


def test_roles_that_cannot_be_assumed(iam, tasks, image):
    distrustful = make_role(iam, "lambda", trust=json.loads(json.dumps(TRUST).replace("ecs-tasks", "lambda")))
    for role in ["arn:aws:iam::123456789012:role/missing", distrustful]:
        for kind in ["taskRoleArn", "executionRoleArn"]:
            definition = tasks.register([tasks.container(image, ["true"])], **{kind: role})
            task = tasks.run_to_end(None, definition=definition)
            assert task["stopCode"] == "TaskFailedToStart"
            assert task["stoppedReason"].startswith(f"ECS was unable to assume the role '{role}' that was provided")


def test_the_execution_role_and_only_it_pulls_and_logs(iam, tasks, image):
    container = tasks.container(image, ["echo", "hello"])
    good = make_role(iam, "execution", LOGS, PULL)
    task = tasks.run_to_end(None, definition=tasks.register([container], executionRoleArn=good))
    assert tasks.exit_code(task) == 0 and tasks.lines(task["taskArn"]) == ["hello"]

    no_pull = make_role(iam, "no-pull", LOGS)
    task = tasks.run_to_end(None, definition=tasks.register([container], executionRoleArn=no_pull))
    assert task["stoppedReason"].startswith(
        "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
        "unable to retrieve ecr registry auth: service call has been retried 1 time(s): AccessDeniedException: User: ")
    token_only = make_role(iam, "token-only", LOGS, allow("ecr:GetAuthorizationToken"))
    task = tasks.run_to_end(None, definition=tasks.register([container], executionRoleArn=token_only))
    assert task["stoppedReason"].startswith("CannotPullContainerError: ")
    no_logs = make_role(iam, "no-logs", PULL)
    task = tasks.run_to_end(None, definition=tasks.register([container], executionRoleArn=no_logs))
    assert task["stoppedReason"].startswith("ResourceInitializationError: failed to validate logger args")
    # The permissions of the task role do not help.
    definition = tasks.register([container], executionRoleArn=no_pull, taskRoleArn=make_role(iam, "all", allow("*")))
    assert "unable to retrieve ecr registry auth" in tasks.run_to_end(None, definition=definition)["stoppedReason"]


def refusal(call):
    with pytest.raises(ClientError) as refused:
        call()
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


def test_without_an_execution_role_nothing_is_pulled_or_logged(tasks, image):
    start = "Fargate requires task definition to have execution role ARN to support "
    quiet = {key: value for key, value in tasks.container(image).items() if key != "logConfiguration"}
    for container, what in [(quiet, "ECR images."), (tasks.container("upstream.example/app"), "log driver awslogs.")]:
        assert refusal(lambda: tasks.register([container], executionRoleArn="")) == ("ClientException", start + what)
    definition = tasks.register([quiet])
    assert refusal(lambda: tasks.run(definition, overrides={"executionRoleArn": ""})) == (
        "ClientException", start + "ECR images.")
    # Images of others need nobody's permission here; there is no such registry, so that is what is told.
    upstream = {**quiet, "image": "127.0.0.1:1/app"}
    task = tasks.run_to_end(None, definition=tasks.register([upstream], executionRoleArn=""))
    assert task["stoppedReason"].startswith("CannotPullContainerError: ")


def test_the_key_of_the_machine_neither_pulls_nor_logs_nor_reads_secrets(region, tasks, secret):
    key = tomllib.loads((Path(region.data_dir) / "host-access-key.toml").read_text())
    credentials = dict(aws_access_key_id=key["access_key_id"], aws_secret_access_key=key["secret_access_key"])
    ecr, logs = region.client("ecr", **credentials), region.client("logs", **credentials)
    secrets, ssm = region.client("secretsmanager", **credentials), region.client("ssm", **credentials)
    event = {"timestamp": int(time.time() * 1000), "message": "x"}
    stream = dict(logGroupName=tasks.group, logStreamName="forged")
    for call in [
        ecr.get_authorization_token,
        lambda: ecr.batch_get_image(repositoryName="roles", imageIds=[{"imageTag": "latest"}]),
        lambda: ecr.batch_check_layer_availability(repositoryName="roles", layerDigests=["sha256:" + "0" * 64]),
        lambda: ecr.get_download_url_for_layer(repositoryName="roles", layerDigest="sha256:" + "0" * 64),
        lambda: logs.create_log_group(logGroupName="/forged"),
        lambda: logs.create_log_stream(**stream),
        lambda: logs.put_log_events(**stream, logEvents=[event]),
        lambda: secrets.get_secret_value(SecretId=secret),
        lambda: ssm.get_parameters(Names=["/sea/depth"]),
    ]:
        code, message = refusal(call)
        assert code in ("AccessDeniedException", "InvalidAction", "UnknownOperationException"), (code, message)
        assert code != "AccessDeniedException" or "host/fargate is not authorized" in message
    # Nor does it know a password for the registry: its own secret is none.
    token = base64.b64encode(f"AWS:{key['secret_access_key']}".encode()).decode()
    request = urllib.request.Request(f"{region.endpoint}/v2/roles/manifests/latest", headers={"Authorization": f"Basic {token}"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10)
    assert refused.value.code == 401


def test_a_task_of_another_account(region, tasks):
    account = "210987654321"
    done = subprocess.run([program(), "account", "create", "--id", account, "--data-dir", region.data_dir],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    key = tomllib.loads((Path(region.data_dir) / f"root-access-key-{account}.toml").read_text())
    credentials = dict(aws_access_key_id=key["access_key_id"], aws_secret_access_key=key["secret_access_key"])
    theirs = Tasks(region, **credentials)
    assert theirs.execution_role == f"arn:aws:iam::{account}:role/ecsTaskExecutionRole"
    ecr = region.client("ecr", **credentials)
    ecr.create_repository(repositoryName="theirs")
    host = f"{account}.dkr.ecr.us-east-1.localhost:{region.port}"
    assert Registry(region, "theirs", account=account, **credentials).push_image("v1")
    role = make_role(region.client("iam", **credentials), "theirs")
    assert role.startswith(f"arn:aws:iam::{account}:role/")
    script = GET + "get $AWS_CONTAINER_CREDENTIALS_RELATIVE_URI; sleep 600"
    container = theirs.container(f"{host}/theirs:v1", ["sh", "-c", script])
    task = theirs.run(theirs.register([container], taskRoleArn=role))
    assert task.startswith(f"arn:aws:ecs:us-east-1:{account}:task/")
    theirs.wait(task, "RUNNING")
    answer = wait_for(lambda: bodies(theirs.lines(task)), "the credentials")[0]
    assert answer["RoleArn"] == role
    sts = region.client("sts", aws_access_key_id=answer["AccessKeyId"],
                        aws_secret_access_key=answer["SecretAccessKey"], aws_session_token=answer["Token"])
    identity = sts.get_caller_identity()
    assert identity["Account"] == account
    assert identity["Arn"] == f"arn:aws:sts::{account}:assumed-role/{role.rsplit('/', 1)[1]}/{task.rsplit('/', 1)[1]}"

    # The first account sees nothing of it, and its images are not theirs to run.
    cluster = f"arn:aws:ecs:us-east-1:{account}:cluster/{theirs.cluster}"
    for call in [lambda: tasks.ecs.describe_tasks(cluster=cluster, tasks=[task]), lambda: tasks.ecs.list_tasks(cluster=cluster),
                 lambda: tasks.ecs.stop_task(cluster=cluster, task=task)]:
        assert refusal(call)[0] in ("AccessDeniedException", "ClusterNotFoundException", "InvalidParameterException")
    assert refusal(lambda: tasks.ecs.list_tasks(cluster=theirs.cluster))[0] == "ClusterNotFoundException"
    assert theirs.cluster not in json.dumps(tasks.ecs.list_clusters())
    assert tasks.logs.describe_log_groups(logGroupNamePrefix=theirs.group)["logGroups"] == []
    names = [repository["repositoryName"] for repository in region.client("ecr").describe_repositories()["repositories"]]
    assert "theirs" not in names
    stolen = {**tasks.container(f"{host}/theirs:v1", ["true"])}
    stopped = tasks.run_to_end([stolen])
    assert stopped["stoppedReason"].startswith("CannotPullContainerError: ")
    events = region.client("cloudtrail").get_paginator("lookup_events").paginate(
        LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "RunTask"}])
    assert all(theirs.cluster not in event["CloudTrailEvent"] for page in events for event in page["Events"])
    theirs.stop(task)


@pytest.fixture(scope="module")
def secret(region):
    region.client("ssm").put_parameter(Name="/sea/depth", Type="SecureString", Value="twenty-thousand")
    made = region.client("secretsmanager").create_secret(
        Name=f"s-{uuid.uuid4().hex[:8]}", SecretString=json.dumps({"user": "nemo", "port": 1}))
    return made["ARN"]


def extents(path):
    """What is written of a file that may be the disk of a task, almost all of it holes."""
    with path.open("rb") as file:
        end = 0
        while True:
            try:
                start = os.lseek(file.fileno(), end, os.SEEK_DATA)
            except OSError:
                return
            end = os.lseek(file.fileno(), start, os.SEEK_HOLE)
            yield os.pread(file.fileno(), end - start, start)


def test_secrets_are_variables_and_nowhere_else(region, iam, tasks, image, secret):
    account = secret.split(":")[4]
    role = make_role(iam, "secrets", LOGS, PULL, allow("secretsmanager:GetSecretValue", resource=secret),
                     allow("ssm:GetParameters", resource=f"arn:aws:ssm:us-east-1:{account}:parameter/sea/depth"))
    wanted = {"WHOLE": secret, "USER_NAME": f"{secret}:user::", "DEPTH": "/sea/depth"}
    container = tasks.container(image, ["sh", "-c", 'echo "$WHOLE $USER_NAME $DEPTH"; sleep 600'],
                                secrets=[{"name": n, "valueFrom": v} for n, v in wanted.items()])
    task = tasks.run(tasks.register([container], executionRoleArn=role))
    tasks.wait(task, "RUNNING")
    lines = wait_for(lambda: tasks.lines(task), "the line")
    assert lines == ['{"user": "nemo", "port": 1} nemo twenty-thousand']
    shown = json.dumps(tasks.describe(task), default=str)
    assert "nemo" not in shown and "twenty-thousand" not in shown
    kept = [path for part in ("agent", "tasks") for path in (Path(region.data_dir) / part).rglob("*")
            if path.is_file() and "logs" not in path.parts]
    assert kept
    for path in kept:
        assert not any(b"twenty-thousand" in extent for extent in extents(path)), path
    tasks.stop(task)


def test_a_secret_that_may_not_be_read_stops_the_task(iam, tasks, image, secret):
    role = make_role(iam, "no-secrets", LOGS, PULL)
    for value_from, expected in [(secret, f"unable to retrieve secret from asm: service call has been retried 1 time(s): "
                                          f"failed to fetch secret {secret} from secrets manager: AccessDeniedException"),
                                 ("/sea/depth", "unable to retrieve secrets from ssm: service call has been retried 1 "
                                                "time(s): AccessDeniedException")]:
        container = tasks.container(image, ["true"], secrets=[{"name": "S", "valueFrom": value_from}])
        task = tasks.run_to_end(None, definition=tasks.register([container], executionRoleArn=role))
        assert task["stoppedReason"].startswith(
            "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval "
            f"failed: {expected}")


def python_layer():
    """This machine's python with boto3, as a layer: unmodified, with the models of one service."""
    raw = io.BytesIO()
    paths = sysconfig.get_paths()
    site, standard = Path(paths["purelib"]), Path(sysconfig.get_path("stdlib"))
    program = Path(sys._base_executable).resolve()
    listed = subprocess.run(["ldd", str(program), *map(str, (standard / "lib-dynload").glob("*.so"))],
                            capture_output=True, text=True).stdout
    libraries = {part for line in listed.splitlines() for part in line.split() if part.startswith("/") and ":" not in part}

    def small(entry):
        dropped = {"test", "tests", "idlelib", "__pycache__", "tkinter", "ensurepip", "lib2to3", "dist-packages",
                   "site-packages", "pydoc_data", "turtledemo"}
        path = entry.name.split("/")
        # Of the models, that of the one service that is called.
        model = path[path.index("data") + 1:] if "botocore" in path and "data" in path else []
        other = entry.isdir() and len(model) == 1 and model != ["sts"]
        unneeded = dropped.intersection(path) or any(part.startswith("config-") for part in path)
        return None if other or unneeded or entry.name.endswith(".a") else entry

    with tarfile.open(fileobj=raw, mode="w") as tar:
        for library in libraries:
            tar.add(Path(library).resolve(), library.lstrip("/"))
        tar.add(program, "usr/bin/python3")
        tar.add(standard, str(standard).lstrip("/"), filter=small)
        for name in ["boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six.py"]:
            tar.add(site / name, f"site/{name}", filter=small)
        for folder in ("tmp", "proc", "sys", "dev", "etc"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
    return raw.getvalue()


def test_boto3_in_a_container_is_the_task_role():
    # Tasks reach the region where it listens for more than this machine.
    region = Region(address="0.0.0.0")
    try:
        region.client("ecr").create_repository(repositoryName="python")
        Registry(region, "python").push_image("latest", layer=python_layer())
        tasks = Tasks(region)
        role = make_role(region.client("iam"), "boto")
        subnet = tomllib.loads((Path(region.data_dir) / "host.toml").read_text())["subnet"]
        gateway = ipaddress.ip_network(subnet)[1]
        program = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
        container = tasks.container(f"localhost:{region.port}/python:latest", ["/usr/bin/python3", "-c", program],
                                    environment=[{"name": "PYTHONPATH", "value": "/site"},
                                                 {"name": "PYTHONHOME", "value": sys.base_prefix},
                                                 {"name": "AWS_ENDPOINT_URL", "value": f"http://{gateway}:{region.port}"}])
        task = tasks.run_to_end(
            None, definition=tasks.register([container], cpu="1024", memory="2048", taskRoleArn=role), deadline=180)
        lines = tasks.lines(task["taskArn"])
        assert lines and f":assumed-role/{role.rsplit('/', 1)[1]}/" in lines[-1], lines
    finally:
        region.close()
