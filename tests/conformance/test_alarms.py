"""CloudWatch alarms: they go off, come back, and tell EventBridge."""

import contextlib
import datetime
import time
import urllib.error
import urllib.request
import uuid

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest
from botocore.exceptions import ClientError
from conftest import Region
from test_eventbridge import Group, rule
from waiting import wait_for


@pytest.fixture(scope="module")
def server():
    region = Region("--no-host")
    yield region
    region.close()


def alarm(cloudwatch, **changes):
    name = f"a-{uuid.uuid4().hex[:8]}"
    cloudwatch.put_metric_alarm(**{**dict(
        AlarmName=name, Namespace="shop", MetricName=name, Statistic="Maximum", Period=10, EvaluationPeriods=1,
        Threshold=30, ComparisonOperator="GreaterThanThreshold"), **changes})
    return name


def state(cloudwatch, name):
    return cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]


def put(cloudwatch, name, value):
    cloudwatch.put_metric_data(Namespace="shop", MetricData=[{"MetricName": name, "Value": value, "StorageResolution": 1}])


def test_an_alarm_goes_off_comes_back_and_tells_of_it(server):
    cloudwatch, events, group = server.client("cloudwatch"), server.client("events"), Group(server)
    name = alarm(cloudwatch)
    rule(events, {"source": ["aws.cloudwatch"], "detail": {"alarmName": [name]}}, group.arn)
    assert state(cloudwatch, name)["StateValue"] == "INSUFFICIENT_DATA"

    def reaches(value, wanted):
        def reached():
            put(cloudwatch, name, value)
            time.sleep(0.5)
            return state(cloudwatch, name)["StateValue"] == wanted
        wait_for(reached, lambda: state(cloudwatch, name), 45)

    reaches(50, "ALARM")
    assert "was greater than the threshold (30.0)" in state(cloudwatch, name)["StateReason"]
    reaches(10, "OK")
    wait_for(lambda: len(group.lines()) == 2, lambda: group.lines())
    told = sorted(group.events(), key=lambda event: event["detail"]["state"]["timestamp"])
    assert [event["detail"]["state"]["value"] for event in told] == ["ALARM", "OK"]
    assert told[0]["detail"]["configuration"]["metrics"][0]["metricStat"]["metric"]["name"] == name
    items = cloudwatch.describe_alarm_history(AlarmName=name, HistoryItemType="StateUpdate")["AlarmHistoryItems"]
    assert [item["HistorySummary"] for item in items] == [
        "Alarm updated from ALARM to OK", "Alarm updated from INSUFFICIENT_DATA to ALARM"]


def test_alarms_through_the_cli(server):
    name = f"cli-{uuid.uuid4().hex[:8]}"
    server.aws("cloudwatch", "put-metric-alarm", "--alarm-name", name, "--namespace", "shop", "--metric-name", "heat",
               "--extended-statistic", "p90", "--period", "60", "--evaluation-periods", "3", "--datapoints-to-alarm", "2",
               "--threshold", "1", "--comparison-operator", "LessThanThreshold", "--treat-missing-data", "breaching",
               "--tags", "Key=a,Value=b")
    shown = server.aws("cloudwatch", "describe-alarms", "--alarm-names", name)["MetricAlarms"][0]
    assert (shown["ExtendedStatistic"], shown["DatapointsToAlarm"], shown["TreatMissingData"]) == ("p90", 2, "breaching")
    tags = server.aws("cloudwatch", "list-tags-for-resource", "--resource-arn", shown["AlarmArn"])["Tags"]
    assert tags == [{"Key": "a", "Value": "b"}]
    wait_for(lambda: server.aws("cloudwatch", "describe-alarms", "--alarm-names", name)["MetricAlarms"][0]["StateValue"] == "ALARM",
             "missing data is breaching")
    server.aws("cloudwatch", "set-alarm-state", "--alarm-name", name, "--state-value", "OK", "--state-reason", "test")
    server.aws("cloudwatch", "delete-alarms", "--alarm-names", name)
    assert server.aws("cloudwatch", "describe-alarms", "--alarm-names", name)["MetricAlarms"] == []


def test_actions_are_refused(server):
    with pytest.raises(ClientError) as error:
        alarm(server.client("cloudwatch"), AlarmActions=["arn:aws:sns:us-east-1:123456789012:topic"])
    assert error.value.response["Error"]["Code"] == "ValidationError"


@contextlib.contextmanager
def speaking(server, protocol):
    """A client that speaks one of the protocols of the model, whatever it would choose by itself."""
    session = boto3.session.Session()
    session._session.set_config_variable("region", "us-east-1")
    loader = session._session.get_component("data_loader")
    model = loader.load_service_model("cloudwatch", "service-2")
    kept = dict(model["metadata"])
    try:
        model["metadata"]["protocol"], model["metadata"]["protocols"] = protocol, [protocol]
        yield session.client("cloudwatch", endpoint_url=server.endpoint, region_name="us-east-1",
                             aws_access_key_id=server.key[0], aws_secret_access_key=server.key[1])
    finally:
        model["metadata"].clear()
        model["metadata"].update(kept)


