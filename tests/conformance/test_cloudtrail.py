"""The record of API calls: LookupEvents, what is hidden, what survives, and the files of trails."""

import base64
import gzip
import json
import shutil
import subprocess
import time
import tomllib
import urllib.error
import urllib.request
from datetime import datetime, timedelta, timezone
from pathlib import Path

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from conftest import Region, program, wait_for
from images import write_layout

HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"


class RecordedRegion(Region):
    """A region without a host, which leaves nothing to stop."""

    def __init__(self, *flags):
        super().__init__("--no-host", *flags)

    def close(self):
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def events(self, **attribute):
        """All events with an attribute, newest first."""
        attributes = [{"AttributeKey": key, "AttributeValue": value} for key, value in attribute.items()]
        pages = self.client("cloudtrail").get_paginator("lookup_events").paginate(LookupAttributes=attributes)
        return [event for page in pages for event in page["Events"]]

    def records(self, **attribute):
        return [json.loads(event["CloudTrailEvent"]) for event in self.events(**attribute)]


@pytest.fixture(scope="module")
def region():
    region = RecordedRegion()
    yield region
    region.close()


@pytest.fixture
def own_region():
    region = RecordedRegion()
    yield region
    region.close()


def code(call, **arguments):
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    return refused.value.response["Error"]["Code"]


def test_a_call_is_found_by_each_attribute(region):
    ecs = region.client("ecs")
    created = ecs.create_cluster(clusterName="found")
    request = created["ResponseMetadata"]["RequestId"]
    arn = created["cluster"]["clusterArn"]
    (event,) = region.events(ResourceName="found")
    assert event["EventName"] == "CreateCluster"
    assert event["EventSource"] == "ecs.amazonaws.com"
    assert event["ReadOnly"] == "false"
    assert event["Username"] == "root"
    assert event["AccessKeyId"] == region.key[0]
    assert {"ResourceType": "AWS::ECS::Cluster", "ResourceName": arn} in event["Resources"]
    assert abs(datetime.now(timezone.utc) - event["EventTime"]) < timedelta(minutes=1)
    for attribute in (
        {"EventId": event["EventId"]},
        {"EventName": "CreateCluster"},
        {"ReadOnly": "false"},
        {"Username": "root"},
        {"ResourceType": "AWS::ECS::Cluster"},
        {"ResourceName": arn},
        {"EventSource": "ecs.amazonaws.com"},
        {"AccessKeyId": region.key[0]},
    ):
        assert event["EventId"] in [found["EventId"] for found in region.events(**attribute)], attribute
    assert region.events(EventName="DeleteCluster") == []

    record = json.loads(event["CloudTrailEvent"])
    assert record["eventVersion"] == "1.11"
    assert record["requestID"] == request
    assert record["requestParameters"] == {"clusterName": "found"}
    assert record["responseElements"]["cluster"]["clusterArn"] == arn
    assert record["userIdentity"] == {
        "type": "Root",
        "principalId": "123456789012",
        "arn": "arn:aws:iam::123456789012:root",
        "accountId": "123456789012",
        "accessKeyId": region.key[0],
    }
    assert record["sourceIPAddress"] == "127.0.0.1"
    assert "Boto3" in record["userAgent"]
    assert record["eventType"] == "AwsApiCall" and record["managementEvent"] is True
    assert record["recipientAccountId"] == "123456789012" and record["awsRegion"] == "us-east-1"
    assert "errorCode" not in record and "tlsDetails" not in record


def test_calls_that_read_have_no_answer_recorded(region):
    region.client("ecs").list_clusters(maxResults=7)
    record = region.records(EventName="ListClusters")[0]
    assert record["readOnly"] is True
    assert record["requestParameters"] == {"maxResults": 7}
    assert record["responseElements"] is None


