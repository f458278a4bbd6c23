"""Services on Fargate: what they start, replace, roll and roll back, with real tasks."""

import json
import statistics
import time

import pytest
from botocore.exceptions import ClientError
from images import Registry
from leftovers import leaves_nothing
from services import Services, kill, processes
from tasks import Tasks
from waiting import wait_for

SLEEP = ["sleep", "3600"]


@pytest.fixture(scope="module")
def image(region):
    region.client("ecr").create_repository(repositoryName="services")
    Registry(region, "services").push_image("latest")
    return f"localhost:{region.port}/services:latest"


@pytest.fixture(scope="module")
def services(region, image):
    made = Services(region)
    yield made
    made.close()


@pytest.fixture(scope="module")
def definition(services, image):
    return services.register([services.container(image, SLEEP)])


@pytest.fixture(scope="module", autouse=True)
def restarting(region, image):
    """Tasks whose containers end when their restart policies apply, after a minute: they run while services are tested."""
    tasks = Tasks(region)
    policy = lambda *ignored: {"enabled": True, "restartAttemptPeriod": 60, "ignoredExitCodes": list(ignored)}
    metadata = r"""printf 'GET /%s HTTP/1.0\r\n\r\n' "${ECS_CONTAINER_METADATA_URI_V4#http://*/}" | nc 169.254.170.2 80 | tail -n 1"""
    script = f"""{metadata}; if [ -e /ran ]; then exit 5; fi; touch /ran; sleep 60; exit 3"""
    run = lambda command, *ignored: tasks.run(tasks.register([
        tasks.container(image, ["sh", "-c", command], restartPolicy=policy(*ignored))]))
    yield tasks, {"again": run(script), "ignored": run(script, 3), "early": run("exit 4")}
    tasks.close()


def refused(call, code, **arguments):
    with pytest.raises(ClientError) as error:
        call(**arguments)
    assert error.value.response["Error"]["Code"] == code, error.value
    return error.value.response["Error"]["Message"]


def test_a_service_keeps_its_tasks_and_says_so(region, services, definition):
    made = services.create("web", definition, 2, propagateTags="SERVICE", enableECSManagedTags=True,
                           tags=[{"key": "team", "value": "blue"}])
    assert (made["status"], made["desiredCount"], made["runningCount"]) == ("ACTIVE", 2, 0)
    assert made["deployments"][0]["rolloutState"] == "IN_PROGRESS" and made["schedulingStrategy"] == "REPLICA"
    region.aws("ecs", "wait", "services-stable", "--cluster", services.cluster, "--services", "web")
    service = services.stable("web", 2)
    assert service["tags"] == [{"key": "team", "value": "blue"}]
    deployment = service["deployments"][0]
    assert deployment["rolloutStateReason"] == f"ECS deployment {deployment['id']} completed."
    tasks = services.tasks_of("web")
    ids = [task["taskArn"].rsplit("/", 1)[1] for task in tasks]
    for task in tasks:
        assert (task["group"], task["startedBy"], task["launchType"]) == ("service:web", deployment["id"], "FARGATE")
        assert processes(task["taskArn"]), "what is called RUNNING runs"
        tags = {tag["key"]: tag["value"] for tag in services.describe(task["taskArn"])["tags"]}
        assert tags == {"team": "blue", "aws:ecs:serviceName": "web", "aws:ecs:clusterName": services.cluster}
    events = services.events("web")
    assert events[0].startswith("(service web) has started 2 tasks: (task ") and all(i in events[0] for i in ids)
    assert events[1:] == [f"(service web) (deployment {deployment['id']}) deployment completed.",
                          "(service web) has reached a steady state."]
    cluster = services.ecs.describe_clusters(clusters=[services.cluster])["clusters"][0]
    assert (cluster["activeServicesCount"], cluster["runningTasksCount"]) == (1, 2)
    refused(services.ecs.delete_cluster, "ClusterContainsServicesException", cluster=services.cluster)
    listed = services.ecs.list_services(cluster=services.cluster, launchType="FARGATE")["serviceArns"]
    assert listed == [service["serviceArn"]]
    refused(services.ecs.delete_service, "InvalidParameterException", cluster=services.cluster, service="web")
    region.aws("ecs", "delete-service", "--cluster", services.cluster, "--service", "web", "--force")
    region.aws("ecs", "wait", "services-inactive", "--cluster", services.cluster, "--services", "web")
    assert services.service("web")["status"] == "INACTIVE" and services.running("web") == []
    assert services.ecs.list_services(cluster=services.cluster)["serviceArns"] == []


