//! Queries on a handful of events: what they show, what they refuse, and that no text makes them panic.

use crate::{Event, Outcome, Query, Run, TooLarge};
use proptest::prelude::*;
use std::sync::Arc;

/// The time of the newest event: 2023-11-14 22:13:20.
const NOW: i64 = 1_700_000_000_000;

/// Events, newest first, ten seconds apart.
fn events(messages: &[&str]) -> Vec<Event> {
    let event = |(index, message): (usize, &&str)| Event {
        timestamp: NOW - index as i64 * 10_000,
        ingestion: NOW,
        message: (*message).to_owned(),
        log_stream: if index % 2 == 0 { "even".into() } else { "odd".into() },
        log: "123456789012:g".into(),
        pointer: format!("p{index}"),
    };
    messages.iter().enumerate().map(event).collect()
}

fn outcome(query: &str, messages: &[&str]) -> Outcome {
    let query = Query::parse(query).unwrap_or_else(|error| panic!("{query}: {error}"));
    let mut run = Run::new(Arc::new(query), NOW, None, 1 << 20);
    for event in events(messages) {
        run.push(event).expect("fits");
    }
    run.finish().expect("fits")
}

/// Rows as texts, without pointers.
fn rows(query: &str, messages: &[&str]) -> Vec<String> {
    let shown = |row: Vec<(String, String)>| {
        let fields = row.into_iter().filter(|(name, _)| name != "@ptr");
        fields.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    };
    outcome(query, messages).rows.into_iter().map(shown).collect()
}

const REQUESTS: [&str; 6] = [
    r#"{"status":200,"path":"/a","ms":12.5,"user":{"name":"ann","tags":["x","y"]}}"#,
    r#"{"status":500,"path":"/b","ms":100,"user":{"name":"bob"},"ok":false}"#,
    r#"{"status":200,"path":"/a","ms":20}"#,
    "plain text ERROR code=7",
    r#"{"status":404,"path":"/c","ms":3,"ok":true}"#,
    "another ERROR code=12",
];

#[test]
fn fields_and_defaults() {
    assert_eq!(rows("limit 1", &["a", "b"]), ["@timestamp=2023-11-14 22:13:20.000 @message=a"]);
    assert_eq!(
        rows("fields @logStream, @log | limit 2", &["a", "b"])[1],
        "@logStream=odd @log=123456789012:g"
    );
    let first = "fields path, user.name as who, ms * 2 + 1 as double, user.tags.1, nothing | limit 1";
    assert_eq!(rows(first, &REQUESTS), ["path=/a who=ann double=26 user.tags.1=y"]);
    assert_eq!(
        rows("fields @message | fields concat(path, '!') | display path | limit 1", &REQUESTS),
        ["path=/a"]
    );
    let pointers = outcome("fields @message", &["a", "b"]).rows;
    assert_eq!(pointers[1].last(), Some(&("@ptr".to_owned(), "p1".to_owned())));
}

#[test]
fn filters() {
    for (condition, expected) in [
        ("status = 200", vec!["/a", "/a"]),
        ("status != 200 and ispresent(status)", vec!["/b", "/c"]),
        ("status >= 400 and (ms < 50 or path = '/x')", vec!["/c"]),
        ("status in [404, 500]", vec!["/b", "/c"]),
        ("ispresent(path) and status not in [404, 500]", vec!["/a", "/a"]),
        ("path like 'b'", vec!["/b"]),
        ("path like /^\\/[bc]$/", vec!["/b", "/c"]),
        ("path =~ /(?i)B/", vec!["/b"]),
        ("ispresent(path) and path not like /[bc]/", vec!["/a", "/a"]),
        ("not (status = 200) and ispresent(path)", vec!["/b", "/c"]),
        ("user.name = 'ann'", vec!["/a"]),
        ("ok", vec!["/c"]),
        ("strcontains(path, 'c') # a comment", vec!["/c"]),
        ("`user.name` = \"bob\"", vec!["/b"]),
        ("ms / 0 > 1", vec![]),
    ] {
        let query = format!("fields path | filter {condition}");
        let expected: Vec<String> = expected.iter().map(|path| format!("path={path}")).collect();
        assert_eq!(rows(&query, &REQUESTS), expected, "{condition}");
    }
    assert_eq!(outcome("filter @message like /ERROR/", &REQUESTS).matched, 2);
}

