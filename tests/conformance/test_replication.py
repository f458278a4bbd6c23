"""Copies of images in another region: two regions in two processes, with each their own directory and name."""

import json
import os
import shutil
import subprocess
import tomllib
import uuid
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from conftest import Region
from images import Registry, busybox_layer
from waiting import wait_for

OWN = "123456789012"
WEST = "us-west-2"


@pytest.fixture
def west():
    """The other region; it has its keys and is down."""
    region = Region("--no-host", "--region", WEST)
    region.stop()
    yield region
    region.close()


@pytest.fixture
def east(west):
    region = Region("--no-host", "--replicate-to", f"{WEST}={west.endpoint}")
    yield region
    region.close()


def give_key(east, text, mode=0o600):
    """What an admin does: the access key for the other region goes into a file that nobody else may read."""
    keys = Path(east.data_dir) / "replication-keys"
    keys.mkdir(mode=0o700, exist_ok=True)
    path = keys / f"{WEST}.toml"
    path.write_text(text)
    os.chmod(path, mode)


def root_key(region):
    return (Path(region.data_dir) / "root-access-key.toml").read_text()


def replicate(ecr, account=OWN, prefix=None):
    rule = {"destinations": [{"region": WEST, "registryId": account}]}
    if prefix:
        rule["repositoryFilters"] = [{"filter": prefix, "filterType": "PREFIX_MATCH"}]
    ecr.put_replication_configuration(replicationConfiguration={"rules": [rule]})


def status(ecr, repository, digest):
    answer = ecr.describe_image_replication_status(repositoryName=repository, imageId={"imageDigest": digest})
    return [(one["region"], one["registryId"], one["status"], one.get("failureCode")) for one in answer["replicationStatuses"]]


def until(ecr, repository, digest, wanted, deadline=90):
    wait_for(lambda: status(ecr, repository, digest) == [wanted], lambda: str(status(ecr, repository, digest)), deadline)


def client(region, service="ecr", **credentials):
    return region.client(service, region_name=WEST, **credentials)


def test_an_image_is_copied_once_the_other_region_is_up(east, west):
    # The template is there before anything is copied.
    west.start()
    client(west).create_repository_creation_template(prefix="team", appliedFor=["REPLICATION"],
                                                     imageTagMutability="IMMUTABLE",
                                                     resourceTags=[{"Key": "from", "Value": "east"}])
    west.stop()
    give_key(east, root_key(west))
    ecr = east.client("ecr")
    replicate(ecr, prefix="team/")
    for name in ("team/app", "other"):
        ecr.create_repository(repositoryName=name)
    registry = Registry(east, "team/app")
    # More than is sent in one piece.
    digest = registry.push_image("v1", layer=busybox_layer() + bytes(1024) + os.urandom(20 << 20))
    registry.call("PUT", "/manifests/v2", registry.call("GET", "/manifests/v1")[2],
                  {"Content-Type": "application/vnd.oci.image.manifest.v1+json"})
    other = Registry(east, "other").push_image("v1")
    assert status(ecr, "team/app", digest) == [(WEST, OWN, "IN_PROGRESS", None)]
    assert status(ecr, "other", other) == []
    # Neither the wait nor a kill loses the copy.
    east.stop(hard=True)
    east.start()
    assert status(ecr, "team/app", digest) == [(WEST, OWN, "IN_PROGRESS", None)]
    west.start()
    there = client(west)
    until(ecr, "team/app", digest, (WEST, OWN, "COMPLETE", None))
    image = there.describe_images(repositoryName="team/app")["imageDetails"]
    assert [(one["imageDigest"], sorted(one["imageTags"])) for one in image] == [(digest, ["v1", "v2"])]
    made = there.describe_repositories()["repositories"]
    assert [(one["repositoryName"], one["imageTagMutability"]) for one in made] == [("team/app", "IMMUTABLE")]
    manifest = json.loads(there.batch_get_image(repositoryName="team/app", imageIds=[{"imageTag": "v1"}])["images"][0]["imageManifest"])
    layer = manifest["layers"][0]["digest"]
    assert there.batch_check_layer_availability(repositoryName="team/app", layerDigests=[layer])["layers"][0][
        "layerSize"] == manifest["layers"][0]["size"]
    assert west.cli("registry", "verify").returncode == 0
    # A copy is not copied on, and a tag that stays elsewhere is said to.
    assert status(there, "team/app", digest) == []
    moved = registry.push_image("v1", Labels={"a": "b"})
    until(ecr, "team/app", moved, (WEST, OWN, "FAILED", "ImageTagAlreadyExists"))


