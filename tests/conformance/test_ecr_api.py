"""ECR's API with boto3 and the aws CLI: layers, policies between accounts, lifecycle, replication, the archive."""

import hashlib
import json
import subprocess
import tomllib
import urllib.error
import urllib.request
import uuid
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from conftest import program
from images import Registry
from waiting import wait_for

OWN = "123456789012"
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"


def name(prefix="repo"):
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def code(error):
    return error.value.response["Error"]["Code"]


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


@pytest.fixture
def repository(ecr):
    made = name("team/app")
    ecr.create_repository(repositoryName=made)
    return made


@pytest.fixture(scope="module")
def other(region):
    """Another account of the region, and credentials of its root."""
    account = "2" + f"{uuid.uuid4().int % 10**11:011}"
    done = subprocess.run([program(), "account", "create", "--id", account, "--data-dir", region.data_dir],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    key = tomllib.loads((Path(region.data_dir) / f"root-access-key-{account}.toml").read_text())
    return account, {"aws_access_key_id": key["access_key_id"], "aws_secret_access_key": key["secret_access_key"]}


def put(ecr, repository, tag, config=b"{}", **more):
    upload(ecr, repository, config)
    manifest = json.dumps({"schemaVersion": 2, "mediaType": DOCKER, "layers": [], **more,
                           "config": {"mediaType": "c", "digest": digest(config), "size": len(config)}})
    image = ecr.put_image(repositoryName=repository, imageManifest=manifest, imageTag=tag)["image"]
    return image["imageId"]["imageDigest"]


def upload(ecr, repository, data):
    there = ecr.batch_check_layer_availability(repositoryName=repository, layerDigests=[digest(data)])["layers"]
    if there[0]["layerAvailability"] == "AVAILABLE":
        return
    started = ecr.initiate_layer_upload(repositoryName=repository)
    part = started["partSize"]
    for first in range(0, len(data), part):
        piece = data[first:first + part]
        ecr.upload_layer_part(repositoryName=repository, uploadId=started["uploadId"], partFirstByte=first,
                              partLastByte=first + len(piece) - 1, layerPartBlob=piece)
    ecr.complete_layer_upload(repositoryName=repository, uploadId=started["uploadId"], layerDigests=[digest(data)])


def test_an_image_through_the_api_alone(ecr, region, repository):
    config = b'{"os":"linux"}'
    pushed = put(ecr, repository, "v1", config)
    status, headers, _ = Registry(region, repository).call("GET", "/manifests/v1")
    assert (status, headers["Docker-Content-Digest"]) == (200, pushed)
    link = ecr.get_download_url_for_layer(repositoryName=repository, layerDigest=digest(config))["downloadUrl"]
    with urllib.request.urlopen(link, timeout=30) as answer:
        assert answer.read() == config
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(link[:-4] + "AAAA", timeout=30)
    assert error.value.code == 403
    with pytest.raises(ClientError) as error:
        ecr.put_image(repositoryName=repository, imageTag="v2", imageManifest=json.dumps(
            {"schemaVersion": 2, "mediaType": DOCKER, "layers": [],
             "config": {"mediaType": "c", "digest": digest(b"none"), "size": 4}}))
    assert code(error) == "LayersNotFoundException"
    with pytest.raises(ClientError) as error:
        ecr.complete_layer_upload(repositoryName=repository, uploadId=str(uuid.uuid4()), layerDigests=[digest(b"x")])
    assert code(error) == "UploadNotFoundException"


def test_excluded_tags_move_and_others_stay(ecr, region, repository):
    ecr.put_image_tag_mutability(repositoryName=repository, imageTagMutability="IMMUTABLE_WITH_EXCLUSION",
                                 imageTagMutabilityExclusionFilters=[{"filterType": "WILDCARD", "filter": "dev-*"}])
    put(ecr, repository, "dev-1")
    put(ecr, repository, "dev-1", annotations={"a": "b"})
    put(ecr, repository, "v1")
    with pytest.raises(ClientError) as error:
        put(ecr, repository, "v1", annotations={"a": "c"})
    assert code(error) == "ImageTagAlreadyExistsException"
    registry = Registry(region, repository)
    body = json.dumps({"schemaVersion": 2, "mediaType": DOCKER, "layers": [], "annotations": {"x": "y"},
                       "config": {"mediaType": "c", "digest": digest(b"{}"), "size": 2}}).encode()
    status, _, answer = registry.call("PUT", "/manifests/v1", body, {"Content-Type": DOCKER})
    assert (status, json.loads(answer)["errors"][0]["code"]) == (400, "TAG_INVALID")


def test_another_account_pulls_when_the_policy_says_so(ecr, region, repository, other):
    account, credentials = other
    pushed = put(ecr, repository, "v1")
    theirs = region.client("ecr", **credentials)
    registry = Registry(region, repository, account=OWN, **credentials)
    ask = dict(registryId=OWN, repositoryName=repository, imageIds=[{"imageTag": "v1"}])
    with pytest.raises(ClientError) as error:
        theirs.batch_get_image(**ask)
    assert code(error) == "AccessDeniedException"
    assert registry.call("GET", "/manifests/v1")[0] == 403
    policy = {"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": ["ecr:BatchGetImage"]}]}
    ecr.set_repository_policy(repositoryName=repository, policyText=json.dumps(policy))
    assert theirs.batch_get_image(**ask)["images"][0]["imageId"]["imageDigest"] == pushed
    assert registry.call("GET", "/manifests/v1")[0] == 200
    assert registry.call("GET", f"/blobs/{digest(b'{}')}")[0] == 403
    ecr.delete_repository_policy(repositoryName=repository)
    assert registry.call("GET", "/manifests/v1")[0] == 403
    policy["Statement"][0]["Resource"] = f"arn:aws:ecr:us-east-1:{OWN}:repository/{repository}"
    ecr.put_registry_policy(policyText=json.dumps(policy))
    try:
        assert registry.call("GET", "/manifests/v1")[0] == 200
    finally:
        ecr.delete_registry_policy()
    assert registry.call("GET", "/manifests/v1")[0] == 403


