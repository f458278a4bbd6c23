"""Faults that tasks make in their own networks, at the endpoint of the agent."""

import json
import os
import signal

import pytest
from images import Registry
from leftovers import leaves_nothing, read
from services import processes
from tasks import Tasks
from waiting import wait_for

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


def first_process(task):
    """The first process of the task's container, as the machine knows it."""
    is_first = lambda pid: any(line.split()[-1] == "1" for line in read(f"/proc/{pid}/status").splitlines() if line.startswith("NSpid:"))
    [pid] = [pid for pid in processes(task) if is_first(pid)]
    return pid


def test_faults_outlive_a_kill_of_the_region_and_end_when_they_are_told_to(own_region):
    own_region.client("ecr").create_repository(repositoryName="faults")
    Registry(own_region, "faults").push_image("latest")
    tasks = Tasks(own_region)
    image = f"localhost:{own_region.port}/faults:latest"
    peer = tasks.run(tasks.register([tasks.container(image, ["sh", "-c", ASK + "serve 9000; wait"])]))
    address = tasks.wait(peer, "RUNNING")["containers"][0]["networkInterfaces"][0]["privateIpv4Address"]
    port = json.dumps({"Port": 8080, "Protocol": "tcp", "TrafficType": "ingress"})
    loss = json.dumps({"LossPercent": 100, "Sources": [address]})
    # An agent that is away answers nothing, and answers one request of a kind in five seconds.
    script = ASK + f"""serve 8080
        ask network-blackhole-port/start '{port}'
        ask network-packet-loss/start '{loss}'
        trap over=yes USR1
        while [ -z "$over" ]; do
            try 127.0.0.1 8080; try {address} 9000
            ask network-blackhole-port/status '{port}' 2>/dev/null; ask network-packet-loss/status 2>/dev/null
            sleep 5
        done
        echo over
        ask network-blackhole-port/stop '{port}'; try 127.0.0.1 8080
        ask network-packet-loss/stop; try {address} 9000"""
    task = tasks.run(tasks.register([tasks.container(image, ["sh", "-c", script])], enableFaultInjection=True))
    tasks.wait(task, "RUNNING")
    lines = lambda: said(tasks, {"taskArn": task})
    wait_for(lambda: lines()[4:] and lines()[:2] == [RUNNING, RUNNING], lines, 60)
    for _ in range(2):
        own_region.stop(hard=True)
        own_region.start()
    before = len(lines())
    wait_for(lambda: lines()[before:].count(RUNNING) >= 3, lambda: lines()[before:], 60)
    seen = [line for line in lines() if line != RUNNING]
    assert set(seen) == {"swallowed"}, seen
    os.kill(first_process(task), signal.SIGUSR1)
    tasks.wait(task, "STOPPED")
    assert lines()[lines().index("over"):] == ["over", STOPPED, "alive", STOPPED, "alive"]
    tasks.stop(peer)
    leaves_nothing(own_region)
