"""What tasks may leave on a machine: processes, mounts, namespaces, cgroups, interfaces, addresses, files.

`leaves_nothing(region)` is for a region that runs and has no task left; `gone(region)` for one that has ended.
"""

import json
import os
import subprocess
import tomllib
from pathlib import Path

from waiting import wait_for

NETNS = Path("/run/longshore/netns")


def plan(region):
    """Names of the region's things on this machine; none before a host has been part of it."""
    try:
        return tomllib.loads((Path(region.data_dir) / "host.toml").read_text())
    except OSError:
        return None


def process_ids():
    return [int(pid) for pid in os.listdir("/proc") if pid.isdigit()]


def read(path):
    """A file of a process; empty when the process is gone."""
    try:
        return Path(path).read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def shims(region):
    """The shims of the region's tasks as (process id, command line)."""
    found = [(pid, read(f"/proc/{pid}/cmdline")) for pid in process_ids()]
    return [(pid, command) for pid, command in found if " shim " in command and region.data_dir in command]


def daemons(region, command):
    """Processes of the region that outlive it, as (process id, command line): `load-balancer` or `name-server`."""
    found = [(pid, read(f"/proc/{pid}/cmdline")) for pid in process_ids()]
    return [(pid, line) for pid, line in found if f" {command} --dir {region.data_dir}/" in line]


def container_processes(cgroup):
    """Processes inside of the region's control groups."""
    return [(pid, read(f"/proc/{pid}/comm").strip()) for pid in process_ids() if f"/{cgroup}" in read(f"/proc/{pid}/cgroup")]


def mounts(region, names):
    """Mounts of tasks in whatever namespace, and the mounted network namespaces. A data directory that is itself a file
    system is none of them."""
    found = set()
    for pid in process_ids():
        for line in read(f"/proc/{pid}/mountinfo").splitlines():
            point = line.split()[4]
            below = f"{region.data_dir}/" in line and point != region.data_dir
            if below or any(point.startswith(str(NETNS / name)) for name in names):
                found.add(line)
    return sorted(found)


def cgroups(cgroup, below=True):
    """The region's control groups; with `below` only those inside of its own."""
    found = [str(Path(folder) / name) for folder, names, _ in os.walk("/sys/fs/cgroup") for name in names]
    return [path for path in found if f"/{cgroup}/" in path or (not below and path.endswith(f"/{cgroup}"))]


def interfaces(bridge):
    """Ends of cables on the region's bridge."""
    shown = subprocess.run(["ip", "-json", "link", "show", "master", bridge], capture_output=True, text=True)
    return [link["ifname"] for link in json.loads(shown.stdout or "[]")]


def files(region):
    """Directories of tasks and half unpacked layers. Pushes that were broken off may be waiting to go on."""
    data = Path(region.data_dir)
    return [str(path) for folder in ["tasks", "agent/tasks", "images/work"] for path in (data / folder).glob("*")]


def of_tasks(region):
    """Everything that is there because of a task, by kind; no kind when there is nothing."""
    found = {"shims": shims(region), "files": files(region)}
    names = plan(region)
    found["mounts"] = mounts(region, [names["bridge"]] if names else [])
    if names:
        found["processes"] = container_processes(names["cgroup"])
        found["cgroups"] = cgroups(names["cgroup"])
        found["interfaces"] = interfaces(names["bridge"])
        found["namespaces"] = [str(path) for path in (NETNS / names["bridge"]).glob("*")]
    return {kind: things for kind, things in found.items() if things}


def leaves_nothing(region, deadline=20):
    """Waits until no task of the region has left anything on this machine; the region goes on."""
    wait_for(lambda: not of_tasks(region), lambda: f"nothing left: {of_tasks(region)}", deadline)


def gone(region):
    """After the end of a region nothing of it is left but its data directory."""
    left = of_tasks(region)
    left["daemons"] = daemons(region, "load-balancer") + daemons(region, "name-server")
    names = plan(region)
    if names:
        bridge = names["bridge"]
        left["bridge"] = [bridge] if Path(f"/sys/class/net/{bridge}").exists() else []
        left["groups"] = cgroups(names["cgroup"], below=False)
        rules = subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True).stdout
        left["firewall"] = [line for line in rules.splitlines() if bridge in line]
        left["addresses"] = [line for line in subprocess.run(["ip", "-brief", "address"], capture_output=True,
                                                             text=True).stdout.splitlines() if bridge in line]
    left = {kind: things for kind, things in left.items() if things}
    assert not left, left
