//! Expressions: read by precedence climbing, evaluated on a row.

use crate::Value;
use crate::aggregate::Aggregate;
use crate::cursor::{Cursor, Malformed};
use crate::event::Row;
use crate::function::Function;
use regex::{Regex, RegexBuilder};
use std::cmp::Ordering;

/// Expressions inside each other, at most.
const MOST_DEPTH: usize = 64;
/// Most memory of a compiled regular expression.
const REGEX_BYTES: usize = 512 * 1024;

/// An expression.
#[derive(Debug)]
pub(crate) enum Expression {
    Literal(Value),
    /// A length of time in milliseconds.
    Duration(f64),
    Field(String),
    Negative(Box<Expression>),
    Not(Box<Expression>),
    All(Box<Expression>, Box<Expression>),
    Any(Box<Expression>, Box<Expression>),
    Compare(Comparison, Box<Expression>, Box<Expression>),
    Calculate(char, Box<Expression>, Box<Expression>),
    Among(Box<Expression>, Vec<Expression>),
    /// Contains a text.
    Contains(Box<Expression>, String),
    Matches(Box<Expression>, Regex),
    Call(Function, Vec<Expression>),
    /// The result of the aggregate with this number, in the command stats.
    Aggregate(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    fn holds(self, left: &Value, right: &Value) -> bool {
        let order = || left.compare(right);
        match self {
            Self::Equal => left.same(right),
            Self::NotEqual => !left.same(right),
            Self::Less => order() == Some(Ordering::Less),
            Self::LessOrEqual => matches!(order(), Some(Ordering::Less | Ordering::Equal)),
            Self::Greater => order() == Some(Ordering::Greater),
            Self::GreaterOrEqual => matches!(order(), Some(Ordering::Greater | Ordering::Equal)),
        }
    }
}

/// What an expression is evaluated on.
pub(crate) struct Scope<'a> {
    pub(crate) row: &'a Row,
    /// Results of aggregates, where there are any.
    pub(crate) aggregates: &'a [Value],
    /// The time of the query, in milliseconds.
    pub(crate) now: i64,
}

impl Expression {
    pub(crate) fn evaluate(&self, scope: &Scope<'_>) -> Value {
        match self {
            Self::Literal(value) => value.clone(),
            Self::Duration(millis) => Value::Number(*millis),
            Self::Field(name) => scope.row.get(name),
            Self::Negative(inner) => {
                inner.evaluate(scope).number().map_or(Value::Null, |n| Value::Number(-n))
            }
            Self::Not(inner) => Value::of_bool(!inner.evaluate(scope).holds()),
            Self::All(a, b) => Value::of_bool(a.evaluate(scope).holds() && b.evaluate(scope).holds()),
            Self::Any(a, b) => Value::of_bool(a.evaluate(scope).holds() || b.evaluate(scope).holds()),
            Self::Compare(comparison, a, b) => {
                Value::of_bool(comparison.holds(&a.evaluate(scope), &b.evaluate(scope)))
            }
            Self::Calculate(operator, a, b) => calculate(*operator, &a.evaluate(scope), &b.evaluate(scope)),
            Self::Among(value, list) => {
                let value = value.evaluate(scope);
                Value::of_bool(list.iter().any(|item| item.evaluate(scope).same(&value)))
            }
            Self::Contains(value, text) => {
                let value = value.evaluate(scope);
                Value::of_bool(value.text().is_some_and(|value| value.contains(text.as_str())))
            }
            Self::Matches(value, regex) => {
                let value = value.evaluate(scope);
                Value::of_bool(value.text().is_some_and(|value| regex.is_match(&value)))
            }
            Self::Call(function, arguments) => {
                let values: Vec<Value> = arguments.iter().map(|argument| argument.evaluate(scope)).collect();
                function.call(&values, scope.now)
            }
            Self::Aggregate(index) => scope.aggregates.get(*index).cloned().unwrap_or(Value::Null),
        }
    }
}

fn calculate(operator: char, a: &Value, b: &Value) -> Value {
    let (Some(a), Some(b)) = (a.number(), b.number()) else { return Value::Null };
    let result = match operator {
        '+' => a + b,
        '-' => a - b,
        '*' => a * b,
        '/' => a / b,
        '%' => a % b,
        _ => a.powf(b),
    };
    if result.is_finite() { Value::Number(result) } else { Value::Null }
}

