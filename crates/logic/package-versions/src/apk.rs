//! Alpine's order: numbers, a letter, suffixes, the package's revision. Numbers after the first one that begin with a
//! zero are compared like decimals, as in Gentoo, where the rules come from.

use crate::numbers;
use std::cmp::Ordering;

/// Suffixes before and after a version without one.
const BEFORE: [&str; 4] = ["alpha", "beta", "pre", "rc"];
const AFTER: [&str; 5] = ["cvs", "svn", "git", "hg", "p"];

/// What follows at a place of a version. The order of the variants is the order of versions that differ there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    EarlySuffix,
    End,
    Revision,
    LateSuffix,
    Letter,
    Number,
    Other,
}

pub(crate) fn compare(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left.trim(), right.trim());
    let mut first = true;
    loop {
        let (l, r) = (token(left, first), token(right, first));
        let order = l.kind.cmp(&r.kind).then_with(|| tokens(&l, &r, first));
        if order.is_ne() || l.kind == Kind::End {
            return order;
        }
        (left, right) = (l.rest, r.rest);
        first = false;
    }
}

struct Token<'a> {
    kind: Kind,
    word: &'a str,
    number: &'a str,
    rest: &'a str,
}

fn token(text: &str, first: bool) -> Token<'_> {
    let make = |kind, word, number, rest| Token { kind, word, number, rest };
    if text.is_empty() {
        return make(Kind::End, "", "", "");
    }
    let digits = if first { text } else { text.strip_prefix('.').unwrap_or("") };
    if digits.starts_with(|c: char| c.is_ascii_digit()) {
        let (number, rest) = numbers::split(digits);
        return make(Kind::Number, "", number, rest);
    }
    if let Some(revision) =
        text.strip_prefix("-r").filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    {
        let (number, rest) = numbers::split(revision);
        return make(Kind::Revision, "", number, rest);
    }
    if let Some(suffix) = text.strip_prefix('_') {
        let end = suffix.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(suffix.len());
        let (word, rest) = suffix.split_at(end);
        let (number, rest) = numbers::split(rest);
        if BEFORE.contains(&word) {
            return make(Kind::EarlySuffix, word, number, rest);
        }
        if AFTER.contains(&word) {
            return make(Kind::LateSuffix, word, number, rest);
        }
    }
    if text.starts_with(|c: char| c.is_ascii_lowercase()) {
        return make(Kind::Letter, &text[..1], "", &text[1..]);
    }
    let end = text.char_indices().nth(1).map_or(text.len(), |(at, _)| at);
    make(Kind::Other, &text[..end], "", &text[end..])
}

fn tokens(left: &Token<'_>, right: &Token<'_>, first: bool) -> Ordering {
    let place = |words: &[&str], word| words.iter().position(|known| *known == word);
    let words = match left.kind {
        Kind::EarlySuffix => place(&BEFORE, left.word).cmp(&place(&BEFORE, right.word)),
        Kind::LateSuffix => place(&AFTER, left.word).cmp(&place(&AFTER, right.word)),
        _ => left.word.cmp(right.word),
    };
    let zero = |token: &Token<'_>| token.number.len() > 1 && token.number.starts_with('0');
    let fraction = left.kind == Kind::Number && !first;
    words.then_with(|| match (fraction && zero(left), fraction && zero(right)) {
        (false, false) => numbers::compare(left.number, right.number),
        // A fraction is less than any whole number.
        (true, false) if right.number != "0" => Ordering::Less,
        (false, true) if left.number != "0" => Ordering::Greater,
        _ => left.number.cmp(right.number),
    })
}
