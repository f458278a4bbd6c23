//! Seeded damage to every input: flipped bytes, cut ends, doubled stretches. Nothing may panic, hang, or find more than
//! the limits allow.

use super::*;
use crate::{Limits, Reader};
use proptest::prelude::*;
use std::sync::OnceLock;

/// What is done to an input.
#[derive(Clone, Debug)]
enum Damage {
    Set(usize, u8),
    Word(usize, u32),
    Cut(usize),
    Double(usize, usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    let word = prop_oneof![Just(0), Just(1), Just(u32::MAX), Just(0x7fff_ffff), Just(0xffff), any::<u32>()];
    prop_oneof![
        4 => (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        4 => (any::<usize>(), word).prop_map(|(at, word)| Damage::Word(at, word)),
        1 => any::<usize>().prop_map(Damage::Cut),
        1 => (any::<usize>(), 1..200_usize).prop_map(|(at, length)| Damage::Double(at, length)),
    ]
}

fn damaged(mut content: Vec<u8>, damages: &[Damage]) -> Vec<u8> {
    for damage in damages {
        if content.is_empty() {
            break;
        }
        let length = content.len();
        match *damage {
            Damage::Set(at, byte) => content[at % length] = byte,
            Damage::Word(at, word) => {
                let at = at % length;
                let end = (at + 4).min(length);
                content[at..end].copy_from_slice(&word.to_be_bytes()[..end - at]);
            }
            Damage::Cut(at) => content.truncate(at % length),
            Damage::Double(at, stretch) => {
                let at = at % length;
                let stretch = content[at..(at + stretch).min(length)].to_vec();
                content.splice(at..at, stretch);
            }
        }
    }
    content
}

fn inputs() -> &'static [(FileFormat, Vec<u8>)] {
    static INPUTS: OnceLock<Vec<(FileFormat, Vec<u8>)>> = OnceLock::new();
    INPUTS.get_or_init(make_inputs)
}

fn make_inputs() -> Vec<(FileFormat, Vec<u8>)> {
    let jar =
        archive(&[("META-INF/maven/a/b/pom.properties", b"groupId=a\nartifactId=b\nversion=1\n")], false);
    let nested =
        archive(&[("inner.jar", &jar), ("META-INF/MANIFEST.MF", b"Implementation-Version: 1\n")], true);
    vec![
        (FileFormat::RpmBerkeley, unzipped(include_bytes!("../../tests/data/Packages.gz"))),
        (FileFormat::RpmNdb, unzipped(include_bytes!("../../tests/data/Packages.db.gz"))),
        (FileFormat::RpmSqlite, unzipped(include_bytes!("../../tests/data/rpmdb.sqlite.gz"))),
        (FileFormat::Dpkg, include_bytes!("../../tests/data/dpkg-postgresql.status").to_vec()),
        (FileFormat::Apk, b"P:musl\nV:1-r0\no:musl\n\n".to_vec()),
        (FileFormat::PythonMetadata, b"Name: a\nVersion: 1\n\n".to_vec()),
        (FileFormat::NodePackage, br#"{"name": "a", "version": "1"}"#.to_vec()),
        (FileFormat::NodeLock, br#"{"packages": {"node_modules/a": {"version": "1"}}}"#.to_vec()),
        (FileFormat::Binary, go_binary()),
        (FileFormat::Binary, auditable_binary()),
        (FileFormat::Java, jar),
        (FileFormat::Java, nested),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn damaged_files(damages in prop::collection::vec(damage(), 1..6)) {
        for (format, content) in inputs() {
            let packages = parse_file(*format, "a.jar", &damaged(content.clone(), &damages));
            prop_assert!(packages.len() < 2000);
            prop_assert!(packages.iter().all(Package::is_plausible));
        }
    }

    #[test]
    fn damaged_layers(damages in prop::collection::vec(damage(), 1..6), compressed in any::<bool>()) {
        let mut content = layer(&[
            ("var/lib/dpkg/status", include_bytes!("../../tests/data/dpkg-postgresql.status")),
            ("app/.wh.a", b""),
            ("bin/tool", &go_binary()),
        ]);
        if compressed {
            content = gzipped(&content);
        }
        let limits = Limits { bytes: 1 << 26, ..Limits::default() };
        let mut reader = Reader::new(limits);
        if reader.layer(damaged(content, &damages).as_slice()).is_ok() {
            prop_assert!(reader.finish().packages.len() < 2000);
        }
    }
}
