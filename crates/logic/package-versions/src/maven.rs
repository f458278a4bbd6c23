//! Maven's order, as its POM reference describes it: tokens with the separator before them, trailing null values trimmed
//! at each hyphen, the shorter version padded with null values.

use crate::numbers;
use std::cmp::Ordering;

/// Qualifiers with a place of their own; the empty one is a release. Others come after them, by their text.
const QUALIFIERS: [&str; 7] = ["alpha", "beta", "milestone", "rc", "snapshot", "", "sp"];

#[derive(Clone, Debug, PartialEq, Eq)]
struct Token {
    hyphen: bool,
    text: String,
}

impl Token {
    fn is_number(&self) -> bool {
        self.text.starts_with(|c: char| c.is_ascii_digit())
    }

    fn is_null(&self) -> bool {
        self.text.bytes().all(|byte| byte == b'0')
    }
}

pub(crate) fn compare(left: &str, right: &str) -> Ordering {
    let (left, right) = (tokens(left), tokens(right));
    for index in 0..left.len().max(right.len()) {
        let (l, r) = (left.get(index), right.get(index));
        let order = match (l, r) {
            (Some(l), Some(r)) => order(l, r),
            (Some(l), None) => order(l, &padding(l)),
            (None, Some(r)) => order(&padding(r), r),
            (None, None) => Ordering::Equal,
        };
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

/// The null value that stands for a missing token.
fn padding(other: &Token) -> Token {
    let text = if other.is_number() { "0" } else { "" };
    Token { hyphen: other.hyphen, text: text.to_owned() }
}

fn order(left: &Token, right: &Token) -> Ordering {
    rank(left).cmp(&rank(right)).then_with(|| match (left.is_number(), right.is_number()) {
        (true, true) => numbers::compare(&left.text, &right.text),
        _ => qualifier(&left.text).cmp(&qualifier(&right.text)),
    })
}

/// A qualifier is before a number, a number after a hyphen before one after a dot.
fn rank(token: &Token) -> u8 {
    match (token.is_number(), token.hyphen) {
        (false, _) => 0,
        (true, true) => 1,
        (true, false) => 2,
    }
}

fn qualifier(text: &str) -> (usize, &str) {
    match QUALIFIERS.iter().position(|known| *known == text) {
        Some(place) => (place, ""),
        None => (QUALIFIERS.len(), text),
    }
}

fn tokens(version: &str) -> Vec<Token> {
    let version = version.trim().to_ascii_lowercase();
    let mut tokens = Vec::new();
    let mut rest = version.as_str();
    let mut hyphen = false;
    loop {
        let digits = rest.starts_with(|c: char| c.is_ascii_digit());
        let ends = |c: char| matches!(c, '.' | '-' | '_') || c.is_ascii_digit() != digits;
        let (word, after) = rest.split_at(rest.find(ends).unwrap_or(rest.len()));
        let before_number = after.starts_with(|c: char| c.is_ascii_digit());
        tokens.push(Token { hyphen, text: word_of(word, before_number) });
        let Some(next) = after.chars().next() else { break };
        hyphen = next != '.';
        rest = if matches!(next, '.' | '-' | '_') { &after[1..] } else { after };
    }
    trim(&mut tokens);
    tokens
}

/// Long names of qualifiers, and a zero for nothing.
fn word_of(word: &str, before_number: bool) -> String {
    match word {
        "" => "0",
        "a" if before_number => "alpha",
        "b" if before_number => "beta",
        "m" if before_number => "milestone",
        "cr" => "rc",
        "ga" | "final" | "release" => "",
        word => word,
    }
    .to_owned()
}

/// Removes null values at the end, and before each hyphen.
fn trim(tokens: &mut Vec<Token>) {
    let mut end = tokens.len();
    while end > 0 {
        let mut start = end;
        while start > 0 && tokens[start - 1].is_null() {
            start -= 1;
        }
        tokens.drain(start..end);
        // On to the next place where a hyphen follows.
        end = (0..start.min(tokens.len())).rev().find(|index| tokens[*index].hyphen).unwrap_or(0);
    }
    debug_assert!(tokens.last().is_none_or(|last| !last.is_null()), "null values are trimmed");
}
