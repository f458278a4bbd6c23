//! What the command stats computes of each group.

use crate::Value;
use crate::expression::{Expression, Scope};
use std::cmp::Ordering;
use std::collections::HashSet;

/// An aggregate of a query.
#[derive(Debug)]
pub(crate) struct Aggregate {
    kind: Kind,
    /// What it is computed of; every row where there is none.
    of: Option<Expression>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Count,
    CountDistinct,
    Sum,
    Average,
    Least,
    Greatest,
    /// A percentile, which an argument tells.
    Percentile(f64),
    Deviation,
    Earliest,
    Latest,
    SortsFirst,
    SortsLast,
}

/// What is known of a group so far.
#[derive(Debug)]
pub(crate) enum State {
    Count(u64),
    Distinct(HashSet<String>),
    /// Number, mean, and squared distance from it.
    Moments(f64, f64, f64),
    Sum(Option<f64>),
    /// The best value by its place in an order.
    Best(Option<Value>),
    /// The value at the first or last time.
    At(Option<(i64, Value)>),
    Numbers(Vec<f64>),
}

impl Aggregate {
    /// The kind of a name, in any case.
    pub(crate) fn kind(name: &str) -> Option<Kind> {
        Some(match name.to_ascii_lowercase().as_str() {
            "count" => Kind::Count,
            "count_distinct" => Kind::CountDistinct,
            "sum" => Kind::Sum,
            "avg" => Kind::Average,
            "min" => Kind::Least,
            "max" => Kind::Greatest,
            "pct" => Kind::Percentile(f64::NAN),
            "median" => Kind::Percentile(50.0),
            "stddev" => Kind::Deviation,
            "earliest" => Kind::Earliest,
            "latest" => Kind::Latest,
            "sortsfirst" => Kind::SortsFirst,
            "sortslast" => Kind::SortsLast,
            _ => return None,
        })
    }

    pub(crate) fn new(kind: Kind, mut arguments: Vec<Expression>) -> Result<Self, &'static str> {
        let kind = match (kind, arguments.len()) {
            (Kind::Percentile(percent), 2) if percent.is_nan() => match arguments.pop() {
                Some(Expression::Literal(Value::Number(percent))) if (0.0..=100.0).contains(&percent) => {
                    Kind::Percentile(percent)
                }
                _ => return Err("the percentile is a number from 0 to 100"),
            },
            (Kind::Percentile(percent), _) if percent.is_nan() => {
                return Err("takes a field and a percentile");
            }
            (Kind::Count, 0 | 1) | (_, 1) => kind,
            _ => return Err("takes one argument"),
        };
        Ok(Self { kind, of: arguments.pop() })
    }

    pub(crate) fn start(&self) -> State {
        match self.kind {
            Kind::Count => State::Count(0),
            Kind::CountDistinct => State::Distinct(HashSet::new()),
            Kind::Sum => State::Sum(None),
            Kind::Average | Kind::Deviation => State::Moments(0.0, 0.0, 0.0),
            Kind::Least | Kind::Greatest | Kind::SortsFirst | Kind::SortsLast => State::Best(None),
            Kind::Earliest | Kind::Latest => State::At(None),
            Kind::Percentile(_) => State::Numbers(Vec::new()),
        }
    }

    /// Takes a row; the answer is how many bytes the state has grown by, about.
    pub(crate) fn add(&self, state: &mut State, scope: &Scope<'_>) -> usize {
        let value = match &self.of {
            Some(of) => of.evaluate(scope),
            None => Value::of_bool(true),
        };
        if value.is_null() {
            return 0;
        }
        match (state, value.number()) {
            (State::Count(count), _) => *count += 1,
            (State::Distinct(seen), _) => {
                let text = value.text().unwrap_or_default().into_owned();
                let size = text.len() + 48;
                return if seen.insert(text) { size } else { 0 };
            }
            (State::Sum(sum), Some(number)) => *sum = Some(sum.unwrap_or(0.0) + number),
            (State::Moments(count, mean, distance), Some(number)) => {
                *count += 1.0;
                let before = number - *mean;
                *mean += before / *count;
                *distance += before * (number - *mean);
            }
            (State::Numbers(numbers), Some(number)) => {
                numbers.push(number);
                return size_of::<f64>();
            }
            (State::Best(best), _) => {
                if best.as_ref().is_none_or(|best| self.prefers(&value, best)) {
                    *best = Some(value);
                }
            }
            (State::At(found), _) => {
                let Some(time) = scope.row.get("@timestamp").number() else { return 0 };
                let time = time as i64;
                let earlier = self.kind == Kind::Earliest;
                if found.as_ref().is_none_or(|(at, _)| if earlier { time < *at } else { time > *at }) {
                    *found = Some((time, value));
                }
            }
            (State::Sum(_) | State::Moments(..) | State::Numbers(_), None) => {}
        }
        0
    }

    fn prefers(&self, value: &Value, best: &Value) -> bool {
        let order = value.sort_order(best);
        match self.kind {
            Kind::Least | Kind::SortsFirst => order == Ordering::Less,
            _ => order == Ordering::Greater,
        }
    }

    pub(crate) fn finish(&self, state: State) -> Value {
        match state {
            State::Count(count) => Value::Number(count as f64),
            State::Distinct(seen) => Value::Number(seen.len() as f64),
            State::Sum(sum) => sum.map_or(Value::Null, Value::Number),
            State::Moments(0.0, ..) => Value::Null,
            State::Moments(count, _, distance) if self.kind == Kind::Deviation => {
                Value::Number((distance / (count - 1.0).max(1.0)).sqrt())
            }
            State::Moments(_, mean, _) => Value::Number(mean),
            State::Best(best) => best.unwrap_or(Value::Null),
            State::At(found) => found.map_or(Value::Null, |(_, value)| value),
            State::Numbers(numbers) => match self.kind {
                Kind::Percentile(percent) => percentile(numbers, percent),
                _ => Value::Null,
            },
        }
    }
}

/// Between the two nearest ranks, in proportion.
fn percentile(mut numbers: Vec<f64>, percent: f64) -> Value {
    numbers.sort_unstable_by(f64::total_cmp);
    let Some(last) = numbers.len().checked_sub(1) else { return Value::Null };
    let rank = percent / 100.0 * last as f64;
    let (low, high) = (numbers[rank.floor() as usize], numbers[(rank.ceil() as usize).min(last)]);
    Value::Number(low + (high - low) * rank.fract())
}
