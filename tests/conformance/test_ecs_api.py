"""Clusters and task definitions through boto3 and the aws CLI."""

import uuid

import pytest
from botocore.exceptions import ClientError


def name(prefix="x"):
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def code(error):
    return error.value.response["Error"]["Code"]


def fargate(ecs, family=None, containers=None, **changes):
    settings = dict(
        family=family or name("fam"), networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512",
        containerDefinitions=containers or [{"name": "main", "image": "busybox"}],
    )
    return ecs.register_task_definition(**{**settings, **changes})["taskDefinition"]


def test_cluster_life(ecs):
    cluster = name("cluster")
    made = ecs.create_cluster(clusterName=cluster, tags=[{"key": "a", "value": "b"}])["cluster"]
    assert made["status"] == "ACTIVE"
    assert made["clusterArn"] == f"arn:aws:ecs:us-east-1:123456789012:cluster/{cluster}"
    again = ecs.create_cluster(clusterName=cluster)["cluster"]
    assert again["clusterArn"] == made["clusterArn"]
    described = ecs.describe_clusters(clusters=[cluster], include=["TAGS"])
    assert described["clusters"][0]["tags"] == [{"key": "a", "value": "b"}]
    assert made["clusterArn"] in ecs.list_clusters()["clusterArns"]
    changed = ecs.update_cluster(cluster=cluster, settings=[{"name": "containerInsights", "value": "disabled"}])
    assert changed["cluster"]["settings"] == [{"name": "containerInsights", "value": "disabled"}]
    again = ecs.update_cluster_settings(cluster=cluster, settings=[{"name": "containerInsights", "value": "disabled"}])
    assert again["cluster"]["settings"] == changed["cluster"]["settings"]
    assert ecs.delete_cluster(cluster=cluster)["cluster"]["status"] == "INACTIVE"
    gone = ecs.describe_clusters(clusters=[cluster, name("never")])
    assert [c["status"] for c in gone["clusters"]] == ["INACTIVE"]
    assert [f["reason"] for f in gone["failures"]] == ["MISSING"]


def test_cluster_errors(ecs):
    with pytest.raises(ClientError) as error:
        ecs.delete_cluster(cluster=name("never"))
    assert code(error) == "ClusterNotFoundException"
    with pytest.raises(ClientError) as error:
        ecs.create_cluster(clusterName="a b")
    assert code(error) == "InvalidParameterException"
    with pytest.raises(ClientError) as error:
        ecs.create_cluster(clusterName="a" * 300)
    assert code(error) == "InvalidParameterException"
    with pytest.raises(ClientError) as error:
        ecs.list_tasks(cluster=name("never"))
    assert code(error) == "ClusterNotFoundException"


def test_list_clusters_pages(ecs):
    wanted = {ecs.create_cluster(clusterName=name("page"))["cluster"]["clusterArn"] for _ in range(5)}
    found, pages = set(), 0
    for page in ecs.get_paginator("list_clusters").paginate(PaginationConfig={"PageSize": 2}):
        assert len(page["clusterArns"]) <= 2
        found |= set(page["clusterArns"])
        pages += 1
    assert wanted <= found and pages >= 3
    with pytest.raises(ClientError) as error:
        ecs.list_clusters(nextToken="nonsense")
    assert code(error) == "InvalidParameterException"


def test_task_definition_life(ecs):
    family = name("fam")
    first = fargate(ecs, family)
    assert (first["revision"], first["status"]) == (1, "ACTIVE")
    assert first["taskDefinitionArn"].endswith(f":task-definition/{family}:1")
    second = fargate(ecs, family)
    assert second["revision"] == 2
    for reference in [family, f"{family}:2", second["taskDefinitionArn"]]:
        found = ecs.describe_task_definition(taskDefinition=reference)["taskDefinition"]
        assert found["taskDefinitionArn"] == second["taskDefinitionArn"]
    assert family in ecs.list_task_definition_families(familyPrefix=family)["families"]
    listed = ecs.list_task_definitions(familyPrefix=family, sort="DESC")["taskDefinitionArns"]
    assert listed == [second["taskDefinitionArn"], first["taskDefinitionArn"]]
    gone = ecs.deregister_task_definition(taskDefinition=f"{family}:1")["taskDefinition"]
    assert gone["status"] == "INACTIVE"
    deleted = ecs.delete_task_definitions(taskDefinitions=[f"{family}:1", f"{family}:2"])
    assert [d["status"] for d in deleted["taskDefinitions"]] == ["DELETE_IN_PROGRESS"]
    assert len(deleted["failures"]) == 1
    with pytest.raises(ClientError) as error:
        ecs.describe_task_definition(taskDefinition=f"{family}:9")
    assert code(error) == "ClientException"


