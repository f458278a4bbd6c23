"""Secrets Manager through boto3 and the aws CLI, and the keys that secrets are sealed with."""

import json
import os
import shutil
import subprocess
import uuid
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from conftest import Region, program, wait_for

SECRET = "hunter2-correct-horse"


def code(error):
    return error.value.response["Error"]["Code"]


def message(error):
    return error.value.response["Error"]["Message"]


@pytest.fixture(scope="session")
def secrets(region):
    return region.client("secretsmanager")


@pytest.fixture
def name(secrets):
    name = f"app/{uuid.uuid4().hex[:8]}"
    yield name
    secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)


@pytest.fixture
def alone():
    """A region without a host, for tests that look at its files."""
    region = Region("--no-host")
    yield region
    region.stop()
    shutil.rmtree(region.dir, ignore_errors=True)


def files_with(region, text):
    """Files of a region, the log of the server included, that hold a text."""
    found = []
    for path in Path(region.dir).rglob("*"):
        if path.is_file() and text.encode() in path.read_bytes():
            found.append(path)
    return found


def test_versions_and_stages(secrets, name):
    made = secrets.create_secret(Name=name, SecretString=SECRET, Description="d", Tags=[{"Key": "team", "Value": "a"}])
    suffix = made["ARN"].removeprefix(f"arn:aws:secretsmanager:us-east-1:123456789012:secret:{name}-")
    assert len(suffix) == 6
    for secret_id in (name, made["ARN"], made["ARN"][:-7]):
        assert secrets.get_secret_value(SecretId=secret_id)["SecretString"] == SECRET
    second = secrets.put_secret_value(SecretId=name, SecretBinary=b"\x00\xff")["VersionId"]
    assert secrets.get_secret_value(SecretId=name)["SecretBinary"] == b"\x00\xff"
    assert secrets.get_secret_value(SecretId=name, VersionStage="AWSPREVIOUS")["SecretString"] == SECRET
    third = secrets.put_secret_value(SecretId=name, SecretString="3", VersionStages=["AWSPENDING"])["VersionId"]
    secrets.update_secret_version_stage(SecretId=name, VersionStage="AWSCURRENT", MoveToVersionId=third,
                                        RemoveFromVersionId=second)
    described = secrets.describe_secret(SecretId=name)
    assert described["VersionIdsToStages"] == {second: ["AWSPREVIOUS"], third: ["AWSPENDING", "AWSCURRENT"]}
    assert described["Tags"] == [{"Key": "team", "Value": "a"}] and "SecretString" not in described
    deprecated = secrets.list_secret_version_ids(SecretId=name, IncludeDeprecated=True)["Versions"]
    assert [version["VersionId"] for version in deprecated][0] == made["VersionId"] and len(deprecated) == 3
    with pytest.raises(ClientError) as error:
        secrets.get_secret_value(SecretId=name, VersionStage="MINE")
    assert code(error) == "ResourceNotFoundException"
    assert message(error) == "Secrets Manager can't find the specified secret value for staging label: MINE"
    found = secrets.list_secrets(Filters=[{"Key": "name", "Values": [name]}])["SecretList"]
    assert [secret["ARN"] for secret in found] == [made["ARN"]]
    batch = secrets.batch_get_secret_value(SecretIdList=[name, "nothing"])
    assert batch["SecretValues"][0]["SecretString"] == "3"
    assert batch["Errors"][0]["ErrorCode"] == "ResourceNotFoundException"


def test_tokens(secrets, name):
    token = str(uuid.uuid4())
    first = secrets.create_secret(Name=name, SecretString=SECRET, ClientRequestToken=token)
    again = secrets.create_secret(Name=name, SecretString=SECRET, ClientRequestToken=token)
    assert (first["ARN"], first["VersionId"]) == (again["ARN"], again["VersionId"]) == (first["ARN"], token)
    with pytest.raises(ClientError) as error:
        secrets.put_secret_value(SecretId=name, SecretString="other", ClientRequestToken=token)
    assert code(error) == "ResourceExistsException" and SECRET not in message(error)
    with pytest.raises(ClientError) as error:
        secrets.create_secret(Name=name, SecretString=SECRET)
    assert message(error) == f"The operation failed because the secret {name} already exists."


