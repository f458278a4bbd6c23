//! RPM's order: epoch, version, release. Segments of digits or letters; `~` sorts before the end, `^` after it.

use crate::numbers;
use std::cmp::Ordering;

pub(crate) fn compare(left: &str, right: &str) -> Ordering {
    let ((left_epoch, left), (right_epoch, right)) = (epoch(left), epoch(right));
    let ((left, left_release), (right, right_release)) = (release(left), release(right));
    numbers::compare(left_epoch, right_epoch)
        .then_with(|| segments(left, right))
        .then_with(|| segments(left_release, right_release))
}

fn epoch(version: &str) -> (&str, &str) {
    match version.split_once(':') {
        Some((epoch, rest)) if epoch.bytes().all(|byte| byte.is_ascii_digit()) => (epoch, rest),
        _ => ("", version),
    }
}

fn release(version: &str) -> (&str, &str) {
    version.rsplit_once('-').unwrap_or((version, ""))
}

/// The order of `rpmvercmp`.
fn segments(mut left: &str, mut right: &str) -> Ordering {
    loop {
        (left, right) = (skip(left), skip(right));
        // A tilde is before everything, the end included; a caret after the end and before everything else.
        let order = rank(left).cmp(&rank(right));
        if order.is_ne() {
            return order;
        }
        if let (Some(l), Some(r)) = (left.strip_prefix(['~', '^']), right.strip_prefix(['~', '^'])) {
            (left, right) = (l, r);
            continue;
        }
        if left.is_empty() {
            return Ordering::Equal;
        }
        let ((l, left_rest), (r, right_rest)) = (segment(left), segment(right));
        let order = match (starts_with_digit(l), starts_with_digit(r)) {
            (true, true) => numbers::compare(l, r),
            (false, false) => l.cmp(r),
            // Numbers are newer than letters.
            (number, _) => number.cmp(&!number),
        };
        if order.is_ne() {
            return order;
        }
        (left, right) = (left_rest, right_rest);
    }
}

fn skip(text: &str) -> &str {
    text.trim_start_matches(|c: char| !c.is_ascii_alphanumeric() && c != '~' && c != '^')
}

fn rank(text: &str) -> u8 {
    match text.as_bytes().first() {
        Some(b'~') => 0,
        None => 1,
        Some(b'^') => 2,
        Some(_) => 3,
    }
}

fn starts_with_digit(text: &str) -> bool {
    text.as_bytes().first().is_some_and(u8::is_ascii_digit)
}

fn segment(text: &str) -> (&str, &str) {
    if starts_with_digit(text) {
        numbers::split(text)
    } else {
        text.split_at(text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len()))
    }
}
