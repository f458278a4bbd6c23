"""Commands in containers: ExecuteCommand and the session protocol, the program's own exec and logs, and who may not."""

import hashlib
import json
import os
import pty
import stat
import struct
import subprocess
import sys
import termios
import threading
import time
import uuid
from pathlib import Path

import fcntl
import pytest
from botocore.exceptions import ClientError
from conftest import Region, program, wait_for
from images import Registry
from session_client import DISCONNECT, TERMINATE, Session
from tasks import TRUST, Tasks

CHANNELS = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": ["ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
                                   "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel"], "Resource": "*"},
    {"Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogGroups"], "Resource": "*"}]}
NOT_RUNNING = "execute command agent isn\u2019t running"


def task_role(region, policy=CHANNELS):
    iam = region.client("iam")
    name = f"exec-{uuid.uuid4().hex[:8]}"
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    if policy:
        iam.put_role_policy(RoleName=name, PolicyName="channels", PolicyDocument=json.dumps(policy))
    return arn


def pushed(region, name="exec"):
    region.client("ecr").create_repository(repositoryName=name)
    Registry(region, name).push_image("latest")
    return f"localhost:{region.port}/{name}:latest"


class Exec(Tasks):
    """Tasks that allow commands."""

    def __init__(self, region, image):
        super().__init__(region)
        self.image, self.role = image, task_role(region)

    def start(self, *containers, role=None, **more):
        containers = containers or (self.container(self.image, ["sleep", "3600"]),)
        definition = self.register(list(containers), taskRoleArn=role or self.role)
        task = self.run(definition, enableExecuteCommand=True, **more)
        self.wait(task, "RUNNING")
        return task

    def agents(self, task):
        return [c["managedAgents"][0] for c in self.describe(task)["containers"]]

    def ready(self, *containers, **more):
        task = self.start(*containers, **more)
        wait_for(lambda: all(a["lastStatus"] == "RUNNING" for a in self.agents(task)), lambda: self.agents(task))
        return task

    def ready_again(self, task):
        """After a restart of the region: its agent is back."""
        def back():
            try:
                self.ecs.execute_command(cluster=self.cluster, task=task, command="true", interactive=True)
                return True
            except ClientError:
                return False

        wait_for(back, lambda: self.describe(task), 60, step=0.5)
        return self.describe(task)

    def execute(self, task, command, client=None, **more):
        def begun():
            try:
                return (client or self.ecs).execute_command(cluster=self.cluster, task=task, command=command,
                                                            interactive=True, **more)
            except ClientError as error:
                # Its control channel opens a moment after it is said to run.
                if error.response["Error"]["Code"] != "TargetNotConnectedException":
                    raise
                return None

        return wait_for(begun, "a session")

    def session(self, task, command, actions=("SessionType", "ExitCode"), size=(80, 24), **more):
        session = Session(self.execute(task, command, **more)["session"], actions)
        assert session.ready.wait(60), "no handshake"
        if size:
            session.resize(*size)
        return session


@pytest.fixture(scope="module")
def tasks(region):
    return Exec(region, pushed(region))


@pytest.fixture(scope="module")
def task(tasks):
    task = tasks.ready()
    yield task
    tasks.stop(task)


def refused(call, code, text=""):
    with pytest.raises(ClientError) as error:
        call()
    assert error.value.response["Error"]["Code"] == code, error.value
    assert text in error.value.response["Error"]["Message"], error.value


def test_a_command_its_output_and_its_exit_code(tasks, task):
    described = tasks.describe(task)
    assert described["enableExecuteCommand"] is True
    agent = described["containers"][0]["managedAgents"][0]
    assert agent["name"] == "ExecuteCommandAgent" and agent["lastStartedAt"]
    answer = tasks.execute(task, "sh -c 'echo one; echo two >&2; exit 7'")
    assert answer["session"]["sessionId"].startswith("ecs-execute-command-") and answer["interactive"] is True
    assert answer["containerName"] == "main" and answer["taskArn"] == task
    session = Session(answer["session"], ("SessionType", "ExitCode"))
    assert session.ready.wait(60)
    session.resize(80, 24)
    assert session.wait_for_end() == ""
    assert bytes(session.seen) == b"one\r\ntwo\r\n" and session.exit_code == 7
    # The session is over, so its token lets nobody in any more but to be told so.
    late = Session(answer["session"])
    assert late.wait_for_end() == "" and not late.seen
    wrong = Session({**answer["session"], "tokenValue": "x" * 128})
    assert wrong.wait_for_end() == "connection lost"


