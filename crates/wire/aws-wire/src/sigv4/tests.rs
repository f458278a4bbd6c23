use super::*;
use http::Request;

const KEY: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

fn parts(request: http::request::Builder) -> Parts {
    request.body(()).expect("a request").into_parts().0
}

fn verified(
    parts: &Parts,
    body: &[u8],
    secret: &str,
    now: Timestamp,
    service: &str,
) -> Result<(), AuthError> {
    let query = Authorization::query_of(parts);
    let authorization = parse(parts, &query)?;
    let verifier = Verifier::default();
    Verifier::check_scope(&authorization, "us-east-1", service, now)?;
    verifier.verify(&authorization, parts, body, secret)
}

fn time(text: &str) -> Timestamp {
    Timestamp::parse_basic(text).expect("a time")
}

/// The signature of the AWS General Reference's example request (IAM ListUsers of 30 August 2015).
#[test]
fn the_reference_example() {
    let request = Request::get("https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08")
        .header("host", "iam.amazonaws.com")
        .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
        .header("x-amz-date", "20150830T123600Z")
        .header(
            "authorization",
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date, \
             Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
        );
    assert_eq!(verified(&parts(request), b"", SECRET, time("20150830T123700Z"), "iam"), Ok(()));
}

fn signed(body: &[u8], at: Timestamp, service: &str) -> Parts {
    let request = Request::post("http://localhost/a%20b?x=1&a=%2F")
        .header("host", "localhost:4566")
        .header("x-amz-target", "T.Op  spaced");
    let mut parts = parts(request);
    let signer = Signer {
        access_key_id: KEY.into(),
        secret_access_key: SECRET.into(),
        session_token: None,
        region: "us-east-1".into(),
    };
    sign(&mut parts, body, &signer, service, at).expect("signs");
    parts
}

#[test]
fn what_is_signed_is_verified_and_what_is_altered_is_not() {
    let now = time("20260102T030405Z");
    let good = signed(b"{}", now, "ecs");
    assert_eq!(verified(&good, b"{}", SECRET, now, "ecs"), Ok(()));
    assert_eq!(verified(&good, b"{ }", SECRET, now, "ecs"), Err(AuthError::Mismatch));
    assert_eq!(verified(&good, b"{}", "other", now, "ecs"), Err(AuthError::Mismatch));
    let mut altered = signed(b"{}", now, "ecs");
    altered.headers.insert("x-amz-target", http::HeaderValue::from_static("T.Other"));
    assert_eq!(verified(&altered, b"{}", SECRET, now, "ecs"), Err(AuthError::Mismatch));
    let mut moved = signed(b"{}", now, "ecs");
    moved.uri = "/other".parse().expect("a path");
    assert_eq!(verified(&moved, b"{}", SECRET, now, "ecs"), Err(AuthError::Mismatch));
}

#[test]
fn time_and_scope() {
    let now = time("20260102T120000Z");
    let at = |seconds: i64| signed(b"", Timestamp::from_seconds(now.as_seconds() + seconds), "ecs");
    let text = |parts: &Parts| verified(parts, b"", SECRET, now, "ecs").expect_err("refused").to_string();
    assert_eq!(verified(&at(-899), b"", SECRET, now, "ecs"), Ok(()));
    assert_eq!(verified(&at(899), b"", SECRET, now, "ecs"), Ok(()));
    assert!(text(&at(-901)).starts_with("Signature expired"));
    assert!(text(&at(901)).starts_with("Signature not yet current"));
    let other = verified(&at(0), b"", SECRET, now, "ecr").expect_err("refused").to_string();
    assert!(other.contains("correct service"), "{other}");
    let mut elsewhere = Verifier::check_scope(&parse(&at(0), &[]).expect("parses"), "eu-west-1", "ecs", now);
    assert!(matches!(&mut elsewhere, Err(AuthError::Invalid(text)) if text.contains("valid region")));
}

#[test]
fn what_cannot_be_read() {
    let with = |value: &str| {
        parts(
            Request::post("/")
                .header("host", "h")
                .header("x-amz-date", "20260102T120000Z")
                .header("authorization", value),
        )
    };
    assert_eq!(parse(&parts(Request::post("/")), &[]), Err(AuthError::Missing));
    for bad in [
        "AWS4-HMAC-SHA256 nonsense",
        "AWS4-HMAC-SHA256 Credential=a/b/c, SignedHeaders=host, Signature=0",
        "AWS4-HMAC-SHA256 Credential=a/20260102/r/s/aws4_request, SignedHeaders=x, Signature=0",
        "AWS4-HMAC-SHA256 Credential=a/20260102/r/s/other, SignedHeaders=host, Signature=0",
        "AWS4-ECDSA-P256-SHA256 Credential=a/20260102/s/aws4_request, SignedHeaders=host, Signature=0",
        "Basic abc",
    ] {
        assert!(matches!(parse(&with(bad), &[]), Err(AuthError::Incomplete(_))), "{bad}");
    }
}

#[test]
fn presigned_requests_expire() {
    let now = time("20260102T120000Z");
    let target = |signature: &str| {
        format!(
            "/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256&\
             X-Amz-Credential={KEY}%2F20260102%2Fus-east-1%2Fsts%2Faws4_request&X-Amz-Date=20260102T120000Z&\
             X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature={signature}"
        )
    };
    let build = |signature: &str| parts(Request::get(target(signature)).header("host", "localhost"));
    let unsigned = build("0");
    let query = Authorization::query_of(&unsigned);
    let authorization = parse(&unsigned, &query).expect("parses");
    let request = canonical_request(&authorization, &unsigned, &payload_hash(b"")).expect("canonical");
    let key = signing_key(SECRET, "20260102", "us-east-1", "sts");
    let signature = hex::encode(hmac(&key, string_to_sign(&authorization, &request).as_bytes()));
    let good = build(&signature);
    assert_eq!(verified(&good, b"", SECRET, now, "sts"), Ok(()));
    let late = Timestamp::from_seconds(now.as_seconds() + 61);
    assert_eq!(verified(&good, b"", SECRET, late, "sts"), Err(AuthError::Expired));
    assert_eq!(verified(&unsigned, b"", SECRET, now, "sts"), Err(AuthError::Mismatch));
}