def test_killed_tasks_are_replaced_at_once(services, definition):
    services.create("killed", definition, 5)
    services.stable("killed", 5)
    # Only tasks that have proved themselves are killed: one that ends in its first seconds counts as a failed start.
    took = []
    for proved in [task["taskArn"] for task in services.running("killed")]:
        before = {task["taskArn"] for task in services.running("killed")}
        kill(proved)
        began = time.monotonic()
        wait_for(lambda: {t["taskArn"] for t in services.running("killed")} - before, "a replacement", 30, step=0.005)
        took.append(time.monotonic() - began)
    new = services.describe(max(services.running("killed"), key=lambda task: task["createdAt"])["taskArn"])
    shown = [(new[stamp] - new["createdAt"]).total_seconds() * 1000 for stamp in ["pullStartedAt", "pullStoppedAt", "startedAt"]]
    print(f"after its creation the last one pulled, had pulled and ran: {[round(ms) for ms in shown]} ms")
    print(f"replaced in {statistics.median(took) * 1000:.0f} ms at the median: {[round(t * 1000) for t in took]}")
    services.stable("killed", 5)
    stopped = services.tasks_of("killed", "STOPPED")
    assert len(stopped) == 5 and {task["stopCode"] for task in stopped} == {"EssentialContainerExited"}
    services.delete("killed")