def test_who_may_not_copy_is_told(east, west):
    west.start()
    iam = client(west, "iam")
    iam.create_user(UserName="copier")
    key = iam.create_access_key(UserName="copier")["AccessKey"]
    give_key(east, f'access_key_id = "{key["AccessKeyId"]}"\nsecret_access_key = "{key["SecretAccessKey"]}"\n', mode=0o644)
    ecr = east.client("ecr")
    replicate(ecr)
    ecr.create_repository(repositoryName="app")
    registry = Registry(east, "app")

    def allow(*actions):
        iam.put_user_policy(UserName="copier", PolicyName="p", PolicyDocument=json.dumps({
            "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]}))

    # A file that others may read is not used; the copy waits.
    digest = registry.push_image("v1")
    wait_for(lambda: "others may read" in east.log_text(), east.log_text, 30)
    assert status(ecr, "app", digest) == [(WEST, OWN, "IN_PROGRESS", None)]
    os.chmod(Path(east.data_dir) / "replication-keys" / f"{WEST}.toml", 0o600)
    until(ecr, "app", digest, (WEST, OWN, "FAILED", "AccessDenied"))
    # A password is not enough, and neither is a permission to push.
    allow("ecr:GetAuthorizationToken", "ecr:PutImage", "ecr:InitiateLayerUpload", "ecr:CreateRepository")
    digest = registry.push_image("v2", Labels={"a": "b"})
    until(ecr, "app", digest, (WEST, OWN, "FAILED", "AccessDenied"))
    assert client(west).describe_repositories()["repositories"] == []
    allow("ecr:GetAuthorizationToken", "ecr:ReplicateImage", "ecr:CreateRepository")
    digest = registry.push_image("v3", Labels={"a": "c"})
    until(ecr, "app", digest, (WEST, OWN, "COMPLETE", None))
    # An account of the other region decides itself who copies to it.
    account = "5" + f"{uuid.uuid4().int % 10**11:011}"
    assert west.cli("account", "create", "--id", account).returncode == 0
    root = tomllib.loads((Path(west.data_dir) / f"root-access-key-{account}.toml").read_text())
    theirs = client(west, aws_access_key_id=root["access_key_id"], aws_secret_access_key=root["secret_access_key"])
    replicate(ecr, account=account)
    digest = registry.push_image("v4", Labels={"a": "d"})
    until(ecr, "app", digest, (WEST, account, "FAILED", "AccessDenied"))
    theirs.put_registry_policy(policyText=json.dumps({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{OWN}:root"},
        "Action": ["ecr:ReplicateImage", "ecr:CreateRepository"],
        "Resource": f"arn:aws:ecr:{WEST}:{account}:repository/*"}]}))
    digest = registry.push_image("v5", Labels={"a": "e"})
    until(ecr, "app", digest, (WEST, account, "COMPLETE", None))
    assert theirs.describe_images(repositoryName="app")["imageDetails"][0]["imageTags"] == ["v5"]


def test_regions_that_nobody_named_are_refused(east):
    ecr = east.client("ecr")
    with pytest.raises(ClientError) as error:
        ecr.put_replication_configuration(replicationConfiguration={
            "rules": [{"destinations": [{"region": "eu-west-1", "registryId": OWN}]}]})
    assert error.value.response["Error"]["Code"] == "ValidationException"


def test_passwords_go_to_other_machines_by_tls_only(tmp_path):
    from conftest import program

    done = subprocess.run([program(), "up", "--data-dir", str(tmp_path), "--replicate-to", f"{WEST}=http://10.0.0.1:4566"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and "by https:// only" in done.stderr
    shutil.rmtree(tmp_path, ignore_errors=True)
