"""Services: how soon a killed task is replaced, and 500 tiny tasks from nothing to steady state.

The figures of the processor are seconds of CPU: of the region's process, which is server and agent in one, of the shims with
their containers, and of the whole machine.
"""

import os
import statistics
import time
from pathlib import Path

from conftest import Region
from images import Registry
from leftovers import read, shims
from services import Services, kill
from waiting import wait_for

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_of(pid):
    """Seconds of CPU of a process and of the children that it has waited for."""
    fields = read(f"/proc/{pid}/stat").rsplit(")", 1)[-1].split()
    return sum(int(field) for field in fields[11:15]) / TICKS if len(fields) > 15 else 0.0


def cpu_of_machine():
    """Seconds of CPU that were not idle."""
    fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    return (sum(fields) - fields[3] - fields[4]) / TICKS


def prepared(region):
    region.client("ecr").create_repository(repositoryName="services")
    Registry(region, "services").push_image("latest")
    services = Services(region)
    image = f"localhost:{region.port}/services:latest"
    definition = services.register([{"name": "main", "image": image, "command": ["sleep", "36000"], "stopTimeout": 2}])
    return services, definition


def replacement(say, kills=20):
    region = Region()
    try:
        services, definition = prepared(region)
        services.create("killed", definition, kills)
        services.stable("killed", kills, deadline=120)
        took = []
        # Only tasks that have proved themselves are killed: others would count as failed starts and be throttled.
        for task in [task["taskArn"] for task in services.running("killed")]:
            known = set(services.ecs.list_tasks(cluster=services.cluster, serviceName="killed")["taskArns"])
            kill(task)
            begun = time.perf_counter()

            def replaced():
                new = set(services.ecs.list_tasks(cluster=services.cluster, serviceName="killed")["taskArns"]) - known
                return new and services.describe(new.pop())["lastStatus"] == "RUNNING"

            wait_for(replaced, "a replacement", 30, 0.002)
            took.append((time.perf_counter() - begun) * 1000)
        say(f"killed to its replacement RUNNING, image present: median {statistics.median(took):.0f} ms, "
            f"min {min(took):.0f}, max {max(took):.0f} ({len(took)} kills)")
        services.delete("killed", 120)
    finally:
        region.close()


def many(say, count=500):
    region = Region()
    try:
        services, definition = prepared(region)
        pid = region.process.pid
        before, machine, begun = cpu_of(pid), cpu_of_machine(), time.perf_counter()
        services.create("many", definition, count)
        wait_for(lambda: services.service("many")["runningCount"] == count, lambda: services.service("many"), 600, 0.2)
        running, own, all_of_it = time.perf_counter() - begun, cpu_of(pid) - before, cpu_of_machine() - machine
        of_shims = sum(cpu_of(shim) for shim, _ in shims(region))
        say(f"{count} tasks of one service: all RUNNING after {running:.1f} s, {count / running:.0f} tasks/s")
        say(f"CPU until then: region's process {own:.1f} s, shims {of_shims:.1f} s, machine {all_of_it:.1f} s")
        steady = "(service many) has reached a steady state."
        wait_for(lambda: services.events("many")[-1] == steady, lambda: services.events("many")[-3:], 120, 0.2)
        say(f"steady state after {time.perf_counter() - begun:.1f} s, the 5 s in which a task without a check proves itself included")
        before, begun = cpu_of(pid), time.perf_counter()
        time.sleep(10)
        say(f"at rest with {count} tasks: {(cpu_of(pid) - before) / (time.perf_counter() - begun) * 100:.2f} % of a core")
        services.delete("many", 600)
    finally:
        region.close()


def services(say):
    replacement(say)
    many(say)