def test_refused_calls_are_recorded(region):
    forged = region.client("ecs", aws_secret_access_key="x" * 40)
    assert code(forged.delete_cluster, cluster="forged") == "InvalidSignatureException"
    stranger = region.client("ecs", aws_access_key_id="AKIASTRANGER00000000")
    assert code(stranger.delete_cluster, cluster="stranger") == "UnrecognizedClientException"
    assert code(region.client("ecs").delete_cluster, cluster="nothing") == "ClusterNotFoundException"
    records = region.records(EventName="DeleteCluster")
    seen = [(record["errorCode"], record["userIdentity"]["type"]) for record in records]
    assert seen == [
        ("ClusterNotFoundException", "Root"),
        ("UnrecognizedClientException", "Unknown"),
        ("InvalidSignatureException", "Unknown"),
    ]
    assert records[0]["errorMessage"] and records[0]["requestParameters"] == {"cluster": "nothing"}
    assert len(region.events(AccessKeyId="AKIASTRANGER00000000")) == 1
    unsigned = boto3.client(
        "sts", endpoint_url=region.endpoint, region_name="us-east-1", config=Config(signature_version=UNSIGNED)
    )
    code(unsigned.get_caller_identity)
    record = region.records(EventName="GetCallerIdentity")[0]
    assert record["errorCode"].startswith("MissingAuthenticationToken")
    assert "accessKeyId" not in record["userIdentity"]


def test_secrets_are_redacted(region):
    password = "correct-horse-battery-staple"
    region.client("ecs").register_task_definition(
        family="secret",
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu="256",
        memory="512",
        containerDefinitions=[
            {"name": "c", "image": "i", "environment": [{"name": "PASSWORD", "value": password}]}
        ],
    )
    region.client("ecr").get_authorization_token()
    for record in region.records(EventName="RegisterTaskDefinition"):
        assert record["requestParameters"]["containerDefinitions"][0]["environment"] == HIDDEN
        assert record["responseElements"]["taskDefinition"]["containerDefinitions"][0]["environment"] == HIDDEN
        assert password not in json.dumps(record)
    assert in_audit_files(region, password) == []


