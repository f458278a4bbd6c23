//! The matcher against a table, against a simple model, and under hostile patterns.

use super::*;
use proptest::prelude::*;

const WILD: Special = Special { wildcards: true, variables: false };
const ALL: Special = Special { wildcards: true, variables: true };

fn matches(pattern: &str, text: &str) -> bool {
    Pattern::compile(pattern, WILD).matches(text, &Context::new())
}

#[test]
fn wildcards() {
    for (pattern, text, expected) in [
        ("", "", true),
        ("", "a", false),
        ("*", "", true),
        ("*", "anything/at:all", true),
        ("?", "", false),
        ("?", "a", true),
        ("?", "ü", true),
        ("?", "ab", false),
        ("a?c", "abc", true),
        ("a*", "a", true),
        ("a*", "ba", false),
        ("*a", "ba", true),
        ("*a", "ab", false),
        ("a*a", "a", false),
        ("a*a", "aa", true),
        ("a*b*c", "a-b-c", true),
        ("a*b*c", "a-c-b", false),
        ("*b*", "abc", true),
        ("*?*", "", false),
        ("*?*?", "a", false),
        ("*?*?", "ab", true),
        ("*ab?", "xabab", false),
        ("*ab?", "xababc", true),
        ("*a?b*", "aab", true),
        ("*?b*b", "bb", false),
        ("s3:Get*", "s3:GetObject", true),
        ("case", "Case", false),
    ] {
        assert_eq!(matches(pattern, text), expected, "{pattern:?} on {text:?}");
    }
}

#[test]
fn values_of_variables_are_plain_text() {
    let mut context = Context::new();
    context.set("aws:username", "a*");
    let pattern = Pattern::compile("home/${aws:username}/*", ALL);
    assert!(pattern.matches("home/a*/x", &context));
    assert!(!pattern.matches("home/abc/x", &context));
    assert!(!pattern.matches("home/a*", &context));
    assert!(!pattern.matches("home//x", &Context::new()));
    assert_eq!(pattern.variables().map(|variable| &*variable.name).collect::<Vec<_>>(), ["aws:username"]);
    let with_default = Pattern::compile("${aws:PrincipalTag/team, 'all'}?", ALL);
    assert!(with_default.matches("all1", &Context::new()));
    assert!(!with_default.matches("all", &Context::new()));
}

#[test]
fn hostile_patterns_stay_cheap() {
    let text = "a".repeat(8_192);
    // Exponential matchers do not come back from the first, quadratic ones from the others.
    for pattern in [
        "*a".repeat(4_000) + "b",
        "*a".repeat(4_000) + "*b*",
        "a*".repeat(60_000),
        "*?".repeat(60_000),
        format!("*{}b", "a".repeat(4_000)),
        format!("*{}b*", "a?".repeat(1_000)),
    ] {
        assert!(!matches(&pattern, &text), "{} characters", pattern.len());
    }
    assert!(matches(&"*?".repeat(8_192), &text));
}

#[test]
fn values_do_not_pile_up() {
    let mut context = Context::new();
    context.set("k:v", "a".repeat(8_192));
    let pattern = Pattern::compile(&"${k:v}".repeat(20_000), ALL);
    // Written out it would be longer than 160 MB.
    assert!(!pattern.matches(&"a".repeat(10_000), &context));
    assert!(Pattern::compile("${k:v}*", ALL).matches(&"a".repeat(8_192), &context));
}

/// The plainest definition of what a pattern means, with a table instead of cleverness.
fn model(pattern: &[char], text: &[char]) -> bool {
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    for symbol in pattern {
        let mut next = vec![false; text.len() + 1];
        for at in 0..=text.len() {
            next[at] = match symbol {
                '*' => reached[at] || (at > 0 && next[at - 1]),
                '?' => at > 0 && reached[at - 1],
                character => at > 0 && reached[at - 1] && text[at - 1] == *character,
            };
        }
        reached = next;
    }
    reached[text.len()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn agrees_with_the_model(pattern in "[abü*?]{0,12}", text in "[abü]{0,12}") {
        let symbols: Vec<char> = pattern.chars().collect();
        let characters: Vec<char> = text.chars().collect();
        prop_assert_eq!(matches(&pattern, &text), model(&symbols, &characters));
    }

    #[test]
    fn a_variable_is_as_good_as_its_value(before in "[ab*?]{0,4}", value in "[ab]{0,3}", after in "[ab*?]{0,4}", text in "[ab]{0,8}") {
        let mut context = Context::new();
        context.set("k:v", value.as_str());
        let dynamic = Pattern::compile(&format!("{before}${{k:v}}{after}"), ALL).matches(&text, &context);
        prop_assert_eq!(dynamic, matches(&format!("{before}{value}{after}"), &text));
    }
}
