//! The order of semantic versions. Lenient where package data is: a leading `v`, missing or further parts, numbers of any
//! length. For strict versions it is the order of the `semver` crate, which tests compare it with.

use crate::numbers;
use std::cmp::Ordering;

pub(crate) fn compare(left: &str, right: &str) -> Ordering {
    let ((left, left_pre), (right, right_pre)) = (parse(left), parse(right));
    parts(left, right).then_with(|| match (left_pre, right_pre) {
        (None, None) => Ordering::Equal,
        // A release is newer than what leads up to it.
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(left), Some(right)) => identifiers(left, right),
    })
}

/// The numbers and the pre-release; build metadata has no part in the order.
fn parse(text: &str) -> (&str, Option<&str>) {
    let text = text.trim().trim_start_matches(['v', 'V', '=']);
    let text = text.split_once('+').map_or(text, |(version, _)| version);
    text.split_once('-').map_or((text, None), |(numbers, pre)| (numbers, Some(pre)))
}

fn parts(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left.split('.'), right.split('.'));
    loop {
        let pair = (left.next(), right.next());
        if pair == (None, None) {
            return Ordering::Equal;
        }
        let (left, right) = (pair.0.unwrap_or(""), pair.1.unwrap_or(""));
        let order = identifier(left, right);
        if order.is_ne() {
            return order;
        }
    }
}

fn identifiers(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left.split('.'), right.split('.'));
    loop {
        let order = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (Some(left), Some(right)) => identifier(left, right),
            (left, right) => left.is_some().cmp(&right.is_some()),
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// Numbers by value and before texts.
fn identifier(left: &str, right: &str) -> Ordering {
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    match (number(left), number(right)) {
        (true, true) => numbers::compare(left, right),
        (false, false) => left.cmp(right),
        (left, _) => (!left).cmp(&left),
    }
}