def test_lifecycle_policies_act_by_themselves(ecr, repository):
    old, new = put(ecr, repository, "v1"), put(ecr, repository, "v2", annotations={"a": "b"})
    policy = json.dumps({"rules": [{
        "rulePriority": 1, "description": "keep one", "action": {"type": "expire"},
        "selection": {"tagStatus": "tagged", "tagPatternList": ["v*"], "countType": "imageCountMoreThan", "countNumber": 1}}]})
    ecr.start_lifecycle_policy_preview(repositoryName=repository, lifecyclePolicyText=policy)
    ecr.get_waiter("lifecycle_policy_preview_complete").wait(repositoryName=repository)
    preview = ecr.get_lifecycle_policy_preview(repositoryName=repository)
    assert [r["imageDigest"] for r in preview["previewResults"]] == [old]
    assert preview["summary"]["expiringImageTotalCount"] == 1
    ecr.put_lifecycle_policy(repositoryName=repository, lifecyclePolicyText=policy)
    wait_for(lambda: [i["imageDigest"] for i in ecr.list_images(repositoryName=repository)["imageIds"]] == [new],
             "the old image to go")
    with pytest.raises(ClientError) as error:
        ecr.put_lifecycle_policy(repositoryName=repository, lifecyclePolicyText=policy.replace("expire", "keep  "))
    assert code(error) == "InvalidParameterException"


def test_images_are_copied_to_another_account(ecr, region, other):
    account, credentials = other
    theirs = region.client("ecr", **credentials)
    repository = name("copied")
    ecr.create_repository(repositoryName=repository)
    ecr.put_replication_configuration(replicationConfiguration={"rules": [{
        "destinations": [{"region": "us-east-1", "registryId": account}],
        "repositoryFilters": [{"filter": "copied", "filterType": "PREFIX_MATCH"}]}]})
    theirs.put_registry_policy(policyText=json.dumps({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{OWN}:root"}, "Resource": "*",
        "Action": ["ecr:ReplicateImage", "ecr:CreateRepository"]}]}))
    theirs.create_repository_creation_template(prefix="ROOT", appliedFor=["REPLICATION"], imageTagMutability="IMMUTABLE")
    pushed = put(ecr, repository, "v1")
    ask = dict(repositoryName=repository, imageId={"imageDigest": pushed})
    wait_for(lambda: ecr.describe_image_replication_status(**ask)["replicationStatuses"][0]["status"] == "COMPLETE",
             "the copy")
    copied = theirs.describe_images(repositoryName=repository)["imageDetails"]
    assert [(i["imageDigest"], i["imageTags"]) for i in copied] == [(pushed, ["v1"])]
    made = theirs.describe_repositories(repositoryNames=[repository])["repositories"][0]
    assert made["imageTagMutability"] == "IMMUTABLE"
    assert Registry(region, repository, account=account, **credentials).call("GET", f"/blobs/{digest(b'{}')}")[0] == 200
    ecr.put_replication_configuration(replicationConfiguration={"rules": []})


def test_an_archived_image_comes_back(ecr, region, repository):
    pushed = put(ecr, repository, "v1")
    move = dict(repositoryName=repository, imageId={"imageDigest": pushed})
    registry = Registry(region, repository)
    assert ecr.update_image_storage_class(**move, targetStorageClass="ARCHIVE")["imageStatus"] == "ARCHIVED"
    assert registry.call("GET", "/manifests/v1")[0] == 404
    listed = ecr.describe_images(repositoryName=repository, filter={"imageStatus": "ARCHIVED"})["imageDetails"]
    assert listed[0]["lastArchivedAt"]
    assert ecr.update_image_storage_class(**move, targetStorageClass="STANDARD")["imageStatus"] == "ACTIVE"
    assert registry.call("GET", "/manifests/v1")[0] == 200


def test_pulls_are_recorded(ecr, region, repository):
    put(ecr, repository, "v1")
    assert Registry(region, repository).call("GET", "/manifests/v1")[0] == 200
    wait_for(lambda: "lastRecordedPullTime" in ecr.describe_images(repositoryName=repository)["imageDetails"][0],
             "the time of the pull", deadline=60)


def test_settings_with_the_aws_cli(region):
    repository = name("cli")
    region.aws("ecr", "create-repository", "--repository-name", repository, "--image-tag-mutability", "IMMUTABLE")
    rule = region.aws("ecr", "create-pull-through-cache-rule", "--ecr-repository-prefix", "quay",
                      "--upstream-registry-url", "quay.io")
    assert rule["upstreamRegistry"] == "quay"
    # The other registry is really asked, and may not be reachable from here.
    checked = region.aws("ecr", "validate-pull-through-cache-rule", "--ecr-repository-prefix", "quay")
    assert checked["isValid"] or checked["failure"]
    region.aws("ecr", "delete-pull-through-cache-rule", "--ecr-repository-prefix", "quay")
    assert region.aws("ecr", "get-account-setting", "--name", "REGISTRY_POLICY_SCOPE")["value"] == "V2"
    assert region.aws("ecr", "describe-registry")["registryId"] == OWN