def in_audit_files(region, text):
    folder = Path(region.data_dir, "blobs", "segments", "audit")
    return [path for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


def test_values_of_secrets_and_parameters_are_redacted(region):
    value = "hunter2-correct-horse"
    secrets, ssm = region.client("secretsmanager"), region.client("ssm")
    secrets.create_secret(Name="db", SecretString=value)
    secrets.put_secret_value(SecretId="db", SecretBinary=value.encode())
    secrets.get_secret_value(SecretId="db")
    ssm.put_parameter(Name="/db/password", Value=value, Type="SecureString")
    ssm.get_parameter(Name="/db/password", WithDecryption=True)
    assert region.records(EventName="CreateSecret")[0]["requestParameters"]["secretString"] == HIDDEN
    assert region.records(EventName="PutSecretValue")[0]["requestParameters"]["secretBinary"] == HIDDEN
    assert region.records(EventName="PutParameter")[0]["requestParameters"]["value"] == HIDDEN
    read = region.records(EventName="GetSecretValue")[0]
    assert (read["requestParameters"], read["responseElements"]) == ({"secretId": "db"}, None)
    assert [event["EventName"] for event in region.events(ResourceName="/db/password")] == [
        "GetParameter",
        "PutParameter",
    ]
    assert in_audit_files(region, value) == [] and in_audit_files(region, "/db/password") != []


def user(region, name, policy=None):
    """A user with a key: its access key id, and what clients need."""
    iam = region.client("iam")
    iam.create_user(UserName=name)
    if policy:
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    secret = key["SecretAccessKey"]
    return key["AccessKeyId"], dict(aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=secret)


def test_a_denied_call_is_recorded(region):
    key, credentials = user(region, "mallory")
    ecs = region.client("ecs", **credentials)
    assert code(ecs.create_cluster, clusterName="forbidden") == "AccessDeniedException"
    (record,) = region.records(Username="mallory")
    assert (record["eventName"], record["errorCode"]) == ("CreateCluster", "AccessDenied")
    assert "mallory is not authorized to perform: ecs:CreateCluster" in record["errorMessage"]
    identity = record["userIdentity"]
    assert (identity["type"], identity["userName"], identity["accessKeyId"]) == ("IAMUser", "mallory", key)
    assert record["requestParameters"] == {"clusterName": "forbidden"}
    made = region.records(EventName="CreateAccessKey")[0]
    assert made["responseElements"]["accessKey"]["secretAccessKey"] == HIDDEN
    assert in_audit_files(region, credentials["aws_secret_access_key"]) == []


def test_a_role_session_is_recorded(region):
    anything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    _, credentials = user(region, "ann", anything)
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "sts:AssumeRole"}
        ],
    }
    iam = region.client("iam")
    role = iam.create_role(RoleName="deployer", AssumeRolePolicyDocument=json.dumps(trust))["Role"]
    iam.put_role_policy(RoleName="deployer", PolicyName="p", PolicyDocument=json.dumps(anything))
    sts = region.client("sts", **credentials)
    session = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="ci")["Credentials"]
    ecs = region.client(
        "ecs",
        aws_access_key_id=session["AccessKeyId"],
        aws_secret_access_key=session["SecretAccessKey"],
        aws_session_token=session["SessionToken"],
    )
    ecs.create_cluster(clusterName="by-role")
    record = region.records(EventName="AssumeRole")[0]
    assert record["userIdentity"]["userName"] == "ann"
    given = record["responseElements"]["credentials"]
    assert given["accessKeyId"] == session["AccessKeyId"]
    assert (given["secretAccessKey"], given["sessionToken"]) == (HIDDEN, HIDDEN)
    assert in_audit_files(region, session["SecretAccessKey"]) == []
    assert in_audit_files(region, session["SessionToken"][:60]) == []
    (record,) = region.records(Username="ci")
    identity = record["userIdentity"]
    assert (record["eventName"], identity["type"]) == ("CreateCluster", "AssumedRole")
    assert identity["principalId"] == role["RoleId"] + ":ci"
    assert identity["sessionContext"]["sessionIssuer"] == {
        "type": "Role",
        "principalId": role["RoleId"],
        "arn": role["Arn"],
        "accountId": "123456789012",
        "userName": "deployer",
    }
    assert identity["sessionContext"]["attributes"]["mfaAuthenticated"] == "false"


def test_an_assumed_role_of_another_account_is_recorded_in_both(region):
    other = "210987654321"
    done = subprocess.run([program(), "account", "create", "--id", other, "--data-dir", region.data_dir],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    key = tomllib.loads((Path(region.data_dir) / f"root-access-key-{other}.toml").read_text())
    theirs = dict(aws_access_key_id=key["access_key_id"], aws_secret_access_key=key["secret_access_key"])
    trust = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "sts:AssumeRole"}]}
    role = region.client("iam", **theirs).create_role(
        RoleName="visitor", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    may = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role}]}
    _, credentials = user(region, "traveller", may)
    session = region.client("sts", **credentials).assume_role(RoleArn=role, RoleSessionName="visit")["Credentials"]
    refused = role.replace("visitor", "nobody")
    code(region.client("sts", **credentials).assume_role, RoleArn=refused, RoleSessionName="visit")
    denied, own = [json.loads(event["CloudTrailEvent"]) for event in region.events(EventName="AssumeRole")
                   if event["Username"] == "traveller"]
    assert denied["errorCode"] == "AccessDenied" and "sharedEventID" not in denied
    found = region.client("cloudtrail", **theirs).lookup_events(
        LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "AssumeRole"}])["Events"]
    (their,) = [json.loads(event["CloudTrailEvent"]) for event in found]
    assert own["recipientAccountId"] == "123456789012" and own["userIdentity"]["userName"] == "traveller"
    assert their["recipientAccountId"] == other
    assert their["userIdentity"] == {
        "type": "AWSAccount", "principalId": own["userIdentity"]["principalId"], "accountId": "123456789012"}
    assert own["sharedEventID"] == their["sharedEventID"] and own["eventID"] != their["eventID"]
    assert own["requestID"] == their["requestID"] and own["requestParameters"] == their["requestParameters"]
    assert their["responseElements"]["credentials"]["accessKeyId"] == session["AccessKeyId"]
    assert session["SessionToken"][:60] not in json.dumps([own, their])


