//! Comparisons, and how `&&`, `||` and parentheses join them.

use super::PatternError;
use super::cursor::Cursor;
use regex::Regex;

/// Parentheses inside each other, at most.
const MOST_DEPTH: usize = 32;

/// How a value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Operator {
    /// Reads an operator if one is next.
    pub fn parse(cursor: &mut Cursor<'_>) -> Option<Self> {
        cursor.skip_space();
        let operators = [
            ("!=", Self::NotEqual),
            ("<=", Self::LessOrEqual),
            (">=", Self::GreaterOrEqual),
            ("=", Self::Equal),
            ("<", Self::Less),
            (">", Self::Greater),
        ];
        operators.into_iter().find(|(text, _)| cursor.eat(text)).map(|(_, operator)| operator)
    }
}

/// What a value is compared with.
#[derive(Debug)]
pub enum Text {
    /// Pieces that follow each other with anything between them; a single piece is the whole text.
    Glob(Vec<String>),
    /// A number, which is compared as one, and the text it was written as.
    Number(f64, String),
    /// A regular expression that occurs in the value.
    Regex(Regex),
}

impl Text {
    /// A text in which `*` stands for anything.
    pub fn glob(text: &str) -> Self {
        Self::Glob(text.split('*').map(str::to_owned).collect())
    }

    /// A word without quotes: a number if it reads as one.
    pub fn bare(word: &str) -> Self {
        match word.parse::<f64>() {
            Ok(number) if number.is_finite() => Self::Number(number, word.to_owned()),
            _ => Self::glob(word),
        }
    }

    fn equals(&self, value: &str) -> bool {
        match self {
            Self::Glob(pieces) => glob_matches(pieces, value),
            Self::Number(number, text) => {
                text == value || value.parse::<f64>().is_ok_and(|value| same(value, *number))
            }
            Self::Regex(regex) => regex.is_match(value),
        }
    }

    /// Whether `value` stands in this relation to the text. Only numbers are less or greater.
    pub fn compare(&self, operator: Operator, value: &str) -> bool {
        let number = |holds: fn(f64, f64) -> bool| match (self, value.parse::<f64>()) {
            (Self::Number(wanted, _), Ok(value)) => holds(value, *wanted),
            _ => false,
        };
        match operator {
            Operator::Equal => self.equals(value),
            Operator::NotEqual => !self.equals(value),
            Operator::Less => number(|value, wanted| value < wanted),
            Operator::LessOrEqual => number(|value, wanted| value <= wanted),
            Operator::Greater => number(|value, wanted| value > wanted),
            Operator::GreaterOrEqual => number(|value, wanted| value >= wanted),
        }
    }
}

/// Numbers are the same when neither is greater; the pattern and the event write them in decimal.
fn same(a: f64, b: f64) -> bool {
    a.partial_cmp(&b) == Some(std::cmp::Ordering::Equal)
}

/// Pieces in their order, the first at the start and the last at the end.
fn glob_matches(pieces: &[String], value: &str) -> bool {
    let Some((first, others)) = pieces.split_first() else { return value.is_empty() };
    let Some((last, middle)) = others.split_last() else { return first == value };
    let Some(mut rest) = value.strip_prefix(first.as_str()) else { return false };
    for piece in middle {
        let Some(at) = rest.find(piece.as_str()) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last.as_str())
}

/// Conditions joined by and and or.
#[derive(Debug)]
pub enum Condition<T> {
    /// One comparison.
    One(T),
    /// All of them.
    All(Vec<Condition<T>>),
    /// Any of them.
    Any(Vec<Condition<T>>),
}

impl<T> Condition<T> {
    /// Reads a condition whose comparisons `one` reads; `&&` binds tighter than `||`.
    pub fn parse<'a>(
        cursor: &mut Cursor<'a>,
        one: &impl Fn(&mut Cursor<'a>) -> Result<T, PatternError>,
    ) -> Result<Self, PatternError> {
        Self::any(cursor, one, 0)
    }

    /// Whether the condition holds when `holds` says which comparisons do.
    pub fn holds(&self, holds: &impl Fn(&T) -> bool) -> bool {
        match self {
            Self::One(one) => holds(one),
            Self::All(all) => all.iter().all(|condition| condition.holds(holds)),
            Self::Any(any) => any.iter().any(|condition| condition.holds(holds)),
        }
    }

    /// Every comparison, in order.
    pub fn all(&self) -> Vec<&T> {
        match self {
            Self::One(one) => vec![one],
            Self::All(inner) | Self::Any(inner) => inner.iter().flat_map(Self::all).collect(),
        }
    }

    fn any<'a>(
        cursor: &mut Cursor<'a>,
        one: &impl Fn(&mut Cursor<'a>) -> Result<T, PatternError>,
        depth: usize,
    ) -> Result<Self, PatternError> {
        let mut any = Vec::new();
        loop {
            let mut all = Vec::new();
            loop {
                all.push(Self::atom(cursor, one, depth)?);
                cursor.skip_space();
                if !cursor.eat("&&") {
                    break;
                }
            }
            any.push(Self::All(all));
            if !cursor.eat("||") {
                return Ok(Self::Any(any));
            }
        }
    }

    fn atom<'a>(
        cursor: &mut Cursor<'a>,
        one: &impl Fn(&mut Cursor<'a>) -> Result<T, PatternError>,
        depth: usize,
    ) -> Result<Self, PatternError> {
        cursor.skip_space();
        if !cursor.eat("(") {
            return one(cursor).map(Self::One);
        }
        if depth == MOST_DEPTH {
            return Err(PatternError::new("Too many parentheses inside each other"));
        }
        let inner = Self::any(cursor, one, depth + 1)?;
        cursor.skip_space();
        cursor.require(")")?;
        Ok(inner)
    }
}
