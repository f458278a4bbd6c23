"""`--auth open`: any key acts as root, on loopback only, and the region can be emptied."""

import subprocess
import urllib.error
import urllib.request

import pytest
from botocore.exceptions import ClientError

from conftest import Region, program, wait_for
from images import Registry
from tasks import Tasks


def reset(region):
    request = urllib.request.Request(region.endpoint + "/moto-api/reset", method="POST")
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.status


def test_any_key_acts_as_root_and_reset_empties_the_region():
    region = Region("--auth", "open")
    try:
        wait_for(lambda: "OPEN" in region.log_text(), "the banner says so")
        someone = dict(aws_access_key_id="testing", aws_secret_access_key="testing", region_name="eu-west-3")
        assert region.client("sts", **someone).get_caller_identity()["Arn"] == "arn:aws:iam::123456789012:root"
        region.client("ssm", **someone).put_parameter(Name="p", Value="v", Type="String")
        arn = region.client("ssm", **someone).get_parameter(Name="p")["Parameter"]["ARN"]
        assert arn == "arn:aws:ssm:eu-west-3:123456789012:parameter/p", "a mock answers for every region"
        region.client("ecr", **someone).create_repository(repositoryName="busybox")
        Registry(region, "busybox").push_image("latest")
        tasks = Tasks(region)
        definition = tasks.register(
            [{"name": "main", "image": f"{region.registry}/busybox:latest", "command": ["sleep", "600"], "stopTimeout": 2}]
        )
        task = tasks.run(definition)
        tasks.wait(task, "RUNNING")
        region.client("logs", **someone).create_log_group(logGroupName="kept")
        assert reset(region) == 200
        assert region.client("ecr").describe_repositories()["repositories"] == []
        assert region.client("ecs").list_clusters()["clusterArns"] == []
        assert region.client("ecs").list_task_definitions()["taskDefinitionArns"] == []
        assert region.client("logs").describe_log_groups()["logGroups"] == []
        recorded = region.client("cloudtrail").lookup_events()["Events"]
        assert "RunTask" not in [event["EventName"] for event in recorded], "the records are forgotten, too"
        assert "DescribeLogGroups" in [event["EventName"] for event in recorded]
        # The region works as before.
        region.client("ecr").create_repository(repositoryName="busybox")
        Registry(region, "busybox").push_image("latest")
        tasks = Tasks(region)
        again = tasks.run(tasks.register([{"name": "main", "image": f"{region.registry}/busybox:latest"}]))
        tasks.wait(again, "STOPPED")
    finally:
        region.close()


def test_a_region_that_verifies_has_no_reset(region):
    with pytest.raises(urllib.error.HTTPError) as refused:
        reset(region)
    assert refused.value.code in (400, 403, 404)
    with pytest.raises(ClientError, match="InvalidClientTokenId|UnrecognizedClient"):
        region.client("ecs", aws_access_key_id="testing", aws_secret_access_key="testing").list_clusters()


def test_it_refuses_to_listen_beyond_loopback(tmp_path):
    command = [program(), "up", "--listen", "0.0.0.0:0", "--data-dir", str(tmp_path / "data"), "--auth", "open"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode != 0
    assert "not a loopback address" in done.stderr