def test_a_shell_with_a_terminal(tasks, task):
    session = tasks.session(task, "/bin/sh", actions=("SessionType",), size=(132, 43))
    session.type("busybox stty size; tty; echo $TERM; id -u\r")
    session.wait_for("43 132")
    session.wait_for("/dev/pts/")
    session.wait_for("xterm-256color")
    session.resize(99, 11)
    session.type("busybox stty size\r")
    session.wait_for("11 99")
    session.type("sleep 1000; echo after\r")
    session.wait_for("echo after")
    time.sleep(0.3)
    session.type(b"\x03")
    session.type("echo code $?\r")
    session.wait_for("code 130")
    session.type("echo ä€😀\r")
    session.wait_for("ä€😀\r\n")
    session.type("exit 3\r")
    # What the plugin does not support it is not sent: it would print the exit code.
    assert session.wait_for_end() == "" and session.exit_code is None
    assert not bytes(session.seen).endswith(b"3")


def test_the_aws_cli_with_what_stands_for_its_plugin(region, tasks, task, tmp_path):
    plugin = tmp_path / "session-manager-plugin"
    plugin.write_text(f"#!/bin/sh\nexec {sys.executable} {Path(__file__).with_name('session_client.py')} \"$@\"\n")
    plugin.chmod(plugin.stat().st_mode | stat.S_IXUSR)
    environment = {**region.environment(), "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    aws = Path(sys.executable).with_name("aws")
    command = [str(aws), "ecs", "execute-command", "--cluster", tasks.cluster, "--task", task, "--container", "main",
               "--interactive", "--command", "/bin/sh"]
    terminal = Terminal(command, environment)
    terminal.wait_for(b"Starting session with SessionId: ecs-execute-command-")
    terminal.wait_for(b"# ")
    terminal.write(b"busybox stty size; echo $((6*7))\r")
    terminal.wait_for(b"24 100")
    terminal.wait_for(b"42")
    terminal.write(b"exit\r")
    terminal.wait_for(b"Exiting session with sessionId: ecs-execute-command-")
    assert terminal.wait() == 0


def test_ten_megabytes_arrive_as_they_are(tasks, task):
    script = "yes 0123456789abcdef | head -n 600000"
    session = tasks.session(task, f"sh -c '{script}'", size=(0, 0))
    assert session.wait_for_end(300) == "" and session.exit_code == 0
    assert len(session.seen) == 600000 * 17
    assert hashlib.sha256(session.seen).digest() == hashlib.sha256(b"0123456789abcdef\n" * 600000).digest()


def test_bytes_pipes_and_the_end_of_input(tasks, task):
    session = tasks.session(task, "sh -c 'cat; echo bad >&2; exit 4'", size=(0, 0))
    data = os.urandom(300_000)
    for at in range(0, len(data), 1024):
        session.type(data[at:at + 1024])
    session.flag(DISCONNECT)
    assert session.wait_for_end() == ""
    assert bytes(session.seen) == data and bytes(session.errors) == b"bad\n" and session.exit_code == 4


def test_two_sessions_at_once_and_who_ends_one(region, tasks, task):
    first, second = tasks.session(task, "/bin/sh"), tasks.session(task, "/bin/sh")
    first.type("X=one\r")
    second.type("X=two\r")
    for session, text in ((first, "one"), (second, "two")):
        session.type("echo =$X=\r")
        session.wait_for(f"={text}=\r\n")
    region.client("ssm").terminate_session(SessionId=second.session["sessionId"])
    second.wait_for_end()
    assert region.client("ssm").resume_session(SessionId=second.session["sessionId"]).get("TokenValue") is None
    first.type("echo still\r")
    first.wait_for("still\r\n")
    first.flag(TERMINATE)
    first.wait_for_end()
    refused(lambda: region.client("ssm").terminate_session(SessionId="ecs-execute-command-0"), "DoesNotExistException")


def test_a_client_that_comes_back_loses_nothing(region, tasks, task):
    session = tasks.session(task, "sh -c 'i=0; while [ $i -lt 60 ]; do echo line $i; i=$((i+1)); sleep 0.05; done'")
    session.wait_for("line 5\r\n")
    session.over = "away"
    session.web.close()
    time.sleep(1)
    token = region.client("ssm").resume_session(SessionId=session.session["sessionId"])["TokenValue"]
    session.over = None
    session.open(token)
    assert session.wait_for_end() == ""
    assert bytes(session.seen) == b"".join(b"line %d\r\n" % i for i in range(60))


def test_the_container_stops_in_mid_session(tasks):
    task = tasks.ready(tasks.container(tasks.image, ["sh", "-c", "while [ ! -e /tmp/end ]; do sleep 0.1; done"]))
    session = tasks.session(task, "/bin/sh")
    session.type("echo up; touch /tmp/end\r")
    session.wait_for("up\r\n")
    assert session.wait_for_end(30) == ""
    assert session.exit_code == 137
    tasks.wait(task, "STOPPED")
    refused(lambda: tasks.ecs.execute_command(cluster=tasks.cluster, task=task, command="sh", interactive=True),
            "InvalidParameterException")


def test_commands_that_do_not_start(tasks, task):
    for command, text in (("/no/such/program", "no such file"), ("sh -c 'open", "quote")):
        session = Session(tasks.execute(task, command)["session"])
        session.ready.wait(60)
        if session.over is None:
            session.resize(80, 24)
        assert text in session.wait_for_end(), session.over


def test_what_is_refused(region, tasks, task):
    ecs = tasks.ecs
    execute = dict(cluster=tasks.cluster, task=task, command="sh", interactive=True)
    refused(lambda: ecs.execute_command(**{**execute, "interactive": False}), "InvalidParameterException", "Interactive is the only mode")
    refused(lambda: ecs.execute_command(**{**execute, "container": "no"}), "InvalidParameterException")
    refused(lambda: ecs.execute_command(**{**execute, "cluster": "no"}), "ClusterNotFoundException")
    refused(lambda: ecs.execute_command(**{**execute, "task": "0" * 32}), "InvalidParameterException")
    plain = tasks.run(tasks.register([tasks.container(tasks.image, ["sleep", "600"])], taskRoleArn=tasks.role))
    tasks.wait(plain, "RUNNING")
    assert tasks.describe(plain)["enableExecuteCommand"] is False
    refused(lambda: ecs.execute_command(**{**execute, "task": plain}), "InvalidParameterException", NOT_RUNNING)
    tasks.stop(plain)
    refused(lambda: tasks.run(tasks.register([tasks.container(tasks.image)]), enableExecuteCommand=True),
            "InvalidParameterException", "valid taskRoleArn is not being used")
    for configuration in ({"kmsKeyId": "key"}, {"logging": "OVERRIDE", "logConfiguration": {"s3BucketName": "b"}}):
        refused(lambda: ecs.create_cluster(clusterName="x", configuration={"executeCommandConfiguration": configuration}),
                "InvalidParameterException")


def test_a_role_without_permissions_has_no_agent(region, tasks):
    task = tasks.start(role=task_role(region, None))
    wait_for(lambda: tasks.agents(task)[0]["lastStatus"] == "STOPPED", lambda: tasks.agents(task))
    assert "not authorized" in tasks.agents(task)[0]["reason"]
    refused(lambda: tasks.ecs.execute_command(cluster=tasks.cluster, task=task, command="sh", interactive=True),
            "InvalidParameterException", NOT_RUNNING)
    tasks.stop(task)


def test_policies_decide_by_container(region, tasks):
    two = [tasks.container(tasks.image, ["sleep", "600"], name=name) for name in ("open", "closed")]
    task = tasks.ready(*two)
    iam = region.client("iam")
    user = f"u-{uuid.uuid4().hex[:8]}"
    iam.create_user(UserName=user)
    policy = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "ecs:ExecuteCommand", "Resource": "*",
         "Condition": {"StringEquals": {"ecs:container-name": "open"}}}]}
    iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=user)["AccessKey"]
    ecs = region.client("ecs", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
    execute = dict(cluster=tasks.cluster, task=task, command="true", interactive=True)
    refused(lambda: ecs.execute_command(**execute, container="closed"), "AccessDeniedException")
    refused(lambda: tasks.ecs.execute_command(**execute), "InvalidParameterException", "container name must be specified")
    session = Session(tasks.execute(task, "hostname", client=ecs, container="open")["session"])
    assert session.ready.wait(60)
    session.resize(80, 24)
    assert session.wait_for_end() == ""
    events = region.client("cloudtrail").lookup_events(
        LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "ExecuteCommand"}])["Events"]
    records = [json.loads(event["CloudTrailEvent"]) for event in events]
    mine = [record for record in records if record["userIdentity"].get("userName") == user]
    assert {record.get("errorCode") for record in mine} == {None, "AccessDenied"}
    assert session.session["tokenValue"] not in json.dumps(records)
    tasks.stop(task)