@pytest.mark.parametrize("cpu,memory,right", [
    ("256", "512", True), ("256", "2048", True), ("256", "3072", False), ("512", "1024", True), ("512", "512", False),
    ("1024", "8192", True), ("1024", "9216", False), ("2048", "4096", True), ("4096", "30720", True),
    ("4096", "31744", False), ("8192", "16384", True), ("8192", "17408", False), ("16384", "122880", True),
    ("300", "512", False), (".25 vCPU", "0.5 GB", True), ("1 vCPU", "2GB", True),
])
def test_fargate_sizes(ecs, cpu, memory, right):
    if right:
        assert fargate(ecs, cpu=cpu, memory=memory)["status"] == "ACTIVE"
    else:
        with pytest.raises(ClientError) as error:
            fargate(ecs, cpu=cpu, memory=memory)
        assert code(error) == "ClientException"


MAIN = {"name": "main", "image": "busybox"}


@pytest.mark.parametrize("changes", [
    {"networkMode": "bridge"},
    {"family": "a b"},
    {"containers": [MAIN, MAIN]},
    {"containers": [{**MAIN, "essential": False}]},
    {"containers": [{**MAIN, "dependsOn": [{"containerName": "nobody", "condition": "START"}]}]},
    {"containers": [{**MAIN, "dependsOn": [{"containerName": "b", "condition": "START"}]},
                    {**MAIN, "name": "b", "dependsOn": [{"containerName": "main", "condition": "START"}]}]},
    {"containers": [{**MAIN, "dependsOn": [{"containerName": "b", "condition": "HEALTHY"}]}, {**MAIN, "name": "b"}]},
    {"containers": [{**MAIN, "mountPoints": [{"sourceVolume": "none", "containerPath": "/x"}]}]},
    {"containers": [{**MAIN, "privileged": True}]},
    {"containers": [{**MAIN, "memory": 4096}]},
    {"containers": [{**MAIN, "portMappings": [{"containerPort": 80, "hostPort": 81}]}]},
    {"containers": [{**MAIN, "links": ["other"]}]},
    {"containers": [{**MAIN, "resourceRequirements": [{"type": "GPU", "value": "1"}]}]},
    {"containers": [{**MAIN, "name": "a" * 300}]},
])
def test_refused_task_definitions(ecs, changes):
    changes = dict(changes)
    containers = changes.pop("containers", None)
    with pytest.raises(ClientError) as error:
        fargate(ecs, containers=containers, **changes)
    assert code(error) in ("ClientException", "InvalidParameterException")


def test_run_task_errors(region, ecs):
    cluster = ecs.create_cluster(clusterName=name("c"))["cluster"]["clusterName"]
    network = region.network()
    run = lambda **more: ecs.run_task(**{**dict(cluster=cluster, launchType="FARGATE", networkConfiguration=network), **more})
    definition = fargate(ecs)
    with pytest.raises(ClientError) as error:
        run(taskDefinition=definition["taskDefinitionArn"], cluster=name("never"))
    assert code(error) == "ClusterNotFoundException"
    with pytest.raises(ClientError) as error:
        run(taskDefinition=name("never"))
    assert code(error) == "ClientException"
    with pytest.raises(ClientError) as error:
        run(taskDefinition="arn:aws:ecs:us-east-1:123456789012:cluster/x")
    assert code(error) in ("ClientException", "InvalidParameterException")
    with pytest.raises(ClientError) as error:
        run(taskDefinition=definition["taskDefinitionArn"], count=11)
    assert code(error) == "InvalidParameterException"
    with pytest.raises(ClientError) as error:
        ecs.run_task(cluster=cluster, launchType="FARGATE", taskDefinition=definition["taskDefinitionArn"])
    assert code(error) == "InvalidParameterException"
    ecs.deregister_task_definition(taskDefinition=definition["taskDefinitionArn"])
    with pytest.raises(ClientError) as error:
        run(taskDefinition=definition["taskDefinitionArn"])
    assert code(error) == "ClientException"
    missing = ecs.describe_tasks(cluster=cluster, tasks=["0" * 32])
    assert [f["reason"] for f in missing["failures"]] == ["MISSING"]
    with pytest.raises(ClientError) as error:
        ecs.stop_task(cluster=cluster, task="0" * 32)
    assert code(error) == "InvalidParameterException"


def test_tags(ecs):
    cluster = ecs.create_cluster(clusterName=name("tag"))["cluster"]["clusterArn"]
    ecs.tag_resource(resourceArn=cluster, tags=[{"key": "k", "value": "v"}, {"key": "l", "value": "w"}])
    ecs.untag_resource(resourceArn=cluster, tagKeys=["l"])
    assert ecs.list_tags_for_resource(resourceArn=cluster)["tags"] == [{"key": "k", "value": "v"}]


def test_the_aws_cli(region):
    cluster = name("cli")
    assert region.aws("ecs", "create-cluster", "--cluster-name", cluster)["cluster"]["status"] == "ACTIVE"
    assert any(arn.endswith(cluster) for arn in region.aws("ecs", "list-clusters")["clusterArns"])
    assert region.aws("sts", "get-caller-identity")["Account"] == "123456789012"
