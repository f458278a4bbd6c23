"""How layers come to the host: by reference from the region's own registry, in parts from others, packed in any way."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
import uuid
from pathlib import Path

import pytest
from conftest import free_port
from images import Registry, busybox_layer, digest, write_layout
from other_registry import own_layer
from tasks import Tasks
from waiting import wait_for

ANSWERS = ["echo", "it runs"]


@pytest.fixture(scope="module")
def repository(region):
    name = f"pulls-{uuid.uuid4().hex[:8]}"
    region.client("ecr").create_repository(repositoryName=name)
    return name


@pytest.fixture(scope="module")
def tasks(region):
    made = Tasks(region)
    yield made
    made.close()


def metric(region, name):
    with urllib.request.urlopen(f"{region.endpoint}/_longshore/metrics", timeout=10) as answer:
        return int(re.search(rf"^{name} (\d+)$", answer.read().decode(), re.MULTILINE).group(1))


def runs(tasks, image):
    task = tasks.run_to_end([tasks.container(image, ANSWERS)])
    assert tasks.exit_code(task) == 0, task
    assert tasks.lines(task["taskArn"]) == ["it runs"]


def large_layer(mebibytes):
    """Busybox, and as much that compresses badly."""
    entry = tarfile.TarInfo("large")
    entry.size = mebibytes << 20
    return busybox_layer([(entry, os.urandom(entry.size))])


def test_the_host_takes_layers_by_reference(region, tasks, repository):
    Registry(region, repository).push_image("reference", layer=own_layer())
    shared, sent = (metric(region, f"longshore_registry_{name}_total") for name in ("shared_blobs", "sent_bytes"))
    runs(tasks, f"{region.registry}/{repository}:reference")
    assert metric(region, "longshore_registry_shared_blobs_total") == shared + 1
    assert metric(region, "longshore_registry_sent_bytes_total") < sent + 4096, "the configuration, and not the layer"


# Asks at the socket as the user that is named, and prints what comes: the answer, and how many files with it.
ASK = """
import array, os, socket, sys
os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[2]))
here = socket.socket(socket.AF_UNIX)
here.connect(sys.argv[1])
try:
    here.sendall(sys.stdin.buffer.read())
    data, more, _, _ = here.recvmsg(4096, socket.CMSG_SPACE(4))
except (BrokenPipeError, ConnectionResetError):
    data, more = b"", []
print(data.decode().strip(), len(more))
"""


def ask(region, user, line):
    command = [sys.executable, "-c", ASK, f"{region.data_dir}/blobs/registry.sock", str(user)]
    done = subprocess.run(command, input=line.encode() + b"\n", capture_output=True, timeout=30)
    return done.stdout.decode().strip(), done.stderr.decode()


def test_nobody_but_root_reaches_the_socket(region, repository):
    registry = Registry(region, repository)
    layer = b"a layer of its own " + uuid.uuid4().bytes
    registry.push_blob(layer)
    request = {"host": region.registry, "repository": repository, "digest": digest(layer),
               "authorization": registry.header["Authorization"]}
    assert ask(region, 0, json.dumps(request))[0] == '{"status":200} 1'
    for wrong, status in [({"authorization": None}, 401), ({"repository": "none"}, 404),
                          ({"digest": digest(b"never pushed")}, 404), ({"digest": "../../etc/passwd"}, 404)]:
        assert ask(region, 0, json.dumps({**request, **wrong}))[0] == f'{{"status":{status}}} 0', wrong
    assert ask(region, 0, "no request")[0] == " 0".strip()
    answer, error = ask(region, 65534, json.dumps(request))
    assert answer == "" and "PermissionError" in error
    # Even where the directories are open to everybody, it takes another user for nobody.
    open_up = [Path(region.dir), Path(region.data_dir), Path(region.data_dir, "blobs"), Path(region.data_dir, "blobs/registry.sock")]
    modes = [path.stat().st_mode for path in open_up]
    try:
        for path in open_up:
            path.chmod(0o777)
        assert ask(region, 65534, json.dumps(request)) == ("0", "")
    finally:
        for path, mode in zip(open_up, modes):
            path.chmod(mode)


def test_who_may_not_download_gets_no_layer_by_reference(region, tasks, repository):
    Registry(region, repository).push_image("denied", layer=own_layer())
    iam = region.client("iam")
    name = f"half-{uuid.uuid4().hex[:8]}"
    trust = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    half = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["ecr:GetAuthorizationToken", "ecr:BatchGetImage", "logs:*"], "Resource": "*"}]}
    iam.put_role_policy(RoleName=name, PolicyName="half", PolicyDocument=json.dumps(half))
    shared = metric(region, "longshore_registry_shared_blobs_total")
    image = f"{region.registry}/{repository}:denied"
    task = tasks.run_to_end(None, definition=tasks.register([tasks.container(image, ANSWERS)], executionRoleArn=role))
    assert task["stoppedReason"].startswith("CannotPullContainerError: ") and "403 Forbidden" in task["stoppedReason"]
    assert metric(region, "longshore_registry_shared_blobs_total") == shared


def test_layers_of_zstd_run(region, tasks, repository, tmp_path):
    write_layout(tmp_path, layer=own_layer())
    password = region.aws("ecr", "get-authorization-token")["authorizationData"][0]["authorizationToken"]
    import base64

    credentials = base64.b64decode(password).decode()
    image = f"{region.registry}/{repository}:zstd"
    subprocess.run(["skopeo", "copy", "-q", "--dest-tls-verify=false", "--dest-creds", credentials, "--dest-compress-format", "zstd",
                    f"oci:{tmp_path}:latest", f"docker://{image}"], check=True, timeout=120)
    _, _, manifest = Registry(region, repository).call("GET", "/manifests/zstd")
    assert json.loads(manifest)["layers"][0]["mediaType"] == "application/vnd.oci.image.layer.v1.tar+zstd"
    runs(tasks, image)


@pytest.fixture
def docker_registry():
    """Debian's docker-registry on a free port; its host and its log."""
    program = shutil.which("docker-registry")
    if program is None:
        pytest.skip("docker-registry is not installed")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="longshore-peer-") as folder:
        config = Path(folder, "config.yml")
        config.write_text(f"version: 0.1\nlog: {{accesslog: {{disabled: false}}}}\nstorage: {{filesystem: {{rootdirectory: {folder}/data}}}}\n"
                          f"http: {{addr: 127.0.0.1:{port}}}\n")
        log = Path(folder, "log")
        with open(log, "wb") as output:
            process = subprocess.Popen([program, "serve", str(config)], stdout=output, stderr=output)
        try:
            def answers():
                assert process.poll() is None, log.read_text()
                with socket.socket() as probe:
                    return probe.connect_ex(("127.0.0.1", port)) == 0

            wait_for(answers, "docker-registry answers")
            yield f"localhost:{port}", log
        finally:
            process.terminate()
            process.wait(30)


def test_a_large_layer_of_another_registry_comes_in_parts(tasks, docker_registry, tmp_path):
    host, log = docker_registry
    write_layout(tmp_path, layer=large_layer(24))
    subprocess.run(["skopeo", "copy", "-q", "--dest-tls-verify=false", f"oci:{tmp_path}:latest", f"docker://{host}/large:v1"],
                   check=True, timeout=120)
    runs(tasks, f"{host}/large:v1")
    parts = re.findall(r'"GET /v2/large/blobs/sha256:[0-9a-f]{64} HTTP/1.1" 206 (\d+)', log.read_text())
    assert len(parts) >= 6 and max(map(int, parts)) == 4 << 20, parts
