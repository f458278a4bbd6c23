//! Debian's order: epoch, upstream version, revision; `~` sorts before the end, letters before other characters.

use crate::numbers;
use std::cmp::Ordering;

pub(crate) fn compare(left: &str, right: &str) -> Ordering {
    let ((left_epoch, left), (right_epoch, right)) = (epoch(left.trim()), epoch(right.trim()));
    let ((left, left_revision), (right, right_revision)) = (revision(left), revision(right));
    numbers::compare(left_epoch, right_epoch)
        .then_with(|| part(left, right))
        .then_with(|| part(left_revision, right_revision))
}

/// The epoch, if what stands before the colon is a number.
fn epoch(version: &str) -> (&str, &str) {
    match version.split_once(':') {
        Some((epoch, rest)) if epoch.bytes().all(|byte| byte.is_ascii_digit()) => (epoch, rest),
        _ => ("", version),
    }
}

fn revision(version: &str) -> (&str, &str) {
    version.rsplit_once('-').unwrap_or((version, ""))
}

fn part(mut left: &str, mut right: &str) -> Ordering {
    while !(left.is_empty() && right.is_empty()) {
        let ((left_word, left_rest), (right_word, right_rest)) = (word(left), word(right));
        let words = words(left_word, right_word);
        if words.is_ne() {
            return words;
        }
        let (left_number, right_number);
        (left_number, left) = numbers::split(left_rest);
        (right_number, right) = numbers::split(right_rest);
        let numbers = numbers::compare(left_number, right_number);
        if numbers.is_ne() {
            return numbers;
        }
    }
    Ordering::Equal
}

fn word(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| c.is_ascii_digit()).unwrap_or(text.len()))
}

fn words(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left.bytes(), right.bytes());
    loop {
        let pair = (left.next(), right.next());
        let order = weight(pair.0).cmp(&weight(pair.1));
        if order.is_ne() || pair == (None, None) {
            return order;
        }
    }
}

fn weight(byte: Option<u8>) -> i32 {
    match byte {
        Some(b'~') => -1,
        None => 0,
        Some(byte) if byte.is_ascii_alphabetic() => byte.into(),
        Some(byte) => i32::from(byte) + 256,
    }
}