/// A regular expression of a query.
pub(crate) fn compile(cursor: &Cursor<'_>, start: usize, source: &str) -> Result<Regex, Malformed> {
    RegexBuilder::new(source).size_limit(REGEX_BYTES).build().map_err(|error| {
        let reason = error.to_string();
        let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
        cursor.error_since(start, format!("invalid regular expression: {reason}"))
    })
}

/// Reads expressions. Aggregates are allowed where there is a list that takes them.
pub(crate) struct Reader<'c, 'a> {
    pub(crate) cursor: &'c mut Cursor<'a>,
    pub(crate) aggregates: Option<Vec<Aggregate>>,
    depth: usize,
}

impl<'c, 'a> Reader<'c, 'a> {
    pub(crate) fn new(cursor: &'c mut Cursor<'a>) -> Self {
        Self { cursor, aggregates: None, depth: 0 }
    }

    pub(crate) fn expression(&mut self) -> Result<Expression, Malformed> {
        if self.depth == MOST_DEPTH {
            return Err(self.cursor.error_since(self.cursor.at(), "expressions are nested too deeply"));
        }
        self.depth += 1;
        let read = self.any();
        self.depth -= 1;
        read
    }

    fn any(&mut self) -> Result<Expression, Malformed> {
        let mut left = self.all()?;
        while self.cursor.eat_word("or") {
            left = Expression::Any(Box::new(left), Box::new(self.all()?));
        }
        Ok(left)
    }

    fn all(&mut self) -> Result<Expression, Malformed> {
        let mut left = self.negation()?;
        while self.cursor.eat_word("and") {
            left = Expression::All(Box::new(left), Box::new(self.negation()?));
        }
        Ok(left)
    }

    fn negation(&mut self) -> Result<Expression, Malformed> {
        let mut negative = false;
        while self.cursor.eat_word("not") {
            negative = !negative;
        }
        let inner = self.comparison()?;
        Ok(if negative { Expression::Not(Box::new(inner)) } else { inner })
    }

    fn comparison(&mut self) -> Result<Expression, Malformed> {
        let left = self.sum()?;
        let negative = self.cursor.eat_word("not");
        let found = if self.cursor.eat_word("in") {
            self.among(left)?
        } else if self.cursor.eat_word("like") || (!negative && self.cursor.eat("=~")) {
            self.like(left)?
        } else if negative {
            return Err(self.cursor.expected("'in' or 'like'"));
        } else {
            return self.ordered(left);
        };
        Ok(if negative { Expression::Not(Box::new(found)) } else { found })
    }

    fn ordered(&mut self, left: Expression) -> Result<Expression, Malformed> {
        let comparisons = [
            ("!=", Comparison::NotEqual),
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("==", Comparison::Equal),
            ("=", Comparison::Equal),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ];
        let found = comparisons.into_iter().find(|(symbol, _)| self.cursor.eat(symbol));
        Ok(match found {
            Some((_, comparison)) => Expression::Compare(comparison, Box::new(left), Box::new(self.sum()?)),
            None => left,
        })
    }

    fn among(&mut self, left: Expression) -> Result<Expression, Malformed> {
        self.cursor.require("[")?;
        let mut list = Vec::new();
        if !self.cursor.eat("]") {
            loop {
                list.push(self.expression()?);
                if self.cursor.eat("]") {
                    break;
                }
                self.cursor.require(",")?;
            }
        }
        Ok(Expression::Among(Box::new(left), list))
    }

    fn like(&mut self, left: Expression) -> Result<Expression, Malformed> {
        let start = self.cursor.at();
        if let Some(source) = self.cursor.slashed()? {
            return Ok(Expression::Matches(Box::new(left), compile(self.cursor, start, &source)?));
        }
        match self.cursor.quoted()? {
            Some(text) => Ok(Expression::Contains(Box::new(left), text)),
            None => Err(self.cursor.expected("a text in quotes or a regular expression between slashes")),
        }
    }

    fn sum(&mut self) -> Result<Expression, Malformed> {
        self.calculation(&['+', '-'], Self::product)
    }

    fn product(&mut self) -> Result<Expression, Malformed> {
        self.calculation(&['*', '/', '%'], Self::power)
    }

    fn power(&mut self) -> Result<Expression, Malformed> {
        self.calculation(&['^'], Self::sign)
    }

