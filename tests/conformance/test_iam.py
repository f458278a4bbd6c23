"""IAM through boto3 and the aws CLI: the life of each kind of resource, and how its errors read."""

import json
import uuid
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

ALLOW_LIST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}]}
TRUST_TASKS = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}
EXECUTION = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"


@pytest.fixture(scope="module")
def iam(region):
    return region.client("iam")


@pytest.fixture
def name():
    return f"t-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def user(iam, name):
    iam.create_user(UserName=name, Path="/team/")
    return name


@pytest.fixture
def role(iam, name):
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST_TASKS))
    return name


def refused(call, **arguments):
    """Code, status and message of the error that a call is answered with."""
    with pytest.raises(ClientError) as error:
        call(**arguments)
    answer = error.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Message"]


def test_the_life_of_a_user(iam, user):
    shown = iam.get_user(UserName=user)["User"]
    assert shown["Arn"].endswith(f":user/team/{user}")
    assert shown["UserId"].startswith("AIDA") and len(shown["UserId"]) == 21
    assert "Tags" not in shown and "PermissionsBoundary" not in shown
    assert refused(iam.create_user, UserName=user.upper()) == (
        "EntityAlreadyExists",
        409,
        f"User with name {user.upper()} already exists.",
    )
    iam.tag_user(UserName=user, Tags=[{"Key": "team", "Value": "a"}])
    assert iam.list_user_tags(UserName=user)["Tags"] == [{"Key": "team", "Value": "a"}]
    iam.put_user_policy(UserName=user, PolicyName="inline", PolicyDocument=json.dumps(ALLOW_LIST))
    assert iam.get_user_policy(UserName=user, PolicyName="inline")["PolicyDocument"] == ALLOW_LIST
    assert refused(iam.delete_user, UserName=user) == (
        "DeleteConflict",
        409,
        "Cannot delete entity, must delete policies first.",
    )
    iam.delete_user_policy(UserName=user, PolicyName="inline")
    iam.update_user(UserName=user, NewUserName=user + "-new")
    iam.delete_user(UserName=user + "-new")
    assert refused(iam.get_user, UserName=user) == (
        "NoSuchEntity",
        404,
        f"The user with name {user} cannot be found.",
    )


def test_users_are_in_groups(iam, user):
    group = user + "-group"
    iam.create_group(GroupName=group)
    iam.attach_group_policy(GroupName=group, PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    iam.add_user_to_group(GroupName=group, UserName=user)
    assert [g["GroupName"] for g in iam.list_groups_for_user(UserName=user)["Groups"]] == [group]
    assert [u["UserName"] for u in iam.get_group(GroupName=group)["Users"]] == [user]
    assert refused(iam.delete_group, GroupName=group)[0] == "DeleteConflict"
    iam.remove_user_from_group(GroupName=group, UserName=user)
    assert refused(iam.delete_group, GroupName=group)[2] == "Cannot delete entity, must detach all policies first."
    iam.detach_group_policy(GroupName=group, PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    iam.delete_group(GroupName=group)


def test_the_life_of_a_role(iam, role):
    shown = iam.get_role(RoleName=role)["Role"]
    assert shown["AssumeRolePolicyDocument"] == TRUST_TASKS
    assert shown["MaxSessionDuration"] == 3600 and shown["RoleLastUsed"] == {}
    iam.attach_role_policy(RoleName=role, PolicyArn=EXECUTION)
    attached = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    assert attached == [{"PolicyName": "AmazonECSTaskExecutionRolePolicy", "PolicyArn": EXECUTION}]
    iam.create_instance_profile(InstanceProfileName=role)
    iam.add_role_to_instance_profile(InstanceProfileName=role, RoleName=role)
    profile = iam.get_instance_profile(InstanceProfileName=role)["InstanceProfile"]
    assert [r["RoleName"] for r in profile["Roles"]] == [role]
    assert refused(iam.delete_role, RoleName=role)[2] == (
        "Cannot delete entity, must remove roles from instance profile first."
    )
    iam.remove_role_from_instance_profile(InstanceProfileName=role, RoleName=role)
    iam.delete_instance_profile(InstanceProfileName=role)
    iam.detach_role_policy(RoleName=role, PolicyArn=EXECUTION)
    iam.update_role(RoleName=role, Description="works", MaxSessionDuration=7200)
    assert iam.get_role(RoleName=role)["Role"]["MaxSessionDuration"] == 7200
    iam.delete_role(RoleName=role)
    assert refused(iam.get_role, RoleName=role)[:2] == ("NoSuchEntity", 404)


def test_the_life_of_a_managed_policy(iam, name):
    made = iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(ALLOW_LIST), Description="lists")["Policy"]
    arn = made["Arn"]
    assert made["DefaultVersionId"] == "v1" and "Description" not in made
    for _ in range(4):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(ALLOW_LIST), SetAsDefault=True)
    code, status, _ = refused(iam.create_policy_version, PolicyArn=arn, PolicyDocument=json.dumps(ALLOW_LIST))
    assert (code, status) == ("LimitExceeded", 409)
    assert iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v5"
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v2")
    version = iam.get_policy_version(PolicyArn=arn, VersionId="v2")["PolicyVersion"]
    assert version["IsDefaultVersion"] and version["Document"] == ALLOW_LIST
    assert refused(iam.delete_policy_version, PolicyArn=arn, VersionId="v2")[0] == "DeleteConflict"
    for number in (1, 3, 4, 5):
        iam.delete_policy_version(PolicyArn=arn, VersionId=f"v{number}")
    iam.delete_policy(PolicyArn=arn)
    assert refused(iam.get_policy, PolicyArn=arn) == ("NoSuchEntity", 404, f"Policy {arn} was not found.")


