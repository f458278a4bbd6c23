"""Who may do what: users, roles, sessions and accounts, and what attackers try, with the unmodified SDK."""

import base64
import datetime
import hashlib
import hmac
import json
import shutil
import stat
import subprocess
import time
import tomllib
import urllib.error
import urllib.request
from pathlib import Path

import boto3
import pytest
import rsa
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from conftest import Region, program

ACCOUNT = "123456789012"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"


@pytest.fixture(scope="module")
def access_region():
    region = Region("--no-host")
    yield region
    region.stop()
    shutil.rmtree(region.dir, ignore_errors=True)


@pytest.fixture(scope="module")
def iam(access_region):
    return access_region.client("iam")


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action, resource="*", **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def trust(principal, action="sts:AssumeRole", **more):
    return policy({"Effect": "Allow", "Principal": principal, "Action": action, **more})


class User:
    """An IAM user with an inline policy and a key."""

    def __init__(self, region, name, *statements):
        self.region, self.name, self.iam = region, name, region.client("iam")
        self.arn = self.iam.create_user(UserName=name)["User"]["Arn"]
        if statements:
            self.may(*statements)
        self.key = self.iam.create_access_key(UserName=name)["AccessKey"]

    def may(self, *statements):
        self.iam.put_user_policy(UserName=self.name, PolicyName="p", PolicyDocument=policy(*statements))

    def client(self, service):
        return self.region.client(
            service, aws_access_key_id=self.key["AccessKeyId"], aws_secret_access_key=self.key["SecretAccessKey"])


def session_client(region, service, credentials):
    return region.client(
        service,
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
    )


def denied(call, *parts):
    """Expects a denial whose message has all parts, and returns it."""
    with pytest.raises(ClientError) as caught:
        call()
    error = caught.value.response["Error"]
    assert error["Code"] in ("AccessDenied", "AccessDeniedException"), error
    for part in parts:
        assert part in error["Message"], error["Message"]
    return error["Message"]


def code(call):
    with pytest.raises(ClientError) as caught:
        call()
    return caught.value.response["Error"]["Code"]


_count = 0


def fresh(prefix):
    global _count
    _count += 1
    return f"{prefix}{_count}"


# What policies allow and how it is said that they do not.


def test_denials_are_worded_as_on_aws(access_region):
    user = User(access_region, fresh("ci"), allow("ecr:*"))
    user.client("ecr").describe_repositories()
    message = denied(lambda: user.client("ecs").list_clusters())
    assert message == (
        f"User: {user.arn} is not authorized to perform: ecs:ListClusters on resource: * because no identity-based "
        "policy allows the ecs:ListClusters action")
    with pytest.raises(ClientError) as caught:
        user.client("iam").create_user(UserName="x")
    assert caught.value.response["Error"]["Code"] == "AccessDenied"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    user.may(allow("*"), {"Effect": "Deny", "Action": "ecs:List*", "Resource": "*"})
    denied(lambda: user.client("ecs").list_clusters(), "with an explicit deny in an identity-based policy")


def test_a_changed_policy_counts_at_once(access_region):
    user = User(access_region, fresh("u"))
    for _ in range(10):
        denied(lambda: user.client("ecs").list_clusters())
        user.may(allow("ecs:ListClusters"))
        user.client("ecs").list_clusters()
        user.iam.delete_user_policy(UserName=user.name, PolicyName="p")


def test_resources_tags_and_request_tags(access_region):
    ecs = access_region.client("ecs")
    for name, team in (("blue", "blue"), ("red", "red")):
        ecs.create_cluster(clusterName=name, tags=[{"key": "team", "value": team}])
    user = User(
        access_region, fresh("u"),
        allow("ecs:DescribeClusters", Condition={"StringEquals": {"aws:ResourceTag/team": "blue"}}),
        allow(["ecs:CreateCluster", "ecs:TagResource"], Condition={"StringEquals": {"aws:RequestTag/team": "blue"}}))
    client = user.client("ecs")
    client.describe_clusters(clusters=["blue"])
    denied(lambda: client.describe_clusters(clusters=["red"]), "cluster/red")
    denied(lambda: client.describe_clusters(clusters=["blue", "red"]), "cluster/red")
    client.create_cluster(clusterName=fresh("c"), tags=[{"key": "team", "value": "blue"}])
    denied(lambda: client.create_cluster(clusterName=fresh("c"), tags=[{"key": "team", "value": "red"}]))
    denied(lambda: client.create_cluster(clusterName=fresh("c")))


