//! A fuzz target's corpus and changed copies of it, through the fuzz target's own check: on any compiler, in ordinary
//! tests, with a seed. More is tried with cargo-fuzz, which also learns from what it reaches.
//!
//! For tests only; no part of a program depends on it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// What is tried.
#[derive(Clone, Copy, Debug)]
pub struct Trial<'a> {
    /// The folder of a crate's fuzz target's corpus: `CARGO_MANIFEST_DIR` and what follows it.
    pub corpus: (&'a str, &'a str),
    /// Pieces that are put in: what the format gives a meaning.
    pub pieces: &'a [&'a str],
    /// Changed copies.
    pub count: u64,
    /// Longest copy.
    pub longest: usize,
}

impl Trial<'_> {
    /// Checks every entry of the corpus and the changed copies.
    ///
    /// # Panics
    /// When one does not hold, with its seed and content.
    pub fn run(&self, check: impl Fn(&[u8])) {
        let corpus = self.entries();
        for entry in &corpus {
            check(entry);
        }
        for seed in 0..self.count {
            let content = self.mutate(&corpus, &mut Numbers(seed));
            let held = catch_unwind(AssertUnwindSafe(|| check(&content)));
            let shown = String::from_utf8_lossy(&content);
            assert!(held.is_ok(), "copy {seed} does not hold; add it to the corpus:\n{shown}");
        }
    }

    fn entries(&self) -> Vec<Vec<u8>> {
        let folder = Path::new(self.corpus.0).join(self.corpus.1);
        let entries =
            std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry of the corpus").path()).collect();
        paths.sort();
        assert!(!paths.is_empty(), "{} is empty", folder.display());
        paths.iter().map(|path| std::fs::read(path).expect("a file of the corpus")).collect()
    }

    /// An entry of the corpus, changed in one to eight places.
    fn mutate(&self, corpus: &[Vec<u8>], numbers: &mut Numbers) -> Vec<u8> {
        let mut content = corpus[numbers.below(corpus.len())].clone();
        for _ in 0..=numbers.below(8) {
            let at = numbers.below(content.len() + 1);
            match numbers.below(7) {
                0 => drop(content.drain(numbers.range(content.len().min(40)))),
                1 if !self.pieces.is_empty() => {
                    drop(content.splice(at..at, self.pieces[numbers.below(self.pieces.len())].bytes()));
                }
                2 => {
                    let part = content[numbers.range(content.len())].to_vec();
                    let length = part.len() * (1 + numbers.below(4));
                    let repeated: Vec<u8> = part.into_iter().cycle().take(length).collect();
                    drop(content.splice(at..at, repeated));
                }
                3 => {
                    let other = &corpus[numbers.below(corpus.len())];
                    drop(content.splice(at..at, other[numbers.range(other.len())].to_vec()));
                }
                4 if at < content.len() => content[at] = numbers.next().to_le_bytes()[0],
                5 => {
                    // A number of four bytes, as binary formats have them; its ends are what is seldom thought of.
                    let word = [0, 1, 0xffff, 0x7fff_ffff, u32::MAX][numbers.below(5)];
                    let end = (at + 4).min(content.len());
                    content[at..end].copy_from_slice(&word.to_be_bytes()[..end - at]);
                }
                _ => {
                    let one = numbers.below(content.len().max(1));
                    if at < content.len() && one < content.len() {
                        content.swap(at, one);
                    }
                }
            }
            content.truncate(self.longest);
        }
        content
    }
}

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
        // A remainder of a usize is one.
        (self.next() % limit as u64) as usize
    }

    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let (one, other) = (self.below(length + 1), self.below(length + 1));
        one.min(other)..one.max(other)
    }
}