def skopeo(*arguments):
    return subprocess.run(["skopeo", "copy", "--quiet", *arguments], capture_output=True, text=True, timeout=120)


def test_pushes_and_pulls_are_recorded(region, tmp_path):
    region.client("ecr").create_repository(repositoryName="pushed")
    write_layout(tmp_path / "app")
    permissions = ["ecr:GetAuthorizationToken", "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage",
                   "ecr:GetDownloadUrlForLayer"]
    may = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": permissions, "Resource": "*"}]}
    _, reader = user(region, "reader", may)

    def login(**credentials):
        token = region.client("ecr", **credentials).get_authorization_token()["authorizationData"][0]
        return base64.b64decode(token["authorizationToken"]).decode()

    image = f"docker://{region.registry}/pushed:v1"
    pushed = skopeo("--dest-tls-verify=false", "--dest-creds", login(), f"oci:{tmp_path}/app:latest", image)
    assert pushed.returncode == 0, pushed.stderr
    pulled = skopeo("--src-tls-verify=false", "--src-creds", login(**reader), image, f"oci:{tmp_path}/copy:latest")
    assert pulled.returncode == 0, pulled.stderr
    denied = skopeo("--dest-tls-verify=false", "--dest-creds", login(**reader), f"oci:{tmp_path}/app:latest",
                    f"docker://{region.registry}/pushed:v2")
    assert denied.returncode != 0

    arn = "arn:aws:ecr:us-east-1:123456789012:repository/pushed"
    events = [json.loads(event["CloudTrailEvent"]) for event in region.events(ResourceName=arn)]
    by = {}
    for event in events:
        name = event["userIdentity"].get("userName", event["userIdentity"]["type"])
        by.setdefault((name, event.get("errorCode")), {}).setdefault(event["eventName"], []).append(event)
    push, pull, refused = by["Root", None], by["reader", None], by["reader", "AccessDenied"]
    assert {"BatchCheckLayerAvailability", "InitiateLayerUpload", "CompleteLayerUpload", "PutImage"} <= set(push)
    assert {"BatchGetImage", "GetDownloadUrlForLayer"} <= set(pull)
    (put,) = push["PutImage"]
    digest = region.client("ecr").describe_images(repositoryName="pushed")["imageDetails"][0]["imageDigest"]
    image_id = put["responseElements"]["image"]["imageId"]
    assert (image_id["imageTag"], image_id["imageDigest"], put["readOnly"]) == ("v1", digest, False)
    assert put["eventSource"] == "ecr.amazonaws.com" and put["sourceIPAddress"] == "127.0.0.1"
    assert "skopeo" in put["userAgent"] and put["resources"][0]["ARN"] == arn
    assert pull["GetDownloadUrlForLayer"][0]["requestParameters"]["repositoryName"] == "pushed"
    assert set(refused) & {"InitiateLayerUpload", "PutImage"}
    message = next(iter(refused.values()))[0]["errorMessage"]
    assert "user/reader is not authorized to perform: ecr:" in message
    assert region.events(Username="reader", ) and not in_audit_files(region, login().removeprefix("AWS:")[:40])


def test_strangers_at_the_websockets_are_recorded(region):
    for path, name in [("acs", "Poll"), ("tcs", "StartTelemetrySession")]:
        request = urllib.request.Request(f"{region.endpoint}/_agent/{path}/ws")
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(request, timeout=10)
        record = region.records(EventName=name)[0]
        assert record["errorCode"].startswith("MissingAuthenticationToken")
        assert (record["eventSource"], record["userIdentity"]["type"]) == ("ecs.amazonaws.com", "Unknown")


