"""The Parameter Store through boto3 and the aws CLI."""

import uuid

import pytest
from botocore.exceptions import ClientError


def code(error):
    return error.value.response["Error"]["Code"]


def message(error):
    return error.value.response["Error"]["Message"]


@pytest.fixture(scope="session")
def ssm(region):
    return region.client("ssm")


@pytest.fixture
def folder(ssm):
    folder = f"/t{uuid.uuid4().hex[:8]}"
    yield folder
    pages = ssm.get_paginator("get_parameters_by_path").paginate(Path=folder, Recursive=True)
    for name in [parameter["Name"] for page in pages for parameter in page["Parameters"]]:
        ssm.delete_parameter(Name=name)


def test_the_three_types(ssm, folder):
    for kind, value in (("String", "plain"), ("StringList", "a,b,c"), ("SecureString", "hunter2")):
        made = ssm.put_parameter(Name=f"{folder}/{kind}", Value=value, Type=kind)
        assert (made["Version"], made["Tier"]) == (1, "Standard")
        found = ssm.get_parameter(Name=f"{folder}/{kind}", WithDecryption=True)["Parameter"]
        assert (found["Value"], found["Type"], found["Version"]) == (value, kind, 1)
        assert found["ARN"] == f"arn:aws:ssm:us-east-1:123456789012:parameter{folder}/{kind}"
    sealed = ssm.get_parameter(Name=f"{folder}/SecureString")["Parameter"]["Value"]
    assert "hunter2" not in sealed
    described = ssm.describe_parameters(ParameterFilters=[{"Key": "Path", "Values": [folder]}])["Parameters"]
    assert len(described) == 3 and "hunter2" not in str(described) and "plain" not in str(described)
    by_arn = ssm.get_parameters(Names=[found["ARN"], f"{folder}/none"], WithDecryption=True)
    assert by_arn["Parameters"][0]["Value"] == "hunter2"
    assert by_arn["InvalidParameters"] == [f"{folder}/none"]


def test_versions_labels_and_history(ssm, folder):
    name = f"{folder}/p"
    for number in (1, 2, 3):
        ssm.put_parameter(Name=name, Value=f"v{number}", Type="String", Overwrite=True)
    with pytest.raises(ClientError) as error:
        ssm.put_parameter(Name=name, Value="v4", Type="String")
    assert code(error) == "ParameterAlreadyExists"
    answer = ssm.label_parameter_version(Name=name, ParameterVersion=2, Labels=["prod", "1bad"])
    assert (answer["InvalidLabels"], answer["ParameterVersion"]) == (["1bad"], 2)
    found = ssm.get_parameter(Name=f"{name}:prod")["Parameter"]
    assert (found["Value"], found["Name"], found["Selector"]) == ("v2", name, ":prod")
    assert ssm.get_parameter(Name=f"{name}:1")["Parameter"]["Value"] == "v1"
    history = ssm.get_parameter_history(Name=name)["Parameters"]
    assert [(version["Value"], version["Labels"]) for version in history] == [("v1", []), ("v2", ["prod"]), ("v3", [])]
    assert history[0]["LastModifiedUser"] == "arn:aws:iam::123456789012:root"
    ssm.unlabel_parameter_version(Name=name, ParameterVersion=2, Labels=["prod"])
    with pytest.raises(ClientError) as error:
        ssm.get_parameter(Name=f"{name}:prod")
    assert code(error) == "ParameterVersionNotFound"
    with pytest.raises(ClientError) as error:
        ssm.get_parameter(Name=f"{name}:9")
    assert message(error) == f"Systems Manager could not find version 9 of {name}. Verify the version and try again."


