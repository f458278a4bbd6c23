//! Requests whose signature is missing, wrong, late, or for somebody else.

use crate::region::TestRegion;
use aws_wire::sigv4::Signer;
use environment::Timestamp;
use std::time::Duration;

const TARGET: (&str, &str) = ("x-amz-target", "Probe_20200101.Echo");

fn without(request: &str, header: &str) -> String {
    request.split_inclusive("\r\n").filter(|line| !line.starts_with(header)).collect()
}

#[tokio::test]
async fn unsigned() {
    let region = TestRegion::start().await;
    let json = without(&region.json("Echo", "{}"), "authorization");
    region.send(json).await.assert_json_error(400, "MissingAuthenticationTokenException");
    let query = without(&region.query("sts", "Action=GetCallerIdentity&Version=2011-06-15"), "authorization");
    region.send(query).await.assert_query_error(403, "MissingAuthenticationToken");
    let no_date = without(&region.json("Echo", "{}"), "x-amz-date");
    region.send(no_date).await.assert_json_error(400, "IncompleteSignatureException");
    region.stop().await;
}

#[tokio::test]
async fn keys_that_are_not_ours() {
    let region = TestRegion::start().await;
    let stranger = Signer { access_key_id: "AKIAUNKNOWNUNKNOWN00".into(), ..region.signer.clone() };
    let wrong = Signer { secret_access_key: "x".repeat(40), ..region.signer.clone() };
    let session = Signer { session_token: Some("token".into()), ..region.signer.clone() };
    let form = "Action=GetCallerIdentity&Version=2011-06-15";
    for (signer, json_code, query_code) in [
        (&stranger, "UnrecognizedClientException", "InvalidClientTokenId"),
        (&wrong, "InvalidSignatureException", "SignatureDoesNotMatch"),
        (&session, "UnrecognizedClientException", "InvalidClientTokenId"),
    ] {
        let json = region.signed(signer, "probe", region.now(), &[TARGET], "{}");
        region.send(json).await.assert_json_error(400, json_code);
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let query = region.signed(signer, "sts", region.now(), &headers, form);
        region.send(query).await.assert_query_error(403, query_code);
    }
    region.stop().await;
}

#[tokio::test]
async fn whatever_is_altered_is_refused() {
    let region = TestRegion::start().await;
    let good = region.json("Echo", r#"{"text":"a"}"#);
    assert_eq!(region.send(&good).await.status, 200);
    for (from, to) in [
        (r#""a""#, r#""b""#),
        ("Probe_20200101.Echo", "Probe_20200101.Fail"),
        ("POST / ", "POST /x "),
        ("POST / ", "POST /?a=b "),
        ("POST / ", "PUT / "),
        ("host: 127.0.0.1", "host: 127.0.0.2"),
    ] {
        let altered = good.replacen(from, to, 1);
        assert_ne!(altered, good);
        region.send(altered).await.assert_json_error(400, "InvalidSignatureException");
    }
    region.stop().await;
}

#[tokio::test]
async fn the_operation_must_be_signed() {
    let region = TestRegion::start().await;
    let request =
        region.call("probe", &[], "{}").replacen("\r\n", "\r\nx-amz-target: Probe_20200101.Echo\r\n", 1);
    region.send(request).await.assert_json_error(400, "IncompleteSignatureException");
    region.stop().await;
}

#[tokio::test]
async fn time_region_and_service() {
    let region = TestRegion::start().await;
    let hour = Duration::from_secs(3600);
    let elsewhere = Signer { region: "us-west-2".into(), ..region.signer.clone() };
    let at = |time: Timestamp| region.signed(&region.signer, "probe", time, &[TARGET], "{}");
    let cases = [
        (at(region.now() - hour), "Signature expired: "),
        (at(region.now() + hour), "Signature not yet current: "),
        (region.signed(&elsewhere, "probe", region.now(), &[TARGET], "{}"), "scoped to a valid region"),
        (region.call("ecs", &[TARGET], "{}"), "scoped to correct service"),
    ];
    for (request, text) in cases {
        let reply = region.send(request).await;
        reply.assert_json_error(400, "InvalidSignatureException");
        assert!(reply.body.contains(text), "{reply:?}");
    }
    let minutes = Duration::from_secs(14 * 60);
    for time in [region.now() - minutes, region.now() + minutes] {
        assert_eq!(region.send(at(time)).await.status, 200);
    }
    region.stop().await;
}

#[tokio::test]
async fn authorization_that_cannot_be_read() {
    let region = TestRegion::start().await;
    let good = region.json("Echo", "{}");
    let unsigned = without(&good, "authorization");
    for value in [
        "AWS4-HMAC-SHA256 nonsense",
        "AWS4-HMAC-SHA256",
        "Basic dXNlcjpwYXNz",
        "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=0",
        "AWS4-ECDSA-P256-SHA256 Credential=a/20200101/probe/aws4_request, SignedHeaders=host, Signature=0",
    ] {
        let request = unsigned.replacen("\r\n", &format!("\r\nauthorization: {value}\r\n"), 1);
        region.send(request).await.assert_json_error(400, "IncompleteSignatureException");
    }
    region.stop().await;
}

#[tokio::test]
async fn a_payload_hash_must_be_true_and_bodies_signed() {
    let region = TestRegion::start().await;
    let hash = aws_wire::sigv4::payload_hash(b"{}");
    let good = region.call("probe", &[TARGET, ("x-amz-content-sha256", &hash)], "{}");
    assert_eq!(region.send(good).await.status, 200);
    for hash in ["UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "0"] {
        let request = region.call("probe", &[TARGET, ("x-amz-content-sha256", hash)], "{}");
        region.send(request).await.assert_json_error(400, "InvalidSignatureException");
    }
    region.stop().await;
}