def test_a_new_revision_takes_over_and_a_bad_one_is_rolled_back(region, services, image, definition):
    services.create("rolled", definition, 2,
                    deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": True}})
    services.stable("rolled", 2)
    better = services.register([services.container(image, ["sleep", "7200"])])
    updated = services.ecs.update_service(cluster=services.cluster, service="rolled", taskDefinition=better)["service"]
    assert [(d["status"], d["desiredCount"]) for d in updated["deployments"]][0] == ("PRIMARY", 2)
    fewest = []

    def observed():
        fewest.append(len(services.running("rolled")))
        service = services.service("rolled")
        return len(service["deployments"]) == 1 and service["deployments"][0]["rolloutState"] == "COMPLETED"

    wait_for(observed, "the new revision", 60)
    assert min(fewest) >= 2, "never below the minimum"
    service = services.stable("rolled", 2, better)
    assert service["taskDefinition"] == better
    good = {task["taskArn"] for task in services.running("rolled")}
    bad = services.register([services.container(image, ["sh", "-c", "exit 3"])])
    services.ecs.update_service(cluster=services.cluster, service="rolled", taskDefinition=bad)
    wait_for(lambda: services.service("rolled")["taskDefinition"] == better, "the rollback", 60)
    service = services.stable("rolled", 2, better)
    assert {task["taskArn"] for task in services.running("rolled")} == good, "what worked was left alone"
    events = services.events("rolled")
    assert any("deployment failed: tasks failed to start." in event for event in events), events
    assert any("rolling back to deployment ecs-svc/" in event for event in events), events
    listed = services.ecs.list_service_deployments(cluster=services.cluster, service="rolled")["serviceDeployments"]
    assert [one["status"] for one in listed] == ["ROLLBACK_SUCCESSFUL", "SUCCESSFUL", "SUCCESSFUL"]
    [shown] = services.ecs.describe_service_deployments(
        serviceDeploymentArns=[listed[0]["serviceDeploymentArn"]])["serviceDeployments"]
    assert shown["deploymentCircuitBreaker"]["status"] == "TRIGGERED" and shown["deploymentCircuitBreaker"]["threshold"] == 3
    revisions = services.ecs.describe_service_revisions(
        serviceRevisionArns=[shown["rollback"]["serviceRevisionArn"], listed[0]["targetServiceRevisionArn"]])
    assert [one["taskDefinition"] for one in revisions["serviceRevisions"]] == [better, bad]
    services.delete("rolled")


def test_a_release_that_is_never_healthy_or_cannot_be_pulled_is_given_up(services, image, definition):
    unhealthy = services.container(image, SLEEP, healthCheck={
        "command": ["CMD", "false"], "interval": 5, "timeout": 2, "retries": 1, "startPeriod": 0})
    missing = services.container(image.replace(":latest", ":missing"), SLEEP)
    services.create("failing", definition, 1,
                    deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": False}})
    services.stable("failing", 1)
    for container, reason in [(missing, "tasks failed to start"), (unhealthy, "tasks failed container health checks")]:
        services.ecs.update_service(cluster=services.cluster, service="failing",
                                    taskDefinition=services.register([container]))
        failed = wait_for(lambda: (d := services.service("failing")["deployments"][0])["rolloutState"] == "FAILED" and d,
                          lambda: services.service("failing"), 90)
        assert failed["rolloutStateReason"] == f"ECS deployment circuit breaker: {reason}."
        assert len([t for t in services.running("failing") if t["taskDefinitionArn"] == definition]) == 1
    services.ecs.update_service(cluster=services.cluster, service="failing", taskDefinition=definition)
    services.stable("failing", 1, definition)
    services.delete("failing")


def test_a_checked_release_waits_for_its_checks(services, image, definition):
    services.create("checked", definition, 1)
    services.stable("checked", 1)
    slow = services.container(image, ["sh", "-c", "sleep 4; touch /tmp/ready; sleep 3600"], healthCheck={
        "command": ["CMD", "test", "-e", "/tmp/ready"], "interval": 5, "timeout": 2, "retries": 3, "startPeriod": 10})
    better = services.register([slow])
    services.ecs.update_service(cluster=services.cluster, service="checked", taskDefinition=better)

    def taken_over():
        running = services.running("checked")
        old = [task for task in running if task["taskDefinitionArn"] == definition]
        healthy = [task for task in running if task["healthStatus"] == "HEALTHY"]
        assert old or healthy, running
        return healthy and not old

    wait_for(taken_over, "the new revision", 60)
    services.stable("checked", 1, better)
    services.delete("checked")


def test_scaling_to_zero_and_back_and_protected_tasks(services, definition):
    services.create("scaled", definition, 3)
    services.stable("scaled", 3)
    chosen = services.running("scaled")[0]["taskArn"]
    answer = services.ecs.update_task_protection(cluster=services.cluster, tasks=[chosen], protectionEnabled=True,
                                                 expiresInMinutes=60)
    assert answer["failures"] == [] and answer["protectedTasks"][0]["protectionEnabled"]
    services.ecs.update_service(cluster=services.cluster, service="scaled", desiredCount=0)
    wait_for(lambda: [t["taskArn"] for t in services.running("scaled")] == [chosen], "all but the protected one", 60)
    told = lambda: any("under protection" in event for event in services.events("scaled"))
    wait_for(told, lambda: services.events("scaled"))
    services.ecs.update_task_protection(cluster=services.cluster, tasks=[chosen], protectionEnabled=False)
    shown = services.ecs.get_task_protection(cluster=services.cluster, tasks=[chosen])["protectedTasks"]
    assert [task["protectionEnabled"] for task in shown] == [False]
    services.stable("scaled", 0)
    services.ecs.update_service(cluster=services.cluster, service="scaled", desiredCount=2)
    services.stable("scaled", 2)
    stopped = services.tasks_of("scaled", "STOPPED")[0]
    assert stopped["stopCode"] == "ServiceSchedulerInitiated"
    assert stopped["stoppedReason"].startswith("Scaling activity initiated by (deployment ecs-svc/")
    services.ecs.update_service(cluster=services.cluster, service="scaled", forceNewDeployment=True)
    services.stable("scaled", 2)
    alone = services.run(definition)
    failures = services.ecs.update_task_protection(cluster=services.cluster, tasks=[alone, "0" * 32],
                                                   protectionEnabled=True)["failures"]
    assert [failure["reason"] for failure in failures] == ["TASK_NOT_VALID", "MISSING"]
    services.stop(alone)
    services.delete("scaled")


def test_tasks_are_evened_out_over_zones(region, services, definition):
    network = {"awsvpcConfiguration": {"subnets": region.subnets()[:2]}}
    services.create("even", definition, 4, networkConfiguration=network)
    services.stable("even", 4)

    def zones():
        return sorted(task["availabilityZone"][-1] for task in services.running("even"))

    assert zones() == ["a", "a", "b", "b"]
    arns = [task["taskArn"] for task in services.running("even") if task["availabilityZone"].endswith("a")]
    own = dict(cluster=services.cluster, tasks=arns)
    services.ecs.update_task_protection(**own, protectionEnabled=True)
    services.ecs.update_service(cluster=services.cluster, service="even", desiredCount=2)
    wait_for(lambda: zones() == ["a", "a"], zones)
    services.ecs.update_task_protection(**own, protectionEnabled=False)
    fewest = []

    def even():
        fewest.append(len(services.running("even")))
        return zones() == ["a", "b"]

    wait_for(even, zones, 60)
    assert min(fewest) >= 2, "one is started before another is stopped"
    told = [event for event in services.events("even") if "AZ" in event]
    assert told == ["(service even) is not AZ balanced with 2 tasks in us-east-1a, and 0 in us-east-1b. AZ Rebalancing in progress."]
    services.stable("even", 2)
    services.delete("even")


def test_capacity_providers_share_the_tasks(services, definition):
    strategy = [{"capacityProvider": "FARGATE", "base": 1, "weight": 0}, {"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    services.ecs.put_cluster_capacity_providers(cluster=services.cluster, capacityProviders=["FARGATE", "FARGATE_SPOT"],
                                                defaultCapacityProviderStrategy=[])
    made = services.ecs.create_service(cluster=services.cluster, serviceName="spot", taskDefinition=definition,
                                       desiredCount=3, capacityProviderStrategy=strategy, networkConfiguration=services.network)
    assert "launchType" not in made["service"]
    services.stable("spot", 3)
    names = sorted(task["capacityProviderName"] for task in services.running("spot"))
    assert names == ["FARGATE", "FARGATE_SPOT", "FARGATE_SPOT"]
    services.delete("spot")


def test_a_deployment_is_stopped_and_rolled_back_on_request(services, image, definition):
    services.create("stopped", definition, 1)
    services.stable("stopped", 1)
    waiting = services.container(image, SLEEP, healthCheck={
        "command": ["CMD", "false"], "interval": 60, "timeout": 2, "retries": 10, "startPeriod": 300})
    services.ecs.update_service(cluster=services.cluster, service="stopped", taskDefinition=services.register([waiting]))
    current = services.service("stopped")["currentServiceDeployment"]
    services.ecs.stop_service_deployment(serviceDeploymentArn=current, stopType="ROLLBACK")
    services.stable("stopped", 1, definition)
    [shown] = services.ecs.describe_service_deployments(serviceDeploymentArns=[current])["serviceDeployments"]
    assert shown["status"] == "ROLLBACK_SUCCESSFUL" and shown["rollback"]["reason"]
    refused(services.ecs.stop_service_deployment, "ConflictException", serviceDeploymentArn=current)
    refused(services.ecs.stop_service_deployment, "ServiceDeploymentNotFoundException",
            serviceDeploymentArn=current.rsplit("/", 1)[0] + "/none")
    services.delete("stopped")


def test_documented_errors(services, definition):
    ecs, cluster = services.ecs, services.cluster
    request = dict(cluster=cluster, serviceName="e", taskDefinition=definition, desiredCount=0, launchType="FARGATE",
                   networkConfiguration=services.network)
    balancer = [{"targetGroupArn": "arn", "containerName": "main", "containerPort": 80}]
    for change, code in [
        ({"cluster": "none"}, "ClusterNotFoundException"),
        ({"taskDefinition": "none"}, "ClientException"),
        ({"serviceName": "a b"}, "InvalidParameterException"),
        ({"launchType": "EC2"}, "InvalidParameterException"),
        ({"schedulingStrategy": "DAEMON"}, "InvalidParameterException"),
        ({"platformVersion": "9.9"}, "PlatformUnknownException"),
        ({"deploymentConfiguration": {"minimumHealthyPercent": 101}}, "InvalidParameterException"),
        ({"deploymentController": {"type": "EXTERNAL"}}, "InvalidParameterException"),
        ({"deploymentController": {"type": "CODE_DEPLOY"}}, "UnsupportedFeatureException"),
        ({"loadBalancers": balancer}, "InvalidParameterException"),
        ({"enableExecuteCommand": True}, "InvalidParameterException"),
        ({"capacityProviderStrategy": [{"capacityProvider": "FARGATE"}]}, "InvalidParameterException"),
    ]:
        refused(ecs.create_service, code, **{**request, **change})
    without_network = {name: value for name, value in request.items() if name != "networkConfiguration"}
    message = refused(ecs.create_service, "InvalidParameterException", **without_network)
    assert message == "Network Configuration must be provided when networkMode 'awsvpc' is specified."
    first = ecs.create_service(**request, clientToken="t")["service"]
    assert ecs.create_service(**request, clientToken="t")["service"]["createdAt"] == first["createdAt"]
    message = refused(ecs.create_service, "InvalidParameterException", **request)
    assert message == "Creation of service was not idempotent."
    refused(ecs.update_service, "ServiceNotFoundException", cluster=cluster, service="none")
    refused(ecs.delete_service, "ServiceNotFoundException", cluster=cluster, service="none")
    refused(ecs.list_tasks, "ServiceNotFoundException", cluster=cluster, serviceName="none")
    refused(ecs.list_services_by_namespace, "NamespaceNotFoundException", namespace="none")
    described = ecs.describe_services(cluster=cluster, services=["none"])
    assert described["services"] == [] and described["failures"][0]["reason"] == "MISSING"
    ecs.deregister_task_definition(taskDefinition=services.register([services.container("i", SLEEP)]))
    ecs.delete_service(cluster=cluster, service="e")
    wait_for(lambda: services.service("e")["status"] == "INACTIVE", "it is gone")
    refused(ecs.update_service, "ServiceNotActiveException", cluster=cluster, service="e", desiredCount=1)
    ecs.create_service(**request)
    services.delete("e")


def test_pages_of_services(services, definition):
    names = [f"p{index:02}" for index in range(12)]
    for name in names:
        services.create(name, definition, 0)
    pages = services.ecs.get_paginator("list_services").paginate(cluster=services.cluster, PaginationConfig={"PageSize": 5})
    shown = [page["serviceArns"] for page in pages]
    assert [len(page) for page in shown] == [5, 5, 2]
    assert [arn.rsplit("/", 1)[1] for page in shown for arn in page] == names
    assert len(services.ecs.list_services(cluster=services.cluster)["serviceArns"]) == 10
    for name in names:
        services.delete(name)


def test_a_tag_means_one_image_for_a_deployment_or_is_pulled_by_each_task(region, services):
    region.client("ecr").create_repository(repositoryName="moving")
    registry, image = Registry(region, "moving"), f"localhost:{region.port}/moving:latest"
    old = registry.push_image("latest", Env=["PATH=/bin", "RELEASE=old"])
    definition = services.register([services.container(image, SLEEP, name="pinned"),
                                    services.container(image, SLEEP, name="free", versionConsistency="disabled")])
    shown = services.ecs.describe_task_definition(taskDefinition=definition)["taskDefinition"]["containerDefinitions"]
    assert [own.get("versionConsistency") for own in shown] == [None, "disabled"]
    services.create("moving", definition, 1)
    services.stable("moving", 1)
    digests = lambda task: {own["name"]: own.get("imageDigest") for own in task["containers"]}
    [first] = services.running("moving")
    assert digests(first) == {"pinned": old, "free": old}
    new = registry.push_image("latest", Env=["PATH=/bin", "RELEASE=new"])
    kill(first["taskArn"])
    replaced = lambda: [task for task in services.running("moving") if task["taskArn"] != first["taskArn"]]
    [second] = wait_for(replaced, lambda: services.tasks_of("moving"), 60)
    assert digests(second) == {"pinned": old, "free": new}
    revision = services.service("moving")["currentServiceRevisions"][0]["arn"]
    [revision] = services.ecs.describe_service_revisions(serviceRevisionArns=[revision])["serviceRevisions"]
    known = {own["containerName"]: own.get("imageDigest") for own in revision["containerImages"]}
    assert known == {"pinned": old, "free": None}
    services.delete("moving")


def test_a_task_definition_in_use_stays(services, image):
    definition = services.register([services.container(image, SLEEP)])
    services.create("holds", definition, 1)
    services.stable("holds", 1)
    services.ecs.deregister_task_definition(taskDefinition=definition)
    services.ecs.delete_task_definitions(taskDefinitions=[definition])
    kill(services.running("holds")[0]["taskArn"])
    wait_for(lambda: services.tasks_of("holds", "STOPPED") and services.running("holds"), "a replacement", 30)
    services.delete("holds")


def test_containers_of_tasks_run_again_as_their_restart_policies_say(restarting):
    """An essential container that ran for the period runs again, with its files, and its task goes on meanwhile."""
    tasks, started = restarting

    def ended(name):
        task = tasks.wait(started[name], "STOPPED", deadline=120)
        assert (task["stopCode"], task["stoppedReason"]) == (
            "EssentialContainerExited", "Essential container in task exited")
        ran = (task["executionStoppedAt"] - task["startedAt"]).total_seconds()
        return tasks.exit_code(task), ran, [json.loads(line) for line in tasks.lines(task["taskArn"])]

    code, ran, [] = ended("early")
    assert code == 4 and ran < 30, "it had not run for the period"
    code, ran, [first] = ended("ignored")
    assert code == 3 and 60 <= ran < 90 and first["RestartCount"] == 0
    # The second run ends before the period is over, so there is no third.
    code, ran, [first, second] = ended("again")
    assert code == 5 and 60 <= ran < 90
    assert (first["RestartCount"], second["RestartCount"], second["KnownStatus"]) == (0, 1, "RUNNING")
    assert first["DockerId"] == second["DockerId"] and first["StartedAt"] == second["StartedAt"]


def test_the_server_is_killed_in_mid_deployment(own_region):
    region = own_region
    region.client("ecr").create_repository(repositoryName="busybox")
    Registry(region, "busybox").push_image("latest")
    image = f"localhost:{region.port}/busybox:latest"
    services = Services(region)
    wanted = services.register([services.container(image, SLEEP)])
    services.create("web", wanted, 3)
    services.stable("web", 3)
    for round_, pause in enumerate([0.0, 0.05, 0.2, 0.5, 1.0]):
        wanted = services.register([services.container(image, ["sleep", str(4000 + round_)])])
        services.ecs.update_service(cluster=services.cluster, service="web", taskDefinition=wanted)
        time.sleep(pause)
        region.stop(hard=True)
        region.start()
        services.ecs = region.client("ecs")
    services.stable("web", 3, wanted, deadline=90)
    for task in services.running("web"):
        assert processes(task["taskArn"])
    everything = services.ecs.list_tasks(cluster=services.cluster)["taskArns"]
    assert len(everything) == 3, "no orphan"
    services.delete("web")
    leaves_nothing(region)