def test_sessions_are_logged(region, tasks):
    cluster = Exec(region, tasks.image)
    group = f"{cluster.group}/sessions"
    cluster.logs.create_log_group(logGroupName=group)
    configuration = {"executeCommandConfiguration": {"logging": "OVERRIDE",
                                                     "logConfiguration": {"cloudWatchLogGroupName": group}}}
    updated = cluster.ecs.update_cluster(cluster=cluster.cluster, configuration=configuration)["cluster"]
    shown = updated["configuration"]["executeCommandConfiguration"]
    assert shown["logging"] == "OVERRIDE" and shown["logConfiguration"]["cloudWatchLogGroupName"] == group
    task = cluster.ready()
    session = cluster.session(task, "sh -c 'echo secret of the sea; echo second'")
    assert session.wait_for_end() == ""
    stream = session.session["sessionId"]
    events = cluster.logs.get_log_events(logGroupName=group, logStreamName=stream)["events"]
    assert [event["message"] for event in events] == ["secret of the sea", "second"]
    cluster.stop(task)


def test_the_region_is_killed_in_mid_session():
    region = Region()
    try:
        tasks = Exec(region, pushed(region))
        task = tasks.ready()
        session = tasks.session(task, "/bin/sh")
        session.type("echo up\r")
        session.wait_for("up\r\n")
        region.stop(hard=True)
        assert session.wait_for_end() == "connection lost"
        region.start()
        again = tasks.ready_again(task)
        assert again["lastStatus"] == "RUNNING"
        fresh = tasks.session(task, "sh -c 'busybox ps | busybox grep -c sh$'")
        assert fresh.wait_for_end() == ""
        # The shell of the lost session did not outlive its agent.
        assert bytes(fresh.seen).split()[0] in (b"0", b"1"), bytes(fresh.seen)
        wait_for(lambda: region.client("ssm").resume_session(SessionId=session.session["sessionId"]).get("TokenValue") is None,
                 "the end of the lost session", 90, step=1)
        tasks.stop(task)
    finally:
        region.close()


