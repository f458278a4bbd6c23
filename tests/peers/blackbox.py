"""A pytest plugin that runs moto's tests against a region that is given as an endpoint.

moto's own switch for that (TEST_SERVER_MODE) sends every client of a test to the endpoint. This plugin writes down what
became of each test and which services it called, and lets no connection leave for anywhere else. Whether an outcome is
right is not decided here, but by moto.py, which reads the lines that are written to $PEERS_OUTCOMES.
"""

import functools
import json
import os
import socket
from urllib.parse import urlsplit

import pytest

ENDPOINT = urlsplit(os.environ["TEST_SERVER_MODE_ENDPOINT"])
OUTCOMES = os.environ["PEERS_OUTCOMES"]


class Outcome:
    """What is known of the test that runs."""

    def __init__(self, test):
        self.test = test
        self.services = set()
        self.phases = {}
        self.error = ""

    def outcome(self):
        if "failed" in self.phases.values():
            return "failed"
        if "skipped" in self.phases.values():
            return "skipped"
        return "passed"

    def line(self):
        return json.dumps(
            {"test": self.test, "outcome": self.outcome(), "services": sorted(self.services), "error": self.error}
        )


running = None


def count_calls():
    """Notes the service of every API call of every client."""
    from botocore.endpoint import Endpoint

    send = Endpoint.make_request

    def noted(self, operation, request):
        if running is not None:
            running.services.add(operation.service_model.service_name)
        return send(self, operation, request)

    Endpoint.make_request = noted


def read_models_once():
    """Lets all sessions of the run share what they read of botocore's models, which else takes most of the time."""
    import botocore.session

    botocore.session.create_loader = functools.cache(botocore.session.create_loader)


def leave_out_groups():
    """Tests of elbv2 give load balancers a security group of another VPC, which AWS refuses. It is left out of their calls, so
    that what else they say is heard."""
    from botocore.client import BaseClient

    call = BaseClient._make_api_call

    def without(self, operation, params):
        if (self.meta.service_model.service_name, operation) == ("elbv2", "CreateLoadBalancer"):
            params = {name: value for name, value in params.items() if name != "SecurityGroups"}
        return call(self, operation, params)

    BaseClient._make_api_call = without


def stay_here():
    """Refuses connections to anything but the region."""
    connect = socket.socket.connect

    def guarded(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[1] != ENDPOINT.port:
            raise ConnectionRefusedError(f"a test against {ENDPOINT.netloc} may not connect to {address[0]}:{address[1]}")
        return connect(self, address)

    socket.socket.connect = guarded


def pytest_configure(config):
    count_calls()
    read_models_once()
    leave_out_groups()
    stay_here()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item, nextitem):
    global running
    running = Outcome(item.nodeid)
    try:
        return (yield)
    finally:
        with open(OUTCOMES, "a") as out:
            out.write(running.line() + "\n")
        running = None


def pytest_runtest_makereport(item, call):
    if running is None or call.excinfo is None:
        return
    running.error = running.error or f"{call.excinfo.typename}: {call.excinfo.value}"[:400]


def pytest_runtest_logreport(report):
    if running is not None:
        running.phases[report.when] = report.outcome
