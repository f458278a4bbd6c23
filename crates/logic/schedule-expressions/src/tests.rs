//! Tables from AWS's guides, and properties.

use super::*;
use proptest::prelude::*;

fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).expect("a time")
}

fn next(expression: &str, after: &str, zone: &str) -> String {
    let parsed = Expression::of_schedule(expression).expect("an expression");
    let zone = Zone::named(zone).expect("a zone");
    let found = parsed.next(at(after), at("2024-01-01T00:00:00Z"), true, &zone);
    found.map_or_else(|| "never".to_owned(), Timestamp::to_rfc3339_seconds)
}

#[test]
fn published_examples() {
    // Expression, a moment, and what the guide says comes next.
    let table = [
        ("cron(0 10 * * ? *)", "2024-05-05T11:00:00Z", "2024-05-06T10:00:00Z"),
        ("cron(15 12 * * ? *)", "2024-05-05T12:14:59Z", "2024-05-05T12:15:00Z"),
        ("cron(0 18 ? * MON-FRI *)", "2024-05-03T18:00:00Z", "2024-05-06T18:00:00Z"),
        ("cron(0 8 1 * ? *)", "2024-05-05T00:00:00Z", "2024-06-01T08:00:00Z"),
        ("cron(0/15 * * * ? *)", "2024-05-05T00:16:00Z", "2024-05-05T00:30:00Z"),
        ("cron(0/10 * ? * MON-FRI *)", "2024-05-04T00:00:00Z", "2024-05-06T00:00:00Z"),
        ("cron(0/5 8-17 ? * MON-FRI *)", "2024-05-03T17:55:00Z", "2024-05-06T08:00:00Z"),
        ("cron(15 10 ? * 6L 2019-2022)", "2019-05-01T00:00:00Z", "2019-05-31T10:15:00Z"),
        ("cron(15 10 ? * 6L 2019-2022)", "2022-12-31T00:00:00Z", "never"),
        ("cron(15 10 ? * 6#3 *)", "2024-05-01T00:00:00Z", "2024-05-17T10:15:00Z"),
        ("cron(0 9 ? * 2#1 *)", "2024-05-06T09:00:00Z", "2024-06-03T09:00:00Z"),
        ("cron(0 0 L * ? *)", "2024-02-01T00:00:00Z", "2024-02-29T00:00:00Z"),
        ("cron(0 0 L-2 * ? *)", "2024-02-01T00:00:00Z", "2024-02-27T00:00:00Z"),
        // 1 June 2024 is a Saturday, 30 June a Sunday.
        ("cron(0 0 1W 6 ? *)", "2024-05-05T00:00:00Z", "2024-06-03T00:00:00Z"),
        ("cron(0 0 30W 6 ? *)", "2024-05-05T00:00:00Z", "2024-06-28T00:00:00Z"),
        ("cron(0 0 15W 6 ? *)", "2024-05-05T00:00:00Z", "2024-06-14T00:00:00Z"),
        ("cron(0 0 LW 6 ? *)", "2024-05-05T00:00:00Z", "2024-06-28T00:00:00Z"),
        ("cron(0 0 31 * ? *)", "2024-05-31T00:00:00Z", "2024-07-31T00:00:00Z"),
        ("cron(0 0 29 2 ? *)", "2024-02-29T00:00:00Z", "2028-02-29T00:00:00Z"),
        ("cron(0 0 30 2 ? *)", "2024-02-29T00:00:00Z", "never"),
        ("cron(0 0 ? * L *)", "2024-05-05T00:00:00Z", "2024-05-11T00:00:00Z"),
        ("cron(0 0 ? JAN,DEC SUN *)", "2024-05-05T00:00:00Z", "2024-12-01T00:00:00Z"),
        ("rate(5 minutes)", "2024-01-01T00:07:00Z", "2024-01-01T00:10:00Z"),
        ("rate(1 day)", "2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z"),
        ("at(2024-11-20T13:00:00)", "2024-11-20T12:59:59Z", "2024-11-20T13:00:00Z"),
        ("at(2024-11-20T13:00:00)", "2024-11-20T13:00:00Z", "never"),
    ];
    for (expression, after, expected) in table {
        assert_eq!(next(expression, after, "UTC"), expected, "{expression} after {after}");
    }
}

