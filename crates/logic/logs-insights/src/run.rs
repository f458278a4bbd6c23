//! Runs a query: rows go through the commands one by one, and wait only where they must.

use crate::aggregate::{Aggregate, State};
use crate::event::Row;
use crate::expression::Scope;
use crate::query::{Command, Query, Stats, USUAL_ROWS};
use crate::{Event, MOST_ROWS, Value};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// A run would keep more in memory than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the query keeps more than {0} bytes in memory; filter more, or group by fewer values")]
pub struct TooLarge(pub usize);

/// What a query found.
#[derive(Debug, Default, PartialEq)]
pub struct Outcome {
    /// Rows: names of fields with what is shown of them, those without a value left out.
    pub rows: Vec<Vec<(String, String)>>,
    /// Events that passed the filters before anything else was done with them.
    pub matched: u64,
}

/// A run of a query.
pub struct Run {
    query: Arc<Query>,
    stages: Vec<Stage>,
    outcome: Outcome,
    now: i64,
    limit: usize,
    budget: Budget,
}

struct Budget {
    left: usize,
    most: usize,
}

impl Budget {
    fn take(&mut self, bytes: usize) -> Result<(), TooLarge> {
        self.left = self.left.checked_sub(bytes).ok_or(TooLarge(self.most))?;
        Ok(())
    }

    fn give_back(&mut self, bytes: usize) {
        self.left = (self.left + bytes).min(self.most);
    }
}

/// What a command keeps between rows; the command itself is in the query.
enum Stage {
    /// Nothing.
    Passing,
    Dedup(HashSet<Vec<String>>),
    /// How many may still pass.
    Limit(usize),
    Sort {
        rows: Vec<(Vec<Value>, Row)>,
        /// More than these are never needed.
        most: usize,
    },
    Stats(Groups),
}

#[derive(Default)]
struct Groups {
    /// Place of a group by the texts of its keys.
    places: HashMap<Vec<Option<String>>, usize>,
    groups: Vec<(Vec<Value>, Vec<State>)>,
}

impl Run {
    /// A run at a time in milliseconds that gives `limit` rows at most and keeps as many bytes at most.
    pub fn new(query: Arc<Query>, now: i64, limit: Option<usize>, most_bytes: usize) -> Self {
        // A limit inside of the query counts as well; without any there is the usual one.
        let own = query.commands.iter().any(|command| matches!(command, Command::Limit(_)));
        let limit = limit.unwrap_or(if own { MOST_ROWS } else { USUAL_ROWS });
        let stages =
            (0..query.commands.len()).map(|index| Stage::of(&query.commands, index, limit)).collect();
        let budget = Budget { left: most_bytes, most: most_bytes };
        Self { query, stages, outcome: Outcome::default(), now, limit, budget }
    }

    /// Takes an event; they come newest first.
    pub fn push(&mut self, event: Event) -> Result<(), TooLarge> {
        self.pass(0, Row::of(event), true)
    }

    /// Whether no further event would change the result.
    pub fn is_satisfied(&self) -> bool {
        for stage in &self.stages {
            match stage {
                Stage::Limit(0) => return true,
                Stage::Sort { .. } | Stage::Stats(_) => return false,
                Stage::Passing | Stage::Dedup(_) | Stage::Limit(_) => {}
            }
        }
        self.outcome.rows.len() >= self.limit
    }

    /// What was found, when there are no more events.
    pub fn finish(mut self) -> Result<Outcome, TooLarge> {
        for index in 0..self.stages.len() {
            match std::mem::replace(&mut self.stages[index], Stage::Passing) {
                Stage::Sort { mut rows, .. } => {
                    sort(&self.query.commands[index], &mut rows);
                    for (_, row) in rows {
                        self.budget.give_back(row.size());
                        self.pass(index + 1, row, false)?;
                    }
                }
                Stage::Stats(groups) => self.finish_groups(index, groups)?,
                other => self.stages[index] = other,
            }
        }
        Ok(self.outcome)
    }

    /// Takes a row through the commands from one on.
    fn pass(&mut self, from: usize, mut row: Row, mut counts: bool) -> Result<(), TooLarge> {
        let query = self.query.clone();
        for (index, command) in query.commands.iter().enumerate().skip(from) {
            if counts && !matches!(command, Command::Fields(_) | Command::Filter(_) | Command::Parse(_)) {
                self.outcome.matched += 1;
                counts = false;
            }
            match (command, &mut self.stages[index]) {
                (Command::Fields(fields), _) => {
                    for field in fields {
                        let value = field.expression.evaluate(&scope(&row, self.now));
                        row.set(&field.name, value);
                    }
                }
                (Command::Filter(condition), _) if !condition.evaluate(&scope(&row, self.now)).holds() => {
                    return Ok(());
                }
                (Command::Parse(extraction), _) => extract(extraction, &mut row, self.now),
                (Command::Limit(_), Stage::Limit(left)) => match left.checked_sub(1) {
                    Some(less) => *left = less,
                    None => return Ok(()),
                },
                (Command::Dedup(names), Stage::Dedup(seen)) => {
                    let key: Option<Vec<String>> =
                        names.iter().map(|name| row.get(name).text().map(Cow::into_owned)).collect();
                    // A row without one of the fields is no duplicate.
                    if let Some(key) = key {
                        let bytes = key.iter().map(|text| text.len() + 48).sum();
                        if !seen.insert(key) {
                            return Ok(());
                        }
                        self.budget.take(bytes)?;
                    }
                }
                (Command::Sort(keys), Stage::Sort { rows, most }) => {
                    let values = keys.iter().map(|(key, _)| key.evaluate(&scope(&row, self.now))).collect();
                    self.budget.take(row.size())?;
                    rows.push((values, row));
                    // Twice as many as needed wait, so that sorting again is rare.
                    if rows.len() >= most.saturating_mul(2).max(1024) && rows.len() > *most {
                        sort(command, rows);
                        let freed: usize = rows[*most..].iter().map(|(_, row)| row.size()).sum();
                        rows.truncate(*most);
                        self.budget.give_back(freed);
                    }
                    return Ok(());
                }
                (Command::Stats(stats), Stage::Stats(groups)) => {
                    let bytes = groups.add(stats, &row, self.now);
                    return self.budget.take(bytes);
                }
                // Stages are made for their commands; a finished one is only passed.
                _ => {}
            }
        }
        if counts {
            self.outcome.matched += 1;
        }
        self.show(&row)
    }

