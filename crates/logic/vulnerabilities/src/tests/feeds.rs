//! Every feed, on real extracts, and on damaged input.

use crate::feeds::{Form, Item, alpine_secdb, debian_tracker, form_of, osv, rustsec};
use crate::{Advisory, End, Fix, Severity, affects, rating};
use package_versions::Scheme;
use proptest::prelude::*;
use std::convert::Infallible;

const TRACKER: &[u8] = include_bytes!("../../tests/data/debian-tracker-extract.json");
const TIME: &[u8] = include_bytes!("../../tests/data/RUSTSEC-2020-0071.md");

const OSV: &str = r#"{"id": "GHSA-x", "modified": "2024-01-02T03:04:05Z", "published": "2023-01-01T00:00:00Z",
    "aliases": ["CVE-2023-1"], "summary": "Bad", "details": "Very bad",
    "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
    "affected": [{"package": {"ecosystem": "PyPI", "name": "Flask.Login"},
      "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "0.6.3"}, {"introduced": "0.7"}]},
                 {"type": "GIT", "events": [{"introduced": "0"}]}],
      "versions": ["0.6.1", "0.6.2", "0.6.5"]},
     {"package": {"ecosystem": "Hackage", "name": "x"}, "versions": ["1"]}],
    "references": [{"type": "WEB", "url": "https://example.com/a"}]}"#;

fn tracker(content: &[u8]) -> Vec<Item> {
    let mut items = Vec::new();
    debian_tracker(content, &mut |item| {
        items.push(item);
        Ok::<_, Infallible>(())
    })
    .expect("reads");
    items
}

fn fix(version: &str) -> Fix {
    Fix(Some(version.into()))
}

fn only(item: &Item) -> &Advisory {
    let [(_, advisory)] = &item.advisories[..] else { panic!("{item:?}") };
    advisory
}

#[test]
fn debians_tracker() {
    let items = tracker(TRACKER);
    assert_eq!(items.len(), 6);
    let chromium = items.iter().find(|item| item.id == "chromium").expect("is there");
    let of = |system: &str| {
        let found = chromium.advisories.iter().find(|(key, _)| key.system == system);
        &found.expect("is there").1
    };
    assert_eq!(of("Debian:11").ranges[0].end, End::Fixed("98.0.4758.80-1~deb11u1".into()));
    assert_eq!(of("Debian:10").ranges[0].end, End::Open);
    assert_eq!(of("Debian:sid").name(), "CVE-2022-0456");
    let prototype = items.iter().find(|item| item.id == "prototypejs").expect("is there");
    // Fixed in version 0 means never affected.
    assert!(prototype.advisories.iter().all(|(_, advisory)| advisory.id == "CVE-2008-7220"));
    assert!(prototype.advisories.iter().all(|(_, advisory)| advisory.severity == Some(Severity::High)));
    assert!(items.iter().any(|item| item.id == "chromium-browser" && item.advisories.is_empty()));
}

#[test]
fn alpines_secdb() {
    let text = br#"{"distroversion": "v3.19", "reponame": "main", "packages": [
        {"pkg": {"name": "openssl", "secfixes": {"3.1.4-r3": ["CVE-2023-6129"], "0": ["CVE-2022-1 X-1"]}}},
        {"pkg": {"name": "xen", "secfixes": {"4.18.0-r1": ["CVE-2023-2 XSA-1"]}}},
        {"pkg": {"name": "none", "secfixes": []}}]}"#;
    let (name, items) = alpine_secdb(text).expect("reads");
    assert_eq!(name, "v3.19/main");
    assert_eq!(items[0].advisories[0].0.system, "Alpine:v3.19");
    assert_eq!(affects(Scheme::Apk, only(&items[0]), "3.1.4-r2"), Some(fix("3.1.4-r3")));
    assert_eq!(affects(Scheme::Apk, only(&items[0]), "3.1.4-r3"), None);
    assert_eq!(only(&items[1]).aliases, ["XSA-1"]);
    assert!(items[2].advisories.is_empty());
}

