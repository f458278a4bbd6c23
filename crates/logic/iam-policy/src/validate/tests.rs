//! Documents and what AWS answers to them. The tests of moto, which records AWS's answers, were the reference.

use crate::{MalformedPolicy, Policy, PolicyKind};
use proptest::prelude::*;

const BUCKET: &str = r#""Resource": "arn:aws:s3:::bucket""#;

fn answer(text: &str, kind: PolicyKind) -> String {
    Policy::parse(text, kind).map_or_else(|fault| fault.to_string(), |_| "ok".to_owned())
}

/// A document of the current version with this statement or list of statements.
fn document(statement: &str) -> String {
    format!(r#"{{"Version": "2012-10-17", "Statement": {statement}}}"#)
}

/// The answer to a policy with one statement, of these elements behind an `Allow`.
fn identity(elements: &str) -> String {
    answer(&document(&format!(r#"{{"Effect": "Allow", {elements}}}"#)), PolicyKind::Identity)
}

const SYNTAX: &str = "Syntax errors in policy.";
const VERSION: &str = "Policy document must be version 2012-10-17 or greater.";
const LEGACY: &str = "The policy failed legacy parsing";
const ACTIONS: &str = "Policy statement must contain actions.";
const RESOURCES: &str = "Policy statement must contain resources.";
const VENDOR: &str = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.";
const COLONS: &str = "Actions/Condition can contain only one colon.";
const SIDS: &str = "Statement IDs (SID) in a single policy must be unique.";

#[test]
fn documents_as_a_whole() {
    let statement = format!(r#"{{"Effect": "Allow", "Action": "s3:ListBucket", {BUCKET}}}"#);
    for (text, expected) in [
        ("not JSON".to_owned(), SYNTAX),
        ("[]".to_owned(), SYNTAX),
        (format!(r#"{{"Statement": {statement}}}"#), VERSION),
        (format!(r#"{{"Version": "2008-10-17", "Statement": {statement}}}"#), VERSION),
        (format!(r#"{{"Version": "2013-10-17", "Statement": {statement}}}"#), SYNTAX),
        (r#"{"Version": "2012-10-17"}"#.to_owned(), SYNTAX),
        (document("[]"), SYNTAX),
        (document(r#"["text"]"#), SYNTAX),
        (document(&statement), "ok"),
        (document(&format!("[{statement}]")), "ok"),
        (format!(r#"{{"Version": "2012-10-17", "Id": "x", "Statement": {statement}}}"#), "ok"),
        (format!(r#"{{"Version": "2012-10-17", "Id": ["x"], "Statement": {statement}}}"#), SYNTAX),
        (format!(r#"{{"Version": "2012-10-17", "Id": {{}}, "Statement": {statement}}}"#), SYNTAX),
        (format!(r#"{{"Version": "2012-10-17", "Extra": "x", "Statement": {statement}}}"#), SYNTAX),
        (
            format!(r#"{{"Version": "2012-10-17", "Version": "2012-10-17", "Statement": {statement}}}"#),
            SYNTAX,
        ),
    ] {
        assert_eq!(answer(&text, PolicyKind::Managed), expected, "{text}");
    }
}

#[test]
fn effects_and_ids() {
    let with = |effect: &str| document(&format!(r#"{{"Effect": {effect}, "Action": "s3:Get", {BUCKET}}}"#));
    assert_eq!(answer(&with(r#""invalid""#), PolicyKind::Identity), SYNTAX);
    assert_eq!(answer(&with("[]"), PolicyKind::Identity), SYNTAX);
    assert_eq!(answer(&with(r#""denY""#), PolicyKind::Identity), LEGACY);
    assert_eq!(
        answer(&document(&format!(r#"{{"Action": "s3:Get", {BUCKET}}}"#)), PolicyKind::Identity),
        SYNTAX
    );
    // The version comes before the effect, the effect before resources and ids.
    let old = r#"{"Statement": {"Effect": "denY", "Action": "s3:Get", "Resource": "*"}}"#;
    assert_eq!(answer(old, PolicyKind::Managed), VERSION);
    let twice = r#"[{"Sid": "a", "Effect": "EFFECT", "Action": "s3:Get", "Resource": "*"}, {"Sid": "a", "Effect": "Allow"}]"#;
    assert_eq!(answer(&document(&twice.replace("EFFECT", "aLLow")), PolicyKind::Identity), LEGACY);
    assert_eq!(answer(&document(&twice.replace("EFFECT", "Allow")), PolicyKind::Identity), SIDS);
    let of_a_repository =
        twice.replace("EFFECT", "Allow").replace(r#""Allow"}"#, r#""Allow", "Action": "s3:Get"}"#);
    let of_a_repository = of_a_repository.replace(r#""Action""#, r#""Principal": "*", "Action""#);
    assert_eq!(answer(&document(&of_a_repository), PolicyKind::Resource), "ok");
    let empty = r#"{"Sid": "", "Effect": "Allow", "Action": "s3:Get", "Resource": "*"}"#;
    assert_eq!(answer(&document(&format!("[{empty}, {empty}]")), PolicyKind::Identity), "ok");
    for sid in ["{}", "[]", "1"] {
        assert_eq!(identity(&format!(r#""Sid": {sid}, "Action": "s3:Get", {BUCKET}"#)), SYNTAX, "{sid}");
    }
}

#[test]
fn actions() {
    for (elements, expected) in [
        (r#""Action": "*""#, "ok"),
        (r#""Action": "*:*""#, "ok"),
        (r#""Action": "iam: any text "#.trim(), SYNTAX),
        (r#""Action": "iam: any text ""#, "ok"),
        (r#""Action": "no-such-service:X""#, "ok"),
        (r#""Action": "s3.s:X""#, "ok"),
        (r#""NotAction": "s3:X""#, "ok"),
        (r#""Action": "invalid""#, VENDOR),
        (r#""NotAction": """#, VENDOR),
        (r#""Action": "a a:ListBucket""#, "Vendor a a is not valid"),
        (r#""Action": "s3:List:Bucket""#, COLONS),
        (r#""Action": ["s3s:ListBucket", "s:3s:ListBucket"]"#, COLONS),
        (r#""Action": []"#, ACTIONS),
        (r#""Action": [[]]"#, SYNTAX),
        (r#""Action": {}"#, SYNTAX),
        (r#""Action": null"#, SYNTAX),
        (r#""Action": [null]"#, SYNTAX),
        (r#""NotAction": "s3:X", "Action": []"#, SYNTAX),
        (r#""NotAction": "s3:X", "Action": "iam:x""#, SYNTAX),
    ] {
        assert_eq!(identity(&format!("{elements}, {BUCKET}")), expected, "{elements}");
    }
    assert_eq!(identity(BUCKET), ACTIONS);
    assert_eq!(identity(r#""Sid": "x""#), ACTIONS);
    let second = format!(r#"[{{"Effect": "Deny"}}, {{"Effect": "Allow", "Action": "s3:X", {BUCKET}}}]"#);
    assert_eq!(answer(&document(&second), PolicyKind::Identity), ACTIONS);
}

#[test]
fn resources() {
    let region = "arn:aws:s3:us-east-1::bucket";
    let in_arn_format = |resource: &str| format!("Resource {resource} must be in ARN format or \"*\".");
    let partition =
        |name: &str, arn: &str| format!("Partition \"{name}\" is not valid for resource \"{arn}\".");
    let iam_path = "IAM resource path must either be \"*\" or start with user/, federated-user/, role/, group/, \
                    instance-profile/, mfa/, server-certificate/, policy/, sms-mfa/, saml-provider/, oidc-provider/, \
                    report/, access-report/.";
    let fully = "Resource vendor must be fully qualified and cannot contain regexes.";
    for (resource, expected) in [
        ("*", "ok".to_owned()),
        ("arn:aws:fdsasf", "ok".to_owned()),
        ("arn:aws:s33:::bucket", "ok".to_owned()),
        ("arn:aws:cloudwatch:us-east-1::x", "ok".to_owned()),
        ("arn:aws:iam:::user/x", "ok".to_owned()),
        ("arn:aws:iam::*:user/${aws:username}", "ok".to_owned()),
        ("arn:aws:iam::123456789012:*", "ok".to_owned()),
        ("arn:aws:s3:us-west-2:123456789012:accesspoint/x", "ok".to_owned()),
        ("arn:*:s3:::bucket", "ok".to_owned()),
        ("arn:aws-cn:s3:::bucket", "ok".to_owned()),
        ("", in_arn_format("")),
        ("bucket", in_arn_format("bucket")),
        ("invalid resource", in_arn_format("invalid resource")),
        ("a:bsdf", partition("bsdf", "arn:bsdf:*:*:*:*")),
        ("a:b:cad", partition("b", "arn:b:cad:*:*:*")),
        ("a:b:c:d:e:f:g:h", partition("b", "arn:b:c:d:e:f:g:h")),
        ("aws:s3:::bucket", partition("s3", "arn:s3:::bucket:*")),
        ("arn:error:s3:::bucket", partition("error", "arn:error:s3:::bucket")),
        ("arn:aws", fully.to_owned()),
        ("arn:aws:s*:::bucket", fully.to_owned()),
        ("arn:aws:iam:::bucket", iam_path.to_owned()),
        (
            "arn:aws:iam:us-east-1::x",
            "IAM resource arn:aws:iam:us-east-1::x cannot contain region information.".to_owned(),
        ),
        (region, format!("Resource {region} can not contain region information.")),
        ("arn:aws:s3::bucket", LEGACY.to_owned()),
        ("arn:aws::x", LEGACY.to_owned()),
        ("arn:aws::::x", LEGACY.to_owned()),
    ] {
        for element in ["Resource", "NotResource"] {
            let elements = format!(r#""Action": "s3:X", "{element}": "{resource}""#);
            assert_eq!(identity(&elements), expected, "{elements}");
        }
    }
}

#[test]
fn lists_of_resources_and_their_absence() {
    for (elements, expected) in [
        (r#""Action": "s3:X""#, RESOURCES),
        (r#""Action": "s3:X", "Resource": []"#, RESOURCES),
        (r#""Action": "s3:X", "Resource": ["arn:aws:s3:::b", "*", null]"#, "ok"),
        (r#""Action": "s3:X", "Resource": {"a": "b"}"#, SYNTAX),
        (r#""Action": "s3:X", "Resource": ["a", {}]"#, SYNTAX),
        (r#""Action": "s3:X", "Resource": "*", "NotResource": "*""#, SYNTAX),
        (r#""NotAction": "s3:X", "Resource": "*", "NotResource": []"#, SYNTAX),
        // A missing resource is found last, a resource that is no ARN before actions are looked at.
        (r#""Action": "invalid""#, VENDOR),
        (r#""Action": "s:3:X", "Resource": "sdf""#, "Resource sdf must be in ARN format or \"*\"."),
        (r#""Resource": "arn:aws:s3::bucket""#, LEGACY),
        (r#""Resource": "sdf""#, ACTIONS),
    ] {
        assert_eq!(identity(elements), expected, "{elements}");
    }
}

#[test]
fn conditions() {
    for (condition, expected) in [
        ("{}", "ok"),
        (r#"{"a": {}}"#, "ok"),
        (r#"{"x": {}, "y": {}}"#, "ok"),
        (r#"{"DateGreaterThan": {}}"#, "ok"),
        (r#"{"DateGreaterThan": {"a": []}}"#, "ok"),
        (r#"{"DateGreaterThan": {"a": "01T"}}"#, "ok"),
        (r#"{"StringEqualsIfExists": {"a": "b"}}"#, "ok"),
        (r#"{"ForAnyValue:StringEqualsIfExists": {"a": "b"}}"#, "ok"),
        (r#"{"Bool": {"a": true}, "NumericEquals": {"b": 10, "c": [1.5]}}"#, "ok"),
        (r#"{"Null": {"a": false, "b": "true"}}"#, "ok"),
        ("[]", SYNTAX),
        (r#""a""#, SYNTAX),
        (r#"{"a": "b"}"#, SYNTAX),
        (r#"{"DateGreaterThan": "b"}"#, SYNTAX),
        (r#"{"DateGreaterThan": []}"#, SYNTAX),
        (r#"{"DateGreaterThan": {"a": {}}}"#, SYNTAX),
        (r#"{"StringEquals": {"a": null}}"#, SYNTAX),
        (r#"{"x": {"a": "1"}}"#, SYNTAX),
        (r#"{"ForAnyValue::StringEqualsIfExists": {"a": "b"}}"#, SYNTAX),
        (r#"[{"ForAllValues:StringEquals": {"aws:TagKeys": "b"}}]"#, SYNTAX),
        (r#"{"DateGreaterThan": {"a": "sdf"}}"#, LEGACY),
        (r#"{"DateLessThanEquals": {"a": "234-13"}}"#, LEGACY),
        (r#"{"ForAllValues:DateLessThanIfExists": {"a": ["2017", "9223372036854775808"]}}"#, LEGACY),
    ] {
        let elements = format!(r#""Action": "s3:X", {BUCKET}, "Condition": {condition}"#);
        assert_eq!(identity(&elements), expected, "{condition}");
    }
    // Dates are looked at even where actions are missing or the partition is wrong.
    let date = r#""Condition": {"DateGreaterThan": {"a": "sdf"}}"#;
    assert_eq!(identity(date), LEGACY);
    assert_eq!(identity(&format!(r#""Action": "s3:X", "Resource": "arn:error:s3:::b", {date}"#)), LEGACY);
    let old = format!(r#"{{"Statement": {{"Effect": "Allow", "Action": "s3:X", "Resource": "*", {date}}}}}"#);
    assert_eq!(answer(&old, PolicyKind::Managed), VERSION);
    assert_eq!(answer(&old, PolicyKind::Identity), LEGACY, "only a managed policy must say its version");
}

#[test]
fn principals_by_kind_of_policy() {
    let role = "arn:aws:iam::123456789012:role/x";
    assert_eq!(
        identity(&format!(r#""Action": "s3:X", "Principal": {{"AWS": "{role}"}}, {BUCKET}"#)),
        "Policy document should not specify a principal."
    );
    let trust = |elements: &str| {
        answer(
            &document(&format!(r#"{{"Effect": "Allow", "Action": "sts:AssumeRole", {elements}}}"#)),
            PolicyKind::Trust,
        )
    };
    let invalid = |kind: &str, value: &str| format!("Invalid principal in policy: \"{kind}\":\"{value}\"");
    let federated = "Federated principals must be valid domain names or SAML metadata ARNs".to_owned();
    for (principal, expected) in [
        (r#""*""#, "ok".to_owned()),
        (r#"{"AWS": "*"}"#, "ok".to_owned()),
        (r#"{"AWS": ["123456789012", "arn:aws:iam::123456789012:root"]}"#, "ok".to_owned()),
        (r#"{"AWS": "arn:aws:iam::123456789012:role/path/x"}"#, "ok".to_owned()),
        (r#"{"AWS": "arn:aws:iam::123456789012:user/x"}"#, "ok".to_owned()),
        (r#"{"AWS": "arn:aws:sts::123456789012:assumed-role/x/y"}"#, "ok".to_owned()),
        (r#"{"AWS": "AROAABCDEFGHIJKLMNOP"}"#, "ok".to_owned()),
        (r#"{"Service": ["ecs-tasks.amazonaws.com", "ecs.amazonaws.com"], "AWS": "*"}"#, "ok".to_owned()),
        (r#"{"Federated": "accounts.google.com"}"#, "ok".to_owned()),
        (
            r#"{"Federated": "arn:aws:iam::123456789012:oidc-provider/oidc.example.com/id/A"}"#,
            "ok".to_owned(),
        ),
        (
            r#"{"AWS": "arn:aws:iam::123456789012:role/*"}"#,
            invalid("AWS", "arn:aws:iam::123456789012:role/*"),
        ),
        (
            r#"{"AWS": "arn:aws:iam::123456789012:group/x"}"#,
            invalid("AWS", "arn:aws:iam::123456789012:group/x"),
        ),
        (r#"{"AWS": "1234"}"#, invalid("AWS", "1234")),
        (
            r#"{"AWS": "arn:aws:sts::123456789012:assumed-role/x/*"}"#,
            invalid("AWS", "arn:aws:sts::123456789012:assumed-role/x/*"),
        ),
        (r#"{"Service": "*"}"#, invalid("SERVICE", "*")),
        (r#"{"Federated": "*"}"#, federated),
        (r#"{"AWS": []}"#, MalformedPolicy::NoPrincipals.to_string()),
        ("{}", MalformedPolicy::NoPrincipals.to_string()),
        (r#""arn:aws:iam::123456789012:root""#, SYNTAX.to_owned()),
        (r#"{"Other": "x"}"#, SYNTAX.to_owned()),
        ("[]", SYNTAX.to_owned()),
    ] {
        assert_eq!(trust(&format!(r#""Principal": {principal}"#)), expected, "{principal}");
    }
    assert_eq!(trust(r#""Sid": "x""#), "Missing required field Principal");
    assert_eq!(trust(r#""Principal": "*", "Resource": "arn:aws:s3:::b""#), "Has prohibited field Resource.");
    assert_eq!(trust(r#""NotPrincipal": {"AWS": "123456789012"}"#), "Has prohibited field NotPrincipal.");
}

#[test]
fn trust_and_resource_policies() {
    let old = r#"{"Version": "2008-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": ACTION}]}"#;
    let bad = "Trust Policy statement actions can only be sts:AssumeRole, sts:AssumeRoleWithSAML,  and \
               sts:AssumeRoleWithWebIdentity";
    for (action, trust, resource) in [
        (r#""sts:AssumeRole""#, "ok", "ok"),
        (r#"["sts:assumerole", "sts:TagSession", "sts:AssumeRole*", "sts:*"]"#, "ok", "ok"),
        (r#"["sts:AssumeRole", "sts:BadAssumeRole"]"#, bad, "ok"),
        (r#""*""#, bad, "ok"),
        ("[]", "Missing required field Action", "Missing required field Action"),
    ] {
        let text = old.replace("ACTION", action);
        assert_eq!(answer(&text, PolicyKind::Trust), trust, "{action}");
        assert_eq!(answer(&text, PolicyKind::Resource), resource, "{action}");
    }
    let condition = r#"{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "s3:X", "Condition": {"StringEqual": {"a": "b"}}}}"#;
    assert_eq!(answer(condition, PolicyKind::Resource), "Invalid Condition type : StringEqual.");
    assert_eq!(answer(condition, PolicyKind::Trust), SYNTAX);
}

#[test]
fn documents_are_bounded() {
    let statement = r#"{"Effect": "Allow", "Action": "s3:X", "Resource": "*"}"#;
    let many = document(&format!("[{}]", vec![statement; 2_001].join(",")));
    assert_eq!(answer(&many, PolicyKind::Identity), MalformedPolicy::TooManyStatements.to_string());
    let long = document(&format!(
        r#"{{"Effect": "Allow", "Action": "s3:{}", "Resource": "*"}}"#,
        "X".repeat(131_072)
    ));
    assert_eq!(answer(&long, PolicyKind::Identity), MalformedPolicy::TooLong.to_string());
    let deep = document(&format!("{}{}", "[".repeat(50_000), "]".repeat(50_000)));
    assert_eq!(answer(&deep, PolicyKind::Identity), SYNTAX);
    let hundred_kib = document(&format!(
        r#"{{"Effect": "Allow", "Action": "s3:X", "Resource": ["{}"]}}"#,
        vec!["arn:aws:s3:::bucket/x"; 4_000].join("\", \"")
    ));
    assert!(hundred_kib.len() > 100_000);
    assert_eq!(answer(&hundred_kib, PolicyKind::Identity), "ok");
}

proptest! {
    #[test]
    fn parsing_never_panics(text in ".{0,200}") {
        for kind in [PolicyKind::Identity, PolicyKind::Resource, PolicyKind::Trust] {
            let _ = Policy::parse(&text, kind);
        }
    }

    #[test]
    fn parsing_never_panics_on_what_looks_like_a_policy(
        element in "Principal|NotPrincipal|Action|NotAction|Resource|NotResource|Condition|Sid|Effect",
        value in r#"("[-a-z*?:${}',/]{0,20}"|\{"(AWS|Service|Bool|DateEquals|IpAddress|ArnLike)": ("[-a-z0-9:*T]{0,12}"|\{"a": "[-0-9T:z./]{0,12}"\})\}|\[("arn:aws:[a-z0-9:*]{0,9}",){0,2}null\])"#,
    ) {
        let text = document(&format!(r#"{{"Effect": "Allow", "Action": "s3:X", "{element}": {value}}}"#));
        for kind in [PolicyKind::Identity, PolicyKind::Resource, PolicyKind::Trust] {
            let _ = Policy::parse(&text, kind);
        }
        let text = document(&format!(r#"{{"Effect": "Deny", "{element}": {value}}}"#));
        for kind in [PolicyKind::Identity, PolicyKind::Resource, PolicyKind::Trust] {
            let _ = Policy::parse(&text, kind);
        }
    }
}