def test_boundary_and_its_removal(access_region, iam):
    bound = iam.create_policy(PolicyName=fresh("bound"), PolicyDocument=policy(allow("ecs:*"), allow("iam:*")))
    arn = bound["Policy"]["Arn"]
    user = User(
        access_region, fresh("u"), allow("*"),
        {"Effect": "Deny", "Action": ["iam:DeleteUserPermissionsBoundary", "iam:PutUserPermissionsBoundary"], "Resource": "*"})
    iam.put_user_permissions_boundary(UserName=user.name, PermissionsBoundary=arn)
    user.client("ecs").list_clusters()
    denied(lambda: user.client("logs").describe_log_groups(), "because no permissions boundary allows")
    mine = user.client("iam")
    denied(lambda: mine.delete_user_permissions_boundary(UserName=user.name), "explicit deny")
    admin = "arn:aws:iam::aws:policy/AdministratorAccess"
    denied(lambda: mine.put_user_permissions_boundary(UserName=user.name, PermissionsBoundary=admin))
    # Creating users without the boundary is what a boundary for delegation forbids.
    user.may(allow("*", Condition={"StringEquals": {"iam:PermissionsBoundary": arn}}))
    mine.create_user(UserName=fresh("u"), PermissionsBoundary=arn)
    denied(lambda: mine.create_user(UserName=fresh("u")))