#[test]
fn osv_documents() {
    let items = osv(OSV.as_bytes()).expect("reads");
    let (key, advisory) = &items[0].advisories[0];
    assert_eq!((key.system.as_str(), key.name.as_str()), ("PyPI", "flask-login"));
    assert_eq!(items[0].advisories.len(), 1, "ecosystems that are not read from images are left out");
    assert_eq!(advisory.name(), "CVE-2023-1");
    assert_eq!(advisory.versions, ["0.6.5"], "what ranges cover is not kept twice");
    assert_eq!(affects(Scheme::Pep440, advisory, "0.6.2"), Some(fix("0.6.3")));
    assert_eq!(affects(Scheme::Pep440, advisory, "0.6.3"), None);
    assert_eq!(affects(Scheme::Pep440, advisory, "0.6.5"), Some(Fix(None)));
    assert_eq!(affects(Scheme::Pep440, advisory, "0.8"), Some(Fix(None)));
    let (severity, scores) = rating(advisory);
    assert_eq!((severity, scores[0].value), (Severity::Critical, 9.8));
    assert_eq!(advisory.published, Some(1_672_531_200));
    let withdrawn = OSV.replace("\"summary\"", "\"withdrawn\": \"2024-02-01T00:00:00Z\", \"summary\"");
    assert!(osv(withdrawn.as_bytes()).expect("reads")[0].advisories.is_empty());
    assert_eq!(osv(format!("[{OSV}, {OSV}]").as_bytes()).expect("reads").len(), 2);
}

#[test]
fn rustsecs_files() {
    let item = rustsec(TIME).expect("reads");
    let advisory = only(&item);
    let holds = |version: &str| affects(Scheme::Semver, advisory, version);
    assert_eq!(holds("0.1.44"), Some(fix("0.2.0")));
    for safe in ["0.2.0", "0.2.6", "0.2.23", "0.3.0", "1.0.0"] {
        assert_eq!(holds(safe), None, "{safe}");
    }
    assert_eq!(holds("0.2.7"), Some(fix("0.2.23")));
    assert_eq!(advisory.name(), "CVE-2020-26235");
    assert_eq!(rating(advisory).0, Severity::Medium);
    assert!(advisory.summary.contains("segfault"), "{}", advisory.summary);
    let of = |versions: &str| {
        let text =
            format!("```toml\n[advisory]\nid = \"R\"\npackage = \"p\"\n[versions]\n{versions}\n```\n# T\n");
        rustsec(text.as_bytes()).expect("reads").advisories[0].1.clone()
    };
    let advisory = of("patched = [\"^1.2.3\", \">= 2.1\"]\nunaffected = [\"< 0.5\"]");
    for (version, holds) in [
        ("0.4.9", false),
        ("0.5.0", true),
        ("1.2.2", true),
        ("1.9.0", false),
        ("2.0.0", true),
        ("2.1.0", false),
    ] {
        assert_eq!(affects(Scheme::Semver, &advisory, version).is_some(), holds, "{version}");
    }
    let advisory = of("patched = []");
    assert_eq!(affects(Scheme::Semver, &advisory, "9.0.0"), Some(Fix(None)));
    assert!(rustsec(b"# no front matter").is_err());
}

#[test]
fn forms_are_told_apart() {
    for (content, form) in [
        (TRACKER, Some(Form::DebianTracker)),
        (TIME, Some(Form::RustSec)),
        (OSV.as_bytes(), Some(Form::Osv)),
        (br#"{"distroversion": "v3.19"}"#, Some(Form::AlpineSecdb)),
        (b"PK\x03\x04", Some(Form::Zip)),
        (b"hello", None),
        (b"{}", None),
    ] {
        assert_eq!(form_of(content), form);
    }
}

#[test]
fn vectors_of_every_version_are_scored() {
    for (vector, version, value) in [
        ("AV:N/AC:L/Au:N/C:P/I:P/A:P", "2.0", 7.5),
        ("CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", "3.0", 7.5),
        ("CVSS:3.1/AV:L/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H", "3.1", 6.2),
        ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", "4.0", 9.3),
    ] {
        let score = crate::score(vector).expect("scores");
        assert_eq!((score.version.as_str(), score.value), (version, value), "{vector}");
    }
    assert!(crate::score("CVSS:3.1/AV:Q").is_none());
}

proptest! {
    #[test]
    fn damaged_documents_do_no_harm(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        for content in [TRACKER, TIME, OSV.as_bytes()] {
            let mut content = content.to_vec();
            let at = at.index(content.len());
            content[at] = byte;
            if cut {
                content.truncate(at);
            }
            let _ = form_of(&content);
            let _ = osv(&content);
            let _ = rustsec(&content);
            let _ = alpine_secdb(&content);
            let _ = debian_tracker(content.as_slice(), &mut |_| Ok::<_, Infallible>(()));
        }
    }
}