def test_a_policy_in_use_stays(iam, role):
    arn = iam.create_policy(PolicyName=role, PolicyDocument=json.dumps(ALLOW_LIST))["Policy"]["Arn"]
    iam.put_role_permissions_boundary(RoleName=role, PermissionsBoundary=arn)
    shown = iam.get_role(RoleName=role)["Role"]
    assert shown["PermissionsBoundary"]["PermissionsBoundaryArn"] == arn
    assert iam.get_policy(PolicyArn=arn)["Policy"]["PermissionsBoundaryUsageCount"] == 1
    assert refused(iam.delete_policy, PolicyArn=arn)[2] == "Cannot delete a policy attached to entities."
    entities = iam.list_entities_for_policy(PolicyArn=arn)
    assert [r["RoleName"] for r in entities["PolicyRoles"]] == [role]
    iam.delete_role(RoleName=role)
    iam.delete_policy(PolicyArn=arn)


def test_documents_that_are_no_policies_are_refused(iam, role):
    for document in ("{", "[]", '{"Version":"2012-10-17","Statement":[{"Effect":"Perhaps"}]}'):
        code, status, _ = refused(iam.put_role_policy, RoleName=role, PolicyName="p", PolicyDocument=document)
        assert (code, status) == ("MalformedPolicyDocument", 400), document
    long = json.dumps(ALLOW_LIST).replace('"*"', json.dumps("arn:aws:s3:::" + "b" * 7000))
    assert refused(iam.create_policy, PolicyName=role, PolicyDocument=long)[:2] == ("LimitExceeded", 409)
    code, status, text = refused(iam.create_user, UserName="a b")
    assert (code, status) == ("ValidationError", 400) and "'userName'" in text


def test_access_keys_open_the_door_and_close_it(region, iam, user):
    key = iam.create_access_key(UserName=user)["AccessKey"]
    assert key["AccessKeyId"].startswith("AKIA") and len(key["SecretAccessKey"]) == 40
    own = dict(aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
    who = region.client("sts", **own).get_caller_identity()
    assert who["Arn"].endswith(f":user/team/{user}")
    assert "SecretAccessKey" not in iam.list_access_keys(UserName=user)["AccessKeyMetadata"][0]
    iam.create_access_key(UserName=user)
    assert refused(iam.create_access_key, UserName=user)[2] == "Cannot exceed quota for AccessKeysPerUser: 2"
    iam.update_access_key(UserName=user, AccessKeyId=key["AccessKeyId"], Status="Inactive")
    assert refused(region.client("sts", **own).get_caller_identity)[0] == "InvalidClientTokenId"
    iam.update_access_key(UserName=user, AccessKeyId=key["AccessKeyId"], Status="Active")
    region.client("sts", **own).get_caller_identity()
    iam.delete_access_key(UserName=user, AccessKeyId=key["AccessKeyId"])
    assert refused(region.client("sts", **own).get_caller_identity)[0] == "InvalidClientTokenId"


def test_a_renamed_user_keeps_its_keys(region, iam, user):
    key = iam.create_access_key(UserName=user)["AccessKey"]
    own = dict(aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
    iam.update_user(UserName=user, NewUserName=user + "-new", NewPath="/other/")
    who = region.client("sts", **own).get_caller_identity()
    assert who["Arn"].endswith(f":user/other/{user}-new")


def test_the_simulator_decides_as_the_gateway_does(iam, user):
    iam.put_user_policy(UserName=user, PolicyName="lists", PolicyDocument=json.dumps(ALLOW_LIST, indent=1))
    arn = iam.get_user(UserName=user)["User"]["Arn"]
    asked = ["s3:ListBucket", "s3:GetObject"]
    results = iam.simulate_principal_policy(PolicySourceArn=arn, ActionNames=asked)["EvaluationResults"]
    assert {r["EvalActionName"]: r["EvalDecision"] for r in results} == {
        "s3:ListBucket": "allowed",
        "s3:GetObject": "implicitDeny",
    }
    statement = results[0]["MatchedStatements"][0]
    assert statement["SourcePolicyId"] == f"user_{user}_lists"
    assert statement["StartPosition"]["Line"] == 4
    deny = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Deny",
                "Action": "s3:*",
                "Resource": "*",
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        ],
    }
    entry = {"ContextKeyName": "aws:SecureTransport", "ContextKeyType": "boolean", "ContextKeyValues": ["false"]}
    arguments = dict(PolicyInputList=[json.dumps(ALLOW_LIST), json.dumps(deny)], ActionNames=["s3:ListBucket"])
    allowed = iam.simulate_custom_policy(**arguments)["EvaluationResults"][0]
    assert allowed["EvalDecision"] == "allowed" and allowed["MissingContextValues"] == ["aws:SecureTransport"]
    denied = iam.simulate_custom_policy(**arguments, ContextEntries=[entry])["EvaluationResults"][0]
    assert denied["EvalDecision"] == "explicitDeny"
    keys = iam.get_context_keys_for_custom_policy(PolicyInputList=[json.dumps(deny)])["ContextKeyNames"]
    assert keys == ["aws:SecureTransport"]


