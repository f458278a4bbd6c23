"""Requests that are wrong in every way a client can be wrong."""

import datetime
import http.client
import json
import re
import socket
from pathlib import Path

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest
from botocore.exceptions import ClientError

ECS = "AmazonEC2ContainerServiceV20141113"


def signed(region, body=b"{}", target=f"{ECS}.ListClusters", service="ecs", key=None, at=None, region_name="us-east-1",
           content_type="application/x-amz-json-1.1"):
    """A signed request as (headers, body)."""
    key = key or region.key
    request = botocore.awsrequest.AWSRequest(
        "POST", region.endpoint + "/", data=body, headers={"X-Amz-Target": target, "Content-Type": content_type}
    )
    signer = botocore.auth.SigV4Auth(botocore.credentials.Credentials(*key), service, region_name)
    if at:
        request.context["timestamp"] = at
        real = botocore.auth.get_current_datetime if hasattr(botocore.auth, "get_current_datetime") else None
        import unittest.mock as mock

        moment = datetime.datetime.strptime(at, "%Y%m%dT%H%M%SZ")
        if real:
            with mock.patch.object(botocore.auth, "get_current_datetime", lambda *a, **k: moment):
                signer.add_auth(request)
        else:
            with mock.patch("botocore.auth.datetime.datetime") as fake:
                fake.utcnow.return_value = moment
                signer.add_auth(request)
    else:
        signer.add_auth(request)
    return dict(request.headers), body


def post(region, headers, body, path="/"):
    connection = http.client.HTTPConnection("127.0.0.1", region.port, timeout=20)
    connection.request("POST", path, body, headers)
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    return answer.status, dict((k.lower(), v) for k, v in answer.getheaders()), data


def error_of(answer):
    status, headers, body = answer
    assert headers.get("x-amzn-requestid"), headers
    return status, json.loads(body)["__type"].split("#")[-1]


def test_every_answer_has_a_request_id_and_a_date(region):
    status, headers, body = post(region, *signed(region))
    assert status == 200 and "clusterArns" in json.loads(body)
    assert headers["x-amzn-requestid"] and headers["date"]


@pytest.mark.parametrize("body,code", [
    (b"{", "SerializationException"),
    (b"[]", "SerializationException"),
    (b'{"maxResults": "many"}', "SerializationException"),
    (b'{"maxResults": {"a": 1}}', "SerializationException"),
    (b'{"nextToken": 5}', "SerializationException"),
    (b'\xff\xfe', "SerializationException"),
])
def test_malformed_bodies(region, body, code):
    assert error_of(post(region, *signed(region, body))) == (400, code)


def test_unknown_members_are_ignored(region):
    assert post(region, *signed(region, b'{"unheardOf": [1, 2]}'))[0] == 200


def test_deep_nesting_is_an_error_and_not_a_crash(region):
    body = b'{"a":' * 5000 + b"1" + b"}" * 5000
    assert error_of(post(region, *signed(region, body))) == (400, "SerializationException")


def test_unknown_operation(region):
    assert error_of(post(region, *signed(region, target=f"{ECS}.MakeCoffee"))) == (400, "UnknownOperationException")


def test_operation_of_the_model_that_is_not_built(region):
    table = (Path(__file__).resolve().parents[2] / "docs/coverage/ecs.md").read_text()
    missing = re.search(r"(?m)^\| (\w+) \| no \|", table)
    if missing is None:
        pytest.skip("all operations of the model are built")
    status, code = error_of(post(region, *signed(region, target=f"{ECS}.{missing[1]}")))
    assert (status, code) == (400, "UnknownOperationException")


def test_unknown_service(region):
    status, headers, _ = post(region, *signed(region, target="Nothing_20200101.Do", service="nothing"))
    assert 400 <= status < 500 and headers["x-amzn-requestid"]


def test_unsigned(region):
    headers, body = signed(region)
    del headers["Authorization"]
    assert error_of(post(region, headers, body)) == (400, "MissingAuthenticationTokenException")


