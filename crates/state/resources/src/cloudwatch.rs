//! CloudWatch alarms: what they watch, and where they stand.

use crate::Stored;
use environment::Timestamp;
use identifiers::AccountId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// An alarm on one metric. Whoever needs to know where it stands reads `state`; the controller `alarms` and
/// SetAlarmState write it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alarm {
    /// Owner.
    pub account: AccountId,
    /// Name.
    pub name: String,
    /// Description.
    #[serde(default)]
    pub description: Option<String>,
    /// Whether changes of its state do anything.
    pub actions_enabled: bool,
    /// What it watches and how.
    pub watch: AlarmWatch,
    /// Tags.
    #[serde(default)]
    pub tags: Vec<(String, String)>,
    /// When it was put.
    pub configured_at: Timestamp,
    /// Where it stands.
    pub state: AlarmState,
}

/// What an alarm watches, and when it goes off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlarmWatch {
    /// Namespace of the metric.
    pub namespace: String,
    /// Name of the metric.
    pub metric: String,
    /// Dimensions of the metric.
    pub dimensions: BTreeMap<String, String>,
    /// Statistic, such as `Average` or `p99`.
    pub statistic: String,
    /// Only samples of this unit.
    #[serde(default)]
    pub unit: Option<String>,
    /// Seconds of a data point.
    pub period: u32,
    /// Data points that are looked at.
    pub evaluation_periods: u32,
    /// How many of them must breach, where that is not all.
    #[serde(default)]
    pub datapoints_to_alarm: Option<u32>,
    /// The threshold.
    pub threshold: f64,
    /// What breaches it.
    pub comparison: Comparison,
    /// What a missing data point counts as.
    #[serde(default)]
    pub missing: MissingData,
    /// `evaluate` or `ignore`, for percentiles of few samples; kept as given.
    #[serde(default)]
    pub low_samples: Option<String>,
}

/// What breaches a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Comparison {
    /// Greater or equal.
    GreaterOrEqual,
    /// Greater.
    Greater,
    /// Less.
    Less,
    /// Less or equal.
    LessOrEqual,
}

/// What a missing data point counts as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum MissingData {
    /// As missing: with nothing else the alarm knows too little.
    #[default]
    Missing,
    /// As no news: the alarm stays as it is.
    Ignore,
    /// As breaching.
    Breaching,
    /// As not breaching.
    NotBreaching,
}

/// Where an alarm stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlarmState {
    /// The state.
    pub value: StateValue,
    /// Why.
    pub reason: String,
    /// Why, as JSON.
    #[serde(default)]
    pub data: Option<String>,
    /// When the state or its reason was written last.
    pub updated_at: Timestamp,
    /// When the state became this one.
    pub transitioned_at: Timestamp,
}

/// The states of an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StateValue {
    /// Nothing breaches.
    Ok,
    /// It went off.
    Alarm,
    /// Too little is known.
    InsufficientData,
}

/// What happened to an alarm, the oldest first; it outlives the alarm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlarmHistory {
    /// Owner.
    pub account: AccountId,
    /// Name of the alarm.
    pub alarm: String,
    /// At most [`AlarmHistory::MOST`].
    pub items: Vec<AlarmHistoryItem>,
}

/// Something that happened to an alarm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlarmHistoryItem {
    /// When.
    pub time: Timestamp,
    /// What kind of thing.
    pub kind: HistoryKind,
    /// In a sentence.
    pub summary: String,
    /// As JSON.
    pub data: String,
}

/// Kinds of history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HistoryKind {
    /// It was put or deleted.
    ConfigurationUpdate,
    /// Its state changed.
    StateUpdate,
}

impl AlarmWatch {
    /// How many data points must breach.
    pub fn to_alarm(&self) -> u32 {
        self.datapoints_to_alarm.unwrap_or(self.evaluation_periods)
    }

    /// How long what is wrong may go on before all the data points that are looked at show it.
    pub fn span(&self) -> Duration {
        Duration::from_secs(u64::from(self.period) * u64::from(self.evaluation_periods))
    }
}

impl Comparison {
    /// As the API writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GreaterOrEqual => "GreaterThanOrEqualToThreshold",
            Self::Greater => "GreaterThanThreshold",
            Self::Less => "LessThanThreshold",
            Self::LessOrEqual => "LessThanOrEqualToThreshold",
        }
    }

    /// Whether a value breaches a threshold.
    pub fn breaches(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::GreaterOrEqual => value >= threshold,
            Self::Greater => value > threshold,
            Self::Less => value < threshold,
            Self::LessOrEqual => value <= threshold,
        }
    }
}

impl MissingData {
    /// As the API writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Ignore => "ignore",
            Self::Breaching => "breaching",
            Self::NotBreaching => "notBreaching",
        }
    }
}

impl StateValue {
    /// As the API writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Alarm => "ALARM",
            Self::InsufficientData => "INSUFFICIENT_DATA",
        }
    }
}

impl HistoryKind {
    /// As the API writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConfigurationUpdate => "ConfigurationUpdate",
            Self::StateUpdate => "StateUpdate",
        }
    }
}

impl AlarmHistory {
    /// Most items that are kept.
    pub const MOST: usize = 100;

    /// Adds an item and lets the oldest go.
    pub fn add(&mut self, item: AlarmHistoryItem) {
        self.items.push(item);
        let surplus = self.items.len().saturating_sub(Self::MOST);
        self.items.drain(..surplus);
    }
}

impl Stored for Alarm {
    const TABLE: &'static str = "cloudwatch/alarm";

    fn key(&self) -> String {
        format!("{}/{}", self.account, self.name)
    }
}

impl Stored for AlarmHistory {
    const TABLE: &'static str = "cloudwatch/alarm-history";

    fn key(&self) -> String {
        format!("{}/{}", self.account, self.alarm)
    }
}
