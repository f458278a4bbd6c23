//! Events of EventBridge on their way in: which rules they match, and a row for each target that is to get them.
//!
//! Whoever has an event asks [`Outbox::deliveries`] for its rows and writes them in the transaction that makes the
//! event true, or that answers its sender. From then on no kill loses it: the controller `event_delivery` takes a row
//! away when its target has taken the event. A rule that is made later does not get earlier events.
//!
//! The outbox is bounded: with [`MOST_WAITING`] rows waiting, further events are refused ([`OutboxError::Full`]).

mod event;

pub use event::Event;

use environment::Timestamp;
use event_patterns::{EventPattern, Reserved, TargetInput, TransformError};
use identifiers::{AccountId, Arn, Region};
use quick_cache::sync::Cache;
use resources::Stored;
use resources::events::{DEFAULT_BUS, Delivery, Input, Rule, Sender, Target};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use store::{Page, Revision, StoreError, Tables, Versioned};

/// Most deliveries that may wait.
pub const MOST_WAITING: usize = 100_000;
/// Compiled patterns kept in memory.
const COMPILED: usize = 10_000;
/// Rows counted at a time.
const COUNTED: usize = 10_000;

/// A rule's pattern at a revision of its row; none when it is not good.
type Compiled = (Revision, Option<Arc<EventPattern>>);

/// Why an event is not taken.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Too much is waiting for targets.
    #[error("{MOST_WAITING} deliveries are waiting for their targets")]
    Full,
}

/// Where events go in; cheap to clone.
#[derive(Clone)]
pub struct Outbox {
    tables: Tables,
    region: Region,
    patterns: Arc<Cache<String, Compiled>>,
    /// Rows that wait, as counted last and made since.
    waiting: Arc<AtomicUsize>,
}

impl Outbox {
    /// Over a region's tables.
    pub fn new(tables: Tables, region: Region) -> Self {
        Self { tables, region, patterns: Arc::new(Cache::new(COMPILED)), waiting: Arc::default() }
    }

    /// The region's tables.
    pub fn tables(&self) -> &Tables {
        &self.tables
    }

    /// The region's name.
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// Whether any rule of the default bus waits for events, so that making them is worth while.
    pub async fn is_listened_to(&self, account: &AccountId) -> Result<bool, StoreError> {
        let prefix = format!("{account}/{DEFAULT_BUS}/");
        let (keys, _) = self.tables.keys::<Rule>(&prefix, Page { after: None, limit: 1 }).await?;
        Ok(!keys.is_empty())
    }

    /// The rows of an event on a bus: one for each target of each rule that it matches.
    pub async fn deliveries(&self, bus: &str, event: &Event) -> Result<Vec<Delivery>, OutboxError> {
        let rules = self.tables.list_all::<Rule>(&format!("{}/{bus}/", event.account)).await?;
        if rules.is_empty() {
            return Ok(vec![]);
        }
        let document = event.document();
        let mut deliveries = Vec::new();
        for rule in rules.iter().filter(|rule| rule.enabled && !rule.targets.is_empty()) {
            let Some(pattern) = self.pattern(rule) else { continue };
            if pattern.matches(&document) {
                deliveries.extend(self.of_rule(rule, &document, &event.id));
            }
        }
        self.reserve(deliveries.len())?;
        Ok(deliveries)
    }

    /// The rows of the event that a rule's schedule makes.
    pub fn scheduled(&self, rule: &Rule, due: Timestamp) -> Result<Vec<Delivery>, OutboxError> {
        let event = Event {
            account: rule.account.clone(),
            id: self.tables.environment().uuid(),
            source: "aws.events".to_owned(),
            detail_type: "Scheduled Event".to_owned(),
            time: due,
            region: self.region.to_string(),
            resources: vec![rule_arn(&self.region, rule)],
            detail: Value::Object(serde_json::Map::new()),
        };
        let deliveries = self.of_rule(rule, &event.document(), &event.id);
        self.reserve(deliveries.len())?;
        Ok(deliveries)
    }