def test_hierarchies_and_pages(ssm, folder):
    for index in range(12):
        ssm.put_parameter(Name=f"{folder}/deep/{index:02}", Value=str(index), Type="String")
    ssm.put_parameter(Name=f"{folder}/top", Value="x", Type="String")
    assert [p["Value"] for p in ssm.get_parameters_by_path(Path=folder)["Parameters"]] == ["x"]
    pages = ssm.get_paginator("get_parameters_by_path").paginate(Path=folder + "/", Recursive=True)
    assert len([p for page in pages for p in page["Parameters"]]) == 13
    found = ssm.describe_parameters(ParameterFilters=[
        {"Key": "Name", "Option": "BeginsWith", "Values": [f"{folder}/deep/0"]}, {"Key": "Type", "Values": ["String"]}])
    assert len(found["Parameters"]) == 10
    with pytest.raises(ClientError) as error:
        ssm.get_parameters_by_path(Path="no/slash")
    assert code(error) == "ValidationException"
    with pytest.raises(ClientError) as error:
        ssm.put_parameter(Name="/" + "/".join("x" * 16), Value="v", Type="String")
    assert code(error) == "HierarchyLevelLimitExceededException"


def test_tags(ssm, folder):
    name = f"{folder}/p"
    ssm.put_parameter(Name=name, Value="v", Type="String", Tags=[{"Key": "a", "Value": "1"}])
    ssm.add_tags_to_resource(ResourceType="Parameter", ResourceId=name, Tags=[{"Key": "b", "Value": "2"}])
    ssm.remove_tags_from_resource(ResourceType="Parameter", ResourceId=name, TagKeys=["a"])
    tags = lambda: ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=name)["TagList"]
    assert tags() == [{"Key": "b", "Value": "2"}]
    found = ssm.describe_parameters(ParameterFilters=[{"Key": "tag:b", "Values": ["2"]}])["Parameters"]
    assert [parameter["Name"] for parameter in found] == [name]
    with pytest.raises(ClientError) as error:
        ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId="/none")
    assert code(error) == "InvalidResourceId"


def test_what_is_refused(ssm, folder):
    put = lambda **more: ssm.put_parameter(**{"Name": f"{folder}/p", "Value": "v", "Type": "String", **more})
    policies = '[{"Type":"NoChangeNotification","Version":"1.0","Attributes":{"After":"20","Unit":"Days"}}]'
    for request, expected in (
        ({"Value": "x" * 4097}, "ValidationException"),
        ({"Value": "x" * 8193, "Tier": "Advanced"}, "ValidationException"),
        ({"AllowedPattern": "[0-9]+"}, "ParameterPatternMismatchException"),
        ({"AllowedPattern": "("}, "InvalidAllowedPatternException"),
        ({"DataType": "aws:ec2:image"}, "ValidationException"),
        ({"Name": "aws-mine"}, "ValidationException"),
        ({"Name": "/aws/mine"}, "AccessDeniedException"),
        ({"Tier": "Advanced", "Policies": policies}, "InvalidPolicyTypeException"),
        ({"Tier": "Advanced", "Policies": "no json"}, "ValidationException"),
    ):
        with pytest.raises(ClientError) as error:
            put(**request)
        assert code(error) == expected, request
    with pytest.raises(ClientError) as error:
        ssm.send_command(DocumentName="AWS-RunShellScript")
    assert code(error) == "UnknownOperationException"


def test_a_secret_by_reference(region, ssm):
    secrets, name = region.client("secretsmanager"), f"ref-{uuid.uuid4().hex[:8]}"
    arn = secrets.create_secret(Name=name, SecretString="hunter2")["ARN"]
    reference = f"/aws/reference/secretsmanager/{name}"
    found = ssm.get_parameter(Name=reference, WithDecryption=True)["Parameter"]
    assert (found["Name"], found["Value"], found["Version"], found["ARN"]) == (reference, "hunter2", 0, arn)
    with pytest.raises(ClientError) as error:
        ssm.get_parameter(Name=reference)
    assert message(error) == "WithDecryption flag must be True for retrieving a Secret Manager secret."
    secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)


def test_the_cli(region, ssm, folder):
    region.aws("ssm", "put-parameter", "--name", f"{folder}/cli", "--value", "v", "--type", "SecureString")
    found = region.aws("ssm", "get-parameter", "--name", f"{folder}/cli", "--with-decryption")
    assert found["Parameter"]["Value"] == "v"
