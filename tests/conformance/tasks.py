"""Runs tasks through boto3 and waits for what they become."""

import json
import uuid

from waiting import wait_for

# Every account of a region that verifies has this role from its first day.
EXECUTION_ROLE = "ecsTaskExecutionRole"
EXECUTION_POLICY = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
TRUST = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
# Log groups are made for those who ask for it; the managed policy does not allow that.
MAKE_GROUPS = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "logs:CreateLogGroup", "Resource": "*"}]}


def execution_role(region, **credentials):
    """The usual execution role, which may make log groups, too. A region that is open to everybody begins without it."""
    iam = region.client("iam", **credentials)
    try:
        role = iam.get_role(RoleName=EXECUTION_ROLE)["Role"]
    except iam.exceptions.NoSuchEntityException:
        role = iam.create_role(RoleName=EXECUTION_ROLE, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]
        iam.attach_role_policy(RoleName=EXECUTION_ROLE, PolicyArn=EXECUTION_POLICY)
    iam.put_role_policy(RoleName=EXECUTION_ROLE, PolicyName="groups", PolicyDocument=json.dumps(MAKE_GROUPS))
    return role["Arn"]


class Tasks:
    """Task definitions and tasks of one region: of its own account, or of the one with these credentials."""

    def __init__(self, region, cluster=None, **credentials):
        self.region = region
        self.ecs = region.client("ecs", **credentials)
        self.network = region.network(**credentials)
        self.logs = region.client("logs", **credentials)
        self.cluster = cluster or f"c-{uuid.uuid4().hex[:8]}"
        self.ecs.create_cluster(clusterName=self.cluster)
        self.group = f"/test/{self.cluster}"
        self.logs.create_log_group(logGroupName=self.group)
        self.execution_role = execution_role(region, **credentials)

    def close(self):
        """Stops every task of the cluster."""
        for task in self.ecs.list_tasks(cluster=self.cluster)["taskArns"]:
            self.ecs.stop_task(cluster=self.cluster, task=task, reason="the tests are over")

    def container(self, image, command=None, name="main", **more):
        definition = {
            "name": name,
            "image": image,
            "essential": True,
            # The first process of a container ignores SIGTERM unless it handles it, as busybox's sleep does not.
            "stopTimeout": 2,
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {"awslogs-group": self.group, "awslogs-region": "us-east-1", "awslogs-stream-prefix": "t"},
            },
            **more,
        }
        if command is not None:
            definition["command"] = command
        return definition

    def register(self, containers, cpu="256", memory="512", **more):
        answer = self.ecs.register_task_definition(
            family=f"f-{uuid.uuid4().hex[:8]}",
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu=cpu,
            memory=memory,
            containerDefinitions=containers,
            **{"executionRoleArn": self.execution_role, **more},
        )
        return answer["taskDefinition"]["taskDefinitionArn"]

    def run(self, definition, **more):
        answer = self.ecs.run_task(cluster=self.cluster, taskDefinition=definition, launchType="FARGATE",
                                   **{"networkConfiguration": self.network, **more})
        assert answer["failures"] == []
        return answer["tasks"][0]["taskArn"]

    def describe(self, task):
        return self.ecs.describe_tasks(cluster=self.cluster, tasks=[task], include=["TAGS"])["tasks"][0]

    def wait(self, task, status, deadline=60):
        def reached():
            described = self.describe(task)
            if described["lastStatus"] == status:
                return described
            assert described["lastStatus"] != "STOPPED", described
            return None

        return wait_for(reached, f"{task} {status}: {self.describe(task)}", deadline)

    def run_to_end(self, containers, deadline=60, definition=None, **more):
        """Registers, runs, and returns the stopped task."""
        task = self.run(definition or self.register(containers), **more)
        return self.wait(task, "STOPPED", deadline)

    def stop(self, task, reason="test is over"):
        self.ecs.stop_task(cluster=self.cluster, task=task, reason=reason)
        return self.wait(task, "STOPPED")

    def lines(self, task, container="main"):
        """All log lines of a container, oldest first."""
        stream = f"t/{container}/{task.rsplit('/', 1)[1]}"
        lines, token = [], None
        while True:
            more = {"nextToken": token} if token else {}
            answer = self.logs.get_log_events(logGroupName=self.group, logStreamName=stream, startFromHead=True, **more)
            lines += [event["message"] for event in answer["events"]]
            if answer["nextForwardToken"] == token:
                return lines
            token = answer["nextForwardToken"]

    def exit_code(self, task, container="main"):
        return next(c for c in task["containers"] if c["name"] == container).get("exitCode")