@pytest.mark.parametrize("protocol", ["query", "smithy-rpc-v2-cbor"])
def test_other_protocols_speak_of_alarms_too(server, protocol):
    name = alarm(server.client("cloudwatch"), Period=60, Threshold=-0.25)
    with speaking(server, protocol) as client:
        shown = client.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]
        assert (shown["Period"], shown["Threshold"], shown["Dimensions"]) == (60, -0.25, [])
        assert shown["AlarmConfigurationUpdatedTimestamp"] == state(
            server.client("cloudwatch"), name)["AlarmConfigurationUpdatedTimestamp"]
        with pytest.raises(client.exceptions.ResourceNotFound):
            client.set_alarm_state(AlarmName="none", StateValue="OK", StateReason="x")
        with pytest.raises(ClientError) as refused:
            client.put_metric_alarm(AlarmName="x" * 300, ComparisonOperator="GreaterThanThreshold", EvaluationPeriods=1)
        assert refused.value.response["Error"]["Code"] == "InvalidParameterValue"
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_cbor_carries_what_metrics_are_made_of(server):
    start = datetime.datetime.now(datetime.UTC).replace(microsecond=0) - datetime.timedelta(minutes=5)
    name = f"m-{uuid.uuid4().hex[:8]}"
    with speaking(server, "smithy-rpc-v2-cbor") as client:
        client.put_metric_data(Namespace="shop", MetricData=[
            {"MetricName": name, "Values": [0.1, 1e300], "Counts": [2.0, 1.0], "Timestamp": start,
             "Dimensions": [{"Name": "täg", "Value": "wert"}]},
            *({"MetricName": name, "Value": -1.5, "Timestamp": start} for _ in range(999))])
        query = dict(Namespace="shop", MetricName=name, StartTime=start, EndTime=start + datetime.timedelta(minutes=1),
                     Period=60, Statistics=["Sum", "SampleCount", "Maximum"])
        points = client.get_metric_statistics(**query)
        assert points == {"Label": name, "Datapoints": points["Datapoints"], "ResponseMetadata": points["ResponseMetadata"]}
        [point] = points["Datapoints"]
        assert (point["SampleCount"], point["Sum"], point["Maximum"]) == (999, -1498.5, -1.5)
        assert abs((point["Timestamp"] - start).total_seconds()) < 60
        [point] = client.get_metric_statistics(**query, Dimensions=[{"Name": "täg", "Value": "wert"}])["Datapoints"]
        assert (point["SampleCount"], point["Maximum"]) == (3, 1e300)
        assert client.list_metrics(Namespace="shop", MetricName="none")["Metrics"] == []


def cbor(server, path, body, service="monitoring"):
    """Status, headers and body of a call as it is put together by hand."""
    request = botocore.awsrequest.AWSRequest("POST", server.endpoint + path, data=body, headers={
        "Smithy-Protocol": "rpc-v2-cbor", "Content-Type": "application/cbor"})
    botocore.auth.SigV4Auth(botocore.credentials.Credentials(*server.key), service, "us-east-1").add_auth(request)
    sent = urllib.request.Request(server.endpoint + path, data=body, headers=dict(request.headers), method="POST")
    try:
        with urllib.request.urlopen(sent, timeout=10) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def test_cbor_that_is_none_is_refused(server):
    path = "/service/GraniteServiceVersion20100801/operation/"
    for body in [b"", b"\xa0", b"\xbf\xff"]:
        status, headers, answer = cbor(server, path + "ListMetrics", body)
        assert (status, headers["Smithy-Protocol"], headers["Content-Type"]) == (200, "rpc-v2-cbor", "application/cbor")
        assert answer[:1] == b"\xbf" and b"Metrics" in answer
    for operation, body, code in [
        ("ListMetrics", b"\x00", "SerializationException"),
        ("ListMetrics", b"\xbf", "SerializationException"),
        ("ListMetrics", b"\x81" * 100_000, "SerializationException"),
        ("ListMetrics", b"\xa1\x69Namespace\x05", "SerializationException"),
        ("ListMetrics", b"\xa1\x69Namespace\x60", "InvalidParameterValueException"),
        ("Nothing", b"\xa0", "UnknownOperationException"),
        ("PutDashboard", b"\xa0", "UnknownOperationException"),
        ("../../Other/operation/ListMetrics", b"\xa0", "UnknownOperationException"),
    ]:
        status, headers, answer = cbor(server, path + operation, body)
        assert (status, headers["Smithy-Protocol"]) == (400, "rpc-v2-cbor"), operation
        assert code.encode() in answer, (operation, answer)
    status, headers, answer = cbor(server, path + "ListMetrics", b"\xa0", service="ecs")
    assert (status, headers["Smithy-Protocol"]) == (403, "rpc-v2-cbor") and b"Signature" in answer
