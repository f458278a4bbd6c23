//! Why an alarm is in its state, in the words of CloudWatch.

use crate::Datapoint;
use environment::Timestamp;
use resources::cloudwatch::{AlarmWatch, Comparison, MissingData, StateValue};
use serde_json::{Value, json};

/// Most data points that a sentence names.
const NAMED: usize = 5;

pub(crate) struct Facts<'a> {
    pub(crate) watch: &'a AlarmWatch,
    /// Those that count, the oldest first.
    pub(crate) points: &'a [Datapoint],
    pub(crate) breaching: usize,
    pub(crate) missing: usize,
    pub(crate) now: Timestamp,
}

impl Facts<'_> {
    pub(crate) fn sentence(&self, state: StateValue) -> String {
        let total = self.points.len() + self.missing;
        if state == StateValue::InsufficientData {
            let (points, were) = if total == 1 { ("datapoint", "was") } else { ("datapoints", "were") };
            return format!("Insufficient Data: {total} {points} {were} unknown.");
        }
        let treated = match self.watch.missing {
            MissingData::Breaching => "Breaching",
            _ => "NonBreaching",
        };
        if self.points.is_empty() {
            let (points, were) = if total == 1 { ("datapoint", "was") } else { ("datapoints", "were") };
            let periods = if total == 1 { "period" } else { "periods" };
            return format!(
                "Threshold Crossed: no datapoints were received for {total} {periods} and {total} missing {points} \
                 {were} treated as [{treated}]."
            );
        }
        let alarm = state == StateValue::Alarm;
        let counted = if alarm { self.breaching } else { self.points.len() - self.breaching };
        let (were, not) = (if counted == 1 { "was" } else { "were" }, if alarm { "" } else { "not " });
        let to_alarm = self.watch.to_alarm();
        let way = if alarm { "OK -> ALARM" } else { "ALARM -> OK" };
        let needed = if alarm {
            to_alarm
        } else {
            self.watch.evaluation_periods - to_alarm.min(self.watch.evaluation_periods) + 1
        };
        let needs = if needed == 1 { "datapoint" } else { "datapoints" };
        format!(
            "Threshold Crossed: {counted} out of the last {total} datapoints [{}] {were} {not}{} the threshold ({}) \
             (minimum {needed} {needs} for {way} transition).",
            self.named(),
            words(self.watch.comparison),
            number(self.watch.threshold),
        )
    }

    /// The newest first, as CloudWatch names them.
    fn named(&self) -> String {
        let shown = self.points.iter().rev().take(NAMED);
        let named: Vec<String> =
            shown.map(|point| format!("{} ({})", number(point.value), date(point.start))).collect();
        named.join(", ")
    }

    pub(crate) fn json(&self) -> String {
        let newest_first: Vec<Value> = self
            .points
            .iter()
            .rev()
            .map(|point| json!({"timestamp": stamp(point.start), "value": point.value}))
            .collect();
        let mut data = json!({
            "version": "1.0",
            "queryDate": stamp(self.now),
            "statistic": self.watch.statistic,
            "period": self.watch.period,
            "recentDatapoints": self.points.iter().map(|point| point.value).collect::<Vec<_>>(),
            "threshold": self.watch.threshold,
            "evaluatedDatapoints": newest_first,
        });
        if let Some(first) = self.points.first() {
            data["startDate"] = json!(stamp(first.start));
        }
        if let Some(unit) = &self.watch.unit {
            data["unit"] = json!(unit);
        }
        data.to_string()
    }
}

fn words(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::GreaterOrEqual => "greater than or equal to",
        Comparison::Greater => "greater than",
        Comparison::Less => "less than",
        Comparison::LessOrEqual => "less than or equal to",
    }
}

/// A number with at least one digit after the point.
fn number(value: f64) -> String {
    format!("{value:?}")
}

/// `28/11/26 17:05:00`.
fn date(time: Timestamp) -> String {
    let stamp = jiff::Timestamp::from_millisecond(time.as_millis()).unwrap_or_default();
    stamp.strftime("%d/%m/%y %H:%M:%S").to_string()
}

/// `2026-11-28T17:05:00.000+0000`.
fn stamp(time: Timestamp) -> String {
    time.to_rfc3339().replace('Z', "+0000")
}
