//! What is found for whole inventories.

use crate::{Advisory, End, Feed, PackageKey, Range, Scope, Severity, find, lookups};
use image_packages::{Distribution, Ecosystem, Inventory, Package, Source};
use std::collections::BTreeMap;
use std::convert::Infallible;

fn package(ecosystem: Ecosystem, name: &str, version: &str, source: Option<(&str, &str)>) -> Package {
    Package {
        ecosystem,
        name: name.into(),
        version: version.into(),
        source: source.map(|(name, version)| Source { name: name.into(), version: version.into() }),
        architecture: None,
        license: None,
        path: String::new(),
        layer: 0,
    }
}

fn distribution(id: &str, version: &str) -> Distribution {
    Distribution { id: id.into(), version: Some(version.into()), ..Distribution::default() }
}

fn advisory(feed: Feed, id: &str, fixed: Option<&str>, severity: Option<Severity>) -> Advisory {
    let end = fixed.map_or(End::Open, |fixed| End::Fixed(fixed.into()));
    Advisory {
        feed,
        id: id.into(),
        aliases: vec![],
        ranges: vec![Range { introduced: None, end }],
        versions: vec![],
        severity,
        vectors: vec![],
        summary: String::new(),
        details: String::new(),
        references: vec![],
        published: None,
        modified: None,
    }
}

#[test]
fn the_source_package_and_the_most_trusted_feed_decide() {
    let inventory = Inventory {
        distribution: Some(distribution("debian", "10")),
        packages: vec![
            package(
                Ecosystem::Deb,
                "postgresql-client-11",
                "11.22-0+deb10u2",
                Some(("postgresql-11", "11.22-0+deb10u2")),
            ),
            package(Ecosystem::Deb, "libpq5", "11.22-0+deb10u2", Some(("postgresql-11", "11.22-0+deb10u2"))),
            package(Ecosystem::Python, "requests", "2.0", None),
            package(Ecosystem::Npm, "lodash", "4.0.0", None),
        ],
    };
    let data: BTreeMap<(&str, &str), Vec<Advisory>> = BTreeMap::from([
        (
            ("Debian:10", "postgresql-11"),
            vec![
                // OSV calls it affected, the tracker knows that this release is fixed.
                advisory(Feed::Osv, "CVE-1", None, Some(Severity::Critical)),
                advisory(Feed::DebianTracker, "CVE-1", Some("11.20-1"), None),
                advisory(Feed::DebianTracker, "CVE-2", Some("11.22-0+deb10u3"), Some(Severity::Low)),
                // Said twice, and true once.
                advisory(Feed::DebianTracker, "CVE-3", Some("1.0"), Some(Severity::High)),
                advisory(Feed::DebianTracker, "CVE-3", None, Some(Severity::High)),
            ],
        ),
        (("PyPI", "requests"), vec![advisory(Feed::Osv, "GHSA-1", Some("2.1"), None)]),
    ]);
    let lookup = |key: &PackageKey| {
        Ok::<_, Infallible>(data.get(&(key.system.as_str(), key.name.as_str())).cloned().unwrap_or_default())
    };
    let known = |system: &str| system != "npm";
    let Ok(found) = find(&inventory, Scope::Distribution, known, lookup);
    let shown: Vec<_> = found
        .findings
        .iter()
        .map(|finding| (finding.advisory.name(), finding.package.as_str(), finding.affected.len()))
        .collect();
    assert_eq!(shown, [("CVE-3", "postgresql-11", 2), ("CVE-2", "postgresql-11", 2)]);
    assert_eq!(found.findings[1].affected[0].fixed.as_deref(), Some("11.22-0+deb10u3"));
    assert_eq!((found.examined, found.unknown.len()), (2, 0));
    let Ok(all) = find(&inventory, Scope::All, known, lookup);
    assert_eq!(all.findings.len(), 3);
    assert_eq!(all.unknown, BTreeMap::from([("npm".to_owned(), 1)]));
}

#[test]
fn an_advisory_about_several_vulnerabilities_keeps_its_own_name() {
    let mut several = advisory(Feed::Osv, "RLSA-2023:1", None, None);
    several.aliases = vec!["CVE-1".into()];
    assert_eq!(several.name(), "CVE-1");
    several.aliases.push("CVE-2".into());
    assert_eq!(several.name(), "RLSA-2023:1");
}

#[test]
fn distributions_have_the_names_that_advisories_give_them() {
    let deb = package(Ecosystem::Deb, "bash", "5", None);
    let systems = |id: &str, version: &str| -> Vec<String> {
        lookups(Some(&distribution(id, version)), &deb).into_iter().map(|lookup| lookup.key.system).collect()
    };
    assert_eq!(systems("debian", "12"), ["Debian:12"]);
    assert_eq!(systems("ubuntu", "22.04"), ["Ubuntu:22.04:LTS", "Ubuntu:22.04"]);
    assert_eq!(systems("alpine", "3.19.1"), ["Alpine:v3.19"]);
    assert_eq!(systems("rocky", "9.3"), ["Rocky Linux:9"]);
    assert!(systems("plan9", "4").is_empty());
    let sid =
        Distribution { id: "debian".into(), codename: Some("trixie".into()), ..Distribution::default() };
    assert_eq!(lookups(Some(&sid), &deb)[0].key.system, "Debian:13");
    assert!(lookups(None, &deb).is_empty());
    let rpm = package(Ecosystem::Rpm, "openssl-libs", "1:3-1", Some(("openssl", "1:3-1")));
    let names: Vec<String> =
        lookups(Some(&distribution("rocky", "9")), &rpm).into_iter().map(|lookup| lookup.key.name).collect();
    assert_eq!(names, ["openssl", "openssl-libs"]);
    let python = package(Ecosystem::Python, "Zope.Interface__x", "1", None);
    assert_eq!(lookups(None, &python)[0].key.name, "zope-interface-x");
}
