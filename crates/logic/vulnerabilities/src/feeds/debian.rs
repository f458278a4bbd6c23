//! Debian's security tracker: one document with all source packages, read piece by piece since it is large.

use super::{FeedError, Item};
use crate::systems::debian_system;
use crate::{Advisory, End, Feed, PackageKey, Range, Severity};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;

#[derive(Deserialize)]
struct Vulnerability {
    #[serde(default)]
    description: String,
    /// A map, but an empty list where there is none.
    #[serde(default)]
    releases: serde_json::Value,
}

#[derive(Deserialize)]
struct Release {
    #[serde(default)]
    status: String,
    fixed_version: Option<String>,
    #[serde(default)]
    urgency: String,
}

/// Reads the document and gives one item for each source package.
pub fn debian_tracker<E: fmt::Display>(
    reader: impl Read,
    each: &mut dyn FnMut(Item) -> Result<(), E>,
) -> Result<(), FeedError> {
    let mut deserializer = serde_json::Deserializer::from_reader(reader);
    Packages(each).deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(())
}

struct Packages<'e, E>(&'e mut dyn FnMut(Item) -> Result<(), E>);

impl<'de, E: fmt::Display> DeserializeSeed<'de> for Packages<'_, E> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, E: fmt::Display> Visitor<'de> for Packages<'_, E> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a map of source packages")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some((package, vulnerabilities)) =
            map.next_entry::<String, BTreeMap<String, Vulnerability>>()?
        {
            (self.0)(item(package, vulnerabilities)).map_err(A::Error::custom)?;
        }
        Ok(())
    }
}

fn item(package: String, vulnerabilities: BTreeMap<String, Vulnerability>) -> Item {
    let mut advisories = Vec::new();
    for (id, vulnerability) in vulnerabilities {
        let serde_json::Value::Object(releases) = vulnerability.releases else { continue };
        for (codename, release) in releases {
            let Ok(release) = serde_json::from_value::<Release>(release) else { continue };
            let Some(range) = range(&release) else { continue };
            let key = PackageKey { system: debian_system(&codename), name: package.clone() };
            let advisory = Advisory {
                feed: Feed::DebianTracker,
                id: id.clone(),
                aliases: Vec::new(),
                ranges: vec![range],
                versions: Vec::new(),
                severity: Severity::of_word(&release.urgency),
                vectors: Vec::new(),
                summary: String::new(),
                details: vulnerability.description.clone(),
                references: vec![format!("https://security-tracker.debian.org/tracker/{id}")],
                published: None,
                modified: None,
            };
            advisories.push((key, advisory.bounded()));
        }
    }
    Item { id: package, advisories }
}

/// The affected versions; `None` when the release was never affected, or nobody knows.
fn range(release: &Release) -> Option<Range> {
    let end = match (release.status.as_str(), release.fixed_version.as_deref()) {
        ("resolved", Some("0") | None) => return None,
        ("resolved" | "open", Some(version)) if version != "0" => End::Fixed(version.to_owned()),
        ("open", _) => End::Open,
        _ => return None,
    };
    Some(Range { introduced: None, end })
}
