"""Where the output of containers goes: messages of several lines, routers, Splunk."""

import http.server
import json
import socket
import threading
import uuid
from pathlib import Path

import pytest
from images import Registry
from leftovers import leaves_nothing
from tasks import Tasks
from waiting import wait_for

@pytest.fixture(scope="module")
def image(region):
    region.client("ecr").create_repository(repositoryName="busybox-logs")
    Registry(region, "busybox-logs").push_image("latest")
    return f"localhost:{region.port}/busybox-logs:latest"


@pytest.fixture(scope="module")
def tasks(region, image):
    made = Tasks(region)
    yield made
    made.close()


def sh(script):
    return ["sh", "-c", script]


def logging(tasks, **options):
    return {"logDriver": "awslogs", "options": {"awslogs-group": tasks.group, "awslogs-region": "us-east-1",
                                                "awslogs-stream-prefix": "t", **options}}


@pytest.mark.parametrize("option", [{"awslogs-multiline-pattern": "^BEGIN"}, {"awslogs-datetime-format": "BEGIN %Y"}])
def test_messages_of_several_lines_are_one_event(tasks, image, option):
    script = "echo BEGIN 2026 one; echo ' at a'; echo ' at b'; echo BEGIN 2026 two; echo ' at c'"
    task = tasks.run_to_end([tasks.container(image, sh(script), logConfiguration=logging(tasks, **option))])
    assert tasks.lines(task["taskArn"]) == ["BEGIN 2026 one\n at a\n at b\n", "BEGIN 2026 two\n at c\n"]


def unpack(data, at=0):
    """A value of MessagePack, as far as the forward protocol needs it, and where the next one begins."""
    kind = data[at]
    if kind <= 0x7F:
        return kind, at + 1
    if 0x80 <= kind <= 0x8F or 0x90 <= kind <= 0x9F or kind in (0xDC, 0xDD):
        if kind >= 0xDC:
            size = 2 if kind == 0xDC else 4
            count, at = int.from_bytes(data[at + 1:at + 1 + size], "big"), at + 1 + size
        else:
            count, at = kind & 0x0F, at + 1
        values = []
        for _ in range(count * (2 if kind & 0xF0 == 0x80 else 1)):
            value, at = unpack(data, at)
            values.append(value)
        return (dict(zip(values[::2], values[1::2])) if kind & 0xF0 == 0x80 else values), at
    if 0xA0 <= kind <= 0xBF:
        return data[at + 1:at + 1 + (kind & 0x1F)].decode(), at + 1 + (kind & 0x1F)
    if kind in (0xD9, 0xDA, 0xDB):
        size = {0xD9: 1, 0xDA: 2, 0xDB: 4}[kind]
        length, at = int.from_bytes(data[at + 1:at + 1 + size], "big"), at + 1 + size
        return data[at:at + length].decode(), at + length
    assert kind == 0xD7, f"an extension of eight bytes, not {kind:#x}"
    return int.from_bytes(data[at + 2:at + 6], "big"), at + 10


class Receiver:
    """Listens at the socket of a router, inside of its container, and takes records in the forward protocol."""

    def __init__(self, region, task, container="router"):
        self.records = []
        state = Path(region.data_dir) / "tasks" / task.rsplit("/", 1)[1] / "state.json"

        def pid():
            try:
                return json.loads(state.read_text())["containers"][container]["phase"]["Running"]["pid"]
            except (OSError, KeyError):
                return None

        self.root = f"/proc/{wait_for(pid, 'the router runs')}/root"
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(f"{self.root}/var/run/fluent.sock")
        self.listener.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self.take, args=(connection,), daemon=True).start()

    def take(self, connection):
        data = b""
        while more := connection.recv(65536):
            data += more
            while data:
                try:
                    (tag, entries), end = unpack(data)
                except IndexError:
                    break
                data = data[end:]
                self.records += [(tag, record) for _, record in entries]

    def lines(self):
        return [record["log"] for _, record in self.records]


def routed(image, script, **more):
    return {"name": "app", "image": image, "command": sh(script), "essential": True, "stopTimeout": 2,
            "logConfiguration": {"logDriver": "awsfirelens", "options": {"Name": "stdout", "exclude-pattern": "noise"}}, **more}


def router(tasks, image, script, **more):
    return tasks.container(image, sh(script), name="router", firelensConfiguration={"type": "fluentbit", **more})


LASTS = "cat /fluent-bit/etc/fluent-bit.conf; trap 'date +%s > /proc/1/fd/1; exit 0' TERM; while :; do sleep 0.1; done"


