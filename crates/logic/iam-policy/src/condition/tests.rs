//! Tables for every operator, with several values and absent keys.

use super::*;

/// Does `operator: {"k:ey": values}` hold for a request with these values of `k:ey`?
fn holds(operator: &str, policy: &[&str], request: &[&str]) -> bool {
    let values = policy.iter().map(|value| (*value).to_owned()).collect();
    let raw = RawCondition { operator: operator.to_owned(), key: "K:ey".to_owned(), values };
    let mut context = Context::new();
    context.set("aws:username", "ann");
    for value in request {
        context.add("k:EY", *value);
    }
    Condition::compile(&raw, Version::V2012).expect("an operator").holds(&context, StatementEffect::Deny)
}

#[test]
fn one_value_against_one_value() {
    for (operator, policy, request, expected) in [
        ("StringEquals", "a", "a", true),
        ("StringEquals", "a", "A", false),
        ("StringEquals", "*", "a", false),
        ("StringEquals", "${*}", "*", true),
        ("StringEquals", "${aws:username}", "ann", true),
        ("StringEquals", "${no:such}", "ann", false),
        ("StringNotEquals", "a", "b", true),
        ("StringNotEquals", "a", "a", false),
        ("StringEqualsIgnoreCase", "Äa", "äA", true),
        ("StringEqualsIgnoreCase", "${aws:username}x", "ANNX", true),
        ("StringEqualsIgnoreCase", "a", "ab", false),
        ("StringNotEqualsIgnoreCase", "a", "A", false),
        ("StringLike", "a*c?", "abcd", true),
        ("StringLike", "${aws:username}-*", "ann-1", true),
        ("StringLike", "a", "ab", false),
        ("StringNotLike", "a*", "ab", false),
        ("NumericEquals", "10", "10", true),
        ("NumericEquals", "10", "10.0", true),
        ("NumericEquals", "10", "ten", false),
        ("NumericEquals", "ten", "ten", false),
        ("NumericEquals", "inf", "inf", false),
        ("NumericEquals", "9007199254740993", "9007199254740992", false),
        ("NumericNotEquals", "10", "11", true),
        ("NumericLessThan", "10", "9.9", true),
        ("NumericLessThan", "10", "10", false),
        ("NumericLessThanEquals", "10", "10", true),
        ("NumericGreaterThan", "-1", "0", true),
        ("NumericGreaterThanEquals", "1e2", "100", true),
        ("DateEquals", "2017-07-01", "2017-07-01T00:00:00Z", true),
        ("DateNotEquals", "2017-07-01", "2017-07-02", true),
        ("DateLessThan", "2017-07-01T00:00:00Z", "2017-06-30T23:59:59Z", true),
        ("DateLessThan", "2017-07-01T00:00:00Z", "1498867199", true),
        ("DateLessThanEquals", "1498867200", "2017-07-01", true),
        ("DateGreaterThan", "2017-07-01", "2017-07-01", false),
        ("DateGreaterThanEquals", "2017-07-01", "2017-07-01", true),
        ("DateGreaterThan", "2017-07-01", "tomorrow", false),
        ("Bool", "true", "True", true),
        ("Bool", "false", "true", false),
        ("Bool", "yes", "yes", false),
        ("BinaryEquals", "QmluYXJ5", "QmluYXJ5", true),
        ("BinaryEquals", "QmluYXJ5", "QmluYXJz", false),
        ("BinaryEquals", "not base64!", "not base64!", false),
        ("IpAddress", "203.0.113.0/24", "203.0.113.7", true),
        ("IpAddress", "203.0.113.0/24", "203.0.114.7", false),
        ("IpAddress", "203.0.113.7", "203.0.113.7", true),
        ("IpAddress", "203.0.113.0/24", "::ffff:203.0.113.7", true),
        ("IpAddress", "2001:DB8:1234:5678::/64", "2001:db8:1234:5678::1", true),
        ("IpAddress", "2001:DB8:1234:5678::/64", "203.0.113.7", false),
        ("IpAddress", "0.0.0.0/0", "nonsense", false),
        ("NotIpAddress", "203.0.113.0/24", "203.0.113.7", false),
        ("NotIpAddress", "203.0.113.0/24", "198.51.100.1", true),
        ("ArnEquals", "arn:aws:s3:::b*", "arn:aws:s3:::bucket", true),
        ("ArnLike", "arn:aws:iam::*:role/${aws:username}", "arn:aws:iam::1:role/ann", true),
        ("ArnLike", "arn:aws:*:role/x", "arn:aws:iam::1:role/x", false),
        ("ArnLike", "*", "not an ARN", true),
        ("ArnNotEquals", "arn:aws:s3:::b", "arn:aws:s3:::b", false),
        ("ArnNotLike", "arn:aws:s3:::b*", "not an ARN", true),
    ] {
        assert_eq!(holds(operator, &[policy], &[request]), expected, "{operator} {policy} on {request}");
    }
}