def test_deletion(secrets, name):
    secrets.create_secret(Name=name, SecretString=SECRET)
    date = secrets.delete_secret(SecretId=name, RecoveryWindowInDays=7)["DeletionDate"]
    left = date - datetime.now(timezone.utc)
    assert timedelta(days=6, hours=23) < left <= timedelta(days=7)
    with pytest.raises(ClientError) as error:
        secrets.get_secret_value(SecretId=name)
    assert code(error) == "InvalidRequestException" and "marked for deletion" in message(error)
    with pytest.raises(ClientError) as error:
        secrets.create_secret(Name=name, SecretString=SECRET)
    assert code(error) == "InvalidRequestException"
    listed = lambda **more: secrets.list_secrets(Filters=[{"Key": "name", "Values": [name]}], **more)["SecretList"]
    assert listed() == [] and len(listed(IncludePlannedDeletion=True)) == 1
    secrets.restore_secret(SecretId=name)
    assert secrets.get_secret_value(SecretId=name)["SecretString"] == SECRET
    with pytest.raises(ClientError) as error:
        secrets.delete_secret(SecretId=name, RecoveryWindowInDays=3)
    assert code(error) == "InvalidParameterException"


def test_rotation_is_kept_in_the_books(secrets, name):
    secrets.create_secret(Name=name, SecretString=SECRET)
    with pytest.raises(ClientError) as error:
        secrets.rotate_secret(SecretId=name, RotationRules={"AutomaticallyAfterDays": 30})
    assert message(error) == "No Lambda rotation function ARN is associated with this secret."
    version = secrets.rotate_secret(SecretId=name, RotationRules={"AutomaticallyAfterDays": 30},
                                    RotationLambdaARN="arn:aws:lambda:us-east-1:123456789012:function:f")["VersionId"]
    described = secrets.describe_secret(SecretId=name)
    assert described["RotationEnabled"] and described["VersionIdsToStages"][version] == ["AWSPENDING"]
    current = next(v for v, stages in described["VersionIdsToStages"].items() if "AWSCURRENT" in stages)
    secrets.put_secret_value(SecretId=name, ClientRequestToken=version, SecretString="new", VersionStages=["AWSPENDING"])
    secrets.update_secret_version_stage(SecretId=name, VersionStage="AWSCURRENT", MoveToVersionId=version,
                                        RemoveFromVersionId=current)
    assert secrets.get_secret_value(SecretId=name)["SecretString"] == "new"
    secrets.cancel_rotate_secret(SecretId=name)
    assert not secrets.describe_secret(SecretId=name)["RotationEnabled"]


def test_resource_policies(secrets, name):
    secrets.create_secret(Name=name, SecretString=SECRET)
    statement = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
                 "Action": "secretsmanager:GetSecretValue", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    secrets.put_resource_policy(SecretId=name, ResourcePolicy=policy)
    assert secrets.get_resource_policy(SecretId=name)["ResourcePolicy"] == policy
    secrets.delete_resource_policy(SecretId=name)
    assert "ResourcePolicy" not in secrets.get_resource_policy(SecretId=name)
    for bad in ("some policy", "{}", "[" * 20000):
        with pytest.raises(ClientError) as error:
            secrets.put_resource_policy(SecretId=name, ResourcePolicy=bad)
        assert code(error) == "MalformedPolicyDocumentException"
    public = policy.replace("arn:aws:iam::123456789012:root", "*")
    with pytest.raises(ClientError) as error:
        secrets.put_resource_policy(SecretId=name, ResourcePolicy=public, BlockPublicPolicy=True)
    assert code(error) == "PublicPolicyException"
    assert not secrets.validate_resource_policy(ResourcePolicy=public)["PolicyValidationPassed"]


def test_random_passwords(secrets):
    password = secrets.get_random_password(PasswordLength=64, ExcludeCharacters="aA0!", IncludeSpace=True)["RandomPassword"]
    assert len(password) == 64 and not set(password) & set("aA0!")
    only_spaces = dict(ExcludeLowercase=True, ExcludeUppercase=True, ExcludeNumbers=True, ExcludePunctuation=True)
    assert secrets.get_random_password(PasswordLength=8, IncludeSpace=True, **only_spaces)["RandomPassword"] == " " * 8
    with pytest.raises(ClientError):
        secrets.get_random_password(PasswordLength=3)


