//! Makes the events of rules that have a schedule.
//!
//! The time that was acted upon last is in a row of its own, which is written with the deliveries in one transaction: a
//! time comes once, whenever this is killed. Of the times that passed while nobody looked (the region was down) the
//! last one is made up for, unless it is older than a day.

use crate::feed::Seen;
use environment::Timestamp;
use event_outbox::{Outbox, OutboxError};
use reconcile::{Next, Queue, Reconciler};
use resources::Stored;
use resources::events::{Rule, RuleClock};
use schedule_expressions::{Expression, Zone};
use std::time::Duration;
use store::Versioned;

/// What is older is not made up for.
const DAY: Duration = Duration::from_secs(86_400);
/// Longest sleep; a clock that is set is noticed by then.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// The controller.
pub struct RuleSchedule {
    outbox: Outbox,
    queue: Queue<String>,
}

impl RuleSchedule {
    /// Over an outbox.
    pub fn new(outbox: Outbox, queue: Queue<String>) -> Self {
        Self { outbox, queue }
    }

    /// A rule was made or changed.
    pub(crate) fn see(&self, seen: &Seen<Rule>) {
        match seen {
            Seen::Row(rule) if rule.schedule.is_some() => self.queue.nudge(rule.key()),
            Seen::Gone(key) => self.queue.nudge(key.clone()),
            Seen::Row(_) | Seen::Anew => {}
        }
    }

    /// Writes the deliveries of a time together with the clock.
    async fn fire(
        &self,
        rule: &Versioned<Rule>,
        clock: Option<&Versioned<RuleClock>>,
        due: Timestamp,
        now: Timestamp,
    ) -> Result<(), OutboxError> {
        let deliveries = if due + DAY < now { vec![] } else { self.outbox.scheduled(rule, due)? };
        let new = RuleClock {
            account: rule.account.clone(),
            bus: rule.bus.clone(),
            rule: rule.name.clone(),
            fired: due,
        };
        let batch = self.outbox.tables().batch().require_unchanged(rule);
        let mut batch = match clock {
            Some(clock) => batch.replace(clock, &new),
            None => batch.create(&new),
        };
        for delivery in &deliveries {
            batch = batch.create(delivery);
        }
        batch.commit().await?;
        Ok(())
    }
}

/// The last time after `from` that is not after `now`, and the first one after `now`.
pub(crate) fn due(
    next: impl Fn(Timestamp) -> Option<Timestamp>,
    from: Timestamp,
    now: Timestamp,
) -> (Option<Timestamp>, Option<Timestamp>) {
    let Some(first) = next(from) else { return (None, None) };
    if first > now {
        return (None, Some(first));
    }
    // At most one time a minute, so a day's worth of steps; what is older is passed over at once.
    let mut last = first;
    let recent = if now - DAY > first { next(now - DAY) } else { Some(first) };
    let mut candidate = recent;
    while let Some(time) = candidate.filter(|time| *time <= now) {
        last = time;
        candidate = next(time);
    }
    (Some(last), candidate)
}

impl Reconciler for RuleSchedule {
    type Key = String;
    type Error = OutboxError;

    async fn reconcile(&self, key: &String) -> Result<Next, OutboxError> {
        let tables = self.outbox.tables();
        let clock = tables.get::<RuleClock>(key).await?;
        let rule = tables.get::<Rule>(key).await?;
        let Some(rule) = rule.filter(|rule| rule.enabled && rule.schedule.is_some()) else {
            if let Some(clock) = clock {
                tables.delete(&clock).await?;
            }
            return Ok(Next::Settled);
        };
        let Some(Ok(expression)) = rule.schedule.as_deref().map(Expression::of_rule) else {
            tracing::error!(rule = key, "a stored schedule is not good");
            return Ok(Next::Settled);
        };
        let start = rule.scheduled_from;
        let now = tables.environment().now();
        let from = clock.as_ref().map_or(start, |clock| clock.fired.max(start));
        let (past, coming) = due(|after| expression.next(after, start, false, &Zone::UTC), from, now);
        if let Some(past) = past {
            self.fire(&rule, clock.as_ref(), past, now).await?;
        }
        Ok(coming.map_or(Next::Settled, |coming| Next::After(coming.since(now).min(LONGEST_SLEEP))))
    }

    async fn keys(&self) -> Result<Vec<String>, OutboxError> {
        let rules = self.outbox.tables().list_all::<Rule>("").await?;
        let clocks = self.outbox.tables().list_all::<RuleClock>("").await?;
        let scheduled = rules.iter().filter(|rule| rule.schedule.is_some()).map(|rule| rule.key());
        Ok(scheduled
            .chain(clocks.iter().map(|clock| clock.key()))
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect())
    }
}

#[cfg(test)]
mod tests;