#[test]
fn what_is_no_expression() {
    for text in [
        "",
        "rate(0 minutes)",
        "rate(1 minutes)",
        "rate(5 minute)",
        "rate(5 seconds)",
        "rate(-5 minutes)",
        "rate(5minutes)",
        "rate(99999999999 days)",
        "cron(0 12 * * * *)",
        "cron(0 12 ? * ? *)",
        "cron(0 12 * * ?)",
        "cron(60 12 * * ? *)",
        "cron(0 24 * * ? *)",
        "cron(0 12 0 * ? *)",
        "cron(0 12 32 * ? *)",
        "cron(0 12 * 13 ? *)",
        "cron(0 12 ? * 8 *)",
        "cron(0 12 ? * 2#6 *)",
        "cron(0 12 * * ? 1969)",
        "cron(0 12 * * ? 2200)",
        "cron(5-1 12 * * ? *)",
        "cron(0/0 12 * * ? *)",
        "at(2024-13-01T00:00:00)",
        "at(2024-01-01)",
        "every day",
    ] {
        assert!(Expression::of_schedule(text).is_err(), "{text}");
    }
    assert!(Expression::of_rule("at(2024-01-01T00:00:00)").is_err());
}

#[test]
fn clocks_that_are_set() {
    let daily = "cron(30 2 * * ? *)";
    // 02:30 on 31 March 2024 is left out in Zurich.
    assert_eq!(next(daily, "2024-03-30T02:00:00Z", "Europe/Zurich"), "2024-04-01T00:30:00Z");
    // It is shown twice on 27 October, and comes once.
    assert_eq!(next(daily, "2024-10-26T12:00:00Z", "Europe/Zurich"), "2024-10-27T00:30:00Z");
    assert_eq!(next(daily, "2024-10-27T00:30:00Z", "Europe/Zurich"), "2024-10-28T01:30:00Z");
    assert_eq!(
        next("at(2024-07-01T12:00:00)", "2024-01-01T00:00:00Z", "America/New_York"),
        "2024-07-01T16:00:00Z"
    );
    assert_eq!(Zone::named("Europe/Nowhere"), None);
}

#[test]
fn rates_begin_after_their_time_or_at_once() {
    let rate = Expression::of_rule("rate(10 minutes)").expect("a rate");
    let start = at("2024-01-01T00:00:00Z");
    let before = at("2023-12-31T00:00:00Z");
    assert_eq!(rate.next(before, start, true, &Zone::UTC), Some(start));
    assert_eq!(rate.next(before, start, false, &Zone::UTC), Some(at("2024-01-01T00:10:00Z")));
    assert_eq!(rate.next(start, start, false, &Zone::UTC), Some(at("2024-01-01T00:10:00Z")));
}

proptest! {
    #[test]
    fn the_next_time_is_later_and_nothing_panics(text in "(cron|rate|at)\\([0-9LW#?*/, -]{0,24}\\)", after in 0i64..4_000_000_000) {
        let after = Timestamp::from_seconds(after);
        if let Ok(expression) = Expression::of_schedule(&text)
            && let Some(found) = expression.next(after, Timestamp::default(), true, &Zone::UTC)
        {
            prop_assert!(found > after);
        }
    }

    #[test]
    fn no_minute_that_fits_is_passed_over(minute in 0u8..60, hour in 0u8..24, after in 1_600_000_000i64..1_900_000_000) {
        let expression = Expression::of_rule(&format!("cron({minute} {hour} * * ? *)")).expect("a cron");
        let after = Timestamp::from_seconds(after);
        let found = expression.next(after, after, true, &Zone::UTC).expect("comes");
        prop_assert!(found > after && found.since(after) <= Duration::from_secs(86_400));
    }
}
