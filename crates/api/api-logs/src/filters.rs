//! Metric filters at work: samples of metrics out of the events that a put brings.

use crate::pattern::{Pattern, PatternError};
use metric_store::{Distribution, Metrics, Sample, Series};
use parking_lot::Mutex;
use resources::Stored;
use resources::logs::{LogGroup, MetricFilter};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use store::{Revision, StoreError, Tables, Versioned};

/// Compiled filters that are remembered.
const MOST_COMPILED: usize = 1000;
const MINUTE_MS: i64 = 60_000;

/// The metric filters of a region; cheap to clone.
#[derive(Clone)]
pub struct Filters {
    tables: Tables,
    metrics: Metrics,
    compiled: Arc<Mutex<Remembered>>,
}

/// Compiled filters by key, each of the revision of its row.
type Remembered = HashMap<String, (Revision, Arc<Compiled>)>;

/// A filter that is ready to be applied.
pub struct Compiled {
    pattern: Pattern,
    value: Amount,
    dimensions: Vec<(String, String)>,
}

/// What a matching event adds to the metric.
enum Amount {
    Number(f64),
    /// The value of a field.
    Field(String),
}

impl Compiled {
    /// Reads the pattern of a filter.
    pub fn of(filter: &MetricFilter) -> Result<Self, PatternError> {
        let value = match filter.metric_value.parse() {
            Ok(number) => Amount::Number(number),
            Err(_) => Amount::Field(filter.metric_value.clone()),
        };
        let dimensions =
            filter.dimensions.iter().map(|(name, field)| (name.clone(), field.clone())).collect();
        Ok(Self { pattern: Pattern::parse(&filter.pattern)?, value, dimensions })
    }

    /// Whether the pattern is one that names fields.
    pub fn has_fields(&self) -> bool {
        self.pattern.has_fields()
    }

    /// The value and the dimensions of a message; `None` when it does not match or lacks the value.
    fn apply(&self, message: &str) -> Option<(f64, BTreeMap<String, String>)> {
        if !self.pattern.matches(message) {
            return None;
        }
        let value = match &self.value {
            Amount::Number(number) => *number,
            Amount::Field(field) => self.pattern.field(message, field)?.parse().ok()?,
        };
        // An event without one of the dimensions counts for the metric without it.
        let dimensions = self.dimensions.iter();
        let dimensions = dimensions.filter_map(|(name, field)| {
            let value = self.pattern.field(message, field).filter(|value| !value.is_empty())?;
            Some((name.clone(), value))
        });
        Some((value, dimensions.collect()))
    }
}

impl Filters {
    /// Filters whose samples go to these metrics.
    pub fn new(tables: Tables, metrics: Metrics) -> Self {
        Self { tables, metrics, compiled: Arc::default() }
    }

    /// The filters of a group.
    pub async fn of_group(&self, group: &LogGroup) -> Result<Vec<Versioned<MetricFilter>>, StoreError> {
        self.tables.list_all(&MetricFilter::key_of(&group.account, &group.id, "")).await
    }

    /// The filters of an account.
    pub async fn of_account(&self, account: &str) -> Result<Vec<Versioned<MetricFilter>>, StoreError> {
        self.tables.list_all(&format!("{account}/")).await
    }

    /// Makes samples of events that a group has taken. The events are kept already, so a failure is for the operator.
    pub async fn apply(&self, group: &LogGroup, events: impl Iterator<Item = (i64, &str)> + Clone) {
        let samples = match self.of_group(group).await {
            Ok(filters) => filters.iter().flat_map(|filter| self.samples(filter, events.clone())).collect(),
            Err(error) => {
                tracing::error!(%error, group = group.name, "cannot read the metric filters of a group");
                return;
            }
        };
        let samples: Vec<Sample> = samples;
        if let Err(error) = self.metrics.put(&samples).await {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, group = group.name, "cannot keep what metric filters found");
        }
    }

    fn samples<'e>(
        &self,
        filter: &Versioned<MetricFilter>,
        events: impl Iterator<Item = (i64, &'e str)>,
    ) -> Vec<Sample> {
        let Some(compiled) = self.compiled(filter) else { return Vec::new() };
        let mut found: BTreeMap<(i64, BTreeMap<String, String>), Distribution> = BTreeMap::new();
        let mut idle: BTreeMap<i64, bool> = BTreeMap::new();
        for (time, message) in events {
            let minute = time - time.rem_euclid(MINUTE_MS);
            let applied = compiled.apply(message);
            let still_idle = idle.entry(minute).or_insert(true);
            *still_idle &= applied.is_none();
            if let Some((value, dimensions)) = applied
                && let Ok(value) = Distribution::of_value(value, 1.0)
            {
                found.entry((minute, dimensions)).or_default().merge(&value);
            }
        }
        if let Some(value) = filter.default_value.and_then(|value| Distribution::of_value(value, 1.0).ok()) {
            for (minute, _) in idle.into_iter().filter(|(_, idle)| *idle) {
                found.insert((minute, BTreeMap::new()), value.clone());
            }
        }
        let sample = |((minute, dimensions), values)| Sample {
            series: Series {
                account: filter.account.clone(),
                namespace: filter.metric_namespace.clone(),
                name: filter.metric_name.clone(),
                dimensions,
            },
            unit: filter.unit.clone().unwrap_or_else(|| "None".to_owned()),
            second: minute / 1000,
            values,
        };
        found.into_iter().map(sample).collect()
    }

    fn compiled(&self, filter: &Versioned<MetricFilter>) -> Option<Arc<Compiled>> {
        let key = filter.key();
        let mut all = self.compiled.lock();
        if let Some((revision, compiled)) = all.get(&key)
            && *revision == filter.revision
        {
            return Some(compiled.clone());
        }
        // It was checked when it was put.
        let compiled = Arc::new(Compiled::of(filter).ok()?);
        if all.len() >= MOST_COMPILED {
            all.clear();
        }
        all.insert(key, (filter.revision, compiled.clone()));
        Some(compiled)
    }
}
