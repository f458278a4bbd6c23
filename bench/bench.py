"""Benchmarks, side by side with the peers in one run: cargo xtask bench [run-task] [api] [registry] [collection]
[start] [identity] [pull] [load-balancer] [services].

Every figure is measured here and now on this machine; what is not installed is said to be missing, never guessed.
"""

import concurrent.futures
import datetime
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/conformance"))
os.environ.setdefault("LONGSHORE_BIN", str(Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release/longshore"))

import boto3  # noqa: E402
from botocore.auth import SigV4Auth  # noqa: E402
from botocore.awsrequest import AWSRequest  # noqa: E402
from botocore.credentials import Credentials  # noqa: E402
from conftest import Region, free_port  # noqa: E402
from docker_engine import DockerEngine, NoEngine  # noqa: E402
from images import Registry, busybox_layer  # noqa: E402
from load_balancer import load_balancer  # noqa: E402
from pull import pull  # noqa: E402
from registry import collection, registry  # noqa: E402
from services_bench import services  # noqa: E402
from tasks import Tasks  # noqa: E402
from waiting import wait_for  # noqa: E402


def say(text):
    print(text, flush=True)


def spread(samples, unit="ms"):
    return f"median {statistics.median(samples):.1f} {unit}, min {min(samples):.1f}, max {max(samples):.1f} ({len(samples)} runs)"


def memory_mib(pid, key="Pss"):
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) / 1024
    return 0.0


def prepared(region):
    region.client("ecr").create_repository(repositoryName="busybox")
    Registry(region, "busybox").push_image("latest")
    return Tasks(region), f"localhost:{region.port}/busybox:latest"


def run_task():
    region = Region()
    try:
        tasks, image = prepared(region)
        definition = tasks.register([{"name": "main", "image": image, "command": ["sleep", "600"], "stopTimeout": 2}])
        samples, started = [], []
        for _ in range(21):
            begun = time.perf_counter()
            task = tasks.run(definition)
            wait_for(lambda: tasks.describe(task)["lastStatus"] == "RUNNING", "RUNNING", 30, 0.001)
            samples.append((time.perf_counter() - begun) * 1000)
            described = tasks.describe(task)
            started.append((described["startedAt"] - described["createdAt"]).total_seconds() * 1000)
            tasks.stop(task)
        say(f"RunTask sent -> RUNNING seen by polling: {spread(samples[1:])}")
        say(f"createdAt -> startedAt as the region saw it: {spread(started[1:])}")
        docker_run(statistics.median(samples[1:]))
        many(region, tasks, definition)
    finally:
        region.close()


def docker_run(run_task_ms):
    """The same busybox under a Docker engine that is started for this and stopped again, with Docker's default network of
    bridge, veth and address translation, in a network namespace of its own."""
    try:
        engine = DockerEngine(own_network=True)
    except NoEngine as reason:
        say(f"docker run: no figure, no Docker engine can run here: {reason}")
        return
    try:
        layer = engine.dir / "layer.tar"
        layer.write_bytes(busybox_layer())
        engine.run("import", str(layer), "bench:latest")
        started, running, whole = [], [], []
        for _ in range(21):
            begun = time.perf_counter()
            container = engine.run("run", "-d", "bench:latest", "/bin/sleep", "600").stdout.strip()
            started.append((time.perf_counter() - begun) * 1000)
            state = engine.run("inspect", "-f", "{{.Created}} {{.State.StartedAt}}", container).stdout.split()
            running.append(between_ms(*state))
            engine.run("rm", "-f", container)
        for _ in range(11):
            begun = time.perf_counter()
            engine.run("run", "--rm", "bench:latest", "/bin/true")
            whole.append((time.perf_counter() - begun) * 1000)
        version = engine.run("version", "-f", "{{.Server.Version}}").stdout.strip()
        say(f"docker {version} run -d, container running when it returns: {spread(started[1:])}")
        say(f"docker created -> started as the engine saw it: {spread(running[1:])}")
        say(f"docker run --rm busybox true, whole: {spread(whole[1:])}")
        say(f"ratio: docker run -d takes {statistics.median(started[1:]) / run_task_ms:.1f} times as long as RunTask -> RUNNING")
    finally:
        engine.close()


def between_ms(begun, ended):
    """Milliseconds between two times as Docker writes them, with nine decimals."""
    moment = lambda text: datetime.datetime.fromisoformat(text[:26].rstrip("Z") + "+00:00")
    return (moment(ended) - moment(begun)).total_seconds() * 1000


def many(region, tasks, definition, count=200):
    """200 tasks as fast as they can be asked for."""
    shims_before = set(shim_pids(region))
    begun = time.perf_counter()

    def ten(_):
        answer = tasks.ecs.run_task(cluster=tasks.cluster, taskDefinition=definition, count=10, launchType="FARGATE",
                                    networkConfiguration=tasks.network)
        return [task["taskArn"] for task in answer["tasks"]]

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        arns = [arn for group in pool.map(ten, range(count // 10)) for arn in group]

    def all_running():
        states = []
        for at in range(0, count, 100):
            states += [t["lastStatus"] for t in tasks.ecs.describe_tasks(cluster=tasks.cluster, tasks=arns[at:at + 100])["tasks"]]
        return states.count("RUNNING") == count

    wait_for(all_running, f"{count} running", 120, 0.02)
    seconds = time.perf_counter() - begun
    shims = [pid for pid in shim_pids(region) if pid not in shims_before]
    pss = statistics.mean(memory_mib(pid) for pid in shims) if shims else 0
    say(f"{count} tasks running after {seconds:.2f} s: {count / seconds:.0f} tasks/s; "
        f"{len(shims)} shims, mean PSS {pss:.2f} MiB; server PSS {memory_mib(region.process.pid):.1f} MiB")
    for arn in arns:
        tasks.ecs.stop_task(cluster=tasks.cluster, task=arn)
    wait_for(lambda: not shim_pids(region), "all stopped", 120)


def shim_pids(region):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if len(command) > 2 and command[1] == b"shim" and region.data_dir.encode() in b" ".join(command):
            found.append(int(pid))
    return found


def signed_script(region, service, target, body):
    """A wrk script that replays one signed request; a signature is good for 15 minutes."""
    data = json.dumps(body)
    request = AWSRequest("POST", region.endpoint + "/", data=data,
                         headers={"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"})
    SigV4Auth(Credentials(*region.key), service, "us-east-1").add_auth(request)
    lines = ['wrk.method="POST"', f"wrk.body={json.dumps(data)}"]
    lines += [f"wrk.headers[{json.dumps(k)}]={json.dumps(v)}" for k, v in request.headers.items()]
    path = tempfile.mktemp(suffix=".lua")
    Path(path).write_text("\n".join(lines))
    return path


def wrk(script, endpoint, seconds=5, connections=8):
    done = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", script, endpoint + "/"],
                          capture_output=True, text=True, check=True).stdout
    rate = next(line.split()[1] for line in done.splitlines() if line.startswith("Requests/sec"))
    p99 = next(line.split()[1] for line in done.splitlines() if line.strip().startswith("99%"))
    bad = next((" " + line.strip() for line in done.splitlines() if "Non-2xx" in line), "")
    return float(rate), f"{float(rate):,.0f} requests/s, p99 {p99}{bad}"


def api():
    region = Region()
    try:
        tasks, image = prepared(region)
        for i in range(10):
            tasks.ecs.create_cluster(clusterName=f"rps{i}")
            region.client("ecr").create_repository(repositoryName=f"rps/r{i}")
        definition = tasks.register([{"name": "main", "image": image, "command": ["sleep", "600"], "stopTimeout": 2}])
        arns = [tasks.run(definition) for _ in range(5)]
        for arn in arns:
            tasks.wait(arn, "RUNNING")
        prefix = "AmazonEC2ContainerServiceV20141113"
        calls = [("ListClusters", "ecs", f"{prefix}.ListClusters", {}),
                 ("DescribeTasks of 5", "ecs", f"{prefix}.DescribeTasks", {"cluster": tasks.cluster, "tasks": arns}),
                 ("DescribeRepositories", "ecr", "AmazonEC2ContainerRegistry_V20150921.DescribeRepositories", {})]
        rates = {}
        for name, service, target, body in calls:
            rates[name], text = wrk(signed_script(region, service, target, body), region.endpoint)
            say(f"{name}, 8 connections: {text}")
        for arn in arns:
            tasks.stop(arn)
        moto(calls, rates)
    finally:
        region.close()


def moto(calls, rates):
    """The same calls to a moto server with as many clusters, repositories and tasks. It verifies no signature."""
    server = shutil.which("moto_server")
    if not server:
        say("moto: not installed (pip install 'moto[server]'), no figure")
        return
    port = free_port()
    peer = Peer(f"http://127.0.0.1:{port}")
    process = subprocess.Popen([server, "-H", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        def answers():
            try:
                urllib.request.urlopen(peer.endpoint + "/moto-api/data.json", timeout=1)
                return True
            except OSError:
                return False

        wait_for(answers, "moto", 60)
        bodies = peer.prepare()
        for name, service, target, _ in calls:
            rate, text = wrk(signed_script(peer, service, target, bodies.get(name, {})), peer.endpoint)
            say(f"moto {name}, 8 connections: {text}; ratio {rates[name] / rate:,.0f}")
    finally:
        process.terminate()
        process.wait()


class Peer:
    """A moto server as `signed_script` wants it."""

    key = ("AKIAPEER", "secret")

    def __init__(self, endpoint):
        self.endpoint = endpoint

    def client(self, service):
        return boto3.client(service, endpoint_url=self.endpoint, region_name="us-east-1", aws_access_key_id=self.key[0],
                            aws_secret_access_key=self.key[1])

    def prepare(self):
        """Makes what the region has too; answers the bodies that name it."""
        ecs, ecr = self.client("ecs"), self.client("ecr")
        ecs.create_cluster(clusterName="bench")
        ecr.create_repository(repositoryName="busybox")
        for i in range(10):
            ecs.create_cluster(clusterName=f"rps{i}")
            ecr.create_repository(repositoryName=f"rps/r{i}")
        ecs.register_task_definition(family="bench", networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512",
                                     containerDefinitions=[{"name": "main", "image": "busybox", "memory": 64,
                                                            "command": ["sleep", "600"]}])
        subnet = self.client("ec2").describe_subnets()["Subnets"][0]["SubnetId"]
        tasks = ecs.run_task(cluster="bench", taskDefinition="bench", count=5, launchType="FARGATE",
                             networkConfiguration={"awsvpcConfiguration": {"subnets": [subnet], "securityGroups": []}})["tasks"]
        return {"DescribeTasks of 5": {"cluster": "bench", "tasks": [task["taskArn"] for task in tasks]}}


def start():
    samples, memory = [], []
    for _ in range(5):
        begun = time.perf_counter()
        region = Region()
        region.client("sts").get_caller_identity()
        samples.append((time.perf_counter() - begun) * 1000)
        time.sleep(2)
        memory.append(memory_mib(region.process.pid))
        region.close()
    say(f"longshore up -> first signed answer (client start included): {spread(samples)}")
    say(f"idle region: PSS {spread(memory, 'MiB')}")


def identity():
    """What knowing the caller, deciding and recording cost by themselves; small programs of the crates."""
    for krate, example in [("api-server", "identity_speed"), ("iam-policy", "evaluations"), ("audit-log", "record_speed")]:
        run = ["cargo", "run", "--quiet", "--release", "-p", krate, "--example", example]
        say(subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip())


BENCHMARKS = {"start": start, "run-task": run_task, "api": api, "registry": registry, "collection": collection, "identity": identity,
              "pull": pull, "load-balancer": load_balancer, "services": lambda: services(say)}

if __name__ == "__main__":
    for wanted in sys.argv[1:] or BENCHMARKS:
        say(f"## {wanted}")
        BENCHMARKS[wanted]()