def test_openid_connect_providers(iam, name):
    url = f"https://{name}.example.com/id/1"
    arn = iam.create_open_id_connect_provider(Url=url, ClientIDList=["sts.amazonaws.com"], ThumbprintList=["a" * 40])[
        "OpenIDConnectProviderArn"
    ]
    assert {"Arn": arn} in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    shown = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert shown["Url"] == url.removeprefix("https://") and shown["ClientIDList"] == ["sts.amazonaws.com"]
    assert refused(iam.create_open_id_connect_provider, Url=url)[0] == "EntityAlreadyExists"
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert refused(iam.get_open_id_connect_provider, OpenIDConnectProviderArn=arn)[0] == "NoSuchEntity"


def test_service_linked_roles(own_region):
    iam = own_region.client("iam")
    role = iam.create_service_linked_role(AWSServiceName="ecs.amazonaws.com")["Role"]
    assert role["RoleName"] == "AWSServiceRoleForECS"
    assert refused(iam.delete_role, RoleName=role["RoleName"])[0] == "UnmodifiableEntity"
    task = iam.delete_service_linked_role(RoleName=role["RoleName"])["DeletionTaskId"]
    assert iam.get_service_linked_role_deletion_status(DeletionTaskId=task)["Status"] == "SUCCEEDED"


def test_lists_are_paged(iam, name):
    for number in range(5):
        iam.create_user(UserName=f"{name}-{number}", Path=f"/{name}/")
    pages = list(iam.get_paginator("list_users").paginate(PathPrefix=f"/{name}/", PaginationConfig={"PageSize": 2}))
    assert [len(page["Users"]) for page in pages] == [2, 2, 1]
    users = [user["UserName"] for page in pages for user in page["Users"]]
    assert users == [f"{name}-{number}" for number in range(5)]
    policies = iam.get_paginator("list_policies").paginate(Scope="AWS", PaginationConfig={"PageSize": 500})
    assert sum(len(page["Policies"]) for page in policies) > 1000


def test_passwords_are_never_shown_or_kept(own_region):
    iam = own_region.client("iam")
    iam.create_user(UserName="ann")
    assert refused(iam.create_login_profile, UserName="ann", Password="short")[0] == "PasswordPolicyViolation"
    iam.create_login_profile(UserName="ann", Password="Tr0ub4dor&3-kept-nowhere")
    assert set(iam.get_login_profile(UserName="ann")["LoginProfile"]) == {
        "UserName",
        "CreateDate",
        "PasswordResetRequired",
    }
    own_region.stop()
    kept = "Tr0ub4dor&3-kept-nowhere".encode()
    files = [path for path in Path(own_region.dir).rglob("*") if path.is_file()]
    assert files and not [path for path in files if kept in path.read_bytes()]


def test_the_account_in_reports(iam, user):
    details = iam.get_paginator("get_account_authorization_details").paginate(Filter=["User"])
    names = [detail["UserName"] for page in details for detail in page["UserDetailList"]]
    assert user in names
    summary = iam.get_account_summary()["SummaryMap"]
    assert summary["Users"] == len(names) and summary["AccessKeysPerUserQuota"] == 2
    while iam.generate_credential_report()["State"] != "COMPLETE":
        pass
    report = iam.get_credential_report()["Content"].decode()
    assert any(line.startswith(user + ",") for line in report.splitlines())


def test_the_aws_cli_speaks_iam(region, name):
    made = region.aws(
        "iam", "create-role", "--role-name", name, "--assume-role-policy-document", json.dumps(TRUST_TASKS)
    )
    assert made["Role"]["AssumeRolePolicyDocument"] == TRUST_TASKS
    region.aws("iam", "attach-role-policy", "--role-name", name, "--policy-arn", EXECUTION)
    shown = region.aws("iam", "list-attached-role-policies", "--role-name", name)
    assert shown["AttachedPolicies"][0]["PolicyArn"] == EXECUTION