def test_unknown_key(region):
    answer = post(region, *signed(region, key=("AKIAUNKNOWNUNKNOWN00", "x" * 40)))
    assert error_of(answer) == (400, "UnrecognizedClientException")


def test_wrong_secret(region):
    assert error_of(post(region, *signed(region, key=(region.key[0], "x" * 40)))) == (400, "InvalidSignatureException")


def test_altered_body(region):
    headers, _ = signed(region, b"{}")
    headers.pop("Content-Length", None)
    assert error_of(post(region, headers, b'{"maxResults": 1}')) == (400, "InvalidSignatureException")


def test_signature_for_another_service(region):
    assert error_of(post(region, *signed(region, service="ecr"))) == (400, "InvalidSignatureException")


@pytest.mark.parametrize("offset,text", [(-3600, "expired"), (3600, "not yet current")])
def test_clock_skew(region, offset, text):
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=offset)
    status, _, body = post(region, *signed(region, at=moment.strftime("%Y%m%dT%H%M%SZ")))
    answer = json.loads(body)
    assert status == 400 and answer["__type"].endswith("InvalidSignatureException") and text in answer["message"]


def test_garbage_authorization(region):
    headers, body = signed(region)
    headers["Authorization"] = "AWS4-HMAC-SHA256 nonsense"
    assert error_of(post(region, headers, body)) == (400, "IncompleteSignatureException")


def test_oversized_body(region):
    headers, _ = signed(region)
    headers["Content-Length"] = str(1 << 40)
    with socket.create_connection(("127.0.0.1", region.port), timeout=20) as s:
        lines = "".join(f"{k}: {v}\r\n" for k, v in headers.items())
        s.sendall(f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{region.port}\r\n{lines}\r\n".encode())
        assert s.recv(64).split(b" ")[1] in (b"400", b"413")


def test_query_protocol(region):
    sts = region.client("sts")
    identity = sts.get_caller_identity()
    assert identity["Account"] == "123456789012"
    assert identity["Arn"] == "arn:aws:iam::123456789012:root"
    with pytest.raises(ClientError) as refused:
        boto3.client("sts", endpoint_url=region.endpoint, region_name="us-east-1",
                     aws_access_key_id="AKIAUNKNOWNUNKNOWN00", aws_secret_access_key="x").get_caller_identity()
    assert refused.value.response["Error"]["Code"] == "InvalidClientTokenId"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_presigned_get(region):
    import urllib.request

    url = region.client("sts").generate_presigned_url("get_caller_identity", ExpiresIn=60, HttpMethod="GET")
    with urllib.request.urlopen(url) as answer:
        assert b"<Account>123456789012</Account>" in answer.read()


def test_model_constraints_use_the_services_own_error(region):
    ecr = region.client("ecr", config=botocore.config.Config(parameter_validation=False))
    with pytest.raises(ClientError) as refused:
        ecr.create_repository(repositoryName="Not A Name")
    assert refused.value.response["Error"]["Code"] == "InvalidParameterException"
    with pytest.raises(ClientError) as refused:
        ecr.create_repository(repositoryName="a" * 300)
    assert refused.value.response["Error"]["Code"] == "InvalidParameterException"
    logs = region.client("logs", config=botocore.config.Config(parameter_validation=False))
    with pytest.raises(ClientError) as refused:
        logs.create_log_group(logGroupName="a b")
    assert refused.value.response["Error"]["Code"] == "InvalidParameterException"
    assert "1 validation error detected" in refused.value.response["Error"]["Message"]


def test_not_http_at_all(region):
    with socket.create_connection(("127.0.0.1", region.port), timeout=20) as s:
        s.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 64 + b"\r\n\r\n")
        assert s.recv(64).startswith(b"HTTP/1.1 400") or s.recv(64) == b""
    assert region.client("sts").get_caller_identity()