def test_times_and_pages(region):
    ecs = region.client("ecs")
    before = datetime.now(timezone.utc) - timedelta(seconds=1)
    for number in range(12):
        ecs.describe_clusters(clusters=[f"paged-{number}"])
    cloudtrail = region.client("cloudtrail")
    by_name = [{"AttributeKey": "EventName", "AttributeValue": "DescribeClusters"}]
    first = cloudtrail.lookup_events(LookupAttributes=by_name, MaxResults=5, StartTime=before)
    assert [event["Resources"][0]["ResourceName"] for event in first["Events"]] == [
        f"paged-{number}" for number in (11, 10, 9, 8, 7)
    ]
    second = cloudtrail.lookup_events(
        LookupAttributes=by_name, MaxResults=5, StartTime=before, NextToken=first["NextToken"]
    )
    assert second["Events"][0]["Resources"][0]["ResourceName"] == "paged-6"
    wrong = dict(LookupAttributes=by_name, NextToken=first["NextToken"])
    assert code(cloudtrail.lookup_events, **wrong) == "InvalidNextTokenException"
    assert cloudtrail.lookup_events(LookupAttributes=by_name, EndTime=before - timedelta(days=1))["Events"] == []
    bad = dict(StartTime=before, EndTime=before - timedelta(days=1))
    assert code(cloudtrail.lookup_events, **bad) == "InvalidTimeRangeException"


def test_the_cli_looks_events_up(region):
    region.client("ecs").create_cluster(clusterName="cli")
    found = region.aws(
        "cloudtrail", "lookup-events", "--lookup-attributes", "AttributeKey=ResourceName,AttributeValue=cli"
    )
    assert [event["EventName"] for event in found["Events"]] == ["CreateCluster"]


def test_a_kill_keeps_events(own_region):
    ecs = own_region.client("ecs")
    for number in range(50):
        ecs.create_cluster(clusterName=f"kept-{number}")
    # What changes something is on disk a tenth of a second after its answer.
    time.sleep(0.5)
    own_region.stop(hard=True)
    own_region.start()
    names = [event["Resources"][0]["ResourceName"] for event in own_region.events(EventName="CreateCluster")]
    assert names == [f"kept-{number}" for number in reversed(range(50))]


def test_a_stop_keeps_everything(own_region):
    ecs = own_region.client("ecs")
    for _ in range(20):
        ecs.list_clusters()
    own_region.stop()
    own_region.start()
    assert len(own_region.events(EventName="ListClusters")) == 20


def delivered(region, bucket="audit-bucket"):
    """Records of a trail's files in the order of their numbers, and the files."""
    files = sorted(Path(region.data_dir, "trails", bucket).rglob("*.json.gz"))
    records = [record for file in files for record in json.loads(gzip.decompress(file.read_bytes()))["Records"]]
    return sorted(records, key=lambda record: record["eventTime"]), files


def test_a_trail_delivers_files():
    region = RecordedRegion("--trail-interval", "1")
    try:
        cloudtrail, ecs = region.client("cloudtrail"), region.client("ecs")
        trail = cloudtrail.create_trail(Name="audit", S3BucketName="audit-bucket", S3KeyPrefix="team")
        arn = trail["TrailARN"]
        assert arn == "arn:aws:cloudtrail:us-east-1:123456789012:trail/audit"
        ecs.create_cluster(clusterName="before")
        assert cloudtrail.get_trail_status(Name=arn)["IsLogging"] is False
        cloudtrail.start_logging(Name="audit")
        ecs.create_cluster(clusterName="during")

        def names():
            return [record["requestParameters"]["clusterName"] for record in delivered(region)[0]
                    if record["eventName"] == "CreateCluster"]

        wait_for(lambda: names() == ["during"], "the event is delivered")
        status = cloudtrail.get_trail_status(Name="audit")
        assert status["IsLogging"] is True and "LatestDeliveryTime" in status
        file = delivered(region)[1][0]
        day = datetime.now(timezone.utc).strftime("%Y/%m/%d")
        root = Path(region.data_dir, "trails", "audit-bucket")
        assert str(file.relative_to(root)).startswith(f"team/AWSLogs/123456789012/CloudTrail/us-east-1/{day}/")
        account, kind, name, at, unique = file.name.removesuffix(".json.gz").split("_")
        assert (account, kind, name, len(at), len(unique)) == ("123456789012", "CloudTrail", "us-east-1", 14, 16)

        # Killed and started again: nothing is missing and nothing is there twice.
        for number in range(20):
            ecs.create_cluster(clusterName=f"more-{number:02}")
        time.sleep(0.5)
        region.stop(hard=True)
        region.start()
        ecs.create_cluster(clusterName="after")
        region.stop()
        expected = ["during", *(f"more-{number:02}" for number in range(20)), "after"]
        assert sorted(names()) == sorted(expected)
        ids = [record["eventID"] for record in delivered(region)[0]]
        assert len(ids) == len(set(ids))
        region.start()
        cloudtrail.stop_logging(Name="audit")
        ecs.create_cluster(clusterName="stopped")
        region.stop()
        assert sorted(names()) == sorted(expected)
        region.start()
    finally:
        region.close()


