//! Documents that are taken and refused.

use lifecycle_policy::{Action, Count, LifecyclePolicy, TagSelection};
use std::time::Duration;

fn rule(selection: &str, action: &str) -> String {
    format!(
        r#"{{"rules":[{{"rulePriority":1,"description":"d","selection":{selection},"action":{action}}}]}}"#
    )
}

fn refusal(text: &str) -> String {
    LifecyclePolicy::parse(text).expect_err("refused").to_string()
}

const EXPIRE: &str = r#"{"type":"expire"}"#;
const ARCHIVE: &str = r#"{"type":"transition","targetStorageClass":"archive"}"#;

#[test]
fn every_form_is_read() {
    let days = |days: u64| Duration::from_secs(days * 24 * 3600);
    for (selection, action, tags, count, expected) in [
        (
            r#"{"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":14}"#,
            EXPIRE,
            TagSelection::Untagged,
            Count::SincePushed(days(14)),
            Action::Expire,
        ),
        (
            r#"{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":5}"#,
            EXPIRE,
            TagSelection::Any,
            Count::MoreThan(5),
            Action::Expire,
        ),
        (
            r#"{"tagStatus":"tagged","tagPrefixList":["a","b"],"countType":"imageCountMoreThan","countNumber":1}"#,
            ARCHIVE,
            TagSelection::Prefixes(vec!["a".into(), "b".into()]),
            Count::MoreThan(1),
            Action::Archive,
        ),
        (
            r#"{"tagStatus":"tagged","tagPatternList":["*.*.*.*"],"countType":"sinceImagePulled","countUnit":"days",
                "countNumber":30,"storageClass":"standard"}"#,
            ARCHIVE,
            TagSelection::Patterns(vec!["*.*.*.*".into()]),
            Count::SincePulled(days(30)),
            Action::Archive,
        ),
        (
            r#"{"tagStatus":"any","storageClass":"archive","countType":"sinceImageTransitioned","countUnit":"days",
                "countNumber":90}"#,
            EXPIRE,
            TagSelection::Any,
            Count::SinceTransitioned(days(90)),
            Action::Expire,
        ),
    ] {
        let policy = LifecyclePolicy::parse(&rule(selection, action)).expect(selection);
        let read = &policy.rules()[0];
        assert_eq!((&read.tags, read.count, read.action), (&tags, count, expected));
    }
}

