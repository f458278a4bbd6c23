//! Tables from AWS's guide, and properties.

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn event() -> Value {
    json!({
        "version": "0",
        "id": "12345678-1234-1234-1234-111122223333",
        "detail-type": "EC2 Instance State-change Notification",
        "source": "aws.ec2",
        "account": "123456789012",
        "time": "2022-01-01T00:00:00Z",
        "region": "us-east-1",
        "resources": ["arn:aws:ec2:us-east-1:123456789012:instance/i-1234567890abcdef0"],
        "detail": {
            "instance-id": "i-1234567890abcdef0",
            "state": "running",
            "name": "Alice.PNG",
            "count": 5,
            "x-limit": 301.8,
            "c-count": 10,
            "exact": 300,
            "float": 300.0,
            "address": "10.0.0.17",
            "address6": "2001:db8::1",
            "nothing": null,
            "empty": "",
            "yes": true,
            "path": "/dir/a*b/file.txt",
            "none": [],
            "numbers": [1, 2, 3],
            "nested": {"deep": {"er": "value"}},
            "objects": [{"name": "a", "value": 1}, {"name": "b", "value": 2}],
        },
    })
}

fn matches(pattern: Value) -> bool {
    EventPattern::parse(&pattern.to_string()).expect("a pattern").matches(&event())
}

#[test]
fn patterns_against_one_event() {
    let detail = |inner: Value| json!({ "detail": inner });
    let table = [
        (json!({"source": ["aws.ec2"]}), true),
        (json!({"source": ["aws.ecs"]}), false),
        (json!({"source": ["aws.ecs", "aws.ec2"]}), true),
        (json!({"source": ["aws.ec2"], "region": ["eu-west-1"]}), false),
        (json!({"detail-type": [{"prefix": "EC2 "}], "resources": [{"suffix": "abcdef0"}]}), true),
        (json!({"time": [{"prefix": "2022-01"}]}), true),
        (detail(json!({"state": [{"anything-but": "terminated"}]})), true),
        (detail(json!({"state": [{"anything-but": ["running", "stopped"]}]})), false),
        (detail(json!({"state": [{"anything-but": {"prefix": "run"}}]})), false),
        (detail(json!({"state": [{"anything-but": {"suffix": ["x", "ning"]}}]})), false),
        (detail(json!({"state": [{"anything-but": {"equals-ignore-case": ["RUNNING"]}}]})), false),
        (detail(json!({"state": [{"anything-but": {"wildcard": "r*g"}}]})), false),
        (detail(json!({"missing": [{"anything-but": "x"}]})), false),
        (detail(json!({"count": [{"anything-but": [1, 2]}]})), true),
        (detail(json!({"numbers": [{"anything-but": [1, 2]}]})), true),
        (detail(json!({"numbers": [{"anything-but": [1, 2, 3]}]})), false),
        (detail(json!({"c-count": [{"numeric": [">", 0, "<=", 10]}]})), true),
        (detail(json!({"count": [{"numeric": ["=", 5]}]})), true),
        (detail(json!({"x-limit": [{"numeric": ["<", 301.8]}]})), false),
        (detail(json!({"state": [{"numeric": ["=", 5]}]})), false),
        (detail(json!({"exact": [300]})), true),
        (detail(json!({"exact": [300.0]})), false),
        (detail(json!({"float": [{"numeric": ["=", 300]}]})), true),
        (detail(json!({"state": [{"exists": true}]})), true),
        (detail(json!({"missing": [{"exists": true}]})), false),
        (detail(json!({"missing": [{"exists": false}]})), true),
        (detail(json!({"state": [{"exists": false}]})), false),
        (detail(json!({"nested": {"other": {"er": [{"exists": false}]}}})), true),
        (detail(json!({"nested": [{"exists": true}]})), false),
        (detail(json!({"none": [{"exists": true}]})), false),
        (detail(json!({"nested": {"deep": {"er": ["value"]}}})), true),
        (detail(json!({"address": [{"cidr": "10.0.0.0/24"}]})), true),
        (detail(json!({"address": [{"cidr": "10.0.1.0/24"}]})), false),
        (detail(json!({"address6": [{"cidr": "2001:db8::/32"}]})), true),
        (detail(json!({"state": [{"cidr": "10.0.0.0/24"}]})), false),
        (detail(json!({"name": [{"equals-ignore-case": "alice.png"}]})), true),
        (detail(json!({"name": [{"suffix": {"equals-ignore-case": ".png"}}]})), true),
        (detail(json!({"name": [{"prefix": {"equals-ignore-case": "ALICE"}}]})), true),
        (detail(json!({"name": [{"suffix": ".png"}]})), false),
        (detail(json!({"path": [{"wildcard": "/dir/*/file.*"}]})), true),
        (detail(json!({"path": [{"wildcard": "/dir/a\\*b/*"}]})), true),
        (detail(json!({"path": [{"wildcard": "dir/*"}]})), false),
        (detail(json!({"path": [{"wildcard": "*"}]})), true),
        (detail(json!({"state": [{"wildcard": "runn*nning"}]})), false),
        (detail(json!({"state": [{"wildcard": "running"}]})), true),
        (detail(json!({"nothing": [null]})), true),
        (detail(json!({"nothing": [""]})), false),
        (detail(json!({"empty": [""]})), true),
        (detail(json!({"yes": [true]})), true),
        (detail(json!({"yes": ["true"]})), false),
        (detail(json!({"objects": {"name": ["a"], "value": [1]}})), true),
        (detail(json!({"objects": {"name": ["a"], "value": [2]}})), false),
        (json!({"source": ["aws.ecs"], "$or": [{"region": ["us-east-1"]}, {"account": ["1"]}]}), false),
        (json!({"source": ["aws.ec2"], "$or": [{"region": ["x"]}, {"account": ["123456789012"]}]}), true),
        (
            detail(
                json!({"$or": [{"c-count": [{"numeric": [">", 10]}]}, {"x-limit": [{"numeric": ["<=", 302]}]}]}),
            ),
            true,
        ),
        (detail(json!({"state": [{"prefix": "stop"}, "running"]})), true),
    ];
    for (pattern, expected) in table {
        assert_eq!(matches(pattern.clone()), expected, "{pattern}");
    }
}