def test_trails_are_managed(region):
    cloudtrail = region.client("cloudtrail")
    assert code(cloudtrail.get_trail, Name="nothing") == "TrailNotFoundException"
    arn = cloudtrail.create_trail(
        Name="managed", S3BucketName="managed-bucket", TagsList=[{"Key": "team", "Value": "a"}]
    )["TrailARN"]
    assert code(cloudtrail.create_trail, Name="managed", S3BucketName="b-b") == "TrailAlreadyExistsException"
    assert code(cloudtrail.create_trail, Name="x", S3BucketName="b-b") == "InvalidTrailNameException"
    assert code(cloudtrail.create_trail, Name="kms", S3BucketName="b-b", KmsKeyId="k") == "KmsKeyNotFoundException"
    assert [trail["TrailARN"] for trail in cloudtrail.list_trails()["Trails"]] == [arn]
    (shown,) = cloudtrail.describe_trails(trailNameList=["managed"])["trailList"]
    assert (shown["TrailARN"], shown["S3BucketName"], shown["HasCustomEventSelectors"]) == (arn, "managed-bucket", False)

    cloudtrail.add_tags(ResourceId=arn, TagsList=[{"Key": "stage", "Value": "b"}])
    cloudtrail.remove_tags(ResourceId=arn, TagsList=[{"Key": "team"}])
    (tags,) = cloudtrail.list_tags(ResourceIdList=[arn])["ResourceTagList"]
    assert tags["TagsList"] == [{"Key": "stage", "Value": "b"}]

    selector = {"ReadWriteType": "WriteOnly", "IncludeManagementEvents": True}
    cloudtrail.put_event_selectors(TrailName="managed", EventSelectors=[selector])
    (selected,) = cloudtrail.get_event_selectors(TrailName=arn)["EventSelectors"]
    assert selected["ReadWriteType"] == "WriteOnly"
    fields = [
        {"Field": "eventCategory", "Equals": ["Management"]},
        {"Field": "eventName", "StartsWith": ["Delete"]},
    ]
    cloudtrail.put_event_selectors(
        TrailName="managed", AdvancedEventSelectors=[{"Name": "n", "FieldSelectors": fields}]
    )
    (selected,) = cloudtrail.get_event_selectors(TrailName=arn)["AdvancedEventSelectors"]
    assert selected["FieldSelectors"] == fields
    assert code(cloudtrail.get_insight_selectors, TrailName="managed") == "InsightNotEnabledException"
    assert code(cloudtrail.list_event_data_stores) == "UnknownOperationException"
    updated = cloudtrail.update_trail(Name="managed", S3BucketName="other-bucket", IsMultiRegionTrail=True)
    assert (updated["S3BucketName"], updated["IsMultiRegionTrail"]) == ("other-bucket", True)
    cloudtrail.delete_trail(Name=arn)
    assert cloudtrail.list_trails()["Trails"] == []
