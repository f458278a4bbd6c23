"""The load balancer beside Debian's nginx as a reverse proxy: the same targets, the same clients, turn by turn."""

import contextlib
import json
import os
import re
import shutil
import socket
import statistics
import struct
import subprocess
import tempfile
import time
from pathlib import Path

from conftest import free_port
from waiting import wait_for

SECONDS = int(os.environ.get("BENCH_SECONDS", "8"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
BIG = 100 * 1024

TARGET = """
worker_processes 1; daemon off; master_process off; error_log stderr; pid {directory}/target.pid;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000; client_body_temp_path {directory}; proxy_temp_path {directory};
  fastcgi_temp_path {directory}; uwsgi_temp_path {directory}; scgi_temp_path {directory};
  server {{
    listen 127.0.0.1:{port};
    location = / {{ default_type text/plain; return 200 "hello, world\\n"; }}
    location = /big {{ alias {directory}/big; }}
  }}
}}
"""

PROXY = """
worker_processes auto; daemon off; error_log stderr; pid {directory}/proxy.pid; user root;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000; client_body_temp_path {directory}; proxy_temp_path {directory};
  fastcgi_temp_path {directory}; uwsgi_temp_path {directory}; scgi_temp_path {directory};
  upstream targets {{ server 127.0.0.1:{target}; keepalive 256; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://targets; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Port $server_port;
    }}
  }}
}}
"""


def say(text):
    print(text, flush=True)


def ask(path, question):
    """One frame of JSON there, one back."""
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(str(path))
        body = json.dumps(question).encode()
        control.sendall(struct.pack(">I", len(body)) + body)
        length = struct.unpack(">I", control.recv(4, socket.MSG_WAITALL))[0]
        return json.loads(control.recv(length, socket.MSG_WAITALL))


def configuration(port, target):
    group, check = "targets", {
        "enabled": False, "protocol": "HTTP", "port": "traffic-port", "path": "/", "interval_seconds": 5,
        "timeout_seconds": 2, "healthy_threshold": 2, "unhealthy_threshold": 2, "matcher": "200",
    }
    return {"revision": 1, "load_balancers": [{
        "arn": "balancer", "kind": "application", "addresses": ["127.0.0.1"],
        "listeners": [{
            "arn": "listener", "protocol": "HTTP", "port": port,
            "default_action": {"forward": {"target_groups": [{"arn": group, "weight": 1}]}},
        }],
    }], "target_groups": [{
        "arn": group, "protocol": "HTTP", "health_check": check,
        "targets": [{"id": "127.0.0.1", "address": "127.0.0.1", "port": target}],
    }]}


class Proxy:
    """What is measured: a name, a port, and the processes whose time counts."""

    def __init__(self, name, port, process):
        self.name, self.port, self.process, self.figures = name, port, process, {}

    def pids(self):
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [str(self.process.pid), *children]

    def cpu(self):
        ticks = 0
        for pid in self.pids():
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def memory_mib(self):
        total = 0
        for pid in self.pids():
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) / 1024
        return total


def listening(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def seconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()
    return float(number) * {"us": 1e-6, "ms": 1e-3, "s": 1, "m": 60}[unit]


def measure(proxy, what, path, connections, headers):
    before = proxy.cpu()
    command = ["wrk", "-t2", f"-c{connections}", f"-d{SECONDS}s", "--latency", *headers]
    text = subprocess.run([*command, f"http://127.0.0.1:{proxy.port}{path}"], check=True, capture_output=True, text=True).stdout
    spent = proxy.cpu() - before
    requests = int(re.search(r"(\d+) requests in", text)[1])
    errors = re.search(r"Socket errors: .*|Non-2xx.*", text)
    proxy.figures.setdefault(what, []).append({
        "rate": float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1]),
        "p50": seconds(re.search(r"(?m)^ +50%\s+(\S+)", text)[1]) * 1e3,
        "p99": seconds(re.search(r"(?m)^ +99%\s+(\S+)", text)[1]) * 1e3,
        "cpu": spent / requests * 1e6,
        "errors": errors and errors[0],
    })


CASES = [
    ("small answers, 16 connections", "/", 16, []),
    ("small answers, 128 connections", "/", 128, []),
    ("100 KiB answers, 32 connections", "/big", 32, []),
    ("a connection for each request, 32 at a time", "/", 32, ["-H", "Connection: close"]),
]


def load_balancer():
    directory = Path(tempfile.mkdtemp(prefix="bench-load-balancer-"))
    processes = []

    def start(*command):
        # Each in a session of its own, as the load balancer is anyway: the kernel shares the processors out among sessions.
        process = subprocess.Popen(list(map(str, command)), stderr=subprocess.DEVNULL, start_new_session=True)
        processes.append(process)
        return process

    try:
        directory.chmod(0o755)
        (directory / "big").write_bytes(os.urandom(BIG))
        target, ours, theirs = free_port(), free_port(), free_port()
        (directory / "target.conf").write_text(TARGET.format(directory=directory, port=target))
        (directory / "proxy.conf").write_text(PROXY.format(directory=directory, port=theirs, target=target))
        start("nginx", "-p", directory, "-c", directory / "target.conf")
        nginx = Proxy("nginx", theirs, start("nginx", "-p", directory, "-c", directory / "proxy.conf"))
        control = directory / "lb" / "control.sock"
        longshore = Proxy(
            "longshore", ours, start(os.environ["LONGSHORE_BIN"], "load-balancer", "--dir", control.parent)
        )
        wait_for(control.exists, "the load balancer does not start")
        answer = ask(control, {"Apply": configuration(ours, target)})
        assert answer == "Done", answer
        for port in (target, ours, theirs):
            wait_for(lambda port=port: listening(port), f"nobody listens on {port}")
        for what, path, connections, headers in CASES:
            for _ in range(ROUNDS):
                for proxy in (nginx, longshore):
                    measure(proxy, what, path, connections, headers)
            say(what)
            for proxy in (nginx, longshore):
                runs = proxy.figures[what]
                median = {key: statistics.median(run[key] for run in runs) for key in ("rate", "p50", "p99", "cpu")}
                errors = "; ".join(sorted({run["errors"] for run in runs if run["errors"]})) or "no errors"
                say(
                    f"  {proxy.name:10} {median['rate']:8.0f} requests/s, median {median['p50']:.2f} ms, "
                    f"99 % {median['p99']:.2f} ms, {median['cpu']:.1f} us of CPU a request, {errors}"
                )
        for proxy in (nginx, longshore):
            say(f"memory after that: {proxy.name} {proxy.memory_mib():.1f} MiB")
    finally:
        for process in processes:
            process.terminate()
        time.sleep(0.5)
        for process in processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        shutil.rmtree(directory)