def test_output_is_routed_to_the_router_which_is_there_first_and_goes_last(tasks, image, region):
    app = routed(image, "env | grep FLUENT | sort; echo two >&2; sleep 1; seq 1000; exit 3")
    task = tasks.run(tasks.register([app, router(tasks, image, LASTS)]))
    receiver = Receiver(region, task)
    ended = tasks.wait(task, "STOPPED")
    assert tasks.exit_code(ended, "app") == 3 and tasks.exit_code(ended, "router") == 0
    lines = receiver.lines()
    assert [line for line in lines if line != "two"] == ["FLUENT_HOST=127.0.0.1", "FLUENT_PORT=24224",
                                                        *map(str, range(1, 1001))]
    id = task.rsplit("/", 1)[1]
    tag, record = next((tag, record) for tag, record in receiver.records if record["log"] == "two")
    assert tag == f"app-firelens-{id}" and record["source"] == "stderr" and record["container_name"] == "/app"
    configuration = "\n".join(tasks.lines(task, "router"))
    for part in ["Name forward", "unix_path /var/run/fluent.sock", f"Match app-firelens-{id}*", "Exclude log noise",
                 f"Record ecs_task_arn {task}", f"Record ecs_cluster {tasks.cluster}", "Record ecs_task_definition f-"]:
        assert part in configuration, configuration
    leaves_nothing(region)


def test_a_router_without_metadata_and_with_a_file_and_secrets(tasks, image, region):
    region.client("ssm").put_parameter(Name="/router/key", Type="SecureString", Value="s3cret")
    allow_parameters(region)
    app = routed(image, "true")
    app["logConfiguration"]["secretOptions"] = [{"name": "apikey", "valueFrom": "/router/key"}]
    options = {"enable-ecs-log-metadata": "false", "config-file-type": "file", "config-file-value": "/extra.conf"}
    script = "cat /fluent-bit/etc/fluent-bit.conf; env | grep apikey"
    task = tasks.run_to_end([app, router(tasks, image, script, options=options)])
    lines = tasks.lines(task["taskArn"], "router")
    assert "@INCLUDE /extra.conf" in lines and not any("ecs_cluster" in line for line in lines)
    assert "    apikey ${apikey_0}" in lines and "apikey_0=s3cret" in lines


def test_a_router_that_ends_keeps_nobody_waiting(tasks, image, region):
    gone = router(tasks, image, "exit 0")
    gone["essential"] = False
    task = tasks.run(tasks.register([routed(image, "sleep 1; seq 100"), gone]))
    assert tasks.exit_code(tasks.wait(task, "STOPPED", deadline=20), "app") == 0
    leaves_nothing(region)


def test_a_router_s_socket_leads_nowhere_else(tasks, image, region):
    """A link in the place of the socket is followed inside of the container only."""
    path = f"/tmp/longshore-outside-{uuid.uuid4().hex[:8]}.sock"
    outside = socket.socket(socket.AF_UNIX)
    outside.bind(path)
    outside.listen()
    outside.settimeout(3)
    try:
        bad = router(tasks, image, f"ln -s {path} /var/run/fluent.sock; sleep 600")
        task = tasks.run(tasks.register([routed(image, "echo out; sleep 600"), bad]))
        tasks.wait(task, "RUNNING")
        with pytest.raises(TimeoutError):
            outside.accept()
        tasks.stop(task)
    finally:
        Path(path).unlink()


def allow_parameters(region):
    region.client("iam").put_role_policy(
        RoleName="ecsTaskExecutionRole", PolicyName="parameters", PolicyDocument=json.dumps({
            "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ssm:GetParameters", "Resource": "*"}]}))


class Collector(http.server.BaseHTTPRequestHandler):
    """An HTTP Event Collector that remembers."""

    events, tokens = [], set()

    def do_OPTIONS(self):
        self.send_response(200)
        self.end_headers()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.tokens.add(self.headers["Authorization"])
        decoder, at = json.JSONDecoder(), 0
        while at < len(body):
            event, at = decoder.raw_decode(body, at)
            self.events.append(event)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"text":"Success","code":0}')

    def log_message(self, *_):
        pass


def test_output_goes_to_splunk_with_a_secret_token(tasks, image, region):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        region.client("ssm").put_parameter(Name="/splunk/token", Type="SecureString", Value="s3cret")
        allow_parameters(region)
        log = {"logDriver": "splunk", "options": {"splunk-url": f"http://127.0.0.1:{server.server_port}", "splunk-index": "main"},
               "secretOptions": [{"name": "splunk-token", "valueFrom": "/splunk/token"}]}
        task = tasks.run_to_end([tasks.container(image, sh("echo one; echo two >&2"), logConfiguration=log)])
        assert tasks.exit_code(task) == 0
        lines = {(e["event"]["line"], e["event"]["source"]) for e in Collector.events}
        assert lines == {("one", "stdout"), ("two", "stderr")}
        assert Collector.tokens == {"Splunk s3cret"}
        assert all(event["index"] == "main" for event in Collector.events)
    finally:
        server.shutdown()


def test_a_collector_that_is_not_there_stops_the_task(tasks, image):
    log = {"logDriver": "splunk", "options": {"splunk-url": "http://127.0.0.1:9", "splunk-token": "t"}}
    task = tasks.run(tasks.register([tasks.container(image, sh("true"), logConfiguration=log)]))
    stopped = wait_for(lambda: (t := tasks.describe(task))["lastStatus"] == "STOPPED" and t, "it stops")
    assert stopped["stoppedReason"].startswith("ResourceInitializationError: failed to initialize logging driver: splunk")
