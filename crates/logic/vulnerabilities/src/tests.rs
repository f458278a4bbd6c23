//! Real advisories, every feed, and what is found for whole inventories.

mod feeds;
mod matching;
