//! Alpine's secdb: which version of an origin package fixed which vulnerabilities, for one branch and repository.

use super::{FeedError, Item};
use crate::{Advisory, End, Feed, PackageKey, Range};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Secdb {
    distroversion: String,
    reponame: String,
    #[serde(default)]
    packages: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    pkg: Fixes,
}

#[derive(Deserialize)]
struct Fixes {
    name: String,
    /// By version; a package without any may have something else here.
    #[serde(default)]
    secfixes: serde_json::Value,
}

/// Reads a document: its name, such as `v3.19/main`, and one item for each package.
pub fn alpine_secdb(content: &[u8]) -> Result<(String, Vec<Item>), FeedError> {
    let secdb: Secdb = serde_json::from_slice(content)?;
    let items = secdb.packages.into_iter().map(|entry| item(&secdb.distroversion, entry.pkg)).collect();
    Ok((format!("{}/{}", secdb.distroversion, secdb.reponame), items))
}

fn item(branch: &str, fixes: Fixes) -> Item {
    let versions: BTreeMap<String, Vec<String>> = serde_json::from_value(fixes.secfixes).unwrap_or_default();
    let key = PackageKey { system: format!("Alpine:{branch}"), name: fixes.name.clone() };
    let mut advisories = Vec::new();
    // Version 0 means that the package never was affected.
    for (version, vulnerabilities) in versions.into_iter().filter(|(version, _)| version != "0") {
        for names in vulnerabilities {
            // `CVE-2019-1234 XSA-1`: other names follow the first.
            let mut names = names.split_ascii_whitespace().map(str::to_owned);
            let Some(id) = names.next() else { continue };
            let advisory = Advisory {
                feed: Feed::AlpineSecdb,
                references: vec![format!("https://security.alpinelinux.org/vuln/{id}")],
                id,
                aliases: names.collect(),
                ranges: vec![Range { introduced: None, end: End::Fixed(version.clone()) }],
                versions: Vec::new(),
                severity: None,
                vectors: Vec::new(),
                summary: String::new(),
                details: String::new(),
                published: None,
                modified: None,
            };
            advisories.push((key.clone(), advisory.bounded()));
        }
    }
    Item { id: fixes.name, advisories }
}