class Terminal:
    """A program on a terminal of 100 columns and 24 rows."""

    def __init__(self, command, environment=None):
        self.seen = bytearray()
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment,
                                        start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(slave)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            while data := os.read(self.master, 4096):
                self.seen.extend(data)
        except OSError:
            pass

    def write(self, data):
        os.write(self.master, data)

    def resize(self, columns, rows):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def wait_for(self, text, deadline=60):
        wait_for(lambda: text in self.seen, lambda: bytes(self.seen[-2000:]), deadline)

    def wait(self):
        return self.process.wait(timeout=60)


def longshore(region, *arguments, **more):
    command = [program(), arguments[0], "--data-dir", region.data_dir, *arguments[1:]]
    return subprocess.run(command, capture_output=True, timeout=120, **more)


def test_longshore_exec_on_a_terminal(region, tasks, task):
    terminal = Terminal([program(), "exec", "--data-dir", region.data_dir, task])
    terminal.wait_for(b"# ")
    terminal.write(b"busybox stty size\r")
    terminal.wait_for(b"24 100")
    terminal.resize(77, 33)
    terminal.write(b"busybox stty size\r")
    terminal.wait_for(b"33 77")
    terminal.write(b"sleep 1000\r")
    terminal.wait_for(b"sleep 1000\r")
    time.sleep(0.3)
    terminal.write(b"\x03")
    terminal.write(b"exit 9\r")
    assert terminal.wait() == 9, bytes(terminal.seen)


