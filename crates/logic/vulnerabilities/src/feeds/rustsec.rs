//! RustSec's advisories: Markdown files that begin with TOML.

use super::{FeedError, Item, seconds};
use crate::{Advisory, End, Feed, PackageKey, Range, Severity};
use package_versions::{Scheme, compare};
use semver::{Comparator, Op, VersionReq};
use serde::Deserialize;
use std::cmp::Ordering;

#[derive(Deserialize)]
struct Front {
    advisory: Head,
    #[serde(default)]
    versions: Versions,
}

#[derive(Deserialize)]
struct Head {
    id: String,
    package: String,
    date: Option<String>,
    url: Option<String>,
    #[serde(default)]
    references: Vec<String>,
    #[serde(default)]
    aliases: Vec<String>,
    cvss: Option<String>,
    informational: Option<String>,
    withdrawn: Option<String>,
}

#[derive(Default, Deserialize)]
struct Versions {
    #[serde(default)]
    patched: Vec<String>,
    #[serde(default)]
    unaffected: Vec<String>,
}

/// Reads one file.
pub fn rustsec(content: &[u8]) -> Result<Item, FeedError> {
    let wrong = |reason: &str| FeedError::RustSec(reason.to_owned());
    let text = std::str::from_utf8(content).map_err(|_| wrong("it is not UTF-8"))?;
    let text =
        text.trim_start().strip_prefix("```toml").ok_or_else(|| wrong("it does not begin with ```toml"))?;
    let (front, body) = text.split_once("```").ok_or_else(|| wrong("the front matter does not end"))?;
    let front: Front = toml::from_str(front).map_err(|error| FeedError::RustSec(error.to_string()))?;
    let head = front.advisory;
    if head.withdrawn.is_some() {
        return Ok(Item { id: head.id, advisories: Vec::new() });
    }
    let (summary, details) = title_and_text(body);
    let advisory = Advisory {
        feed: Feed::RustSec,
        aliases: head.aliases,
        ranges: vulnerable(&front.versions)?,
        versions: Vec::new(),
        // Crates nobody maintains and the like are no vulnerabilities; unsound ones may be.
        severity: head.informational.filter(|kind| kind != "unsound").map(|_| Severity::Informational),
        vectors: head.cvss.into_iter().collect(),
        summary,
        details,
        references: std::iter::once(format!("https://rustsec.org/advisories/{}", head.id))
            .chain(head.url)
            .chain(head.references)
            .collect(),
        published: head.date.as_deref().and_then(seconds),
        modified: None,
        id: head.id.clone(),
    };
    let key = PackageKey { system: "crates.io".to_owned(), name: head.package };
    Ok(Item { id: head.id, advisories: vec![(key, advisory.bounded())] })
}

fn title_and_text(body: &str) -> (String, String) {
    let body = body.trim();
    match body.strip_prefix("# ") {
        Some(rest) => {
            let (title, text) = rest.split_once('\n').unwrap_or((rest, ""));
            (title.trim().to_owned(), text.trim().to_owned())
        }
        None => (String::new(), body.to_owned()),
    }
}

/// From one version up to and without another; `None` stands for all that follow.
type Interval = (String, Option<String>);

/// What is neither patched nor unaffected.
fn vulnerable(versions: &Versions) -> Result<Vec<Range>, FeedError> {
    let mut safe = Vec::new();
    for requirement in versions.patched.iter().chain(&versions.unaffected) {
        let parsed = VersionReq::parse(requirement)
            .map_err(|error| FeedError::RustSec(format!("the requirement {requirement}: {error}")))?;
        safe.extend(interval(&parsed));
    }
    safe.sort_by(|left, right| order(&left.0, &right.0));
    let mut ranges = Vec::new();
    // Where what may be vulnerable begins; `None` once everything that follows is safe.
    let mut begin = Some(FIRST.to_owned());
    for (low, high) in safe {
        let Some(from) = begin.clone() else { break };
        if order(&low, &from).is_gt() {
            ranges.push(Range { introduced: introduced(from.clone()), end: End::Fixed(low) });
        }
        begin = high.map(|high| if order(&high, &from).is_gt() { high } else { from });
    }
    ranges.extend(begin.map(|from| Range { introduced: introduced(from), end: End::Open }));
    Ok(ranges)
}

/// Before all versions.
const FIRST: &str = "0.0.0-0";

fn introduced(version: String) -> Option<String> {
    (version != FIRST).then_some(version)
}

fn order(left: &str, right: &str) -> Ordering {
    compare(Scheme::Semver, left, right)
}

/// The versions that fulfil all parts of a requirement; `None` when there are none.
fn interval(requirement: &VersionReq) -> Option<Interval> {
    let mut result: Interval = (FIRST.to_owned(), None);
    for part in &requirement.comparators {
        let (low, high) = bounds(part);
        if order(&low, &result.0).is_gt() {
            result.0 = low;
        }
        result.1 = match (result.1, high) {
            (Some(old), Some(new)) => Some(if order(&new, &old).is_lt() { new } else { old }),
            (old, new) => old.or(new),
        };
    }
    let empty = result.1.as_ref().is_some_and(|high| order(high, &result.0).is_le());
    (!empty).then_some(result)
}

fn bounds(part: &Comparator) -> Interval {
    let (major, minor, patch) = (part.major, part.minor, part.patch);
    let pre = if part.pre.is_empty() { String::new() } else { format!("-{}", part.pre) };
    let exact = format!("{major}.{}.{}{pre}", minor.unwrap_or(0), patch.unwrap_or(0));
    // `-0` is the first pre-release of a version.
    let next_major = || format!("{}.0.0-0", major.saturating_add(1));
    let next_minor = || format!("{major}.{}.0-0", minor.unwrap_or(0).saturating_add(1));
    let next_patch = || format!("{major}.{}.{}-0", minor.unwrap_or(0), patch.unwrap_or(0).saturating_add(1));
    let after = || match (minor, patch) {
        (None, _) => next_major(),
        (Some(_), None) => next_minor(),
        // After a pre-release comes at least the next one.
        (Some(_), Some(_)) if !pre.is_empty() => format!("{exact}.0"),
        (Some(_), Some(_)) => next_patch(),
    };
    let first = || FIRST.to_owned();
    match part.op {
        Op::Exact | Op::Wildcard => (exact.clone(), Some(after())),
        Op::Greater => (after(), None),
        Op::GreaterEq => (exact, None),
        Op::Less => (first(), Some(exact)),
        Op::LessEq => (first(), Some(after())),
        Op::Tilde => (exact, Some(if minor.is_some() { next_minor() } else { next_major() })),
        // Caret, and whatever may be added, which none of RustSec's requirements uses.
        _ => {
            let high = match (major, minor, patch) {
                (0, Some(0), Some(_)) => next_patch(),
                (0, Some(_), _) => next_minor(),
                _ => next_major(),
            };
            (exact, Some(high))
        }
    }
}