def test_the_cli_takes_a_secret_from_end_to_end(region):
    name = f"cli-{uuid.uuid4().hex[:8]}"
    region.aws("secretsmanager", "create-secret", "--name", name, "--secret-string", '{"user":"u","password":"p"}')
    found = region.aws("secretsmanager", "get-secret-value", "--secret-id", name)
    assert json.loads(found["SecretString"]) == {"user": "u", "password": "p"}
    region.aws("secretsmanager", "delete-secret", "--secret-id", name, "--force-delete-without-recovery")


def test_what_is_refused_clearly(secrets, name):
    for request in (
        {"AddReplicaRegions": [{"Region": "eu-west-1"}]},
        {"AddReplicaRegions": [{"Region": "us-east-1"}]},
        {"Type": "SomePartner"},
    ):
        with pytest.raises(ClientError) as error:
            secrets.create_secret(Name=name, SecretString=SECRET, **request)
        assert code(error) == "InvalidParameterException"
    with pytest.raises(ClientError) as error:
        secrets.create_secret(Name="a b", SecretString=SECRET)
    assert code(error) == "InvalidParameterException" and message(error).startswith("Invalid name.")
    with pytest.raises(ClientError) as error:
        secrets.replicate_secret_to_regions(SecretId=name, AddReplicaRegions=[{"Region": "eu-west-1"}])
    assert code(error) == "UnknownOperationException"


def test_no_file_holds_a_secret(alone):
    secrets, ssm = alone.client("secretsmanager"), alone.client("ssm")
    secrets.create_secret(Name="s", SecretString=SECRET)
    ssm.put_parameter(Name="p", Value=SECRET, Type="SecureString")
    ssm.put_parameter(Name="q", Value=SECRET, Type="String")
    for request in (
        lambda: secrets.create_secret(Name="s", SecretString=SECRET),
        lambda: secrets.put_secret_value(SecretId="none", SecretString=SECRET),
        lambda: ssm.put_parameter(Name="p", Value=SECRET, Type="SecureString"),
        lambda: ssm.put_parameter(Name="r", Value=SECRET, Type="String", AllowedPattern="[0-9]+"),
    ):
        with pytest.raises(ClientError) as error:
            request()
        assert SECRET not in str(error.value)
    assert files_with(alone, SECRET) == []
    ring = Path(alone.data_dir) / "region.keys"
    assert ring.stat().st_mode & 0o777 == 0o600
    key = ring.read_text().split()[-1]
    assert files_with(alone, key) == [ring]
    alone.stop()
    assert files_with(alone, SECRET) == []
    alone.start()
    assert alone.client("secretsmanager").get_secret_value(SecretId="s")["SecretString"] == SECRET


def keys(region, command):
    done = subprocess.run([program(), "keys", command, "--data-dir", region.data_dir], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [line.split()[0] for line in done.stdout.splitlines()]


def test_the_key_is_rotated_under_a_running_region(alone):
    secrets = alone.client("secretsmanager")
    ssm = alone.client("ssm")
    secrets.create_secret(Name="s", SecretString=SECRET)
    ssm.put_parameter(Name="p", Value=SECRET, Type="SecureString")
    sealed = lambda: ssm.get_parameter(Name="p")["Parameter"]["Value"]
    [old] = keys(alone, "list")
    assert old in sealed()
    [same, new] = keys(alone, "rotate")
    assert same == old
    wait_for(lambda: new in sealed(), "the stored value is sealed anew")
    assert ssm.get_parameter(Name="p", WithDecryption=True)["Parameter"]["Value"] == SECRET
    assert secrets.get_secret_value(SecretId="s")["SecretString"] == SECRET
    # Crash and come back: both keys are there.
    alone.stop(hard=True)
    alone.start()
    assert alone.client("secretsmanager").get_secret_value(SecretId="s")["SecretString"] == SECRET
    # Without its keys the region opens nothing, and says so rather than making new ones up.
    os.chmod(Path(alone.data_dir) / "region.keys", 0o644)
    alone.stop()
    done = subprocess.run([program(), "up", "--no-host", "--listen", "127.0.0.1:0", "--data-dir", alone.data_dir],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "others can read the region's keys" in done.stderr
    os.chmod(Path(alone.data_dir) / "region.keys", 0o600)
    alone.start()


def test_keys_of_no_region(tmp_path):
    done = subprocess.run([program(), "keys", "rotate", "--data-dir", str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 1 and "there is no region" in done.stderr
    assert list(tmp_path.iterdir()) == []
