//! Calls that are signed rightly: their answers, and what is wrong with them otherwise.

use crate::region::TestRegion;

#[tokio::test]
async fn json_and_query_reach_the_same_service() {
    let region = TestRegion::start().await;
    let json = region.send(region.json("Echo", r#"{"text":"a\"b","unknown":{"x":[1]}}"#)).await;
    json.assert_ids();
    assert_eq!((json.status, json.body.as_str()), (200, r#"{"text":"a\"b"}"#));
    assert_eq!(json.header("content-type"), Some("application/x-amz-json-1.1"));
    let empty = region.send(region.json("Echo", "")).await;
    assert_eq!((empty.status, empty.body.as_str()), (200, "{}"));
    let query = region.send(region.query("probe", "Action=Echo&Version=2020-01-01&text=a%3Cb")).await;
    query.assert_ids();
    assert_eq!(query.status, 200);
    let id = query.header("x-amzn-requestid").expect("an id");
    assert_eq!(
        query.body,
        format!(
            "<EchoResponse xmlns=\"https://probe/\"><EchoResult><text>a&lt;b</text></EchoResult>\
             <ResponseMetadata><RequestId>{id}</RequestId></ResponseMetadata></EchoResponse>"
        )
    );
    region.stop().await;
}

#[tokio::test]
async fn who_am_i() {
    let region = TestRegion::start().await;
    let reply = region.send(region.query("sts", "Action=GetCallerIdentity&Version=2011-06-15")).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    for part in [
        "<GetCallerIdentityResult><Account>123456789012</Account>",
        "<Arn>arn:aws:iam::123456789012:root</Arn>",
        "<UserId>123456789012</UserId>",
    ] {
        assert!(reply.body.contains(part), "{reply:?}");
    }
    region.stop().await;
}

#[tokio::test]
async fn malformed_input() {
    let region = TestRegion::start().await;
    let deep = format!("{}1{}", r#"{"a":"#.repeat(5000), "}".repeat(5000));
    for body in [
        "{",
        "[]",
        "5",
        "\"x\"",
        r#"{"text":5}"#,
        r#"{"count":"many"}"#,
        r#"{"count":{"a":1}}"#,
        deep.as_str(),
    ] {
        region.send(region.json("Echo", body)).await.assert_json_error(400, "SerializationException");
    }
    for form in ["text.a=1", "count=many", "text=%ff"] {
        let form = format!("Action=Echo&Version=2020-01-01&{form}");
        let reply = region.send(region.query("probe", &form)).await;
        if form.contains("text.a") {
            // A member below a text is one that the model does not know.
            assert_eq!(reply.status, 200, "{reply:?}");
        } else {
            reply.assert_query_error(400, "MalformedInput");
        }
    }
    region.stop().await;
}

#[tokio::test]
async fn broken_constraints_are_the_services_own_error() {
    let region = TestRegion::start().await;
    let reply = region.send(region.json("Echo", r#"{"text":"abcd"}"#)).await;
    reply.assert_json_error(400, "ProbeInvalid");
    assert!(
        reply.body.contains(
            "1 validation error detected: Value 'abcd' at 'text' failed to satisfy constraint: Member must have \
             length less than or equal to 3"
        ),
        "{reply:?}"
    );
    assert!(reply.body.contains("\"Message\":"), "the shape's own key: {reply:?}");
    let reply = region.send(region.query("probe", "Action=Echo&Version=2020-01-01&text=abcd")).await;
    reply.assert_query_error(400, "ProbeInvalid");
    region.stop().await;
}

#[tokio::test]
async fn failures_and_panics_are_internal_errors_in_the_callers_protocol() {
    let region = TestRegion::start().await;
    region.send(region.json("Fail", "{}")).await.assert_json_error(503, "ProbeFailed");
    region.send(region.json("Panic", "{}")).await.assert_json_error(500, "InternalFailure");
    let reply = region.send(region.query("probe", "Action=Panic&Version=2020-01-01")).await;
    reply.assert_query_error(500, "InternalFailure");
    assert!(reply.body.contains("<Type>Receiver</Type>"), "{reply:?}");
    assert_eq!(region.send(region.json("Echo", "{}")).await.status, 200, "it goes on");
    region.stop().await;
}

#[tokio::test]
async fn nowhere_to_go() {
    let region = TestRegion::start().await;
    for target in ["Probe_20200101.Nothing", "Probe_20200101.Later", "Probe_20200101", "Nothing_2020.Do", "."]
    {
        let reply = region.send(region.call("probe", &[("x-amz-target", target)], "{}")).await;
        reply.assert_json_error(400, "UnknownOperationException");
    }
    // STS speaks the query protocol only.
    let sts = region.call("sts", &[("x-amz-target", ".GetCallerIdentity")], "{}");
    region.send(sts).await.assert_json_error(400, "UnknownOperationException");
    let other = region.call("probe", &[("smithy-protocol", "rpc-v2-json")], "");
    region.send(other).await.assert_json_error(400, "UnknownOperationException");
    let cbor = region.send(region.call("probe", &[("smithy-protocol", "rpc-v2-cbor")], "")).await;
    assert_eq!((cbor.status, cbor.header("smithy-protocol")), (400, Some("rpc-v2-cbor")));
    assert!(cbor.body.contains("UnknownOperationException"), "{cbor:?}");
    for form in [
        "Action=Nothing&Version=2011-06-15",
        "Action=AssumeRoleWithSAML&Version=2011-06-15",
        "Action=GetCallerIdentity&Version=1999-01-01",
        "Action=GetCallerIdentity",
        "Version=2011-06-15",
        "",
    ] {
        region.send(region.query("sts", form)).await.assert_query_error(400, "InvalidAction");
    }
    for method in ["GET", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        let reply = region.send(format!("{method} /somewhere HTTP/1.1\r\nhost: x\r\n\r\n")).await;
        reply.assert_json_error(400, "UnknownOperationException");
    }
    region.stop().await;
}

#[tokio::test]
async fn health_needs_no_signature() {
    let region = TestRegion::start().await;
    let reply = region.send("GET /_longshore/health HTTP/1.1\r\nhost: x\r\n\r\n").await;
    reply.assert_ids();
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")));
    assert!(reply.body.contains("\"region\":\"eu-central-1\""), "{reply:?}");
    region.stop().await;
}
