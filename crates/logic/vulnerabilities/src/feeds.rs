//! The forms in which advisories are published.
//!
//! A feed is a sequence of [`Item`]s. Each is what the feed says under one of its own names, as advisories for the packages
//! that it is about; one without any says that there is nothing, for example because it was withdrawn.

mod alpine;
mod debian;
mod osv;
mod rustsec;

pub use alpine::alpine_secdb;
pub use debian::debian_tracker;
pub use osv::osv;
pub use rustsec::rustsec;

use crate::{Advisory, PackageKey};
use std::io;

/// What a feed says under one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The name: an advisory's, or a package's where a feed is ordered by packages.
    pub id: String,
    /// For each package that it affects.
    pub advisories: Vec<(PackageKey, Advisory)>,
}

/// Why a document could not be read.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// It is not JSON of the form that it should be.
    #[error("not in the expected form: {0}")]
    Json(#[from] serde_json::Error),
    /// It has no front matter with an advisory.
    #[error("not a RustSec advisory: {0}")]
    RustSec(String),
    /// It could not be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Which form a document has, as far as its first bytes show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// An OSV document, or an array of them.
    Osv,
    /// All of Debian's tracker.
    DebianTracker,
    /// A branch and repository of Alpine's secdb.
    AlpineSecdb,
    /// A Markdown file of RustSec.
    RustSec,
    /// A zip archive of documents.
    Zip,
}

/// The form of a document, judged by up to its first 64 KiB.
pub fn form_of(start: &[u8]) -> Option<Form> {
    if start.starts_with(b"PK\x03\x04") {
        return Some(Form::Zip);
    }
    let text = String::from_utf8_lossy(start);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    if text.starts_with("```toml") {
        return Some(Form::RustSec);
    }
    if !text.starts_with(['{', '[']) {
        return None;
    }
    let has = |key: &str| text.contains(&format!("\"{key}\""));
    if has("distroversion") || has("secfixes") || has("reponame") {
        return Some(Form::AlpineSecdb);
    }
    if text.starts_with('{') && has("releases") && !has("affected") {
        return Some(Form::DebianTracker);
    }
    (has("id") && (has("affected") || has("modified") || has("schema_version") || has("withdrawn")))
        .then_some(Form::Osv)
}

/// Seconds since the epoch of an RFC 3339 time or a date.
fn seconds(text: &str) -> Option<i64> {
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Some(time.as_second());
    }
    let date = text.parse::<jiff::civil::Date>().ok()?;
    Some(date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second())
}
