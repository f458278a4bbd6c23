//! The signature against known ones, and everything that must not pass.

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
    let signature = hexadecimal(&hmac(&key, string_to_sign(&authorization, &request).as_bytes()));
    let good = build(&signature);
    assert_eq!(verified(&good, b"", SECRET, now, "sts"), Ok(()));
    let late = Timestamp::from_seconds(now.as_seconds() + 61);
    assert_eq!(verified(&good, b"", SECRET, late, "sts"), Err(AuthError::Expired));
    assert_eq!(verified(&unsigned, b"", SECRET, now, "sts"), Err(AuthError::Mismatch));
}

/// Signatures that botocore 1.43 makes with the same key at the same second.
#[test]
fn as_botocore_signs() {
    /// Method, target, headers, body, signature.
    type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a str, &'a str);
    let json = [("x-amz-target", "T.Op"), ("content-type", "application/x-amz-json-1.1")];
    let spaced = [("x-spaced", "  a   b  c "), ("zebra", "z"), ("x-amz-meta", "m")];
    let cases: [Case<'_>; 8] = [
        ("GET", "/", &[], "", "c027d33560e11f7aa7020c393b307fda420be72894e9ab89028c97420f96fc5a"),
        (
            "GET",
            "/?b=2&a=1&a=0&B=3",
            &[],
            "",
            "f659857633d2532f3f6001b4bd92f189d6938d42bf798f36e9c4450b9018b0d5",
        ),
        (
            "GET",
            "/?k=%2F%20~-_.%E1%88%B4&empty=&a%2Bb=c%3Dd",
            &[],
            "",
            "cf1704f005ded0bc9f6203b4d2484ca8a88ec1f7f401daa964413017fc7f45c2",
        ),
        (
            "GET",
            "/a/./b/../c//d/",
            &[],
            "",
            "58b2b692f44372759e86ef1d43a9252e9f6e64d938b50ac71319e8b0d804c4e6",
        ),
        (
            "GET",
            "/tags/arn%3Aaws%3Aeks%3Aus-east-1%3A123456789012%3Acluster%2Fx",
            &[],
            "",
            "31fe40eb023b853f84352db81d5292a5a89eccb04de0533e3d3414b42329548e",
        ),
        ("GET", "/%E1%88%B4", &[], "", "5775962ca41dd90d4c74ddcbae08f31da1a862cb3ee4508d078f6aa89b9973d5"),
        (
            "POST",
            "/",
            &json,
            "{\"a\":\"€\"}",
            "982fc50afc630201aadb1944a5c61b152ee9edb237e890a3878db3e1921c8b41",
        ),
        ("POST", "/", &spaced, "x", "326f7d473b5922bcc5d3db91da7eae399e5ee9cefd0865d4f63394deae93471f"),
    ];
    let now = time("20260102T030405Z");
    let signer = Signer {
        access_key_id: KEY.into(),
        secret_access_key: SECRET.into(),
        session_token: None,
        region: "us-east-1".into(),
    };
    for (method, target, headers, body, signature) in cases {
        let mut request =
            Request::builder().method(method).uri(target).header("host", "example.amazonaws.com");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut parts = parts(request);
        sign(&mut parts, body.as_bytes(), &signer, "service", now).expect("signs");
        let made = parts.headers["authorization"].to_str().expect("text");
        assert!(made.ends_with(&format!("Signature={signature}")), "{target}: {made}");
        assert_eq!(verified(&parts, body.as_bytes(), SECRET, now, "service"), Ok(()), "{target}");
    }
    let presigned = "/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256&\
        X-Amz-Credential=AKIDEXAMPLE%2F20260102%2Fus-east-1%2Fsts%2Faws4_request&X-Amz-Date=20260102T030405Z&\
        X-Amz-Expires=60&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id&\
        X-Amz-Signature=36f659196aa1cb1129e3cdc33376d379f636e1297d497b34ad4b4ac8454b22c7";
    let get = |cluster| {
        parts(Request::get(presigned).header("host", "localhost:4566").header("x-k8s-aws-id", cluster))
    };
    assert_eq!(verified(&get("my cluster"), b"", SECRET, now, "sts"), Ok(()));
    assert_eq!(verified(&get("another"), b"", SECRET, now, "sts"), Err(AuthError::Mismatch));
}

#[test]
fn a_key_that_is_made_anew_is_another() {
    let now = time("20260102T030405Z");
    let request = signed(b"{}", now, "ecs");
    let query = Vec::new();
    let authorization = parse(&request, &query).expect("parses");
    let verifier = Verifier::default();
    assert_eq!(verifier.verify(&authorization, &request, b"{}", SECRET), Ok(()));
    assert_eq!(verifier.verify(&authorization, &request, b"{}", "another"), Err(AuthError::Mismatch));
    assert_eq!(verifier.verify(&authorization, &request, b"{}", SECRET), Ok(()));
}

proptest::proptest! {
    #[test]
    fn any_request_that_is_signed_is_verified(
        path in "(/[a-zA-Z0-9._~%2 -]{0,5}){1,4}",
        query in "([a-cA-C+*~.]{1,3}(=[a-c%2F+=-]{0,4})?&?){0,4}",
        value in "[ -~]{0,12}",
        body in "\\PC{0,20}",
    ) {
        let target = format!("{}?{query}", path.replace(' ', "%20").replace('%', "%25"));
        let request = Request::post(target).header("host", "h").header("x-any", value);
        let mut parts = parts(request);
        let signer = Signer {
            access_key_id: KEY.into(),
            secret_access_key: SECRET.into(),
            session_token: None,
            region: "us-east-1".into(),
        };
        let now = time("20260102T030405Z");
        sign(&mut parts, body.as_bytes(), &signer, "ecs", now).expect("signs");
        proptest::prop_assert_eq!(verified(&parts, body.as_bytes(), SECRET, now, "ecs"), Ok(()));
        let longer = format!("{body}.");
        proptest::prop_assert_eq!(
            verified(&parts, longer.as_bytes(), SECRET, now, "ecs"),
            Err(AuthError::Mismatch)
        );
    }

    #[test]
    fn no_authorization_is_a_panic(header in "(AWS4-HMAC-SHA256 )?[ -~]{0,80}", query in "[!-~&&[^#]]{0,80}") {
        let build = Request::get(format!("/?X-Amz-Signature=0&{query}")).header("x-amz-date", "20260102T030405Z");
        for request in [build.body(()), Request::get("/").header("authorization", header).body(())] {
            let Ok(request) = request else { continue };
            let parts = request.into_parts().0;
            let _ = verified(&parts, b"", SECRET, time("20260102T030405Z"), "ecs");
        }
    }
}
