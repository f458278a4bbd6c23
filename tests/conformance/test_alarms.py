"""CloudWatch alarms: they go off, come back, and tell EventBridge."""

import time
import uuid

import boto3
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


def test_the_query_protocol_speaks_of_alarms_too(server):
    name = alarm(server.client("cloudwatch"), Period=60)
    session = boto3.session.Session()
    session._session.set_config_variable("region", "us-east-1")
    loader = session._session.get_component("data_loader")
    model = loader.load_service_model("cloudwatch", "service-2")
    kept = dict(model["metadata"])
    try:
        model["metadata"]["protocol"], model["metadata"]["protocols"] = "query", ["query"]
        client = session.client("cloudwatch", endpoint_url=server.endpoint, region_name="us-east-1",
                                aws_access_key_id=server.key[0], aws_secret_access_key=server.key[1])
        assert client.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["Period"] == 60
        with pytest.raises(client.exceptions.ResourceNotFound):
            client.set_alarm_state(AlarmName="none", StateValue="OK", StateReason="x")
    finally:
        model["metadata"].clear()
        model["metadata"].update(kept)