    fn calculation(
        &mut self,
        operators: &[char],
        operand: fn(&mut Self) -> Result<Expression, Malformed>,
    ) -> Result<Expression, Malformed> {
        let mut left = operand(self)?;
        loop {
            let found = operators.iter().find(|operator| self.cursor.eat(operator.encode_utf8(&mut [0; 4])));
            let Some(operator) = found else { return Ok(left) };
            left = Expression::Calculate(*operator, Box::new(left), Box::new(operand(self)?));
        }
    }

    fn sign(&mut self) -> Result<Expression, Malformed> {
        let mut negative = false;
        while self.cursor.eat("-") {
            negative = !negative;
        }
        let inner = self.primary()?;
        Ok(if negative { Expression::Negative(Box::new(inner)) } else { inner })
    }

    fn primary(&mut self) -> Result<Expression, Malformed> {
        if self.cursor.eat("(") {
            let inner = self.expression()?;
            self.cursor.require(")")?;
            return Ok(inner);
        }
        if let Some(text) = self.cursor.quoted()? {
            return Ok(Expression::Literal(Value::Text(text)));
        }
        let start = self.cursor.at();
        if let Some((number, unit)) = self.cursor.number()? {
            return match millis_of(unit) {
                _ if unit.is_empty() => Ok(Expression::Literal(Value::Number(number))),
                Some(millis) => Ok(Expression::Duration(number * millis)),
                None => Err(self.cursor.error_since(start, format!("'{unit}' is no unit of time"))),
            };
        }
        let name = self.cursor.require_name()?;
        if self.cursor.peek() != Some('(') {
            return Ok(match name.as_str() {
                "true" => Expression::Literal(Value::of_bool(true)),
                "false" => Expression::Literal(Value::of_bool(false)),
                _ => Expression::Field(name),
            });
        }
        self.call(start, &name)
    }

    fn call(&mut self, start: usize, name: &str) -> Result<Expression, Malformed> {
        self.cursor.require("(")?;
        if let Some(kind) = Aggregate::kind(name)
            && self.aggregates.is_some()
        {
            let arguments = self.arguments(true)?;
            let aggregate = Aggregate::new(kind, arguments)
                .map_err(|message| self.cursor.error_since(start, format!("{name}: {message}")))?;
            // Taken above; aggregates inside of aggregates were read with the list away.
            let aggregates = self.aggregates.get_or_insert_default();
            aggregates.push(aggregate);
            return Ok(Expression::Aggregate(aggregates.len() - 1));
        }
        let Some(function) = Function::named(name) else {
            let text = if Aggregate::kind(name).is_some() {
                format!("{name} is for the command stats only")
            } else {
                format!("'{name}' is no function of this region")
            };
            return Err(self.cursor.error_since(start, text));
        };
        let arguments = self.arguments(false)?;
        if !function.takes(arguments.len()) {
            return Err(self
                .cursor
                .error_since(start, format!("{name} does not take {} arguments", arguments.len())));
        }
        Ok(Expression::Call(function, arguments))
    }

    /// Arguments up to the closing parenthesis. Those of an aggregate hold no aggregates; `*` counts as no argument.
    fn arguments(&mut self, of_aggregate: bool) -> Result<Vec<Expression>, Malformed> {
        let kept = if of_aggregate { self.aggregates.take() } else { None };
        let mut arguments = Vec::new();
        if !(self.cursor.eat(")") || of_aggregate && self.cursor.eat("*") && self.closed()?) {
            loop {
                arguments.push(self.expression()?);
                if self.cursor.eat(")") {
                    break;
                }
                self.cursor.require(",")?;
            }
        }
        if of_aggregate {
            self.aggregates = kept;
        }
        Ok(arguments)
    }

    fn closed(&mut self) -> Result<bool, Malformed> {
        self.cursor.require(")").map(|()| true)
    }
}

/// Milliseconds of a unit of time.
fn millis_of(unit: &str) -> Option<f64> {
    Some(match unit {
        "ms" | "msec" => 1.0,
        "s" | "sec" | "second" | "seconds" => 1e3,
        "m" | "min" | "minute" | "minutes" => 6e4,
        "h" | "hr" | "hour" | "hours" => 3.6e6,
        "d" | "day" | "days" => 8.64e7,
        "w" | "week" | "weeks" => 6.048e8,
        _ => return None,
    })
}
