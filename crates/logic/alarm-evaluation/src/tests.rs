//! The tables of CloudWatch's guide on missing data.

use super::*;
use resources::cloudwatch::Comparison;

fn watch(periods: u32, to_alarm: u32, missing: MissingData) -> AlarmWatch {
    AlarmWatch {
        namespace: "n".to_owned(),
        metric: "m".to_owned(),
        dimensions: std::collections::BTreeMap::new(),
        statistic: "Average".to_owned(),
        unit: None,
        period: 60,
        evaluation_periods: periods,
        datapoints_to_alarm: Some(to_alarm),
        threshold: 3.0,
        comparison: Comparison::Greater,
        missing,
        low_samples: None,
    }
}

/// `0` does not breach, `X` breaches, `-` is missing; the oldest first.
fn points(text: &str) -> Vec<Datapoint> {
    let values = text.split(' ').enumerate().filter_map(|(index, mark)| {
        let value = match mark {
            "0" => 1.0,
            "X" => 5.0,
            _ => return None,
        };
        Some(Datapoint { start: Timestamp::from_seconds(60 * index as i64), value })
    });
    values.collect()
}

fn state(periods: u32, to_alarm: u32, missing: MissingData, text: &str) -> &'static str {
    let now = Timestamp::from_seconds(300);
    let verdict = evaluate(&watch(periods, to_alarm, missing), &points(text), now);
    verdict.map_or("retain", |verdict| verdict.state.as_str())
}

#[test]
fn published_tables() {
    // Needed, data points, and the state when missing ones are missing, ignored, breaching, not breaching.
    let insufficient = "INSUFFICIENT_DATA";
    let table = [
        (3, "0 - X - X", ["OK", "OK", "OK", "OK"]),
        (3, "- - - - 0", ["OK", "OK", "OK", "OK"]),
        (3, "- - - - -", [insufficient, "retain", "ALARM", "OK"]),
        (3, "0 X X - X", ["ALARM", "ALARM", "ALARM", "ALARM"]),
        (3, "- - X - -", ["ALARM", "retain", "ALARM", "OK"]),
        (2, "0 - X - X", ["ALARM", "ALARM", "ALARM", "ALARM"]),
        (2, "0 0 X 0 X", ["ALARM", "ALARM", "ALARM", "ALARM"]),
        (2, "0 - X - -", ["OK", "OK", "ALARM", "OK"]),
        (2, "- - - - 0", ["OK", "OK", "ALARM", "OK"]),
        (2, "- - - X -", ["ALARM", "retain", "ALARM", "OK"]),
    ];
    for (to_alarm, text, expected) in table {
        let kinds =
            [MissingData::Missing, MissingData::Ignore, MissingData::Breaching, MissingData::NotBreaching];
        let found = kinds.map(|missing| state(3, to_alarm, missing, text));
        assert_eq!(found, expected, "{to_alarm} of 3, {text}");
    }
}

#[test]
fn reasons_are_cloudwatchs() {
    let now = Timestamp::parse_rfc3339("2026-11-28T17:05:30Z").expect("a time");
    let of = |watch: &AlarmWatch, values: &[f64]| {
        let start = now.as_seconds() - 30 - 60 * values.len() as i64;
        let points: Vec<Datapoint> = values
            .iter()
            .enumerate()
            .map(|(index, value)| Datapoint {
                start: Timestamp::from_seconds(start + 60 * index as i64),
                value: *value,
            })
            .collect();
        evaluate(watch, &points, now).expect("a verdict")
    };
    let one = watch(1, 1, MissingData::Missing);
    assert_eq!(
        of(&one, &[5.0]).reason,
        "Threshold Crossed: 1 out of the last 1 datapoints [5.0 (28/11/26 17:04:00)] was greater than the threshold \
         (3.0) (minimum 1 datapoint for OK -> ALARM transition)."
    );
    assert_eq!(
        of(&watch(3, 2, MissingData::Missing), &[1.0, 2.0, 5.0]).reason,
        "Threshold Crossed: 2 out of the last 3 datapoints [5.0 (28/11/26 17:04:00), 2.0 (28/11/26 17:03:00), 1.0 \
         (28/11/26 17:02:00)] were not greater than the threshold (3.0) (minimum 2 datapoints for ALARM -> OK transition)."
    );
    assert_eq!(of(&one, &[]).reason, "Insufficient Data: 1 datapoint was unknown.");
    assert_eq!(
        of(&watch(2, 2, MissingData::Breaching), &[]).reason,
        "Threshold Crossed: no datapoints were received for 2 periods and 2 missing datapoints were treated as [Breaching]."
    );
    let data: serde_json::Value = serde_json::from_str(&of(&one, &[5.0]).data).expect("JSON");
    assert_eq!(data["recentDatapoints"], serde_json::json!([5.0]));
    assert_eq!(data["startDate"], "2026-11-28T17:04:00.000+0000");
}

#[test]
fn only_periods_that_are_over_are_looked_at() {
    let now = Timestamp::from_seconds(1_000_030);
    let (start, end) = range(&watch(3, 3, MissingData::Missing), now);
    assert_eq!((end % 60, end <= 1_000_030, end - start), (0, true, 300));
}