    /// A row that no rule makes: a target of a schedule and what it gets.
    pub fn direct(
        &self,
        account: &AccountId,
        source: (&str, &str),
        target: Target,
        input: String,
    ) -> Delivery {
        let environment = self.tables.environment();
        let now = environment.now();
        Delivery {
            id: format!("{:015}-{}", now.as_millis(), environment.random_hex(16)),
            account: account.clone(),
            sender: Sender::Schedule,
            source_arn: source.0.to_owned(),
            source_name: source.1.to_owned(),
            target,
            input,
            event_id: environment.uuid(),
            accepted_at: now,
            attempts: 0,
            next_at: now,
            failure: None,
        }
    }

    /// Takes room for rows that are about to be written.
    pub fn reserve(&self, rows: usize) -> Result<(), OutboxError> {
        if rows > 0 && self.waiting.fetch_add(rows, Ordering::Relaxed) + rows > MOST_WAITING {
            self.waiting.fetch_sub(rows, Ordering::Relaxed);
            return Err(OutboxError::Full);
        }
        Ok(())
    }

    /// Gives room back that rows had which are gone.
    pub fn release(&self, rows: usize) {
        let less = |waiting: usize| Some(waiting.saturating_sub(rows));
        // The closure never declines.
        let _ = self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    /// Counts the rows that wait. What was reserved and never written is forgotten by it.
    pub async fn count(&self) -> Result<usize, StoreError> {
        let (mut count, mut after) = (0, None);
        loop {
            let (keys, next) = self.tables.keys::<Delivery>("", Page { after, limit: COUNTED }).await?;
            count += keys.len();
            after = next;
            if after.is_none() {
                self.waiting.store(count, Ordering::Relaxed);
                return Ok(count);
            }
        }
    }

    fn of_rule(&self, rule: &Rule, document: &Value, event_id: &str) -> Vec<Delivery> {
        let environment = self.tables.environment();
        let now = environment.now();
        let arn = rule_arn(&self.region, rule);
        let ingested = now.to_rfc3339_seconds();
        let reserved = Reserved { rule_arn: &arn, rule_name: &rule.name, ingestion_time: &ingested };
        let row = |target: &Target| {
            let input = match input_of(&target.input) {
                Ok(input) => input.of(document, &reserved),
                Err(error) => {
                    // It was checked when the target was put.
                    tracing::error!(rule = arn, target = target.id, %error, "a stored input is not good");
                    document.to_string()
                }
            };
            Delivery {
                id: format!("{:015}-{}", now.as_millis(), environment.random_hex(16)),
                account: rule.account.clone(),
                sender: Sender::Rule,
                source_arn: arn.clone(),
                source_name: rule.name.clone(),
                target: target.clone(),
                input,
                event_id: event_id.to_owned(),
                accepted_at: now,
                attempts: 0,
                next_at: now,
                failure: None,
            }
        };
        rule.targets.iter().map(row).collect()
    }

    /// The rule's pattern, compiled once for each of its writes.
    fn pattern(&self, rule: &Versioned<Rule>) -> Option<Arc<EventPattern>> {
        let text = rule.pattern.as_deref()?;
        let key = rule.key();
        if let Some((revision, pattern)) = self.patterns.get(&key)
            && revision == rule.revision
        {
            return pattern;
        }
        let pattern = match EventPattern::parse(text) {
            Ok(pattern) => Some(Arc::new(pattern)),
            Err(error) => {
                tracing::error!(rule = key, %error, "a stored pattern is not good");
                None
            }
        };
        self.patterns.insert(key, (rule.revision, pattern.clone()));
        pattern
    }
}

/// ARN of a rule.
pub fn rule_arn(region: &Region, rule: &Rule) -> String {
    let name =
        if rule.bus == DEFAULT_BUS { rule.name.clone() } else { format!("{}/{}", rule.bus, rule.name) };
    Arn::new("events", region, &rule.account, format!("rule/{name}")).to_string()
}

/// A stored input, ready for events.
pub fn input_of(input: &Input) -> Result<TargetInput, TransformError> {
    match input {
        Input::Event => Ok(TargetInput::Event),
        Input::Path(path) => TargetInput::path(path),
        Input::Constant(text) => TargetInput::constant(text),
        Input::Transformer { paths, template } => {
            TargetInput::template(paths.iter().map(|(name, path)| (name.as_str(), path.as_str())), template)
        }
    }
}

#[cfg(test)]
mod tests;