#[test]
fn parsing() {
    let glob =
        r#"parse @message "* ERROR code=*" as what, code | filter ispresent(code) | display what, code"#;
    assert_eq!(rows(glob, &REQUESTS), ["what=plain text code=7", "what=another code=12"]);
    let regex = "parse @message /code=(?<code>\\d+)/ | filter code > 7 | display code";
    assert_eq!(rows(regex, &REQUESTS), ["code=12"]);
    assert_eq!(rows("parse path '/*' as p | stats count(*) as n by p | sort p asc", &REQUESTS)[1], "p=a n=2");
    assert_eq!(
        rows("parse 'plain * ERROR' as w | limit 4", &REQUESTS)[3].split(' ').next_back(),
        Some("w=text")
    );
}

#[test]
fn groups() {
    assert_eq!(
        rows(
            "stats count(*), sum(ms) as total, avg(ms), min(ms), max(ms) by status | sort status asc",
            &REQUESTS
        ),
        [
            "count(*)=2",
            "status=200 count(*)=2 total=32.5 avg(ms)=16.25 min(ms)=12.5 max(ms)=20",
            "status=404 count(*)=1 total=3 avg(ms)=3 min(ms)=3 max(ms)=3",
            "status=500 count(*)=1 total=100 avg(ms)=100 min(ms)=100 max(ms)=100",
        ]
    );
    assert_eq!(
        rows("stats count() by bin(20s) as t | sort t asc", &["a", "b", "c"]),
        ["t=2023-11-14 22:13:00.000 count()=2", "t=2023-11-14 22:13:20.000 count()=1"]
    );
    assert_eq!(rows("stats count(status), count_distinct(status) as d", &REQUESTS), ["count(status)=4 d=3"]);
    assert_eq!(rows("stats pct(ms, 50) as p, median(ms) as m", &REQUESTS), ["p=16.25 m=16.25"]);
    assert_eq!(rows("stats sum(ms) / count(ms) as mean", &REQUESTS), ["mean=33.875"]);
    assert_eq!(rows("stats latest(path) as l, earliest(path) as e", &REQUESTS), ["l=/a e=/c"]);
    assert_eq!(rows("stats stddev(ms) as d", &REQUESTS), ["d=44.6288"]);
    assert_eq!(rows("filter status = 1 | stats count(*) as n, max(ms) as m", &REQUESTS), ["n=0"]);
    assert_eq!(
        rows("stats count(*) as n by status | filter n > 1 and status > 0 | stats sum(n) as all", &REQUESTS),
        ["all=2"]
    );
}

