#!/usr/bin/env python3
"""moto's own tests, run as a black box against a region of Longshore with `--auth open`.

    moto.py [SERVICE...]     default: every service that has a list here

A test must pass, or be listed with the reason why it does not:

    moto-SERVICE.txt          what AWS itself answers otherwise, what is not built, what is outside the service's field here
    moto-other-services.txt   tests that call services that are outside Longshore's field, or call no service at all

A test whose reason begins with `timing: ` depends on how fast the machine is, and may pass or not; it counts nowhere.
Any other listed test that passes fails the run, as does a test that is listed and is not there: the lists can only shrink, and
the figures only rise. The share that is printed is of the tests that AWS itself would pass: `not built` counts against us.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests/conformance"))

from conftest import free_port, program  # noqa: E402
from waiting import wait_for  # noqa: E402

VERSION = "5.2.1"
PACKAGES = [
    f"moto[all,server]=={VERSION}",
    *("pytest==8.4.2", "pytest-order==1.3.0", "pytest-timeout==2.4.0", "freezegun==1.5.5", "pyotp==2.9.0"),
]
OTHERS = "moto-other-services.txt"
NO_CALL = "calls no service"
TIMING = "timing: "
# The share of the tests that AWS itself would pass which each service must reach.
LEAST_SHARE = {
    **dict.fromkeys(("ecr", "iam", "logs", "scheduler", "secretsmanager", "ssm", "sts"), 95),
    # Dashboards, metric math and insight rules; archives, replays and policies of buses are not built.
    **{"cloudwatch": 60, "events": 40},
}
# What a listed test may be: AWS answers otherwise, not built, outside of what an installation is, of other services.
KINDS = ("aws", "unbuilt", "outside", "other")
TEST_SECONDS = 30
SUITE_SECONDS = 900


class Unready(Exception):
    """Why the tests could not be run at all."""


def target():
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))


def install():
    """The Python environment and the source with the tests, made on first use; returns the interpreter and the source."""
    home = target() / "peers" / f"moto-{VERSION}"
    python, source, marker = home / "venv/bin/python", home / f"moto-{VERSION}", home / "packages"
    wanted = "\n".join(PACKAGES)
    if marker.is_file() and marker.read_text() == wanted:
        return python, source
    print(f"peers: installing {' '.join(PACKAGES)} below {home}", flush=True)
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    must([sys.executable, "-m", "venv", home / "venv"], "make a Python environment")
    pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    must([*pip, "install", *PACKAGES], "install moto and pytest from the Python package index")
    fetch = [*pip, "download", "--no-deps", "--no-binary", ":all:", "--dest", home, f"moto=={VERSION}"]
    must(fetch, "fetch moto's source from the Python package index")
    # Python's own unpacking has no safe mode in every version that distributions carry.
    must(["tar", "-xzf", home / f"moto-{VERSION}.tar.gz", "-C", home], "unpack moto's source")
    marker.write_text(wanted)
    return python, source


def must(command, what):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise Unready(f"could not {what}:\n{(done.stderr or done.stdout)[-2000:]}")


@dataclass
class Lists:
    """The listed tests of a service and why each is listed."""

    reasons: dict = field(default_factory=dict)
    faults: list = field(default_factory=list)

    @classmethod
    def read(cls, service):
        lists = cls()
        for name in (f"moto-{service}.txt", OTHERS):
            path = HERE / name
            if path.is_file():
                lists._read(service, name, path.read_text())
        return lists

    def _read(self, service, name, text):
        for line in text.splitlines():
            if not line.strip() or line.startswith("#"):
                continue
            test, _, reason = line.partition("\t")
            if name == OTHERS and not test.startswith(f"tests/test_{service}/"):
                continue
            if test in self.reasons:
                self.faults.append(f"{test} is listed twice")
            if not reason.strip():
                self.faults.append(f"{test} is listed without a reason in {name}")
            self.reasons[test] = reason

    def kind(self, test):
        """One of `KINDS`."""
        reason = self.reasons[test]
        for prefix, kind in (("calls ", "other"), ("not built: ", "unbuilt"), ("outside: ", "outside")):
            if reason.startswith(prefix):
                return kind
        return "aws"


@dataclass
class Result:
    """What became of a service's suite."""

    service: str
    passed: int = 0
    skipped: int = 0
    listed: dict = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    faults: list = field(default_factory=list)
    seconds: float = 0.0

    @property
    def share(self):
        known = self.passed + self.listed["unbuilt"]
        return 100.0 * self.passed / known if known else 100.0

    def line(self):
        counts = [self.passed, *(self.listed[kind] for kind in KINDS), self.skipped]
        return row(self.service, *counts, f"{self.share:.1f}%", f"{self.seconds:.0f}s")


def row(first, *others):
    return f"{first:<16}" + "".join(f"{other:>9}" for other in others)


def judge(service, outcomes):
    """Compares outcomes with the lists."""
    lists, result = Lists.read(service), Result(service)
    result.faults.extend(lists.faults)
    for outcome in outcomes.values():
        judge_one(outcome, lists, result)
    for test in lists.reasons.keys() - outcomes.keys():
        result.faults.append(f"{test}\n    is listed, and there is no such test")
    floor = LEAST_SHARE.get(service, 0)
    if result.share < floor:
        result.faults.append(f"{service} passes {result.share:.1f} %, and must pass {floor} %")
    return result


