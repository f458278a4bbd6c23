//! One vulnerability of one package.

use crate::Severity;
use serde::{Deserialize, Serialize};

/// A package as advisories name it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PackageKey {
    /// OSV's name of the ecosystem with its release, such as `Debian:12`, `Alpine:v3.19`, `PyPI`.
    pub system: String,
    /// Name, in the ecosystem's normal form; of distributions mostly that of the source package.
    pub name: String,
}

/// Who says so. The order is that of trust when two say something about one package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Feed {
    /// Debian's security tracker.
    DebianTracker,
    /// Alpine's secdb.
    AlpineSecdb,
    /// RustSec.
    RustSec,
    /// A document in the OSV format.
    Osv,
}

impl Feed {
    /// The feed's name for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::DebianTracker => "Debian Security Tracker",
            Self::AlpineSecdb => "Alpine secdb",
            Self::RustSec => "RustSec",
            Self::Osv => "OSV",
        }
    }
}

/// What is known of one vulnerability of one package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advisory {
    /// Who says so.
    pub feed: Feed,
    /// The feed's name for it.
    pub id: String,
    /// Other names.
    pub aliases: Vec<String>,
    /// Affected versions, as ranges.
    pub ranges: Vec<Range>,
    /// Affected versions, one by one.
    pub versions: Vec<String>,
    /// How severe the distribution or the publisher calls it.
    pub severity: Option<Severity>,
    /// CVSS vectors.
    pub vectors: Vec<String>,
    /// One line.
    pub summary: String,
    /// The description, shortened.
    pub details: String,
    /// Pages about it, the feed's own first.
    pub references: Vec<String>,
    /// When it was published, in seconds since the epoch.
    pub published: Option<i64>,
    /// When it last changed.
    pub modified: Option<i64>,
}

/// Versions from one that brought the vulnerability to one that ended it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// The first affected version; `None` for all there ever were.
    pub introduced: Option<String>,
    /// Where it ends.
    pub end: End,
}

/// The end of a range.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// Not fixed.
    Open,
    /// The first version that is not affected.
    Fixed(String),
    /// The last version that is affected; no fixed one is known.
    LastAffected(String),
}

impl Advisory {
    /// The name by which others know it: the CVE if it is about just one, and else its own.
    pub fn name(&self) -> &str {
        let mut cves = std::iter::once(&self.id).chain(&self.aliases).filter(|id| id.starts_with("CVE-"));
        match (cves.next(), cves.next()) {
            (Some(cve), None) => cve,
            _ => &self.id,
        }
    }
}

/// Most bytes of a description that are kept.
const LONGEST_DETAILS: usize = 2048;
const LONGEST_SUMMARY: usize = 256;
const MOST_REFERENCES: usize = 8;
const MOST_ALIASES: usize = 16;

impl Advisory {
    /// Cuts texts to what is kept.
    pub(crate) fn bounded(mut self) -> Self {
        cut(&mut self.details, LONGEST_DETAILS);
        cut(&mut self.summary, LONGEST_SUMMARY);
        self.references.retain(|reference| reference.len() <= 512);
        self.references.truncate(MOST_REFERENCES);
        self.aliases.truncate(MOST_ALIASES);
        self
    }
}

fn cut(text: &mut String, most: usize) {
    if text.len() > most {
        let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
}
