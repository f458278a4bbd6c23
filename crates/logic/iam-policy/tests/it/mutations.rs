//! The fuzz target's corpus and mutations of it, through the fuzz target's own check, on any compiler and with a seed.

#[path = "../../fuzz/check.rs"]
mod check;

use check::check;
use std::panic::catch_unwind;
use std::path::Path;

/// Mutated texts of a run. More are tried with cargo-fuzz, which also learns from what they reach.
const MUTATIONS: u64 = 20_000;
/// Longest text, as for the fuzz target.
const LONGEST: usize = 8 * 1024;
/// Pieces that mutations put in: what the language gives a meaning.
const PIECES: &[&str] = &[
    "*",
    "?",
    "${",
    "}",
    "${*}",
    "${aws:username, 'x'}",
    "\\u0000",
    "\"",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "null",
    "-1",
    "1e999",
    "2012-10-17",
    "2008-10-17",
    "\"Version\"",
    "\"NotAction\"",
    "\"NotPrincipal\"",
    "\"NotResource\"",
    "\"Condition\"",
    "ForAllValues:",
    "ForAnyValue:",
    "IfExists",
    "arn:aws:iam::111111111111:role/r",
    "0.0.0.0/0",
    "\n---\n",
    "é",
];

/// Numbers from a seed (splitmix64), so that a failure can be run again.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `limit`, which is not zero.
    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).expect("smaller than a usize")
    }

    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let (one, other) = (self.below(length + 1), self.below(length + 1));
        one.min(other)..one.max(other)
    }
}

fn corpus() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/policy");
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).expect("the corpus").map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read_to_string(path).expect("a text")).collect()
}

/// A text of the corpus, changed in one to eight places.
fn mutate(corpus: &[String], numbers: &mut Numbers) -> String {
    let mut text: Vec<char> = corpus[numbers.below(corpus.len())].chars().collect();
    for _ in 0..=numbers.below(8) {
        let at = numbers.below(text.len() + 1);
        match numbers.below(6) {
            0 => drop(text.drain(numbers.range(text.len().min(40)))),
            1 => drop(text.splice(at..at, PIECES[numbers.below(PIECES.len())].chars())),
            2 => {
                let part = text[numbers.range(text.len())].to_vec();
                let times = 1 + numbers.below(4);
                let repeated: Vec<char> = part.iter().copied().cycle().take(part.len() * times).collect();
                drop(text.splice(at..at, repeated));
            }
            3 => {
                let other: Vec<char> = corpus[numbers.below(corpus.len())].chars().collect();
                let part = other[numbers.range(other.len())].to_vec();
                drop(text.splice(at..at, part));
            }
            4 if at < text.len() => {
                text[at] =
                    char::from_u32(u32::try_from(numbers.below(0x300)).unwrap_or_default()).unwrap_or('x');
            }
            _ => {
                let one = numbers.below(text.len().max(1));
                if at < text.len() && one < text.len() {
                    text.swap(at, one);
                }
            }
        }
        text.truncate(LONGEST);
    }
    text.into_iter().collect()
}

#[test]
fn the_corpus_holds() {
    let corpus = corpus();
    assert!(!corpus.is_empty());
    for text in &corpus {
        check(text);
    }
}

#[test]
fn mutations_of_the_corpus_hold() {
    let corpus = corpus();
    for seed in 0..MUTATIONS {
        let text = mutate(&corpus, &mut Numbers(seed));
        let held = catch_unwind(|| check(&text));
        assert!(held.is_ok(), "mutation {seed} does not hold; add it to the corpus:\n{text}");
    }
}