#[test]
fn what_the_schema_refuses() {
    let unmapped = "Lifecycle policy validation failure: Could not map policyString into LifecyclePolicy.";
    for text in ["", "some policy", "[]", "1", "{", "\"rules\"", &"[".repeat(100_000)] {
        assert_eq!(refusal(text), unmapped);
    }
    let untagged = r#"{"tagStatus":"untagged","countType":"imageCountMoreThan","countNumber":3}"#;
    let part = |from: &str, to: &str| rule(&untagged.replace(from, to), EXPIRE);
    for (text, expected) in [
        (r#"{"no_rules":1}"#.to_owned(), r#"properties which are not allowed by the schema: (["no_rules"])"#),
        ("{}".to_owned(), r#"object has missing required properties (["rules"])"#),
        (r#"{"rules":{}}"#.to_owned(), "instance type (object) does not match any allowed primitive type"),
        (r#"{"rules":[]}"#.to_owned(), "array is too short"),
        (r#"{"rules":["x"]}"#.to_owned(), "instance type (string) does not match"),
        (
            r#"{"rules":[{"rulePriority":1}]}"#.to_owned(),
            r#"object has missing required properties (["selection","action"])"#,
        ),
        (rule(untagged, "{}"), r#"object has missing required properties (["type"])"#),
        (
            rule(untagged, r#"{"type":"keep"}"#),
            r#"instance value (keep) not found in enum :(possible values: ["expire","transition"])"#,
        ),
        (
            rule(untagged, r#"{"type":"transition"}"#),
            r#"object has missing required properties (["targetStorageClass"])"#,
        ),
        (
            rule(untagged, r#"{"type":"expire","targetStorageClass":null}"#),
            "instance type (null) does not match any allowed primitive type",
        ),
        (
            rule(untagged, r#"{"type":"expire","targetStorageClass":"archive"}"#),
            "targetStorageClass can only be used with the transition action",
        ),
        (part(":3", ":0"), "numeric instance is lower than the required minimum (minimum: 1, found: 0)"),
        (part(":3", ":-1"), "(minimum: 1, found: -1)"),
        (part(":3", ":1.5"), "instance type (number) does not match"),
        (part(":3", ":99999999999"), "numeric instance is greater than the required maximum"),
        (part("imageCountMoreThan", "x"), "instance failed to match exactly one schema (matched 0 out of 2)"),
        (
            part("\"untagged\"", "\"some\""),
            r#"instance value (some) not found in enum :(possible values: ["any","tagged","untagged"])"#,
        ),
        (part("\"untagged\"", "\"tagged\""), "tagPrefixList or tagPatternList is required"),
        (
            part(":3", ":3,\"tagPrefixList\":[\"a\"]"),
            "tagPrefixList and tagPatternList can only be used with tagStatus tagged",
        ),
        (part(":3", ":3,\"countUnit\":\"days\""), "countUnit cannot be used"),
        (part("imageCountMoreThan", "sinceImagePushed"), r#"missing required properties (["countUnit"])"#),
        (part(":3", ":3,\"unknown\":1"), r#"(["unknown"])"#),
        (part(":3", ":3,\"storageClass\":\"archive\""), "storageClass archive cannot be used"),
    ] {
        let refused = refusal(&text);
        assert!(refused.contains(expected), "{text}: {refused}");
    }
}

#[test]
fn what_rules_may_not_ask_for() {
    let tagged = |lists: &str| {
        rule(
            &format!(r#"{{"tagStatus":"tagged",{lists},"countType":"imageCountMoreThan","countNumber":1}}"#),
            EXPIRE,
        )
    };
    assert!(refusal(&tagged(r#""tagPrefixList":["a"],"tagPatternList":["b"]"#)).contains("only one of"));
    assert!(refusal(&tagged(r#""tagPatternList":["*a*b*c*d*"]"#)).contains("maximum of 4 wildcards"));
    assert!(refusal(&tagged(r#""tagPatternList":[""]"#)).contains("too short"));
    let since = |kind: &str, days: u32, class: &str, action: &str| {
        rule(
            &format!(
                r#"{{"tagStatus":"any","countType":"{kind}","countUnit":"days","countNumber":{days}{class}}}"#
            ),
            action,
        )
    };
    let archive = r#","storageClass":"archive""#;
    assert!(refusal(&since("sinceImagePulled", 1, "", EXPIRE)).contains("transition action"));
    assert!(
        refusal(&since("sinceImageTransitioned", 90, "", EXPIRE)).contains("requires storageClass archive")
    );
    assert!(refusal(&since("sinceImageTransitioned", 89, archive, EXPIRE)).contains("minimum: 90"));
    assert!(refusal(&since("sinceImageTransitioned", 90, archive, ARCHIVE)).contains("expire action"));
}

#[test]
fn what_rules_may_not_be_together() {
    let one = |priority: u32, status: &str| {
        format!(
            r#"{{"rulePriority":{priority},"selection":{{"tagStatus":"{status}","countType":"imageCountMoreThan",
                "countNumber":1}},"action":{EXPIRE}}}"#
        )
    };
    let both = |a: String, b: String| format!(r#"{{"rules":[{a},{b}]}}"#);
    assert!(
        refusal(&both(one(1, "untagged"), one(1, "any"))).contains("rulePriority 1 is used by more than one")
    );
    assert!(
        refusal(&both(one(1, "untagged"), one(2, "untagged"))).contains("only one rule can select untagged")
    );
    assert!(refusal(&both(one(1, "any"), one(2, "untagged"))).contains("must have the highest rulePriority"));
    let good = LifecyclePolicy::parse(&both(one(9, "any"), one(2, "untagged"))).expect("a policy");
    assert_eq!(good.rules().iter().map(|rule| rule.priority).collect::<Vec<_>>(), [2, 9]);
}