#[test]
fn several_values_and_absent_keys() {
    let (ab, c, none): (&[&str], &[&str], &[&str]) = (&["a", "b"], &["c"], &[]);
    for (operator, policy, request, expected) in [
        // The policy's values are alternatives; to negate is to match none of them.
        ("StringEquals", ab, &["b"][..], true),
        ("StringEquals", ab, c, false),
        ("StringNotEquals", ab, &["b"], false),
        ("StringNotEquals", ab, c, true),
        // An absent key matches nothing, so what negates holds.
        ("StringEquals", ab, none, false),
        ("StringNotEquals", ab, none, true),
        ("NotIpAddress", &["10.0.0.0/8"], none, true),
        ("ArnNotLike", &["*"], none, true),
        ("StringEqualsIfExists", ab, none, true),
        ("StringEqualsIfExists", ab, c, false),
        ("StringNotEqualsIfExists", ab, none, true),
        ("StringNotEqualsIfExists", ab, &["a"], false),
        ("BoolIfExists", &["false"], none, true),
        // Without a qualifier one value of several is enough to match.
        ("StringEquals", &["a"], &["a", "c"], true),
        ("StringNotEquals", &["a"], &["a", "c"], false),
        ("ForAllValues:StringEquals", ab, &["a", "b"], true),
        ("ForAllValues:StringEquals", ab, &["a", "c"], false),
        ("ForAllValues:StringEquals", ab, none, true),
        ("ForAllValues:StringNotEquals", ab, &["c", "d"], true),
        ("ForAllValues:StringNotEquals", ab, &["c", "a"], false),
        ("ForAllValues:StringNotEquals", ab, none, true),
        ("ForAllValues:StringLike", &["a*", "b*"], &["a1", "b1"], true),
        ("ForAnyValue:StringEquals", ab, &["c", "b"], true),
        ("ForAnyValue:StringEquals", ab, c, false),
        ("ForAnyValue:StringEquals", ab, none, false),
        ("ForAnyValue:StringNotEquals", ab, &["a", "c"], true),
        ("ForAnyValue:StringNotEquals", ab, &["a", "b"], false),
        ("ForAnyValue:StringNotEquals", ab, none, false),
        ("ForAnyValue:StringEqualsIfExists", ab, none, true),
        // A policy without values matches nothing.
        ("StringEquals", none, &["a"], false),
        ("StringNotEquals", none, &["a"], true),
        ("Null", &["true"], none, true),
        ("Null", &["false"], none, false),
        ("Null", &["true"], &["a"], false),
        ("Null", &["False"], &["a"], true),
        ("Null", &["true", "false"], &["a"], true),
        ("Null", none, none, false),
        ("ForAnyValue:Null", &["true"], none, true),
    ] {
        assert_eq!(holds(operator, policy, request), expected, "{operator} {policy:?} on {request:?}");
    }
}

#[test]
fn the_old_version_knows_no_variables() {
    let raw = RawCondition {
        operator: "StringEquals".to_owned(),
        key: "aws:username".to_owned(),
        values: vec!["${aws:username}".to_owned()],
    };
    let mut context = Context::new();
    context.set("aws:username", "ann");
    assert!(
        Condition::compile(&raw, Version::V2012).expect("an operator").holds(&context, StatementEffect::Deny)
    );
    assert!(
        !Condition::compile(&raw, Version::V2008)
            .expect("an operator")
            .holds(&context, StatementEffect::Deny)
    );
}

#[test]
fn an_allow_does_not_live_on_a_variable_without_a_value() {
    for (operator, key, expected) in [
        ("StringNotEquals", "aws:username", [false, true]),
        ("ArnNotLike", "aws:username", [false, true]),
        ("StringNotEqualsIgnoreCase", "no:key", [false, true]),
        ("StringNotEqualsIfExists", "no:key", [true, true]),
        ("StringEquals", "aws:username", [false, false]),
    ] {
        let raw = RawCondition {
            operator: operator.to_owned(),
            key: key.to_owned(),
            values: vec!["${a:b}".to_owned()],
        };
        let condition = Condition::compile(&raw, Version::V2012).expect("an operator");
        let mut context = Context::new();
        context.set("aws:username", "ann");
        let found =
            [StatementEffect::Allow, StatementEffect::Deny].map(|effect| condition.holds(&context, effect));
        assert_eq!(found, expected, "{operator} {key}");
    }
}

#[test]
fn operators_that_do_not_exist() {
    for name in [
        "",
        "StringEqual",
        "stringequals",
        "ForAnyValue::StringEquals",
        "IfExists",
        "NumericLike",
        "DateIfExists",
        "NullIfExists",
    ] {
        assert_eq!(Operator::parse(name), None, "{name}");
    }
}

#[test]
fn keys_include_those_of_variables() {
    let raw = RawCondition {
        operator: "ArnLike".to_owned(),
        key: "aws:SourceArn".to_owned(),
        values: vec!["arn:aws:s3:::${aws:PrincipalTag/Team}".to_owned()],
    };
    let condition = Condition::compile(&raw, Version::V2012).expect("an operator");
    assert_eq!(condition.keys().collect::<Vec<_>>(), ["aws:SourceArn", "aws:PrincipalTag/Team"]);
}