#[test]
fn what_is_no_pattern() {
    let refused = |text: &str| EventPattern::parse(text).expect_err("is no pattern").to_string();
    assert_eq!(
        refused(r#"{"source":"aws.ec2"}"#),
        "Event pattern is not valid. Reason: \"source\" must be an object or an array"
    );
    for text in [
        "",
        "[]",
        "{}",
        "{",
        r#"{"a":[]}"#,
        r#"{"a":{}}"#,
        r#"{"a":[["x"]]}"#,
        r#"{"a":[{"prefix":1}]}"#,
        r#"{"a":[{"prefix":"a","suffix":"b"}]}"#,
        r#"{"a":[{"like":"x"}]}"#,
        r#"{"a":[{"exists":"true"}]}"#,
        r#"{"a":[{"numeric":[">"]}]}"#,
        r#"{"a":[{"numeric":["<",5,">",1]}]}"#,
        r#"{"a":[{"numeric":[">",5,"<",1]}]}"#,
        r#"{"a":[{"numeric":["=",6000000000]}]}"#,
        r#"{"a":[{"cidr":"10.0.0.0/33"}]}"#,
        r#"{"a":[{"anything-but":[]}]}"#,
        r#"{"a":[{"anything-but":[1,"x"]}]}"#,
        r#"{"a":[{"anything-but":{"numeric":["=",1]}}]}"#,
        r#"{"a":[{"wildcard":"a**b"}]}"#,
        r#"{"a":[{"wildcard":"a\\b"}]}"#,
    ] {
        assert!(EventPattern::parse(text).is_err(), "{text}");
    }
    assert!(EventPattern::parse(&format!(r#"{{"a":["{}"]}}"#, "x".repeat(5_000))).is_err());
}

const RESERVED: Reserved<'static> = Reserved {
    rule_arn: "arn:aws:events:us-east-1:123456789012:rule/r",
    rule_name: "r",
    ingestion_time: "2022-01-01T00:00:01Z",
};

#[test]
fn inputs_of_targets() {
    let of = |input: TargetInput| input.of(&event(), &RESERVED);
    let path = |text: &str| of(TargetInput::path(text).expect("a path"));
    assert_eq!(of(TargetInput::Event), event().to_string());
    assert_eq!(path("$.detail.state"), "\"running\"");
    assert_eq!(path("$.detail.numbers[1]"), "2");
    assert_eq!(path("$.detail.objects[*].name"), "[\"a\",\"b\"]");
    assert_eq!(path("$.detail['instance-id']"), "\"i-1234567890abcdef0\"");
    assert_eq!(path("$.missing"), "{}");
    assert_eq!(of(TargetInput::constant("[1]").expect("JSON")), "[1]");
    let paths = [
        ("instance", "$.detail.instance-id"),
        ("status", "$.detail.state"),
        ("n", "$.detail.numbers"),
        ("gone", "$.x"),
    ];
    let template = |text: &str| of(TargetInput::template(paths, text).expect("a template"));
    assert_eq!(
        template("\"instance <instance> is in <status>\""),
        "\"instance i-1234567890abcdef0 is in running\""
    );
    assert_eq!(
        template(r#"{"id": <instance>, "list": <n>, "none": <gone>, "text": "<n> <gone>"}"#),
        r#"{"id": "i-1234567890abcdef0", "list": [1,2,3], "none": "", "text": "[1,2,3] "}"#
    );
    assert_eq!(template("{\"rule\": <aws.events.rule-name>}"), "{\"rule\": \"r\"}");
    let whole: Value = serde_json::from_str(&template("{\"e\": <aws.events.event.json>}")).expect("JSON");
    assert_eq!(whole["e"], event());
    let short: Value = serde_json::from_str(&template("{\"e\": <aws.events.event>}")).expect("JSON");
    assert!(short["e"].get("detail").is_none() && short["e"]["source"] == "aws.ec2");
}

#[test]
fn inputs_that_are_refused() {
    assert!(TargetInput::path("detail").is_err());
    assert!(TargetInput::path("$..detail").is_err());
    assert!(TargetInput::path("$.a[").is_err());
    assert!(TargetInput::constant("{").is_err());
    assert_eq!(
        TargetInput::template([("a", "$.a")], "\"<b>\"").expect_err("unknown"),
        TransformError::Unknown("b".to_owned())
    );
    assert!(TargetInput::template([("aws.x", "$.a")], "\"x\"").is_err());
    assert!(TargetInput::template([("a", "$.a")], "{\"x\": <a>").is_err());
}

proptest! {
    #[test]
    fn nothing_panics_on_any_text(text in "\\PC{0,60}", event in "\\PC{0,40}") {
        if let Ok(pattern) = EventPattern::parse(&text) {
            pattern.matches(&Value::String(event.clone()));
        }
        let _ = TargetInput::path(&text);
        if let Ok(input) = TargetInput::template([("a", "$.a")], &text) {
            input.of(&json!({ "a": event }), &RESERVED);
        }
    }

    #[test]
    fn a_wildcard_matches_as_a_search_does(pattern in "[ab*]{1,8}", text in "[ab]{0,10}") {
        prop_assume!(!pattern.contains("**"));
        let parsed = EventPattern::parse(&json!({"x": [{"wildcard": pattern}]}).to_string()).expect("a pattern");
        prop_assert_eq!(parsed.matches(&json!({"x": text})), slow(pattern.as_bytes(), text.as_bytes()));
    }
}

/// The plainest way to match a wildcard.
fn slow(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern, text) {
        ([], []) => true,
        ([b'*', rest @ ..], text) => (0..=text.len()).any(|skip| slow(rest, &text[skip..])),
        ([a, pattern @ ..], [b, text @ ..]) => a == b && slow(pattern, text),
        _ => false,
    }
}