def judge_one(outcome, lists, result):
    test, what, called = outcome["test"], outcome["outcome"], outcome["services"]
    listed = test in lists.reasons
    if what == "skipped":
        result.skipped += 1
        if listed:
            result.faults.append(f"{test}\n    is listed, and moto skips it by itself: remove it from the list")
        return
    if listed and lists.reasons[test].startswith(TIMING):
        result.skipped += 1
        return
    if listed and lists.reasons[test].startswith(NO_CALL):
        result.listed["other"] += 1
        if called:
            result.faults.append(f"{test}\n    is listed as calling no service, and calls {', '.join(called)}")
    elif what == "passed" and not called:
        result.faults.append(f"{test}\n    passes without a call: list it in {OTHERS} with '{NO_CALL}'")
    elif what == "passed" and listed:
        result.faults.append(f"{test}\n    passes now: remove it from the list")
    elif what == "passed":
        result.passed += 1
    elif listed:
        result.listed[lists.kind(test)] += 1
    else:
        result.faults.append(f"{test}\n    fails and is not listed: {outcome['error']}")


def environment(endpoint, outcomes):
    """What moto's tests need to run against an endpoint, and nothing of the caller's AWS configuration."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MOTO_", "TEST_"))}
    return {
        **kept,
        "PYTHONPATH": str(HERE),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PEERS_OUTCOMES": str(outcomes),
        "TEST_SERVER_MODE": "true",
        "TEST_SERVER_MODE_ENDPOINT": endpoint,
        "TESTS_SKIP_REQUIRES_DOCKER": "true",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


def run_suite(service, python, source):
    """Runs the suite of a service against a region of its own."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="longshore-peers-") as scratch:
        outcomes = target() / "peers" / f"moto-{service}.outcomes"
        outcomes.write_text("")
        with OpenRegion(service, Path(scratch)) as region:
            command = [
                *(python, "-m", "pytest", "-q", "-p", "blackbox", "-p", "no:cacheprovider", "--color=no", "--tb=short"),
                *(f"--timeout={TEST_SECONDS}", f"tests/test_{service}"),
            ]
            log = target() / "peers" / f"moto-{service}.log"
            with open(log, "w") as out:
                done = subprocess.run(
                    [str(part) for part in command],
                    cwd=source,
                    env=environment(region.endpoint, outcomes),
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    timeout=SUITE_SECONDS,
                )
            region.check()
        found = {line["test"]: line for line in map(json.loads, outcomes.read_text().splitlines())}
    result = judge(service, found)
    # 0 and 1 are pytest's: all passed, some failed. Anything else means that the suite did not run to its end.
    if done.returncode not in (0, 1) or not found:
        result.faults.append(f"the suite of {service} did not run to its end (status {done.returncode}); see {log}")
    result.seconds = time.monotonic() - began
    return result


class OpenRegion:
    """A `longshore up --auth open` on its own port and directory, which stands in for a mock. It runs no task."""

    def __init__(self, service, scratch):
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.log_path = target() / "peers" / f"region-{service}.log"
        listen = ("--listen", f"127.0.0.1:{self.port}", "--data-dir", str(scratch / "data"))
        self.command = [program(), "up", "--auth", "open", "--no-host", *listen]

    def __enter__(self):
        self.log = open(self.log_path, "wb")
        self.process = subprocess.Popen(self.command, stdout=self.log, stderr=subprocess.STDOUT)
        wait_for(self._answers, lambda: f"an answer of the region:\n{self.log_path.read_text()}")
        return self

    def _answers(self):
        self.check()
        try:
            return socket.create_connection(("127.0.0.1", self.port), timeout=1).close() is None
        except OSError:
            return False

    def check(self):
        """Fails when the region has ended before the tests have."""
        if self.process.poll() is not None:
            raise Unready(f"the region ended while the tests ran:\n{self.log_path.read_text()[-2000:]}")

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)
        self.log.close()


def listed_services():
    return sorted(path.stem.removeprefix("moto-") for path in HERE.glob("moto-*.txt") if path.name != OTHERS)


def run_suites(services):
    """Runs as many suites at a time as there are processors, the longest first, and returns results by service."""
    python, source = install()

    def size(service):
        return sum(path.stat().st_size for path in (source / f"tests/test_{service}").glob("*.py"))

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        ordered = sorted(services, key=size, reverse=True)
        results = pool.map(lambda service: run_suite(service, python, source), ordered)
        return {result.service: result for result in results}


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("service", nargs="*", help="iam, sts, ...; all that have a list when none is given")
    services = arguments.parse_args().service or listed_services()
    try:
        results = run_suites(services)
    except (Unready, AssertionError) as reason:
        print(f"peers: {reason}", file=sys.stderr)
        return 2
    print(row("service", "passed", "AWS", "unbuilt", "outside", "other", "skipped", "share", "time"))
    faults = []
    for service in services:
        print(results[service].line())
        faults.extend(results[service].faults)
    for fault in faults:
        print(fault, file=sys.stderr)
    print(f"peers: moto {VERSION}: " + (f"{len(faults)} faults" if faults else "as listed"))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