    fn show(&mut self, row: &Row) -> Result<(), TooLarge> {
        if self.outcome.rows.len() >= self.limit {
            return Ok(());
        }
        let pointer = self.query.of_events.then_some("@ptr");
        let names =
            self.query.columns.iter().map(String::as_str).filter(|name| *name != "@ptr").chain(pointer);
        let shown: Vec<(String, String)> =
            names.filter_map(|name| Some((name.to_owned(), row.get(name).text()?.into_owned()))).collect();
        self.budget.take(shown.iter().map(|(name, text)| name.len() + text.len() + 48).sum())?;
        self.outcome.rows.push(shown);
        Ok(())
    }

    fn finish_groups(&mut self, index: usize, mut groups: Groups) -> Result<(), TooLarge> {
        let query = self.query.clone();
        let Command::Stats(stats) = &query.commands[index] else { return Ok(()) };
        if groups.groups.is_empty() && stats.by.is_empty() {
            groups.groups.push((Vec::new(), stats.aggregates.iter().map(Aggregate::start).collect()));
        }
        for (keys, states) in groups.groups {
            let names = stats.by.iter().map(|by| by.name.clone());
            let mut row = Row::computed(names.zip(keys).collect());
            let finished = stats.aggregates.iter().zip(states);
            let values: Vec<Value> = finished.map(|(aggregate, state)| aggregate.finish(state)).collect();
            for result in &stats.results {
                let scope = Scope { row: &row, aggregates: &values, now: self.now };
                let value = result.expression.evaluate(&scope);
                row.set(&result.name, value);
            }
            self.pass(index + 1, row, false)?;
        }
        Ok(())
    }
}

impl Stage {
    fn of(commands: &[Command], index: usize, limit: usize) -> Self {
        match &commands[index] {
            Command::Fields(_) | Command::Filter(_) | Command::Parse(_) => Self::Passing,
            Command::Dedup(_) => Self::Dedup(HashSet::new()),
            Command::Limit(rows) => Self::Limit(*rows),
            Command::Stats(_) => Self::Stats(Groups::default()),
            Command::Sort(_) => Self::Sort { rows: Vec::new(), most: needed(&commands[index + 1..], limit) },
        }
    }
}

/// How many of the first rows the commands after a sort can need.
fn needed(after: &[Command], limit: usize) -> usize {
    for command in after {
        match command {
            Command::Fields(_) | Command::Parse(_) => {}
            Command::Limit(rows) => return *rows,
            Command::Filter(_) | Command::Dedup(_) | Command::Stats(_) | Command::Sort(_) => {
                return usize::MAX;
            }
        }
    }
    limit
}

impl Groups {
    /// Adds a row to its group; the answer is how many bytes that took.
    fn add(&mut self, stats: &Stats, row: &Row, now: i64) -> usize {
        let scope = scope(row, now);
        let keys: Vec<Value> = stats.by.iter().map(|by| by.expression.evaluate(&scope)).collect();
        let texts: Vec<Option<String>> = keys.iter().map(|key| key.text().map(Cow::into_owned)).collect();
        let mut bytes = 0;
        let place = *self.places.entry(texts).or_insert_with_key(|texts| {
            bytes = 128 + texts.iter().flatten().map(|text| 2 * text.len() + 96).sum::<usize>();
            bytes += stats.aggregates.len() * size_of::<State>();
            let states = stats.aggregates.iter().map(Aggregate::start).collect();
            self.groups.push((keys, states));
            self.groups.len() - 1
        });
        let (_, states) = &mut self.groups[place];
        for (aggregate, state) in stats.aggregates.iter().zip(states) {
            bytes += aggregate.add(state, &scope);
        }
        bytes
    }
}

fn scope(row: &Row, now: i64) -> Scope<'_> {
    Scope { row, aggregates: &[], now }
}

fn extract(extraction: &crate::query::Extraction, row: &mut Row, now: i64) {
    let text = extraction.of.evaluate(&scope(row, now));
    let Some(text) = text.text() else { return };
    let Some(found) = extraction.regex.captures(&text) else { return };
    for (group, name) in &extraction.names {
        if let Some(part) = found.get(*group) {
            row.set(name, Value::Text(part.as_str().to_owned()));
        }
    }
}

fn sort(command: &Command, rows: &mut [(Vec<Value>, Row)]) {
    let Command::Sort(keys) = command else { return };
    rows.sort_by(|(a, _), (b, _)| {
        let orders = a.iter().zip(b).zip(keys).map(|((a, b), (_, ascending))| {
            let order = a.sort_order(b);
            if *ascending { order } else { order.reverse() }
        });
        orders.into_iter().find(|order| *order != Ordering::Equal).unwrap_or(Ordering::Equal)
    });
}
