//! The texts of a batch: each once, in one buffer.

use super::bytes::put_varint;
use crate::terms::ATTRIBUTES;
use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::BuildHasher;

/// Texts by number.
#[derive(Default)]
pub(super) struct Texts {
    buffer: String,
    spans: Vec<Span>,
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

#[derive(Clone, Copy)]
struct Span {
    start: u32,
    end: u32,
    /// Bits of the attributes the text is used as.
    used_as: u8,
}

impl Texts {
    /// The number of a text, a new one when it is not known yet.
    pub(super) fn number(&mut self, text: &str, used_as: u8) -> u32 {
        let Self { buffer, spans, table, hasher } = self;
        let slice = |number: u32| {
            let span = spans[number as usize];
            &buffer[span.start as usize..span.end as usize]
        };
        let hash = hasher.hash_one(text);
        if let Some(number) = table.find(hash, |number| slice(*number) == text) {
            let number = *number;
            spans[number as usize].used_as |= used_as;
            return number;
        }
        let number = spans.len() as u32;
        table.insert_unique(hash, number, |number| hasher.hash_one(slice(*number)));
        let start = buffer.len() as u32;
        buffer.push_str(text);
        spans.push(Span { start, end: buffer.len() as u32, used_as });
        number
    }

    /// The text with a number; empty for a number nobody has.
    pub(super) fn get(&self, number: u32) -> &str {
        self.spans
            .get(number as usize)
            .map_or("", |span| &self.buffer[span.start as usize..span.end as usize])
    }

    pub(super) fn size(&self) -> usize {
        self.buffer.len() + self.spans.len() * 3
    }

    pub(super) fn clear(&mut self) {
        self.buffer.clear();
        self.spans.clear();
        self.table.clear();
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.spans.len() as u64);
        for span in &self.spans {
            out.push(span.used_as);
            put_varint(out, u64::from(span.end - span.start));
        }
        put_varint(out, self.buffer.len() as u64);
        out.extend_from_slice(self.buffer.as_bytes());
    }

    /// The hashes of all texts that records are found by.
    pub(super) fn terms(&self) -> Vec<u32> {
        let mut terms = Vec::new();
        for (number, span) in self.spans.iter().enumerate().filter(|(_, span)| span.used_as != 0) {
            let text = self.get(number as u32);
            // An empty text is the absence of one.
            if !text.is_empty() {
                let uses = ATTRIBUTES.iter().filter(|attribute| span.used_as & attribute.bit() != 0);
                terms.extend(uses.map(|attribute| attribute.term(text)));
            }
        }
        terms
    }
}
