//! Tables of patterns, events they want and events they do not, and proof that nothing makes them panic.

use super::Pattern;
use proptest::prelude::*;

fn check(pattern: &str, wanted: &[&str], unwanted: &[&str]) {
    let parsed = Pattern::parse(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
    for message in wanted {
        assert!(parsed.matches(message), "{pattern} wants {message}");
    }
    for message in unwanted {
        assert!(!parsed.matches(message), "{pattern} does not want {message}");
    }
}

#[test]
fn terms() {
    check("", &["", "anything"], &[]);
    check("ERROR", &["[ERROR] x", "ERRORCODE"], &["error", ""]);
    check("ERROR ARGUMENTS", &["ARGUMENTS then ERROR"], &["ERROR", "ARGUMENTS"]);
    check("?ERROR ?WARN", &["ERROR", "a WARN"], &["INFO"]);
    check("ERROR -EXITING", &["ERROR"], &["ERROR EXITING", "EXITING", "x"]);
    check("-EXITING", &["ERROR"], &["EXITING"]);
    check("\"INTERNAL SERVER\"", &["an INTERNAL SERVER error"], &["INTERNAL x SERVER"]);
    check("-\"a b\" c", &["c", "ab c"], &["a b c"]);
    check(r#""say \"hi\"""#, &[r#"say "hi""#], &["say hi"]);
    check("%[0-9]{3}%", &["code 404"], &["code 40"]);
    check("?%^a% ?b_1", &["ax", "xb_1"], &["xa"]);
    check("?ERROR INFO", &["INFO"], &["ERROR"]);
}

#[test]
fn json() {
    let event = r#"{"a":{"b":"x"},"n":7.5,"t":true,"z":null,"l":["u","v",{"k":1}],"odd.key":"y","s":"10"}"#;
    for wanted in [
        r#"{ $.a.b = "x" }"#,
        "{ $.a.b = x }",
        "{$.a.b=x}",
        "{ $.a.b != y && $.n > 5 }",
        "{ $.a.b = y || $.n >= 7.5 }",
        "{ ($.a.b = y || $.n < 8) && $.n <= 7.5e0 }",
        "{ $.t IS TRUE }",
        "{ $.z IS NULL }",
        "{ $.z EXISTS }",
        "{ $.missing NOT EXISTS }",
        r#"{ $.l[0] = "u" }"#,
        "{ $.l[*] = v }",
        "{ $.l[2].k = 1 }",
        r#"{ $.['odd.key'] = "y" }"#,
        r#"{ $["odd.key"] = "y" }"#,
        r#"{ $.a.* = "x" }"#,
        r#"{ $.a.b = "*" }"#,
        "{ $.a.b = %^[x-z]$% }",
        "{ $.s = 10 }",
        "{ $.n = 7.50 }",
    ] {
        check(wanted, &[event], &["not json", "", "7"]);
    }
    for unwanted in [
        r#"{ $.a.b = "X" }"#,
        "{ $.missing != x }",
        "{ $.a = x }",
        "{ $.t IS FALSE }",
        "{ $.n IS NULL }",
        "{ $.a.b > 5 }",
        "{ $.l[9] EXISTS }",
        "{ $.a.b = x && $.n > 8 }",
        "{ $.n NOT EXISTS }",
    ] {
        check(unwanted, &[], &[event]);
    }
    check(r#"{ $.m = "a*c*e" }"#, &[r#"{"m":"abcde"}"#, r#"{"m":"ace"}"#], &[r#"{"m":"ae"}"#]);
}

#[test]
fn columns() {
    let event = r#"127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534"#;
    for wanted in [
        "[ip, id, user, time, request, status, bytes]",
        "[ip, id, user, time, request, status = 4*, bytes > 1000]",
        "[ip, id, user, time, request = *html*, status_code=404, bytes]",
        "[..., status = 404 || status = 410, bytes]",
        "[ip != 10.*, ...]",
        "[ip = 127.0.0.1, ..., bytes >= 1534 && bytes <= 1534]",
        "[,,user=frank,,,,]",
        "[ip = %^127%, ...]",
        r#"[..., request = "GET * HTTP/1.0", s, b]"#,
        "[...]",
    ] {
        check(wanted, &[event], &[]);
    }
    for unwanted in [
        "[ip, id]",
        "[ip, id, user, time, request, status = 5*, bytes]",
        "[..., bytes < 1000]",
        "[ip=10.*, ...]",
    ] {
        check(unwanted, &[], &[event]);
    }
    check("[a]", &["one"], &["", "one two"]);
}

#[test]
fn what_is_no_pattern() {
    for bad in [
        "a.b",
        "\"open",
        "%open",
        "%(%",
        "-",
        "?",
        "{",
        "{}",
        "{ $ }",
        "{ $.a }",
        "{ $.a = }",
        "{ $.a IS }",
        "{ $.a = 1 ",
        "{ a = 1 }",
        "{ $.a[x] = 1 }",
        "{ $.a = 1 } x",
        "[",
        "[a",
        "[a b]",
        "[..., ...]",
        "[a=]",
        "{ $.a NOT }",
        "{ $.a = 1 && }",
    ] {
        assert!(Pattern::parse(bad).is_err(), "{bad}");
    }
    let deep = format!("{{ {}$.a = 1{} }}", "(".repeat(500), ")".repeat(500));
    assert!(Pattern::parse(&deep).is_err());
    assert!(Pattern::parse("%\\w{1000}%").is_err(), "a regular expression that grows");
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(pattern in "\\PC{0,60}", message in "\\PC{0,60}") {
        if let Ok(pattern) = Pattern::parse(&pattern) {
            pattern.matches(&message);
        }
    }

    #[test]
    fn nothing_that_looks_like_a_pattern_makes_it_panic(
        pattern in r#"[\[{]?([ \[\]{}(),.$*"%é!=<>&|?\\-]|IS|NOT|EXISTS|\$\.a|b|1|"é"){0,14}[\]}]?"#,
        message in r#"[\[{"]?([ \[\]"é1a:,]|"a":1){0,10}[}\]]?"#,
    ) {
        if let Ok(pattern) = Pattern::parse(&pattern) {
            pattern.matches(&message);
        }
    }
}
