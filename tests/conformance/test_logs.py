"""CloudWatch Logs through boto3."""

import time
import uuid

import pytest
from botocore.exceptions import ClientError
from waiting import wait_for


def code(error):
    return error.value.response["Error"]["Code"]


@pytest.fixture
def group(logs):
    name = f"/g/{uuid.uuid4().hex[:8]}"
    logs.create_log_group(logGroupName=name)
    yield name
    logs.delete_log_group(logGroupName=name)


def put(logs, group, stream, messages, at=None):
    at = at or int(time.time() * 1000)
    logs.put_log_events(logGroupName=group, logStreamName=stream,
                        logEvents=[{"timestamp": at + i, "message": m} for i, m in enumerate(messages)])
    return at


def test_groups(logs, group):
    with pytest.raises(ClientError) as error:
        logs.create_log_group(logGroupName=group)
    assert code(error) == "ResourceAlreadyExistsException"
    logs.put_retention_policy(logGroupName=group, retentionInDays=7)
    found = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]
    assert found["retentionInDays"] == 7 and found["arn"].endswith(f"log-group:{group}:*")
    logs.delete_retention_policy(logGroupName=group)
    assert "retentionInDays" not in logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]
    with pytest.raises(ClientError) as error:
        logs.put_retention_policy(logGroupName=group, retentionInDays=8)
    assert code(error) == "InvalidParameterException"
    with pytest.raises(ClientError) as error:
        logs.delete_log_group(logGroupName="/never")
    assert code(error) == "ResourceNotFoundException"


def test_events_in_both_directions(logs, group):
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    put(logs, group, "s", [f"m{i}" for i in range(25)])
    get = lambda **more: logs.get_log_events(logGroupName=group, logStreamName="s", limit=10, **more)
    forward, token = [], None
    while True:
        answer = get(startFromHead=True, **({"nextToken": token} if token else {}))
        forward += [e["message"] for e in answer["events"]]
        if answer["nextForwardToken"] == token:
            break
        token = answer["nextForwardToken"]
    assert forward == [f"m{i}" for i in range(25)]
    tail = get()
    assert [e["message"] for e in tail["events"]] == [f"m{i}" for i in range(15, 25)]
    before = get(nextToken=tail["nextBackwardToken"])
    assert [e["message"] for e in before["events"]] == [f"m{i}" for i in range(5, 15)]


def test_put_errors(logs, group):
    event = [{"timestamp": int(time.time() * 1000), "message": "x"}]
    with pytest.raises(ClientError) as error:
        logs.put_log_events(logGroupName=group, logStreamName="never", logEvents=event)
    assert code(error) == "ResourceNotFoundException"
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    now = int(time.time() * 1000)
    with pytest.raises(ClientError) as error:
        logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=[
            {"timestamp": now, "message": "late"}, {"timestamp": now - 1000, "message": "early"}])
    assert code(error) == "InvalidParameterException"
    answer = logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=[
        {"timestamp": now - 15 * 86_400_000, "message": "old"}])
    assert answer["rejectedLogEventsInfo"]


@pytest.mark.parametrize("pattern,expected", [
    ("", {"ERROR disk full", '{"level":"warn","ms":12}', "GET /x 404 17", "fine"}),
    ("ERROR", {"ERROR disk full"}),
    ("ERROR -full", set()),
    ("?ERROR ?fine", {"ERROR disk full", "fine"}),
    ('"disk full"', {"ERROR disk full"}),
    ('{ $.level = "warn" && $.ms > 10 }', {'{"level":"warn","ms":12}'}),
    ("[method, path, status = 4*, size]", {"GET /x 404 17"}),
    ("%d[a-z]+k%", {"ERROR disk full"}),
])
def test_filter_patterns(logs, group, pattern, expected):
    for stream in ["a", "b"]:
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
    at = put(logs, group, "a", ["ERROR disk full", '{"level":"warn","ms":12}'])
    put(logs, group, "b", ["GET /x 404 17", "fine"], at)
    found, token = set(), None
    while True:
        more = {"nextToken": token} if token else {}
        answer = logs.filter_log_events(logGroupName=group, filterPattern=pattern, **more)
        found |= {e["message"] for e in answer["events"]}
        token = answer.get("nextToken")
        if not token:
            break
    assert found == expected


