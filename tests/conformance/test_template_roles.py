"""Roles of repository creation templates: what they may not make is not made."""

import json
import uuid

import pytest
from botocore.exceptions import ClientError
from conftest import Region
from images import Registry, digest

OWN = "123456789012"


@pytest.fixture(scope="module")
def pushing():
    region = Region("--no-host", "--create-repository-on-push")
    yield region
    region.close()


def push(region, repository):
    registry = Registry(region, repository)
    status, headers, _ = registry.call("POST", f"/blobs/uploads/?digest={digest(b'{}').replace(':', '%3A')}", b"{}")
    return status


def test_the_role_of_a_template_makes_its_repositories(pushing):
    ecr, iam = pushing.client("ecr"), pushing.client("iam")
    role = f"maker-{uuid.uuid4().hex[:8]}"
    with pytest.raises(ClientError) as error:
        ecr.create_repository_creation_template(prefix="x", appliedFor=["CREATE_ON_PUSH"],
                                                customRoleArn="arn:aws:iam::222222222222:role/foreign")
    assert error.value.response["Error"]["Code"] == "InvalidParameterException"
    arn = f"arn:aws:iam::{OWN}:role/{role}"
    ecr.create_repository_creation_template(prefix="made", appliedFor=["CREATE_ON_PUSH"], customRoleArn=arn,
                                            resourceTags=[{"Key": "k", "Value": "v"}])
    assert push(pushing, "made/app") == 403, "there is no such role"

    def trust(service):
        return json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": service}}]})

    def allow(*actions):
        iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=json.dumps({
            "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]}))

    iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust("ecs.amazonaws.com"))
    allow("ecr:CreateRepository", "ecr:TagResource")
    assert push(pushing, "made/app") == 403, "the role does not trust ECR"
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=trust("ecr.amazonaws.com"))
    allow("ecr:CreateRepository")
    assert push(pushing, "made/app") == 403, "the role may not tag"
    assert ecr.describe_repositories()["repositories"] == []
    allow("ecr:CreateRepository", "ecr:TagResource")
    assert push(pushing, "made/app") == 201
    made = ecr.describe_repositories()["repositories"][0]
    assert ecr.list_tags_for_resource(resourceArn=made["repositoryArn"])["tags"] == [{"Key": "k", "Value": "v"}]
    # What is there stays usable, whatever becomes of the role.
    iam.delete_role_policy(RoleName=role, PolicyName="p")
    assert push(pushing, "made/app") == 201
    assert push(pushing, "other/app") == 201
