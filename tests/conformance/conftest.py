"""Starts a real region for the tests, and looks after what it leaves behind."""

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import tomllib
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from leftovers import gone, leaves_nothing
from waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]


def program():
    """The longshore program under test: LONGSHORE_BIN, else the debug build."""
    path = Path(os.environ.get("LONGSHORE_BIN", ROOT / "target/debug/longshore"))
    target = os.environ.get("CARGO_TARGET_DIR")
    if "LONGSHORE_BIN" not in os.environ and target:
        path = Path(target) / "debug/longshore"
    assert path.exists(), f"{path} is missing: build it with cargo build -p longshore"
    return str(path)


def free_port():
    """A port nobody listens on, and none that the kernel gives to connections: a region that starts again needs it back."""
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = random.randrange(10000, max(first, 11000))
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", port))
            return port


class Region:
    """A `longshore up` process on its own port and directory."""

    def __init__(self, *flags, data_dir=None, address="127.0.0.1", env=None):
        self.address = address
        self.env = env
        self.dir = tempfile.mkdtemp(prefix="longshore-test-")
        self.data_dir = str(data_dir or Path(self.dir) / "data")
        self.flags = list(flags)
        self.port = free_port()
        self.process = None
        self.start()

    def start(self):
        self.log = open(Path(self.dir) / "server.log", "ab")
        command = [program(), "up", "--listen", f"{self.address}:{self.port}", "--data-dir", self.data_dir, *self.flags]
        environment = {**os.environ, **self.env} if self.env else None
        self.process = subprocess.Popen(command, stdout=self.log, stderr=subprocess.STDOUT, env=environment)
        wait_for(self._answers, f"an answer; log:\n{self.log_text()}")
        key = tomllib.loads((Path(self.data_dir) / "root-access-key.toml").read_text())
        self.key = (key["access_key_id"], key["secret_access_key"])

    def _answers(self):
        assert self.process.poll() is None, f"the region ended by itself:\n{self.log_text()}"
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return all((Path(self.data_dir) / name).exists() for name in ["root-access-key.toml", "endpoint.toml"])
        except OSError:
            return False

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def registry(self):
        return f"localhost:{self.port}"

    def log_text(self):
        return (Path(self.dir) / "server.log").read_text()[-4000:]

    def client(self, service, **changes):
        settings = dict(
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=self.key[0],
            aws_secret_access_key=self.key[1],
            config=Config(retries={"max_attempts": 1}),
        )
        return boto3.client(service, **{**settings, **changes})

    def subnets(self, **credentials):
        """Ids of the default subnets, by zone: of the region's own account, or of the one with these credentials."""
        filters = [{"Name": "default-for-az", "Values": ["true"]}]
        found = self.client("ec2", **credentials).describe_subnets(Filters=filters)["Subnets"]
        return [subnet["SubnetId"] for subnet in sorted(found, key=lambda subnet: subnet["AvailabilityZone"])]

    def vpc(self):
        """Id of the default VPC."""
        return self.client("ec2").describe_vpcs(Filters=[{"Name": "isDefault", "Values": ["true"]}])["Vpcs"][0]["VpcId"]

    def network(self, **credentials):
        """A network configuration for tasks that has no wishes: the first default subnet."""
        return {"awsvpcConfiguration": {"subnets": self.subnets(**credentials)[:1], "assignPublicIp": "ENABLED"}}

    def environment(self):
        """Environment for the aws CLI and other clients."""
        return {
            **os.environ,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.key[0],
            "AWS_SECRET_ACCESS_KEY": self.key[1],
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        }

    def aws(self, *arguments):
        """Runs the unmodified aws CLI and returns its JSON answer."""
        import sys

        cli = Path(sys.executable).with_name("aws")
        command = [str(cli) if cli.exists() else "aws", *arguments]
        done = subprocess.run(command, env=self.environment(), capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else {}

    def cli(self, *arguments):
        """Runs the program on this region's data directory."""
        command = [program(), *arguments, "--data-dir", self.data_dir]
        return subprocess.run(command, capture_output=True, text=True, timeout=120)

    def stop(self, hard=False):
        """Stops the server; tasks go on."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL if hard else signal.SIGTERM)
            self.process.wait(timeout=90)
        self.log.close()

    def close(self):
        """Ends every task, then the region, and removes its directory."""
        self.stop()
        self.flags = [*(flag for flag in self.flags if flag not in ("--no-host", "--stop-tasks")), "--stop-tasks"]
        self.start()
        self.stop()
        gone(self)
        shutil.rmtree(self.dir, ignore_errors=True)


SHARED = []
"""The region that tests share, once one has asked for it."""


@pytest.fixture(scope="session")
def region():
    region = Region()
    SHARED.append(region)
    yield region
    SHARED.clear()
    region.close()


@pytest.fixture(scope="module", autouse=True)
def no_task_is_left():
    """A file of tests that leaves a task in the shared region fails itself, not the next one that looks."""
    yield
    for region in SHARED:
        leaves_nothing(region)


@pytest.fixture
def own_region():
    region = Region()
    yield region
    region.close()


@pytest.fixture(scope="session")
def ecs(region):
    return region.client("ecs")


@pytest.fixture(scope="session")
def ecr(region):
    return region.client("ecr")


@pytest.fixture(scope="session")
def logs(region):
    return region.client("logs")