def test_pass_role_is_needed_to_give_a_task_a_role(access_region, iam):
    for name in ("harmless", "admin-role"):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust({"Service": "ecs-tasks.amazonaws.com"}))
    harmless, admin = (f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in ("harmless", "admin-role"))
    user = User(
        access_region, fresh("deployer"), allow("ecs:*"),
        allow("iam:PassRole", harmless, Condition={"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}))
    client = user.client("ecs")
    definition = dict(family="app", networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512",
                      containerDefinitions=[{"name": "main", "image": "x"}])
    client.register_task_definition(**definition, taskRoleArn=harmless)
    for role in ("taskRoleArn", "executionRoleArn"):
        denied(lambda: client.register_task_definition(**definition, **{role: admin}), "iam:PassRole", admin)
    access_region.client("ecs").create_cluster(clusterName="default")
    network = access_region.network()
    run = dict(taskDefinition="app", launchType="FARGATE", networkConfiguration=network)
    denied(lambda: client.run_task(**run, overrides={"taskRoleArn": admin}), "iam:PassRole", admin)
    # A definition that somebody else has given the role.
    access_region.client("ecs").register_task_definition(**{**definition, "family": "privileged"}, taskRoleArn=admin)
    denied(lambda: client.run_task(**{**run, "taskDefinition": "privileged"}), "iam:PassRole", admin)
    user.may(allow("ecs:*"), allow("iam:PassRole", harmless, Condition={"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}))
    denied(lambda: client.register_task_definition(**definition, taskRoleArn=harmless), "iam:PassRole")


def test_policy_versions_cannot_be_juggled_without_permission(access_region, iam):
    arn = iam.create_policy(PolicyName=fresh("v"), PolicyDocument=policy(allow("ecs:ListClusters")))["Policy"]["Arn"]
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=policy(allow("*")))
    user = User(access_region, fresh("u"), allow(["iam:GetPolicy", "iam:ListPolicyVersions"]))
    iam.attach_user_policy(UserName=user.name, PolicyArn=arn)
    mine = user.client("iam")
    assert len(mine.list_policy_versions(PolicyArn=arn)["Versions"]) == 2
    denied(lambda: mine.set_default_policy_version(PolicyArn=arn, VersionId="v2"), "iam:SetDefaultPolicyVersion", arn)
    denied(lambda: mine.create_policy_version(PolicyArn=arn, PolicyDocument=policy(allow("*")), SetAsDefault=True))
    denied(lambda: mine.put_user_policy(UserName=user.name, PolicyName="p", PolicyDocument=policy(allow("*"))))
    denied(lambda: user.client("logs").describe_log_groups())
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v2")
    user.client("logs").describe_log_groups()
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
    denied(lambda: user.client("logs").describe_log_groups())


# Keys.


def test_deleted_and_inactive_keys(access_region):
    user = User(access_region, fresh("u"), allow("*"))
    client, key = user.client("ecs"), user.key["AccessKeyId"]
    client.list_clusters()
    token = user.client("sts").get_session_token()["Credentials"]
    session = session_client(access_region, "ecs", token)
    session.list_clusters()
    registry = user.client("ecr").get_authorization_token()["authorizationData"][0]["authorizationToken"]
    assert registry_status(access_region, registry) == 200
    user.iam.update_access_key(UserName=user.name, AccessKeyId=key, Status="Inactive")
    assert code(client.list_clusters) == "UnrecognizedClientException"
    assert code(session.list_clusters) == "UnrecognizedClientException"
    assert code(user.client("sts").get_caller_identity) == "InvalidClientTokenId"
    assert registry_status(access_region, registry) == 401
    user.iam.update_access_key(UserName=user.name, AccessKeyId=key, Status="Active")
    client.list_clusters()
    user.iam.delete_access_key(UserName=user.name, AccessKeyId=key)
    assert code(client.list_clusters) == "UnrecognizedClientException"
    assert registry_status(access_region, registry) == 401


def test_get_caller_identity_of_every_kind(access_region, iam):
    def who(client):
        answer = client.get_caller_identity()
        return answer["Arn"], answer["UserId"], answer["Account"]

    assert who(access_region.client("sts")) == (ROOT, ACCOUNT, ACCOUNT)
    user = User(access_region, fresh("u"), allow("sts:*"), {"Effect": "Deny", "Action": "sts:GetCallerIdentity", "Resource": "*"})
    user_id = iam.get_user(UserName=user.name)["User"]["UserId"]
    sts = user.client("sts")
    assert who(sts) == (user.arn, user_id, ACCOUNT), "not even an explicit deny keeps it"
    session = sts.get_session_token(DurationSeconds=900)["Credentials"]
    assert who(session_client(access_region, "sts", session)) == (user.arn, user_id, ACCOUNT)
    federated = sts.get_federation_token(Name="bob", Policy=policy(allow("ecs:ListClusters")))
    bob = session_client(access_region, "sts", federated["Credentials"])
    assert who(bob) == (f"arn:aws:sts::{ACCOUNT}:federated-user/bob", f"{ACCOUNT}:bob", ACCOUNT)
    assert sts.get_access_key_info(AccessKeyId=session["AccessKeyId"])["Account"] == ACCOUNT
    assert code(lambda: session_client(access_region, "sts", session).get_session_token()) == "AccessDenied"


def test_federated_users_have_what_user_and_policy_allow(access_region):
    user = User(access_region, fresh("u"), allow(["ecs:*", "sts:GetFederationToken"]))
    sts = user.client("sts")
    token = sts.get_federation_token(Name="bob", Policy=policy(allow(["ecs:ListClusters", "logs:*"])))["Credentials"]
    ecs = session_client(access_region, "ecs", token)
    ecs.list_clusters()
    denied(lambda: ecs.describe_clusters(), "session policy")
    denied(lambda: session_client(access_region, "logs", token).describe_log_groups())
    nothing = sts.get_federation_token(Name="bob")["Credentials"]
    denied(lambda: session_client(access_region, "ecs", nothing).list_clusters())


# Roles.


def make_role(iam, name, trust_document, *statements, **more):
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust_document, **more)["Role"]
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy(*statements))
    return role["Arn"]


def test_assume_role(access_region, iam):
    user = User(access_region, fresh("u"))
    name = fresh("role")
    arn = make_role(iam, name, trust({"AWS": user.arn}), allow("ecs:*"), MaxSessionDuration=7200)
    sts = user.client("sts")
    answer = sts.assume_role(RoleArn=arn, RoleSessionName="work", DurationSeconds=7200)
    assert answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/work"
    credentials = answer["Credentials"]
    ecs = session_client(access_region, "ecs", credentials)
    ecs.list_clusters()
    denied(lambda: session_client(access_region, "logs", credentials).describe_log_groups(), f"assumed-role/{name}/work")
    assert code(lambda: sts.assume_role(RoleArn=arn, RoleSessionName="work", DurationSeconds=7201)) == "ValidationError"
    bounded = sts.assume_role(RoleArn=arn, RoleSessionName="work", Policy=policy(allow("ecs:ListClusters")))
    bounded_ecs = session_client(access_region, "ecs", bounded["Credentials"])
    bounded_ecs.list_clusters()
    denied(bounded_ecs.describe_clusters, "because no session policy allows")
    broad = sts.assume_role(
        RoleArn=arn, RoleSessionName="work", PolicyArns=[{"arn": "arn:aws:iam::aws:policy/AdministratorAccess"}])
    denied(lambda: session_client(access_region, "logs", broad["Credentials"]).describe_log_groups())
    assert code(lambda: sts.assume_role(RoleArn=arn, RoleSessionName="work", Policy="{}")) == "MalformedPolicyDocument"
    denied(lambda: sts.assume_role(RoleArn=arn + "x", RoleSessionName="work"), "sts:AssumeRole", arn + "x")
    denied(lambda: access_region.client("sts").assume_role(RoleArn=arn, RoleSessionName="work"), "root accounts")
    other = User(access_region, fresh("u"), allow("ecs:*"))
    denied(lambda: other.client("sts").assume_role(RoleArn=arn, RoleSessionName="work"), other.arn, "sts:AssumeRole")


def test_external_id_tags_and_source_identity(access_region, iam):
    user = User(access_region, fresh("u"))
    arn = make_role(
        iam, fresh("role"),
        trust({"AWS": user.arn}, ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
              Condition={"StringEquals": {"sts:ExternalId": "42"}, "StringLikeIfExists": {"sts:SourceIdentity": "a*"}}),
        allow("ecs:*", Condition={"StringEquals": {"aws:PrincipalTag/team": "blue"}}),
        allow("sts:AssumeRole"))
    sts = user.client("sts")
    call = dict(RoleArn=arn, RoleSessionName="work")
    denied(lambda: sts.assume_role(**call))
    denied(lambda: sts.assume_role(**call, ExternalId="43"))
    plain = sts.assume_role(**call, ExternalId="42")["Credentials"]
    denied(lambda: session_client(access_region, "ecs", plain).list_clusters())
    tagged = sts.assume_role(
        **call, ExternalId="42", Tags=[{"Key": "team", "Value": "blue"}], TransitiveTagKeys=["team"], SourceIdentity="alice")
    session_client(access_region, "ecs", tagged["Credentials"]).list_clusters()
    denied(lambda: sts.assume_role(**call, ExternalId="42", SourceIdentity="mallory"), "sts:")
    # The next role of the chain sees the tag, and no longer than an hour.
    second = make_role(
        iam, fresh("role"),
        trust({"AWS": arn}, ["sts:AssumeRole", "sts:TagSession"], Condition={"StringEquals": {"aws:RequestTag/team": "blue"}}),
        allow("logs:*", Condition={"StringEquals": {"aws:PrincipalTag/team": "blue", "aws:SourceIdentity": "alice"}}),
        MaxSessionDuration=7200)
    chain = session_client(access_region, "sts", tagged["Credentials"])
    hop = dict(RoleArn=second, RoleSessionName="second")
    assert code(lambda: chain.assume_role(**hop, DurationSeconds=3601)) == "ValidationError"
    credentials = chain.assume_role(**hop)["Credentials"]
    session_client(access_region, "logs", credentials).describe_log_groups()
    assert code(lambda: chain.assume_role(**hop, Tags=[{"Key": "TEAM", "Value": "red"}])) in ("ValidationError", "AccessDenied")


def test_roles_do_not_trust_themselves_unless_told(access_region, iam):
    name = fresh("role")
    user = User(access_region, fresh("u"))
    arn = make_role(iam, name, trust({"AWS": user.arn}), allow("ecs:*"))
    credentials = user.client("sts").assume_role(RoleArn=arn, RoleSessionName="one")["Credentials"]
    again = session_client(access_region, "sts", credentials)
    denied(lambda: again.assume_role(RoleArn=arn, RoleSessionName="two"), "sts:AssumeRole")
    denied(lambda: session_client(access_region, "iam", credentials).update_assume_role_policy(
        RoleName=name, PolicyDocument=trust({"AWS": "*"})))


def test_sessions_end_with_their_role_and_can_be_revoked(access_region, iam):
    user = User(access_region, fresh("u"))
    name = fresh("role")
    document = trust({"AWS": user.arn})
    arn = make_role(iam, name, document, allow(["ecs:*", "ecr:*"]))
    sts = user.client("sts")
    old = sts.assume_role(RoleArn=arn, RoleSessionName="old")["Credentials"]
    ecs = session_client(access_region, "ecs", old)
    ecs.list_clusters()
    registry = session_client(access_region, "ecr", old).get_authorization_token()["authorizationData"][0]
    assert registry["expiresAt"] <= old["Expiration"] + datetime.timedelta(seconds=1)
    time.sleep(1.1)
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    revoke = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"DateLessThan": {"aws:TokenIssueTime": now}}}
    iam.put_role_policy(RoleName=name, PolicyName="AWSRevokeOlderSessions", PolicyDocument=policy(revoke))
    denied(ecs.list_clusters, "explicit deny")
    new = sts.assume_role(RoleArn=arn, RoleSessionName="new")["Credentials"]
    session_client(access_region, "ecs", new).list_clusters()
    iam.delete_role_policy(RoleName=name, PolicyName="AWSRevokeOlderSessions")
    ecs.list_clusters()
    iam.delete_role_policy(RoleName=name, PolicyName="p")
    iam.delete_role(RoleName=name)
    assert code(ecs.list_clusters) == "UnrecognizedClientException"
    assert registry_status(access_region, registry["authorizationToken"]) == 401
    make_role(iam, name, document, allow("ecs:*"))
    assert code(ecs.list_clusters) == "UnrecognizedClientException", "another role of the same name"


def test_tokens_of_another_role_and_tampered_ones(access_region, iam):
    user = User(access_region, fresh("u"))
    arns = [make_role(iam, fresh("role"), trust({"AWS": user.arn}), allow("ecs:*")) for _ in range(2)]
    first, second = (
        user.client("sts").assume_role(RoleArn=arn, RoleSessionName="work")["Credentials"] for arn in arns)
    for token in (second["SessionToken"], first["SessionToken"][:-4] + "AAAA", "x", first["SessionToken"] + "A"):
        mixed = {**first, "SessionToken": token}
        assert code(session_client(access_region, "ecs", mixed).list_clusters) == "UnrecognizedClientException"
    bare = access_region.client(
        "ecs", aws_access_key_id=first["AccessKeyId"], aws_secret_access_key=first["SecretAccessKey"])
    assert code(bare.list_clusters) == "UnrecognizedClientException"
    wrong = {**first, "SecretAccessKey": second["SecretAccessKey"]}
    assert code(session_client(access_region, "ecs", wrong).list_clusters) == "InvalidSignatureException"


# Requests.


def signed(region, service="ecs", target="AmazonEC2ContainerServiceV20141113.ListClusters", body=b"{}", scope="us-east-1"):
    request = AWSRequest("POST", region.endpoint + "/", data=body, headers={
        "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": target, "Host": f"127.0.0.1:{region.port}"})
    SigV4Auth(Credentials(*region.key), service, scope).add_auth(request)
    return dict(request.headers), body


def send(region, headers, body):
    request = urllib.request.Request(region.endpoint + "/", data=body, headers=headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_requests_that_are_not_what_was_signed(access_region):
    headers, body = signed(access_region)
    assert send(access_region, headers, body)[0] == 200
    assert "InvalidSignature" in send(access_region, headers, b'{"maxResults":1}')[1], "another body"
    other = {**headers, "X-Amz-Target": "AmazonEC2ContainerServiceV20141113.DeleteCluster"}
    assert "InvalidSignature" in send(access_region, other, body)[1], "another operation"
    unsigned = {name: value for name, value in headers.items() if name != "Authorization"}
    assert "MissingAuthenticationToken" in send(access_region, unsigned, body)[1]
    for wrong in (dict(service="ecr"), dict(scope="eu-west-1")):
        assert "InvalidSignature" in send(access_region, *signed(access_region, **wrong))[1], wrong
    token = {**headers, "X-Amz-Security-Token": "smuggled"}
    assert "UnrecognizedClient" in send(access_region, token, body)[1]
    # The operation must be among what is signed, else it could be exchanged.
    text = headers["Authorization"].replace("x-amz-target", "x-amz-other")
    status, answer = send(access_region, {**headers, "Authorization": text}, body)
    assert status == 400 and "IncompleteSignature" in answer


def test_presigned_requests_end(access_region):
    sts = access_region.client("sts")
    url = sts.generate_presigned_url("get_caller_identity", ExpiresIn=60, HttpMethod="GET")
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert ROOT in answer.read().decode()
    short = sts.generate_presigned_url("get_caller_identity", ExpiresIn=1, HttpMethod="GET")
    time.sleep(2.1)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(short, timeout=10)
    assert caught.value.code == 403 and "expired" in caught.value.read().decode().lower()
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(url.replace("GetCallerIdentity", "GetSessionToken"), timeout=10)
    assert caught.value.code == 403


OUR_SERVICES = ("cloudtrail", "cloudwatch", "ecr", "ecs", "iam", "logs", "secretsmanager", "ssm", "sts")
NEED_NOTHING = {"GetCallerIdentity", "GetSessionToken"}
NOT_SIGNED = {"AssumeRoleWithWebIdentity"}


# Of shapes with patterns that no letters match.
EXAMPLES = {
    "policyVersionIdType": "v1",
    "authenticationCodeType": "123456",
    "UploadId": "00000000-0000-0000-0000-000000000000",
    "LayerDigest": "sha256:" + 64 * "0",
    "SigningProfileArn": "arn:aws:signer:us-east-1:123456789012:/signing-profiles/xx",
    "RegistryId": "123456789012",
    "DocumentName": "xxx",
    "DocumentVersionNumber": "1",
}


def minimal(shape, depth=0):
    """The least that botocore's model takes for a shape."""
    if shape.type_name == "structure":
        names = shape.required_members if depth < 6 else []
        return {name: minimal(shape.members[name], depth + 1) for name in names}
    if shape.type_name == "list":
        return [minimal(shape.member, depth + 1)]
    if shape.type_name == "map":
        return {"k": "v"}
    if shape.type_name == "string":
        if getattr(shape, "enum", None):
            return shape.enum[0]
        if shape.name in EXAMPLES:
            return EXAMPLES[shape.name]
        return "arn:aws:iam::123456789012:role/xx" if "arn" in shape.name.lower() else "x" * max(shape.metadata.get("min", 1), 2)
    if shape.type_name in ("integer", "long", "float", "double"):
        return shape.metadata.get("min", 1)
    if shape.type_name == "boolean":
        return False
    if shape.type_name == "timestamp":
        return datetime.datetime(2026, 1, 1)
    return b"x"


def operations_built(service):
    models = tomllib.loads((Path(__file__).resolve().parents[2] / "models/services.toml").read_text())
    return models["service"][service]["operations"]


@pytest.mark.parametrize("service", OUR_SERVICES)
def test_every_operation_refuses_who_may_not(access_region, service):
    """Calls every operation that is built, unsigned and as a user without any policy."""
    nobody = User(access_region, fresh("nobody"))
    permitted = nobody.client(service)
    from botocore import UNSIGNED

    unsigned = boto3.client(service, endpoint_url=access_region.endpoint, region_name="us-east-1",
                            config=Config(signature_version=UNSIGNED, retries={"max_attempts": 1}, parameter_validation=False))
    methods = {api: name for name, api in permitted.meta.method_to_api_mapping.items()}
    let_in = []
    for operation in operations_built(service):
        model = permitted.meta.service_model.operation_model(operation)
        arguments = minimal(model.input_shape) if model.input_shape else {}
        for who, client in (("unsigned", unsigned), ("unpermitted", permitted)):
            try:
                getattr(client, methods[operation])(**arguments)
                got = "let in"
            except ClientError as error:
                got = error.response["Error"]["Code"]
            expected = ("MissingAuthenticationTokenException", "MissingAuthenticationToken") if who == "unsigned" else (
                "AccessDenied", "AccessDeniedException")
            excused = operation in NOT_SIGNED or (who == "unpermitted" and operation in NEED_NOTHING)
            if got not in expected and not excused:
                let_in.append((who, operation, got))
    assert not let_in, let_in


# Other accounts.


@pytest.fixture(scope="module")
def other_account(access_region):
    done = subprocess.run(
        [program(), "account", "create", "--id", "210987654321", "--data-dir", access_region.data_dir],
        capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    path = Path(access_region.data_dir) / "root-access-key-210987654321.toml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    key = tomllib.loads(path.read_text())
    assert key["access_key_id"] in done.stdout
    again = subprocess.run(
        [program(), "account", "create", "--id", "210987654321", "--data-dir", access_region.data_dir],
        capture_output=True, text=True, timeout=60)
    assert again.returncode != 0 and "already" in again.stderr
    return lambda service: access_region.client(
        service, aws_access_key_id=key["access_key_id"], aws_secret_access_key=key["secret_access_key"])


def test_accounts_are_apart_and_meet_by_roles(access_region, iam, other_account):
    assert other_account("sts").get_caller_identity()["Arn"] == "arn:aws:iam::210987654321:root"
    access_region.client("ecs").create_cluster(clusterName="mine")
    assert other_account("ecs").list_clusters()["clusterArns"] == []
    mine = f"arn:aws:ecs:us-east-1:{ACCOUNT}:cluster/mine"
    denied(lambda: other_account("ecs").describe_clusters(clusters=[mine]), mine)
    theirs = other_account("iam")
    arn = theirs.create_role(
        RoleName="visitor", AssumeRolePolicyDocument=trust({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}))["Role"]["Arn"]
    theirs.put_role_policy(RoleName="visitor", PolicyName="p", PolicyDocument=policy(allow("ecs:*")))
    user = User(access_region, fresh("u"))
    call = dict(RoleArn=arn, RoleSessionName="visit")
    denied(lambda: user.client("sts").assume_role(**call))
    user.may(allow("sts:AssumeRole", arn))
    credentials = user.client("sts").assume_role(**call)["Credentials"]
    visitor = session_client(access_region, "ecs", credentials)
    made = visitor.create_cluster(clusterName="theirs")["cluster"]["clusterArn"]
    assert made == "arn:aws:ecs:us-east-1:210987654321:cluster/theirs"
    assert other_account("ecs").list_clusters()["clusterArns"] == [made]
    stranger = User(access_region, fresh("u"), allow("sts:*"))
    theirs.update_assume_role_policy(RoleName="visitor", PolicyDocument=trust({"AWS": user.arn}))
    denied(lambda: stranger.client("sts").assume_role(**call))


# The hosts of the region.


def test_nobody_but_hosts_can_join_as_a_host(access_region):
    admin = User(access_region, fresh("admin"), allow("*"))
    for client in (admin.client("ecs"), access_region.client("ecs")):
        denied(lambda: client.register_container_instance(cluster="longshore:fargate"), "belongs to the hosts")


# The registry.


def registry_call(region, method, path, token, body=None, headers=None):
    request = urllib.request.Request(f"{region.endpoint}{path}", data=body, method=method, headers={
        "Authorization": f"Basic {token}", **(headers or {})})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode(), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), error.headers


def registry_status(region, token):
    return registry_call(region, "GET", "/v2/", token)[0]


def test_the_registry_checks_each_action_on_each_repository(access_region):
    ecr = access_region.client("ecr")
    for name in ("team/app", "team/other"):
        ecr.create_repository(repositoryName=name)
    app = f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/team/app"
    push = ["ecr:BatchCheckLayerAvailability", "ecr:InitiateLayerUpload", "ecr:UploadLayerPart",
            "ecr:CompleteLayerUpload", "ecr:PutImage"]
    user = User(access_region, fresh("pusher"), allow("ecr:GetAuthorizationToken"), allow(push, app))
    token = user.client("ecr").get_authorization_token()["authorizationData"][0]["authorizationToken"]
    blob = b"{}"
    digest = "sha256:" + hashlib.sha256(blob).hexdigest()

    def upload(name, token=token, blob=blob):
        digest = "sha256:" + hashlib.sha256(blob).hexdigest()
        status, text, headers = registry_call(access_region, "POST", f"/v2/{name}/blobs/uploads/", token, b"")
        if status != 202:
            return status, text
        place = headers["Location"].replace(access_region.endpoint, "")
        join = "&" if "?" in place else "?"
        return registry_call(access_region, "PUT", f"{place}{join}digest={digest}", token, blob,
                             {"Content-Type": "application/octet-stream"})[:2]

    assert upload("team/app")[0] == 201
    status, text = upload("team/other")
    assert status == 403
    error = json.loads(text)["errors"][0]
    assert error["code"] == "DENIED" and user.arn in error["message"] and "ecr:InitiateLayerUpload" in error["message"]
    status, text, _ = registry_call(access_region, "GET", f"/v2/team/app/blobs/{digest}", token)
    assert status == 403 and "ecr:GetDownloadUrlForLayer" in text
    status, text, _ = registry_call(access_region, "GET", "/v2/no/such/manifests/latest", token)
    assert status == 403, "nobody learns which repositories there are"
    # A blob of another repository cannot be had by mounting it: it has to be uploaded.
    user.may(allow("ecr:GetAuthorizationToken"), allow("ecr:*", app))
    root = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    assert upload("team/other", root, b"theirs")[0] == 201
    theirs = "sha256:" + hashlib.sha256(b"theirs").hexdigest()
    mounted = registry_call(access_region, "POST", f"/v2/team/app/blobs/uploads/?mount={theirs}&from=team/other", token, b"")
    assert mounted[0] == 202
    assert registry_call(access_region, "GET", f"/v2/team/app/blobs/{theirs}", token)[0] == 404
    assert registry_call(access_region, "GET", f"/v2/team/app/blobs/{digest}", token)[0] == 200
    assert registry_status(access_region, base64.b64encode(b"AWS:forged").decode()) == 401


# Web identities.


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def test_web_identity(access_region, iam):
    public, key = rsa.newkeys(2048)
    jwk = {"kty": "RSA", "kid": "one", "alg": "RS256", "use": "sig",
           "n": encode(public.n.to_bytes(256, "big")), "e": encode(public.e.to_bytes(3, "big"))}
    url = "oidc.example.test/id/1"
    folder = Path(access_region.data_dir) / "oidc-keys"
    folder.mkdir(exist_ok=True)
    (folder / (url.replace("/", "%2F") + ".json")).write_text(json.dumps({"keys": [jwk]}))
    provider = iam.create_open_id_connect_provider(
        Url=f"https://{url}", ClientIDList=["sts.amazonaws.com"], ThumbprintList=["0" * 40])["OpenIDConnectProviderArn"]
    name = fresh("web")
    arn = make_role(
        iam, name,
        trust({"Federated": provider}, "sts:AssumeRoleWithWebIdentity",
              Condition={"StringEquals": {f"{url}:sub": "pod-1", f"{url}:aud": "sts.amazonaws.com"}}),
        allow("ecs:ListClusters"))

    def token(alg="RS256", kid="one", signer=key, **changes):
        claims = {"iss": f"https://{url}", "sub": "pod-1", "aud": "sts.amazonaws.com", "exp": int(time.time()) + 600, **changes}
        head = encode(json.dumps({"alg": alg, "kid": kid, "typ": "JWT"}).encode())
        text = f"{head}.{encode(json.dumps(claims).encode())}"
        if alg == "none":
            return text + "."
        if alg == "HS256":
            return f"{text}.{encode(hmac.new(json.dumps(jwk).encode(), text.encode(), hashlib.sha256).digest())}"
        return f"{text}.{encode(rsa.sign(text.encode(), signer, 'SHA-256'))}"

    sts = access_region.client("sts")

    def assume(given):
        return sts.assume_role_with_web_identity(RoleArn=arn, RoleSessionName="pod", WebIdentityToken=given)

    answer = assume(token())
    assert answer["SubjectFromWebIdentityToken"] == "pod-1" and answer["Provider"] == provider
    session_client(access_region, "ecs", answer["Credentials"]).list_clusters()
    denied(lambda: assume(token(sub="pod-2")), "Not authorized to perform sts:AssumeRoleWithWebIdentity")
    assert code(lambda: assume(token(aud="other"))) == "InvalidIdentityToken"
    assert code(lambda: assume(token(exp=int(time.time()) - 1))) == "ExpiredTokenException"
    assert code(lambda: assume(token(iss="https://elsewhere.test"))) == "InvalidIdentityToken"
    assert code(lambda: assume(token(kid="two"))) == "InvalidIdentityToken"
    assert code(lambda: assume(token(signer=rsa.newkeys(2048)[1]))) == "InvalidIdentityToken"
    for alg in ("none", "HS256"):
        assert code(lambda: assume(token(alg=alg))) == "InvalidIdentityToken"
    assert code(lambda: assume("????")) == "InvalidIdentityToken"
