"""Faults that tasks make in their own networks, at the endpoint of the agent."""

import json

import pytest
from images import Registry
from tasks import Tasks

# A whole request with busybox; the answer's head ends with an empty line. `try` says what becomes of a connection; a server
# of busybox is gone for a moment after each.
ASK = r"""
ask() { printf 'POST %s/fault/v1/%s HTTP/1.0\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s' \
    "/${ECS_AGENT_URI#http://*/}" "$1" ${#2} "$2" | nc 169.254.170.2 80 | tail -n 1; echo; }
try() { while :; do said=$(nc -w 1 $1 $2 < /dev/null 2>&1)
    case "$said" in yes) echo alive; return;; *refused*) ;; *) echo swallowed; return;; esac; done; }
serve() { while nc -l -p $1 -e echo yes; do :; done & }
"""
RUNNING, STOPPED, THROTTLED = {"Status": "running"}, {"Status": "stopped"}, {"Error": "You have reached maximum request limit."}


@pytest.fixture(scope="module")
def image(region):
    region.client("ecr").create_repository(repositoryName="faults")
    Registry(region, "faults").push_image("latest")
    return f"localhost:{region.port}/faults:latest"


@pytest.fixture(scope="module")
def tasks(region, image):
    made = Tasks(region)
    yield made
    made.close()


def said(tasks, task, container="main"):
    """What a container printed: answers of the agent, and what it saw."""
    lines = [line for line in tasks.lines(task["taskArn"], container) if line]
    return [json.loads(line) if line.startswith("{") else line for line in lines]


def test_ports_swallow_packets_get_lost_and_all_ends(tasks, image):
    peer = tasks.run(tasks.register([tasks.container(image, ["sh", "-c", ASK + "serve 9000; wait"])]))
    address = tasks.wait(peer, "RUNNING")["containers"][0]["networkInterfaces"][0]["privateIpv4Address"]
    port = json.dumps({"Port": 8080, "Protocol": "tcp", "TrafficType": "ingress"})
    away = json.dumps({"Port": 9000, "Protocol": "tcp", "TrafficType": "egress"})
    spared = json.dumps({"Port": 9000, "Protocol": "tcp", "TrafficType": "egress", "SourcesToFilter": [address]})
    loss = json.dumps({"LossPercent": 100, "Sources": [address]})
    late = json.dumps({"DelayMilliseconds": 300, "JitterMilliseconds": 10, "Sources": [f"{address}/32"]})
    script = ASK + f"""serve 8080
        ask network-blackhole-port/status '{port}'
        ask network-blackhole-port/start '{port}'
        ask network-blackhole-port/start '{port}'
        try 127.0.0.1 8080
        ask network-blackhole-port/stop '{port}'
        try 127.0.0.1 8080
        try {address} 9000
        ask network-packet-loss/start '{loss}'
        try {address} 9000
        ask network-packet-loss/status
        ask network-latency/start '{late}'
        ask network-packet-loss/stop
        try {address} 9000"""
    other = ASK + f"""
        ask network-blackhole-port/start '{away}'
        try {address} 9000
        ask network-blackhole-port/stop '{away}'
        sleep 5
        ask network-blackhole-port/start '{spared}'
        try {address} 9000
        ask network-latency/start '{late}'
        ask network-latency/stop"""
    definition = tasks.register([tasks.container(image, ["sh", "-c", script])], enableFaultInjection=True)
    shown = tasks.ecs.describe_task_definition(taskDefinition=definition)["taskDefinition"]
    assert shown["enableFaultInjection"] is True
    first = tasks.run(definition)
    second = tasks.register([tasks.container(image, ["sh", "-c", other])], enableFaultInjection=True)
    second = tasks.wait(tasks.run(second), "STOPPED")
    assert said(tasks, tasks.wait(first, "STOPPED")) == [
        {"Status": "not-running"}, RUNNING, THROTTLED, "swallowed", STOPPED, "alive", "alive",
        RUNNING, "swallowed", RUNNING, {"Error": "There is already one network packet loss fault running"}, STOPPED, "alive",
    ]
    *seen, late, ended = said(tasks, second)
    assert seen == [RUNNING, "swallowed", STOPPED, RUNNING, "alive"]
    # The kernel of this machine may have no queue that delays.
    assert late in (RUNNING, {"Error": "internal error"}) and ended == STOPPED
    tasks.stop(peer)


def test_a_task_must_be_allowed_to_and_ask_rightly(tasks, image):
    script = ASK + """ask network-latency/status
        ask network-blackhole-port/start '{"Port":1,"Protocol":"icmp","TrafficType":"egress"}'
        ask network-packet-loss/start
        printf 'GET /%s/task HTTP/1.0\\r\\n\\r\\n' "${ECS_CONTAINER_METADATA_URI_V4#http://*/}" | nc 169.254.170.2 80 | tail -n 1"""
    for enabled in (False, True):
        definition = tasks.register([tasks.container(image, ["sh", "-c", script])], enableFaultInjection=enabled)
        task = tasks.run_to_end(None, definition=definition)
        status, port, loss, metadata = said(tasks, task)
        refused = {"Error": f"enableFaultInjection is not enabled for task: {task['taskArn']}"}
        assert status == ({"Status": "not-running"} if enabled else refused)
        assert port == {"Error": "invalid value icmp for parameter Protocol"}
        assert loss == {"Error": "required request body is missing"}
        assert metadata["FaultInjectionEnabled"] is enabled