#[test]
fn order() {
    assert_eq!(
        rows("fields ms | filter ispresent(ms) | sort ms desc | limit 2", &REQUESTS),
        ["ms=100", "ms=20"]
    );
    assert_eq!(rows("stats count(*) by path | sort count(*) desc, path asc | limit 1", &REQUESTS).len(), 1);
    assert_eq!(
        rows("fields path | filter ispresent(path) | dedup path", &REQUESTS),
        ["path=/a", "path=/b", "path=/c"]
    );
    assert_eq!(
        rows("fields @message | dedup nothing", &["a", "b"]).len(),
        2,
        "missing values are no duplicates"
    );
    let many: Vec<String> = (0..5000).map(|n| n.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(rows("fields @message | sort @message asc | limit 2", &many), ["@message=0", "@message=1"]);
}

#[test]
fn functions() {
    for (expression, expected) in [
        ("toupper('ab')", "AB"),
        ("substr('abcdef', 2, 3)", "cde"),
        ("replace('a-b-c', '-', '+')", "a+b+c"),
        ("trim('  x ')", "x"),
        ("strlen('añb')", "3"),
        ("coalesce(nothing, 'x')", "x"),
        ("greatest(1, 5, 3) - least(4, 2)", "3"),
        ("2 ^ 3 % 5", "3"),
        ("-2 * -(1 + 2)", "6"),
        ("floor(1.7) + ceil(1.2) + abs(-1)", "4"),
        ("datefloor(@timestamp, 1h)", "2023-11-14 22:00:00.000"),
        ("toMillis(@timestamp)", "1700000000000"),
        ("isIpv4InSubnet('10.0.0.7', '10.0.0.0/24')", "1"),
        ("isValidIp('10.0.0')", "0"),
        ("now()", "1700000000"),
    ] {
        assert_eq!(
            rows(&format!("fields {expression} as x"), &["m"]),
            [format!("x={expected}")],
            "{expression}"
        );
    }
}

#[test]
fn what_is_no_query() {
    for (text, reason) in [
        ("", "expected a command"),
        ("test", "'test' is no command"),
        ("fields", "the name of a field"),
        ("fields a |", "expected a command"),
        ("fields a b", "expected '|'"),
        ("filter a = ", "the name of a field"),
        ("filter a like b", "between slashes"),
        ("filter a like /(/", "invalid regular expression"),
        ("filter a like /(?=b)/", "invalid regular expression"),
        ("filter (a = 1", "expected ')'"),
        ("fields 'a", "closing quote"),
        ("fields count(*)", "for the command stats only"),
        ("fields nothing(a)", "is no function"),
        ("fields abs()", "does not take 0 arguments"),
        ("stats a by b", "needs an aggregate"),
        ("stats pct(a)", "percentile"),
        ("stats pct(a, 101)", "from 0 to 100"),
        ("stats avg(count(*))", "for the command stats only"),
        ("limit 0", "whole number"),
        ("limit 1.5", "whole number"),
        ("fields 5parsecs", "no unit of time"),
        ("parse @message '* *' as a", "as many groups"),
        ("parse @message 'a*'", "expected 'as'"),
        ("pattern @message", "not supported by this region"),
    ] {
        let error = Query::parse(text).expect_err(text);
        assert!(error.message.contains(reason), "{text}: {error}");
    }
    assert_eq!(Query::parse("fields a | bad x").expect_err("no command").place, 11..14);
    assert!(Query::parse(&format!("fields {}1{}", "(".repeat(1000), ")".repeat(1000))).is_err());
}

#[test]
fn memory_is_bounded() {
    let text = "x".repeat(1000);
    for query in
        ["sort @message | filter 1 = 1", "stats pct(@timestamp, 5), count_distinct(@ptr)", "fields @message"]
    {
        let mut run = Run::new(Arc::new(Query::parse(query).expect("parses")), NOW, None, 10_000);
        let pushed: Result<(), TooLarge> = (0..2000).try_for_each(|n| {
            let mut event = events(&[&text]).remove(0);
            event.pointer = format!("p{n}");
            run.push(event)
        });
        assert_eq!(pushed, Err(TooLarge(10_000)), "{query}");
    }
    let mut run =
        Run::new(Arc::new(Query::parse("fields @message | limit 2").expect("parses")), NOW, None, 10_000);
    for event in events(&["a", "b"]) {
        assert!(!run.is_satisfied());
        run.push(event).expect("fits");
    }
    assert!(run.is_satisfied());
}

/// Pieces that queries are made of, so that what is put together at random comes far.
const PIECES: &str = "(fields|filter|parse|stats|sort|limit|dedup|display|by|as|and|or|not|in|like|=~|@message|a\\.b|bin|count|\
    pct|\\(|\\)|\\[|\\]|,|\\||\\*|/|\"|'|`|=|!=|<|-|\\^|5m|1|0\\.5|é| |\\\\|#|\n)";

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in proptest::collection::vec(PIECES, 0..40), message in ".{0,40}") {
        if let Ok(query) = Query::parse(&text.concat()) {
            let mut run = Run::new(Arc::new(query), NOW, None, 1 << 20);
            for event in events(&[&message, REQUESTS[0], REQUESTS[3]]) {
                let _ = run.push(event);
            }
            let _ = run.finish();
        }
    }

    #[test]
    fn no_change_of_a_query_makes_it_panic(at in 0usize..200, with in ".{0,3}", cut in 0usize..8) {
        let whole = "fields @timestamp, ms*2 as x | filter status in [200, 404] and path like /a(b)?/ | \
            parse @message \"* ERROR *\" as u, v | stats count(*) as n, pct(ms, 95) by bin(5m), path | sort n desc | limit 5";
        let mut chars: Vec<char> = whole.chars().collect();
        let start = at.min(chars.len());
        let end = (start + cut).min(chars.len());
        chars.splice(start..end, with.chars());
        let text: String = chars.into_iter().collect();
        if let Ok(query) = Query::parse(&text) {
            let mut run = Run::new(Arc::new(query), NOW, None, 1 << 20);
            for event in events(&REQUESTS) {
                let _ = run.push(event);
            }
            let _ = run.finish();
        }
    }
}
