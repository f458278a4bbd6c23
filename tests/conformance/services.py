"""Services of one cluster through boto3, and what the tests look at."""

import contextlib
import os
import signal

from leftovers import process_ids, read
from tasks import Tasks
from waiting import wait_for


class Services(Tasks):
    """Tasks that services start."""

    def create(self, name, definition, count, **more):
        answer = self.ecs.create_service(cluster=self.cluster, serviceName=name, taskDefinition=definition,
                                         desiredCount=count, launchType="FARGATE",
                                         **{"networkConfiguration": self.network, **more})
        return answer["service"]

    def service(self, name):
        answer = self.ecs.describe_services(cluster=self.cluster, services=[name], include=["TAGS"])
        assert answer["failures"] == [], answer
        return answer["services"][0]

    def events(self, name):
        """Oldest first."""
        return [event["message"] for event in reversed(self.service(name)["events"])]

    def tasks_of(self, name, status="RUNNING"):
        arns = self.ecs.list_tasks(cluster=self.cluster, serviceName=name, desiredStatus=status)["taskArns"]
        return self.ecs.describe_tasks(cluster=self.cluster, tasks=arns)["tasks"] if arns else []

    def running(self, name):
        return [task for task in self.tasks_of(name) if task["lastStatus"] == "RUNNING"]

    def stable(self, name, count, definition=None, deadline=60):
        """Waits for what the waiter services-stable waits for, and for the deployment to be completed."""
        def reached():
            service = self.service(name)
            running = self.running(name)
            done = (len(service["deployments"]) == 1 and service["runningCount"] == service["desiredCount"] == count
                    and service["deployments"][0]["rolloutState"] == "COMPLETED" and len(running) == count)
            return done and all(definition in (None, task["taskDefinitionArn"]) for task in running) and service
        return wait_for(reached, lambda: f"{name} stable: {self.service(name)}", deadline)

    def delete(self, name, deadline=60):
        self.ecs.delete_service(cluster=self.cluster, service=name, force=True)
        wait_for(lambda: self.service(name)["status"] == "INACTIVE", lambda: f"{name} gone: {self.service(name)}", deadline)

    def close(self):
        """Ends what the cluster still has."""
        for arn in self.ecs.list_services(cluster=self.cluster)["serviceArns"]:
            self.ecs.delete_service(cluster=self.cluster, service=arn, force=True)
        super().close()


def processes(task):
    """Processes of a task's containers, as the machine knows them."""
    name = task.rsplit("/", 1)[1]
    return [pid for pid in process_ids() if name in read(f"/proc/{pid}/cgroup") and " shim " not in read(f"/proc/{pid}/cmdline")]


def kill(task):
    """Kills every container of a task behind its back."""
    found = processes(task)
    assert found, f"no process of {task}"
    for pid in found:
        # One may end with another.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