def test_longshore_exec_in_a_pipe(region, tasks, task):
    data = os.urandom(200_000)
    done = longshore(region, "exec", task, "--container", "main", "--", "sh", "-c", "cat; echo 'a  b' >&2; exit 5", input=data)
    assert (done.returncode, done.stdout == data, done.stderr) == (5, True, b"a  b\n")
    done = longshore(region, "exec", task, "--", "sh", "-c", "yes 0123456789 | head -n 950000", stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    assert done.stdout == b"0123456789\n" * 950000
    done = longshore(region, "exec", task, "--", "/no/program", stdin=subprocess.DEVNULL)
    assert done.returncode == 255 and b"no such file" in done.stderr
    done = longshore(region, "exec", "0" * 32, "--cluster", tasks.cluster, stdin=subprocess.DEVNULL)
    assert done.returncode == 1 and b"task was not found" in done.stderr


def test_longshore_logs(region, tasks):
    script = "echo one; while [ ! -e /tmp/end ]; do sleep 0.1; done; echo two"
    task = tasks.ready(tasks.container(tasks.image, ["sh", "-c", script]))
    follow = subprocess.Popen([program(), "logs", "--data-dir", region.data_dir, task, "-f"], stdout=subprocess.PIPE)
    assert follow.stdout.readline() == b"one\n"
    wait_for(lambda: longshore(region, "logs", task).stdout == b"one\n", "the first line")
    assert longshore(region, "logs", task, "--since", "1h").stdout == b"one\n"
    assert longshore(region, "exec", task, "--", "touch", "/tmp/end", stdin=subprocess.DEVNULL).returncode in (0, 137)
    assert follow.stdout.read() == b"two\n" and follow.wait(60) == 0
    assert longshore(region, "logs", task).stdout == b"one\ntwo\n"
    failed = longshore(region, "logs", task, "--container", "no")
    assert failed.returncode == 1 and b"no container" in failed.stderr


def test_services_allow_commands(region, tasks):
    definition = tasks.register([tasks.container(tasks.image, ["sh", "-c", "echo hello; exec sleep 600"])], taskRoleArn=tasks.role)
    network = tasks.network
    name = f"s-{uuid.uuid4().hex[:8]}"
    service = tasks.ecs.create_service(cluster=tasks.cluster, serviceName=name, taskDefinition=definition, desiredCount=1,
                                       launchType="FARGATE", networkConfiguration=network, enableExecuteCommand=True)["service"]
    assert service["enableExecuteCommand"] is True
    arns = wait_for(lambda: tasks.ecs.list_tasks(cluster=tasks.cluster, serviceName=name)["taskArns"], "a task")
    tasks.wait(arns[0], "RUNNING")
    wait_for(lambda: tasks.agents(arns[0])[0]["lastStatus"] == "RUNNING", lambda: tasks.agents(arns[0]))
    session = tasks.session(arns[0], "echo from service")
    assert session.wait_for_end() == "" and b"from service" in session.seen
    wait_for(lambda: b"hello" in longshore(region, "logs", name, "--cluster", tasks.cluster).stdout, "its log")
    updated = tasks.ecs.update_service(cluster=tasks.cluster, service=name, enableExecuteCommand=False)["service"]
    assert updated["enableExecuteCommand"] is False
    tasks.ecs.delete_service(cluster=tasks.cluster, service=name, force=True)