def test_streams_are_described(logs, group):
    logs.create_log_stream(logGroupName=group, logStreamName="s1")
    logs.create_log_stream(logGroupName=group, logStreamName="s2")
    at = put(logs, group, "s1", ["x"])
    found = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix="s")["logStreams"]
    assert [s["logStreamName"] for s in found] == ["s1", "s2"]
    assert found[0]["firstEventTimestamp"] == at
    logs.delete_log_stream(logGroupName=group, logStreamName="s2")
    assert len(logs.describe_log_streams(logGroupName=group)["logStreams"]) == 1


def test_queries(logs, group):
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    at = put(logs, group, "s", ['{"ms": 12, "path": "/a"}', '{"ms": 30, "path": "/a"}', '{"ms": 250, "path": "/b"}'])
    window = {"startTime": at // 1000 - 60, "endTime": at // 1000 + 60}
    query = logs.start_query(logGroupName=group, queryString="stats avg(ms) as mean by path | sort mean desc", **window)["queryId"]
    found = wait_for(lambda: (answer := logs.get_query_results(queryId=query))["status"] == "Complete" and answer, "the query runs")
    assert [{f["field"]: f["value"] for f in row} for row in found["results"]] == [
        {"path": "/b", "mean": "250"}, {"path": "/a", "mean": "21"}]
    assert found["statistics"]["recordsMatched"] == 3
    single = logs.start_query(logGroupName=group, queryString="fields ms | filter ms > 100", **window)["queryId"]
    row = wait_for(lambda: logs.get_query_results(queryId=single)["results"], "nothing is found")[0]
    pointer = next(field["value"] for field in row if field["field"] == "@ptr")
    assert logs.get_log_record(logRecordPointer=pointer)["logRecord"]["path"] == "/b"
    assert query in [q["queryId"] for q in logs.describe_queries(logGroupName=group)["queries"]]
    with pytest.raises(ClientError) as error:
        logs.start_query(logGroupName=group, queryString="fields @message | nonsense", **window)
    assert code(error) == "MalformedQueryException"
    assert error.value.response["queryCompileError"]["location"]["startCharOffset"] == 18


def test_metric_filters_publish(logs, region, group):
    cloudwatch = region.client("cloudwatch")
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    namespace = f"n-{uuid.uuid4().hex[:8]}"
    transformation = {"metricName": "ms", "metricNamespace": namespace, "metricValue": "$.ms", "dimensions": {"path": "$.path"}}
    logs.put_metric_filter(logGroupName=group, filterName="f", filterPattern="{ $.ms > 0 }", metricTransformations=[transformation])
    at = put(logs, group, "s", ['{"ms": 12, "path": "/a"}', '{"ms": 30, "path": "/a"}', "no"]) // 1000
    metric = {"Namespace": namespace, "MetricName": "ms", "Dimensions": [{"Name": "path", "Value": "/a"}]}
    assert cloudwatch.list_metrics(Namespace=namespace)["Metrics"] == [metric]
    points = cloudwatch.get_metric_statistics(**metric, StartTime=at - 300, EndTime=at + 300, Period=600,
                                              Statistics=["Sum", "Maximum"], ExtendedStatistics=["p50"])["Datapoints"]
    assert sum(p["Sum"] for p in points) == 42 and max(p["Maximum"] for p in points) == 30
    assert logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["metricFilterCount"] == 1


def test_metrics(region):
    cloudwatch = region.client("cloudwatch")
    namespace, now = f"n-{uuid.uuid4().hex[:8]}", int(time.time())
    # More than 10 KiB: boto3 sends it as gzip.
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=[
        {"MetricName": "m", "Timestamp": now, "Value": n, "Unit": "Count", "Dimensions": [{"Name": "d", "Value": "x" * 100}]}
        for n in range(200)])
    stat = {"Metric": {"Namespace": namespace, "MetricName": "m", "Dimensions": [{"Name": "d", "Value": "x" * 100}]},
            "Period": 60, "Stat": "SampleCount"}
    found = cloudwatch.get_metric_data(MetricDataQueries=[{"Id": "q", "MetricStat": stat}], StartTime=now - 120, EndTime=now + 120)
    assert found["MetricDataResults"][0]["Values"] == [200.0]
    with pytest.raises(ClientError) as error:
        cloudwatch.put_metric_data(Namespace=namespace, MetricData=[{"MetricName": "m", "Value": float("nan")}])
    assert code(error) == "InvalidParameterValue", "the code that query clients know"
